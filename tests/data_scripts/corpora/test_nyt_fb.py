"""NYT+FB: nine columns, mixed encodings, repeated or missing arguments, splits, byte ranges."""

import zlib

import pytest

from data_scripts import DataError, load_relation_dataset, relation_builder

from ..source_examples import NYT_LINES, nyt_line


def write(folder, lines=NYT_LINES, end="\n"):
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
        # The second "Salt" is nearer to "Oz".
        "Salt was sold off ; <e1:PERSON> Oz </e1:PERSON> , "
        "who runs <e2:ORGANIZATION> Salt </e2:ORGANIZATION> , left .",
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
    assert tally["dropped"] == {
        "tail does not occur in the sentence": 1,
        "further label of a pair": 1,
    }
    assert tally["notes"] == {
        "an argument occurs more than once in the sentence: nearest pair taken": 3
    }


def test_labeled_rows_are_split_by_their_sentence(tmp_path):
    labeled = [nyt_line(f"Oz {n} runs Salt .", "Oz", "Salt", "/r") for n in range(300)]
    dataset = load(write(tmp_path, labeled + NYT_LINES[1:]))
    assert dataset.num_rows["train"] == 304
    for split, share in (("validation", {0}), ("test", {1, 2, 3, 4})):
        assert {
            zlib.crc32(sentence.encode()) % 5 for sentence in dataset[split]["sentence"]
        } == share
    assert dataset.num_rows["validation"] + dataset.num_rows["test"] == 300
    assert 40 <= dataset.num_rows["validation"] <= 80
    everything = load_relation_dataset("nyt_fb", data_files={"test": str(tmp_path / "nyt.tsv")})
    assert everything.num_rows == {"test": 304}


def test_without_labels_there_is_only_training_data(tmp_path, caplog):
    assert list(load(write(tmp_path, NYT_LINES[1:]))) == ["train"]
    assert "splits without rows left out: test, validation" in caplog.text


def test_byte_ranges_lose_and_share_no_line(tmp_path):
    path = write(tmp_path, NYT_LINES * 5)
    whole = load(path)["train"].to_list()
    for size in (7, 50, 131, 1000):
        shards = load(path, streaming=True, bytes_per_shard=size)["train"]
        assert list(shards) == whole
    assert load(path, num_proc=2, bytes_per_shard=size)["train"].to_list() == whole


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("a\tb\tc", "does not have nine columns (3)"),
        (
            nyt_line("Oz runs Salt .", "Oz", "Salt", types="PERSON"),
            "field 4: is not TYPE-TYPE ('PERSON')",
        ),
        (nyt_line("Oz runs Salt .", "Oz", "Salt", trigger="runs"), "field 5: is not TRIGGER:word"),
    ],
)
@pytest.mark.parametrize("num_proc", [None, 2])
def test_bad_lines_are_named_also_within_a_range(tmp_path, bad, said, num_proc):
    path = write(tmp_path, [*NYT_LINES * 2, bad, *NYT_LINES])
    with pytest.raises(DataError) as caught:
        load(path, num_proc=num_proc, bytes_per_shard=300)
    assert str(caught.value).startswith(f"{path}, row 13") and said in str(caught.value)


def test_a_folder_without_the_one_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds 0 files \.txt or \.tsv"):
        load_relation_dataset("nyt_fb", data_dir=str(tmp_path))
