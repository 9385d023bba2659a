"""brat: a text and its annotations, entities of several parts, what is ignored, bad lines."""

import pytest

from data_scripts import DataError, load_relation_dataset, load_user_file, relation_builder

from ..source_examples import BRAT_ENTITIES, BRAT_RELATIONS, NEWS, NEWS_ALL_PAIRS


def write(folder, annotations=BRAT_ENTITIES + BRAT_RELATIONS, text=NEWS, name="a"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.txt").write_bytes(text.encode())
    (folder / f"{name}.ann").write_bytes(annotations.encode())
    return folder


def load(folder, **options):
    return load_relation_dataset("brat", data_dir=str(folder), **options)["train"]


def test_rows_by_hand(tmp_path):
    rows = load(write(tmp_path))
    assert rows["text"] == [
        "<e1:PER> Mara Lind </e1:PER> founded <e2:ORG> Petrel Foods </e2:ORG> in Oslo.",
        "<e2:PER> Jon Asher </e2:PER> 🙂 joined <e1:ORG> Calyx Labs </e1:ORG>.",
    ]
    assert rows["relation"] == ["Founded", "Employer"]
    assert rows["id"] == ["a-T1-T2", "a-T5-T4"]
    assert rows["document"] == ["a", "a"]
    # The characters of the document are found again.
    for row in rows:
        start = row["sentence_start"] + row["head_start"]
        assert NEWS[start : row["sentence_start"] + row["head_end"]] == row["head"]


def test_all_pairs_of_a_folder_without_relations(tmp_path, caplog):
    write(tmp_path / "news" / "may", BRAT_ENTITIES)
    write(tmp_path / "news", "", name="b")
    (tmp_path / "news" / "annotation.conf").write_text("[entities]\nPER\n")
    rows = load_user_file(tmp_path / "news")
    assert list(zip(rows["head"], rows["tail"], strict=True)) == NEWS_ALL_PAIRS
    assert rows["relation"] == [None] * 4
    assert rows["document"] == ["may/a"] * 4
    assert (
        "news: read as brat: documents: 2, entities: 5, pairs: 4; "
        "all pairs of entities that share a sentence; --format chooses another"
    ) in caplog.text


def test_a_folder_per_split(tmp_path):
    write(tmp_path / "train")
    write(tmp_path / "dev", name="b")
    splits = load_relation_dataset("brat", data_dir=str(tmp_path))
    assert {split: set(rows["document"]) for split, rows in splits.items()} == {
        "train": {"train/a"},
        "validation": {"dev/b"},
    }


def test_what_is_ignored_is_counted(tmp_path, caplog):
    further = (
        "R3\tSays Arg1:T1 Arg2:T5\nR4\tCause Arg1:E1 Arg2:T1\nE1\tHire:T3 Who:T1\nA1\tSure T1\n"
        "*\tSame T1 T4\nN1\tReference T1 Wiki:5\tMara\n#1\tAnnotatorNotes T1\tsure?\n\n"
    )
    load_user_file(write(tmp_path, BRAT_ENTITIES + further + BRAT_RELATIONS))
    assert "left out: 1 x no sentence holds both entities; noted: " in caplog.text
    for reason in ("attribute", "equivalence", "normalization", "event", "relation of an event"):
        assert f"1 x {reason}: ignored" in caplog.text


def test_an_entity_of_several_parts(tmp_path):
    text = "The left and right arm of Mara Lind."
    annotations = "T1\tArm 4 8;19 22\tleft arm\nT2\tPER 26 35\tMara Lind\nR1\tOf Arg1:T1 Arg2:T2\n"
    builder = relation_builder("brat", data_dir=str(write(tmp_path, annotations, text)))
    (row,) = builder.read()["train"]
    assert row["head"] == "left and right arm"
    reason = "entity of several parts: read from the first to the last"
    assert builder.tallies()["train"]["notes"] == {reason: 1}


def test_line_ends_count_as_they_are_in_the_file(tmp_path):
    text = "Mara Lind runs\r\nnow Petrel Foods."
    annotations = "T1\tPER 0 9\tMara Lind\nT2\tORG 20 32\tPetrel Foods\nR1\tRuns Arg1:T1 Arg2:T2\n"
    assert load(write(tmp_path, annotations, text))["tail"] == ["Petrel Foods"]
    # Annotated before the line ends were changed.
    shifted = annotations.replace("20 32", "19 31")
    with pytest.raises(DataError, match="they fit with the option offsets=lf"):
        load(write(tmp_path, shifted, text))
    assert load(tmp_path, offsets="lf")["tail"] == ["Petrel Foods"]
    # A line end inside an entity is a space in the annotation.
    inside = "T1\tX 5 19\tLind runs now\nT2\tX 0 4\tMara\nR1\tIn Arg1:T1 Arg2:T2\n"
    assert load(write(tmp_path, inside, text))["head"] == ["Lind runs\r\nnow"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T6\tPER 0 4\tMarc", "field entity: is not the text at its offsets"),
        ("T6\tPER 0 999\tMara", "reversed or outside the sentence ('0 to 999, exclusive"),
        ("T6\tPER 9 9\t", "reversed or outside"),
        ("T6\tPER 9 10\t ", "marks only white space"),
        ("T1\tPER 0 4\tMara", "has an id that another entity has, too ('T1')"),
        ("T6 PER 0 4 Mara", "is no line of brat's annotations ('T6 PER 0 4 Mara'); write T1<TAB>"),
        ("T6\tPER x 4\tMara", "is no line of brat's annotations"),
        ("X1\tPER", "is no line of brat's annotations"),
        ("R3\tFounded Arg1:T1 Arg2:T9", "names an entity that does not exist, or that can't be read ('T9')"),
        ("R3\tFounded T1 T2", "is no relation of two arguments"),
    ],
)  # fmt: skip
def test_bad_lines(tmp_path, line, said):
    write(tmp_path, f"{BRAT_ENTITIES}{line}\n{BRAT_RELATIONS}")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert "a.ann, row 6" in str(caught.value) and said in str(caught.value)
    builder = relation_builder("brat", data_dir=str(tmp_path), on_error="skip")
    assert len(builder.read()["train"]) == 2  # a bad line costs no other
    assert builder.tallies()["train"]["skipped"].total() == 1


def test_annotations_without_their_text(tmp_path):
    for name in "abc":
        write(tmp_path, name=name)
    for name in "bc":
        (tmp_path / f"{name}.txt").unlink()
    with pytest.raises(DataError, match=r"b\.ann: has no text b\.txt beside it, as do 1 more; put"):
        load(tmp_path)


@pytest.mark.parametrize("suffix", ["ann", "txt"])
def test_bytes_that_are_not_utf8(tmp_path, suffix):
    write(tmp_path)
    (tmp_path / f"a.{suffix}").write_bytes((tmp_path / f"a.{suffix}").read_bytes() + b"\xe9\n")
    with pytest.raises(DataError, match=r"a\.ann, row .*UTF-8"):
        load(tmp_path)
