"""Models on a hub: what loads where, with and without the package, and what refuses to."""

import json
import shutil

import pytest
import torch

from modeling_siamure import RelationDiscoveryPipeline

from .helpers.commands import REPOSITORY
from .helpers.hub import LoopbackHub
from .helpers.models import SPANS, TEXT, make_model
from .helpers.strangers import CODE, STRANGER, run

ONLINE = """
found = {}
try:
    AutoModel.from_pretrained("siamure-tacred")
except ValueError as error:
    found["untrusted"] = str(error)
    print()  # ends the line of the question that nobody answered
model, tokenizer = load("siamure-tacred")
found["module"], found["embedding"] = type(model).__module__, embedding(model, tokenizer)
found["bfloat16"] = embedding(load("siamure-tacred", dtype=torch.bfloat16)[0], tokenizer)
half = load("siamure-tacred", dtype=torch.bfloat16)[0]
found["dtypes"] = [str(half.dtype), str(half.cluster_centroids.dtype)]
places = {"encoder": "cpu", "projector": "disk", "predictor": "disk", "cluster_head": "cpu", "cluster_centroids": "cpu"}
mapped = load("siamure-tacred", device_map=places, offload_folder="offloaded")[0]
found["device_map"] = [mapped.hf_device_map, embedding(mapped, tokenizer)]
found["revision"] = embedding(load("siamure-tacred", revision=first)[0], tokenizer)
ask = pipeline("relation-discovery", model="siamure-tacred", **trust)
found["answers"] = ask([text, spans], batch_size=2)
found["inferred"] = pipeline(model="siamure-tacred", **trust)(text)
model.save_pretrained(folder)
tokenizer.save_pretrained(folder)
print(json.dumps(found))
"""
OFFLINE = """
found = {"embedding": embedding(*load("siamure-tacred")), "saved_again": embedding(*load(folder))}
found["answers"] = [pipeline("relation-discovery", model=name, **trust)(text) for name in ("siamure-tacred", folder)]
print(json.dumps(found))
"""
AT_HOME = """
import json, sys
import modeling_siamure
from transformers import AutoModel, AutoTokenizer, pipeline
text = sys.argv[1]
found = {}
for trust in (None, True):  # trust changes nothing: the installed code is the one that runs
    model = AutoModel.from_pretrained("siamure-tacred", trust_remote_code=trust)
    ask = pipeline("relation-discovery", model="siamure-tacred", trust_remote_code=trust)
    found[str(trust)] = [type(model).__module__, type(ask).__module__, ask(text)]
tokenizer = AutoTokenizer.from_pretrained("siamure-tacred")
found["embedding"] = model(**tokenizer(text, return_tensors="pt")).relation_embedding[0].tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def world(encoder, tmp_path_factory):
    """What strangers and the package make of one model on a hub, whose first commit was another model."""
    folder = tmp_path_factory.mktemp("world")
    model, tokenizer = make_model(encoder)
    with torch.no_grad():
        other = make_model(encoder)[0]
        other.get_input_embeddings().weight.zero_()
    other.save_pretrained(folder / "other")
    tokenizer.save_pretrained(folder / "other")
    model.save_pretrained(folder / "model", max_shard_size="20KB")
    tokenizer.save_pretrained(folder / "model")
    with LoopbackHub() as hub:
        repo = hub.add_folder("model", "siamure-tacred", folder / "other")
        first = repo.head
        files = [path for path in (folder / "model").iterdir()]
        repo.commit({path.name: path.read_bytes() for path in files})
        (folder / "home").mkdir()
        arguments = json.dumps([TEXT, SPANS, str(folder / "saved_again"), first])
        online = run(
            STRANGER + ONLINE,
            arguments,
            environment=hub.environment(folder / "home"),
            cwd=folder / "home",
        )
        at_home = run(
            AT_HOME, TEXT, environment=hub.environment(folder / "other_home"), cwd=REPOSITORY
        )
        environment = hub.environment(folder / "home")
    offline = run(
        STRANGER + OFFLINE,
        arguments,
        environment={**environment, "HF_HUB_OFFLINE": "1"},
        cwd=folder / "home",
    )
    batch = tokenizer(TEXT, return_tensors="pt")
    ask = RelationDiscoveryPipeline(model=model, tokenizer=tokenizer)
    return {
        "online": online,
        "offline": offline,
        "at_home": at_home,
        "folder": folder,
        "answer": ask(TEXT),
        "embedding": model(**batch).relation_embedding[0],
        "other": other(**batch).relation_embedding[0],
    }


def close(found: list[float], expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(torch.tensor(found), expected, atol=tolerance, rtol=tolerance)


def test_the_code_is_in_the_folder(world):
    names = {path.name for path in (world["folder"] / "model").iterdir()}
    assert names >= CODE | {"config.json", "model.safetensors.index.json", "tokenizer.json"}
    assert not {name for name in names if name.endswith(".py")} - CODE


def test_a_stranger_loads_by_the_bare_name_and_from_shards(world):
    assert len(list((world["folder"] / "model").glob("model-*.safetensors"))) > 2
    assert world["online"]["module"].startswith("transformers_modules.siamure")
    close(world["online"]["embedding"], world["embedding"])


def test_a_stranger_without_trust_is_told_so(world):
    assert "trust_remote_code=True" in world["online"]["untrusted"]


def test_bfloat16(world):
    assert world["online"]["dtypes"] == ["torch.bfloat16", "torch.float32"]
    close(world["online"]["bfloat16"], world["embedding"], tolerance=0.02)


def test_device_map(world):
    device_map, embedding = world["online"]["device_map"]
    assert device_map["encoder"] == "cpu" and device_map["projector"] == "disk"
    close(embedding, world["embedding"])


def test_a_pinned_commit(world):
    assert not torch.allclose(world["other"], world["embedding"], atol=1e-2)
    close(world["online"]["revision"], world["other"])


def test_the_pipeline_of_a_stranger(world):
    answers = [
        *world["online"]["answers"],
        world["online"]["inferred"],
        *world["offline"]["answers"],
    ]
    for answer in answers:
        assert (
            answer["label"] == world["answer"]["label"]
            and answer["cluster"] == world["answer"]["cluster"]
        )
        assert answer["score"] == pytest.approx(world["answer"]["score"], abs=1e-5)


def test_offline_from_the_cache(world):
    close(world["offline"]["embedding"], world["embedding"])


def test_saving_again_keeps_the_code(world):
    names = {path.name for path in (world["folder"] / "saved_again").iterdir()}
    assert names >= CODE | {"model.safetensors"}
    close(world["offline"]["saved_again"], world["embedding"])


def test_with_the_package_no_trust_is_needed(world):
    close(world["at_home"]["embedding"], world["embedding"])
    for trust in ("None", "True"):
        model, ask, answer = world["at_home"][trust]
        assert model == "modeling_siamure.modeling_siamure" and ask == "modeling_siamure.pipeline"
        assert answer["label"] == world["answer"]["label"]


ATTEMPTS = """
found = {}
for name in ("siamure-tacred", "tampered", "truncated", "remote-code", "local-path"):
    try:
        found[name] = {"embedding": embedding(*load(name))}
    except Exception as error:
        found[name] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(found))
"""


def test_a_download_that_breaks_off_leaves_nothing_that_loads(world, loopback_hub, tmp_path):
    loopback_hub.add_folder("model", "siamure-tacred", world["folder"] / "model")
    loopback_hub.cut = "model-00002"
    arguments = json.dumps([TEXT, SPANS, "", ""])
    environment = {**loopback_hub.environment(tmp_path / "home"), "HF_HUB_DOWNLOAD_TIMEOUT": "2"}
    broken = run(STRANGER + ATTEMPTS, arguments, environment=environment, cwd=tmp_path)[
        "siamure-tacred"
    ]
    assert broken.keys() == {"error"}
    assert not list((tmp_path / "home").rglob("snapshots/*/model-00002*"))
    loopback_hub.cut = ""
    found = run(STRANGER + ATTEMPTS, arguments, environment=environment, cwd=tmp_path)[
        "siamure-tacred"
    ]
    close(found["embedding"], world["embedding"])


@pytest.mark.parametrize("who", ["a stranger who trusts", "someone with the package"])
def test_bad_checkpoints_are_refused_and_run_nothing(world, loopback_hub, tmp_path, who):
    def publish(name: str, weights=lambda content: content, **encoder_config):
        folder = shutil.copytree(world["folder"] / "other", tmp_path / name)
        path = folder / "model.safetensors"
        path.write_bytes(weights(path.read_bytes()))
        config = json.loads((folder / "config.json").read_text())
        config["encoder_config"] |= encoder_config
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "evil.py").write_text("open('executed', 'w')\n")
        loopback_hub.add_folder("model", name, folder)

    publish(
        "tampered", lambda content: content.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1)
    )
    publish("truncated", lambda content: content[: len(content) // 2])
    publish(
        "remote-code",
        auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"},
        model_type="evil",
    )
    publish("local-path", _name_or_path=str(tmp_path / "truncated"))
    cwd = tmp_path / "work"
    cwd.mkdir()
    arguments, environment = (
        json.dumps([TEXT, SPANS, "", ""]),
        loopback_hub.environment(tmp_path / "home"),
    )
    code = STRANGER + ATTEMPTS
    if who == "someone with the package":
        code = code.replace('("modeling_siamure", ', "(").replace('"trust_remote_code": True', "")
        code, environment = (
            f"import modeling_siamure\n{code}",
            {**environment, "PYTHONPATH": str(REPOSITORY)},
        )
    attempts = run(code, arguments, environment=environment, cwd=cwd)
    found = {name: attempt.get("error") for name, attempt in attempts.items()}
    assert "the weights of tampered are damaged" in found["tampered"]
    assert "the weights of truncated are damaged" in found["truncated"]
    assert "encoder_config asks for code of its own" in found["remote-code"]
    assert f"encoder_config points to '{tmp_path / 'truncated'}'" in found["local-path"]
    assert list(cwd.iterdir()) == [] and not [
        path for path in loopback_hub.requests if "evil" in path
    ]
