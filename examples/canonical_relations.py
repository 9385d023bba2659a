"""Join the spellings of a language model's predicates to canonical relations.

    python examples/canonical_relations.py triples.jsonl canonical.csv

A row of triples.jsonl is such as `{"subject": "Mara Lind", "predicate": "WORKS_FOR", "object":
"Petrel Foods", "evidence": "Since May, Lind works there."}`; CSV and Parquet are read, too, and the
usual other names of the columns. Predicates are clustered in their sentences, without labels.
`siamure discover triples.jsonl --output_dir OUT` does the same, with a report and a model.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

from data_scripts import load_user_file
from data_scripts.corpora.triples import predicate_words
from modeling_siamure import RelationDiscovery
from modeling_siamure.utils.escaping import spreadsheet_cell
from modeling_siamure.utils.files import atomic_path
from modeling_siamure.utils.terminal import end_in_one_line


def canonical_relations(predicates: list[str], labels: list[int]) -> dict[int, Counter[str]]:
    """Return the spellings of each cluster, as words, with their counts.

    >>> canonical_relations(["WORKS_FOR", "works for", "owns"], [0, 0, 1])[0]
    Counter({'works for': 2})
    """
    spellings: dict[int, Counter[str]] = {}
    for predicate, label in zip(predicates, labels, strict=True):
        if label >= 0:
            spellings.setdefault(label, Counter())[predicate_words(predicate)] += 1
    return spellings


def main(
    triples: Path, output: Path, num_clusters: int | str = "auto", recipe: str | None = None
) -> None:
    """Write each triple with its canonical relation, the most frequent spelling of its cluster.

    Args:
        triples: The file.
        output: A CSV file.
        num_clusters: Number of relations, or `"auto"`.
        recipe: Encoder, as a recipe of `train.py`; the default one where it is `None`.
    """
    rows = load_user_file(triples, format="triples")
    discovery = RelationDiscovery(num_clusters, recipe=recipe).fit(rows)
    spellings = canonical_relations(rows["predicate"][:], discovery.labels_.tolist())
    names = {label: counts.most_common(1)[0][0] for label, counts in spellings.items()}
    with atomic_path(output) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["head", "relation", "tail", "predicate"])
        for row, label in zip(rows, discovery.labels_.tolist(), strict=True):
            cells = [row["head"], names.get(label, ""), row["tail"], row["predicate"]]
            writer.writerow(map(spreadsheet_cell, cells))
    for label, counts in sorted(spellings.items(), key=lambda item: -item[1].total()):
        print(f"{names[label]} ({counts.total()}): {', '.join(counts)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("triples", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--num_clusters", type=int, default="auto")
    args = parser.parse_args()
    with end_in_one_line("error"):
        main(args.triples, args.output, args.num_clusters)
