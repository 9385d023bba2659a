"""Columns of tokens and tags: schemes of tags, which column, comments, bad lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts import DataError, load_user_file
from data_scripts.corpora.conll import decode_tags

from ..source_examples import CONLL


def load(tmp_path, content=CONLL, name="news.conll", **options):
    path = tmp_path / name
    path.write_text(content)
    return load_user_file(path, **options)


def test_rows_by_hand(tmp_path, caplog):
    for name in ("news.conll", "train.txt"):
        (row,) = load(tmp_path, name=name)
        assert (
            row["text"] == "<e1:PER> Mara Lind </e1:PER> founded # <e2:ORG> Petrel Foods </e2:ORG>"
        )
        assert row["relation"] is None
        assert (
            f"{name}: read as conll: sentences: 3, entities: 3, pairs: 1; all pairs" in caplog.text
        )


def test_numbered_tokens_and_comments(tmp_path):
    lines = ["# sent_id = 1", "1\tMara\tB-PER\t-\t-", "2\tleads\tO\t-\t-", "3\tAcme\tB-ORG\t-\t-"]
    (row,) = load(tmp_path, "\n".join(lines))
    assert row["text"] == "<e1:PER> Mara </e1:PER> leads <e2:ORG> Acme </e2:ORG>"


def test_the_column_of_the_tags(tmp_path):
    rows = load(tmp_path, tag_column="3")
    assert (rows["head"][0], rows["tail_type"][0], len(rows)) == ("Mara Lind", "VP", 7)
    with pytest.raises(ValueError, match="tag_column is '0'; count columns from 1"):
        load(tmp_path, tag_column="0")
    with pytest.raises(ValueError, match="conll has no option 'offsets'"):
        load(tmp_path, offsets="bytes")
    with pytest.raises(
        DataError, match=r"has no column of tags such as B-PER and O; name it, such as"
    ):
        load(tmp_path, "Mara NNP\nleads VBD\n", format="conll")


SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from("XY")), max_size=6)


@given(SPANS, st.sampled_from(["IOB2", "IOBES", "BILOU"]))
def test_tags_of_each_scheme_are_decoded(parts, scheme):
    tags, spans = [], []
    for gap, length, kind in parts:
        tags += ["O"] * gap
        spans.append((len(tags), len(tags) + length, kind))
        single, last = {"IOB2": "BI", "IOBES": "SE", "BILOU": "UL"}[scheme]
        inner = ["B"] + ["I"] * (length - 2) + [last]
        tags += [f"{prefix}-{kind}" for prefix in (inner if length > 1 else [single])]
    assert list(decode_tags(tags)) == spans


def test_iob1():
    # Without B unless an entity follows another one of its type.
    assert list(decode_tags(["I-X", "I-X", "B-X", "I-Y"])) == [
        (0, 2, "X"),
        (2, 3, "X"),
        (3, 4, "Y"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "Lind NNP I-NP I-PER",
            "Lind NNP I-PER",
            "row 15: holds lines with different numbers of columns",
        ),
        (
            "B-ORG",
            "ORG",
            "row 15, field tag: is no tag of an entity ('ORG'); write B-PER, I-PER or O",
        ),
    ],
)
def test_bad_sentences(tmp_path, old, new, said):
    content = "\n".join([CONLL, CONLL.replace(old, new), CONLL, CONLL])
    with pytest.raises(DataError) as caught:
        load(tmp_path, content, format="conll", tag_column=4)
    assert said in str(caught.value)
    rows = load(tmp_path, content, format="conll", tag_column=4, on_error="skip")
    assert len(rows) == 3
