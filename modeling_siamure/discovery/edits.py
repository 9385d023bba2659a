"""What a person changes about the clusters of a discovery, and what comes of it.

Edits are a list, from the first to the last, in Python and in YAML alike:

```yaml
- merge: [3, 5]                       # the merged cluster keeps the first id
- split: {cluster: 4, into: 2}        # its parts are 4.1 and 4.2, the largest first
- split: {cluster: 4.1, by: year}     # one part per value of a column
- rename: {cluster: 3, name: founded}
- reject: [7]                         # its sentences state no relation
- direction: [2]                      # its relation leads from the tail to the head
- note: {cluster: 2, text: ask Ada}
```

A cluster is named by its id: its number in the discovery as it was found, whatever has been edited
since. The same edits of the same discovery always have the same result.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import yaml
from datasets import Dataset

from ..clustering import Clusters, kmeans, means_of
from ..clustering.assignment import SKIPPED, UNRELATED, Assignment, RejectionRule, assign_rows
from ..clustering.descriptions import ClusterDescription, describe_clusters
from ..clustering.hierarchy import relation_tree
from ..clustering.partitions import fill_empty_clusters
from ..clustering.storage import centroids_of_clusters
from ..configuration_siamure import NO_RELATION, UNASSIGNED
from ..markers import MARKER
from ..modeling_siamure import find_parts
from ..utils.contract import nearest_name

EDITS_FILE = "edits.yaml"
OUTSIDE = {
    UNASSIGNED: "unassigned",
    SKIPPED: "skipped",
    NO_RELATION: "no relation",
    UNRELATED: "left out as unrelated",
}
_KEYS = {"split": ("cluster", "into", "by"), "rename": ("cluster", "name")}
_KEYS["note"] = ("cluster", "text")
_LISTS = ("merge", "reject", "direction")


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        kind: `"merge"`, `"split"`, `"rename"`, `"reject"`, `"direction"` or `"note"`.
        ids: The clusters that it changes.
        into: Number of parts of a split.
        by: Column whose values are the parts of a split, instead.
        text: The new name, or the note.
    """

    kind: str
    ids: tuple[str, ...]
    into: int | None = None
    by: str | None = None
    text: str | None = None

    @classmethod
    def from_dict(cls, content: Any) -> "Edit":
        """Return an edit as the list of edits holds it.

        Args:
            content: A dictionary with one key, the kind.

        Raises:
            ValueError: It is no edit; says what is wrong with it.

        >>> Edit.from_dict({"merge": [3, "5"]})
        Edit(kind='merge', ids=('3', '5'), into=None, by=None, text=None)
        """
        kinds = (*_LISTS, *_KEYS)
        if not isinstance(content, Mapping) or len(content) != 1:
            raise ValueError(f"it is not one of {', '.join(kinds)}, such as 'merge: [3, 5]'")
        ((kind, value),) = content.items()
        if kind not in kinds:
            known = f"; edits are {', '.join(kinds)}"
            raise ValueError(f"{kind!r} is no edit{nearest_name(str(kind), kinds)}{known}")
        if kind in _LISTS:
            if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
                raise ValueError(f"{kind} takes a list of clusters, such as '{kind}: [3, 5]'")
            return cls(kind, tuple(_read_id(part) for part in value))._check()
        keys = _KEYS[kind]
        if not isinstance(value, Mapping):
            raise ValueError(f"{kind} takes {' and '.join(keys[:2])}, as '{_example(kind)}'")
        if unknown := [key for key in value if key not in keys]:
            raise ValueError(
                f"{kind} takes {', '.join(keys)}, not {unknown[0]!r}"
                f"{nearest_name(str(unknown[0]), keys)}"
            )
        if value.get("cluster") is None:
            raise ValueError(f"{kind} names no cluster; write '{_example(kind)}'")
        ids = (_read_id(value["cluster"]),)
        text = value.get("name" if kind == "rename" else "text")
        return cls(kind, ids, _read_number(value.get("into")), value.get("by"), text)._check()

    def _check(self) -> "Edit":
        if not self.ids:
            raise ValueError(f"{self.kind} names no cluster")
        twice = [cluster for cluster in self.ids if self.ids.count(cluster) > 1]
        if twice and self.kind == "merge":
            raise ValueError(f"cluster {twice[0]} is merged with itself; name each cluster once")
        if twice:
            raise ValueError(f"{self.kind} names cluster {twice[0]} twice; name it once")
        if self.kind == "merge" and len(self.ids) < 2:
            raise ValueError(f"cluster {self.ids[0]} is merged with nothing; name two or more")
        if self.kind == "split" and (self.into is None) == (self.by is None):
            raise ValueError(f"split takes into or by: '{_example('split')}'")
        if self.into is not None and self.into < 2:
            raise ValueError(f"into is {self.into}; a cluster is split into 2 parts or more")
        if self.kind in ("rename", "note") and not (
            isinstance(self.text, str) and self.text.strip()
        ):
            raise ValueError(f"{self.kind} takes a text; write '{_example(self.kind)}'")
        if self.kind == "rename" and self.text in OUTSIDE.values():
            raise ValueError(f"no cluster can be called {self.text!r}; give another name")
        text = None if self.text is None else " ".join(self.text.split())
        return replace(self, text=text)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads.

        >>> Edit("rename", ("3",), text="founded").to_dict()
        {'rename': {'cluster': '3', 'name': 'founded'}}
        """
        if self.kind in _LISTS:
            return {self.kind: list(self.ids)}
        text = "name" if self.kind == "rename" else "text"
        values = {"cluster": self.ids[0], "into": self.into, "by": self.by, text: self.text}
        return {self.kind: {key: value for key, value in values.items() if value is not None}}


def _example(kind: str) -> str:
    values = {"split": "into: 2", "rename": "name: founded", "note": "text: ask Ada"}
    return f"{kind}: {{cluster: 3, {values[kind]}}}"


def _read_id(value: Any) -> str:
    if isinstance(value, bool | float) or not isinstance(value, str | int | np.integer):
        raise ValueError(f"{value!r} names no cluster; give its id, in Python '3.1' in quotes")
    return str(value).strip()


def _read_number(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    raise ValueError(f"into is {value!r}; give a whole number of parts, 2 or more")


# --------------------------------------------------------------------------------------------------
# Files


class _TextLoader(yaml.BaseLoader):
    """YAML whose values are text as it was written: 3.10 is no number, and no is not false."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        if doubled := [key for key in keys if keys.count(key) > 1]:
            raise yaml.YAMLError(f"it gives {doubled[0]!r} twice; keep one of them")
        return super().construct_mapping(node, deep)


def read_edits(path: str | Path) -> list[Edit]:
    """Read a file of edits.

    Args:
        path: YAML with a list of edits; an empty file holds none.

    Raises:
        ValueError: It is no such file, or an edit can't be read; names the file and the edit,
            counted from 1.
        OSError: There is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; give a file of edits")
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _TextLoader)
    except RecursionError:
        raise ValueError(f"{path} can't be read as edits: it is nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} can't be read as edits: {reason}") from None
    if content in (None, ""):
        return []
    if not isinstance(content, list):
        raise ValueError(f"{path} holds no list of edits; begin each line with '- ', as '- merge:'")
    try:
        return as_edits(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_edits(edits: Sequence[Edit]) -> str:
    """Return the text of a file of edits.

    >>> print(write_edits([Edit("merge", ("3", "5")), Edit("note", ("3",), text="ask: Ada")]))
    - merge: ['3', '5']
    - note: {cluster: '3', text: 'ask: Ada'}
    <BLANKLINE>
    """
    lines = [
        yaml.safe_dump(
            edit.to_dict(),
            allow_unicode=True,
            default_flow_style=None,
            sort_keys=False,
            width=float("inf"),
        )
        for edit in edits
    ]
    return "".join(f"- {line}" for line in lines)


def as_edits(edits: Iterable[Any]) -> list[Edit]:
    """Return edits, given as such or as dictionaries.

    Raises:
        ValueError: One can't be read; names it, counted from 1.

    >>> as_edits([{"reject": [7]}])[0].ids
    ('7',)
    """
    result = []
    for number, edit in enumerate(edits, 1):
        try:
            result.append(edit if isinstance(edit, Edit) else Edit.from_dict(edit))
        except ValueError as error:
            raise ValueError(f"edit {number}: {error}") from None
    return result


# --------------------------------------------------------------------------------------------------
# Clusters


@dataclass(frozen=True)
class FoundClusters:
    """The clusters of a discovery as it found them.

    Attributes:
        centroids: `(clusters, size)`.
        sizes: Number of rows nearest to each.
        rule: How clear a row's cluster is, and which rows belong to none.
        descriptions: Name, words and examples of each.
        head: Weight and bias of the cluster head, `(clusters, relation_embedding_size + 1)`.
        doubts: What makes the discovery doubtful.
    """

    centroids: np.ndarray
    sizes: list[int]
    rule: RejectionRule
    descriptions: list[ClusterDescription]
    head: np.ndarray
    doubts: list[str]


@dataclass(frozen=True)
class EditedClusters:
    """The clusters that edits make of those that were found.

    Attributes:
        assignment: Where each row belongs.
        descriptions: Id, name, words and examples of each cluster, the largest first.
        tree: Ward's tree on their means.
        centroids: Those that were found, and behind them the parts, `(centroids, size)`.
        sizes: Number of rows nearest to each of these.
        rule: What the model needs to assign rows alike.
        head: Weight and bias of the cluster head, `(clusters, relation_embedding_size + 1)`.
        doubts: What makes the result doubtful.
    """

    assignment: Assignment
    descriptions: list[ClusterDescription]
    tree: np.ndarray
    centroids: np.ndarray
    sizes: list[int]
    rule: RejectionRule
    head: np.ndarray
    doubts: list[str]


def apply_edits(
    found: FoundClusters,
    edits: Sequence[Edit],
    embeddings: np.ndarray,
    dataset: Dataset,
    positions: np.ndarray,
    context_size: int = 0,
    seed: int = 0,
    max_parts: int = 100,
) -> EditedClusters:
    """Edit the clusters of a discovery; nothing is embedded again.

    Rows of clusters that no edit names stay as they were. Where a row stands between two clusters
    that are merged, it is no longer unassigned for that.

    Args:
        found: The clusters as they were found.
        edits: The edits, from the first to the last.
        embeddings: What the clusters were found in, `(rows, size)`.
        dataset: All rows of the discovery.
        positions: Where the rows of the embeddings stand in it, `(rows,)`.
        context_size: See `relation_tree`.
        seed: Fixes the splits.
        max_parts: Largest number of values that a column may have to split by it.

    Raises:
        ValueError: An edit does not fit the clusters; names it, counted from 1.
    """
    state = _Editing(found, embeddings, dataset, positions, seed, max_parts)
    for number, edit in enumerate(edits, 1):
        try:
            getattr(state, edit.kind)(edit)
        except ValueError as error:
            shown = f"{edit.kind} {', '.join(edit.ids)}"
            raise ValueError(f"edit {number} ({shown}): {error}") from None
    return state.result(context_size)


@dataclass
class _Cluster:
    """A cluster while it is edited: its centroids that have no parts, and what a person said."""

    centroids: list[int]
    name: str | None = None
    note: str = ""
    value: str | None = None  # of the column that it was split by
    is_found: bool = True  # neither merged nor split, nor was its direction changed


class _Editing:
    """The clusters between two edits; the methods are the kinds of edits.

    `at` is the centroid of each row, one without parts: the nearest one, or that of the value of
    its column.
    """

    def __init__(
        self,
        found: FoundClusters,
        embeddings: np.ndarray,
        dataset: Dataset,
        positions: np.ndarray,
        seed: int,
        max_parts: int,
    ):
        self.found = found
        self.embeddings = embeddings
        self.dataset = dataset
        self.positions = positions
        self.seed = seed
        self.max_parts = max_parts
        num_found = len(found.centroids)
        self.clusters = {str(cluster): _Cluster([cluster]) for cluster in range(num_found)}
        self.gone: dict[str, str] = {}  # what became of a cluster that is no longer there
        self.columns: list[str] = []  # that clusters were split by
        self.centroids = list(found.centroids)
        self.parents = [-1] * num_found
        self.is_reversed = [False] * num_found
        self.groups = found.rule.groups
        self.base = assign_rows(embeddings, found.centroids, found.sizes, found.rule)
        assert self.base.centroids is not None
        self.at = self.base.centroids.copy()

    # ----------------------------------------------------------------------------------------------
    # The kinds of edits

    def merge(self, edit: Edit) -> None:
        parts = [self._cluster(cluster) for cluster in edit.ids]
        names = [part.name for part in parts if part.name]
        notes = [part.note for part in parts if part.note]
        centroids = [centroid for part in parts for centroid in part.centroids]
        merged = _Cluster(centroids, next(iter(names), None), "; ".join(notes), is_found=False)
        self.clusters[edit.ids[0]] = merged
        for cluster in edit.ids[1:]:
            del self.clusters[cluster]
            self.gone[cluster] = f"was merged into {edit.ids[0]}"

    def split(self, edit: Edit) -> None:
        (name,) = edit.ids
        cluster = self._cluster(name)
        is_of_cluster = np.isin(self.at, cluster.centroids)
        labels = self._base_of_merged().labels
        rows = np.flatnonzero(is_of_cluster & (labels != UNASSIGNED))
        if edit.by is None:
            assert edit.into is not None
            values: list[str | None] = [None] * edit.into
            means, parts = self._divide(name, rows, edit.into)
        else:
            values, parts = self._divide_by(name, rows, edit.by)
            means = means_of(self.embeddings[rows], parts, len(values))
        made = [_Cluster([], None, cluster.note, value, is_found=False) for value in values]
        whole = cluster.name
        if whole is None and cluster.is_found:
            whole = self.found.descriptions[int(name)].name
        if whole is not None:
            for part, value in zip(made, values, strict=True):
                part.name = None if value is None else f"{whole} · {value}"
        first_part = np.full(len(self.centroids), -1)
        for centroid in cluster.centroids:
            first_part[centroid] = len(self.centroids)
            for part, mean in zip(made, means, strict=True):
                part.centroids.append(len(self.centroids))
                self.centroids.append(mean)
                self.parents.append(centroid)
                self.is_reversed.append(self.is_reversed[centroid])
        nearest = np.flatnonzero(is_of_cluster)
        part_of_row = np.zeros(len(self.at), dtype=int)
        part_of_row[nearest] = _nearest_part(self.embeddings[nearest], means)
        if edit.by is not None:
            part_of_row[rows] = parts
            self.columns.append(edit.by)
        self.at[nearest] = first_part[self.at[nearest]] + part_of_row[nearest]
        self._replace(name, {f"{name}.{number}": part for number, part in enumerate(made, 1)})

    def rename(self, edit: Edit) -> None:
        self._cluster(edit.ids[0]).name = edit.text

    def note(self, edit: Edit) -> None:
        self._cluster(edit.ids[0]).note = edit.text or ""

    def reject(self, edit: Edit) -> None:
        for cluster in edit.ids:
            self._cluster(cluster)
        if len(edit.ids) == len(self.clusters):
            raise ValueError("no cluster would be left; keep one")
        for cluster in edit.ids:
            del self.clusters[cluster]
            self.gone[cluster] = "was rejected"

    def direction(self, edit: Edit) -> None:
        for name in edit.ids:
            cluster = self._cluster(name)
            cluster.is_found = False
            for centroid in cluster.centroids:
                self.is_reversed[centroid] = not self.is_reversed[centroid]

    def _cluster(self, name: str) -> _Cluster:
        if name in self.clusters:
            return self.clusters[name]
        if name in self.gone:
            raise ValueError(f"cluster {name} {self.gone[name]} before; name one that is there")
        shown = ", ".join(list(self.clusters)[:30])
        more = ", ..." if len(self.clusters) > 30 else ""
        raise ValueError(f"there is no cluster {name}; there are {shown}{more}")

    def _replace(self, name: str, parts: dict[str, _Cluster]) -> None:
        """Put the parts of a cluster in its place."""
        clusters: dict[str, _Cluster] = {}
        for other, cluster in self.clusters.items():
            clusters |= parts if other == name else {other: cluster}
        self.clusters = clusters
        self.gone[name] = f"was split into {', '.join(list(parts)[:3])}"

    def _divide(self, name: str, rows: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of the parts of a cluster, the largest first, and each row's part."""
        embeddings = self.embeddings[rows]
        num_different = len(np.unique(embeddings, axis=0))
        if num_different < number:
            raise ValueError(
                f"cluster {name} has {num_different} different sentences, too few for {number} "
                "parts; ask for fewer"
            )
        parts = fill_empty_clusters(embeddings, kmeans(embeddings, number, self.seed))
        order = np.argsort(-np.array(parts.sizes), kind="stable")
        return parts.centroids[order].astype(np.float32), np.argsort(order)[parts.labels]

    def _divide_by(
        self, name: str, rows: np.ndarray, column: str
    ) -> tuple[list[str | None], np.ndarray]:
        """Return the values of a column in a cluster, the frequent first, and each row's part."""
        if column == "relation":
            raise ValueError(
                "column relation holds gold labels, which only score; give the column another name "
                "to use it"
            )
        cells = column_values(self.dataset, column)[self.positions[rows]]
        values, parts, counts = np.unique(cells, return_inverse=True, return_counts=True)
        if len(values) < 2:
            raise ValueError(f"column {column} has one value in cluster {name}, so nothing to part")
        if len(values) > self.max_parts:
            raise ValueError(
                f"column {column} has {len(values)} values in cluster {name}; split by one with "
                f"{self.max_parts} or fewer"
            )
        order = np.argsort(-counts, kind="stable")
        return values[order].tolist(), np.argsort(order)[parts]

    # ----------------------------------------------------------------------------------------------
    # What comes of them

    def _base_of_merged(self) -> Assignment:
        """Return the nearest found centroids; those that are one cluster now are no rivals."""
        groups = self._groups()
        if groups != self.groups:
            rule = replace(self.found.rule, groups=groups)
            self.groups = groups
            self.base = assign_rows(self.embeddings, self.found.centroids, self.found.sizes, rule)
        return self.base

    def _groups(self) -> list[int] | None:
        """Return the groups of siblings, joined where all of two centroids is one cluster."""
        groups = self.found.rule.groups or list(range(len(self.found.centroids)))
        merged: dict[int, set[int]] = {}
        for cluster in self.clusters.values():
            roots = {self._root(centroid) for centroid in cluster.centroids}
            whole = [root for root in roots if set(self._ends(root)) <= set(cluster.centroids)]
            if len(whole) > 1:
                merged[min(whole)] = set(whole)
        for roots in merged.values():
            joined = {groups[root] for root in roots}
            groups = [min(joined) if group in joined else group for group in groups]
        if not merged:
            return self.found.rule.groups
        return np.unique(groups, return_inverse=True)[1].tolist()

    def _root(self, centroid: int) -> int:
        while self.parents[centroid] >= 0:
            centroid = self.parents[centroid]
        return centroid

    def _ends(self, centroid: int) -> list[int]:
        """Return the centroids without parts that a centroid leads to."""
        parts = [part for part, parent in enumerate(self.parents) if parent == centroid]
        return [end for part in parts for end in self._ends(part)] or [centroid]

    def result(self, context_size: int) -> EditedClusters:
        """Return the clusters as the edits left them."""
        base = self._base_of_merged()
        centroids = np.stack(self.centroids).astype(np.float32)
        sizes = np.bincount(self.at, minlength=len(centroids))
        for part in reversed(range(len(centroids))):
            if self.parents[part] >= 0:
                sizes[self.parents[part]] += sizes[part]
        ids = list(self.clusters)
        is_edited = ids != [str(number) for number in range(len(self.found.centroids))] or any(
            not cluster.is_found for cluster in self.clusters.values()
        )
        if is_edited:
            counts = {name: sizes[self.clusters[name].centroids].sum() for name in ids}
            ids.sort(key=lambda name: -counts[name])
        cluster_of = np.full(len(centroids), NO_RELATION)
        for number, name in enumerate(ids):
            cluster_of[self.clusters[name].centroids] = number
        labels = np.where(base.labels == UNASSIGNED, UNASSIGNED, cluster_of[self.at])
        rule = replace(self.found.rule, groups=self.groups)
        if is_edited:
            rule = replace(
                rule,
                parents=self.parents,
                clusters=cluster_of.tolist(),
                is_reversed=self.is_reversed if any(self.is_reversed) else None,
            )
        is_reversed = np.array(self.is_reversed)[self.at]
        assignment = replace(
            base, labels=labels, clusters=cluster_of[self.at], is_reversed=is_reversed
        )
        means = centroids_of_clusters(centroids, sizes.tolist(), rule.clusters, rule.parents)
        return EditedClusters(
            assignment,
            self._describe(ids, assignment, means),
            relation_tree(means, context_size),
            centroids,
            sizes.tolist(),
            rule,
            self._head(cluster_of, sizes, len(ids)),
            [*self.found.doubts, *self._doubts(centroids, sizes.tolist(), rule, labels)],
        )

    def _describe(
        self, ids: list[str], assignment: Assignment, means: np.ndarray
    ) -> list[ClusterDescription]:
        """Describe the clusters; those that are as they were found keep their descriptions."""
        clusters = [self.clusters[name] for name in ids]
        found = {str(number): cluster for number, cluster in enumerate(self.found.descriptions)}
        described: list[ClusterDescription] = []
        if any(not cluster.is_found for cluster in clusters):
            is_reversed = np.array(self.is_reversed)[self.at]
            texts = _Texts(self.dataset, self.positions, is_reversed)
            partition = Clusters(assignment.labels, means)
            described = describe_clusters(texts, self.embeddings, partition, assignment.margins)
        result = []
        for number, (name, cluster) in enumerate(zip(ids, clusters, strict=True)):
            description = found[name] if cluster.is_found else described[number]
            automatic = description.name
            if cluster.value is not None:
                automatic = f"{automatic} · {cluster.value}"
            called = cluster.name or automatic
            result.append(replace(description, id=name, name=called, note=cluster.note))
        return _make_unique(
            result, [bool(cluster.name) or cluster.is_found for cluster in clusters]
        )

    def _head(self, cluster_of: np.ndarray, sizes: np.ndarray, num_clusters: int) -> np.ndarray:
        """Return the cluster head: the mean of the heads of what a cluster was made of."""
        weights = np.zeros((num_clusters, len(self.found.head)))
        whole = set(self.parents)
        for centroid, cluster in enumerate(cluster_of.tolist()):
            if cluster >= 0 and centroid not in whole:
                weights[cluster, self._root(centroid)] += max(int(sizes[centroid]), 1)
        weights /= weights.sum(axis=1, keepdims=True)
        return (weights @ self.found.head).astype(np.float32)

    def _doubts(
        self, centroids: np.ndarray, sizes: list[int], rule: RejectionRule, labels: np.ndarray
    ) -> list[str]:
        """Return where the model, which does not read columns, answers otherwise than the rows."""
        if not self.columns:
            return []
        answers = assign_rows(self.embeddings, centroids, sizes, rule).labels
        num_others = int((answers != labels).sum())
        columns = ", ".join(dict.fromkeys(self.columns))
        return [
            f"clusters were split by {columns}, which the model does not read: it assigns "
            f"{num_others} of {len(labels)} sentences to another part than the column says"
        ]


class _Texts(Sequence):
    """The marked sentences of some rows, with head and tail swapped where a person said so."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, is_reversed: np.ndarray):
        texts = dataset["text"][:]
        self._texts = [texts[position] for position in positions.tolist()]
        for row in [] if is_reversed is None else np.flatnonzero(is_reversed):
            self._texts[row] = swap_mentions(self._texts[row])

    def __getitem__(self, row):
        return self._texts[row]

    def __len__(self) -> int:
        return len(self._texts)


def swap_mentions(text: str) -> str:
    """Return a marked sentence whose head is the tail, and whose tail is the head.

    >>> swap_mentions("<e2:ORG> Acme </e2:ORG> was founded by <e1> Ada </e1>")
    '<e1:ORG> Acme </e1:ORG> was founded by <e2> Ada </e2>'
    """
    other = {"1": "2", "2": "1"}
    return MARKER.sub(
        lambda marker: marker[0].replace(marker["entity"], other[marker["entity"]], 1), text
    )


def _nearest_part(embeddings: np.ndarray, means: np.ndarray, block_size: int = 16384) -> np.ndarray:
    """Return the nearest of some parts of each row, `(rows,)`, as the model finds it."""
    centroids = torch.as_tensor(np.concatenate([means[:1], means]), dtype=torch.float32)
    parents = [-1, *[0] * len(means)]
    found = []
    for start in range(0, len(embeddings), block_size):
        rows = torch.as_tensor(embeddings[start : start + block_size], dtype=torch.float32)
        parts = find_parts(rows, centroids, torch.zeros(len(rows), dtype=torch.long), parents)
        found.append(parts.numpy() - 1)
    return np.concatenate(found) if found else np.empty(0, dtype=int)


def _make_unique(
    descriptions: list[ClusterDescription], is_kept: list[bool]
) -> list[ClusterDescription]:
    """Add a number to new names that another cluster has; refuse a given name that is taken."""
    owners: dict[str, str] = {}
    for description, kept in zip(descriptions, is_kept, strict=True):
        if kept and description.name in owners:
            _refuse_name(owners[description.name], description)
        if kept:
            owners[description.name] = description.id
    result = []
    for description, kept in zip(descriptions, is_kept, strict=True):
        if not kept:
            numbered = (f"{description.name} ({number})" for number in count(2))
            names = chain([description.name], numbered)
            name = next(name for name in names if name not in owners)
            owners[name] = description.id
            description = replace(description, name=name)
        result.append(description)
    return result


def _refuse_name(owner: str, description: ClusterDescription) -> NoReturn:
    raise ValueError(
        f"clusters {owner} and {description.id} would both be called {description.name!r}; rename "
        f"one of them otherwise, or write 'merge: [{owner}, {description.id}]'"
    )


def column_values(dataset: Dataset, column: str) -> np.ndarray:
    """Return the values of a column as text, `(rows,)`; "none" where there is none.

    Raises:
        ValueError: There is no such column.

    >>> column_values(Dataset.from_dict({"year": [1990, None]}), "year").tolist()
    ['1990', 'none']
    """
    if column not in dataset.column_names:
        names = dataset.column_names
        known = f"; the columns are {', '.join(names)}"
        raise ValueError(f"there is no column {column!r}{nearest_name(column, names)}{known}")
    values = dataset[column][:]
    return np.array(["none" if value is None else str(value) for value in values], dtype=object)
