"""Two-phase training (paper, 2.4): the siamese loss alone, then joined by the clustering loss."""

import json
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from huggingface_hub import upload_folder
from huggingface_hub.errors import HTTPError
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import (
    EvalPrediction,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
)

from ..clustering import (
    Clusters,
    cluster_embeddings,
    initialize_cluster_head,
    kmeans,
    means_of,
    ward,
)
from ..clustering.assignment import fit_rejection
from ..clustering.descriptions import ClusterDescription, describe_clusters
from ..clustering.neighbors import (
    mutual_neighbors,
    nearest_neighbors,
    neighbor_accuracy,
    neighbor_overlap,
    require_faiss,
)
from ..clustering.relevant_components import LinearMap, fit_relevant_components
from ..clustering.storage import save_clusters
from ..clustering.type_pairs import MIN_AGREEMENT, neighbor_agreement_beyond_types
from ..data_collator import RelationCollator, relation_labels, tokenize_dataset, type_pairs
from ..embedding import Embeddings, embed_dataset
from ..health import check_corpus
from ..losses import AnchorCounts, joint_loss
from ..modeling_siamure import SiamUREModel
from ..utils.distributed import broadcast_from_main
from ..utils.doubts import record_doubts, warn_of_doubt
from ..utils.files import RUN_FILE, atomic_write, publish, write_record
from ..utils.terminal import is_disk_full, library_bars
from .checkpointing import ResumableTrainerMixin, output_folder
from .diagnostics import diagnose
from .model_card import path_on_card, write_model_card
from .progress import EpochTableCallback
from .run_record import describe_run
from .sampling import AnchorDataset, LengthBucketBatchSampler
from .training_args import SiamURETrainingArguments

logger = logging.getLogger(__name__)

DOUBTS_FILE = "doubts.json"
NEIGHBORS_FILE = "neighbors.safetensors"


class PhaseCallback(TrainerCallback):
    """Tell the trainer where epochs begin and end.

    An epoch ends here with its last step: a checkpoint of that step has the whole epoch in its
    logs.
    """

    def __init__(self, trainer: "SiamURETrainer"):
        self.trainer = trainer

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.trainer._on_epoch_begin(int(state.epoch or 0))
        if self.trainer.untrained_because:
            control.should_training_stop = True  # after the step that follows

    def on_step_end(self, args, state, control, **kwargs):
        if state.epoch == int(state.epoch) or state.global_step == state.max_steps:
            should_log = control.should_log
            self.trainer._log_diagnostics()
            control.should_log = should_log  # logging the diagnosis has answered it

    def on_train_end(self, args, state, control, **kwargs):
        self.trainer._on_train_end()


class SiamURETrainer(ResumableTrainerMixin, Trainer):
    """Train a [`SiamUREModel`] without labels.

    For `warmup_epochs` epochs the loss is L_Rl (Eq. 6). Then, before each epoch (or every
    `neighbor_refresh_epochs`), the K nearest neighbors of each example are mined from h, and the
    loss is L_Rl + eta L_Cl (Eq. 9). When training ends, the encoder is averaged with the pretrained
    one, as `pretrained_weight_share` says, and centroids of clusters of h are stored in the model.
    If that share is not 0, training stops where neighbors, as the joint phase begins, agree on
    clusters hardly better than their entity types do: they teach little else. The model is then
    what it was before, and `untrained_because` says why.

    Any number of processes trains the same model as one whose batches are as large as all of theirs
    together. Gradient accumulation does too, but for the entropy term: each of its batches has an
    entropy of its own.

    A `relation` column, where there is one, is given to `compute_metrics` and reported as neighbor
    accuracy; nothing else reads it.

    Args:
        model: The model to train.
        args: Arguments of the training.
        train_dataset, eval_dataset: Datasets with a `text` column of marked sentences; tokenized
            here.
        processing_class: The tokenizer, with the markers in it.
        compute_metrics: Scores a clustering. Gets an [`~transformers.EvalPrediction`] with clusters
            `(rows,)` as `predictions` and the gold relations `(rows,)` as `label_ids`; rows without
            a relation are left out.
        stores_clusters: Whether to store clusters in the model when training ends.
        kwargs: Further arguments of [`~transformers.Trainer`], such as `callbacks`, and of
            [`ResumableTrainerMixin`].

    Raises:
        ValueError: The training set has fewer rows than it needs for its neighbors or clusters; or
            `check_corpus` warns of it, and `strict` is set.
        ImportError: `neighbor_search` is `"faiss"`, which is not installed.

    ```python
    trainer = SiamURETrainer(
        model, SiamURETrainingArguments("out"), train_dataset=rows, processing_class=tokenizer
    )
    trainer.train()
    trainer.save_model()
    ```
    """

    loss_is_scaled_for_ga = False  # each loss is a mean over its batch
    args: SiamURETrainingArguments
    model: SiamUREModel
    processing_class: PreTrainedTokenizerBase
    train_dataset: Dataset | None
    eval_dataset: Dataset | None

    def __init__(
        self,
        model: SiamUREModel,
        args: SiamURETrainingArguments,
        train_dataset: Dataset | None = None,
        eval_dataset: Dataset | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        stores_clusters: bool = True,
        **kwargs,
    ):
        assert processing_class is not None, "a trainer needs the tokenizer"

        max_length = min(args.max_length, model.config.max_sentence_length)
        is_new = train_dataset is not None and "input_ids" not in train_dataset.column_names

        def tokenized(dataset: Dataset | None) -> Dataset | None:
            if dataset is None or "input_ids" in dataset.column_names:
                return dataset
            shown = library_bars(not args.disable_tqdm)
            with args.main_process_first(desc="tokenizing"), shown:
                return tokenize_dataset(dataset, processing_class, max_length, args.on_overflow)

        with record_doubts() as recorder:
            train_dataset = tokenized(train_dataset)
            if is_new:
                check_corpus(train_dataset, processing_class, model.config.num_labels)
            eval_dataset = tokenized(eval_dataset)
        if args.strict:
            recorder.refuse()
        # Before the base class makes the output folder: a mistake leaves nothing behind.
        _check_size(model.config.num_labels, args, train_dataset, eval_dataset)
        if args.neighbor_search == "faiss" and args.clustering_loss != "none":
            require_faiss()
        # FSDP2 shards each of these modules, and then the token embeddings, which must be whole.
        model._no_split_modules = {
            name for name in model._no_split_modules or () if "Embeddings" not in name
        }
        super().__init__(
            model=model,
            args=args,
            data_collator=RelationCollator(processing_class),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            **kwargs,
        )
        self.stores_clusters = stores_clusters
        self.doubts = recorder.lines  # told again on the card
        self.clusters: list[ClusterDescription] = []  # what is stored in the model
        self.clustering_method = ""  # what found them
        self.neighbors: np.ndarray | None = None  # (rows, K), since the joint phase began
        self._mined_epoch = -1
        # A run that is resumed starts from these too: what the checkpoint holds comes later.
        self._pretrained = snapshot_weights(model) if args.pretrained_weight_share else None
        self._restores_pretrained = False  # as a whole; decided when the joint phase begins
        self.add_callback(PhaseCallback(self))
        self.remove_callback(ProgressCallback)
        self.remove_callback(PrinterCallback)
        self.add_callback(EpochTableCallback)
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

    def describe_run(self) -> dict[str, Any]:
        """Return what decides the result: data, model, arguments and the number of processes."""
        return describe_run(self.model, self.args, self.train_dataset, self.eval_dataset)

    # All other arguments of the base class are taken too, by their names.
    def train(self, *args, **kwargs):
        """Train; see [`ResumableTrainerMixin.train`]. What makes the result doubtful is kept."""
        with record_doubts(self.doubts):
            return super().train(*args, **kwargs)

    # ----------------------------------------------------------------------------------------------
    # An epoch

    def _on_epoch_begin(self, epoch: int) -> None:
        """Prepare an epoch, counted from 0: mine neighbors if they are due, and draw from them."""
        args = self.args
        joint_epoch = epoch - args.warmup_epochs
        is_joint = args.clustering_loss != "none" and joint_epoch >= 0
        is_first = joint_epoch == 0 and args.clustering_loss == "semantic"
        if is_first:
            # Both views of a sentence are rows of the mean assignment.
            self._warn_of_few_rows(2 * args.train_batch_size * args.world_size)
        # A run that was resumed inside this epoch has the neighbors that it began with.
        is_due = joint_epoch % args.neighbor_refresh_epochs == 0 and self._mined_epoch != epoch
        if is_joint and is_due:
            embeddings = self.embed(
                self.train_dataset,
                relation_only=True,
                description="Embedding the training sentences, to find neighbors",
            ).relation
            self._mine_neighbors(embeddings)
            if is_first and args.cluster_head_init != "random":
                self._initialize_cluster_head(embeddings)
            if is_first and self._pretrained is not None:
                self._check_neighbor_quality(embeddings)
            self._mined_epoch = epoch
        seed = self.batch_sampler.seed
        self.anchors.draw_neighbors(self.neighbors, args.neighbors_per_anchor, seed, epoch)
        self.batch_sampler.lengths = self.anchors.batch_lengths()
        self.batch_sampler.set_epoch(epoch)

    def _warn_of_few_rows(self, rows: int, advised: int = 64) -> None:
        if rows < advised and self.is_world_process_zero():
            warn_of_doubt(
                logger,
                "the entropy term sees %d rows at a time, two per sentence (accumulation does not "
                "add to them): %d or more are advised",
                rows,
                advised,
            )

    def _mine_neighbors(self, embeddings: np.ndarray) -> None:
        neighbors = nearest_neighbors(
            embeddings,
            self.args.num_neighbors,
            self.accelerator,
            self.args.neighbor_search,
            self._show_progress,
        ).numpy()
        if self.args.mutual_neighbors:
            neighbors = mutual_neighbors(neighbors)

        def score() -> dict[str, float]:
            report = {}
            if self.neighbors is not None:
                report["neighbor_overlap"] = neighbor_overlap(neighbors, self.neighbors)
            labels = relation_labels(self.train_dataset)
            if labels is not None and all(label is not None for label in labels):
                report["neighbor_accuracy"] = neighbor_accuracy(neighbors, labels)
            return report

        report = broadcast_from_main(score)
        self.neighbors = neighbors
        if report:
            self.log(report)

    def _initialize_cluster_head(self, embeddings: np.ndarray) -> None:
        def initialize() -> dict[str, Any]:
            head = nn.utils.skip_init(nn.Linear, embeddings.shape[1], self.model.config.num_labels)
            if self.args.cluster_head_init == "ward":
                clusters = ward(embeddings, head.out_features, self.args.seed)
            else:
                cluster_map = self._fit_cluster_map(embeddings)
                labels = self._cluster(self.train_dataset, embeddings, cluster_map).labels
                clusters = Clusters(labels, means_of(embeddings, labels, head.out_features))
            initialize_cluster_head(head, embeddings, clusters)
            return {f"cluster_head.{name}": tensor for name, tensor in head.state_dict().items()}

        self._reshard()
        # Also where the model's own tensors are shards of these.
        options = StateDictOptions(full_state_dict=True, strict=False)
        set_model_state_dict(self.model, broadcast_from_main(initialize), options=options)

    def _check_neighbor_quality(
        self, embeddings: np.ndarray, min_agreement: float = MIN_AGREEMENT
    ) -> None:
        """Decide whether the pretrained encoder is restored: where neighbors teach only types."""
        pairs = type_pairs(self.train_dataset)
        if pairs is None or len(set(pairs)) == 1:
            return
        number = self.model.config.num_labels
        agreement = broadcast_from_main(
            neighbor_agreement_beyond_types, embeddings, number, pairs, self.args.seed
        )
        self.log({"agreement_beyond_types": agreement})
        self._restores_pretrained = agreement < min_agreement
        if self._restores_pretrained and self.is_world_process_zero():
            warn_of_doubt(
                logger,
                "not trained, because %s (%.2f; %.2f is asked for): the model stays as it was. "
                "pretrained_weight_share=0 trains it all the same",
                self.untrained_because,
                agreement,
                min_agreement,
            )

    @property
    def untrained_because(self) -> str | None:
        """Why training stopped and left the model as it was; `None` where it trains."""
        if not self._restores_pretrained:
            return None
        return "neighbors agree on clusters hardly better than entity types, and teach little else"

    def _log_diagnostics(self, num_rows: int = 1024, collapsed_std: float = 0.2) -> None:
        """Log the health of the embeddings of some training rows, and warn of a collapse.

        Args:
            num_rows: Rows that are looked at.
            collapsed_std: `embedding_std` that warns; 1 is isotropic, healthy runs stay above 0.5.
        """
        assert self.train_dataset is not None
        order = np.random.default_rng(self.args.seed).permutation(len(self.train_dataset))
        embeddings = self.embed(self.train_dataset.select(order[:num_rows]), description=None)
        report = broadcast_from_main(diagnose, embeddings)
        if self.neighbors is None or self.args.clustering_loss != "semantic":
            for name in ("assignment_entropy", "confidence", "used_clusters"):
                del report[name]  # the head is not in use
        self.log(report)
        if not self.is_world_process_zero():
            return
        for name in ("h", "g") if self.args.use_mlps else ("h",):
            if report[f"{name}_spread"] < collapsed_std:
                advice = "lower learning_rate or train fewer epochs"
                if self.args.clustering_loss == "neighbor_cosine":
                    advice += ", or use clustering_loss=semantic"
                warn_of_doubt(
                    logger,
                    "%s has collapsed: spread %.2f, effective rank %.1f, mean cosine %.2f. A "
                    "siamese loss near -1 is then no success: %s",
                    name,
                    report[f"{name}_spread"],
                    report[f"{name}_effective_rank"],
                    report[f"{name}_mean_cosine"],
                    advice,
                )
        if report.get("used_clusters", 2) < 2:
            warn_of_doubt(
                logger,
                "all examples fall into one cluster: raise entropy_weight or the batch size",
            )

    # ----------------------------------------------------------------------------------------------
    # A step

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        """Return the loader of anchors with their neighbors."""
        args = self.args
        # Workers start anew with each epoch's neighbors: persistent ones would keep the old.
        loader = torch.utils.data.DataLoader(
            self.anchors,
            batch_sampler=self.batch_sampler,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            prefetch_factor=args.dataloader_prefetch_factor,
        )
        # The batch sampler gives each process its own rows already: nothing is to be sharded here.
        return prepare_data_loader(
            loader, args.device, num_processes=1, process_index=0, put_on_device=True
        )

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the optimizer, with groups of its own for the cluster head's learning rate."""
        if self.optimizer is not None or self.args.head_learning_rate is None:
            return super().create_optimizer(model)
        optimizer = super().create_optimizer(model)
        in_head = {id(parameter) for parameter in self.model.cluster_head.parameters()}
        for group in list(optimizer.param_groups):
            parameters = group["params"]
            head = [parameter for parameter in parameters if id(parameter) in in_head]
            group["params"] = [item for item in parameters if id(item) not in in_head]
            optimizer.add_param_group({**group, "params": head, "lr": self.args.head_learning_rate})
        return optimizer

    @property
    def _per_anchor(self) -> int:
        return self.args.neighbors_per_anchor if self.anchors.drawn is not None else 0

    def _count_anchors(self, batch: dict[str, torch.Tensor]) -> int:
        if "is_padding_batch" in batch:
            return 0
        return len(batch["input_ids"]) // (2 + self._per_anchor)

    def _sum(self, value: float) -> torch.Tensor:
        """Return the sum over processes."""
        total = torch.tensor(float(value), device=self.args.device)
        if self.args.world_size > 1:
            dist.all_reduce(total)
        return total

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """Return the batches of an optimizer step, and the anchors of all processes in it."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        return batches, self._sum(sum(map(self._count_anchors, batches)))

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Return the loss of a batch (Eq. 9); its parts are kept for the logs."""
        args = self.args
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        local = self._count_anchors(inputs)
        global_batch = self._sum(local)
        if num_items_in_batch is None:
            counts = AnchorCounts(local, global_batch, global_batch, num_processes=args.world_size)
        else:
            num_batches = self.current_gradient_accumulation_steps
            counts = AnchorCounts(
                local, global_batch, num_items_in_batch, num_batches, args.world_size
            )
        loss, parts = joint_loss(
            outputs,
            self._per_anchor,
            counts,
            use_mlps=args.use_mlps,
            clustering_loss=args.clustering_loss,
            clustering_weight=args.clustering_weight,
            entropy_weight=args.entropy_weight,
            num_neighbors=args.num_neighbors,
            neighbor_reduction=args.neighbor_reduction,
        )
        for name, part in parts.items():
            self.loss_parts.setdefault(name, []).append(part.detach())
        return (loss, outputs) if return_outputs else loss

    # ----------------------------------------------------------------------------------------------
    # The end

    def _on_train_end(self) -> None:
        """Average the encoder with the pretrained one, and store the clusters in the model.

        Where training has been given up, all of the model is restored instead.
        """
        if self._pretrained is not None:
            self._reshard()
            if self._restores_pretrained:
                interpolate_weights_(self.model, self._pretrained, share=1.0)
            else:
                encoder = {
                    name.removeprefix("encoder."): weight
                    for name, weight in self._pretrained.items()
                }
                share = self.args.pretrained_weight_share
                interpolate_weights_(self.model.encoder, encoder, share)
        if self.stores_clusters:
            self.fit_clusters()

    def _reshard(self) -> None:
        if isinstance(self.model, FSDPModule):
            self.model.reshard()  # embedding has left some weights gathered

    def fit_clusters(self) -> Clusters:
        """Cluster the training set by its h, and store the clusters in the model."""
        assert self.train_dataset is not None
        embeddings = self.embed(
            self.train_dataset,
            relation_only=True,
            description="Embedding the training sentences, to cluster them",
        ).relation
        if self.untrained_because:
            self._initialize_cluster_head(embeddings)
        cluster_map = broadcast_from_main(self._fit_cluster_map, embeddings)
        clusters = broadcast_from_main(self._cluster, self.train_dataset, embeddings, cluster_map)
        if cluster_map is not None:
            embeddings = cluster_map.apply(embeddings)
        texts = self.train_dataset["text"]
        self.clusters = broadcast_from_main(describe_clusters, texts, embeddings, clusters)
        self.clustering_method = clusters.method
        names = [cluster.name for cluster in self.clusters]
        rule = broadcast_from_main(
            fit_rejection, embeddings, clusters.centroids, seed=self.args.seed
        )
        centroids = torch.as_tensor(clusters.centroids)
        self.model.set_clusters(
            centroids,
            clusters.sizes,
            names,
            **rule.fields_of_model(),
            cluster_map=cluster_map.tensors() if cluster_map else None,
        )
        return clusters

    def embed(
        self,
        dataset: Dataset,
        relation_only: bool = False,
        description: str | None = "Embedding the sentences",
    ) -> Embeddings:
        """Embed a tokenized dataset in inference mode; the rows keep their order.

        Args:
            dataset: Output of `tokenize_dataset`.
            relation_only: Whether to leave out all but h.
            description: What the progress bar says; `None` shows none.
        """
        if self.is_in_train:
            self.check_finite()
        return embed_dataset(
            self.model,
            self.processing_class,
            dataset,
            self.accelerator,
            batch_size=self.args.per_device_eval_batch_size,
            show_progress=description is not None and self._show_progress,
            relation_only=relation_only,
            description=description or "",
        )

    @property
    def _show_progress(self) -> bool:
        return self.is_world_process_zero() and not self.args.disable_tqdm

    def _fit_cluster_map(self, embeddings: np.ndarray) -> LinearMap | None:
        number = self.args.clustering_components
        if number is None:
            return None
        return fit_relevant_components(embeddings, number, self.args.seed)

    def _cluster(
        self, dataset: Dataset, embeddings: np.ndarray, cluster_map: LinearMap | None
    ) -> Clusters:
        """Return the clusters of a dataset by its h; on the main process alone."""
        config = self.model.config
        return cluster_embeddings(
            cluster_map.apply(embeddings) if cluster_map else embeddings,
            config.num_labels,
            self.args.clustering_method,
            self.args.seed,
            self.args.kmeans_restarts,
            None if config.type_weight else type_pairs(dataset),  # h holds them already
            config.context_size,
            self._show_progress,
            embeddings if cluster_map else None,
        )

    # ----------------------------------------------------------------------------------------------
    # Scores

    def evaluate(
        self,
        eval_dataset: Dataset | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Cluster a dataset by its h and by the cluster head, and score both where gold is known.

        Args:
            eval_dataset: A tokenized dataset; the one of the constructor by default.
            ignore_keys: Unused; part of the base class' signature.
            metric_key_prefix: Comes before each key; the head's keys have `head_` behind it.

        Returns:
            The metrics of `compute_metrics`, and `diagnose` on this dataset. Where
            `clustering_method` is not k-means, k-means is scored too, with `kmeans_` before its
            keys.
        """
        dataset = self.eval_dataset if eval_dataset is None else eval_dataset
        embeddings = self.embed(dataset, description="Embedding the sentences to score")

        def score() -> dict[str, float]:
            args = self.args
            h = embeddings.relation
            clusterings = {"": self._cluster(dataset, h, self._fit_cluster_map(h)).labels}
            if args.clustering_method != "kmeans":
                number = self.model.config.num_labels
                clusters = kmeans(h, number, args.seed, args.kmeans_restarts)
                clusterings["kmeans_"] = clusters.labels
            if args.clustering_loss == "semantic":
                probabilities = embeddings.cluster_probabilities
                assert probabilities is not None
                clusterings["head_"] = probabilities.argmax(axis=1)
            scores = diagnose(embeddings)
            for name, labels in clusterings.items():
                results = self._score(dataset, labels)
                scores |= {name + key: value for key, value in results.items()}
            return scores

        scores = broadcast_from_main(score)
        metrics = {f"{metric_key_prefix}_{key}": value for key, value in scores.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def score_type_pairs(self) -> dict[str, float]:
        """Score one cluster per type pair: what can be had without reading a sentence."""
        assert self.eval_dataset is not None
        pairs = type_pairs(self.eval_dataset)
        if pairs is None:
            pairs = np.zeros(len(self.eval_dataset), dtype=int)
        scores = broadcast_from_main(self._score, self.eval_dataset, pairs)
        return {f"type_pair_{key}": value for key, value in scores.items()}

    def _score(self, dataset: Dataset, clusters: np.ndarray) -> dict[str, float]:
        labels = relation_labels(dataset)
        if labels is None or self.compute_metrics is None:
            return {}
        known = np.array([label is not None for label in labels])
        prediction = EvalPrediction(predictions=clusters[known], label_ids=labels[known])
        return self.compute_metrics(prediction)

    # Of the base class' arguments, the card's front matter takes the others.
    def create_model_card(  # type: ignore[override]
        self,
        model_name: str | None = None,
        results: dict[str, float] | None = None,
        folder: str | Path | None = None,
        **kwargs,
    ) -> None:
        """Write the card of the model; called by `push_to_hub`, which hands its arguments on.

        Args:
            model_name: Its title; by default the name on the hub, or of the output folder.
            results: Metrics; by default those that were logged.
            folder: Where to write; the output folder by default.
            kwargs: `dataset`, `finetuned_from` and front matter, as of `render_model_card`.
        """
        if not self.is_world_process_zero():
            return
        assert self.train_dataset is not None
        if model_name is None:
            published = self.hub_model_id if self.args.push_to_hub else None
            model_name = (published or output_folder(self.args).name).split("/")[-1]
        if results is None:
            results = {}
            for entry in self.state.log_history:
                results |= entry
        write_model_card(
            folder or output_folder(self.args),
            model_name=model_name,
            model_id=self.hub_model_id or path_on_card(output_folder(self.args)),
            config=self.model.config,
            args=self.args,
            results=results,
            clusters=self.clusters,
            clustering_method=self.clustering_method,
            num_examples=len(self.train_dataset),
            doubts=self.doubts,
            untrained_because=self.untrained_because,
            **kwargs,
        )

    def save_run(self, results: dict[str, float], **card) -> None:
        """Save model, tokenizer, results and card in the output folder.

        Names are final only when all files are whole. `is_finished` of the same run then knows it.

        Args:
            results: The metrics.
            card: Further arguments of `create_model_card`.

        Raises:
            OSError: There is no room for them; what was there before stays as it was.
        """
        output = output_folder(self.args)
        run = self.run
        # The main process writes, or with save_on_each_node one of each machine.
        place = publish(output) if self.args.should_save else nullcontext(output)
        try:
            with place as folder:
                self.save_model(str(folder), _internal_call=True)  # any other call would push
                if self.args.should_save:
                    text = json.dumps(results, indent=2, sort_keys=True) + "\n"
                    atomic_write(folder / "all_results.json", text)
                    self.create_model_card(results=results, folder=folder, **card)
                    save_clusters(folder, self.clusters)
                    write_record(folder / RUN_FILE, {"run": run})
        except Exception as error:
            if not is_disk_full(error):
                raise
            raise OSError(
                f"{output} has no room for the model ({error}); make some and resume from the last "
                "checkpoint, if any"
            ) from error

    def push_run(self) -> None:
        """Publish what `save_run` has saved.

        Raises:
            OSError: The hub can't be reached, or does not take it.
        """
        if not self.is_world_process_zero():
            return
        self._finish_current_push()
        output = output_folder(self.args)
        assert self.hub_model_id is not None
        try:
            upload_folder(
                repo_id=str(self.hub_model_id),
                folder_path=output,
                commit_message="End of training",
                token=self.args.hub_token,
                revision=self.args.hub_revision,
                ignore_patterns=["_*", "checkpoint-*"],
            )
        except (OSError, HTTPError) as error:
            raise OSError(
                f"the model is in {output}, but {self.hub_model_id} was not published: {error}"
            ) from error

    # ----------------------------------------------------------------------------------------------
    # Checkpoints: doubts and the neighbors of a running epoch travel with them

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if self.args.should_save:
            Path(output_dir, DOUBTS_FILE).write_text(json.dumps(self.doubts), encoding="utf-8")
        if self.neighbors is not None and self.args.should_save:
            state = {
                "neighbors": self.neighbors,
                "mined_epoch": np.array([self._mined_epoch]),
                "goes_back": np.array([self._restores_pretrained]),
            }
            save_file(state, Path(output_dir, NEIGHBORS_FILE))

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: torch.nn.Module | None = None
    ) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        path = Path(resume_from_checkpoint, DOUBTS_FILE)
        if path.exists():
            said = json.loads(path.read_text(encoding="utf-8"))
            self.doubts += [line for line in said if line not in self.doubts]
        path = Path(resume_from_checkpoint, NEIGHBORS_FILE)
        if path.exists():
            state = load_file(path)
            self.neighbors = state["neighbors"]
            self._mined_epoch = int(state["mined_epoch"][0])
            self._restores_pretrained = bool(state["goes_back"][0])


def snapshot_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the weights of a module to the processor.

    Args:
        module: The module.
    """
    return {name: weight.detach().cpu().clone() for name, weight in module.named_parameters()}


@torch.no_grad()
def interpolate_weights_(module: nn.Module, weights: dict[str, torch.Tensor], share: float) -> None:
    """Average the weights of a module with earlier ones, in place (WiSE-FT, Wortsman et al. 2022).

    Args:
        module: The module; its weights may be shards.
        weights: Of `snapshot_weights`.
        share: Weight of the earlier ones: 0 changes nothing, 1 restores them.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 1.0)
    >>> weights = snapshot_weights(layer)
    >>> _ = nn.init.constant_(layer.weight, 3.0)
    >>> interpolate_weights_(layer, weights, share=0.25)
    >>> layer.weight.item()
    2.5
    """
    for name, weight in module.named_parameters():
        earlier = weights[name].to(weight.device)
        if isinstance(weight, DTensor):
            earlier = distribute_tensor(earlier, weight.device_mesh, weight.placements)
        weight.lerp_(earlier, share)


def _check_size(
    num_labels: int,
    args: SiamURETrainingArguments,
    train_dataset: Dataset | None,
    eval_dataset: Dataset | None,
) -> None:
    needed = num_labels
    if args.clustering_loss != "none":
        needed = max(num_labels, args.num_neighbors + 1)
    if train_dataset is not None and len(train_dataset) < needed:
        raise ValueError(
            f"{len(train_dataset)} training examples are too few for {num_labels} clusters and "
            f"{args.num_neighbors} neighbors each; give {needed} or more, or lower num_clusters or "
            "num_neighbors"
        )
    if eval_dataset is not None and len(eval_dataset) < num_labels:
        raise ValueError(
            f"{len(eval_dataset)} rows to score can't form {num_labels} clusters; give more, or "
            "fewer clusters"
        )
