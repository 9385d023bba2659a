"""The descriptions of clusters in a file beside their model."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

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
    file = cached_file(path, CLUSTERS_FILE, _raise_exceptions_for_missing_entries=False)
    if file is None:
        named_sizes = zip(names, config.cluster_sizes, strict=True)
        return [ClusterDescription(name, size, []) for name, size in named_sizes]
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        clusters = [
            ClusterDescription(
                **entry | {"parts": [ClusterPart(**part) for part in entry.get("parts", ())]}
            )
            for entry in content
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} does not describe clusters ({error}); remove it") from None
    if len(clusters) != len(names):
        raise ValueError(
            f"{file} describes {len(clusters)} clusters, the model has {len(names)}; remove it"
        )
    return [replace(cluster, name=name) for cluster, name in zip(clusters, names, strict=True)]
