"""The report of a discovery: one HTML file that needs no network."""

import re
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from datasets import Dataset
from jinja2 import Environment
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import normalize

from ..clustering.assignment import UNRELATED, embedded_rows
from ..configuration_siamure import NO_RELATION, UNASSIGNED
from ..markers import MARKER
from ..recipe import load_metric
from ..training.model_card import SCORES
from ..utils.escaping import as_json, public_name
from .edits import OUTSIDE

if TYPE_CHECKING:
    from .estimator import RelationDiscovery

PIECES = re.compile(
    rf"{MARKER.pattern}|(?:(?!{re.sub(r'[?]P<[a-z]+>', '?:', MARKER.pattern)}).)+", re.DOTALL
)
_PAGE = files(__package__) / "report_page"


def build_report(
    discovery: "RelationDiscovery",
    dataset: Dataset,
    title: str,
    scores: dict[str, list[float]] | None = None,
    clusterings: list[str] | None = None,
) -> str:
    """Return the page, as text.

    Args:
        discovery: After `fit` on the dataset.
        dataset: The rows. Gold relations, where there are some, are compared with the clusters.
        title: What the page is called, such as the file's name.
        scores: A metric's name to its value for each of some clusterings.
        clusterings: What they are called.

    Raises:
        ImportError: Plotly is not installed.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True)
    return environment.from_string((_PAGE / "page.html").read_text(encoding="utf-8")).render(
        title=title,
        summary=summarize(discovery),
        doubts=discovery.doubts_,
        data=as_json(_content(discovery, dataset, scores or {}, clusterings or [])),
        plotly=get_plotlyjs(),
        style=(_PAGE / "style.css").read_text(encoding="utf-8"),
        script=(_PAGE / "script.js").read_text(encoding="utf-8"),
        edits_style=(_PAGE / "edits.css").read_text(encoding="utf-8"),
        edits_script=(_PAGE / "edits.js").read_text(encoding="utf-8"),
    )


def summarize(discovery: "RelationDiscovery") -> str:
    """Return what was found, and how, in a few words."""
    labels = discovery.labels_
    parts = [f"{len(labels):,} sentences in {len(discovery.clusters_)} clusters"]
    for label, name in OUTSIDE.items():
        if count := int((labels == label).sum()):
            parts.append(f"{count:,} {name}")
    sentences = [_how_embedded(discovery), _how_clustered(discovery)]
    if num_doubtful := discovery.rejection_.num_doubtful:
        sentences.append(
            f"{num_doubtful:,} sentences are far from their cluster or between two; of these, the "
            f"least clear stay unassigned, at most {discovery.max_unassigned:.0%} of all."
        )
    whole = [cluster for cluster in discovery.clusters_ if cluster.is_type_pair]
    if whole:
        example = next(iter(max(whole, key=lambda cluster: cluster.size).type_pairs))
        sentences.append(
            f"{len(whole)} of the clusters are whole pairs of entity types, such as {example}: "
            "what tells their sentences apart is in their parts."
        )
    return f"{', '.join(parts)}. {' '.join(sentences)}"


def _how_embedded(discovery: "RelationDiscovery") -> str:
    encoder = public_name(discovery.encoder_)
    if discovery.model_name_or_path:
        return f"Embedded by the model {encoder}."
    if discovery.untrained_because_:
        return f"Embedded by {encoder}, not trained, because {discovery.untrained_because_}."
    if discovery.finetune:
        return f"Embedded by {encoder}, trained on these sentences."
    return f"A first look: embedded by {encoder} as it is, without training on these sentences."


def _how_clustered(discovery: "RelationDiscovery") -> str:
    sentence = f"Clusters found by {discovery.clustering_method_}."
    if discovery.clustering_method_ == "parts of type pairs":
        sentence += " (Neighbors agree hardly better than entity types do, so the types decided.)"
    return sentence


def score_gold(
    discovery: "RelationDiscovery",
    dataset: Dataset,
    metric: str,
    trust_remote_code: bool = False,
) -> tuple[dict[str, list[float]], list[str]]:
    """Score the clusters against the gold relations: of all rows, and of those assigned.

    Beside them stands one cluster per pair of entity types, which is what can be had without
    reading a sentence.

    Args:
        discovery: After `fit` on the dataset.
        dataset: The rows.
        metric, trust_remote_code: See `load_metric`.

    Returns:
        The values of each score, one per clustering, and what the clusterings are called; both
        empty without gold.
    """
    if "relation" not in dataset.column_names:
        return {}, []
    relations = np.array(dataset["relation"][:], dtype=object)
    labels = discovery.labels_
    known = (labels >= UNASSIGNED) & np.array([relation is not None for relation in relations])
    if not known.any():
        return {}, []
    assigned = known & (labels >= 0)
    types = zip(dataset["head_type"][:], dataset["tail_type"][:], strict=True)
    pairs = np.array([f"{head} {tail}" for head, tail in types])
    nearest = discovery.assignment_.clusters
    clusterings = {f"all {known.sum():,}, in their nearest cluster": (nearest, known)}
    if 0 < assigned.sum() < known.sum():
        clusterings[f"the {assigned.sum():,} that were assigned"] = (labels, assigned)
    clusterings[f"all {known.sum():,}, one cluster per type pair"] = (pairs, known)
    compute = load_metric(metric, trust_remote_code).compute
    results = [
        compute(predictions=clusters[rows], references=relations[rows])
        for clusters, rows in clusterings.values()
    ]
    scores = {name: [result[key] for result in results] for name, key in SCORES.items()}
    return scores, list(clusterings)


def shorten(text: str, num_characters: int = 160) -> str:
    """Shorten a marked sentence far from its mentions.

    Args:
        text: The marked sentence.
        num_characters: Characters that are kept of each part before, between and behind the
            mentions.

    >>> shorten("very " * 50 + "<e1> Ada </e1> led <e2> Acme </e2>.")[151:]
    'very very <e1> Ada </e1> led <e2> Acme </e2>.'
    """
    pieces = [match[0] for match in PIECES.finditer(text)]
    for place, piece in enumerate(pieces):
        if len(piece) > num_characters + 10 and not MARKER.fullmatch(piece):
            half = num_characters // 2
            if place == 0:
                pieces[place] = "…" + piece[-num_characters:]
            elif place == len(pieces) - 1:
                pieces[place] = piece[:num_characters] + "…"
            else:
                pieces[place] = piece[:half] + "…" + piece[-half:]
    return "".join(pieces)


def map_2d(
    embeddings: np.ndarray, seed: int = 0, num_landmarks: int = 3000, num_components: int = 50
) -> np.ndarray:
    """Place rows on a map so that similar ones lie close: `(rows, 2)`, within -1 and 1.

    t-SNE (van der Maaten and Hinton 2008) of some rows, the landmarks, in their largest principal
    components; each further row goes where its five nearest landmarks are.

    Args:
        embeddings: h, `(rows, size)`.
        seed: Fixes draws and starts.
        num_landmarks: Largest number of landmarks.
        num_components: Number of principal components.
    """
    rows = normalize(embeddings)
    drawn = np.random.default_rng(seed).permutation(len(rows))[:num_landmarks]
    # scikit-learn's t-SNE crashes on many equal rows.
    landmarks = np.unique(rows[drawn].round(5), axis=0)
    if len(landmarks) < 5:  # too few for t-SNE
        distances = np.linalg.norm(rows[:, None] - landmarks[None, :2], axis=2)
        places = np.pad(distances, ((0, 0), (0, 2 - distances.shape[1])))
    else:
        pca = PCA(min(num_components, *landmarks.shape), random_state=seed).fit(landmarks)
        landmarks = pca.transform(landmarks)
        perplexity = min(30, (len(landmarks) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
        regressor = KNeighborsRegressor(5, weights="distance")
        regressor.fit(landmarks, tsne.fit_transform(landmarks))
        places = regressor.predict(pca.transform(rows))
    return places / max(np.abs(places).max(), 1e-12)


def _content(
    discovery: "RelationDiscovery",
    dataset: Dataset,
    scores: dict,
    clusterings: list[str],
    mapped_rows: int = 50_000,
) -> dict:
    """Return what the page's script draws."""
    labels = discovery.labels_
    assignment = discovery.assignment_
    used = embedded_rows(labels)  # the rows of h, in their order
    drawn = np.sort(np.random.default_rng(discovery.seed).permutation(len(used))[:mapped_rows])
    places = discovery.places_
    if places is None or len(places) != len(drawn):
        places = discovery.places_ = map_2d(discovery.embeddings_[drawn], discovery.seed)
    rows = used[drawn]
    least_clear = used[np.argsort(assignment.margins[used], kind="stable")]
    outside = {
        label: least_clear[labels[least_clear] == label][:3] for label in (UNASSIGNED, NO_RELATION)
    }
    unrelated = np.flatnonzero(labels == UNRELATED)
    texts = dataset.select_columns("text")
    estimate = discovery.num_clusters_
    return {
        "rows": len(labels),
        "unassigned": int((labels == UNASSIGNED).sum()),
        "rejected": [shorten(text) for text in texts[outside[UNASSIGNED].tolist()]["text"]],
        "no_relation": int((labels == NO_RELATION).sum()),
        "no_relation_texts": [
            shorten(text) for text in texts[outside[NO_RELATION].tolist()]["text"]
        ],
        "unrelated": len(unrelated),
        "left_out": [shorten(text) for text in texts[unrelated[:3].tolist()]["text"]],
        "edits": [edit.to_dict() for edit in discovery.edits_],
        "clusters": [
            {
                "id": cluster.id,
                "name": cluster.name,
                "note": cluster.note,
                "size": cluster.size,
                "share": cluster.size / len(labels),
                "words": cluster.words,
                "types": list(cluster.type_pairs),
                "central": [shorten(text) for text in cluster.examples],
                "borderline": [shorten(text) for text in cluster.borderline_examples],
                "whole": cluster.is_type_pair,
                "parts": [
                    {
                        "size": part.size,
                        "words": part.words[:5],
                        "central": [shorten(text) for text in part.examples],
                    }
                    for part in cluster.parts
                ],
            }
            for cluster in discovery.clusters_
        ],
        "points": {
            "x": [round(x, 4) for x in places[:, 0].tolist()],
            "y": [round(y, 4) for y in places[:, 1].tolist()],
            "cluster": labels[rows].tolist(),
            "row": rows.tolist(),
            "margin": [round(margin, 3) for margin in assignment.margins[rows].tolist()],
            "text": [shorten(text) for text in texts[rows.tolist()]["text"]],
        },
        "tree": [
            [int(left), int(right), distance]
            for left, right, distance, _ in discovery.tree_.tolist()
        ],
        "trials": [asdict(trial) for trial in estimate.trials],
        "plateau": estimate.plateau,
        "chosen": estimate.chosen,
        "rule": _rule(discovery),
        "gold": _gold(discovery, dataset, scores, clusterings),
    }


def _rule(discovery: "RelationDiscovery") -> str:
    """Return why there are so many clusters."""
    estimate = discovery.num_clusters_
    if not estimate.trials:
        return (
            f"{estimate.chosen} clusters were asked for, or too few different sentences were there "
            "to tell."
        )
    best = max(trial.silhouette for trial in estimate.trials)
    evidence = (
        f"the silhouette, at best {best:.2f} ({estimate.reference:.2f} for structureless rows)"
    )
    if estimate.chosen == 1:
        return f"One cluster: by {evidence}, no number of clusters sets rows apart."
    low, high = estimate.plateau
    rule = (
        f"{estimate.chosen} clusters: by {evidence}, {low} to {high} clusters are nearly as good, "
        "and the middle is taken. Rare relations hardly count in it."
    )
    others = [str(number) for number in estimate.candidates if not low <= number <= high]
    return f"{rule} Local maxima elsewhere: {', '.join(others)}." if others else rule


def _gold(
    discovery: "RelationDiscovery",
    dataset: Dataset,
    scores: dict,
    clusterings: list[str],
    max_relations: int = 60,
) -> dict | None:
    """Count the rows of each gold relation in each cluster, the frequent relations first."""
    if "relation" not in dataset.column_names:
        return None
    relations = np.array([relation or "" for relation in dataset["relation"][:]])
    names, counts = np.unique(relations[relations != ""], return_counts=True)
    if not len(names):
        return None
    names = names[np.argsort(-counts, kind="stable")][:max_relations]
    columns = {name: column for column, name in enumerate(names.tolist())}
    table = np.zeros((len(discovery.clusters_), len(names)), dtype=int)
    columns_of_rows = np.array([columns.get(relation, -1) for relation in relations.tolist()])
    labels = discovery.labels_
    counted = (labels >= 0) & (columns_of_rows >= 0)
    np.add.at(table, (labels[counted], columns_of_rows[counted]), 1)
    return {
        "relations": names.tolist(),
        "counts": table.tolist(),
        "scores": scores,
        "clusterings": clusterings,
    }
