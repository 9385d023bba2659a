"""Triples to canonical relations, and the same triples through `siamure discover`."""

import csv
import json

import pyarrow.parquet as pq

from examples.canonical_relations import main
from modeling_siamure.cli import main as siamure
from tests.helpers.commands import run
from tests.helpers.rows import make_rows


def test_it_runs(recipe, tmp_path, capsys, caplog):
    path = tmp_path / "triples.jsonl"
    with path.open("w") as file:
        for number, row in enumerate(make_rows(60)):
            verb = row["sentence"].split()[-4]
            triple = {"subject": row["head"], "object": row["tail"], "evidence": row["sentence"]}
            triple["predicate"] = verb.upper() if number % 2 else verb
            file.write(json.dumps(triple) + "\n")
    main(path, tmp_path / "canonical.csv", 3, recipe)
    with (tmp_path / "canonical.csv").open() as file:
        rows = list(csv.DictReader(file))
    printed = capsys.readouterr().out.splitlines()
    assert len(rows) == 60 and len(printed) == 3
    relations = {row["relation"] for row in rows} - {""}
    assert len(relations) == 3 and all(relation.islower() for relation in relations)
    assert {row["predicate"] for row in rows} >= {"SUED", "sued"}

    output = ("--output_dir", tmp_path / "out", "--recipe", recipe, "--no_report", "--no_progress")
    run(siamure, "discover", path, *output, "--num_clusters", 3)
    assert "triples.jsonl: read as triples: triples: 60" in caplog.text
    written = pq.read_table(tmp_path / "out" / "assignments.parquet").to_pylist()
    assert [row["predicate"] for row in written] == [row["predicate"] for row in rows]
