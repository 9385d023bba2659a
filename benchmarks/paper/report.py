"""Write what the cells of `benchmarks.paper` say: tables per corpus, and a summary of several."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from modeling_siamure.training.model_card import SCORES
from modeling_siamure.utils.files import atomic_write

from ..runs import format_scores, merge_provenance, render
from .experiment import Experiment
from .methods import METHODS, Method, recipe_of

COLUMNS = {
    "B3 P": "b3_precision",
    "B3 R": "b3_recall",
    "B3 F1": "b3_f1",
    "V hom.": "v_measure_homogeneity",
    "V compl.": "v_measure_completeness",
    "V F1": "v_measure_f1",
    "ARI": "ari",
}
# Printed by Zhang and Chen (2023, Table 2), in percent: B3 F1, V F1, ARI. They reran the baselines.
PUBLISHED = {
    "nyt_fb": {
        "rel-LDA": (29.1, 30.0, 13.3),
        "March": (35.2, 27.0, 18.7),
        "UIE-PCNN": (37.5, 38.7, 27.6),
        "UIE-BERT": (38.7, 37.8, 29.4),
        "EType": (41.9, 40.6, 32.7),
        "SelfORE": (41.4, 40.4, 35.0),
        "EIURE": (43.1, 42.7, 34.5),
        "HiURE": (44.3, 44.9, 38.3),
        "SiamURE without MLPs": (40.5, 43.3, 31.0),
        "SiamURE without clustering": (41.9, 44.7, 32.1),
        "SiamURE": (44.9, 45.7, 39.6),
    },
    "tacred": {
        "rel-LDA": (35.6, 38.0, 21.9),
        "March": (38.8, 40.6, 25.3),
        "UIE-PCNN": (41.4, 41.3, 30.6),
        "UIE-BERT": (43.1, 49.4, 32.5),
        "EType": (49.3, 53.6, 35.7),
        "SelfORE": (47.6, 52.1, 36.1),
        "EIURE": (52.2, 58.7, 38.6),
        "HiURE": (55.8, 59.7, 40.5),
        "SiamURE without MLPs": (53.6, 59.5, 44.0),
        "SiamURE without clustering": (56.1, 64.1, 48.4),
        "SiamURE": (59.5, 66.7, 50.6),
    },
}
OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}
OTHERS = {"kmeans_": " (k-means)", "head_": " (cluster head)"}  # clusterings besides the recipe's
PUBLISHED_DROPOUT = {  # Zhang and Chen (2023, Table 3): B3 F1 on development data
    "nyt_fb": {0.01: 41.3, 0.05: 42.1, 0.1: 44.3, 0.15: 44.1, 0.2: 43.8, 0.5: 41.5},
    "tacred": {0.01: 50.4, 0.05: 52.1, 0.1: 58.7, 0.15: 57.6, 0.2: 57.1, 0.5: 51.1},
}


def collect(experiment: Experiment) -> dict[str, Any]:
    """Return the content of `results.json`: all tables, as far as their cells are finished.

    Scores are lists, one per seed.
    """
    lines = []
    measured = []
    for name, method in experiment.methods.items():
        records = experiment.records(method)
        if records is None:
            continue
        measured += [record["measured"] for record in records]
        lines.append({"method": name, **_line(experiment, method, method.title, records)})
        for prefix, suffix in OTHERS.items() if method.shows_others else ():
            if f"{prefix}b3_f1" in records[0]["scores"]:
                line = _line(experiment, method, method.title + suffix, records, prefix)
                lines.append({"method": f"{name}_{prefix[:-1]}", **line})
    for title, values in PUBLISHED.get(experiment.corpus.name, {}).items():
        pairs = zip(SCORES.values(), values, strict=True)
        scores = {key: [value / 100] for key, value in pairs}
        lines.append({"method": "published", "title": f"published: {title}", "scores": scores})
    sweeps = {}
    for item, key in (("table3", "dropout"), ("figure3", "num_neighbors")):
        sweeps[item], dates = _sweep(experiment, item, key)
        measured += dates
    return {
        "corpus": experiment.corpus.name,
        "encoder": experiment.encoder_name,
        "num_clusters": experiment.num_clusters,
        "rows": experiment.examples.describe(),
        "seeds": experiment.seeds,
        "notes": experiment.notes,
        "measured": merge_provenance(measured),
        "table2": lines,
        **sweeps,
    }


def _sweep(
    experiment: Experiment, item: str, key: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the lines of a sweep, and where and when they were measured."""
    lines = []
    measured = []
    for value, method in experiment.sweep(item).items():
        if records := experiment.records(method):
            lines.append({key: value, **_line(experiment, method, "", records)})
            measured += [record["measured"] for record in records]
    # One line alone, which Table 2 has too, is no sweep.
    return (lines, measured) if len(lines) > 1 else ([], [])


def _line(
    experiment: Experiment,
    method: Method,
    title: str,
    records: Sequence[Mapping[str, Any]],
    prefix: str = "",
) -> dict[str, Any]:
    """Return what a row of a table holds: all settings, the scores, and the seconds per seed."""
    line: dict[str, Any] = {"title": title, "kind": method.kind, "recipe": method.recipe}
    if method.recipe:
        model = {
            "model_name_or_path": experiment.encoder_name,
            "num_clusters": experiment.num_clusters,
        }
        line["overrides"] = records[0]["settings"]["overrides"]
        line["settings"] = recipe_of(method.recipe) | model | line["overrides"]
    line["scores"] = {
        key: [record["scores"][prefix + key] for record in records] for key in COLUMNS.values()
    }
    if all(record.get("neighbor_accuracy") for record in records):
        line["neighbor_accuracy"] = [record["neighbor_accuracy"] for record in records]
    line["seconds"] = [record["seconds"] for record in records]
    return line


# --------------------------------------------------------------------------------------------------
# Tables


def to_markdown(first: str, lines: Mapping[str, dict[str, list[float]]]) -> str:
    """Return a table in Markdown: a line per name."""
    rows = [f"| {first} | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    for name, scores in lines.items():
        cells = [format_scores(scores.get(key)) for key in COLUMNS.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def to_csv(first: str, lines: Mapping[str, dict[str, list[float]]]) -> str:
    """Return a table as CSV: mean and deviation of each score in percent, empty without one."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = [name for key in COLUMNS.values() for name in (key, f"{key}_deviation")]
    writer.writerow([first, *columns])
    for name, scores in lines.items():
        cells: list[float | str] = []
        for key in COLUMNS.values():
            percent = [100 * value for value in scores.get(key, [])]
            cells.append(mean(percent) if percent else "")
            cells.append(stdev(percent) if len(percent) > 1 else "")
        writer.writerow([name, *cells])
    return file.getvalue()


def caption_of(results: Mapping[str, Any], what: str = "mean ± deviation") -> str:
    """Say what was measured on which examples."""
    seeds = ", ".join(map(str, results["seeds"]))
    over = f"{what} over seeds {seeds}" if len(results["seeds"]) > 1 else f"seed {seeds}"
    return (
        f"**{results['corpus']}**, encoder `{results['encoder']}`, {results['num_clusters']} "
        f"clusters; {results['rows']}; {over}, in percent."
    )


def budgets_of(results: Mapping[str, Any]) -> str:
    """Say what the trained rows of Table 2 share, and what sets the paper's recipe apart."""
    about = {}
    for line in results["table2"]:
        if line.get("kind") in ("trained", "contrastive"):
            settings = line["settings"]
            about[line["recipe"]] = (
                f"`recipes/{line['recipe']}.yaml` "
                f"({OPTIMIZERS[settings.get('optim', 'adamw')]}, learning rate "
                f"{settings['learning_rate']:g}; epochs: {settings['num_train_epochs']}, "
                f"siamese alone: {settings['warmup_epochs']})"
            )
    sentences = [f"“Ours, paper recipe” is {about['paper']}."] if "paper" in about else []
    if "default" in about:
        others = "All other" if sentences else "The"
        sentences.append(
            f"{others} trained rows are {about['default']} but for what their name says."
        )
        sentences.append("Only “ours, default recipe” takes the encoder back towards its start.")
    return " ".join(sentences)


def tables_of(results: Mapping[str, Any]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return the scores of Tables 2 and 3 by row; a table without rows of ours is left out."""
    tables = {
        "table2": {line["title"]: line["scores"] for line in results["table2"]},
        "table3": {f"{line['dropout']:g}": line["scores"] for line in results["table3"]},
    }
    for dropout, value in PUBLISHED_DROPOUT.get(results["corpus"], {}).items():
        title = f"published: {dropout:g}, development data"
        tables["table3"][title] = {"b3_f1": [value / 100]}
    return {
        name: lines
        for name, lines in tables.items()
        if not all(title.startswith("published") for title in lines)
    }


def neighbor_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return Figure 3 as a table: neighbor accuracy of the last mining, and B3 F1, by K."""
    rows = ["| K | neighbor accuracy, last mining | B3 F1 |", "|---:|---:|---:|"]
    for line in lines:
        accuracy = [mined[-1] for mined in line.get("neighbor_accuracy", [])]
        cells = [format_scores(accuracy), format_scores(line["scores"]["b3_f1"])]
        rows.append(f"| {line['num_neighbors']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def settings_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return what sets each row apart from its recipe, and its mean seconds per seed."""
    rows = ["| row | recipe | differs in | seconds per seed |", "|---|---|---|---:|"]
    for line in lines:
        if line["method"] == "published" or line["title"].endswith(tuple(OTHERS.values())):
            continue
        overrides = ", ".join(
            f"`{key}: {value}`" for key, value in line.get("overrides", {}).items()
        )
        cells = [line["title"], line["recipe"] or "–", overrides or "–"]
        rows.append(f"| {' | '.join(cells)} | {mean(line['seconds']):.0f} |")
    return "\n".join(rows)


def render_body(results: Mapping[str, Any]) -> str:
    """Return the report of a corpus as Markdown, without what `benchmarks.runs.render` adds."""
    tables = tables_of(results)
    caption = caption_of(results)
    parts = []
    if "table2" in tables:
        captions = [caption, budgets_of(results), *results["notes"]]
        if results["corpus"] in PUBLISHED:
            captions.append(
                "Published: printed by Zhang and Chen (2023), who print no other columns."
            )
        parts += ["## Table 2", " ".join(filter(None, captions))]
        parts.append(to_markdown("", tables["table2"]))
    if "table3" in tables:
        parts += ["## Table 3", f"{caption} The default recipe by dropout."]
        parts.append(to_markdown("dropout", tables["table3"]))
    if results["figure3"]:
        parts += ["## Figure 3", f"{caption} The default recipe by K, the neighbors mined."]
        parts.append(neighbor_table(results["figure3"]))
    if "table2" in tables:
        parts += ["## Settings of Table 2", settings_table(results["table2"])]
    return "\n\n".join(parts)


def write_tables(experiment: Experiment, path: Path, summary: str, command: str) -> dict[str, Any]:
    """Write `results.json` and the tables that there are cells for.

    Args:
        experiment: Its folder gets `results.json` and the tables as CSV.
        path: Of the report in Markdown.
        summary: One sentence on the benchmark.
        command: What runs the benchmark.

    Returns:
        The content of `results.json`.
    """
    results = collect(experiment)
    folder = experiment.folder
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / "results.json", json.dumps(results, indent=2) + "\n")
    tables = tables_of(results)
    for name, first in (("table2", "method"), ("table3", "dropout")):
        (folder / f"{name}.csv").unlink(missing_ok=True)  # that of other settings
        if name in tables:
            atomic_write(folder / f"{name}.csv", to_csv(first, tables[name]))
    path.parent.mkdir(parents=True, exist_ok=True)
    body = render_body(results)
    atomic_write(path, render(path.stem, summary, command, results["measured"], body))
    return results


# --------------------------------------------------------------------------------------------------
# A summary of several corpora


def read_results(folder: Path) -> dict[str, Any]:
    """Read the `results.json` of a work folder.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON.
    """
    path = folder / "results.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no result of this benchmark: {error}") from None


def summarize(corpora: Sequence[Mapping[str, Any]]) -> str:
    """Return one table of several corpora: B3 F1 / V F1 / ARI, means over seeds in percent.

    Args:
        corpora: The content of their `results.json`.
    """
    tables = [{line["title"]: line["scores"] for line in results["table2"]} for results in corpora]
    order = [
        method.title + suffix for method in METHODS.values() for suffix in ("", *OTHERS.values())
    ]
    order.append("published: SiamURE")
    titles = [title for title in order if any(title in table for table in tables)]
    columns = [f"{results['corpus']} (C = {results['num_clusters']})" for results in corpora]
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(corpora)]
    for title in titles:
        cells = []
        for table in tables:
            means = ["–"]
            if title in table:
                scores = table[title]
                means = [f"{100 * mean(scores[key]):.1f}" for key in SCORES.values()]
            cells.append(" / ".join(means))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    captions = "\n".join(f"- {caption_of(results, 'mean')}" for results in corpora)
    return f"{' / '.join(SCORES)}\n\n" + "\n".join(lines) + f"\n\n{captions}\n"
