"""The files of a discovery."""

import copy
import csv
import re
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from huggingface_hub import ModelCard
from transformers import AutoModel, AutoTokenizer

from modeling_siamure.cli import main
from modeling_siamure.clustering.assignment import SKIPPED, UNASSIGNED, Assignment
from modeling_siamure.clustering.descriptions import ClusterDescription
from modeling_siamure.discovery.outputs import (
    ADDED,
    write_assignments,
    write_clusters,
    write_model,
)
from modeling_siamure.utils.escaping import python_string
from tests.helpers.commands import run
from tests.helpers.rows import make_rows, write_rows

CLUSTERS = [
    ClusterDescription("first", 1, [], id="2"),
    ClusterDescription("second", 1, [], id="0.1"),
]
ASSIGNMENT = Assignment(
    labels=np.array([1, UNASSIGNED, SKIPPED]),
    clusters=np.array([1, 0, SKIPPED]),
    scores=np.array([0.75, 0.5, np.nan]),
    distances=np.array([0.25, 1.0, np.nan]),
    margins=np.array([0.5, 0.0, np.nan]),
    is_reversed=np.array([True, False, False]),
)


@pytest.mark.parametrize("block_size", [10_000, 2, 1])
def test_assignments_by_hand(tmp_path, block_size):
    path = tmp_path / "assignments.parquet"
    dataset = Dataset.from_dict({"text": ["a", "b", None]})
    write_assignments(path, dataset, ASSIGNMENT, CLUSTERS, {}, block_size)
    columns = ("text", "cluster", "cluster_id", "name", "score", "margin", "reversed")
    rows = [
        ("a", 1, "0.1", "second", 0.75, 0.5, True),
        ("b", -1, None, "unassigned", 0.5, 0.0, False),
        (None, -2, None, "skipped", None, None, False),
    ]
    table = pq.read_table(path)
    assert table.column_names == list(columns)
    assert table.to_pylist() == [dict(zip(columns, row, strict=True)) for row in rows]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_columns_of_the_source_stay_distinct(tmp_path):
    path = tmp_path / "assignments.parquet"
    columns = {
        "name": ["a", "b", "c"],
        "source_name": ["d", "e", "f"],
        "source_source_score": [1, 2, 3],
        "score": [4, 5, 6],
        "source_score": [7, 8, 9],
        "cluster": [10, 11, 12],
    }
    write_assignments(path, Dataset.from_dict(columns), ASSIGNMENT, CLUSTERS, {})
    table = pq.read_table(path)
    assert len(set(table.column_names)) == len(table.column_names) == len(columns) + 6
    assert table.column("name").to_pylist() == ["second", "unassigned", "skipped"]
    written = table.drop_columns(list(ADDED)).to_pydict()
    assert written == {
        "source_source_name": columns["name"],
        "source_name": columns["source_name"],
        "source_source_score": columns["source_source_score"],
        "source_source_source_score": columns["score"],
        "source_score": columns["source_score"],
        "source_cluster": columns["cluster"],
    }


def test_a_failure_leaves_no_file(tmp_path):
    short = replace(ASSIGNMENT, scores=ASSIGNMENT.scores[:2])
    dataset = Dataset.from_dict({"text": ["a", "b", None]})
    with pytest.raises(ValueError, match="length"):
        write_assignments(tmp_path / "assignments.parquet", dataset, short, CLUSTERS, {})
    assert list(tmp_path.iterdir()) == []


def test_clusters_as_csv(fitted, tmp_path):
    fitted = copy.copy(fitted)
    fitted.labels_ = fitted.labels_.copy()
    fitted.labels_[:3] = UNASSIGNED  # so that the last line is there
    write_clusters(tmp_path / "clusters.csv", fitted, num_examples=2)
    with (tmp_path / "clusters.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0])[5:9] == ["trigger_words", "parts", "cluster_id", "note"]
    assert list(lines[0])[9:] == ["central_1", "central_2", "borderline_1", "borderline_2"]
    for number, cluster in enumerate(fitted.clusters_):
        line = lines[number]
        assert (int(line["cluster"]), line["name"]) == (number, cluster.name)
        assert (line["cluster_id"], line["note"]) == (str(number), "")
        assert int(line["size"]) == cluster.size
        assert float(line["share"]) == cluster.size / 60
        assert line["type_pairs"] == f"PERSON→FIRM {cluster.size}"
        assert line["trigger_words"] == ", ".join(cluster.words)
        parts = [f"{', '.join(part.words[:3])} {part.size}" for part in cluster.parts]
        assert line["parts"] == "; ".join(parts)
        assert line["central_1"] == cluster.examples[0]
        assert line["borderline_1"] == cluster.borderline_examples[0]
    num_unassigned = int((fitted.labels_ == UNASSIGNED).sum())
    (unassigned,) = lines[len(fitted.clusters_) :]
    assert (unassigned["cluster"], unassigned["name"]) == ("-1", "unassigned")
    assert int(unassigned["size"]) == num_unassigned


def test_a_model_with_its_card(fitted, rows, tmp_path):
    write_model(fitted, tmp_path, "my-relations", "mine.jsonl")
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "\n# my-relations\n" in card
    assert "mine.jsonl, 60 sentences to cluster" in card and "none on these data" in card
    assert f"| clusters found by | {fitted.clustering_method_} |" in card
    model = AutoModel.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    h = model(**tokenizer(rows["text"][0], return_tensors="pt")).relation_embedding
    np.testing.assert_allclose(h[0].detach(), fitted.embeddings_[0], atol=1e-5)
    assert model.config.cluster_sizes == fitted.model_.config.cluster_sizes


@pytest.fixture
def discover(recipe, tmp_path, monkeypatch):
    """Discover the relations of rows by the command, and return the card."""
    monkeypatch.chdir(tmp_path)

    def discover_rows(rows):
        write_rows(tmp_path / "mine.jsonl", rows)
        command = ("discover", "mine.jsonl", "--output_dir", "runs/out", "--recipe", recipe)
        run(main, *command, "--num_clusters", 3, "--no_progress", "--no_report")
        return ModelCard.load(tmp_path / "runs" / "out" / "model" / "README.md")

    return discover_rows


def test_a_card_with_scores_and_examples_that_run(discover, encoder):
    rows = make_rows(60)
    card = discover(rows)
    assert "nothing was scored" not in card.content
    (cells,) = re.findall(r"\| all 60, in their nearest cluster \|(.*)\|", card.content)
    scores = [float(cell) for cell in cells.split("|")]
    assert [round(100 * result.metric_value, 1) for result in card.data.eval_results] == scores
    assert "| all 60, one cluster per type pair |" in card.content
    assert (card.data.pipeline_tag, card.data.license) == ("feature-extraction", "unknown")
    assert encoder not in card.content  # a path of this machine
    examples = re.findall("```python\n(.*?)```", card.content, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert any(python_string(row["text"]) in example for row in rows)
        names: dict = {}
        exec(example, names)
    assert names["embedding"].shape[0] == 1


def test_a_card_without_gold(discover):
    card = discover([row | {"relation": None} for row in make_rows(60)])
    assert "so nothing was scored" in card.content and card.data.eval_results is None
