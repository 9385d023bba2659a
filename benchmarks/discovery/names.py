"""Compare the trigger words of clusters with the names of relations, on FewRel's 16 relations.

    python -m benchmarks.discovery.names --data_root DATA [--model DIR] [--rows 4000] [--seed 0]

Without a model, the default recipe's encoder before any training. For each cluster: the relation
that most of its examples have, and whether one of the ten trigger words is a word of that
relation's name or description in pid2name.json (or begins like one), function words aside. Synonyms
are for the reader to judge: the table shows all words.
"""

import json
from collections import Counter

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from modeling_siamure import RelationDiscovery
from modeling_siamure.clustering.descriptions import _share_stem

from ..corpora import draw, load
from ..runs import BenchmarkParser, write_report

COLUMNS = ("relation of most rows", "share", "rows", "trigger words", "in name or description")


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--model")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    examples = draw(load("fewrel", args.data_root), args.rows, args.seed)
    gold = np.array(examples["relation"])
    folder = args.work_dir / "discovery" / "names"
    folder.mkdir(parents=True, exist_ok=True)
    discovery = RelationDiscovery(
        16, model_name_or_path=args.model, seed=args.seed, work_dir=str(folder)
    )
    discovery.fit(examples)
    names = json.loads((args.data_root / "fewrel" / "pid2name.json").read_text())
    words_of = CountVectorizer(stop_words=list(ENGLISH_STOP_WORDS)).build_analyzer()
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---|---|"]
    results = []
    for number, cluster in enumerate(discovery.clusters_):
        relations = Counter(gold[discovery.labels_ == number])
        relation, count = relations.most_common(1)[0]
        name, description = names[relation]
        expected = words_of(f"{name} {description}")
        matches = [
            word
            for word in cluster.words
            if any(word == other or _share_stem(word, other) for other in expected)
        ]
        share = count / cluster.size
        results.append(
            {"relation": name, "share": share, "words": cluster.words, "matches": matches}
        )
        cells = [
            name,
            f"{share:.2f}",
            str(cluster.size),
            ", ".join(cluster.words),
            ", ".join(matches) or "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    matched = sum(bool(result["matches"]) for result in results)
    lines.append(
        "\nA word of the relation's name or description is among the trigger words of "
        f"{matched} of {len(results)} clusters."
    )
    write_report(args, "discovery/names", {"clusters": results}, "\n".join(lines))


if __name__ == "__main__":
    main()
