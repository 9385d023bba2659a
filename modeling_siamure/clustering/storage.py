"""The descriptions of clusters in a file beside their model."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers.utils import cached_file

from ..configuration_siamure import SiamUREConfig
from ..utils.files import atomic_write
from .descriptions import ClusterDescription, ClusterPart

CLUSTERS_FILE = "clusters.json"


def save_clusters(folder: str | Path, clusters: Sequence[ClusterDescription]) -> None:
    """Write the descriptions of clusters into the folder of their model.

    Args:
        folder: The folder; the file is whole or not there.
        clusters: The descriptions, in the order of the model's clusters.
    """
    content = [asdict(cluster) for cluster in clusters]
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    atomic_write(Path(folder) / CLUSTERS_FILE, text)


def read_description(entry: dict[str, Any]) -> ClusterDescription:
    """Return the description of a cluster that was written as JSON.

    >>> read_description({"name": "leads", "size": 2, "examples": []}).name
    'leads'
    """
    parts = [ClusterPart(**part) for part in entry.get("parts", ())]
    return ClusterDescription(**entry | {"parts": parts})


def load_clusters(path: str, config: SiamUREConfig) -> list[ClusterDescription]:
    """Read the descriptions of a model's clusters.

    Args:
        path: Folder or hub name of the model.
        config: Of the model, whose names count. For models without the file, such as those of
            version 0.1, it gives names and sizes, and there are no words and examples.

    Raises:
        ValueError: The model holds no clusters, or the file is damaged or that of other clusters.
    """
    if not config.cluster_sizes:
        raise ValueError(
            f"{path} holds no clusters; `siamure discover` or a finished training stores them"
        )
    names = [config.id2label[cluster] for cluster in range(config.num_labels)]
    ids = config.cluster_ids or [str(cluster) for cluster in range(config.num_labels)]
    file = cached_file(path, CLUSTERS_FILE, _raise_exceptions_for_missing_entries=False)
    if file is None:
        sizes = sizes_of_clusters(config)
        return [
            ClusterDescription(name, size, [], id=cluster_id)
            for name, size, cluster_id in zip(names, sizes, ids, strict=True)
        ]
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        clusters = [read_description(entry) for entry in content]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} does not describe clusters ({error}); remove it") from None
    if len(clusters) != len(names):
        raise ValueError(
            f"{file} describes {len(clusters)} clusters, the model has {len(names)}; remove it"
        )
    described = zip(clusters, names, ids, strict=True)
    return [replace(cluster, name=name, id=cluster_id) for cluster, name, cluster_id in described]


def sizes_of_clusters(config: SiamUREConfig) -> list[int]:
    """Return the size of each cluster of a model, of which some may have several centroids."""
    sizes = config.cluster_sizes or []
    if config.centroid_clusters is None:
        return sizes
    totals = [0] * config.num_labels
    for centroid, cluster in _ends(config.centroid_clusters, config.centroid_parents):
        totals[cluster] += sizes[centroid]
    return totals


def centroids_of_clusters(
    centroids: np.ndarray,
    sizes: Sequence[int],
    clusters: Sequence[int] | None = None,
    parents: Sequence[int] | None = None,
) -> np.ndarray:
    """Return the mean of each cluster, of which some may have several centroids.

    Args:
        centroids: All that are stored, `(centroids, size)`.
        sizes: Number of rows that each one stands for.
        clusters, parents: `centroid_clusters` and `centroid_parents` of `SiamUREConfig`; by default
            each centroid is a cluster.

    >>> centroids_of_clusters(np.eye(3), [1, 3, 5], clusters=[0, 0, 1]).tolist()
    [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]
    """
    if clusters is None:
        return centroids
    weights = np.zeros((max(clusters) + 1, len(centroids)))
    for centroid, cluster in _ends(clusters, parents):
        weights[cluster, centroid] = max(sizes[centroid], 1)
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights @ centroids).astype(centroids.dtype)


def _ends(clusters: Sequence[int], parents: Sequence[int] | None) -> list[tuple[int, int]]:
    """Return the centroids that have no parts, and their clusters; without rejected ones."""
    whole = set(parents or ())
    pairs = enumerate(clusters)
    return [(part, cluster) for part, cluster in pairs if cluster >= 0 and part not in whole]
