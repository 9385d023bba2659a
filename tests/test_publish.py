"""What `train.py --push_to_hub` leaves on a hub, and what it does where it may not or can't."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from tests.helpers.commands import REPOSITORY, fails
from tests.helpers.hub import LoopbackHub
from tests.helpers.rows import make_rows, write_rows
from tests.helpers.strangers import CODE, STRANGER, run

ASK = """
ask = pipeline("relation-discovery", model=text, **trust)
print(json.dumps([ask(row) for row in spans]))
"""


def train(hub, home, *arguments, cwd=REPOSITORY, token="hf_loopback"):
    return subprocess.run(
        [sys.executable, "train.py", *map(str, arguments), "--push_to_hub", "true"],
        cwd=cwd,
        env=hub.environment(home) | {"HF_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def recipe(encoder, tmp_path_factory):
    """A recipe that trains in a second on forty rows."""
    folder = tmp_path_factory.mktemp("recipe")
    rows = write_rows(folder / "rows.jsonl", make_rows(40))
    (folder / "tiny.yaml").write_text(
        f"model_name_or_path: {encoder}\npooling: mention_context\npooling_layer: 1\nnum_clusters: 3\n"
        f"train_file: {rows}\nwarmup_epochs: 0\nnum_train_epochs: 1\nnum_neighbors: 5\nkmeans_restarts: 2\n"
        'per_device_train_batch_size: 16\nsave_strategy: "no"\nbf16: false\nuse_cpu: true\nhub_model_id: tiny\n'
    )
    return folder / "tiny.yaml"


@pytest.fixture(scope="module")
def published(recipe, tmp_path_factory):
    """A hub with a published model in it, and the folder that it was published from."""
    folder = tmp_path_factory.mktemp("published")
    with LoopbackHub() as hub:
        done = train(hub, folder / "home", recipe, "--output_dir", folder / "siamure-tiny")
        assert done.returncode == 0, done.stderr
        yield hub, folder / "siamure-tiny"


def test_model_tokenizer_card_and_figures_are_there(published):
    hub, output = published
    files = hub.files("model", "loopback/tiny")
    assert files.keys() >= CODE | {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert files.keys() >= {"README.md", "all_results.json", ".eval_results/siamure.yaml"}
    assert "training_args.bin" not in files and not [
        name for name in files if "partial" in name or "check" in name
    ]
    for name, content in files.items():
        assert name == ".gitattributes" or (output / name).read_bytes() == content
        assert str(output.parent).encode() not in content, f"{name} names a folder of this machine"


def test_the_card_is_ours_and_has_the_scores(published):
    hub, _ = published
    files = hub.files("model", "loopback/tiny")
    results = json.loads(files["all_results.json"])
    card = ModelCard(files["README.md"].decode())
    scores = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert scores == {
        key: round(results[f"eval_{key}"], 4) for key in ("b3_f1", "v_measure_f1", "ari")
    }
    assert card.data.library_name == "transformers" and card.data.model_name == "tiny"
    entries = parse_eval_result_entries(yaml.safe_load(files[".eval_results/siamure.yaml"]))
    assert {entry.task_id: entry.value for entry in entries} == scores
    assert "{{" not in card.text and 'model="loopback/tiny"' in card.text
    for name, prefix in (
        ("untrained encoder, k-means (3)", "untrained_"),
        ("trained, k-means (3)", "eval_"),
    ):
        row = " | ".join(f"{100 * results[prefix + key]:.1f}" for key in scores)
        assert f"| {name} | {row} |" in card.text
    assert "@inproceedings" in card.text and "rows.jsonl, 40 sentences" in card.text


def test_the_cluster_table_is_that_of_the_model(published):
    hub, _ = published
    files = hub.files("model", "loopback/tiny")
    config = json.loads(files["config.json"])
    names = list(config["id2label"].values())
    assert len(set(names)) == 3 and all(name.startswith("PERSON→FIRM · ") for name in names)
    rows = [
        line.split(" | ")
        for line in files["README.md"].decode().splitlines()
        if line.startswith("| PERSON→FIRM")
    ]
    sizes = {row[0].removeprefix("| "): int(row[1]) for row in rows}
    assert sizes == dict(zip(names, config["cluster_sizes"], strict=True))
    assert all(1 <= row[2].count("<b>") == row[2].count("<i>") <= 3 for row in rows)


def test_new_sentences_are_assigned_as_the_training_did(published, tmp_path):
    """By a stranger, and on the training rows: as many in each cluster as the model says of
    itself, but for a tenth at most that stay unassigned."""
    hub, _ = published
    rows = [row["text"] for row in make_rows(40)]
    arguments = json.dumps(["loopback/tiny", rows, "", ""])
    answers = run(STRANGER + ASK, arguments, environment=hub.environment(tmp_path), cwd=tmp_path)
    config = json.loads(hub.files("model", "loopback/tiny")["config.json"])
    clusters = [answer["cluster"] for answer in answers]
    counts = [clusters.count(cluster) for cluster in range(3)]
    assert all(count <= size for count, size in zip(counts, config["cluster_sizes"], strict=True))
    assert sum(config["cluster_sizes"]) - sum(counts) == clusters.count(-1) <= 4
    names = {-1: "unassigned"} | {int(key): name for key, name in config["id2label"].items()}
    assert all(answer["label"] == names[answer["cluster"]] for answer in answers)


def test_without_the_right_to_write_nothing_is_trained(loopback_hub, recipe, tmp_path):
    done = train(
        loopback_hub, tmp_path / "home", recipe, "--output_dir", tmp_path / "out", token="hf_reader"
    )
    fails(done, "403")
    assert not (tmp_path / "out").exists() and loopback_hub.repos == {}


def test_a_template_without_front_matter_stops_before_the_training(loopback_hub, recipe, tmp_path):
    checkout = tmp_path / "checkout"
    for name in ("modeling_siamure", "data_scripts", "metrics"):
        shutil.copytree(
            REPOSITORY / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPOSITORY / "train.py", checkout)
    template = checkout / "modeling_siamure" / "model_card.md"
    template.write_text(template.read_text().split("---\n", 2)[2])
    done = train(
        loopback_hub, tmp_path / "home", recipe, "--output_dir", tmp_path / "out", cwd=checkout
    )
    fails(done, "model_card.md has no front matter")
    assert not (tmp_path / "out").exists() and loopback_hub.requests == []


@pytest.mark.parametrize("mishap", ["the connection breaks", "the repository is someone else's"])
def test_what_was_not_published_is_still_here(loopback_hub, recipe, tmp_path, mishap):
    if mishap == "the connection breaks":
        loopback_hub.cut, token, reason = "/commit/", "hf_loopback", ""
    else:  # it is there already, so that only the push itself meets the lack of permission
        repo, token, reason = (
            loopback_hub.add_folder("model", "loopback/tiny", recipe.parent),
            "hf_reader",
            "403",
        )
    arguments = (recipe, "--output_dir", tmp_path / "out", "--hub_model_id", "loopback/tiny")
    done = train(loopback_hub, tmp_path / "home", *arguments, token=token)
    fails(done, f"the model is in {tmp_path / 'out'}", "loopback/tiny was not published", reason)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert (
        names >= {"model.safetensors", "README.md", "all_results.json"} and ".partial" not in names
    )
    if mishap != "the connection breaks":
        assert "model.safetensors" not in repo.files
