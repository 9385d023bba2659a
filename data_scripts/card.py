"""What is in a prepared corpus: counts, hashes, dropped rows and a picture, as a dataset card."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import datasets
from huggingface_hub import DatasetCard, DatasetCardData

from .builder import RelationBuilder
from .files import digest

PICTURE = "relations.png"
_SHOWN = 60  # rows of a table or bars of the picture; a long tail is summed up
_BAR = 40  # characters of the longest bar in the terminal


@dataclass
class Summary:
    """Counts of a corpus, split by split.

    Args:
        name: The corpus.
        rows: Split to its number of rows.
        relations: Split to the number of rows of each relation; `None` counts the rows without one.
        type_pairs: Split to the number of rows of each pair of head type and tail type.
        tallies: Split to what was skipped, dropped and remarked.
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
    """Counts what a builder has prepared."""
    paths = {path for files in (builder.config.sources() | builder.config.other_sources()).values() for path in files}
    return Summary(
        name=name,
        rows=dict(dataset.num_rows),
        relations={split: _count(rows, "relation") for split, rows in dataset.items()},
        type_pairs={split: _count(rows, "head_type", "tail_type") for split, rows in dataset.items()},
        tallies=builder.tallies(),
        sources=[(path.name, path.stat().st_size, digest(path)) for path in sorted(paths)],
        license=builder.LICENSE,
        homepage=builder.HOMEPAGE,
    )


def _count(rows: datasets.Dataset, *columns: str) -> Counter:
    counts = rows.data.table.select(columns).group_by(list(columns)).aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(row[column] for column in columns): row["count_all"] for row in counts})


def to_markdown(summary: Summary, picture: bool = False) -> str:
    """The body of the card.

    Args:
        summary: The counts.
        picture: Whether `PICTURE` lies beside the card; otherwise bars of characters show the distribution.
    """
    splits = list(summary.rows)
    relations = {split: Counter({key[0]: n for key, n in found.items()}) for split, found in summary.relations.items()}
    pairs = {
        split: Counter({" – ".join(name or "(none)" for name in key): n for key, n in found.items()})
        for split, found in summary.type_pairs.items()
    }
    labelled = sum((Counter(found) for found in relations.values()), Counter())
    unlabelled = labelled.pop(None, 0)
    parts = [
        f"# {summary.name}, for relation extraction",
        f"Read by `data_scripts` of siamure: {sum(summary.rows.values()):,} pairs of entities in their sentences, "
        f"{len(labelled):,} relations, {unlabelled:,} rows without a label. `text` holds the sentence with markers "
        "around head and tail; `head_start` and the like are characters of `sentence`, ends exclusive.",
        f"**Licence.** {summary.license}{f' Published at {summary.homepage}.' if summary.homepage else ''}",
        "## Relations",
        f"![Rows a relation]({PICTURE})" if picture else _bars(labelled),
        _table("relation", splits, relations),
        "## Types of head and tail",
        _table("types", splits, pairs),
        "## Rows that were left out or changed",
        _tally_table(summary.tallies),
        "## Source files",
        "\n".join(
            ["| file | bytes | SHA-256 |", "|---|---:|---|"]
            + [f"| {_cell(name)} | {size:,} | `{sha}` |" for name, size, sha in summary.sources]
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, splits: list[str], counts: dict[str, Counter]) -> str:
    totals = sum((Counter(found) for found in counts.values()), Counter())
    lines = [f"| {title} | {' | '.join(splits)} |", "|---|" + "---:|" * len(splits)]
    order = sorted(totals, key=lambda name: (-totals[name], name or ""))
    for name in order[:_SHOWN]:
        cells = " | ".join(f"{counts[split][name]:,}" for split in splits)
        lines.append(f"| {_cell(name) if name is not None else '(unlabelled)'} | {cells} |")
    if rest := order[_SHOWN:]:
        cells = " | ".join(f"{sum(counts[split][name] for name in rest):,}" for split in splits)
        lines.append(f"| ({len(rest)} more) | {cells} |")
    lines.append(f"| **all** | {' | '.join(f'{counts[split].total():,}' for split in splits)} |")
    return "\n".join(lines)


def _tally_table(tallies: dict[str, dict[str, Counter]]) -> str:
    titles = {"skipped": "bad row, skipped", "dropped": "dropped", "remarks": "kept"}
    lines = [
        f"| {split} | {titles[kind]} | {_cell(reason)} | {count:,} |"
        for split, kinds in tallies.items()
        for kind, reasons in kinds.items()
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1])
    ]
    return "\n".join(["| split | | why | rows |", "|---|---|---|---:|", *lines]) if lines else "None."


def _bars(relations: Counter) -> str:
    if not relations:
        return ""
    shown = relations.most_common(_SHOWN)
    width, most = max(len(name) for name, _ in shown), shown[0][1]
    bars = (f"{name:<{width}} {'#' * max(1, round(_BAR * count / most))} {count:,}" for name, count in shown)
    return "```\n" + "\n".join(bars) + "\n```"


def _cell(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")


def write_picture(summary: Summary, path: Path) -> bool:
    """Draws the label distribution (paper, Figure 2): rows a relation, the most frequent first.

    Returns:
        Whether there is a picture; without matplotlib or without labels there is none.
    """
    totals = sum((Counter(found) for found in summary.relations.values()), Counter())
    totals.pop((None,), None)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not totals:
        return False
    shown = totals.most_common(_SHOWN)
    figure = Figure(figsize=(max(6, 0.22 * len(shown)), 4.5), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(shown)), [count for _, count in shown])
    # Dollar signs would start a formula.
    labels = [name.replace("$", r"\$") for (name,), _ in shown]
    axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=7)
    axes.set(ylabel="rows", title=f"{summary.name}: {len(shown)} of {len(totals)} relations")
    figure.savefig(path, dpi=120)
    return True


def to_card(summary: Summary, data_files: dict[str, str], picture: bool) -> DatasetCard:
    """The whole card, whose header tells `load_dataset` where the splits lie.

    Args:
        summary: The counts.
        data_files: Split to the pattern of its files.
        picture: Whether `PICTURE` lies beside the card.
    """
    header = DatasetCardData(
        pretty_name=summary.name,
        license="other",
        task_categories=["text-classification"],
        tags=["relation-extraction"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": path} for split, path in data_files.items()],
            }
        ],
    )
    return DatasetCard(f"---\n{header.to_yaml()}\n---\n\n{to_markdown(summary, picture)}")
