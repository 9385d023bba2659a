"""CoNLL-U: tags and brackets in MISC, the text of the forms, bad sentences."""

import pytest

from data_scripts import DataError, load_user_file

from ..source_examples import CONLLU, CONLLU_BRACKETS

pytest.importorskip("conllu")


def load(tmp_path, content=CONLLU, **options):
    path = tmp_path / "news.conllu"
    path.write_text(content)
    return load_user_file(path, **options)


def test_tags(tmp_path, caplog):
    (row,) = load(tmp_path)
    assert row["text"] == "<e1:PER> Mara Lind </e1:PER> leads <e2:ORG> della </e2:ORG>."
    assert (row["id"], row["document"]) == ("n-1-1-2", "n-1")
    assert "read as conllu: sentences: 1, entities: 2, pairs: 1; all pairs" in caplog.text


def test_brackets(tmp_path):
    rows = load(tmp_path, CONLLU_BRACKETS + "\n" + CONLLU_BRACKETS.partition("\n")[2])
    pairs = [("Mara Lind", "Oslo"), ("Mara Lind", "Labs of Oslo")]
    assert list(zip(rows["head"], rows["tail"], strict=True)) == pairs * 2
    assert rows["tail_type"] == ["place", "organization"] * 2  # the order of the parts is told once


def test_a_column_that_is_named(tmp_path):
    content = CONLLU.replace("NNP\t_\t3", "B-PER\t_\t3").replace("NNP\t_\t1", "I-PER\t_\t1")
    for tag in ("VBZ", "IN", "."):
        content = content.replace(f"\t{tag}\t_", "\tO\t_")
    (row,) = load(tmp_path, content.replace("DT\t_", "B-ORG\t_"), entities="xpos")
    assert (row["head"], row["tail"]) == ("Mara Lind", "della")
    with pytest.raises(DataError, match="it holds 0 entities, no two of which share a sentence"):
        load(tmp_path, entities="Person")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONLLU.replace("1\tMara\tMara", "1\tMara"), "is no sentence of CoNLL-U"),
        (CONLLU.replace("NER=B-PER", "NER=PER"), "field tag: is no tag of an entity ('PER')"),
        (CONLLU_BRACKETS.replace("Entity=e1)", "_"), "field Entity: is not closed in its sentence"),
        (CONLLU_BRACKETS.replace("e3-place-1)e2)", "e3-place-1)e7)"), "closes what is not open"),
    ],
)
def test_bad_sentences(tmp_path, content, said):
    with pytest.raises(DataError) as caught:
        load(tmp_path, CONLLU + "\n" + content, format="conllu")
    assert "news.conllu, row 11" in str(caught.value) and said in str(caught.value)
    assert len(load(tmp_path, CONLLU + "\n" + content, format="conllu", on_error="skip")) == 1
