"""The dataset card of a prepared corpus: counts, hashes, dropped rows and a picture."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import datasets
from huggingface_hub import DatasetCard, DatasetCardData

from modeling_siamure.utils.escaping import fenced_block, markdown_text

from .builder import RelationBuilder, digest

PICTURE = "relations.png"


@dataclass
class Summary:
    """Counts of a corpus, split by split.

    Args:
        name: The corpus.
        rows: Split to its number of rows.
        relations: Split to the number of rows of each relation; `None` counts the rows without one.
        type_pairs: Split to the number of rows of each pair of head type and tail type.
        tallies: Split to the counts of rows that were skipped, dropped and kept with notes.
        sources: Name, size in bytes and SHA-256 of each file that was read.
        license: A note on what may be done with the corpus.
        homepage: Where it is published.
    """

    name: str
    rows: dict[str, int]
    relations: dict[str, Counter]
    type_pairs: dict[str, Counter]
    tallies: dict[str, dict[str, Counter]]
    sources: list[tuple[str, int, str]]
    license: str
    homepage: str


def summarize(name: str, builder: RelationBuilder, dataset: datasets.DatasetDict) -> Summary:
    """Count what a builder has prepared."""
    sources = builder.config.sources() | builder.config.other_sources()
    paths = {path for files in sources.values() for path in files}
    relations = {}
    type_pairs = {}
    for split, rows in dataset.items():
        relations[split] = Counter({key[0]: n for key, n in _count(rows, "relation").items()})
        type_pairs[split] = _count(rows, "head_type", "tail_type")
    return Summary(
        name=name,
        rows=dict(dataset.num_rows),
        relations=relations,
        type_pairs=type_pairs,
        tallies=builder.tallies(),
        sources=[(path.name, path.stat().st_size, digest(path)) for path in sorted(paths)],
        license=builder.LICENSE,
        homepage=builder.HOMEPAGE,
    )


def _count(rows: datasets.Dataset, *columns: str) -> Counter:
    groups = rows.data.table.select(columns).group_by(list(columns))
    counts = groups.aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(row[column] for column in columns): row["count_all"] for row in counts})


def _total(counts: Iterable[Counter]) -> Counter:
    return sum(counts, Counter())


def to_markdown(
    summary: Summary, picture: bool = False, max_rows: int = 60, bar_length: int = 40
) -> str:
    """Return the body of the card.

    Args:
        summary: The counts.
        picture: Whether `PICTURE` is beside the card; otherwise bars of characters show the
            distribution of the relations.
        max_rows: Number of rows of a table; the rows of a long tail are summed up.
        bar_length: Number of characters of the longest bar.
    """
    splits = list(summary.rows)
    labeled = _total(summary.relations.values())
    num_unlabeled = labeled.pop(None, 0)
    published = f" Published at {summary.homepage}." if summary.homepage else ""
    pairs = {
        split: Counter({_pair_name(pair): count for pair, count in counts.items()})
        for split, counts in summary.type_pairs.items()
    }
    parts = [
        f"# {summary.name}, for relation extraction",
        f"Read by `data_scripts` of siamure: {sum(summary.rows.values()):,} pairs of entities in "
        f"their sentences, {len(labeled):,} relations, {num_unlabeled:,} rows without a label. "
        "`text` holds the sentence with markers around head and tail; `head_start` and the like "
        "are characters of `sentence`, ends exclusive.",
        f"**License.** {summary.license}{published}",
        "## Relations",
        f"![Rows per relation]({PICTURE})" if picture else _bars(labeled, max_rows, bar_length),
        _table("relation", splits, summary.relations, max_rows),
        "## Types of head and tail",
        _table("types", splits, pairs, max_rows),
        "## Rows that were left out or changed",
        _tally_table(summary.tallies),
        "## Source files",
        _source_table(summary.sources),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _pair_name(pair: tuple[str | None, ...]) -> str:
    return " – ".join(name or "(none)" for name in pair)


def _table(title: str, splits: list[str], counts: dict[str, Counter], max_rows: int) -> str:
    totals = _total(counts.values())
    names = sorted(totals, key=lambda name: (-totals[name], name or ""))
    lines = [
        f"| {title} | {' | '.join(map(markdown_text, splits))} |",
        "|---|" + "---:|" * len(splits),
    ]
    for name in names[:max_rows]:
        label = markdown_text(name) if name is not None else "(unlabeled)"
        lines.append(_table_line(label, [counts[split][name] for split in splits]))
    if tail := names[max_rows:]:
        sums = [sum(counts[split][name] for name in tail) for split in splits]
        lines.append(_table_line(f"({len(tail)} more)", sums))
    lines.append(_table_line("**all**", [counts[split].total() for split in splits]))
    return "\n".join(lines)


def _table_line(label: str, counts: list[int]) -> str:
    cells = [label, *(f"{count:,}" for count in counts)]
    return f"| {' | '.join(cells)} |"


def _tally_table(tallies: dict[str, dict[str, Counter]]) -> str:
    titles = {
        "skipped": "bad row, skipped",
        "dropped": "dropped",
        "notes": "kept",
        "doubts": "kept, doubtful",
        "remarks": "kept",
    }
    lines = [
        f"| {markdown_text(split)} | {title} | {markdown_text(reason)} | {count:,} |"
        for split, kinds in tallies.items()
        for kind, title in titles.items()
        for reason, count in sorted(kinds[kind].items(), key=lambda item: -item[1])
    ]
    if not lines:
        return "None."
    return "\n".join(["| split | | why | rows |", "|---|---|---|---:|", *lines])


def _source_table(sources: list[tuple[str, int, str]]) -> str:
    lines = [f"| {markdown_text(name)} | {size:,} | `{sha}` |" for name, size, sha in sources]
    return "\n".join(["| file | bytes | SHA-256 |", "|---|---:|---|", *lines])


def _bars(relations: Counter, max_rows: int, bar_length: int) -> str:
    if not relations:
        return ""
    shown = relations.most_common(max_rows)
    width = max(len(name) for name, _ in shown)
    largest = shown[0][1]
    lines = []
    for name, count in shown:
        bar = "#" * max(1, round(bar_length * count / largest))
        lines.append(f"{name:<{width}} {bar} {count:,}")
    return fenced_block(lines)


def write_picture(summary: Summary, path: Path, max_bars: int = 60) -> bool:
    """Draw the label distribution (paper, Figure 2): rows per relation, the most frequent first.

    Args:
        summary: The counts.
        path: The PNG file to write.
        max_bars: Number of relations to draw.

    Returns:
        Whether there is a picture; without matplotlib or without labels there is none.
    """
    totals = _total(summary.relations.values())
    totals.pop(None, None)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not totals:
        return False
    shown = totals.most_common(max_bars)
    figure = Figure(figsize=(max(6, 0.22 * len(shown)), 4.5), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(shown)), [count for _, count in shown])
    # A dollar sign would start a formula.
    labels = [name.replace("$", r"\$") for name, _ in shown]
    axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=7)
    axes.set(ylabel="rows", title=f"{summary.name}: {len(shown)} of {len(totals)} relations")
    figure.savefig(path, dpi=120)
    return True


def to_card(summary: Summary, data_files: dict[str, str], picture: bool) -> DatasetCard:
    """Return the whole card, whose header tells `load_dataset` which files hold which split.

    Args:
        summary: The counts.
        data_files: Split to the pattern of its files.
        picture: Whether `PICTURE` is beside the card.
    """
    files = [{"split": split, "path": path} for split, path in data_files.items()]
    header = DatasetCardData(
        pretty_name=summary.name,
        license="other",
        task_categories=["text-classification"],
        tags=["relation-extraction"],
        configs=[{"config_name": "default", "data_files": files}],
    )
    return DatasetCard(f"---\n{header.to_yaml()}\n---\n\n{to_markdown(summary, picture)}")
