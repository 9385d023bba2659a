"""NYT+FB: nine columns, mixed encodings, arguments that stand twice or not at all, splits, ranges of bytes."""

import zlib

import pytest

import data_scripts.corpora.nyt_fb
from data_scripts import DataError, load_relation_dataset, relation_builder
from data_scripts.files import split_ranges


def line(sentence, head, tail, relation="", types="PERSON-ORGANIZATION", trigger="TRIGGER:runs"):
    tags = " ".join("NN" for _ in sentence.split())
    return "\t".join(["->nsubj->", head, tail, types, trigger, "2001/01/02/1.xml", sentence, tags, relation])


LINES = [
    line("Mira Oz runs Salt .", "Mira Oz", "Salt", "/business/founder /business/person"),
    line("Salt was sold off ; Oz , who runs Salt , left .", "Oz", "Salt"),
    line("Zoë runs Salts .", "Zoë", "Salt"),
    line("New York beats York .", "York", "New York", types="LOCATION-LOCATION"),
    line("Oz runs Oz .", "Oz", "Oz"),
    line("Zoë runs Salt .", "Zoë", "Salt"),
]


def write(folder, lines=LINES, end="\n"):
    data = [text.encode("latin-1" if number % 2 else "utf-8") for number, text in enumerate(lines)]
    path = folder / "nyt.tsv"
    path.write_bytes(b"".join(text + end.encode() for text in data))
    return path


def load(path, **options):
    return load_relation_dataset("nyt_fb", data_dir=str(path.parent), **options)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_by_hand(tmp_path, end):
    rows = load(write(tmp_path, end=end))["train"]
    assert rows["text"] == [
        "<e1:PERSON> Mira Oz </e1:PERSON> runs <e2:ORGANIZATION> Salt </e2:ORGANIZATION> .",
        # The second "Salt" stands nearer to "Oz".
        "Salt was sold off ; <e1:PERSON> Oz </e1:PERSON> , who runs <e2:ORGANIZATION> Salt </e2:ORGANIZATION> , left .",
        "<e2:LOCATION> New York </e2:LOCATION> beats <e1:LOCATION> York </e1:LOCATION> .",
        "<e1:PERSON> Oz </e1:PERSON> runs <e2:ORGANIZATION> Oz </e2:ORGANIZATION> .",
        # One "Zoë" came in UTF-8 and one in Latin-1.
        "<e1:PERSON> Zoë </e1:PERSON> runs <e2:ORGANIZATION> Salt </e2:ORGANIZATION> .",
    ]
    assert rows["relation"] == ["/business/founder", None, None, None, None]
    builder = relation_builder("nyt_fb", data_dir=str(tmp_path))
    builder.read()
    tally = builder.tallies()["train"]
    # "Salts" is another word than "Salt".
    assert tally["dropped"] == {"tail does not stand in the sentence": 1, "further label of a pair": 1}
    assert tally["remarks"] == {"an argument stands in the sentence more than once: nearest pair taken": 3}


def test_labelled_rows_are_split_by_their_sentence(tmp_path):
    labelled = [line(f"Oz {n} runs Salt .", "Oz", "Salt", "/r") for n in range(300)]
    dataset = load(write(tmp_path, labelled + LINES[1:]))
    assert dataset.num_rows["train"] == 304
    for split, share in (("validation", {0}), ("test", {1, 2, 3, 4})):
        assert {zlib.crc32(sentence.encode()) % 5 for sentence in dataset[split]["sentence"]} == share
    assert dataset.num_rows["validation"] + dataset.num_rows["test"] == 300
    assert 40 <= dataset.num_rows["validation"] <= 80
    everything = load_relation_dataset("nyt_fb", data_files={"test": str(tmp_path / "nyt.tsv")})
    assert everything.num_rows == {"test": 304}


def test_without_labels_there_is_only_training_data(tmp_path, caplog):
    assert list(load(write(tmp_path, LINES[1:]))) == ["train"]
    assert "left out, because no row is in it: test, validation" in caplog.text


def test_ranges_of_bytes_lose_and_share_no_line(tmp_path, monkeypatch):
    path = write(tmp_path, LINES * 5)
    whole = load(path)["train"].to_list()
    for size in (7, 50, 131, 1000):
        monkeypatch.setattr(data_scripts.corpora.nyt_fb, "split_ranges", lambda path, size=size: split_ranges(path, size))
        assert list(load(path, streaming=True)["train"]) == whole
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "other")
    assert load(path, num_proc=2)["train"].to_list() == whole


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("a\tb\tc", "does not have nine columns (3)"),
        (line("Oz runs Salt .", "Oz", "Salt", types="PERSON"), "field 4: is not TYPE-TYPE ('PERSON')"),
        (line("Oz runs Salt .", "Oz", "Salt", trigger="runs"), "field 5: is not TRIGGER:word"),
    ],
)
@pytest.mark.parametrize("num_proc", [None, 2])
def test_bad_lines_are_named_even_from_a_range(tmp_path, monkeypatch, bad, said, num_proc):
    monkeypatch.setattr(data_scripts.corpora.nyt_fb, "split_ranges", lambda path: split_ranges(path, 300))
    path = write(tmp_path, [*LINES * 2, bad, *LINES])
    with pytest.raises(DataError) as caught:
        load(path, num_proc=num_proc)
    assert str(caught.value).startswith(f"{path}, row 13") and said in str(caught.value)


def test_a_folder_without_the_one_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds 0 files \.txt or \.tsv"):
        load_relation_dataset("nyt_fb", data_dir=str(tmp_path))
