"""What reading corpora costs, and whether the rows of real corpora are right.

    python -m benchmarks.data speed [--rows 2000000]      a generated NYT+FB file: rows/s on one core, peak memory
    python -m benchmarks.data check --data_root FOLDER    real corpora: counts, and each row against its source

`speed` compares side by side: our writing of rows with the library's own, which looks at every value again; two
processes with one; and streaming. Rates by wall time suffer from other work on the machine, those by CPU time (of all
processes together) hardly. `check` reads FOLDER/{fewrel,redocred,fire,core} with slow code of its own.
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
from pathlib import Path

MODES = {
    "ours": "one process",
    "library": "values looked at again by the library",
    "stream": "streamed",
    "two": "two processes",
}
WORDS = "the a of in for company city man said that has been with market old"


def write_nyt_fb(path: Path, rows: int) -> None:
    """A file of nine columns: 30 words a sentence, one argument twice in 7 % of the rows, a label in 2 %."""
    rng, vocabulary = random.Random(0), WORDS.split()
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            head, tail = f"Name{number % 977} Roe", f"Org{number % 353}"
            words = rng.choices(vocabulary, k=30)
            words[5], words[17] = head, tail
            if number % 14 == 0:
                words[25] = tail
            sentence = " ".join(words)
            tags = "NN " * sentence.count(" ") + "NN"
            label = "/business/company/founder" if number % 50 == 0 else ""
            columns = ("nsubj<-said->dobj", head, tail, "PERSON-ORGANIZATION", "TRIGGER:said", f"2001/{number}.xml")
            file.write("\t".join((*columns, sentence, tags, label)) + "\n")


def measure(path: Path, mode: str) -> dict[str, float]:
    """Reads the file in a process of its own, and gives what it took."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.data", "worker", "--file", path, "--mode", mode],
            env={**os.environ, "HF_HOME": home, "OMP_NUM_THREADS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    return json.loads(done.stdout)


def worker(path: Path, mode: str) -> None:
    """One measurement, printed as JSON; a mode is one of `MODES`."""
    if mode != "two" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import data_scripts.builder
    from data_scripts import load_relation_dataset

    if mode == "library":
        data_scripts.builder._StoredFeatures.encode_example = data_scripts.builder.datasets.Features.encode_example
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = {"train": str(path)}
    wall, cpu = time.perf_counter(), sum(os.times()[:4])  # children included
    if mode == "stream":
        rows = sum(1 for _ in load_relation_dataset("nyt_fb", data_files=files, streaming=True)["train"])
    else:
        dataset = load_relation_dataset("nyt_fb", data_files=files, num_proc=2 if mode == "two" else None)
        rows = dataset["train"].num_rows
    usage = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        json.dumps(
            {
                "rows": rows,
                "rows_per_wall_s": round(rows / (time.perf_counter() - wall)),
                "rows_per_cpu_s": round(rows / (sum(os.times()[:4]) - cpu)),
                "peak_mb": round(max(usage)),
                "imports_mb": round(imported),
            }
        )
    )


def speed(rows: int) -> None:
    """Measures all rows with our writing, then a tenth of them each way, side by side."""
    from .runs import write  # here, because the measured processes have no use for torch's trainer

    with tempfile.TemporaryDirectory() as folder:
        whole, tenth = Path(folder, "whole.tsv"), Path(folder, "tenth.tsv")
        write_nyt_fb(whole, rows)
        write_nyt_fb(tenth, rows // 10)
        results = {"whole file": measure(whole, "ours")}
        results |= {f"a tenth, {name}": measure(tenth, mode) for mode, name in MODES.items()}
    lines = ["| | rows | rows/s of wall time | rows/s of CPU time | peak memory (MB) | of it imports |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for name, result in results.items():
        lines.append(f"| {name} | {' | '.join(f'{value:,}' for value in result.values())} |")
    write("data", {"cores allowed": len(os.sched_getaffinity(0)), "reading": results}, "\n".join(lines))


def check(root: Path) -> None:
    """Compares every row of the real corpora with the source, read by other code."""
    from data_scripts import load_relation_dataset
    from modeling_siamure.markers import neutralize, read_markers

    sources = {
        "fewrel": ("fewrel", {"val_wiki": "val_wiki.json", "val_pubmed": "val_pubmed.json"}, fewrel_rows),
        "docred": ("redocred", {"validation": "dev_revised.json"}, docred_rows),
        "spert": ("fire", {"validation": "fire_dev.json", "test": "fire_test.json"}, spert_rows),
        "core": ("core", {"train": "train.json", "test": "test.json"}, core_rows),
    }
    for name, (folder, files, rows_of) in sources.items():
        dataset = load_relation_dataset(name, data_dir=str(root / folder))
        for split, file in files.items():
            rows = dataset[split].to_list()
            for row in rows:
                marked = read_markers(row["text"])
                assert marked.sentence == neutralize(row["sentence"])
                assert marked.head == (row["head_start"], row["head_end"])
                assert marked.tail == (row["tail_start"], row["tail_end"])
                assert row["sentence"][slice(*marked.head)] == row["head"]
                assert row["sentence"][slice(*marked.tail)] == row["tail"]
            columns = ("sentence", "head", "head_type", "tail", "tail_type", "relation")
            found = Counter(tuple(row[column] for column in columns) for row in rows)
            expected, dropped = rows_of(json.loads((root / folder / file).read_text()), found)
            assert found == expected, f"{name}, {split}: {list((found - expected) + (expected - found))[:2]}"
            relations = len({row["relation"] for row in rows})
            print(f"{name}, {split}: {len(rows):,} rows, {relations} relations, all as in {file}; dropped {dropped:,}")


def fewrel_rows(source: dict, found: Counter) -> tuple[Counter, int]:
    rows = Counter()
    for relation, instances in source.items():
        for instance in instances:
            head, tail = (" ".join(instance["tokens"][i] for i in instance[entity][2][0]) for entity in "ht")
            rows[" ".join(instance["tokens"]), head, None, tail, None, relation] += 1
    return rows, 0


def docred_rows(source: list, found: Counter) -> tuple[Counter, int]:
    """Any pair of mentions in one sentence would be right, so the row that was found decides among them."""
    rows, dropped = Counter(), 0
    left = found.copy()
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


def spert_rows(source: list, found: Counter) -> tuple[Counter, int]:
    rows = Counter()
    for sentence in source:
        for relation in sentence["relations"]:
            head, tail = (sentence["entities"][relation[role]] for role in ("head", "tail"))
            one, other = (" ".join(sentence["tokens"][entity["start"] : entity["end"]]) for entity in (head, tail))
            rows[" ".join(sentence["tokens"]), one, head["type"], other, tail["type"], relation["type"]] += 1
    return rows, 0


def core_rows(source: list, found: Counter) -> tuple[Counter, int]:
    rows = Counter()
    for row in source:
        first, second = (" ".join(row["context"][row[f"{e}_start"] : row[f"{e}_end"] + 1]) for e in ("e1", "e2"))
        head, tail = (second, first) if row["invert_relation"] else (first, second)
        rows[" ".join(row["context"]), head, None, tail, None, row.get("relation") or None] += 1
    return rows, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("speed", "check", "worker"))
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--data_root", type=Path)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part == "speed":
        speed(args.rows)
    elif args.part == "check":
        if not args.data_root:
            parser.error("check needs --data_root")
        check(args.data_root)
    else:
        worker(args.file, args.mode)


if __name__ == "__main__":
    main()
