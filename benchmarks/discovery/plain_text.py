"""Measure how many facts from plain text are labeled, by number of facts, with entities given.

    python -m benchmarks.discovery.plain_text --data_root DATA [--num_documents 200] [--seed 0]

The first documents of Re-DocRED dev, their words joined by blanks, as a spaCy DocBin that holds the
mentions and no sentences: so pairs and relations are ours. `siamure pairs` makes rows of them, and
a discovery with the default recipe, untrained, clusters these. A fact is a head, a cluster and a
tail, by their names; the rows that say it are its support. Facts are ranked by support, and those
of one support by mean score.

"Labeled" are facts of which one row is of two entities that have a label in the document, in either
direction, whatever it says. "Its relation" are those whose label is the most frequent one of the
cluster. Gold labels score, and do nothing else. One seed.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset

from data_scripts import load_user_file
from data_scripts.plain_text import PairOptions, PairRules, write_pairs
from modeling_siamure import RelationDiscovery
from modeling_siamure.clustering.assignment import UNRELATED

from ..runs import BenchmarkParser, write_report

NUMBERS = (50, 100, 200, 500, 1000, 2000, 5000)


class Gold(NamedTuple):
    """What a document says: the entity of each mention, and the labels of each pair."""

    entities: dict[tuple[int, int], int]
    labels: dict[tuple[int, int], set[str]]


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--num_documents", type=int, default=200)
    parser.add_argument("--order", default="first", choices=("first", "both"))
    parser.add_argument("--min_precisions", type=float, nargs="+", default=[1, 0.9, 0.8])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    folder = args.work_dir / "discovery" / "plain_text"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{args.num_documents}.spacy"
    documents = json.loads((args.data_root / "redocred" / "dev_revised.json").read_text())
    gold = write_docbin(documents[: args.num_documents], path)
    start = time.perf_counter()
    pairs = folder / f"{args.num_documents}-{args.order}.jsonl"
    counts = write_pairs([path], pairs, PairOptions(rules=PairRules(args.order)))
    figures: dict[str, Any] = {"pairs": counts.describe(), "seconds": time.perf_counter() - start}
    rows = load_user_file(pairs)
    for min_precision in args.min_precisions:
        figures[str(min_precision)] = measure(rows, gold, min_precision, folder, args)
    write_report(args, "discovery/plain_text", figures, describe(figures, args))


def write_docbin(documents: list[dict], path: Path) -> list[Gold]:
    """Write documents and their mentions, and return their entities and labels."""
    import spacy
    from spacy.tokens import Doc, DocBin
    from spacy.util import filter_spans

    vocab = spacy.blank("en").vocab
    docs = []
    gold = []
    for document in documents:
        starts = np.cumsum([0, *map(len, document["sents"])]).tolist()
        doc = Doc(vocab, [word for sentence in document["sents"] for word in sentence])
        entities = {}
        spans = []
        for entity, mentions in enumerate(document["vertexSet"]):
            for mention in mentions:
                first, last = (starts[mention["sent_id"]] + token for token in mention["pos"])
                span = doc[first:last]
                entities[span.start_char, span.end_char] = entity
                spans.append(spacy.tokens.Span(doc, first, last, mention["type"]))
        doc.ents = filter_spans(spans)
        docs.append(doc)
        labels = defaultdict(set)
        for label in document["labels"]:
            labels[label["h"], label["t"]].add(label["r"])
        gold.append(Gold(entities, labels))
    DocBin(docs=docs, attrs=["ENT_IOB", "ENT_TYPE", "SPACY"]).to_disk(path)
    return gold


def labels_of_row(row: dict[str, Any], gold: list[Gold]) -> set[str]:
    """Return the labels of a pair, in either direction."""
    number = int(row["document"].rpartition(":")[2]) - 1
    entities = gold[number].entities
    head, tail = (
        entities[row[f"document_{role}_start"], row[f"document_{role}_end"]]
        for role in ("head", "tail")
    )
    labels = gold[number].labels
    return labels.get((head, tail), set()) | labels.get((tail, head), set())


def measure(
    rows: Dataset,
    gold: list[Gold],
    min_precision: float,
    folder: Path,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Return how many of the first facts are labeled."""
    start = time.perf_counter()
    discovery = RelationDiscovery(
        min_precision=min_precision, seed=args.seed, work_dir=str(folder / "work")
    )
    discovery.fit(rows)
    seconds = time.perf_counter() - start
    labels = [labels_of_row(row, gold) for row in rows]
    relations: defaultdict[int, Counter[str]] = defaultdict(Counter)
    facts = defaultdict(list)
    for place, (row, cluster) in enumerate(zip(rows, discovery.labels_.tolist(), strict=True)):
        if cluster >= 0:
            relations[cluster].update(labels[place])
            facts[row["head"].casefold(), cluster, row["tail"].casefold()].append(place)
    most_frequent = {
        cluster: counter.most_common(1)[0][0] for cluster, counter in relations.items() if counter
    }
    scores = discovery.assignment_.scores
    ranked = sorted(facts, key=lambda fact: (-len(facts[fact]), -scores[facts[fact]].mean(), fact))
    said = [set().union(*(labels[place] for place in facts[fact])) for fact in ranked]
    is_labeled = np.array([bool(labels_of_fact) for labels_of_fact in said])
    has_relation = np.array(
        [
            most_frequent.get(fact[1]) in labels_of_fact
            for fact, labels_of_fact in zip(ranked, said, strict=True)
        ]
    )
    left_out = discovery.labels_ == UNRELATED
    has_labels = np.array([bool(labels_of_pair) for labels_of_pair in labels])
    return {
        "rows": len(rows),
        "labeled_rows": int(has_labels.sum()),
        "left_out": int(left_out.sum()),
        "left_out_labeled": int((left_out & has_labels).sum()),
        "clusters": len(discovery.clusters_),
        "facts": len(ranked),
        "labeled": [float(is_labeled[:number].mean()) for number in (*NUMBERS, len(ranked))],
        "relation": [float(has_relation[:number].mean()) for number in (*NUMBERS, len(ranked))],
        "seconds": seconds,
    }


def describe(figures: dict[str, Any], args: argparse.Namespace) -> str:
    """Return the tables."""
    cells = [figures[str(min_precision)] for min_precision in args.min_precisions]
    names = [
        "no filter" if value == 1 else f"`min_precision` {value}" for value in args.min_precisions
    ]
    lines = [
        f"{args.num_documents} documents: {figures['pairs']} ({figures['seconds']:.0f} s). "
        f"{cells[0]['labeled_rows']:,} of the {cells[0]['rows']:,} rows are labeled.",
        "",
        f"| | {' | '.join(names)} |",
        "|---|" + "---:|" * len(names),
    ]
    for name in ("left_out", "left_out_labeled", "clusters", "facts"):
        values = [f"{cell[name]:,}" for cell in cells]
        lines.append(
            f"| {name.replace('_', ' ').replace('out l', 'out, l')} | {' | '.join(values)} |"
        )
    seconds = [f"{cell['seconds']:.0f}" for cell in cells]
    lines.append(f"| seconds | {' | '.join(seconds)} |")
    header = [f"{name}: {column}" for name in names for column in ("labeled", "its relation")]
    lines += [
        "",
        f"| first facts, percent | {' | '.join(header)} |",
        "|---|" + "---:|" * len(header),
    ]
    for place, number in enumerate((*NUMBERS, None)):
        values = [
            f"{100 * cell[column][place]:.1f}"
            for cell in cells
            for column in ("labeled", "relation")
        ]
        lines.append(f"| {number or 'all'} | {' | '.join(values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
