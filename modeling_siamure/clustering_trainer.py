"""What a trainer does with embeddings: partition the rows, score the partitions, store and publish them."""

from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import EvalPrediction, Trainer

from .clustering import Clusters, kmeans
from .distributed import on_main
from .evaluation import DIAGNOSED_ROWS, Embeddings, diagnose, embed, gold_labels, type_pairs
from .model_card import write_model_card
from .naming import DescribedCluster, describe_clusters
from .partition import partition
from .training_args import SiamURETrainingArguments


class ClusteringTrainer(Trainer):
    """A [`~transformers.Trainer`] whose evaluation is a clustering, which it also stores in the model."""

    args: SiamURETrainingArguments

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clusters: list[DescribedCluster] = []  # what is stored in the model, since fit_clusters

    @property
    def _show_progress(self) -> bool:
        return self.is_world_process_zero() and not self.args.disable_tqdm

    def embed(self, dataset: Dataset, relation_only: bool = False) -> Embeddings:
        """Runs the model over a tokenized dataset in inference mode; the rows keep their order."""
        return embed(
            self.model,
            dataset,
            self.processing_class,
            self.accelerator,
            batch_size=self.args.per_device_eval_batch_size,
            show_progress=self._show_progress and len(dataset) > DIAGNOSED_ROWS,
            relation_only=relation_only,
        )

    def _partition(self, dataset: Dataset, embeddings: np.ndarray) -> Clusters:
        """The clusters of a dataset; on the main process alone."""
        number, size = self.model.config.num_labels, self.model.config.context_size
        return partition(embeddings, number, self.args, type_pairs(dataset), size, self._show_progress)

    def _kmeans(self, embeddings: np.ndarray) -> Clusters:
        return kmeans(embeddings, self.model.config.num_labels, self.args.seed, self.args.kmeans_restarts)

    def fit_clusters(self) -> Clusters:
        """Stores centroids of the training set's clusters, their sizes and names in the model."""
        embeddings = self.embed(self.train_dataset, relation_only=True).relation
        clusters = on_main(lambda: self._partition(self.train_dataset, embeddings))
        self.clusters = on_main(lambda: describe_clusters(self.train_dataset["text"], embeddings, clusters))
        names = [cluster.name for cluster in self.clusters]
        self.model.set_clusters(clusters.centroids, clusters.sizes, names)
        return clusters

    def evaluate(
        self,
        eval_dataset: Dataset | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Partitions a dataset by its h and by the cluster head, and scores both where gold is known.

        Args:
            eval_dataset: A tokenized dataset; the one of the constructor by default.
            ignore_keys: Unused; part of the base class' signature.
            metric_key_prefix: Stands before each key; the head's keys have `head_` behind it.

        Returns:
            The metrics of `compute_metrics`, and `diagnose` on this dataset. Where `partition` is not k-means, k-means
            is scored too, with `kmeans_` before its keys.
        """
        dataset = self.eval_dataset if eval_dataset is None else eval_dataset
        embeddings = self.embed(dataset)

        def score() -> dict[str, float]:
            partitions = {"": self._partition(dataset, embeddings.relation).labels}
            if self.args.partition != "kmeans":
                partitions["kmeans_"] = self._kmeans(embeddings.relation).labels
            if self.args.clustering_loss == "semantic":
                partitions["head_"] = embeddings.cluster_probabilities.argmax(axis=1)
            scores = diagnose(embeddings)
            for name, clusters in partitions.items():
                scores |= {name + key: value for key, value in self._score(dataset, clusters).items()}
            return scores

        metrics = {f"{metric_key_prefix}_{key}": value for key, value in on_main(score).items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def score_type_pairs(self) -> dict[str, float]:
        """Scores of one cluster per (head type, tail type): what can be had of `eval_dataset` without reading it."""
        pairs = type_pairs(self.eval_dataset)
        if pairs is None:
            pairs = np.zeros(len(self.eval_dataset), dtype=int)
        scores = on_main(lambda: self._score(self.eval_dataset, pairs))
        return {f"type_pair_{key}": value for key, value in scores.items()}

    def _score(self, dataset: Dataset, clusters: np.ndarray) -> dict[str, float]:
        labels = gold_labels(dataset)
        if labels is None or self.compute_metrics is None:
            return {}
        known = np.array([label is not None for label in labels])
        return self.compute_metrics(EvalPrediction(predictions=clusters[known], label_ids=labels[known]))

    def create_model_card(self, model_name: str | None = None, results: dict[str, float] | None = None, **kwargs):
        """Writes the card of the model; called by `push_to_hub`, which hands its arguments on.

        Args:
            model_name: Its title; the name of the output folder by default.
            results: Metrics; those that were logged, by default.
            kwargs: `dataset`, `finetuned_from` and front matter, as of `write_model_card`.
        """
        if self.is_world_process_zero():
            if results is None:
                results = {key: value for entry in self.state.log_history for key, value in entry.items()}
            write_model_card(self, model_name or Path(self.args.output_dir).name, results, **kwargs)
