"""Edits of a fitted discovery in Python, and discoveries on disk."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd
import torch

from ..clustering.assignment import UNRELATED, embedded_rows
from ..clustering.relevant_components import LinearMap
from ..training.model_card import facts_of_encoder
from ..utils.terminal import library_bars
from .edits import (
    OUTSIDE,
    Edit,
    FoundClusters,
    apply_edits,
    as_edits,
    column_values,
    read_edits,
)
from .saved import earlier_edits, load_state, save_discovery

if TYPE_CHECKING:
    from .estimator import RelationDiscovery


class EditableClusters:
    """What a person can do with the clusters of a discovery.

    Each method replays all edits on the clusters as they were found (`edits_` holds them), changes
    labels, names, tree and model, embeds nothing, and returns the discovery. What does not fit is a
    `ValueError`, and the discovery stays as it was. Clusters are named by their ids (see
    `modeling_siamure.discovery.edits`).
    """

    edits_: list[Edit]

    def edit(self, edits: str | Path | Iterable[Edit | Mapping[str, Any]]) -> Self:
        """Replace all edits by others.

        Args:
            edits: A file of edits, or a list such as `[{"merge": [3, 5]}]`; an empty list undoes
                all.

        Raises:
            ValueError: An edit can't be read, or does not fit the clusters; names it, counted from
                1.
            OSError: There is no such file.
        """
        discovery = cast("RelationDiscovery", self)
        if not hasattr(self, "found_"):
            raise ValueError(
                "this is no discovery with its sentences: fit one, or take one up again by "
                "RelationDiscovery.load(FOLDER)"
            )
        edits = read_edits(edits) if isinstance(edits, str | Path) else as_edits(edits)
        config = discovery.model_.config
        edited = apply_edits(
            self.found_,
            edits,
            discovery.embeddings_,
            discovery.dataset_,
            embedded_rows(discovery.labels_),
            0 if config.cluster_components else config.context_size,
            discovery.seed,
        )
        self.edits_ = edits
        discovery.clusters_ = edited.descriptions
        discovery.tree_ = edited.tree
        discovery.doubts_ = edited.doubts
        discovery.assignment_ = edited.assignment.scatter(
            embedded_rows(discovery.labels_),
            len(discovery.labels_),
            np.flatnonzero(discovery.labels_ == UNRELATED),
        )
        discovery.labels_ = discovery.assignment_.labels
        cluster_map = LinearMap.of_model(discovery.model_)
        discovery.model_.set_clusters(
            torch.as_tensor(edited.centroids),
            edited.sizes,
            [cluster.name for cluster in edited.descriptions],
            **edited.rule.fields_of_model(),
            cluster_map=cluster_map.tensors() if cluster_map else None,
            ids=[cluster.id for cluster in edited.descriptions] if edits else None,
        )
        head = torch.as_tensor(edited.head)
        with torch.no_grad():
            discovery.model_.cluster_head.weight.copy_(head[:, :-1])
            discovery.model_.cluster_head.bias.copy_(head[:, -1])
        return self

    def merge_clusters(self, clusters: Sequence[int | str]) -> Self:
        """Merge clusters into one, which keeps the id of the first, and its name if one was given.

        Args:
            clusters: Ids, two or more.

        Raises:
            ValueError: There is no such cluster, or one is named twice.
        """
        return self._add({"merge": clusters})

    def split_cluster(
        self, cluster: int | str, into: int | None = None, by: str | None = None
    ) -> Self:
        """Split a cluster; its parts are called ID.1, ID.2, ..., the largest first.

        Args:
            cluster: Its id.
            into: Number of parts, found by k-means.
            by: A column of the rows instead, each of whose values becomes a part. The model does
                not read columns: it answers with the part whose mean is nearest.

        Raises:
            ValueError: There is no such cluster or column, or there are too few different rows.
        """
        options = {"into": into, "by": by}
        given = {name: value for name, value in options.items() if value is not None}
        return self._add({"split": {"cluster": cluster, **given}})

    def set_names(self, names: Mapping[int | str, str]) -> Self:
        """Rename clusters.

        Args:
            names: Ids to names.

        Raises:
            ValueError: There is no such cluster, or two would have the same name.
        """
        renames = [
            {"rename": {"cluster": cluster, "name": name}} for cluster, name in names.items()
        ]
        return self._add(*renames)

    def reject(self, clusters: Sequence[int | str]) -> Self:
        """Mark clusters as no relation: their rows get the label -3.

        Args:
            clusters: Ids.

        Raises:
            ValueError: There is no such cluster, or none would be left.
        """
        return self._add({"reject": clusters})

    def clusters_over(self, column: str) -> pd.DataFrame:
        """Count the rows of each cluster that have each value of a column.

        Args:
            column: A column of the rows, such as a date, an author or a document.

        Returns:
            One line per cluster, in their order, and behind them those of rows outside; one column
            per value, in the order of the values.

        Raises:
            ValueError: There is no such column.
        """
        discovery = cast("RelationDiscovery", self)
        values = column_values(discovery.dataset_, column)
        names = [cluster.name for cluster in discovery.clusters_]
        names += [name for label, name in OUTSIDE.items() if (discovery.labels_ == label).any()]
        of_rows = dict(enumerate(cluster.name for cluster in discovery.clusters_)) | OUTSIDE
        clusters = pd.Series([of_rows[label] for label in discovery.labels_.tolist()], dtype=object)
        table = pd.crosstab(clusters, pd.Series(values))
        table = table.reindex(names, fill_value=0)
        return table.rename_axis(index="cluster", columns=column)

    def save(self, folder: str | Path) -> None:
        """Save the discovery with its sentences, as `siamure discover` does.

        Args:
            folder: A folder that is not there yet.

        Raises:
            FileExistsError: The folder holds something.
        """
        with library_bars(False):
            save_discovery(cast("RelationDiscovery", self), Path(folder))

    @classmethod
    def load(
        cls, folder: str | Path, edits: Iterable[Edit | Mapping[str, Any]] | None = None
    ) -> Self:
        """Take up a discovery again that `siamure discover`, `siamure edit` or `save` has left.

        Args:
            folder: The folder. Sentences and embeddings are read from there when they are needed.
            edits: Edits of the clusters as they were found; by default those in the folder.

        Raises:
            ValueError: The folder holds no discovery, or one that is damaged, or edits do not fit.
            OSError: There is no such folder.
        """
        folder = Path(folder)
        with library_bars(False):
            state = load_state(folder)
        discovery = cls(**state.parameters)
        vars(discovery).update(state.attributes)
        return discovery.edit(earlier_edits(folder) if edits is None else edits)

    def _add(self, *edits: dict[str, Any]) -> Self:
        before = list(getattr(self, "edits_", []))
        number = len(before)
        try:
            return self.edit([*before, *as_edits(edits)])
        except ValueError as error:
            # Of these edits, not of those before.
            raise ValueError(str(error).replace(f"edit {number + 1} ", "", 1)) from None

    def _begin_editing(self) -> Self:
        """Keep the clusters as they were found."""
        discovery = cast("RelationDiscovery", self)
        head = discovery.model_.cluster_head
        weights = torch.cat([head.weight, head.bias[:, None]], dim=1)
        self.found_ = FoundClusters(
            discovery.model_.cluster_centroids.cpu().numpy().copy(),
            list(discovery.model_.config.cluster_sizes or []),
            discovery.rejection_,
            discovery.clusters_,
            weights.detach().cpu().float().numpy().copy(),
            discovery.doubts_,
        )
        self.edits_ = []
        source = discovery.model_name_or_path or discovery.encoder_
        self.encoder_facts_ = facts_of_encoder(source)  # for the card
        self.title_ = "sentences"  # what report and card call them
        self.places_: np.ndarray | None = None
        return self
