"""Names of clusters against the names of relations, on FewRel val_wiki with its 16 relations.

    python -m benchmarks.names --data_root DATA [--model DIR] [--rows 4000] [--seed 0]

Without a model, the default recipe's encoder as it is. For each cluster: the relation that most of its rows have,
and whether one of the ten trigger words is a word of that relation's name or description in pid2name.json (or begins
like one), function words aside. Synonyms are for the reader to judge: the table shows all words.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from modeling_siamure import RelationDiscovery
from modeling_siamure.naming import _alike

from .corpora import draw, load
from .runs import write


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_root", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work_dir", help="Where embeddings are kept; those there are reused.")
    args = parser.parse_args()
    rows = draw(load("fewrel", args.data_root), args.rows, args.seed)
    gold = np.array(rows["relation"])
    discovery = RelationDiscovery(16, model=args.model, seed=args.seed, work_dir=args.work_dir).fit(rows)
    names = json.loads((args.data_root / "fewrel" / "pid2name.json").read_text())
    words_of = CountVectorizer(stop_words=list(ENGLISH_STOP_WORDS)).build_analyzer()
    lines = [
        "| relation of most rows | share | rows | trigger words | in name or description |",
        "|---|---:|---:|---|---|",
    ]
    results = []
    for number, cluster in enumerate(discovery.clusters_):
        (relation, count), *_ = Counter(gold[discovery.labels_ == number]).most_common(1)
        name, description = names[relation]
        told = words_of(f"{name} {description}")
        found = [word for word in cluster.words if any(word == other or _alike(word, other) for other in told)]
        results.append({"relation": name, "share": count / cluster.size, "words": cluster.words, "found": found})
        shown = f"{count / cluster.size:.2f} | {cluster.size} | {', '.join(cluster.words)} | {', '.join(found) or '-'}"
        lines.append(f"| {name} | {shown} |")
    matched = sum(bool(result["found"]) for result in results)
    lines.append(
        f"\nA word of the relation's name or description is among the trigger words of {matched} of 16 clusters."
    )
    write(
        "names",
        {"rows": args.rows, "seed": args.seed, "is_trained": args.model is not None, "clusters": results},
        "\n".join(lines),
    )


if __name__ == "__main__":
    main()
