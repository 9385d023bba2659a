"""A discovery on disk, which can be taken up again without embedding anything."""

import json
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset, load_from_disk
from safetensors.numpy import load_file, save_file

from ..clustering.assignment import RejectionRule, embedded_rows
from ..clustering.num_clusters import NumClustersEstimate, NumClustersTrial
from ..clustering.storage import read_description
from ..recipe import DEFAULT_METRIC, ModelArguments, Recipe
from ..training.model_card import path_on_card
from ..training.training_args import SiamURETrainingArguments
from ..utils.escaping import public_name
from ..utils.files import (
    RUN_FILE,
    atomic_write,
    flush,
    lock_folder,
    publish,
    read_record,
    write_record,
)
from .edits import EDITS_FILE, Edit, FoundClusters, read_edits, write_edits
from .outputs import write_assignments, write_clusters, write_model
from .report import build_report, score_gold
from .rows import load_model

if TYPE_CHECKING:
    from .estimator import RelationDiscovery

FOUND = "discovery"  # the folder of what was found, which edits leave as it is
_RECORD, _EMBEDDINGS, _ARRAYS, _ROWS = "found.json", "embeddings.npy", "found.safetensors", "rows"
_PARAMETERS = (
    "num_clusters",
    "model_name_or_path",
    "finetune",
    "reject_outliers",
    "max_unassigned",
    "min_precision",
    "seed",
    "strict",
)


@dataclass(frozen=True)
class SavedDiscovery:
    """What a folder holds of a discovery.

    Attributes:
        parameters: Of `RelationDiscovery`.
        attributes: What `fit` has left.
    """

    parameters: dict[str, Any]
    attributes: dict[str, Any]


def save_discovery(discovery: "RelationDiscovery", folder: Path) -> None:
    """Save a discovery in a folder that is not there yet; see `RelationDiscovery.save`."""
    has_report = find_spec("plotly") is not None
    with lock_folder(folder), publish(folder) as partial:
        write_discovery(discovery, partial, folder, has_report=has_report)


def write_discovery(
    discovery: "RelationDiscovery",
    folder: Path,
    output: Path,
    run: dict[str, Any] | None = None,
    metric: str = str(DEFAULT_METRIC),
    trust_remote_code: bool = False,
    has_report: bool = True,
    edits: str | None = None,
) -> None:
    """Write all files of a discovery: assignments, clusters, model, report, and what was found.

    Args:
        discovery: After `fit`, edited or not.
        folder: Where.
        output: Where the files will be in the end. What was found is not written again if it is
            in one of the two.
        run: What the result is of, for `compare_run`; not noted by default.
        metric, trust_remote_code: Scores the clusters where gold is known; see `load_metric`.
        has_report: Whether to write the report, for which plotly is needed.
        edits: The text of the file of edits, of which comments stay; by default it is written anew.
    """
    dataset, title = discovery.dataset_, discovery.title_
    scores: dict[str, list[float]] = {}
    clusterings: list[str] = []
    if has_report or "relation" in dataset.column_names:
        scores, clusterings = score_gold(discovery, dataset, metric, trust_remote_code)
    write_model(
        discovery,
        folder / "model",
        output.name,
        title,
        path_on_card(output, "model"),
        scores,
        clusterings,
    )
    if run is not None:
        write_record(folder / "model" / RUN_FILE, {"run": run})
    assignment, clusters = discovery.assignment_, discovery.clusters_
    write_assignments(folder / "assignments.parquet", dataset, assignment, clusters, run or {})
    write_clusters(folder / "clusters.csv", discovery)
    if has_report:
        page = build_report(discovery, dataset, title, scores, clusterings)
        atomic_write(folder / "report.html", page)
    if edits is not None or discovery.edits_:
        atomic_write(folder / EDITS_FILE, write_edits(discovery.edits_) if edits is None else edits)
    if not any((place / FOUND / _RECORD).exists() for place in (output, folder)):
        _write_found(discovery, folder / FOUND)


def _write_found(discovery: "RelationDiscovery", folder: Path) -> None:
    """Write what was found, which is all that edits need."""
    folder.mkdir()
    found = discovery.found_
    discovery.dataset_.save_to_disk(folder / _ROWS)
    np.save(folder / _EMBEDDINGS, np.asarray(discovery.embeddings_, dtype=np.float32))
    arrays = {
        "centroids": found.centroids,
        "head": found.head,
        "labels": np.minimum(discovery.labels_, 0),
    }
    if discovery.places_ is not None:
        arrays["places"] = np.asarray(discovery.places_, dtype=np.float64)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _ARRAYS
    )
    parameters = {name: getattr(discovery, name) for name in _PARAMETERS}
    source = discovery.model_name_or_path
    record = {
        "title": discovery.title_,
        "parameters": parameters | {"model_name_or_path": source and public_name(source)},
        "recipe": _public_values(Recipe.of(discovery.recipe)),
        "encoder": public_name(discovery.encoder_),
        "encoder_facts": discovery.encoder_facts_,
        "clustering_method": discovery.clustering_method_,
        "untrained_because": discovery.untrained_because_,
        "num_clusters": asdict(discovery.num_clusters_),
        "sizes": found.sizes,
        "rule": asdict(found.rule),
        "clusters": [asdict(cluster) for cluster in found.descriptions],
        "doubts": found.doubts,
    }
    write_record(folder / _RECORD, json.loads(json.dumps(record, default=str)))
    flush(folder)


def _public_values(recipe: Recipe) -> dict[str, Any]:
    """Return the keys of a recipe that say how models are made, without folders of this machine."""
    kept = {
        part.name for kind in (ModelArguments, SiamURETrainingArguments) for part in fields(kind)
    }
    kept -= {"output_dir", "logging_dir", "resume_from_checkpoint"}
    values = {name: value for name, value in recipe.values.items() if name in kept}
    if "model_name_or_path" in values:
        values["model_name_or_path"] = public_name(values["model_name_or_path"])
    return values


def load_state(output: Path) -> SavedDiscovery:
    """Read what a folder holds of a discovery.

    Args:
        output: Of `siamure discover`, `siamure edit` or `RelationDiscovery.save`.

    Raises:
        ValueError: It holds none, or one that is damaged.
    """
    if not output.is_dir():
        raise FileNotFoundError(f"{output} does not exist; give the folder of a discovery")
    folder = output / FOUND
    if not folder.is_dir():
        raise ValueError(
            f"{output} holds no discovery that can be edited; siamure discover leaves one, and "
            "those of earlier versions have to be made again"
        )
    try:
        record = read_record(folder / _RECORD)
        arrays = load_file(folder / _ARRAYS)
        embeddings = np.load(folder / _EMBEDDINGS, mmap_mode="r", allow_pickle=False)
        dataset = load_from_disk(folder / _ROWS)
        labels = arrays["labels"]
        num_embedded = len(embedded_rows(labels))
        if len(embeddings) != num_embedded or not isinstance(dataset, Dataset):
            raise ValueError(f"{num_embedded} rows have {len(embeddings)} embeddings")
        if len(labels) != len(dataset):
            raise ValueError(f"there are {len(dataset)} rows for {len(labels)} labels")
    except Exception as error:  # whatever the readers of four formats make of arbitrary bytes
        reason = " ".join(str(error).split()[:30]) or type(error).__name__
        raise ValueError(f"{folder} is damaged ({reason}); make the discovery again") from None
    model, tokenizer = load_model(str(output))
    recipe = Recipe(record["recipe"])
    seed = record["parameters"]["seed"]
    estimate = record["num_clusters"]
    rule = RejectionRule(**record["rule"])
    attributes = {
        "model_": model,
        "tokenizer_": tokenizer,
        "dataset_": dataset,
        "embeddings_": embeddings,
        "labels_": labels,
        "places_": arrays.get("places"),
        "title_": record["title"],
        "rejection_": rule,
        "encoder_": record["encoder"],
        "encoder_facts_": record["encoder_facts"],
        "clustering_method_": record["clustering_method"],
        "untrained_because_": record["untrained_because"],
        "training_args_": recipe.training_arguments("", seed=seed, disable_tqdm=True),
        "num_clusters_": NumClustersEstimate(
            estimate["chosen"],
            [NumClustersTrial(**trial) for trial in estimate["trials"]],
            tuple(estimate["plateau"]),
            estimate["reference"],
        ),
        "found_": FoundClusters(
            arrays["centroids"],
            record["sizes"],
            rule,
            [read_description(cluster) for cluster in record["clusters"]],
            arrays["head"],
            record["doubts"],
        ),
    }
    return SavedDiscovery({**record["parameters"], "recipe": recipe}, attributes)


def earlier_edits(output: Path) -> list[Edit]:
    """Return the edits in the folder of a discovery."""
    path = output / EDITS_FILE
    return read_edits(path) if path.exists() else []
