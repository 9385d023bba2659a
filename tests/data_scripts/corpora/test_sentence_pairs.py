"""Sentences with markers beside label numbers: [CLS] as text, doubled markers, either order."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import MARKED_SENTENCES


@pytest.fixture(params=["sentence_pairs", "nyt_fb"])
def corpus(request):
    return request.param


def write(folder, sentences, labels):
    (folder / "train_sentence.json").write_text(json.dumps(sentences))
    if labels is not None:
        (folder / "train_label_id.json").write_text(json.dumps(labels))
    return str(folder)


def test_rows_by_hand(tmp_path, corpus):
    folder = write(tmp_path, MARKED_SENTENCES, [4, 0, 4])
    rows = load_relation_dataset(corpus, data_dir=folder)["train"]
    assert rows["text"] == [
        "<e1:PER> Oz </e1:PER> runs <e2:ORG> Salt </e2:ORG> .",
        "<e2> Salt </e2> , said <e1> Oz </e1>",
        "<e1:PER> Oz </e1:PER> and Bo run <e2:ORG> Salt </e2:ORG> .",
    ]
    assert rows["sentence"] == ["Oz runs Salt .", "Salt , said Oz", "Oz and Bo run Salt ."]
    assert rows["relation"] == ["4", "0", "4"]
    builder = relation_builder(corpus, data_dir=folder)
    builder.read()
    assert builder.tallies()["train"]["notes"] == {"a marker occurs twice: first pair taken": 1}


def test_labels_are_optional_and_an_edited_one_counts(tmp_path, corpus):
    folder = write(tmp_path, MARKED_SENTENCES, None)
    assert load_relation_dataset(corpus, data_dir=folder)["train"]["relation"] == [None] * 3
    write(tmp_path, MARKED_SENTENCES, [1, 2, 3])
    assert load_relation_dataset(corpus, data_dir=folder)["train"]["relation"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("sentences", "labels", "said"),
    [
        (MARKED_SENTENCES, [1], "train_label_id.json: is not as long as the list of sentences"),
        (MARKED_SENTENCES, {}, "train_label_id.json: is not a JSON list"),
        (MARKED_SENTENCES, [1, 2, "3"], "row 3, field label_id: is not a whole number"),
        ([5], [1], "row 1, field sentence: is not a string"),
        (
            ["<e1> Oz </e1> runs </e2> Salt"],
            [1],
            "row 1, field sentence: does not hold both marked mentions",
        ),
    ],
)
def test_bad_files(tmp_path, corpus, sentences, labels, said):
    with pytest.raises(DataError) as caught:
        load_relation_dataset(corpus, data_dir=write(tmp_path, sentences, labels))
    assert said in str(caught.value)
