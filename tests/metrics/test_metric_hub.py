"""The metric as a Space: published by its command, loaded over HTTP, and a card whose numbers are right."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

METRICS = Path(__file__).parents[2] / "metrics"
FILES = {"README.md", "app.py", "b_cubed.py", "requirements.txt"}

LOAD = """
import json
import sys
sys.modules["modeling_siamure"] = sys.modules["data_scripts"] = None  # importing them fails from here on
import evaluate
scores = evaluate.load("b_cubed").compute(predictions=[3, 3, 3, 7], references=["x", "x", "y", "y"])
print(json.dumps(scores))
"""


def run(hub, home, *arguments, **changes):
    environment = hub.environment(home) | changes
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=home, capture_output=True, text=True
    )


def publish(hub, home, *arguments, **changes):
    return run(hub, home, METRICS / "publish.py", *arguments, **changes)


def test_published_space_loads_by_its_bare_name(loopback_hub, tmp_path):
    published = publish(loopback_hub, tmp_path, "evaluate-metric/b_cubed", "--push")
    assert published.returncode == 0, published.stderr
    assert published.stdout == f"Published {loopback_hub.url}/spaces/evaluate-metric/b_cubed\n"
    expected = {name: (METRICS / "b_cubed" / name).read_bytes() for name in FILES}
    assert loopback_hub.files("space", "evaluate-metric/b_cubed") == expected

    loaded = run(loopback_hub, tmp_path, "-c", LOAD)
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["b3_precision"] == pytest.approx(2 / 3, abs=1e-12)
    assert "GET /spaces/evaluate-metric/b_cubed/resolve/main/b_cubed.py" in loopback_hub.requests


def test_publishing_again_updates_the_space(loopback_hub, tmp_path):
    repo = loopback_hub.add_folder("space", "someone/b_cubed", tmp_path)
    repo.commit({"b_cubed.py": b"old", "notes.txt": b"theirs"})
    result = publish(loopback_hub, tmp_path, "someone/b_cubed", "--push")
    assert result.returncode == 0, result.stderr
    assert set(repo.files) == FILES | {"notes.txt"}
    assert repo.files["b_cubed.py"] == (METRICS / "b_cubed" / "b_cubed.py").read_bytes()


def test_dry_run_asks_nothing_of_the_hub(loopback_hub, tmp_path):
    result = publish(loopback_hub, tmp_path, "someone/b_cubed")
    assert result.returncode == 0
    assert all(name in result.stdout for name in FILES)
    assert "--push" in result.stdout
    assert loopback_hub.requests == []


@pytest.mark.parametrize("repo_id", ["b_cubed", "someone/bcubed", "/b_cubed"])
def test_a_name_that_evaluate_could_not_load_is_refused(loopback_hub, tmp_path, repo_id):
    result = publish(loopback_hub, tmp_path, repo_id, "--push")
    assert (result.returncode, loopback_hub.requests) == (2, [])
    assert (
        result.stderr
        == f"publish.py: repo_id {repo_id!r} has to be ORG/b_cubed, with your name for ORG\n"
    )


def test_a_token_without_the_right_to_write(loopback_hub, tmp_path):
    result = publish(loopback_hub, tmp_path, "someone/b_cubed", "--push", HF_TOKEN="hf_reader")
    assert result.returncode == 2
    assert result.stderr.startswith("publish.py: someone/b_cubed was not published: ")
    assert "403" in result.stderr and result.stderr.count("\n") == 1
    assert loopback_hub.repos == {}


def test_a_hub_out_of_reach(loopback_hub, tmp_path):
    discard_port = "http://127.0.0.1:9"
    result = publish(loopback_hub, tmp_path, "someone/b_cubed", "--push", HF_ENDPOINT=discard_port)
    assert result.returncode == 2
    assert result.stderr.startswith("publish.py: someone/b_cubed was not published: ")
    assert result.stderr.count("\n") == 1


def test_card_numbers_are_recomputed(monkeypatch):
    monkeypatch.chdir(METRICS)  # from where "b_cubed" is a local name
    result = doctest.testfile(str(METRICS / "b_cubed" / "README.md"), module_relative=False)
    assert result.attempted >= 15
    assert result.failed == 0


def test_card_front_matter():
    card = SpaceCard.load(METRICS / "b_cubed" / "README.md").data.to_dict()
    assert card["sdk"] == "gradio" and card["app_file"] in FILES
    assert card["tags"] == ["evaluate", "metric"]
    assert {
        "title",
        "emoji",
        "colorFrom",
        "colorTo",
        "sdk_version",
        "pinned",
        "description",
    } <= set(card)


HUB_CLIENT = """
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download

api = HfApi()
repo = api.create_repo("shelf", repo_type="dataset", private=True).repo_id
api.upload_file(path_or_fileobj=b"0123456789", path_in_repo="a/b/digits.txt", repo_id=repo, repo_type="dataset")
first = api.upload_file(path_or_fileobj=b"PAR1", path_in_repo="x.parquet", repo_id=repo, repo_type="dataset").oid
api.delete_file("a/b/digits.txt", repo, repo_type="dataset")
print(repo, api.list_repo_files(repo, repo_type="dataset"))
print(sorted(item.path for item in api.list_repo_tree(repo, repo_type="dataset", revision=first)))
print(open(hf_hub_download(repo, "x.parquet", repo_type="dataset")).read())
with HfFileSystem().open(f"datasets/{repo}@{first}/a/b/digits.txt", block_size=4) as file:
    file.seek(3)
    print(file.read(3))
print(api.file_exists(repo, "y", repo_type="dataset"), api.repo_exists(repo, repo_type="dataset"))
print(HfApi(token="hf_reader").repo_exists(repo, repo_type="dataset"))
"""


def test_the_loopback_hub_answers_as_a_hub_does(loopback_hub, tmp_path):
    result = run(loopback_hub, tmp_path, "-c", HUB_CLIENT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "loopback/shelf ['x.parquet']",
        "['a', 'x.parquet']",
        "PAR1",
        "b'345'",
        "False True",
        "False",
    ]
