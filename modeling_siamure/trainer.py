"""Two-phase training (paper, 2.4): the siamese loss alone, then joined by the clustering loss on mined neighbors."""

import logging
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedTokenizerBase, TrainerCallback

from .averaging import Start
from .checkpointing import ResumableTrainer
from .clustering import initialize_cluster_head, ward
from .clustering_trainer import ClusteringTrainer
from .consensus import MIN_AGREEMENT, agreement_beyond_types
from .data_collator import AnchorDataset, LengthBucketBatchSampler, RelationCollator, tokenize_dataset
from .distributed import on_main
from .evaluation import DIAGNOSED_ROWS, diagnose, gold_labels, type_pairs
from .modeling_siamure import SiamUREModel
from .neighbors import keep_mutual, nearest_neighbors, neighbor_accuracy, neighbor_overlap
from .objective import AnchorCounts, batch_loss
from .training_args import SiamURETrainingArguments

logger = logging.getLogger(__name__)

NEIGHBORS_FILE = "neighbors.safetensors"
COLLAPSE_SPREAD = 0.2  # 1 is isotropic; healthy runs stay above 0.5
ENTROPY_ROWS = 64  # fewer say little about how often each cluster is used


class PhaseCallback(TrainerCallback):
    """Tells the trainer where epochs begin and end."""

    # An epoch ends for us with its last step: a checkpoint of that step has the whole epoch in its logs.

    def __init__(self, trainer: "SiamURETrainer"):
        self.trainer = trainer

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.trainer.begin_epoch(int(state.epoch or 0))

    def on_step_end(self, args, state, control, **kwargs):
        if state.epoch == int(state.epoch) or state.global_step == state.max_steps:
            should_log = control.should_log
            self.trainer.diagnose_epoch()
            control.should_log = should_log  # logging the diagnosis has answered it

    def on_train_end(self, args, state, control, **kwargs):
        self.trainer.average_encoder()
        self.trainer.fit_clusters()


class SiamURETrainer(ClusteringTrainer, ResumableTrainer):
    """Trains a [`SiamUREModel`] without labels.

    For `warmup_epochs` epochs the loss is L_Rl (Eq. 6). Then, before each epoch (or every `neighbor_refresh_epochs`),
    the K nearest neighbors of each instance are mined from h, and the loss is L_Rl + eta L_Cl (Eq. 9). When training
    ends, the encoder goes back towards its start, as far as `start_share` says, and centroids of clusters of h are
    stored in the model. If `start_share` is not 0, it goes back all the way where neighbors, as the joint phase began,
    agreed on clusters hardly better than their entity types did: they teach little else.

    Any number of processes trains the same model as one whose batches are as large as all of theirs together. Gradient
    accumulation does too, but for the entropy term: each of its batches has an entropy of its own.

    A `relation` column, where there is one, is given to `compute_metrics` and reported as neighbor accuracy; nothing
    else reads it.

    Args:
        model: The model to train.
        args: Arguments of the training.
        train_dataset, eval_dataset: Datasets with a `text` column of marked sentences; tokenized here.
        processing_class: The tokenizer, with the markers in it.
        compute_metrics: Scores a partition. Gets an [`~transformers.EvalPrediction`] with clusters `(rows,)` as
            `predictions` and the gold relations `(rows,)` as `label_ids`; rows without a relation are left out.
        kwargs: Further arguments of [`~transformers.Trainer`], such as `callbacks`.

    Raises:
        ValueError: The training set has fewer rows than it needs for its neighbors or clusters.

    ```python
    trainer = SiamURETrainer(model, SiamURETrainingArguments("out"), train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    trainer.save_model()
    ```
    """

    loss_is_scaled_for_ga = False  # each loss is a mean over its batch
    args: SiamURETrainingArguments

    def __init__(
        self,
        model: SiamUREModel,
        args: SiamURETrainingArguments,
        train_dataset: Dataset | None = None,
        eval_dataset: Dataset | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        **kwargs,
    ):
        def tokenized(dataset: Dataset | None) -> Dataset | None:
            if dataset is None or "input_ids" in dataset.column_names:
                return dataset
            with args.main_process_first(desc="tokenizing"):
                return tokenize_dataset(dataset, processing_class, args.max_length, args.on_overflow)

        train_dataset, eval_dataset = tokenized(train_dataset), tokenized(eval_dataset)
        # Before the base class makes the output folder: a mistake leaves nothing behind.
        _check_size(model.config.num_labels, args, train_dataset, eval_dataset)
        # FSDP2 gives each of these modules shards of its own, and then the token embeddings, which must not be in one.
        model._no_split_modules = {name for name in model._no_split_modules if "Embeddings" not in name}
        super().__init__(
            model=model,
            args=args,
            data_collator=RelationCollator(processing_class),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            **kwargs,
        )
        self.neighbors: np.ndarray | None = None  # (rows, K), since the joint phase began
        self._mined_epoch = -1
        # A run that is resumed starts here too: what the checkpoint holds comes later.
        self._start = Start(model.encoder) if args.start_share else None
        self._goes_back = False  # whether all the way; decided when the joint phase begins
        self.add_callback(PhaseCallback(self))
        if self.train_dataset is not None:
            self.anchors = AnchorDataset(self.train_dataset)
            self.batch_sampler = LengthBucketBatchSampler(
                self.anchors.lengths,
                args.train_batch_size,
                seed=args.seed if args.data_seed is None else args.data_seed,
                rank=args.process_index,
                world_size=args.world_size,
                accumulation_steps=args.gradient_accumulation_steps,
            )

    # ------------------------------------------------------------------------------------------------------------------
    # Phases

    def begin_epoch(self, epoch: int):
        """Prepares an epoch, counted from 0: mines neighbors if they are due, and draws this epoch's."""
        args = self.args
        joint_epoch = epoch - args.warmup_epochs
        is_joint = args.clustering_loss != "none" and joint_epoch >= 0
        rows = args.train_batch_size * args.world_size
        is_first = joint_epoch == 0 and args.clustering_loss == "semantic"
        if is_first and rows < ENTROPY_ROWS and self.is_world_process_zero():
            logger.warning(
                "the entropy term sees %d rows at a time (accumulation does not add to them): %d or more are advised",
                rows,
                ENTROPY_ROWS,
            )
        # A run that was resumed inside this epoch has the neighbors that it began with.
        if is_joint and joint_epoch % args.neighbor_refresh_epochs == 0 and self._mined_epoch != epoch:
            embeddings = self.embed(self.train_dataset, relation_only=True).relation
            self._mine_neighbors(embeddings)
            if is_first and args.cluster_head_init != "random":
                self._initialize_cluster_head(embeddings)
            if is_first and self._start is not None:
                self._judge_neighbors(embeddings)
            self._mined_epoch = epoch
        self.anchors.draw_neighbors(self.neighbors, args.neighbors_per_anchor, self.batch_sampler.seed, epoch)
        self.batch_sampler.lengths = self.anchors.batch_lengths()
        self.batch_sampler.set_epoch(epoch)

    def _mine_neighbors(self, embeddings: np.ndarray):
        args = self.args
        found = nearest_neighbors(
            embeddings, args.num_neighbors, self.accelerator, args.neighbor_search, self._show_progress
        ).numpy()
        if args.mutual_neighbors:
            found = keep_mutual(found)

        def score() -> dict[str, float]:
            report = {}
            if self.neighbors is not None:
                report["neighbor_overlap"] = neighbor_overlap(found, self.neighbors)
            labels = gold_labels(self.train_dataset)
            if labels is not None and all(label is not None for label in labels):
                report["neighbor_accuracy"] = neighbor_accuracy(found, labels)
            return report

        report = on_main(score)
        self.neighbors = found
        if report:
            self.log(report)

    def _initialize_cluster_head(self, embeddings: np.ndarray):
        def start() -> dict[str, torch.Tensor]:
            head = nn.utils.skip_init(nn.Linear, embeddings.shape[1], self.model.config.num_labels)
            if self.args.cluster_head_init == "ward":
                clusters = ward(embeddings, head.out_features, self.args.seed)
            else:
                clusters = self._partition(self.train_dataset, embeddings)
            initialize_cluster_head(head, embeddings, clusters)
            return {f"cluster_head.{name}": tensor for name, tensor in head.state_dict().items()}

        self._reshard()
        # Also where the model's own tensors are shards of these.
        set_model_state_dict(self.model, on_main(start), options=StateDictOptions(full_state_dict=True, strict=False))

    def _judge_neighbors(self, embeddings: np.ndarray):
        """Lets the encoder go back to its start in the end where neighbors teach little but the entity types."""
        pairs, number = type_pairs(self.train_dataset), self.model.config.num_labels
        if pairs is None or len(set(pairs)) == 1:
            return
        found = on_main(lambda: agreement_beyond_types(embeddings, number, pairs, self.args.seed))
        self.log({"agreement_beyond_types": found})
        self._goes_back = found < MIN_AGREEMENT
        if self._goes_back and self.is_world_process_zero():
            logger.warning(
                "neighbors agree on clusters hardly better than entity types do (%.2f; %.2f is asked for), so training "
                "on them teaches little else: the encoder goes back to its start when training ends. start_share=0 "
                "keeps what is trained",
                found,
                MIN_AGREEMENT,
            )

    def _reshard(self):
        if isinstance(self.model, FSDPModule):
            self.model.reshard()  # embedding has left some weights gathered

    def average_encoder(self):
        """Takes the encoder back to its start: as far as `start_share` says, or as `_judge_neighbors` found."""
        if self._start is not None:
            self._reshard()
            self._start.mix_into(self.model.encoder, 1.0 if self._goes_back else self.args.start_share)

    def diagnose_epoch(self):
        """Logs the health of the embeddings of some training rows, and warns of a collapse."""
        sample = np.random.default_rng(self.args.seed).permutation(len(self.train_dataset))[:DIAGNOSED_ROWS]
        embeddings = self.embed(self.train_dataset.select(sample))
        report = on_main(lambda: diagnose(embeddings))
        if self.neighbors is None or self.args.clustering_loss != "semantic":
            for name in ("assignment_entropy", "confidence", "used_clusters"):  # the head is not in use
                del report[name]
        self.log(report)
        if not self.is_world_process_zero():
            return
        for name in ("h", "g") if self.args.use_mlps else ("h",):
            if report[f"{name}_spread"] < COLLAPSE_SPREAD:
                logger.warning(
                    "%s has collapsed: spread %.2f, effective rank %.1f, mean cosine %.2f. A siamese loss near -1 is "
                    "then no success: lower learning_rate or train fewer epochs%s",
                    name,
                    *(report[f"{name}_{key}"] for key in ("spread", "effective_rank", "mean_cosine")),
                    ", or use clustering_loss=semantic" if self.args.clustering_loss == "neighbor_cosine" else "",
                )
        if report.get("used_clusters", 2) < 2:
            logger.warning("all instances fall into one cluster: raise entropy_weight or batch size")

    # ------------------------------------------------------------------------------------------------------------------
    # Steps

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        args = self.args
        # Workers start anew with each epoch's neighbors: dataloader_persistent_workers would keep the old ones.
        loader = torch.utils.data.DataLoader(
            self.anchors,
            batch_sampler=self.batch_sampler,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            prefetch_factor=args.dataloader_prefetch_factor,
        )
        # The batch sampler gives each process its own rows already, so nothing is to be sharded here.
        return prepare_data_loader(loader, args.device, num_processes=1, process_index=0, put_on_device=True)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None and self.args.head_learning_rate is not None:
            super().create_optimizer(model)
            head = {id(parameter) for parameter in self.model.cluster_head.parameters()}
            for group in list(self.optimizer.param_groups):
                own = [parameter for parameter in group["params"] if id(parameter) in head]
                group["params"] = [parameter for parameter in group["params"] if id(parameter) not in head]
                self.optimizer.add_param_group({**group, "params": own, "lr": self.args.head_learning_rate})
            return self.optimizer
        return super().create_optimizer(model)

    @property
    def _per_anchor(self) -> int:
        return self.args.neighbors_per_anchor if self.anchors.drawn is not None else 0

    def _count_anchors(self, batch: dict[str, torch.Tensor]) -> int:
        return 0 if "is_filler" in batch else len(batch["input_ids"]) // (2 + self._per_anchor)

    def _sum(self, value: float) -> torch.Tensor:
        """The sum over processes."""
        total = torch.tensor(float(value), device=self.args.device)
        if self.args.world_size > 1:
            dist.all_reduce(total)
        return total

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """The batches of an optimizer step, and how many anchors all processes have in it."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        return batches, self._sum(sum(map(self._count_anchors, batches)))

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        own = self._count_anchors(inputs)
        batch = self._sum(own)
        if num_items_in_batch is None:
            step = {"step": batch}
        else:
            step = {"step": num_items_in_batch, "num_batches": self.current_gradient_accumulation_steps}
        counts = AnchorCounts(own, batch, num_processes=self.args.world_size, **step)
        loss, parts = batch_loss(outputs, self._per_anchor, counts, self.args)
        for name, part in parts.items():
            self.loss_parts.setdefault(name, []).append(part.detach())
        return (loss, outputs) if return_outputs else loss

    # ------------------------------------------------------------------------------------------------------------------
    # Checkpoints: the neighbors of a running epoch travel with them

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if self.neighbors is not None and self.args.should_save:
            state = {"neighbors": self.neighbors, "mined_epoch": np.array([self._mined_epoch])}
            state["goes_back"] = np.array([self._goes_back])
            save_file(state, Path(output_dir, NEIGHBORS_FILE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        path = Path(resume_from_checkpoint, NEIGHBORS_FILE)
        if path.exists():
            state = load_file(path)
            self.neighbors, self._mined_epoch = state["neighbors"], int(state["mined_epoch"][0])
            self._goes_back = bool(state["goes_back"][0])


def _check_size(
    num_labels: int, args: SiamURETrainingArguments, train_dataset: Dataset | None, eval_dataset: Dataset | None
):
    needed = num_labels if args.clustering_loss == "none" else max(num_labels, args.num_neighbors + 1)
    if train_dataset is not None and len(train_dataset) < needed:
        raise ValueError(
            f"{len(train_dataset)} training instances are too few for {num_labels} clusters and {args.num_neighbors} "
            f"neighbors each; give {needed} or more, or lower num_labels or num_neighbors"
        )
    if eval_dataset is not None and len(eval_dataset) < num_labels:
        raise ValueError(
            f"{len(eval_dataset)} rows to score can't form {num_labels} clusters; give more, or fewer clusters"
        )
