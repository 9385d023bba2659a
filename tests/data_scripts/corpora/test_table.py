"""User files: each form of a row, column mapping, further columns, each format, and errors."""

import csv
import json

import pyarrow
import pyarrow.parquet
import pytest

from data_scripts import (
    FEATURES,
    DataError,
    load_relation_dataset,
    load_user_file,
    relation_builder,
)
from data_scripts.__main__ import main
from data_scripts.loading import load_train_and_validation

from ..source_examples import TABLE_CHARACTERS, TABLE_TOKENS


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\r\n\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text("\n " + json.dumps(rows, indent=1))
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    return path


def load(path, **options):
    return load_relation_dataset("table", data_files={"train": str(path)}, **options)["train"]


def load_rows(tmp_path, *rows, **options):
    return load(write(tmp_path / "rows.jsonl", rows), **options)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_each_format_returns_the_same_rows(tmp_path, suffix):
    rows = [
        {
            **TABLE_CHARACTERS,
            "head_type": "PERSON",
            "tail_type": "ORG",
            "relation": "leads",
            "source": 'a, "b"\nc',
        },
        {
            **TABLE_CHARACTERS,
            "head_type": None,
            "tail_type": "ORG",
            "relation": None,
            "source": "é",
        },
    ]
    first, second = load(write(tmp_path / f"rows.{suffix}", rows))
    assert first == {
        "id": first["id"],
        "text": "<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORG> Acme </e2:ORG>.",
        "sentence": "Ada Roe leads Acme.",
        "head": "Ada Roe",
        "head_type": "PERSON",
        "head_start": 0,
        "head_end": 7,
        "tail": "Acme",
        "tail_type": "ORG",
        "tail_start": 14,
        "tail_end": 18,
        "relation": "leads",
        "source": 'a, "b"\nc',
    }
    assert second["text"] == "<e1> Ada Roe </e1> leads <e2:ORG> Acme </e2:ORG>."
    assert second["relation"] is None and second["source"] == "é"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (TABLE_TOKENS, "<e1> Ada Roe </e1> leads <e2> Acme </e2>"),
        ({**TABLE_TOKENS, "head": "Ada Roe"}, "<e1> Ada Roe </e1> leads <e2> Acme </e2>"),
        (
            {"text": "<e2:ORG> Acme </e2:ORG> hired <e1> Ada </e1>"},
            "<e2:ORG> Acme </e2:ORG> hired <e1> Ada </e1>",
        ),
        ({"text": "<e2>Acme</e2> hired <e1>Ada</e1>"}, "<e2> Acme </e2> hired <e1> Ada </e1>"),
        (
            {"text": "Acme hired Ada", "head": "Ada", "tail": "Acme"},
            "<e2> Acme </e2> hired <e1> Ada </e1>",
        ),
        (
            {"tokens": ["Bo", "met", "Cy"], "head": "Bo", "tail": "Cy"},
            "<e1> Bo </e1> met <e2> Cy </e2>",
        ),
        # A complete row of the schema: the offsets decide.
        ({**TABLE_CHARACTERS, "text": "old"}, "<e1> Ada Roe </e1> leads <e2> Acme </e2>."),
        # Angle brackets in a sentence can't pass for markers.
        (
            {"sentence": "<e1> Bo met Cy", "head": "Bo", "tail": "Cy"},
            "‹e1› <e1> Bo </e1> met <e2> Cy </e2>",
        ),
    ],
)
def test_each_form_of_a_row(tmp_path, row, text):
    assert load_rows(tmp_path, row)["text"] == [text]


def test_columns_are_mapped_and_further_ones_carried_along(tmp_path):
    row = {
        "uid": 7,
        "body": "Acme hired Ada",
        "subj": "Ada",
        "obj": "Acme",
        "label": 3,
        "score": 1,
        "tags": ["a"],
    }
    columns = {"id": "uid", "sentence": "body", "head": "subj", "tail": "obj", "relation": "label"}
    (loaded, other) = load_rows(
        tmp_path, row, {**row, "score": 0.5, "tags": {"b": None}}, columns=columns
    )
    assert (loaded["id"], loaded["head"], loaded["tail"], loaded["relation"]) == (
        "7",
        "Ada",
        "Acme",
        "3",
    )
    assert (loaded["score"], other["score"]) == (1.0, 0.5)
    assert (loaded["tags"], other["tags"]) == (["a"], {"b": None})
    assert not {"uid", "body", "subj", "obj", "label"} & set(loaded)


def test_further_columns_may_differ_between_splits(tmp_path):
    files = {
        "train": str(write(tmp_path / "a.jsonl", [{**TABLE_CHARACTERS, "page": 4}])),
        "validation": str(write(tmp_path / "b.jsonl", [{**TABLE_CHARACTERS, "url": "x"}])),
    }
    dataset = load_relation_dataset("jsonlines", data_files=files)
    assert (dataset["train"][0]["page"], dataset["train"][0]["url"]) == (4, None)
    assert (dataset["validation"][0]["page"], dataset["validation"][0]["url"]) == (None, "x")


@pytest.mark.parametrize(
    ("sentence", "head", "tail", "spans"),
    [
        ("Ada met Bo and Ada left", "Ada", "Bo", (0, 3, 8, 10)),
        ("Ada rested ; Bo met Ada", "Ada", "Bo", (20, 23, 13, 15)),
        ("Roeburn knows Roe and Cy", "Roe", "Cy", (14, 17, 22, 24)),
        ("New York : York grew", "York", "New York", (11, 15, 0, 8)),
        ("Ada met Ada", "Ada", "Ada", (0, 3, 8, 11)),
    ],
)
def test_the_nearest_strings_that_do_not_overlap_are_taken(tmp_path, sentence, head, tail, spans):
    (row,) = load_rows(tmp_path, {"sentence": sentence, "head": head, "tail": tail})
    assert (row["head_start"], row["head_end"], row["tail_start"], row["tail_end"]) == spans


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**TABLE_CHARACTERS, "head": "Ada Ro"}, "field head: is not the text at its offsets"),
        (
            {**TABLE_CHARACTERS, "head_end": 0},
            "field head_start: has offsets that are reversed or outside the sentence",
        ),
        (
            {**TABLE_CHARACTERS, "tail_end": 99},
            "field tail_start: has offsets that are reversed or outside the sentence",
        ),
        ({**TABLE_CHARACTERS, "tail_start": "x"}, "field tail_start: is not a whole number"),
        ({**TABLE_CHARACTERS, "tail_start": True}, "field tail_start: is not a whole number"),
        ({**TABLE_CHARACTERS, "tail_start": None}, "field tail_start: is missing"),
        (
            {**TABLE_CHARACTERS, "sentence": "Ada Roe leads     ."},
            "has a mention that is empty or outside the sentence",
        ),
        ({**TABLE_CHARACTERS, "relation": [["leads"]]}, "field relation: is not a string"),
        ({**TABLE_CHARACTERS, "relation": True}, "field relation: is not a string"),
        ({**TABLE_CHARACTERS, "relation": float("inf")}, "field relation: is not a string"),
        ({**TABLE_CHARACTERS, "sentence": 5}, "field sentence: is not a string"),
        ({**TABLE_CHARACTERS, "relation": "\ud800"}, "field relation: is not valid UTF-8"),
        (
            {**TABLE_TOKENS, "tail_end": 5},
            "field tail_start: has offsets that are reversed or outside the sentence",
        ),
        (
            {"text": "<e1> Bo </e1> met <e2> Cy"},
            "field text: does not hold each of the four markers once",
        ),
        (
            {"sentence": "Bo met Cy", "head": "Bo", "tail": "Di"},
            "field tail: does not occur in the sentence",
        ),
        (
            {"sentence": "Bo met Cy", "head": "Bo", "tail": "Bo"},
            "field tail: occurs nowhere apart from the head",
        ),
        ({"head": "Bo", "tail": "Cy"}, "field sentence: is missing or empty"),
        (["Bo"], "is not an object"),
    ],
)
def test_a_bad_row_is_refused_or_skipped(tmp_path, row, said, caplog):
    with pytest.raises(DataError) as caught:
        load_rows(tmp_path, TABLE_CHARACTERS, row)
    message = str(caught.value)
    # Empty lines separate the rows, so the second row is line 3.
    assert (
        message.startswith(f"{tmp_path / 'rows.jsonl'}, row 3")
        and said in message
        and "\n" not in message
    )
    assert len(load_rows(tmp_path, TABLE_CHARACTERS, row, on_error="skip")) == 1
    assert "bad rows skipped: 1 (1 x " in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"sentence": "Bo', "row 1: is not JSON"),
        ("a.jsonl", b'{"sentence": "\xff"}', "row 1: is not UTF-8"),
        ("a.json", b'[{"sentence": "Bo"', "is not JSON"),
        (
            "a.csv",
            b"sentence,head,tail\nBo met Cy,Bo\n",
            "row 2: has a different number of cells than the header",
        ),
        ("a.csv", b'sentence,head,tail\n"Bo met Cy,Bo,Cy\n', "row 2: is not CSV"),
        (
            "a.csv",
            b"sentence,head,tail\nB\xff met Cy,Cy,met\n",
            "row 2, field text: is not valid UTF-8",
        ),
        ("a.csv", b"sentence,head,head\n", "has two columns with one name"),
        ("a.parquet", b"PAR1", "is not Parquet"),
        ("a.jsonl", b"", "no row is left"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_row_is_kept_with_its_problem(tmp_path):
    rows = [
        {**TABLE_CHARACTERS, "id": "same", "page": 1, "problem": "of the file"},
        {"id": "\ud800", "sentence": "Bo met Cy", "head": "Bo", "tail": "Di", "page": "x\ud800"},
        ["Bo"],
        {**TABLE_CHARACTERS, "id": "same", "page": 2.5},
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    loaded = load_user_file(path, on_error="skip")
    assert loaded.column_names[-3:] == ["page", "source_problem", "problem"]
    assert loaded["source_problem"] == ["of the file", None, None, None]
    assert loaded["id"] == ["same", "?", "5", "same"]
    assert [text is None for text in loaded["text"]] == [False, True, True, False]
    assert loaded["page"] == [1, "x?", None, 2.5]
    first, second, third, fourth = loaded["problem"]
    assert first is None and fourth is None
    assert "row 3, field tail: does not occur in the sentence ('Di')" in second
    assert "row 5: is not an object" in third
    with pytest.raises(DataError, match="row 3, field tail"):
        load_user_file(path)


def test_a_kept_row_takes_its_text_from_the_mapped_column(tmp_path):
    marked = "<e1> Bo </e1> met <e2> Cy </e2>"
    row = {"sentence": "another one", "tokens": ["a"], "body": marked, "head": "Bo"}
    path = write(tmp_path / "rows.jsonl", [row])
    (loaded,) = load_user_file(path, columns={"text": "body"})
    assert (loaded["text"], loaded["id"]) == (marked, "1")
    assert (loaded["body"], loaded["tokens"]) == (marked, ["a"])
    path = write(tmp_path / "marked.jsonl", [{"sentence": marked}])
    (loaded,) = load_user_file(path, columns={"text": "sentence"})
    assert (loaded["text"], loaded["sentence"]) == (marked, "Bo met Cy")


@pytest.mark.parametrize(
    ("sentence", "head", "tail", "text"),
    [
        ("田中商事の社長は佐野健です。", "佐野健", "田中商事", "<e2> 田中商事 </e2>の社長は<e1> 佐野健 </e1>です。"),
        ("김하늘은 푸른은행에서 일한다.", "김하늘", "푸른은행", "<e1> 김하늘 </e1>은 <e2> 푸른은행 </e2>에서 일한다."),
        ("บริษัทฟ้าใสก่อตั้งโดยสมชาย", "สมชาย", "ฟ้าใส", "บริษัท<e2> ฟ้าใส </e2>ก่อตั้งโดย<e1> สมชาย </e1>"),
        ("北岸大学位于北岸的东侧", "北岸大学", "北岸", "<e1> 北岸大学 </e1>位于<e2> 北岸 </e2>的东侧"),
        ("وانتقل سامي إلى شركة نورس", "نورس", "سامي", "وانتقل <e2> سامي </e2> إلى شركة <e1> نورس </e1>"),
        ("Ayşe Demirin Ankarada açıldı.", "Ayşe Demir", "Ankara", "<e1> Ayşe Demir </e1>in <e2> Ankara </e2>da açıldı."),
        ("Rambo met Bobby in Rome", "Bo", "Rome", "Rambo met <e1> Bo </e1>bby in <e2> Rome </e2>"),
        ("Aspirins lower COX-2 activity", "Aspirin", "COX", "<e1> Aspirin </e1>s lower <e2> COX </e2>-2 activity"),
        ("Ada Roe leads Acme", "Ada Roe ", "Acme\n", "<e1> Ada Roe </e1> leads <e2> Acme </e2>"),
    ],
)  # fmt: skip
def test_names_are_found_in_every_script(tmp_path, caplog, sentence, head, tail, text):
    row = {"sentence": sentence, "head": head, "tail": tail}
    assert load_rows(tmp_path, row)["text"] == [text]
    assert not caplog.text


def test_a_name_inside_a_longer_word_is_a_remark(tmp_path):
    row = {"sentence": "Ayşe Demirin Ankarada", "head": "Ayşe Demir", "tail": "Ankara"}
    files = {"train": str(write(tmp_path / "rows.jsonl", [row, TABLE_CHARACTERS]))}
    builder = relation_builder("table", data_files=files)
    builder.read()
    (note,) = builder.tallies()["train"]["notes"].items()
    assert note == ("the name of an entity occurs only inside a longer word: taken from there", 1)


@pytest.mark.parametrize(
    ("row", "spans"),
    [
        ({"head": "Ada", "head_start": 12, "tail": "Cy"}, (12, 15, 20, 22)),
        ({"head": "Ada", "head_end": 3, "tail": "Cy"}, (0, 3, 20, 22)),
        ({"head_start": 0, "head_end": 3, "tail": "Cy"}, (0, 3, 20, 22)),
        ({"head": "Cy", "tail": "Ada", "tail_start": "0", "tail_end": 3.0}, (20, 22, 0, 3)),
        ({"head_start": 12, "head_end": 15, "tail": "Ada"}, (12, 15, 0, 3)),
    ],
)
def test_name_and_place_together_say_which(tmp_path, row, spans):
    (loaded,) = load_rows(tmp_path, {"sentence": "Ada saw Bo; Ada met Cy", **row})
    assert tuple(loaded[name] for name in OFFSET_NAMES) == spans


def test_a_name_that_is_elsewhere_than_its_place(tmp_path):
    row = {"sentence": "Ada saw Bo", "head": "Ada", "head_start": 1, "tail": "Bo"}
    with pytest.raises(DataError, match="field head: does not occur at its offset"):
        load_rows(tmp_path, row)
    with pytest.raises(DataError, match="field head_end: is missing"):
        load_rows(tmp_path, {"sentence": "Ada saw Bo", "head_start": 0, "tail": "Bo"})


OFFSET_NAMES = ("head_start", "head_end", "tail_start", "tail_end")
SENTENCES = ["Mara Lind runs Petrel Foods.", "Petrel Foods\r\n& Zoë 🙂 named Mara Lind"]


def count_offsets(sentence, name, kind):
    """Return the offsets of a name as a program that counts something else writes them."""
    start = sentence.index(name)
    before, upto = sentence[:start], sentence[: start + len(name)]
    units = {
        "characters": lambda text: len(text),
        "inclusive": lambda text: len(text),
        "one_based": lambda text: len(text) + 1,
        "one_based_inclusive": lambda text: len(text) + 1,
        "utf16": lambda text: len(text.encode("utf-16-le")) // 2,
        "bytes": lambda text: len(text.encode()),
        "lf": lambda text: len(text.replace("\r\n", "\n")),
    }[kind]
    return units(before), units(upto) - kind.endswith("inclusive")


@pytest.mark.parametrize(
    "kind",
    ["characters", "inclusive", "one_based", "one_based_inclusive", "utf16", "bytes", "lf"],
)
def test_what_offsets_count_is_recognized_and_corrected(tmp_path, caplog, kind):
    rows = []
    for sentence in SENTENCES * 2:
        bounds = [count_offsets(sentence, name, kind) for name in ("Mara Lind", "Petrel Foods")]
        rows.append({"sentence": sentence, **dict(zip(OFFSET_NAMES, sum(bounds, ()), strict=True))})
    loaded = load_rows(tmp_path, *rows, offsets=kind)
    assert loaded["head"] == ["Mara Lind"] * 4 and loaded["tail"] == ["Petrel Foods"] * 4
    assert not caplog.text
    # Read as they are, some lie behind the end of the sentence; the others are said to cut words.
    load_rows(tmp_path, *rows, on_error="skip")
    assert (f"offsets={kind}" in caplog.text) == (kind != "characters")


def test_crlf_offsets_of_a_text_with_other_line_ends(tmp_path, caplog):
    row = {"sentence": "One.\nMara runs Petrel.", "head_start": 6, "head_end": 10}
    row |= {"tail_start": 16, "tail_end": 22}
    load_rows(tmp_path, row)
    assert "'M|ara '" in caplog.text and "offsets=crlf" in caplog.text
    assert load_rows(tmp_path, row, offsets="crlf")["head"] == ["Mara"]


def test_offsets_of_a_text_without_entities(tmp_path, caplog):
    sentence = "Lind &amp; Sons&#39; chief Mara Roe said so."
    row = {"sentence": sentence, "head_start": 19, "head_end": 27, "tail_start": 0, "tail_end": 11}
    load_rows(tmp_path, row)
    assert "unescape the sentences (html.unescape)" in caplog.text


def test_cut_words_are_said_in_one_line(tmp_path, caplog, capsys):
    inclusive = {**TABLE_CHARACTERS, "head_end": 6, "tail_end": 17}
    path = write(tmp_path / "rows.jsonl", [inclusive] * 3 + [TABLE_CHARACTERS])
    for _ in range(2):  # the second time from the cache
        load(path)
        (line,) = caplog.messages
        assert line == (
            "table, train: in 3 of 4 rows a mention begins or ends inside a word, such as "
            "'Ada Ro|e'; ends seem to be inclusive (true of 3 of them): read them with the "
            "option offsets=inclusive"
        )
        caplog.clear()
    main(["describe", "table", "--data_files", f"train={path}"])
    said = "| train | kept, doubtful | a mention begins or ends inside a word | 3 |"
    assert said in capsys.readouterr().out


def test_two_cut_mentions_of_many_have_no_common_cause(tmp_path, caplog):
    load_rows(tmp_path, *[TABLE_CHARACTERS] * 9, {**TABLE_CHARACTERS, "head_end": 6})
    assert "in 1 of 10 rows" in caplog.text and "ends are exclusive" in caplog.text
    assert "seem" not in caplog.text


def test_an_error_of_offsets_names_the_option(tmp_path):
    row = {**TABLE_CHARACTERS, "head": "Ada Roe", "head_end": 6}
    with pytest.raises(DataError, match="they fit with the option offsets=inclusive"):
        load_rows(tmp_path, row)
    with pytest.raises(DataError, match="they fit with the option offsets=utf16"):
        load_rows(tmp_path, {"sentence": "🙂 met Bo", **dict.fromkeys(OFFSET_NAMES, 0)}
                  | {"head_end": 2, "tail_start": 7, "tail_end": 9})  # fmt: skip


TACRED_TOKENS = {
    "token": ["Nadia", "Brandt", "founded", "Larkspur", "Capital", "."],
    "subj_start": 3,
    "subj_end": 4,
    "obj_start": 0,
    "obj_end": 1,
    "subj_type": "ORG",
    "obj_type": "PER",
}
TACRED_TEXT = "<e2:PER> Nadia Brandt </e2:PER> founded <e1:ORG> Larkspur Capital </e1:ORG> ."
PLAIN_TEXT = "<e1> Nadia Brandt </e1> founded <e2> Larkspur </e2>"


@pytest.mark.parametrize(
    ("row", "text", "said"),
    [
        (TACRED_TOKENS, TACRED_TEXT, "subj_type as head_type"),
        (
            {
                **TACRED_TOKENS,
                "sentence": "Nadia Brandt founded Larkspur Capital .",
                "subj_start": 21,
                "subj_end": 37,
                "obj_end": 12,
            },
            TACRED_TEXT,
            "subj_end as head_end",
        ),
        (
            {
                **TACRED_TOKENS,
                "sentence": "Nadia Brandt founded Larkspur Capital .",
                "subj_start": 21,
                "subj_end": 36,
                "obj_end": 11,
            },
            TACRED_TEXT,
            "subj_end as head_end",
        ),
        (
            {
                "token": ["Nadia", "Brandt", "founded", "Larkspur"],
                "head_start": 0,
                "head_end": 2,
                "tail_start": 3,
                "tail_end": 4,
            },
            PLAIN_TEXT,
            "token as tokens",
        ),
        (
            {
                "text": "Nadia Brandt founded Larkspur",
                "h": {"name": "nadia brandt", "pos": [0, 12]},
                "t": {"name": "Q7", "pos": [21, 29]},
            },
            PLAIN_TEXT,
            "h as head, t as tail",
        ),
        (
            {
                "tokens": ["Nadia", "Brandt", "founded", "Larkspur"],
                "head": {"text": "nadia brandt", "type": "Q1", "indices": [[0, 1]]},
                "tail": {"text": "larkspur", "type": "Q2", "indices": [[3]]},
            },
            PLAIN_TEXT,
            "",
        ),
        (
            {
                "tokens": ["Nadia", "Brandt", "founded", "Larkspur"],
                "h": ["nadia brandt", "Q1", [[0, 1]]],
                "t": ["larkspur", "Q2", [[3]]],
            },
            PLAIN_TEXT,
            "h as head, t as tail",
        ),
        (
            {"text": "Nadia Brandt founded Larkspur", "e1": "Nadia Brandt", "e2": "Larkspur"},
            PLAIN_TEXT,
            "e1 as head, e2 as tail",
        ),
        ({"text": "[E1]Nadia Brandt[/E1] founded [E2]Larkspur[/E2]"}, PLAIN_TEXT, ""),
        ({"sentence": "<e1>Nadia Brandt</e1> founded <e2> Larkspur </e2>"}, PLAIN_TEXT, ""),
    ],
)
def test_usual_names_are_known(tmp_path, caplog, row, text, said):
    rows = load_rows(tmp_path, {**row, "label": "founder"})
    assert (rows["text"], rows["relation"]) == ([text], ["founder"])
    assert len(caplog.messages) == 1 and said in caplog.text and "label as relation" in caplog.text


def test_inclusive_ends_of_mapped_columns(tmp_path):
    columns = {"head_start": "subj_start", "head_end": "subj_end", "tokens": "token"}
    columns |= {"tail_start": "obj_start", "tail_end": "obj_end"}
    assert load_rows(tmp_path, TACRED_TOKENS, columns=columns)["text"] == [TACRED_TEXT]
    (row,) = load_rows(tmp_path, TACRED_TOKENS, columns=columns, offsets="characters")
    assert (row["head"], row["tail"]) == ("Larkspur", "Nadia")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"body": "Ada leads Acme", "who": "Ada", "the firm": "Acme"},
            "map its columns, such as --columns sentence=body head=who 'tail=the firm'; "
            "its columns are body, who, the firm",
        ),
        (
            {"sentence": "@CHEMICAL$ blocks genes", "label": "CPR:4"},
            "--columns sentence=sentence head=NAME tail=NAME; its columns are sentence, label",
        ),
        ({"a": 1}, "field sentence: is missing or empty; give the sentence and both mentions; its"),
        (
            {"sentences": [["a"]], "ner": [[]], "relations": [[]]},
            "it looks like pure: read it with --format pure, or make rows of it: "
            "`python -m data_scripts prepare pure --data_files train=FILE",
        ),
        ({"tokens": ["a"], "entities": []}, "it looks like spert"),
        ({"sents": [["a"]], "vertexSet": []}, "it looks like docred"),
    ],
)
def test_what_is_unclear_names_the_columns(tmp_path, row, said):
    with pytest.raises(DataError) as caught:
        load_rows(tmp_path, row)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_placeholders_of_entities(tmp_path, caplog):
    rows = load_rows(tmp_path, {"sentence": "@GENE$ is cut by @CHEM-1$ , alas", "label": "CPR:4"})
    assert rows["text"] == [
        "<e1:GENE> @GENE$ </e1:GENE> is cut by <e2:CHEM-1> @CHEM-1$ </e2:CHEM-1> , alas"
    ]
    assert rows["relation"] == ["CPR:4"]
    assert "read @TYPE$ as the mentions, the first one as head" in caplog.text
    # Names that are given come first, and three placeholders are no pair.
    row = {"sentence": "@A$ and @B$ met Ada and Bo", "head": "Ada", "tail": "Bo"}
    assert load_rows(tmp_path, row)["head"] == ["Ada"]
    with pytest.raises(DataError, match="field head: is missing"):
        load_rows(tmp_path, {"sentence": "@A$ met @B$ and @B$"})


@pytest.mark.parametrize(
    ("head", "tail"),
    [("entity_1", "entity_2"), ("ent1", "ent2"), ("head_entity", "tail_entity"), ("arg1", "arg2")],
)
def test_further_usual_names(tmp_path, head, tail):
    row = {"sent": "Ada leads Acme", head: "Ada", f"{head}_type": "PER", tail: "Acme"}
    (read,) = load_rows(tmp_path, row)
    assert read["text"] == "<e1:PER> Ada </e1:PER> leads <e2> Acme </e2>"


SUFFIXES = ["jsonl", "json", "csv", "parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_values_and_numbers_are_read_alike(tmp_path, suffix):
    nan = float("nan")
    rows = [
        {**TABLE_CHARACTERS, "relation": 1.0, "head_type": nan, "head_start": 0.0},
        {**TABLE_CHARACTERS, "relation": nan, "head_type": nan, "head_start": 0.0},
        {**TABLE_CHARACTERS, "relation": 1.5, "head_type": nan, "head_start": 0.0},
    ]
    loaded = load(write(tmp_path / f"rows.{suffix}", rows))
    assert loaded["relation"] == ["1", None, "1.5"]
    assert loaded["head_type"] == [None] * 3 and loaded["head_start"] == [0] * 3


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("missing", ["NaN", "nan", "<NA>", "null", "None", "NA", ""])
def test_words_for_a_missing_value(tmp_path, suffix, missing):
    row = {**TABLE_CHARACTERS, "relation": missing, "head_type": missing, "tail_type": "ORG"}
    files = {"train": str(write(tmp_path / f"rows.{suffix}", [row]))}
    builder = relation_builder("table", data_files=files)
    (loaded,) = builder.read()["train"]
    assert (loaded["head_type"], loaded["tail_type"]) == (None, "ORG")
    # A label may be called so.
    is_label = missing in ("None", "NA")
    assert loaded["relation"] == (missing if is_label else None)
    notes = builder.tallies()["train"]["notes"]
    assert notes == ({f"relation: {missing!r} is kept as a label": 1} if is_label else {})


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("labels", "relations"), [("first", ["ceo", "owner"]), ("all", ["ceo", "founder", "owner"])]
)
def test_a_list_of_labels(tmp_path, suffix, labels, relations):
    rows = [
        {**TABLE_CHARACTERS, "relation": ["ceo", None, "founder"]},
        {**TABLE_CHARACTERS, "relation": ["owner"]},
    ]
    assert load(write(tmp_path / f"rows.{suffix}", rows), labels=labels)["relation"] == relations


def test_tokens_of_a_cell_that_holds_a_list(tmp_path):
    rows = [{**TABLE_TOKENS, "tokens": str(TABLE_TOKENS["tokens"])}]
    assert load(write(tmp_path / "rows.csv", rows))["head"] == ["Ada Roe"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_column_with_a_nul_in_its_name(tmp_path, suffix):
    row = {"sentence": "Ada met Bo", "head": "Ada", "tail": "Bo", "x\0y": "1", "x\0z": "2"}
    path = write(tmp_path / f"rows.{suffix}", [row])
    with pytest.raises(DataError, match=r"rows\..*has a column whose name .* holds a NUL"):
        load(path)


def test_further_columns_beside_ours(tmp_path):
    row = {**TABLE_CHARACTERS, "problem": "p", "source_problem": "s", "input_ids": [1]}
    path = write(tmp_path / "rows.jsonl", [row])
    (loaded,) = load_user_file(path, on_error="skip")
    assert (loaded["problem"], loaded["source_problem"]) == (None, "s")
    assert loaded["source_source_problem"] == "p" and loaded["input_ids"] == [1]
    (loaded,) = load_user_file(path)
    assert (loaded["problem"], loaded["source_problem"]) == ("p", "s")
    train, _ = load_train_and_validation(train_file=str(path))
    assert train.column_names == list(FEATURES)
