"""From somebody's corpus to named relations, in scikit-learn's manner."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from accelerate import PartialState
from datasets import Dataset
from sklearn.base import BaseEstimator, ClusterMixin
from transformers import AutoConfig, AutoTokenizer, set_seed

from .assignment import Assignment, RejectionRule, assign_rows, fit_rejection
from .clustering import Clusters, initialize_cluster_head
from .data_collator import tokenize_dataset
from .distributed import on_main
from .evaluation import embed, type_pairs
from .hierarchy import relation_tree
from .markers import find_entity_types
from .modeling_siamure import SiamUREModel
from .naming import describe_clusters
from .num_clusters import SAMPLED_ROWS, NumClusters, estimate_num_clusters
from .partition import partition
from .recipe import DEFAULT_RECIPE, MODEL_KEYS, OTHER_KEYS, encoder_path, read_recipe
from .trainer import SiamURETrainer
from .training_args import SiamURETrainingArguments

COMPARED_ROWS = 10_000


class DiscoveryTrainer(SiamURETrainer):
    """Leaves the clusters to the discovery, which chooses their number after the training."""

    how_to_go_on = "the same command goes on"

    def fit_clusters(self):
        pass


class RelationDiscovery(ClusterMixin, BaseEstimator):
    """Finds the relations of a corpus: embeds its rows, clusters and names them; then sorts other rows alike.

    Without `model` and `train`, rows are embedded by the recipe's encoder as it is: a first look within minutes.

    Args:
        num_clusters: C, or `"auto"` for an estimate (see `estimate_num_clusters`).
        model: A trained model: folder or hub name. Its own clusters are replaced by those of the rows.
        train: Whether to train the recipe's model on the rows first.
        recipe: The YAML file of a recipe; the default one of this package.
        reject: Whether rows far from every centroid, or between two, stay unassigned (see `fit_rejection`).
        seed: Fixes everything.
        work_dir: Where a run that is interrupted leaves what it has; `fit` or `predict` with the same rows goes on with
            it. By default nothing is left.
        show_progress: Whether to show progress bars.

    Attributes:
        labels_: Cluster of each row, `(rows,)`; -1 where it is unassigned, -2 where it was skipped because its two
            mentions alone are too long.
        assignment_: Nearest cluster, score, distance and margin of each row.
        clusters_: The clusters, the largest first, as `DescribedCluster`: name, size, type pairs, words, examples.
        num_clusters_: The `NumClusters` that C was chosen by; without trials if it was given.
        tree_: Ward's tree on the centroids, for `cut_tree`.
        embeddings_: h of the rows that were not skipped.
        model_, tokenizer_: The model, with the clusters stored in it.

    ```python
    from data_scripts import load_relation_dataset
    from modeling_siamure import RelationDiscovery

    discovery = RelationDiscovery().fit(load_relation_dataset("sample")["train"])
    discovery.clusters_[0].name, discovery.predict(load_relation_dataset("sample")["validation"])
    ```
    """

    def __init__(
        self,
        num_clusters: int | str = "auto",
        *,
        model: str | None = None,
        train: bool = False,
        recipe: str | None = None,
        reject: bool = True,
        seed: int = 0,
        work_dir: str | None = None,
        show_progress: bool = False,
    ):
        self.num_clusters = num_clusters
        self.model = model
        self.train = train
        self.recipe = recipe
        self.reject = reject
        self.seed = seed
        self.work_dir = work_dir
        self.show_progress = show_progress

    # ------------------------------------------------------------------------------------------------------------------
    # Fitting

    def fit(self, dataset: Dataset, y: None = None) -> "RelationDiscovery":
        """Finds the clusters of a dataset.

        Args:
            dataset: Rows with a `text` column of marked sentences, as `data_scripts` gives them; rows whose text is
                null are skipped.
            y: Ignored.

        Raises:
            ValueError: No row can be used, or there are fewer different rows than clusters.
        """
        if self.num_clusters != "auto" and not (isinstance(self.num_clusters, int) and self.num_clusters >= 1):
            raise ValueError(f"num_clusters={self.num_clusters!r}: it must be 1 or more, or 'auto'")
        if self.model and self.train:
            raise ValueError("model and train exclude each other: a trained model is taken as it is")
        _check(dataset)
        self.processes()
        set_seed(self.seed)
        if self.model:
            self._load(self.model)
        else:
            self._start(dataset)
        rows, used = self._tokenize(dataset)
        with self._folder() as folder:
            if self.train:
                self._train(rows, folder)
            self.embeddings_ = self._embed(rows, folder)
        found = on_main(lambda: self._discover(rows))
        self.num_clusters_, clusters, assignment, rejection, self.clusters_, self.tree_ = found
        self._store(clusters, rejection)
        self.assignment_ = assignment.scatter(used, len(dataset))
        self.labels_ = self.assignment_.labels
        return self

    def _start(self, dataset: Dataset):
        """A model around the recipe's encoder, with markers for the types of the rows."""
        recipe = self.read_recipe()
        encoder = encoder_path(recipe["model_name_or_path"])
        types = find_entity_types(text for text in dataset["text"] if text)
        options = {key: recipe[key] for key in MODEL_KEYS if key in recipe}
        self.tokenizer_ = AutoTokenizer.from_pretrained(encoder, model_max_length=self._arguments("").max_length)
        self.model_ = SiamUREModel.from_encoder(encoder, self.tokenizer_, types, **options)

    def _load(self, path: str):
        if AutoConfig.from_pretrained(path).model_type != SiamUREModel.config_class.model_type:
            raise ValueError(f"{path} holds no siamure model; give one that siamure trained, or leave it out")
        self.model_, self.tokenizer_ = SiamUREModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)

    def _tokenize(self, dataset: Dataset) -> tuple[Dataset, np.ndarray]:
        """The rows that can be used, with their token ids; and which rows of the dataset these are."""
        kept = [name for name in ("text", "head_type", "tail_type", "relation") if name in dataset.column_names]
        with PartialState().main_process_first():
            rows = dataset.select_columns(kept).add_column("row", np.arange(len(dataset)))
            rows = rows.filter(lambda text: text is not None, input_columns="text", desc="Looking for sentences")
            rows = tokenize_dataset(rows, self.tokenizer_, self.tokenizer_.model_max_length, on_overflow="skip")
        if not len(rows):
            raise ValueError("no row is left to cluster; give sentences whose two mentions fit into the model")
        return rows, np.asarray(rows["row"])

    def _train(self, rows: Dataset, folder: Path):
        """Trains on the rows, or goes on with a training of the same rows that was interrupted."""
        if self.num_clusters == "auto":  # the cluster head needs to know before; h is looked at again afterwards
            few = rows.select(np.sort(np.random.default_rng(self.seed).permutation(len(rows))[:SAMPLED_ROWS]))
            embeddings = self._embed(few, folder)
            number = on_main(lambda: self._estimate(few, embeddings)).chosen
        else:
            number = self.num_clusters
        self.model_.resize_clusters(max(number, 2))
        state = [self.read_recipe(), number, self.seed]
        trained = folder / f"trained-{_key(rows['text'], json.dumps(state, default=str))}"
        trainer = self.trainer(Path(f"{trained}.run"), rows)
        if not trained.exists():
            trainer.train(resume_from_checkpoint=True)
            trainer.save_model(f"{trained}.partial")
            if trainer.is_world_process_zero():
                Path(f"{trained}.partial").rename(trained)
            trainer.accelerator.wait_for_everyone()
        self.model_ = SiamUREModel.from_pretrained(trained)

    def _estimate(self, rows: Dataset, embeddings: np.ndarray) -> NumClusters:
        return estimate_num_clusters(embeddings, type_pairs(rows), self.seed, self.show_progress)

    def _discover(self, rows: Dataset) -> tuple:
        """All that is found in h, on the main process."""
        embeddings = self.embeddings_
        if self.num_clusters == "auto":
            estimate = self._estimate(rows, embeddings)
        else:
            estimate = NumClusters(self.num_clusters, [])
        centroids = self._centroids(rows, embeddings, estimate.chosen)
        assignment = assign_rows(embeddings, centroids)
        rejection = None
        clusters = Clusters(assignment.clusters, centroids)
        if self.reject:
            rejection = fit_rejection(embeddings, assignment, len(centroids), self.seed)
            assignment = rejection.apply(assignment)
        assigned = Clusters(assignment.labels, centroids)
        described = describe_clusters(rows["text"], embeddings, assigned, assignment.margins)
        return estimate, clusters, assignment, rejection, described, relation_tree(centroids, self.model_.config)

    def _centroids(self, rows: Dataset, embeddings: np.ndarray, number: int) -> np.ndarray:
        """Those of the recipe's partition, of the largest cluster first."""
        few = embeddings[:COMPARED_ROWS]
        if number > 1 and (different := len(np.unique(few, axis=0))) < number:
            problem = f"{different} different rows can't form {number} clusters"
            raise ValueError(f"{problem}; ask for fewer, or give more rows")
        args, size = self._arguments(""), self.model_.config.context_size
        fitted = partition(embeddings, number, args, type_pairs(rows), size, self.show_progress)
        return fitted.centroids[np.argsort(-np.array(fitted.sizes), kind="stable")]

    def _store(self, clusters: Clusters, rejection: RejectionRule | None):
        """Puts centroids, names and thresholds into the model, and a cluster head that starts from the centroids."""
        if not self.train or len(clusters.centroids) != self.model_.config.num_labels:
            self.model_.resize_clusters(len(clusters.centroids))
            if len(clusters.centroids) > 1:
                initialize_cluster_head(self.model_.cluster_head, self.embeddings_[:COMPARED_ROWS], clusters)
        self.model_.set_clusters(
            clusters.centroids,
            clusters.sizes,
            [cluster.name for cluster in self.clusters_],
            rejection.max_distances if rejection else None,
            rejection.min_margin if rejection else None,
        )

    @property
    def how_embedded(self) -> str:
        """What h is made by, in a sentence."""
        if self.model:
            return f"Embedded by the model {Path(self.model).name}."
        encoder = self.read_recipe()["model_name_or_path"]
        if self.train:
            return f"Embedded by {encoder}, trained on these sentences."
        return f"A first look: embedded by {encoder} as it is, without training on these sentences."

    # ------------------------------------------------------------------------------------------------------------------
    # Sorting other rows

    @classmethod
    def from_pretrained(cls, path: str, **options) -> "RelationDiscovery":
        """A discovery that sorts rows into the clusters that a model holds.

        Args:
            path: Folder or hub name of the model.
            options: `work_dir` and `show_progress`.

        Raises:
            ValueError: It is no siamure model, or holds no clusters.
        """
        discovery = cls(model=path, **options)
        discovery._load(path)
        if not discovery.model_.config.cluster_sizes:
            raise ValueError(f"{path} holds no clusters; `siamure discover` stores them, and a finished training does")
        return discovery

    def save_pretrained(self, path: str | Path):
        """Saves model and tokenizer, for `from_pretrained`, the Auto classes and the pipeline."""
        self.model_.save_pretrained(path)
        self.tokenizer_.save_pretrained(path)

    def predict(self, dataset: Dataset) -> Assignment:
        """Assign rows to the clusters that the model holds; nothing of the fit changes.

        Args:
            dataset: Rows with a `text` column of marked sentences.
        """
        _check(dataset)
        self.processes()
        rows, used = self._tokenize(dataset)
        with self._folder() as folder:
            embeddings = self._embed(rows, folder)
        centroids = self.model_.cluster_centroids.cpu().numpy()
        config = self.model_.config
        rule = RejectionRule(config.max_distances, config.min_margin) if config.max_distances else None
        assignment = on_main(lambda: assign_rows(embeddings, centroids, config.cluster_sizes, rule))
        return assignment.scatter(used, len(dataset))

    # ------------------------------------------------------------------------------------------------------------------
    # Embedding

    def read_recipe(self) -> dict:
        """The recipe's keys and values."""
        return read_recipe(self.recipe or DEFAULT_RECIPE)

    def processes(self) -> PartialState:
        """The state of this run's processes, which are set up as the recipe says."""
        self._arguments("")
        return PartialState()

    def _arguments(self, output_dir: str) -> SiamURETrainingArguments:
        options = {key: value for key, value in self.read_recipe().items() if key not in OTHER_KEYS}
        options |= {"seed": self.seed, "disable_tqdm": not self.show_progress}
        return SiamURETrainingArguments(output_dir, **options)

    def trainer(self, output_dir: Path, rows: Dataset | None = None) -> SiamURETrainer:
        """A trainer of the model, with the recipe's arguments."""
        arguments = self._arguments(str(output_dir))
        return DiscoveryTrainer(self.model_, arguments, train_dataset=rows, processing_class=self.tokenizer_)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        if self.work_dir:
            yield Path(self.work_dir)
            return
        name = on_main(lambda: tempfile.mkdtemp(prefix="siamure-"))
        try:
            yield Path(name)
        finally:
            PartialState().wait_for_everyone()
            on_main(lambda: shutil.rmtree(name))

    def _embed(self, rows: Dataset, folder: Path) -> np.ndarray:
        """h of tokenized rows, kept in the folder: a run that was interrupted goes on there."""
        trainer = self.trainer(folder)
        weights = [tensor.cpu().float().numpy() for tensor in self.model_.encoder.state_dict().values()]
        return embed(
            self.model_,
            rows,
            self.tokenizer_,
            trainer.accelerator,
            trainer.args.per_device_eval_batch_size,
            show_progress=self.show_progress and trainer.is_world_process_zero(),
            relation_only=True,
            folder=folder / f"embedded-{_key(rows['text'], *weights)}",
        ).relation


def _check(dataset: Dataset):
    if "text" not in dataset.column_names:
        raise ValueError("the rows have no column 'text' with marked sentences; data_scripts writes it")


def _key(*parts) -> str:
    """A name for what depends on these texts and arrays alone."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        elif isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part))
        else:
            for text in part:
                digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]
