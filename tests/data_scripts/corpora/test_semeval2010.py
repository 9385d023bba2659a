"""SemEval-2010 Task 8 and KBP37: CRLF blocks, directions, quotes, Latin-1, spaced markers."""

import pytest

from data_scripts import DataError, load_relation_dataset

from ..source_examples import SEMEVAL_BLOCKS


def load(tmp_path, text, name="TRAIN_FILE.TXT", corpus="semeval2010", **options):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    return load_relation_dataset(corpus, data_dir=str(tmp_path), **options)


def test_rows_by_hand(tmp_path):
    first, second, third = load(tmp_path, SEMEVAL_BLOCKS)["train"]
    assert first["text"] == 'The <e2> flood </e2> came from a "broken" <e1> dam </e1>.'
    assert (first["id"], first["relation"], first["head"], first["tail"]) == (
        "1",
        "Cause-Effect",
        "dam",
        "flood",
    )
    assert second["sentence"] == "A jar of jam from Café Oz."
    assert (third["relation"], third["head"]) == ("Other", "lid")
    assert load(tmp_path, SEMEVAL_BLOCKS, no_relation="drop")["train"]["id"] == ["1", "2"]


def test_kbp37_has_spaces_inside_markers_and_no_comment(tmp_path):
    text = (
        '0\t" <e1> Mira Oz </e1> of <e2> Salt Works </e2> spoke . "\nper:employee_of(e1,e2)\n\n\n'
    )
    text += '1\t" <e1> Lund </e1> and <e2> Oslo </e2> "\nno_relation\n\n'
    first, second = load(tmp_path, text, "dev.txt", "kbp37")["validation"]
    assert (first["sentence"], first["head"]) == ("Mira Oz of Salt Works spoke .", "Mira Oz")
    assert first["text"] == "<e1> Mira Oz </e1> of <e2> Salt Works </e2> spoke ."
    assert second["relation"] == "no_relation"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("8 no tab\r\nOther", "row 4, field id: is not a number followed by a tab"),
        ('8\t"<e1>a</e1> <e2>b</e2>"', "row 4, field relation: is missing"),
        ('8\t"<e1>a</e1> <e2>b</e2>"\r\nCause-Effect', "row 4, field relation: has no direction"),
        ('8\t"<e1>a</e1> b"\r\nOther', "row 4, field sentence: does not hold both marked mentions"),
        (
            '8\t"<e1>a <e2>b</e2>"\r\nOther',
            "row 4, field sentence: does not hold both marked mentions",
        ),
        (
            '8\t"<e1></e1> <e2>b</e2>"\r\nOther',
            "row 4, field sentence: does not hold both marked mentions",
        ),
    ],
)
def test_bad_blocks(tmp_path, block, said):
    text = '7\t"<e1>a</e1> <e2>b</e2>"\r\nOther\r\n\r\n' + block
    with pytest.raises(DataError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert load(tmp_path, text, on_error="skip")["train"]["id"] == ["7"]


def test_a_missing_empty_line_joins_no_blocks(tmp_path, caplog):
    first = '1\t"<e1>a</e1> <e2>b</e2>"\r\nOther\r\nComment: 5 <e1>\r\n'
    second = '2\t"<e1>c</e1> <e2>d</e2>"\r\nCause-Effect(e1,e2)\r\n'
    third = '3 "<e1>e</e1> <e2>f</e2>"\r\nOther\r\n'  # no tab
    rows = load(tmp_path, first + second + third, on_error="skip")["train"]
    assert rows["relation"] == ["Other", "Cause-Effect"]
    assert "bad rows skipped: 1 (1 x id: is not a number followed by a tab)" in caplog.text


def test_what_follows_the_relation_is_said(tmp_path, caplog):
    load(tmp_path, '1\t"<e1>a</e1> <e2>b</e2>"\r\nOther\r\n2 c d\r\nOther\r\n')
    assert "in 1 of 1 rows a block goes on behind its relation: part of a row?" in caplog.text
    assert "'2 c d'" in caplog.text
