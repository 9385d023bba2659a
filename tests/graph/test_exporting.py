"""Exports, read back by the library that they are for."""

import csv
import json
import re

import networkx as nx
import pyarrow.parquet as pq
import pytest
import rdflib
from rdflib.namespace import OWL, RDF, RDFS

from data_scripts.loading import load_user_file
from modeling_siamure.graph import FORMATS, export
from tests.helpers.discoveries import EVIL, write_discovery


@pytest.fixture
def folder(tmp_path):
    return write_discovery(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_triples(folder, ending):
    path = export(folder, "triples", folder / f"t{ending}")
    if ending == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["evidence"] = json.loads(row["evidence"])
    else:
        rows = pq.read_table(path).to_pylist()
    assert len(rows) == 17
    assert {(row["head"], row["tail"], row["evidence"][0]) for row in rows} >= {
        ("Kim0", "Lee0", "10"),
        ("Lee0", "Kim0", "20"),
    }
    (evil,) = [row for row in rows if row["evidence"] == ["x;y"]]
    assert evil["head"] == ("'" if ending == ".csv" else "") + EVIL
    assert (evil["head_type"], float(evil["mean_score"])) == ("A;B", 0.5)
    assert list(rows[0]) == [
        *("head", "relation", "tail", "head_type", "tail_type", "support", "mean_score"),
        "evidence",
    ]


def test_graphml(folder):
    graph = nx.read_graphml(export(folder, "graphml"))
    assert graph.is_directed() and graph.number_of_edges() == 17
    labels = nx.get_node_attributes(graph, "label")
    assert EVIL.replace("\x01", "") in labels.values()  # XML can't hold that character
    edges = {
        (labels[head], data["label"], labels[tail]): data
        for head, tail, data in graph.edges(data=True)
    }
    edge = edges["Kim0", "PERSON→PERSON · child, son", "Lee0"]
    assert (edge["support"], edge["weight"], edge["evidence"]) == (1, 1.0, "10")


@pytest.mark.parametrize(("to", "syntax"), [("turtle", "turtle"), ("jsonld", "json-ld")])
def test_rdf(folder, to, syntax):
    graph = rdflib.Graph().parse(export(folder, to), format=syntax)
    ours = rdflib.Namespace("urn:siamure:")
    child, parent = ours["relation/0"], ours["relation/1"]
    assert (child, OWL.inverseOf, parent) in graph and (parent, OWL.inverseOf, child) in graph
    statements = list(graph.subjects(RDF.type, RDF.Statement))
    assert len(statements) == 17
    (statement,) = graph.subjects(ours.evidence, rdflib.Literal("10"))
    head, tail = graph.value(statement, RDF.subject), graph.value(statement, RDF.object)
    assert (head, child, tail) in graph
    assert graph.value(head, RDFS.label) == rdflib.Literal("Kim0")
    labels = {str(label) for label in graph.objects(None, RDFS.label)}
    assert EVIL in labels and "A;B" in labels


def test_neo4j_by_the_rules_of_its_importer(folder):
    path = export(folder, "neo4j", folder / "graph")
    with (path / "nodes.csv").open(newline="", encoding="utf-8") as file:
        nodes = {row["id:ID"]: row for row in csv.DictReader(file)}
    with (path / "relationships.csv").open(newline="", encoding="utf-8") as file:
        edges = list(csv.DictReader(file))
    assert len(edges) == 17 and all(len(row[":LABEL"].split(";")) <= 2 for row in nodes.values())
    assert {row[":START_ID"] for row in edges} | {row[":END_ID"] for row in edges} == set(nodes)
    (evil,) = [row for row in nodes.values() if row["name"] == EVIL]
    assert evil[":LABEL"] == "Entity;A,B"
    script = (path / "load.cypher").read_text(encoding="utf-8")
    for name in {row[":TYPE"] for row in edges}:
        assert re.fullmatch(r"\w+", name) and f"[r:`{name}`]" in script
    assert script.count("LOAD CSV") == 1 + 3


def test_schema_and_labels(folder):
    child, parent, wed = json.loads(export(folder, "schema").read_text())["relations"]
    assert (child["description"], child["sentences"]) == ("child, son", 4)
    assert (child["inverse_of"], parent["inverse_of"]) == (parent["name"], child["name"])
    assert wed["types"][1] == {"head": "A;B", "tail": "C", "share": round(1 / 9, 4)}
    labels = json.loads(export(folder, "gliner").read_text())
    assert labels["labels"] == ["PERSON"] and labels["relations"][0]["relation"] == "child, son"


def test_inverse_relations_become_one(folder):
    path = export(folder, "schema", merges_inverses=True)
    relations = json.loads(path.read_text())["relations"]
    assert [(relation["id"], relation["sentences"]) for relation in relations] == [(0, 8), (2, 9)]


@pytest.mark.parametrize("to", ["labelstudio", "prodigy"])
def test_tasks_are_read_back(folder, to):
    rows = load_user_file(export(folder, to), format=to)
    assert rows["text"][0] == "<e1:entity> Kim0 </e1:entity> of <e2:entity> Lee0 </e2:entity>"
    assert set(rows["relation"]) == {"PERSON→PERSON · child, son", "PERSON→PERSON · parent", "wed"}


def test_formats_have_a_place_of_their_own():
    assert len(set(FORMATS.values())) == len(FORMATS)


def test_bad_input(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match=r"holds no assignments.parquet"):
        export(empty, "triples")
    with pytest.raises(ValueError, match="format 'excel': it must be one of triples, graphml"):
        export(folder, "excel")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ValueError, match=r"triples are .csv or .parquet"):
        export(folder, "triples", folder / "a.txt")
    assert sorted(path.name for path in folder.iterdir()) == before
    export(folder, "schema")
    with pytest.raises(FileExistsError, match=r"schema.json is there already"):
        export(folder, "schema")
