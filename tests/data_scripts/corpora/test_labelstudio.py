"""Label Studio: regions and relations, which annotation is read, JSON-MIN, bad exports."""

import json

import pytest

from data_scripts import DataError, load_user_file, relation_builder

from ..source_examples import NEWS, NEWS_ALL_PAIRS, labelstudio_task


def write(tmp_path, *tasks):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    return path


def load(tmp_path, *tasks, **options):
    return load_user_file(write(tmp_path, *tasks), **options)


def test_rows_by_hand(tmp_path, caplog):
    rows = load(tmp_path, labelstudio_task())
    assert rows["text"] == [
        "<e1:PER> Mara Lind </e1:PER> founded <e2:ORG> Petrel Foods </e2:ORG> in Oslo.",
        "<e2:PER> Jon Asher </e2:PER> 🙂 joined <e1:ORG> Calyx Labs </e1:ORG>.",
    ]
    assert rows["relation"] == ["Founded", "Employer"]
    assert rows["document"] == ["3", "3"]
    assert (
        "export.json: read as labelstudio: documents: 1, entities: 5, pairs: 2; --f" in caplog.text
    )


def test_which_annotation_is_read(tmp_path):
    task = labelstudio_task()
    (annotation,) = task["annotations"]
    canceled = {"was_cancelled": True, "result": []}
    other = {"result": annotation["result"][:5]}
    task["annotations"] = [canceled, other, {**annotation, "ground_truth": True}]
    builder = relation_builder("labelstudio", data_files={"train": str(write(tmp_path, task))})
    assert builder.read()["train"]["relation"] == ["Founded", "Employer"]
    notes = builder.tallies()["train"]["notes"]
    assert notes == {"task with several annotations: one is read": 1}
    # What a model has filled in, before anybody annotated.
    task = labelstudio_task()
    task["predictions"] = task.pop("annotations")
    assert load(tmp_path, task)["relation"] == ["Founded", "Employer"]


def test_relations_without_a_label_and_other_regions(tmp_path, caplog):
    task = labelstudio_task()
    regions = task["annotations"][0]["result"]
    del regions[-1]["labels"]
    regions.append({"id": "c", "type": "choices", "value": {"choices": ["news"]}})
    regions[1]["value"]["labels"].append("Company")
    rows = load(tmp_path, task)
    assert rows["relation"] == ["Founded", None]
    assert rows["head"] == ["Mara Lind", "Calyx Labs"]  # the direction stays
    assert "1 x region that marks no characters of the text: ignored" in caplog.text
    assert "1 x region with several labels: the first one is its type" in caplog.text


def test_json_min(tmp_path):
    regions = labelstudio_task()["annotations"][0]["result"][:5]
    record = {
        "id": 9,
        "text": NEWS,
        "label": [region["value"] for region in regions],
        "annotator": 1,
    }
    rows = load(tmp_path, record)
    assert list(zip(rows["head"], rows["tail"], strict=True)) == NEWS_ALL_PAIRS


def test_offsets_that_count_utf16_units(tmp_path):
    task = labelstudio_task()
    value = task["annotations"][0]["result"][4]["value"]
    value |= {"start": 60, "end": 70}
    with pytest.raises(DataError, match="they fit with the option offsets=utf16"):
        load(tmp_path, task)
    assert load(tmp_path, task, offsets="utf16")["head"] == ["Mara Lind", "Calyx Labs"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda task: task["data"].update(text=None), "field data: holds no text ('text')"),
        (lambda task: task.update(annotations={}), "field annotations: is not a list"),
        (lambda task: task.update(annotations=[7]), "field annotations: is not an object (7)"),
        (lambda task: task["annotations"][0].update(result={}), "field result: is not a list"),
        (lambda task: task["annotations"][0]["result"].append(3), "is not an object (3)"),
        (lambda task: task["annotations"][0]["result"][5].update(to_id="r9"), "('r9')"),
        (lambda task: task["annotations"][0]["result"][2]["value"].update(end=99), "outside the"),
        (
            lambda task: task["annotations"][0]["result"][2]["value"].update(labels=[5]),
            "not a string",
        ),
    ],
)
def test_bad_exports(tmp_path, change, said):
    broken = labelstudio_task()
    change(broken)
    with pytest.raises(DataError) as caught:
        load(tmp_path, labelstudio_task(), broken, format="labelstudio")
    assert "export.json, row 2" in str(caught.value) and said in str(caught.value)
    rows = load(tmp_path, labelstudio_task(), broken, format="labelstudio", on_error="skip")
    assert len(rows) >= 2
