"""FewRel: several mentions, token indices, spaces as tokens, one split per file."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset


def row(tokens, head, tail):
    return {"tokens": tokens, "h": ["x", "Q1", head], "t": ["y", "Q2", tail]}


@pytest.fixture
def folder(tmp_path):
    wiki = {
        "P50": [
            row(["Mira", " ", "Oz", "wrote", "Salt", ",", "said", "Oz"], [[0, 1, 2], [7]], [[4]]),
            row(["Salt", "is", "by", "Oz"], [[3]], [[0]]),
        ],
        "P17": [row(["Lund", "lies", "in", "Sweden"], [[0]], [[3]])],
    }
    (tmp_path / "val_wiki.json").write_text(json.dumps(wiki))
    (tmp_path / "val-pubmed.json").write_text(
        json.dumps({"is_a": [row(["gold", "is", "metal"], [[0]], [[2]])]})
    )
    (tmp_path / "pid2name.json").write_text(json.dumps({"P50": ["author", "who wrote it"]}))
    return tmp_path


def test_rows_by_hand(folder):
    dataset = load_relation_dataset("fewrel", data_dir=str(folder))
    assert dataset.num_rows == {"val_pubmed": 1, "val_wiki": 3}
    first, second, third = dataset["val_wiki"]
    # The first mention has three tokens, one of them a space; joined, they hold three spaces.
    assert first == {
        "id": "val_wiki-P50-1",
        "text": "<e1> Mira   Oz </e1> wrote <e2> Salt </e2> , said Oz",
        "sentence": "Mira   Oz wrote Salt , said Oz",
        "head": "Mira   Oz",
        "head_type": None,
        "head_start": 0,
        "head_end": 9,
        "tail": "Salt",
        "tail_type": None,
        "tail_start": 16,
        "tail_end": 20,
        "relation": "P50",
    }
    assert second["text"] == "<e2> Salt </e2> is by <e1> Oz </e1>"
    assert third["relation"] == "P17"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h": ["x", "Q1", [[0, 2]]]}, "lists tokens that are not consecutive"),
        ({"h": ["x", "Q1", [[9]]]}, "reversed or outside the sentence"),
        ({"h": ["x", "Q1", [[True]]]}, "lists tokens that are not"),
        ({"h": ["x", "Q1", []]}, "is not [name, id, [[token indices]]]"),
        ({"t": "Sweden"}, "is not a list"),
        ({"tokens": ["Lund", 7, "in", "Sweden"]}, "holds something that is not a string"),
        ({"tokens": None}, "is missing"),
        (
            {"h": ["x", "Q1", [[1]]], "tokens": ["Lund", " ", "in", "Sweden"]},
            "marks only whitespace",
        ),
    ],
)
def test_a_bad_row_names_file_row_field_and_fix(folder, change, message):
    path = folder / "val_wiki.json"
    content = json.loads(path.read_text())
    content["P17"][0].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        load_relation_dataset("fewrel", data_dir=str(folder))
    said = str(caught.value)
    assert said.startswith(f"{path}, row P17-1, field {next(iter(change))}: ") and message in said
    assert "; " in said and "\n" not in said
    kept = load_relation_dataset("fewrel", data_dir=str(folder), on_error="skip")
    assert kept["val_wiki"]["relation"] == ["P50", "P50"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"P17": {}}', '{"P17": [', "\xff", ""])
def test_a_broken_file_is_one_line(folder, content):
    (folder / "val_wiki.json").write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=r"val_wiki\.json") as caught:
        load_relation_dataset("fewrel", data_dir=str(folder), on_error="skip")
    assert "\n" not in str(caught.value)


def test_folder_without_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="pass the folder that does"):
        load_relation_dataset("fewrel", data_dir=str(tmp_path))


def test_a_list_without_labels(tmp_path):
    rows = [row(["Lund", "lies", "in", "Sweden"], [[0]], [[3]])] * 2
    (tmp_path / "pubmed_unsupervised.json").write_text(json.dumps(rows))
    dataset = load_relation_dataset("fewrel", data_dir=str(tmp_path))["pubmed_unsupervised"]
    assert dataset["relation"] == [None, None] and len(set(dataset["id"])) == 2
    assert dataset[0]["text"] == "<e1> Lund </e1> lies in <e2> Sweden </e2>"


@pytest.mark.parametrize("index", [3_000_000_000, 10**400])
def test_a_huge_token_index_is_refused_at_once(folder, index):
    rows = {"P17": [row(["Lund", "lies", "in", "Sweden"], [[0, index]], [[3]])]}
    (folder / "val_wiki.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="lists tokens that are not consecutive"):
        load_relation_dataset("fewrel", data_dir=str(folder))
