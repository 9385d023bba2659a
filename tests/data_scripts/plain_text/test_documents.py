"""Documents and their passages."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_scripts import DataError
from data_scripts.plain_text.documents import (
    ReadingOptions,
    Source,
    cut_passages,
    find_sources,
    read_passages,
)


@given(st.text("ab. \n\r", max_size=60), st.integers(1, 20))
def test_passages_are_where_they_say(text, max_length):
    passages = list(cut_passages(io.StringIO(text, newline=""), max_length))
    end = 0
    for start, passage in passages:
        assert not text[end:start].strip() and text[start : start + len(passage)] == passage
        assert 0 < len(passage) <= max_length
        end = start + len(passage)
    assert not text[end:].strip()


@pytest.mark.parametrize(
    ("text", "max_length", "passages"),
    [
        ("A b.\nC d.\n\n \n\nE f.", 99, [(0, "A b.\nC d.\n"), (14, "E f.")]),
        ("A b.\r\n\r\nC d.", 99, [(0, "A b.\r\n"), (8, "C d.")]),
        ("\n\nA b.", 99, [(2, "A b.")]),
        ("A b. C d. E f.", 12, [(0, "A b. C d. "), (10, "E f.")]),  # behind a sentence
        ("aa bb cc dd", 7, [(0, "aa bb "), (6, "cc dd")]),  # else behind a word
        ("aaaaaaa", 3, [(0, "aaa"), (3, "aaa"), (6, "a")]),
        ("何曼写。何曼去。", 6, [(0, "何曼写。"), (4, "何曼去。")]),
    ],
)
def test_passages(text, max_length, passages):
    assert list(cut_passages(io.StringIO(text, newline=""), max_length)) == passages


def passages_of(path, **options):
    return list(read_passages(Source(path, path.name), ReadingOptions(**options)))


def test_line_breaks_become_blanks_and_characters_stay(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffAda\r\nRoe\tleft.\n\nBo".encode())
    first, second = passages_of(tmp_path / "a.txt")
    assert first[:3] == ("a.txt", 0, "Ada  Roe left. ")
    assert second[:3] == ("a.txt", 16, "Bo")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'id,body\nx,"Ada left.\n\nBo stayed."\n,Cy\ny,\n'),
        (
            "t.jsonl",
            '{"id": "x", "body": "Ada left.\\n\\nBo stayed."}\n{"body": "Cy"}\n'
            '{"id": "y", "body": ""}\n',
        ),
    ],
)
def test_rows_of_tables(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    passages = [passage[:3] for passage in passages_of(tmp_path / name, text_column="body")]
    # Of a table in CSV, rows are counted by lines.
    second = f"{name}:{5 if name == 't.csv' else 2}"
    assert passages == [
        ("x", 0, "Ada left. "),
        ("x", 11, "Bo stayed."),
        (second, 0, "Cy"),
        ("y", 0, ""),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "Zoë".encode("latin-1"), "a.txt: is not UTF-8 .*--encoding"),
        ("a.txt", "Ada left".encode("utf-16-le"), "a.txt: holds NUL .*--encoding utf-16"),
        ("a.jsonl", b'{"text": 5}\n', "a.jsonl, row 1, field text: is not text"),
        (
            "a.jsonl",
            b'{"body": "Ada left.", "title": "T"}\n',
            "field text: is missing; .*--text_column body; there are body, title",
        ),
        ("a.jsonl", b'{"text": "Ada"}\n{"text": \n', "a.jsonl, row 2: is not JSON"),
        ("a.csv", b"text,n\nZo\xeb,1\n", "a.csv, row 2.*UTF-8"),
        ("a.parquet", b"garbage", "a.parquet: is not Parquet"),
        ("a.spacy", b"garbage", "a.spacy: is no DocBin of spaCy"),
        ("a.spacy", b"", "a.spacy: is no DocBin of spaCy"),
    ],
)
def test_what_cannot_be_read(name, content, said, tmp_path):
    if name.endswith(".spacy"):
        pytest.importorskip("spacy")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        passages_of(tmp_path / name)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_other_encodings(encoding, tmp_path):
    (tmp_path / "a.txt").write_bytes("Zoë left.".encode(encoding))
    assert passages_of(tmp_path / "a.txt", encoding=encoding)[0].text == "Zoë left."


@pytest.mark.parametrize("encoding", ["utf-99", "rot13", "hex"])
def test_what_is_no_encoding(encoding, tmp_path):
    (tmp_path / "a.txt").write_text("Ada")
    with pytest.raises(ValueError, match=f"--encoding {encoding}: no encoding of text"):
        passages_of(tmp_path / "a.txt", encoding=encoding)


def test_names_of_documents(tmp_path):
    for name in ("one/a.txt", "one/deep/b.TXT", "one/c.md", "two/a.txt", "d.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"text": "Ada"}))
    sources, num_others = find_sources([tmp_path / "one", tmp_path / "d.jsonl"])
    assert [source.name for source in sources] == ["a.txt", "deep/b.TXT", "d.jsonl"]
    assert num_others == 1
    sources, _ = find_sources([tmp_path / "one", tmp_path / "two"])  # two would have one name
    assert len({source.name for source in sources}) == 3


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["none.txt"], "none.txt does not exist"),
        (["a.pdf"], "a.pdf is none of .txt"),
        (["empty"], "empty holds no .txt file, but no file at all"),
        (["others"], "others holds no .txt file, but 1 other files"),
        (["a.txt", "a.txt"], "a.txt is given twice"),
    ],
)
def test_inputs_that_are_none(inputs, said, tmp_path):
    for name in ("empty", "others"):
        (tmp_path / name).mkdir()
    for name in ("a.pdf", "a.txt", "others/a.md"):
        (tmp_path / name).write_text("Ada")
    with pytest.raises((ValueError, OSError), match=said):
        find_sources([tmp_path / name for name in inputs])


def test_a_docbin(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    nlp = spacy.blank("en")
    words = ["She", "met", "Ada", "Roe", ".", "Bo", "left"]
    tags = ["PRON", "VERB", "PROPN", "PROPN", "PUNCT", "PROPN", "VERB"]
    doc = Doc(nlp.vocab, words, pos=tags, sent_starts=[True, *[False] * 4, True, False])
    doc.ents = [Span(doc, 0, 1, "PERSON"), Span(doc, 2, 4, "PERSON"), Span(doc, 5, 6)]
    DocBin(
        docs=[doc, nlp("Plain text")], attrs=["POS", "ENT_TYPE", "ENT_IOB", "SENT_START"]
    ).to_disk(tmp_path / "d.spacy")
    first, second = passages_of(tmp_path / "d.spacy", keeps_entities=True)
    assert (first.document, second.document) == ("d.spacy:1", "d.spacy:2")
    assert first.annotation.sentences == [(0, 17), (18, 25)]
    assert [tuple(entity) for entity in first.annotation.entities] == [
        (0, 3, "PERSON", True),
        (8, 15, "PERSON", False),
    ]
    assert passages_of(tmp_path / "d.spacy")[0].annotation is None
