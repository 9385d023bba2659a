"""OpenNRE: token and character offsets, Python literals, and code that must not run."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import OPENNRE_TEXT, OPENNRE_TOKENS


def load(tmp_path, *lines, **options):
    (tmp_path / "wiki80_val.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "wiki80_rel2id.json").write_text("{}")
    return load_relation_dataset("opennre", data_dir=str(tmp_path), **options)["validation"]


def test_rows_by_hand(tmp_path):
    literal = str({**OPENNRE_TOKENS, "relation": None})  # single quotes and None: not JSON
    rows = load(
        tmp_path,
        json.dumps(OPENNRE_TOKENS),
        literal,
        "",
        json.dumps({**OPENNRE_TEXT, "relation": "NA"}),
    )
    tokens = "<e2> Oz </e2> runs <e1> Salt Works </e1>"
    assert rows["text"] == [tokens, tokens, "<e1> Oz </e1> runs <e2> Salt Works </e2>."]
    assert rows["relation"] == ["director", None, "NA"]
    builder = relation_builder("opennre", data_dir=str(tmp_path))
    builder.read()
    # "Salt" is not "Salt Works", while case and spaces make no difference.
    assert builder.tallies()["validation"]["notes"] == {
        "an entity's name is not what its offsets mark": 1
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            json.dumps({**OPENNRE_TEXT, "t": {"name": "x", "pos": [8, 20]}}),
            "field t: has offsets that are reversed or outside",
        ),
        (
            json.dumps({**OPENNRE_TOKENS, "t": {"name": "x", "pos": [1, 1]}}),
            "field t: has offsets that are reversed or",
        ),
        (
            json.dumps({**OPENNRE_TOKENS, "t": {"name": "x", "pos": [1, "2"]}}),
            "field t: has a pos that is not [start, end]",
        ),
        (json.dumps({**OPENNRE_TOKENS, "h": [0, 1]}), "field h: is not an object"),
        ("{'token': open('ran', 'w')}", "is not JSON"),
        ("(" * 500, "is not JSON"),
        ("[1]", "is not an object"),
    ],
)
def test_bad_rows(tmp_path, monkeypatch, line, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load(tmp_path, json.dumps(OPENNRE_TOKENS), line)
    assert "wiki80_val.txt, row 2" in str(caught.value) and said in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_offsets_that_cut_words_are_said(tmp_path, caplog):
    row = {**OPENNRE_TEXT, "h": {"pos": [0, 1]}, "t": {"pos": [8, 17]}}
    (tmp_path / "train.txt").write_text(json.dumps(row))
    load_relation_dataset("opennre", data_dir=str(tmp_path))
    assert "'O|z'; ends seem to be inclusive (true of 1 of them)" in caplog.text
