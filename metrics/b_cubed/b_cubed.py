"""B3, V-measure and the adjusted Rand index of a clustering, from one sparse contingency table.

The functions work on their own; `BCubed` makes them a metric of the `evaluate` library.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import datasets
import evaluate
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import entr
from sklearn.metrics import mutual_info_score

_DESCRIPTION = """\
Compares a clustering with the classes of the same items, by three measures in one call: B3 (each
item's cluster against its class), V-measure (information shared by clusters and classes) and the
adjusted Rand index (pairs of items).
"""

_CITATION = """\
@inproceedings{bagga1998algorithms, title = {Algorithms for Scoring Coreference Chains},
  author = {Bagga, Amit and Baldwin, Breck}, booktitle = {LREC Workshop on Linguistic Coreference},
  year = {1998}}
@inproceedings{rosenberg2007v, author = {Rosenberg, Andrew and Hirschberg, Julia}, booktitle =
  {EMNLP-CoNLL}, title = {V-Measure: A Conditional Entropy-Based External Cluster Evaluation
  Measure}, year = {2007}}
@article{hubert1985comparing, title = {Comparing Partitions}, author = {Hubert, Lawrence and Arabie,
  Phipps}, journal = {Journal of Classification}, year = {1985}}
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: the cluster of every item; integers or strings, in a list, numpy array, torch
        tensor or pandas series.
    references: the class of every item; integers or strings, in the same order as `predictions`.
    beta: above 1 favors recall and completeness, below 1 precision and homogeneity. Default 1.0.
    ignore_label: items of this class (for instance "no_relation") are left out. Default None.

Returns:
    A dictionary: `b3_f1`, `b3_precision`, `b3_recall`, `v_measure_f1`, `v_measure_homogeneity`,
    `v_measure_completeness` (0 to 1), `ari` (-0.5 to 1), `n_items`, `n_clusters`, `n_classes`, and
    `n_ignored` when `ignore_label` is given.

Examples:
    >>> metric = evaluate.load("b_cubed")
    >>> scores = metric.compute(predictions=[0, 0, 0, 1], references=["cat", "cat", "dog", "dog"])
    >>> round(scores["b3_precision"], 4), round(scores["b3_recall"], 4), round(scores["ari"], 4)
    (0.6667, 0.75, 0.0)
"""


def check_labels(labels: Any, name: str) -> np.ndarray:
    """Turn the labels of n items into an array, or say what is wrong with them.

    Args:
        labels: n integers or n strings: a list, a numpy or pyarrow array, a torch tensor, a pandas
            series; or a list of 0-d arrays or tensors.
        name: what error messages call them.

    Returns:
        Array of shape [n]: int64, or objects that are strings.

    Raises:
        ValueError: not one-dimensional, empty, a missing value, or anything but all integers or all
            strings.

    Example:
        >>> check_labels([3, 1, 3], "predictions")
        array([3, 1, 3])
        >>> check_labels([], "x")
        Traceback (most recent call last):
        ValueError: x is empty: pass at least one label
    """
    # By type, not isinstance: a masked array has to take the long way, where tolist() gives None
    # for what is masked.
    is_integer_array = (
        type(labels) is np.ndarray
        and labels.dtype.kind in "iu"
        and np.can_cast(labels.dtype, np.int64)
    )
    if is_integer_array and labels.ndim == 1 and labels.size:
        return labels.astype(np.int64, copy=False)
    if hasattr(labels, "to_pylist"):  # of pyarrow
        labels = labels.to_pylist()
    if labels is None:
        raise ValueError(f"{name} is None: pass a list with one label per item")
    if getattr(labels, "ndim", 1) != 1:
        raise ValueError(f"{name} has {labels.ndim} dimensions: flatten it to one label per item")
    if isinstance(labels, (str, bytes, Mapping, AbstractSet)) or not isinstance(labels, Collection):
        raise ValueError(
            f"{name} is of type {type(labels).__name__}: pass a list with one label per item"
        )

    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if not values:
        raise ValueError(f"{name} is empty: pass at least one label")
    types = set(map(type, values))  # two or three, however many items
    if any(hasattr(type_, "ndim") for type_ in types):
        values = [_unpack(label) for label in values]  # such as 0-d tensors
        types = set(map(type, values))
    kinds = {_kind(type_) for type_ in types}
    if kinds == {"string"}:
        return np.array(values, dtype=object)
    if kinds == {"integer"}:
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError:
            raise ValueError(
                f"{name} holds an integer of more than 64 bits: convert the labels with str()"
            ) from None
    missing = (
        (row, label)
        for row, label in enumerate(values)
        if _kind(type(label)) == "other" and pd.api.types.is_scalar(label) and pd.isna(label)
    )
    for row, label in missing:
        raise ValueError(
            f"{name}[{row}] is missing ({label}): give the item a label, or drop it on both sides"
        )
    if kinds == {"string", "integer"}:
        raise ValueError(f"{name} mixes integers and strings: convert all its labels with str()")
    row, label = next(
        (row, label) for row, label in enumerate(values) if _kind(type(label)) == "other"
    )
    found = f"{name}[{row}] is a {type(label).__name__}"
    if isinstance(label, Collection) and not isinstance(label, bytes):
        raise ValueError(f"{found}: flatten {name} to one label per item")
    raise ValueError(
        f"{found}: labels must be integers or strings, convert them with int() or str()"
    )


def _unpack(label: Any) -> Any:
    is_array = hasattr(label, "ndim") and not isinstance(label, np.generic)
    return label.item() if is_array and label.ndim == 0 else label


def _kind(type_: type) -> str:
    if issubclass(type_, str):
        return "string"
    return "integer" if issubclass(type_, (int, np.integer)) and type_ is not bool else "other"


def check_beta(beta: float) -> None:
    """Raise a ValueError unless `beta` is a number above 0."""
    is_number = isinstance(beta, (int, float, np.integer, np.floating)) and not isinstance(
        beta, bool
    )
    if not is_number or not 0 < beta < float("inf"):
        raise ValueError(f"beta is {beta!r}: it must be a number above 0, for instance 1.0")


def contingency_table(
    predictions: Any, references: Any, ignore_label: int | str | None = None
) -> sparse.csr_array:
    """Count the items of every class in every cluster.

    Args:
        predictions: the clusters of n items, as `check_labels` takes them.
        references: the classes of the same n items.
        ignore_label: a class whose items are left out.

    Returns:
        Sparse int64 counts of shape [classes, clusters]; no row or column is empty.

    Raises:
        ValueError: bad labels, lengths that differ, or nothing left.

    Example:
        >>> contingency_table(["x", "x", "y"], [7, 8, 8]).toarray()
        array([[1, 0],
               [1, 1]])
    """
    predictions, references = _check_pair(predictions, references)
    class_of_item, classes = pd.factorize(references)
    cluster_of_item, clusters = pd.factorize(predictions)
    ones = np.ones(len(references), dtype=np.int64)
    shape = (len(classes), len(clusters))
    table = sparse.coo_array(
        (ones, (class_of_item, cluster_of_item)), shape=shape
    ).tocsr()  # adds up equal coordinates
    if ignore_label is None:
        return table

    ignored = check_labels([ignore_label], "ignore_label")
    if ignored.dtype != references.dtype:
        raise ValueError(
            f"ignore_label is of type {type(ignore_label).__name__}, but the labels in references "
            "are of type "
            f"{type(references[0]).__name__}: give it the type of references"
        )
    table = table[classes != ignored[0]]
    if table.shape[0] == 0:
        raise ValueError(
            f"ignore_label {ignore_label!r} drops all {len(references)} items: choose another class"
        )
    return table[:, _cluster_sizes(table) > 0]


def _check_pair(predictions: Any, references: Any) -> tuple[np.ndarray, np.ndarray]:
    predictions = check_labels(predictions, "predictions")
    references = check_labels(references, "references")
    if len(predictions) != len(references):
        raise ValueError(
            f"predictions has {len(predictions)} items but references has {len(references)}: pass "
            "one of each per item"
        )
    return predictions, references


def _class_sizes(table: sparse.csr_array) -> np.ndarray:
    return np.asarray(table.sum(axis=1)).ravel()


def _cluster_sizes(table: sparse.csr_array) -> np.ndarray:
    return np.asarray(table.sum(axis=0)).ravel()


def b_cubed(table: sparse.csr_array) -> tuple[float, float]:
    """Compute B3 precision and recall (Bagga and Baldwin 1998), all items weighing the same.

    An item's precision is the part of its cluster that has its class; its recall is the part of its
    class that is in its cluster.

    Args:
        table: counts of shape [classes, clusters] from `contingency_table`.

    Returns:
        Precision and recall, means over the items, above 0 and at most 1.

    Example:
        >>> b_cubed(contingency_table([0, 0, 1, 1], ["a", "a", "a", "a"]))
        (1.0, 0.5)
    """
    counts = table.tocoo()
    count = counts.data.astype(np.float64)
    precision = np.sum(count * (count / _cluster_sizes(table)[counts.col])) / count.sum()
    recall = np.sum(count * (count / _class_sizes(table)[counts.row])) / count.sum()
    return float(precision), float(recall)


def v_measure(table: sparse.csr_array) -> tuple[float, float]:
    """Compute homogeneity and completeness (Rosenberg and Hirschberg 2007).

    Both are from scikit-learn's mutual information.

    Homogeneity is 1 - H(class | cluster) / H(class), and 1 for a single class; completeness swaps
    the two.

    Args:
        table: counts of shape [classes, clusters] from `contingency_table`.

    Returns:
        Homogeneity and completeness, 0 to 1.

    Example:
        >>> v_measure(contingency_table([0, 0, 0, 0], ["a", "a", "b", "b"]))
        (0.0, 1.0)
    """
    information = mutual_info_score(None, None, contingency=table)
    # min: rounding may carry the ratio past 1 by one unit in the last place.
    homogeneity, completeness = (
        1.0 if len(sizes) == 1 else min(1.0, float(information / entr(sizes / sizes.sum()).sum()))
        for sizes in (_class_sizes(table), _cluster_sizes(table))
    )
    return homogeneity, completeness


def adjusted_rand_index(table: sparse.csr_array) -> float:
    """Compute the adjusted Rand index (Hubert and Arabie 1985): pairs kept together, above chance.

    scikit-learn's own function takes labels alone, would count them a second time, and warns where
    most labels are unique; pair counts as Python integers give its value exactly.

    Args:
        table: counts of shape [classes, clusters] from `contingency_table`.

    Returns:
        1 for equal partitions, 0 on average for random ones, -0.5 at least.

    Example:
        >>> adjusted_rand_index(contingency_table([1, 1, 0, 0], ["a", "a", "b", "b"]))
        1.0
    """

    def pairs(sizes: np.ndarray) -> int:
        return int(np.sum(sizes * (sizes - 1) // 2))

    together = pairs(table.data)
    in_classes = pairs(_class_sizes(table))
    in_clusters = pairs(_cluster_sizes(table))
    total = pairs(table.sum())
    chance = in_classes * in_clusters
    span = (in_classes + in_clusters) * total - 2 * chance
    return (
        2 * (together * total - chance) / span if span else 1.0
    )  # both all single items, or both one cluster


def _weighted_harmonic_mean(first: float, second: float, weight: float) -> float:
    return 1 / (weight / first + (1 - weight) / second) if first and second else 0.0


def clustering_scores(
    predictions: Any, references: Any, beta: float = 1.0, ignore_label: int | str | None = None
) -> dict[str, float | int]:
    """Score a clustering against classes by B3, V-measure and the adjusted Rand index.

    Args:
        predictions: the cluster of every item, n integers or n strings.
        references: the class of every item, n integers or n strings.
        beta: weight of recall and completeness. B3 takes it as F-beta does (van Rijsbergen 1979:
            recall counts beta squared times as much as precision), V-measure as Rosenberg and
            Hirschberg do (completeness beta times).
        ignore_label: a class whose items are left out.

    Returns:
        `b3_f1`, `b3_precision`, `b3_recall`, `v_measure_f1`, `v_measure_homogeneity`,
        `v_measure_completeness`, `ari`, the counts `n_items`, `n_clusters`, `n_classes`, and, with
        `ignore_label`, how many items it dropped: `n_ignored`.

    Raises:
        ValueError: bad labels, lengths that differ, nothing left, or `beta` not above 0; one line
            with the fix.

    Example:
        >>> scores = clustering_scores([0, 0, 1, 1, 1], ["a", "a", "b", "b", "c"], ignore_label="c")
        >>> scores["b3_f1"], scores["n_items"], scores["n_ignored"]
        (1.0, 4, 1)
    """
    check_beta(beta)
    beta = float(beta)
    table = contingency_table(predictions, references, ignore_label)
    precision, recall = b_cubed(table)
    homogeneity, completeness = v_measure(table)
    n_classes, n_clusters = table.shape
    scores = {
        "b3_f1": _weighted_harmonic_mean(precision, recall, 1 / (1 + beta * beta)),
        "b3_precision": precision,
        "b3_recall": recall,
        "v_measure_f1": _weighted_harmonic_mean(homogeneity, completeness, 1 / (1 + beta)),
        "v_measure_homogeneity": homogeneity,
        "v_measure_completeness": completeness,
        "ari": adjusted_rand_index(table),
        "n_items": int(table.sum()),
        "n_clusters": n_clusters,
        "n_classes": n_classes,
    }
    if ignore_label is not None:
        scores["n_ignored"] = len(references) - scores["n_items"]
    return scores


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class BCubed(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        # Strings first: `evaluate` takes the first alternative that fits, and int("01") fits an
        # integer column.
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=[
                datasets.Features(
                    {"predictions": datasets.Value(cluster), "references": datasets.Value(class_)}
                )
                for cluster in ("string", "int64")
                for class_ in ("string", "int64")
            ],
            reference_urls=[
                "https://aclanthology.org/D07-1043/",
                "https://doi.org/10.1007/BF01908075",
            ],
        )

    # The overrides check what `evaluate` would otherwise truncate (floats), convert ("3" after
    # integers) or trip over
    # (a pandas index, empty batches), before anything is stored.

    def add(self, *, prediction=None, reference=None):
        """Add one item: its cluster and its class."""
        predictions, references = self._check_batch([prediction], [reference])
        super().add(prediction=predictions[0], reference=references[0])

    def add_batch(self, *, predictions=None, references=None):
        """Add items: their clusters and their classes."""
        predictions, references = self._check_batch(predictions, references)
        super().add_batch(predictions=predictions, references=references)

    def compute(self, *, predictions=None, references=None, beta=1.0, ignore_label=None):
        """Score the items given here and those added before; see the arguments below."""
        check_beta(beta)
        if predictions is None and references is None and self.writer is None:
            raise ValueError(
                "predictions and references are empty: pass them here, or call add "
                "or add_batch before"
            )
        try:
            return super().compute(
                predictions=predictions, references=references, beta=beta, ignore_label=ignore_label
            )
        finally:
            # After an error the base class would keep its cache file locked, and the next call
            # would wait for it.
            for lock in self.filelocks or ():
                lock.release()

    def _check_batch(self, predictions, references):
        batch = dict(
            zip(("predictions", "references"), _check_pair(predictions, references), strict=True)
        )
        for name, labels in batch.items():
            dtype = "int64" if labels.dtype == np.int64 else "string"
            if self.writer is not None and dtype != self.selected_feature_format[name].dtype:
                raise ValueError(
                    f"{name} mixes integers and strings over its batches: convert all with str()"
                )
        return [labels.tolist() for labels in batch.values()]

    def _compute(self, predictions, references, beta, ignore_label):
        return clustering_scores(predictions, references, beta=beta, ignore_label=ignore_label)
