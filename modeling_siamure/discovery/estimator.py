"""From somebody's corpus to named relations, in scikit-learn's manner."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_type_hints

import torch
from datasets import Dataset
from sklearn.base import BaseEstimator, ClusterMixin
from transformers import set_seed

from ..clustering import Clusters, initialize_cluster_head, means_of
from ..clustering.assignment import Assignment, RejectionRule, assign_rows
from ..clustering.hierarchy import relation_tree
from ..clustering.relevant_components import LinearMap
from ..clustering.storage import centroids_of_clusters, load_clusters, save_clusters
from ..data_collator import type_pairs
from ..health import check_domain
from ..recipe import Recipe
from ..utils.contract import check_values
from ..utils.deprecation import deprecated_arguments
from ..utils.distributed import broadcast_from_main
from ..utils.doubts import record_doubts
from ..utils.files import flush
from ..utils.terminal import bars_as_asked, library_bars
from .analysis import analyze
from .editing import EditableClusters
from .finetuning import finetune
from .inputs import as_dataset
from .rows import embed_rows, load_model, marked_texts, tokenize_rows, work_folder

logger = logging.getLogger(__name__)


class RelationDiscovery(EditableClusters, ClusterMixin, BaseEstimator):
    """Find the relations of a corpus: embed its sentences, cluster and name them, assign others.

    Without `model_name_or_path` and `finetune`, sentences are embedded by the recipe's encoder as
    it is: a first look within minutes.

    Args:
        num_clusters: C, or `"auto"` for an estimate (see `estimate_num_clusters`).
        model_name_or_path: A trained model: folder or hub name. Its own clusters are replaced by
            those of the rows.
        finetune: Whether to train the recipe's model on the rows first.
        recipe: A `Recipe`, or its YAML file; by default that of this package.
        reject_outliers: Whether rows far from their cluster, or between two, stay unassigned.
        max_unassigned: Largest share of the rows of `fit` that may (see `fit_rejection`).
        seed: Fixes everything.
        work_dir: Where a run that is interrupted leaves what it has; `fit` or `predict` with the
            same rows resumes from it. By default nothing is left.
        show_progress: Whether to show progress bars.
        strict: Whether to refuse rows that the health check (`check_corpus`) would only warn of.

    Attributes:
        labels_: Cluster of each row, `(rows,)`; -1 where it is unassigned, -2 where it was skipped
            because its two mentions alone are too long, -3 where its cluster was rejected.
        assignment_: Nearest cluster, score, distance and margin of each row.
        clusters_: The clusters, the largest first, as `ClusterDescription`: name, size, type pairs,
            words, examples.
        clustering_method_: What found them.
        rejection_: How clear a row's cluster is, and which rows belong to none.
        num_clusters_: The `NumClustersEstimate` that C was chosen by; without trials if it was
            given.
        tree_: Ward's tree on the centroids, for `cut_tree`.
        embeddings_: What the clusters were found in, of the rows that were not skipped: h, or its
            relevant components where the recipe asks for some (`clustering_components`).
        model_, tokenizer_: The model, with the clusters stored in it.
        encoder_: The encoder or model that embedded the rows.
        edits_: What a person changed about the clusters (see `edit`).
        dataset_: The rows.
        training_args_: The recipe's arguments.
        doubts_: What makes the result doubtful, one line each, as the warnings said.
        untrained_because_: Why a model that was to be trained was not; `None` otherwise.

    ```python
    from data_scripts import load_relation_dataset
    from modeling_siamure import RelationDiscovery

    corpus = load_relation_dataset("sample")
    discovery = RelationDiscovery().fit(corpus["train"])
    print(discovery.clusters_[0].name, discovery.predict(corpus["validation"]).labels)
    ```
    """

    @deprecated_arguments(model="model_name_or_path", train="finetune", reject="reject_outliers")
    def __init__(
        self,
        num_clusters: int | Literal["auto"] = "auto",
        *,
        model_name_or_path: str | None = None,
        finetune: bool = False,
        recipe: str | Recipe | None = None,
        reject_outliers: bool = True,
        max_unassigned: float = 0.1,
        seed: int = 0,
        work_dir: str | None = None,
        show_progress: bool = False,
        strict: bool = False,
    ):
        self.num_clusters = num_clusters
        self.model_name_or_path = model_name_or_path
        self.finetune = finetune
        self.recipe = recipe
        self.reject_outliers = reject_outliers
        self.max_unassigned = max_unassigned
        self.seed = seed
        self.work_dir = work_dir
        self.show_progress = show_progress
        self.strict = strict

    @bars_as_asked
    def fit(self, dataset: Dataset, y: None = None) -> "RelationDiscovery":
        """Find the clusters of a dataset.

        Args:
            dataset: Rows with a `text` column of marked sentences, as `data_scripts` gives them;
                rows whose text is null are skipped. Or what else `as_dataset` takes: a list of
                dictionaries, a DataFrame.
            y: Ignored.

        Raises:
            ValueError: No row can be used, `strict` refuses them, there are fewer different rows
                than clusters, or an argument of the constructor has a wrong type or value.
        """
        with record_doubts() as recorder:
            self._fit(dataset)
        self.doubts_ = recorder.lines
        return self._begin_editing()

    def _fit(self, dataset: Dataset) -> None:
        number = self.num_clusters
        check_values(self.get_params(deep=False), get_type_hints(type(self).__init__))
        if self.model_name_or_path and self.finetune:
            raise ValueError("model_name_or_path and finetune exclude each other; give one of them")
        dataset = self.dataset_ = as_dataset(dataset)
        recipe = Recipe.of(self.recipe)
        overrides = {"seed": self.seed, "disable_tqdm": not self.show_progress}
        self.training_args_ = recipe.training_arguments("", **overrides)
        set_seed(self.seed)
        if self.model_name_or_path:
            self.model_, self.tokenizer_ = load_model(self.model_name_or_path)
            self.encoder_ = Path(self.model_name_or_path).name
        else:
            self.model_, self.tokenizer_ = recipe.build_model(marked_texts(dataset))
            self.encoder_ = recipe.model_arguments.model_name_or_path
        strict = self.strict or self.training_args_.strict
        asked = None if number == "auto" else number
        rows, positions = tokenize_rows(dataset, self.tokenizer_, asked, strict)
        self.untrained_because_ = None
        folder = Path(self.work_dir) if self.work_dir else None
        if self.finetune:
            with work_folder(self.work_dir) as work:
                self.model_, self.untrained_because_ = finetune(
                    self.model_, self.tokenizer_, rows, number, recipe, work, **overrides
                )
        args = self.training_args_
        relation_embeddings = embed_rows(self.model_, self.tokenizer_, rows, args, folder)
        result = broadcast_from_main(
            analyze,
            relation_embeddings,
            rows["text"],
            type_pairs(rows),
            number,
            args.clustering_method,
            args.kmeans_restarts,
            self.model_.config.context_size,
            self.reject_outliers,
            self.seed,
            self.show_progress,
            num_components=args.clustering_components,
            divides_type_pairs=not self.model_.config.type_weight,
            max_unassigned=self.max_unassigned,
        )
        self.embeddings_ = result.embeddings
        self.num_clusters_ = result.num_clusters
        self.clusters_ = result.descriptions
        self.clustering_method_ = result.clusters.method
        self.rejection_ = result.rejection
        self.tree_ = result.tree
        self.assignment_ = result.assignment.scatter(positions, len(dataset))
        self.labels_ = self.assignment_.labels
        num_found = len(self.clusters_)
        is_trained = self.finetune and not self.untrained_because_
        if not is_trained or num_found != self.model_.config.num_labels:
            self.model_.resize_clusters(num_found)
            if num_found > 1:
                clusters = result.assignment.clusters
                means = means_of(relation_embeddings, clusters, num_found)
                initialize_cluster_head(
                    self.model_.cluster_head, relation_embeddings, Clusters(clusters, means)
                )
        self.model_.set_clusters(
            torch.as_tensor(result.clusters.centroids),
            result.clusters.sizes,
            [cluster.name for cluster in self.clusters_],
            **result.rejection.fields_of_model(),
            cluster_map=result.cluster_map.tensors() if result.cluster_map else None,
        )

    @bars_as_asked
    def predict(self, dataset: Dataset) -> Assignment:
        """Assign rows to the clusters that the model holds; nothing of the fit changes.

        Args:
            dataset: Rows as for `fit`.

        Raises:
            ValueError: No row can be used, or `strict` refuses them.
        """
        dataset = as_dataset(dataset)
        rows, positions = tokenize_rows(dataset, self.tokenizer_, strict=self.strict)
        folder = Path(self.work_dir) if self.work_dir else None
        args = self.training_args_
        embeddings = embed_rows(self.model_, self.tokenizer_, rows, args, folder)
        if cluster_map := LinearMap.of_model(self.model_):
            embeddings = cluster_map.apply(embeddings)
        centroids = self.model_.cluster_centroids.cpu().numpy()
        sizes = self.model_.config.cluster_sizes
        rule = RejectionRule.from_config(self.model_.config)
        if not self.reject_outliers:
            rule = replace(rule, max_distances=None)
        elif rule.max_distances is None:
            logger.warning("this model holds no thresholds, so no row is left unassigned")
        assignment = broadcast_from_main(assign_rows, embeddings, centroids, sizes, rule)
        assert assignment.centroids is not None
        check_domain(assignment.centroids, assignment.distances, self.model_.config, self.strict)
        return assignment.scatter(positions, len(dataset))

    @classmethod
    def from_pretrained(cls, path: str, **options) -> "RelationDiscovery":
        """Load a discovery that assigns rows to the clusters that a model holds.

        `clusters_` and `tree_` are those of the clusters, as after `fit`.

        Args:
            path: Folder or hub name of the model, or the output folder of `siamure discover`.
            options: `recipe`, `reject_outliers`, `work_dir`, `show_progress` and `strict`.

        Raises:
            ValueError: It is no siamure model, or holds no clusters.
        """
        discovery = cls(model_name_or_path=path, **options)
        with library_bars(discovery.show_progress):
            discovery.model_, discovery.tokenizer_ = load_model(path)
        config = discovery.model_.config
        discovery.clusters_ = load_clusters(str(discovery.model_.name_or_path), config)
        centroids = centroids_of_clusters(
            discovery.model_.cluster_centroids.numpy(),
            config.cluster_sizes or [],
            config.centroid_clusters,
            config.centroid_parents,
        )
        context_size = 0 if config.cluster_components else config.context_size
        discovery.tree_ = relation_tree(centroids, context_size)
        recipe = Recipe.of(discovery.recipe)
        overrides = {"disable_tqdm": not discovery.show_progress}
        discovery.training_args_ = recipe.training_arguments("", **overrides)
        return discovery

    @bars_as_asked
    def save_pretrained(self, path: str | Path) -> None:
        """Save model and tokenizer, for `from_pretrained`, the Auto classes and the pipeline."""
        self.model_.save_pretrained(path)
        save_clusters(path, self.clusters_)
        self.tokenizer_.save_pretrained(path)
        flush(path)
