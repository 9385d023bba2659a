"""doccano: entities with relations, and spans alone."""

import json

import pytest

from data_scripts import DataError, load_user_file

from ..source_examples import NEWS, NEWS_ALL_PAIRS, NEWS_ENTITIES, doccano_line


def load(tmp_path, *lines, **options):
    path = tmp_path / "all.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load_user_file(path, **options)


def test_rows_by_hand(tmp_path, caplog):
    rows = load(tmp_path, doccano_line())
    assert rows["text"] == [
        "<e1:PER> Mara Lind </e1:PER> founded <e2:ORG> Petrel Foods </e2:ORG> in Oslo.",
        "<e2:PER> Jon Asher </e2:PER> 🙂 joined <e1:ORG> Calyx Labs </e1:ORG>.",
    ]
    assert rows["relation"] == ["Founded", "Employer"]
    assert "all.jsonl: read as doccano: documents: 1, entities: 5, pairs: 2" in caplog.text


@pytest.mark.parametrize("field", ["label", "labels"])
def test_spans_alone(tmp_path, field):
    spans = [[start, end, kind] for _, kind, start, end in NEWS_ENTITIES]
    rows = load(
        tmp_path, {"id": 1, "text": "No one.", field: []}, {"id": 2, "text": NEWS, field: spans}
    )
    assert list(zip(rows["head"], rows["tail"], strict=True)) == NEWS_ALL_PAIRS
    assert rows["head_type"] == ["PER", "PER", "ORG", "PER"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.update(text=None), "field text: is missing"),
        (lambda line: line["entities"][0].update(start_offset=-1), "reversed or outside"),
        (lambda line: line["entities"][0].pop("end_offset"), "field end_offset: is missing"),
        (lambda line: line["relations"][0].update(to_id=3), "names an entity that does not exist"),
        (lambda line: line.update(label=["news"]), "holds something that is no span ('news')"),
    ],
)
def test_bad_lines(tmp_path, change, said):
    broken = doccano_line()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, doccano_line(), broken)
    assert "all.jsonl, row 2" in str(caught.value) and said in str(caught.value)
    assert len(load(tmp_path, doccano_line(), broken, on_error="skip")) >= 2
