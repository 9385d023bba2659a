"""What `benchmarks.paper` writes of its cells: `results.json`, tables as CSV and Markdown, and a summary of several."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from modeling_siamure.model_card import SCORES
from modeling_siamure.output import write_atomically

from .paper_experiment import Experiment
from .paper_methods import METHODS, Method, recipe_of
from .runs import machine, shown

COLUMNS = {
    **{"B3 P": "b3_precision", "B3 R": "b3_recall", "B3 F1": "b3_f1"},
    **{"V hom.": "v_measure_homogeneity", "V compl.": "v_measure_completeness", "V F1": "v_measure_f1", "ARI": "ari"},
}
# As printed by Zhang and Chen (2023), in percent: B3 F1, V F1, ARI. They reran the baselines.
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
OTHERS = {"kmeans_": " (k-means)", "head_": " (cluster head)"}  # partitions besides the recipe's
PUBLISHED_DROPOUT = {  # B3 F1 on development data
    "nyt_fb": {0.01: 41.3, 0.05: 42.1, 0.1: 44.3, 0.15: 44.1, 0.2: 43.8, 0.5: 41.5},
    "tacred": {0.01: 50.4, 0.05: 52.1, 0.1: 58.7, 0.15: 57.6, 0.2: 57.1, 0.5: 51.1},
}


def collect(experiment: Experiment) -> dict[str, Any]:
    """The content of `results.json`: all tables, as far as their cells are finished. Scores are lists, one a seed."""
    table2 = []
    for name, method in METHODS.items():
        if records := experiment.records(method) if name in experiment.methods else None:
            table2.append({"method": name, "title": method.title, **_line(experiment, method, records)})
            for prefix, what in OTHERS.items() if method.shows_others else ():
                if f"{prefix}b3_f1" in records[0]["scores"]:
                    line = _line(experiment, method, records, prefix)
                    table2.append({"method": f"{name}_{prefix[:-1]}", "title": method.title + what, **line})
    published = PUBLISHED.get(experiment.corpus.name, {})
    for title, values in published.items():
        scores = {key: [value / 100] for key, value in zip(SCORES.values(), values, strict=True)}
        table2.append({"method": "published", "title": f"published: {title}", "scores": scores})
    return {
        "corpus": experiment.corpus.name,
        "encoder": experiment.encoder_name,
        "num_clusters": experiment.num_clusters,
        "rows": experiment.rows.describe(),
        "seeds": experiment.seeds,
        "notes": experiment.notes,
        "machine": machine(),
        "table2": table2,
        "table3": _sweep(experiment, "table3", "dropout"),
        "figure3": _sweep(experiment, "figure3", "num_neighbors"),
    }


def _sweep(experiment: Experiment, item: str, key: str) -> list[dict[str, Any]]:
    found = {value: (method, experiment.records(method)) for value, method in experiment.sweep(item).items()}
    lines = [{key: value, **_line(experiment, *its)} for value, its in found.items() if its[1]]
    return lines if len(lines) > 1 else []  # one alone, which Table 2 has too, is no sweep


def _line(experiment: Experiment, method: Method, records: list[dict[str, Any]], prefix: str = "") -> dict[str, Any]:
    """What a row of a table holds: its recipe to the letter, its scores, and how long each seed took."""
    line: dict[str, Any] = {"kind": method.kind, "recipe": method.recipe}
    if method.recipe:
        own = {"model_name_or_path": experiment.encoder_name, "num_clusters": experiment.num_clusters}
        line["overrides"] = records[0]["settings"]["overrides"]
        line["settings"] = recipe_of(method.recipe) | own | line["overrides"]
    line["scores"] = {key: [record["scores"][prefix + key] for record in records] for key in COLUMNS.values()}
    if all(record.get("neighbor_accuracy") for record in records):
        line["neighbor_accuracy"] = [record["neighbor_accuracy"] for record in records]
    return {**line, "seconds": [record["seconds"] for record in records]}


# ----------------------------------------------------------------------------------------------------------------------
# Tables


def to_markdown(first: str, lines: Mapping[str, dict[str, list[float]]], caption: str) -> str:
    """A table in Markdown, a line a name, with its caption above it."""
    rows = [f"| {first} | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    for name, scores in lines.items():
        rows.append(f"| {name} | {' | '.join(shown(scores.get(key)) for key in COLUMNS.values())} |")
    return f"{caption}\n\n" + "\n".join(rows) + "\n"


def to_csv(first: str, lines: Mapping[str, dict[str, list[float]]]) -> str:
    """The same as CSV: mean and deviation of each score in percent, empty where there is none."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([first, *(name for key in COLUMNS.values() for name in (key, f"{key}_deviation"))])
    for name, scores in lines.items():
        cells: list[float | str] = []
        for key in COLUMNS.values():
            percent = [100 * value for value in scores.get(key, [])]
            cells += [mean(percent) if percent else "", stdev(percent) if len(percent) > 1 else ""]
        writer.writerow([name, *cells])
    return file.getvalue()


def caption_of(results: Mapping[str, Any], what: str = "mean ± deviation") -> str:
    """Says what was measured on which rows."""
    seeds = ", ".join(map(str, results["seeds"]))
    over = f"{what} over seeds {seeds}" if len(results["seeds"]) > 1 else f"seed {seeds}"
    return (
        f"**{results['corpus']}**, encoder `{results['encoder']}`, {results['num_clusters']} clusters; "
        f"{results['rows']}; {over}, in percent."
    )


def budgets_of(results: Mapping[str, Any]) -> str:
    """What the trained rows of Table 2 share, and what sets the paper's recipe apart."""
    about = {}
    for line in results["table2"]:
        if line.get("kind") in ("trained", "contrastive"):
            its = line["settings"]
            about[line["recipe"]] = (
                f"`recipes/{line['recipe']}.yaml` ({OPTIMIZERS[its.get('optim', 'adamw')]}, learning rate "
                f"{its['learning_rate']:g}; epochs: {its['num_train_epochs']}, siamese alone: {its['warmup_epochs']})"
            )
    sentences = [f"“Ours, paper recipe” is {about['paper']}."] if "paper" in about else []
    if "default" in about:
        others = "All other" if sentences else "The"
        sentences.append(f"{others} trained rows are {about['default']} but for what their name says.")
        sentences.append("Only “ours, default recipe” takes the encoder back towards its start.")
    return " ".join(sentences)


def write_report(experiment: Experiment) -> dict[str, Any]:
    """Writes `results.json` and the tables that there are cells for; returns the content of the former."""
    results, folder = collect(experiment), experiment.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "results.json", json.dumps(results, indent=2) + "\n")
    tables = {"table2": {line["title"]: line["scores"] for line in results["table2"]}}
    tables["table3"] = {f"{line['dropout']:g}": line["scores"] for line in results["table3"]}
    captions = {"table2": [budgets_of(results), *results["notes"]], "table3": ["The default recipe by dropout."]}
    if published := PUBLISHED_DROPOUT.get(results["corpus"]):
        for dropout, value in published.items():
            tables["table3"][f"published: {dropout:g}, development data"] = {"b3_f1": [value / 100]}
    if results["corpus"] in PUBLISHED:
        captions["table2"].append("Published: printed by Zhang and Chen (2023), who print no other columns.")
    for name, lines in tables.items():
        for ending in (".md", ".csv"):  # those of other settings
            (folder / (name + ending)).unlink(missing_ok=True)
        if all(title.startswith("published") for title in lines):
            continue
        caption = " ".join([caption_of(results), *filter(None, captions[name])])
        write_atomically(folder / f"{name}.md", to_markdown("" if name == "table2" else "dropout", lines, caption))
        write_atomically(folder / f"{name}.csv", to_csv("method" if name == "table2" else "dropout", lines))
    return results


def summarize(folders: list[Path]) -> str:
    """One table of several corpora: B3 F1 / V F1 / ARI of each method, means over seeds in percent.

    Args:
        folders: With a `results.json` each.

    Raises:
        OSError, ValueError: One can't be read.
    """
    found = []
    for folder in folders:
        path = folder / "results.json"
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path} is no result of this benchmark: {error}") from None
    tables = [{line["title"]: line["scores"] for line in results["table2"]} for results in found]
    order = [
        title
        for method in METHODS.values()
        for title in (method.title, *(method.title + other for other in OTHERS.values()))
    ]
    titles = [title for title in [*order, "published: SiamURE"] if any(title in table for table in tables)]
    columns = [f"{results['corpus']} (C = {results['num_clusters']})" for results in found]
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(found)]
    for title in titles:
        cells = []
        for table in tables:
            scores = table.get(title)
            means = [f"{100 * mean(scores[key]):.1f}" for key in SCORES.values()] if scores else ["–"]
            cells.append(" / ".join(means))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    captions = "\n".join(f"- {caption_of(results, 'mean')}" for results in found)
    return f"{' / '.join(SCORES)}\n\n" + "\n".join(lines) + f"\n\n{captions}\n"
