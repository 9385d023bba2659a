"""TACRED: inclusive ends, 1-based heads as strings, no_relation, and both label patches."""

import json

import pytest

from data_scripts import DataError, load_relation_dataset

from ..source_examples import tacred_row


@pytest.fixture
def folder(tmp_path):
    splits = {
        "train": [tacred_row("t1", "org:top_members/employees"), tacred_row("t2", "no_relation")],
        "dev": [tacred_row("d1", "no_relation"), tacred_row("d2", "org:founded_by")],
        "test": [
            tacred_row("e1", "org:founded_by", obj_start=7, obj_end=7, obj_type="CITY"),
            tacred_row("e2", "no_relation"),
        ],
    }
    for name, rows in splits.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    return tmp_path


def relations(dataset):
    return {
        split: dict(zip(rows["id"], rows["relation"], strict=True))
        for split, rows in dataset.items()
    }


def test_rows_by_hand(folder):
    dataset = load_relation_dataset("tacred", data_dir=str(folder))
    assert relations(dataset) == {
        "train": {"t1": "org:top_members/employees"},
        "validation": {"d2": "org:founded_by"},
        "test": {"e1": "org:founded_by"},
    }
    assert dataset["train"]["text"] == [
        "<e2:PERSON> Mira Oz </e2:PERSON> now heads "
        "<e1:ORGANIZATION> Salt Works </e1:ORGANIZATION> -LRB- Lund -RRB-"
    ]
    (row,) = dataset["test"]
    assert (row["head"], row["head_start"], row["head_end"]) == ("Salt Works", 18, 28)
    assert (row["tail"], row["tail_type"], row["tail_start"], row["tail_end"]) == (
        "Lund",
        "CITY",
        35,
        39,
    )


def test_no_relation_can_be_kept(folder):
    assert load_relation_dataset("tacred", data_dir=str(folder), no_relation="keep").num_rows == {
        "train": 2,
        "validation": 2,
        "test": 2,
    }


def test_an_incomplete_copy_is_reported(folder, caplog):
    load_relation_dataset("tacred", data_dir=str(folder))
    assert "tacred: 3 rows where the published corpus has 21,773" in caplog.text


def test_tacrev_relabels_dev_and_test(folder, tmp_path, caplog):
    patches = tmp_path / "patch"
    patches.mkdir()
    (patches / "dev_patch.json").write_text(json.dumps([{"id": "d1", "relation": "org:members"}]))
    (patches / "test_patch.json").write_text(json.dumps([{"id": "e1", "relation": "no_relation"}]))
    dataset = load_relation_dataset(
        "tacred", data_dir=str(folder), tacrev=str(patches), no_relation="keep"
    )
    assert relations(dataset) == {
        "train": {"t1": "org:top_members/employees", "t2": "no_relation"},
        "validation": {"d1": "org:members", "d2": "org:founded_by"},
        "test": {"e1": "no_relation", "e2": "no_relation"},
    }
    assert "published corpus" not in caplog.text
    # An edited patch is read again, as an edited split is.
    (patches / "dev_patch.json").write_text(json.dumps([{"id": "d1", "relation": "org:parents"}]))
    dataset = load_relation_dataset("tacred", data_dir=str(folder), tacrev=str(patches))
    assert relations(dataset)["validation"] == {"d1": "org:parents", "d2": "org:founded_by"}


def test_retacred_relabels_and_drops_what_it_does_not_name(folder, tmp_path):
    patches = tmp_path / "retacred"
    patches.mkdir()
    for name, patch in {
        "train": {"t1": "org:members"},
        "dev": {"d2": "no_relation"},
        "test": {"e2": "per:age"},
    }.items():
        (patches / f"{name}_id2label.json").write_text(json.dumps(patch))
    dataset = load_relation_dataset("tacred", data_dir=str(folder), retacred=str(patches))
    assert relations(dataset) == {"train": {"t1": "org:members"}, "test": {"e2": "per:age"}}
    (patches / "test_id2label.json").unlink()
    with pytest.raises(FileNotFoundError, match="no retacred patch of the split test"):
        load_relation_dataset("tacred", data_dir=str(folder), retacred=str(patches))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"zz": "per:age"}, "has none of the rows' ids"),
        ({"d1": 3}, "field relation: is not a string"),
        ([{"id": "d1"}], "field relation: is missing"),
        ("text", "is not a JSON object"),
    ],
)
def test_a_patch_that_does_not_fit(folder, tmp_path, content, said):
    patches = tmp_path / "patch"
    patches.mkdir()
    (patches / "test_patch.json").write_text(json.dumps({"e1": "per:age"}))
    (patches / "dev_patch.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"dev_patch\.json") as caught:
        load_relation_dataset("tacred", data_dir=str(folder), tacrev=str(patches))
    assert said in str(caught.value)


def test_a_split_without_its_patch_is_refused(folder, tmp_path):
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "dev_patch.json").write_text(
        json.dumps([{"id": "d1", "relation": "org:members"}])
    )
    files = {"evaluation": str(folder / "dev.json")}
    with pytest.raises(FileNotFoundError, match="no tacrev patch of the split evaluation"):
        load_relation_dataset("tacred", data_files=files, tacrev=str(tmp_path / "patch"))


def test_one_patch_at_a_time(folder):
    with pytest.raises(ValueError, match="choose one"):
        load_relation_dataset("tacred", data_dir=str(folder), tacrev="a", retacred="b")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subj_end": 9}, "field subj_start: has offsets that are reversed or outside"),
        ({"subj_end": 3}, "field subj_start: has offsets that are reversed or outside"),
        ({"obj_start": "0"}, "field obj_start: is not a whole number"),
        ({"obj_type": None}, "field obj_type: is missing"),
        ({"token": []}, "field token: is not a list of words"),
        ({"id": None}, "field id: is missing"),
    ],
)
def test_bad_rows(folder, changes, said):
    (folder / "train.json").write_text(
        json.dumps([tacred_row("t1", "per:age"), tacred_row("t2", "per:age", **changes)])
    )
    with pytest.raises(DataError) as caught:
        load_relation_dataset("tacred", data_dir=str(folder))
    assert str(caught.value).startswith(f"{folder / 'train.json'}, row 2, ") and said in str(
        caught.value
    )
