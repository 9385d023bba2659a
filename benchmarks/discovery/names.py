"""Compare the names of clusters with the relations that most of their examples have.

    python -m benchmarks.discovery.names --data_root DATA [--model DIR] [--rows 1500] [--seed 0]

Without a model, the default recipe's encoder before any training. Names are a matter of judgment:
the table shows, for each cluster, its most frequent relation and its name; whether one says the
other is for the reader to decide. Two figures need no reader: the share of the cluster's sentences
that hold one of the phrases of its name, beside that of all other sentences; and whether a phrase
is made of function words alone, by scikit-learn's English list, which naming itself does not use.
"""

import re
from collections import Counter
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from modeling_siamure import RelationDiscovery
from modeling_siamure.clustering.descriptions import ClusterDescription
from modeling_siamure.markers import MARKER

from ..corpora import draw, load
from ..paper.protocols import read_relation_names
from ..runs import BenchmarkParser, write_report

NUM_CLUSTERS = {"fewrel": 16, "redocred": 40, "fire": 18}
COLUMNS = ("relation of most rows", "share", "rows", "name", "covers", "others")


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--corpora", nargs="+", default=list(NUM_CLUSTERS), choices=NUM_CLUSTERS)
    parser.add_argument("--model")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    figures = {}
    sections = []
    for corpus in args.corpora:
        examples = draw(load(corpus, args.data_root), args.rows, args.seed)
        folder = args.work_dir / "discovery" / "names" / corpus
        folder.mkdir(parents=True, exist_ok=True)
        discovery = RelationDiscovery(
            NUM_CLUSTERS[corpus],
            model_name_or_path=args.model,
            seed=args.seed,
            work_dir=str(folder),
        )
        discovery.fit(examples)
        relation_names = read_relation_names(args.data_root / corpus)
        gold = [relation_names.get(relation, relation) for relation in examples["relation"]]
        figures[corpus] = describe(discovery, examples["text"], np.array(gold))
        sections.append(section(corpus, figures[corpus]))
    write_report(args, "discovery/names", figures, "\n\n".join(sections))


def describe(discovery: RelationDiscovery, texts: list[str], gold: np.ndarray) -> list[dict]:
    """Return relation, name and figures of each cluster."""
    sentences = np.array([" ".join(MARKER.sub(" ", text).casefold().split()) for text in texts])
    clusters: list[dict[str, Any]] = []
    for number, cluster in enumerate(discovery.clusters_):
        relations = Counter(gold[discovery.labels_ == number])
        if not relations:
            continue
        relation, count = relations.most_common(1)[0]
        phrases = phrases_of_name(cluster)
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in phrases))
        holds = np.array([bool(pattern.search(sentence)) for sentence in sentences])
        clusters.append(
            {
                "relation": relation,
                "share": count / cluster.size,
                "rows": cluster.size,
                "name": cluster.name,
                "covers": holds[discovery.labels_ == number].mean(),
                "others": holds[discovery.labels_ != number].mean(),
                "function_words": all(
                    set(phrase.split()) <= ENGLISH_STOP_WORDS for phrase in phrases
                ),
            }
        )
    return clusters


def phrases_of_name(cluster: ClusterDescription) -> list[str]:
    """Return the phrases of a name as they are found in lower-case sentences."""
    phrases = cluster.name.partition(" · ")[2].split(", ")
    return [phrase.removeprefix("← ").casefold() for phrase in phrases]


def section(corpus: str, clusters: list[dict]) -> str:
    """Return the table of a corpus."""
    lines = [f"## {corpus}", "", f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---|---:|---:|"]
    for cluster in clusters:
        figures = [f"{cluster['share']:.2f}", str(cluster["rows"]), cluster["name"]]
        figures += [f"{cluster['covers']:.2f}", f"{cluster['others']:.2f}"]
        lines.append(f"| {' | '.join([cluster['relation'], *figures])} |")
    weights = [cluster["rows"] for cluster in clusters]
    covers = np.average([cluster["covers"] for cluster in clusters], weights=weights)
    others = np.average([cluster["others"] for cluster in clusters], weights=weights)
    empty = sum(cluster["function_words"] for cluster in clusters)
    lines.append(
        f"\nWeighted by size, a name's phrases occur in {100 * covers:.0f} % of its cluster's "
        f"sentences and in {100 * others:.0f} % of the others. {empty} of {len(clusters)} names "
        "are made of function words alone."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
