"""Facts, worked out by hand."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_siamure.graph import FactStore, entity_key, read_facts
from modeling_siamure.graph.facts import Entity
from tests.helpers.discoveries import inverse_rows

ROWS = [
    ("a", "<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:FIRM> Acme </e2:FIRM>", 0, 0.9),
    ("b", "<e1:PERSON> ADA  ROE </e1:PERSON> runs <e2:FIRM> Acme's </e2:FIRM> shops", 0, 0.5),
    ("c", "<e1:PERSON> Ada Roe </e1:PERSON> left <e2:FIRM> Acme </e2:FIRM>", 1, 0.8),
    ("d", "<e1:PERSON> Ada Roe </e1:PERSON> met <e2:FIRM> Bolt </e2:FIRM>", -1, 0.1),
    ("e", "<e1:FIRM> Ada Roe </e1:FIRM> owns <e2:FIRM> Bolt </e2:FIRM>", 2, 0.7),
    ("f", None, -2, None),
]
NAMES = {0: "leads", 1: "left", 2: "owns", -1: "unassigned", -2: "skipped"}


def table(rows=ROWS, **columns):
    keys = ("id", "text", "cluster", "score")
    return [
        dict(zip(keys, row, strict=True), name=NAMES[row[2]])
        | {name: values[number] for name, values in columns.items()}
        for number, row in enumerate(rows)
    ]


@pytest.fixture
def store(tmp_path):
    pq.write_table(pa.Table.from_pylist(table()), tmp_path / "a.parquet")
    with read_facts(tmp_path / "a.parquet", tmp_path / "facts.db") as store:
        yield store
    assert not (tmp_path / "facts.db").exists()


def test_spellings_are_one_entity_and_sentences_one_fact(store):
    leads, left, owns = store.facts()
    assert (leads.head.name, leads.relation, leads.tail.name) == ("Ada Roe", "leads", "Acme")
    assert (leads.support, leads.mean_score, leads.evidence) == (2, 0.7, ["a", "b"])
    assert (left.head, left.tail) == (leads.head, leads.tail)
    assert owns.head.type == "FIRM" and owns.head != leads.head  # of another type
    assert {entity.name for entity in store.entities()} == {"Ada Roe", "Acme", "Bolt"}
    assert store.type_pairs(0) == [("PERSON", "FIRM", 2)]


def test_limits(store):
    assert [fact.relation for fact in store.facts(min_support=2)] == ["leads"]
    assert [fact.relation for fact in store.facts(min_score=0.75)] == ["left"]


def test_ids_of_the_rows_decide(tmp_path):
    rows = [
        ("a", "<e1> Roe </e1> leads <e2> Acme </e2>", 0, 1.0),
        ("b", "<e1> Ada </e1> leads <e2> Acme </e2>", 0, 1.0),
        ("c", "<e1> Roe </e1> leads <e2> Acme </e2>", 0, 1.0),
    ]
    store = FactStore(tmp_path / "db")
    store.add(table(rows, head_id=["Q1", "Q1", "Q2"]))
    store.finish()
    first, second = store.facts()
    assert (first.support, second.support) == (2, 1) and first.head.id != second.head.id


def test_what_a_person_turned_round(tmp_path):
    store = FactStore(tmp_path / "db")
    store.add(table(ROWS[:1], reversed=[True]))
    store.finish()
    (fact,) = store.facts()
    assert (fact.head.name, fact.tail.name) == ("Acme", "Ada Roe")
    assert fact.head == Entity(fact.head.id, "Acme", "FIRM")


def test_inverse_relations(tmp_path):
    store = FactStore(tmp_path / "db")
    store.add(table(list(inverse_rows(4))))
    assert store.find_inverses() == {0: 1, 1: 0}  # marriage is its own inverse
    assert store.find_inverses(min_pairs=5) == {}
    store.merge_inverses(store.find_inverses())
    store.finish()
    facts = list(store.facts())
    merged = [fact for fact in facts if fact.cluster == 0]
    assert {fact.support for fact in merged} == {2} and len(merged) == 4
    assert all(fact.head.name.startswith("Kim") for fact in merged)
    assert {fact.cluster for fact in facts} == {0, 2}


def test_what_holds_no_assignments(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no")
    with (
        pytest.raises(ValueError, match=r"a.parquet can't be read"),
        read_facts(tmp_path / "a.parquet", tmp_path / "db"),
    ):
        pass
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "b.parquet")
    with (
        pytest.raises(ValueError, match="has no column 'cluster'"),
        read_facts(tmp_path / "b.parquet", tmp_path / "db"),
    ):
        pass


@given(st.text("aBcÉß.'’- ", min_size=1).filter(lambda name: name.strip(" '’")))
def test_a_key_survives_case_and_spaces(name):
    assert entity_key(f" {name} ".replace(" ", "  ")) == entity_key(name.upper()) != ""
