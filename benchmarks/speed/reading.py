"""Measure what reading corpora costs, and check the examples of real corpora against their files.

    python -m benchmarks.speed.reading speed [--rows 2000000]
    python -m benchmarks.speed.reading check --data_root FOLDER

`speed` reads a generated NYT+FB file and compares side by side: our writing of rows with the
library's own, which looks at every value again; two processes with one; and streaming. Rates by
wall time suffer from other work on the machine, those by CPU time (of all processes together)
hardly. `check` compares FOLDER/{fewrel,redocred,fire,core} with slow code of its own.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODES = {
    "ours": "one process",
    "library": "values looked at again by the library",
    "stream": "streamed",
    "two": "two processes",
}
WORDS = "the a of in for company city man said that has been with market old"


def write_nyt_fb(path: Path, rows: int) -> None:
    """Write a file of nine columns.

    Sentences have 30 words; 7 % of the rows have one argument twice, and 2 % have a label.
    """
    rng = random.Random(0)
    vocabulary = WORDS.split()
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            head = f"Name{number % 977} Roe"
            tail = f"Org{number % 353}"
            words = rng.choices(vocabulary, k=30)
            words[5] = head
            words[17] = tail
            if number % 14 == 0:
                words[25] = tail
            sentence = " ".join(words)
            tags = "NN " * sentence.count(" ") + "NN"
            label = "/business/company/founder" if number % 50 == 0 else ""
            types = "PERSON-ORGANIZATION"
            source = f"2001/{number}.xml"
            columns = ("nsubj<-said->dobj", head, tail, types, "TRIGGER:said", source)
            file.write("\t".join((*columns, sentence, tags, label)) + "\n")


def measure(path: Path, mode: str) -> dict[str, int]:
    """Read the file in a process of its own, and return what it took."""
    command = [sys.executable, "-m", "benchmarks.speed.reading", "worker"]
    command += ["--file", str(path), "--mode", mode]
    with tempfile.TemporaryDirectory() as home:
        settings = {"HF_HOME": home, "OMP_NUM_THREADS": "1"}
        settings["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
        environment = {**os.environ, **settings}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
    return json.loads(done.stdout)


def worker(path: Path, mode: str) -> None:
    """Make one measurement and print it as JSON; a mode is one of `MODES`."""
    if mode != "two" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from data_scripts import builder, load_relation_dataset

    if mode == "library":
        builder._StoredFeatures.encode_example = builder.datasets.Features.encode_example
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = {"train": str(path)}
    wall = time.perf_counter()
    cpu = sum(os.times()[:4])  # includes the children
    if mode == "stream":
        splits = load_relation_dataset("nyt_fb", data_files=files, streaming=True)
        rows = sum(1 for _ in splits["train"])
    else:
        num_proc = 2 if mode == "two" else None
        splits = load_relation_dataset("nyt_fb", data_files=files, num_proc=num_proc)
        rows = splits["train"].num_rows
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(processes).ru_maxrss for processes in who) / 1024
    figures = {
        "rows": rows,
        "rows_per_wall_s": round(rows / (time.perf_counter() - wall)),
        "rows_per_cpu_s": round(rows / (sum(os.times()[:4]) - cpu)),
        "peak_mb": round(peak),
        "imports_mb": round(imported),
    }
    print(json.dumps(figures))


def speed(args: argparse.Namespace) -> None:
    """Measure all rows with our writing, then a tenth of them in each way."""
    from ..runs import write_report

    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole.tsv")
        tenth = Path(folder, "tenth.tsv")
        write_nyt_fb(whole, args.rows)
        write_nyt_fb(tenth, args.rows // 10)
        results = {"whole file": measure(whole, "ours")}
        results |= {f"a tenth, {name}": measure(tenth, mode) for mode, name in MODES.items()}
    columns = "rows", "rows/s of wall time", "rows/s of CPU time", "peak memory (MB)"
    lines = [f"| | {' | '.join(columns)} | of it imports |", "|---|---:|---:|---:|---:|---:|"]
    for name, result in results.items():
        lines.append(f"| {name} | {' | '.join(f'{value:,}' for value in result.values())} |")
    cores = len(os.sched_getaffinity(0))
    write_report(args, "speed/reading", {"cores": cores, "reading": results}, "\n".join(lines))


def check(args: argparse.Namespace) -> None:
    """Compare every example of the real corpora with the source, read by other code."""
    from data_scripts import load_relation_dataset

    from ..runs import write_report

    sources = {
        "fewrel": (
            "fewrel",
            {"val_wiki": "val_wiki.json", "val_pubmed": "val_pubmed.json"},
            fewrel_rows,
        ),
        "docred": ("redocred", {"validation": "dev_revised.json"}, docred_rows),
        "spert": ("fire", {"validation": "fire_dev.json", "test": "fire_test.json"}, spert_rows),
        "core": ("core", {"train": "train.json", "test": "test.json"}, core_rows),
    }
    lines = ["| file | rows, all as in the source | relations | dropped |", "|---|---:|---:|---:|"]
    figures = {}
    total = 0
    for name, (folder, files, rows_of) in sources.items():
        dataset = load_relation_dataset(name, data_dir=str(args.data_root / folder))
        for split, file in files.items():
            rows = dataset[split].to_list()
            source = json.loads((args.data_root / folder / file).read_text())
            dropped = check_split(f"{name}, {split}", rows, source, rows_of)
            relations = len({row["relation"] for row in rows})
            total += len(rows)
            lines.append(f"| {folder}/{file} | {len(rows):,} | {relations} | {dropped:,} |")
            figures[f"{folder}/{file}"] = {"rows": len(rows), "dropped": dropped}
    lines.append(f"| **all** | {total:,} | | |")
    write_report(args, "speed/reading_check", figures, "\n".join(lines))


def check_split(name: str, rows: list[dict], source: Any, rows_of: Callable) -> int:
    """Fail unless the rows of a split are those of its file; return how many the file has more.

    Args:
        name: What an error message calls the split.
        rows: Of the instance schema.
        source: The content of the file.
        rows_of: Makes the expected rows of it, and counts those without both mentions in a
            sentence.
    """
    from modeling_siamure.markers import neutralize, read_markers

    for row in rows:
        marked = read_markers(row["text"])
        assert marked.sentence == neutralize(row["sentence"])
        assert marked.head == (row["head_start"], row["head_end"])
        assert marked.tail == (row["tail_start"], row["tail_end"])
        assert row["sentence"][slice(*marked.head)] == row["head"]
        assert row["sentence"][slice(*marked.tail)] == row["tail"]
    columns = ("sentence", "head", "head_type", "tail", "tail_type", "relation")
    actual = Counter(tuple(row[column] for column in columns) for row in rows)
    expected, dropped = rows_of(source, actual)
    differences = (actual - expected) + (expected - actual)
    assert actual == expected, f"{name}: {list(differences)[:2]}"
    return dropped


def fewrel_rows(source: dict, actual: Counter) -> tuple[Counter, int]:
    """Return the rows of a FewRel file."""
    rows: Counter = Counter()
    for relation, instances in source.items():
        for instance in instances:
            tokens = instance["tokens"]
            head, tail = (
                " ".join(tokens[position] for position in instance[entity][2][0]) for entity in "ht"
            )
            rows[" ".join(tokens), head, None, tail, None, relation] += 1
    return rows, 0


def docred_rows(source: list, actual: Counter) -> tuple[Counter, int]:
    """Return the rows of a DocRED file, and the number of labels without a common sentence.

    Any pair of mentions in one sentence would be right, so the row that was read decides.
    """
    rows: Counter = Counter()
    dropped = 0
    left = actual.copy()
    for document in source:
        for label in document["labels"]:
            choices = [
                (
                    " ".join(document["sents"][one["sent_id"]]),
                    " ".join(document["sents"][one["sent_id"]][slice(*one["pos"])]),
                    one["type"],
                    " ".join(document["sents"][other["sent_id"]][slice(*other["pos"])]),
                    other["type"],
                    label["r"],
                )
                for one in document["vertexSet"][label["h"]]
                for other in document["vertexSet"][label["t"]]
                if one["sent_id"] == other["sent_id"]
            ]
            if choices:
                chosen = next((row for row in choices if left[row]), choices[0])
                left[chosen] -= 1
                rows[chosen] += 1
            else:
                dropped += 1
    return rows, dropped


def spert_rows(source: list, actual: Counter) -> tuple[Counter, int]:
    """Return the rows of a SpERT file."""
    rows: Counter = Counter()
    for sentence in source:
        tokens = sentence["tokens"]
        for relation in sentence["relations"]:
            entities = [sentence["entities"][relation[role]] for role in ("head", "tail")]
            head, tail = (" ".join(tokens[entity["start"] : entity["end"]]) for entity in entities)
            head_type, tail_type = (entity["type"] for entity in entities)
            rows[" ".join(tokens), head, head_type, tail, tail_type, relation["type"]] += 1
    return rows, 0


def core_rows(source: list, actual: Counter) -> tuple[Counter, int]:
    """Return the rows of a CORE file."""
    rows: Counter = Counter()
    for row in source:
        tokens = row["context"]
        first, second = (
            " ".join(tokens[row[f"{entity}_start"] : row[f"{entity}_end"] + 1])
            for entity in ("e1", "e2")
        )
        head, tail = (second, first) if row["invert_relation"] else (first, second)
        rows[" ".join(tokens), head, None, tail, None, row.get("relation") or None] += 1
    return rows, 0


def parse_worker(argv: list[str]) -> tuple[Path, str]:
    """Parse what `measure` gives to its process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path)
    parser.add_argument("--mode", choices=MODES)
    args = parser.parse_args(argv)
    return args.file, args.mode


def main() -> None:
    """Run the benchmark."""
    if sys.argv[1:2] == ["worker"]:  # the measured process has no use for torch
        worker(*parse_worker(sys.argv[2:]))
        return
    from ..runs import BenchmarkParser

    parser = BenchmarkParser(__doc__)
    parser.add_argument("part", choices=("speed", "check"))
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--data_root", type=Path, help="Folder with a folder per corpus.")
    args = parser.parse_args()
    if args.part == "speed":
        speed(args)
        return
    if args.data_root is None:
        parser.error("check needs --data_root")
    check(args)


if __name__ == "__main__":
    main()
