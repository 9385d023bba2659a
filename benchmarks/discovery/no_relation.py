"""Measure how well pairs without a relation are filtered out before clustering.

    python -m benchmarks.discovery.no_relation --data_root DATA

Re-DocRED dev: labeled pairs (of one label) and pairs of the same documents that share a sentence
and have no label in either direction, half and half and with one tenth labeled. "Names" are the
pairs of the first mixture whose head is neither date nor number. Documents with an odd number
served to choose, by gold labels, what is scored; the table is of those with an even number. It was
looked at twice: what h adds on odd numbers was lost on even ones, so it was dropped.

Embedded corpus: two sentences joined by a semicolon; their own pairs have a relation, those across
the semicolon have none. As many of either. That other mentions count was decided on it.

"Self-trained" is a ridge regression on h, that of the default recipe's encoder before any training,
which predicts the score of sentences that it was not fitted on. One draw each.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datasets import Dataset, concatenate_datasets
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from sklearn.metrics import precision_recall_curve, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import normalize

from modeling_siamure import insert_markers
from modeling_siamure.clustering.neighbors import nearest_neighbors
from modeling_siamure.clustering.no_relation import find_unrelated, relation_scores
from modeling_siamure.clustering.partitions import reduce_dimensions
from modeling_siamure.markers import read_markers

from ..corpora import draw, load, load_negatives, untrained_embeddings
from ..runs import BenchmarkParser, write_report

RECALLS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
PRECISIONS = (0.7, 0.8, 0.85, 0.9, 0.95)


class Mixture(NamedTuple):
    """Examples with and without a relation, their h and which have one."""

    texts: list[str]
    embeddings: np.ndarray
    has_relation: np.ndarray

    def select(self, chosen: np.ndarray) -> "Mixture":
        """Return the chosen examples; `chosen` holds indices."""
        texts = [self.texts[index] for index in chosen]
        return Mixture(texts, self.embeddings[chosen], self.has_relation[chosen])


def join_sentences(examples: Dataset, count: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """Join the sentences of two examples each, and pair up their mentions.

    Yields:
        Marked sentences: both examples' own pairs, and two pairs across them, in any direction.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(examples))[: 2 * count].reshape(-1, 2)
    for first, second in order.tolist():
        parts = [read_markers(examples[row]["text"]) for row in (first, second)]
        sentence = f"{parts[0].sentence.removesuffix('.')}; {parts[1].sentence}"
        offset = len(sentence) - len(parts[1].sentence)
        mentions = []
        for part, start in zip(parts, (0, offset), strict=True):
            mentions.append(
                [
                    ((part.head[0] + start, part.head[1] + start), part.head_type),
                    ((part.tail[0] + start, part.tail[1] + start), part.tail_type),
                ]
            )
        across = [
            pair
            for one in mentions[0]
            for other in mentions[1]
            for pair in ((one, other), (other, one))
        ]
        chosen = [across[index] for index in rng.permutation(len(across))[:2]]
        for pairs, relation in ((mentions, "some"), (chosen, "no relation")):
            for (head, head_type), (tail, tail_type) in pairs:
                text = insert_markers(sentence, head, tail, head_type, tail_type)
                yield {"text": text, "relation": relation}


def load_mixtures(data_root: Path, cache: Path) -> dict[str, Mixture]:
    """Return the mixtures by their names in the table.

    Args:
        data_root: Folder with a folder per corpus.
        cache: Folder for embeddings.
    """
    parts = []
    for examples, count in ((load("redocred", data_root), 2000), (load_negatives(data_root), 3600)):
        documents = np.array([int(name.partition("-")[0]) for name in examples["id"]])
        parts.append(draw(examples.select(np.flatnonzero(documents % 2 == 0)), count))
    redocred = _embed(concatenate_datasets(parts), cache / "redocred-no-relation.npy")
    rng = np.random.default_rng(1)
    related = rng.permutation(np.flatnonzero(redocred.has_relation))
    unrelated = rng.permutation(np.flatnonzero(~redocred.has_relation))
    half = redocred.select(np.sort(np.append(related, unrelated[: len(related)])))
    tenth = redocred.select(np.sort(np.append(related[:400], unrelated)))
    pairs = list(join_sentences(load("sample", None), 500))
    return {
        "Re-DocRED, half": half,
        "Re-DocRED, one tenth": tenth,
        "embedded corpus": _embed(Dataset.from_list(pairs), cache / "sample-no-relation.npy"),
    }


def _embed(examples: Dataset, cache: Path) -> Mixture:
    has_relation = np.array(examples["relation"]) != "no relation"
    return Mixture(list(examples["text"]), untrained_embeddings(examples, cache), has_relation)


def compare_signs(mixture: Mixture) -> dict[str, float]:
    """Return the area under the curve of each sign of a relation by itself, and of the scores."""
    sentences = [read_markers(text) for text in mixture.texts]
    spans = [sorted([sentence.head, sentence.tail]) for sentence in sentences]
    mentions: dict[str, set[tuple[int, int]]] = {}
    for sentence in sentences:
        mentions.setdefault(sentence.sentence, set()).update([sentence.head, sentence.tail])
    between = [
        sum(first[1] <= start < second[0] for start, _ in mentions[sentence.sentence])
        for (first, second), sentence in zip(spans, sentences, strict=True)
    ]
    embeddings = normalize(mixture.embeddings)
    neighbors = nearest_neighbors(embeddings, 10).numpy()
    head, tail, _ = np.split(mixture.embeddings, 3, axis=1)
    score = relation_scores(mixture.texts)
    _, groups = np.unique([sentence.sentence for sentence in sentences], return_inverse=True)
    predicted = cross_val_predict(
        Ridge(2.0),
        reduce_dimensions(mixture.embeddings, 64),
        score,
        groups=groups,
        cv=GroupKFold(3),
    )
    nearness = [min(first[1] - second[0], 0) for first, second in spans]
    earliness = [-first[0] for first, _ in spans]
    signs = {
        "characters between the mentions": nearness,
        "characters before the first": earliness,
        "these two (mean rank)": rankdata(nearness) + rankdata(earliness),
        "characters of the sentence": [-len(sentence.sentence) for sentence in sentences],
        "other mentions between": [-count for count in between],
        "cosine of the two mentions": (normalize(head) * normalize(tail)).sum(axis=1),
        "density of h (10 neighbors)": np.einsum(
            "rd,rkd->r", embeddings, embeddings[neighbors], optimize=True
        ),
        "self-trained": predicted,
        "score and self-trained (mean rank)": rankdata(score) + rankdata(predicted),
        "**score**, values as others": relation_scores(mixture.texts, values_are_tails=False),
        "**score**": score,
    }
    return {name: float(roc_auc_score(mixture.has_relation, sign)) for name, sign in signs.items()}


def precisions_at(is_target: np.ndarray, scores: np.ndarray) -> list[float]:
    """Return the best precision at each of `RECALLS` or more."""
    precision, recall, _ = precision_recall_curve(is_target, scores)
    return [float(precision[recall >= least].max()) for least in RECALLS]


def filter_rows(mixture: Mixture, scores: np.ndarray) -> dict[float, list[float]]:
    """Return precision and recall that each of `PRECISIONS` leads to, with the true share known."""
    has_none = ~mixture.has_relation
    results = {}
    for asked in PRECISIONS:
        is_unrelated = find_unrelated(scores, asked, float(has_none.mean()))
        results[asked] = [
            float(has_none[is_unrelated].mean()) if is_unrelated.any() else float("nan"),
            float(is_unrelated[has_none].mean()),
        ]
    return results


def _table(title: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    lines = [f"| {title} | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    args = parser.parse_args()
    mixtures = load_mixtures(args.data_root, args.work_dir / "embeddings")
    half = mixtures["Re-DocRED, half"]
    is_name = relation_scores(half.texts) > 0
    mixtures["names"] = half.select(np.flatnonzero(is_name))
    scores = {name: relation_scores(mixture.texts) for name, mixture in mixtures.items()}
    areas = {name: compare_signs(mixture) for name, mixture in mixtures.items()}
    curves = {
        target: {
            name: precisions_at(mixture.has_relation == (sign > 0), sign * scores[name])
            for name, mixture in mixtures.items()
        }
        for target, sign in (("no relation", -1), ("relation", 1))
    }
    filtered = {name: filter_rows(mixture, scores[name]) for name, mixture in mixtures.items()}
    columns = [
        f"{name} ({len(mixture.texts):,} examples, {100 * (~mixture.has_relation).mean():.0f} % "
        "without)"
        for name, mixture in mixtures.items()
    ]
    tables = [
        _table(
            "area under the curve, percent",
            columns,
            {
                sign: [f"{100 * values[sign]:.1f}" for values in areas.values()]
                for sign in areas["names"]
            },
        )
    ]
    for target, by_name in curves.items():
        rows = {
            f"{100 * recall:.0f}": [f"{100 * values[index]:.1f}" for values in by_name.values()]
            for index, recall in enumerate(RECALLS)
        }
        tables.append(_table(f"{target}: recall, and precision at it", columns, rows))
    rows = {
        f"{100 * asked:.0f}": [
            " / ".join(f"{100 * value:.1f}" for value in values[asked])
            for values in filtered.values()
        ]
        for asked in PRECISIONS
    }
    title = "`min_precision`, and precision / recall of no relation, with the true share known"
    tables.append(_table(title, columns, rows))
    figures = {"areas": areas, "curves": curves, "filtered": filtered}
    write_report(args, "discovery/no_relation", figures, "\n\n".join(tables))


if __name__ == "__main__":
    main()
