"""The report of a discovery: one HTML file that needs no network."""

import json
import re
from dataclasses import asdict
from importlib.resources import files

import evaluate
import numpy as np
from datasets import Dataset
from jinja2 import Environment

from .assignment import SKIPPED, UNASSIGNED
from .discovery import RelationDiscovery
from .markers import MARKER
from .model_card import SCORES
from .projection import project

MAPPED_ROWS = 50_000
SHOWN_CHARACTERS = 160  # of each stretch before, between and behind the mentions
PIECES = re.compile(rf"{MARKER.pattern}|(?:(?!{re.sub(r'[?]P<[a-z]+>', '?:', MARKER.pattern)}).)+", re.DOTALL)
_PAGE = files(__package__) / "report_page"


def build_report(
    discovery: RelationDiscovery,
    dataset: Dataset,
    title: str,
    scores: dict[str, list[float]] | None = None,
    partitions: list[str] | None = None,
) -> str:
    """The page, as text.

    Args:
        discovery: After `fit` on the dataset.
        dataset: The rows. Gold relations, where there are some, are compared with the clusters.
        title: What the page is called, such as the file's name.
        scores: A metric's name to its value for each of the partitions.
        partitions: What they are called.

    Raises:
        ImportError: Plotly is not installed.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True)
    return environment.from_string((_PAGE / "page.html").read_text(encoding="utf-8")).render(
        title=title,
        summary=summarize(discovery),
        data=as_json(_content(discovery, dataset, scores or {}, partitions or [])),
        plotly=get_plotlyjs(),
        style=(_PAGE / "style.css").read_text(encoding="utf-8"),
        script=(_PAGE / "script.js").read_text(encoding="utf-8"),
    )


def as_json(content: dict) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element.

    >>> as_json({"text": "</script>"})
    '{"text": "\\\\u003c/script\\\\u003e"}'
    """
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(content, ensure_ascii=False))


def summarize(discovery: RelationDiscovery) -> str:
    """What was found, in a sentence."""
    labels = discovery.labels_
    kinds = {"unassigned": int((labels == UNASSIGNED).sum()), "skipped": int((labels == SKIPPED).sum())}
    rest = "".join(f", {count:,} {kind}" for kind, count in kinds.items() if count)
    return f"{len(labels):,} sentences in {len(discovery.clusters_)} clusters{rest}. {discovery.how_embedded}"


def score_gold(discovery: RelationDiscovery, dataset: Dataset, metric: str) -> tuple[dict[str, list[float]], list[str]]:
    """Scores of the clusters against the gold relations: of all rows in their nearest cluster, and of those assigned.

    Beside them one cluster per pair of entity types, which is what can be had without reading a sentence.

    Args:
        discovery: After `fit` on the dataset.
        dataset: The rows.
        metric: What `evaluate.load` loads: a folder, or a name on the hub.

    Returns:
        The values of each score, one a partition, and what the partitions are called; both empty without gold.
    """
    if "relation" not in dataset.column_names:
        return {}, []
    relations = np.array(dataset["relation"], dtype=object)
    known = (discovery.labels_ != SKIPPED) & np.array([relation is not None for relation in relations])
    if not known.any():
        return {}, []
    assigned = known & (discovery.labels_ >= 0)
    pairs = np.array([f"{head} {tail}" for head, tail in zip(dataset["head_type"], dataset["tail_type"], strict=True)])
    partitions = {f"all {known.sum():,}, in their nearest cluster": (discovery.assignment_.clusters, known)}
    if 0 < assigned.sum() < known.sum():
        partitions[f"the {assigned.sum():,} that were assigned"] = (discovery.labels_, assigned)
    partitions[f"all {known.sum():,}, one cluster per type pair"] = (pairs, known)
    compute = evaluate.load(metric).compute
    results = [compute(predictions=rows[chosen], references=relations[chosen]) for rows, chosen in partitions.values()]
    return {name: [result[key] for result in results] for name, key in SCORES.items()}, list(partitions)


def shorten(text: str) -> str:
    """A marked sentence without what stands far from its mentions.

    >>> shorten("very " * 50 + "<e1> Ada </e1> led <e2> Acme </e2>.")[151:]
    'very very <e1> Ada </e1> led <e2> Acme </e2>.'
    """
    pieces = [match[0] for match in PIECES.finditer(text)]
    for place, piece in enumerate(pieces):
        if len(piece) > SHOWN_CHARACTERS + 10 and not MARKER.fullmatch(piece):
            half = SHOWN_CHARACTERS // 2
            if place == 0:
                pieces[place] = "…" + piece[-SHOWN_CHARACTERS:]
            elif place == len(pieces) - 1:
                pieces[place] = piece[:SHOWN_CHARACTERS] + "…"
            else:
                pieces[place] = piece[:half] + "…" + piece[-half:]
    return "".join(pieces)


def _content(discovery: RelationDiscovery, dataset: Dataset, scores: dict, partitions: list[str]) -> dict:
    labels, assignment = discovery.labels_, discovery.assignment_
    used = np.flatnonzero(labels != SKIPPED)  # the rows of h, in their order
    drawn = np.sort(np.random.default_rng(discovery.seed).permutation(len(used))[:MAPPED_ROWS])
    places, rows = project(discovery.embeddings_[drawn], discovery.seed), used[drawn]
    doubtful = used[np.argsort(assignment.margins[used], kind="stable")]
    doubtful = doubtful[labels[doubtful] == UNASSIGNED][:3]
    texts = dataset.select_columns("text")
    estimate = discovery.num_clusters_
    return {
        "rows": len(labels),
        "unassigned": int((labels == UNASSIGNED).sum()),
        "rejected": [shorten(text) for text in texts[doubtful.tolist()]["text"]],
        "clusters": [
            {
                **{"name": cluster.name, "size": cluster.size, "share": cluster.size / len(labels)},
                **{"words": cluster.words, "types": list(cluster.type_pairs)},
                "central": [shorten(text) for text in cluster.examples],
                "doubtful": [shorten(text) for text in cluster.doubtful],
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
        "tree": [[int(left), int(right), distance] for left, right, distance, _ in discovery.tree_.tolist()],
        "trials": [{**asdict(trial), "excess": trial.excess} for trial in estimate.trials],
        "chosen": estimate.chosen,
        "rule": _rule(discovery),
        "gold": _gold(discovery, dataset, scores, partitions),
    }


def _rule(discovery: RelationDiscovery) -> str:
    chosen, candidates = discovery.num_clusters_.chosen, discovery.num_clusters_.candidates
    if not discovery.num_clusters_.trials:
        return f"{chosen} clusters were asked for, or too few different sentences were there to tell."
    if not candidates:
        return "No number of clusters is clearly more stable than it would be for structureless rows: one cluster."
    others = ", ".join(str(number) for number in candidates if number != chosen)
    return (
        f"{chosen} clusters: the finest partition among those that are most stable when half of the sentences are left "
        "out, beyond what structureless rows would show (excess at least nine tenths of the best)."
        f"{f' Further candidates: {others}.' if others else ''}"
    )


def _gold(discovery: RelationDiscovery, dataset: Dataset, scores: dict, partitions: list[str]) -> dict | None:
    """How many rows of each gold relation each cluster has; the frequent relations first, at most 60."""
    if "relation" not in dataset.column_names:
        return None
    relations = np.array([relation or "" for relation in dataset["relation"]])
    names, counts = np.unique(relations[relations != ""], return_counts=True)
    if not len(names):
        return None
    names = names[np.argsort(-counts, kind="stable")][:60]
    columns = {name: column for column, name in enumerate(names.tolist())}
    table = np.zeros((len(discovery.clusters_), len(names)), dtype=int)
    columns_of_rows = np.array([columns.get(relation, -1) for relation in relations.tolist()])
    counted = (discovery.labels_ >= 0) & (columns_of_rows >= 0)
    np.add.at(table, (discovery.labels_[counted], columns_of_rows[counted]), 1)
    return {"relations": names.tolist(), "counts": table.tolist(), "scores": scores, "partitions": partitions}
