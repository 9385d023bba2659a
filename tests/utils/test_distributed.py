"""What processes share; and two that train the model that one trains, over gloo."""

import gc
import os
import signal
import tempfile

import numpy as np
import pytest
import torch

from modeling_siamure.utils.distributed import broadcast_from_main, shared_memmap

from ..helpers.distributed import Result, execute


@pytest.fixture
def temporary_files(tmp_path, monkeypatch):
    """The folder that temporary files go to."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_one_process_gets_its_result():
    assert broadcast_from_main(dict, {"a": torch.ones(1)}, b=2) == {"a": torch.ones(1), "b": 2}


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_an_array_has_its_room_on_the_disk(tmp_path, monkeypatch, has_fallocate):
    """Not a sparse file, with whose holes a full disk kills the process; also without Linux' call."""
    if not has_fallocate:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif not hasattr(os, "posix_fallocate"):
        pytest.skip("this system has no posix_fallocate")
    path = tmp_path / "array.f32"
    array = shared_memmap(1000, 100, path)
    assert array.shape == (1000, 100) and array.dtype == np.float32 and not array.any()
    assert path.stat().st_size == 400_000 and 512 * path.stat().st_blocks >= 400_000
    array[:] = 1
    array[-1] = 2
    array.flush()
    del array
    again = shared_memmap(2000, 100, path)  # longer: what it held stays
    assert (again[:999] == 1).all() and (again[999] == 2).all() and not again[1000:].any()
    assert 512 * path.stat().st_blocks >= 800_000


def test_a_temporary_array_is_gone_with_its_last_use(temporary_files):
    array = shared_memmap(10, 3)
    assert list(temporary_files.iterdir()) == []  # already: the mapping holds it
    array[:] = 3
    view = array[2:5]
    del array
    assert (view == 3).all()


def test_where_a_file_in_use_cannot_be_removed_it_goes_with_the_array(temporary_files, monkeypatch):
    """As on Windows."""
    unlink = os.unlink
    is_mapped = True

    def unlink_if_unused(path):
        if is_mapped:
            raise PermissionError(13, "in use", path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", unlink_if_unused)
    array = shared_memmap(10, 3)
    (path,) = temporary_files.iterdir()
    view = array[2:5]
    view[:] = 3
    del array
    gc.collect()
    assert path.exists() and (view == 3).all()
    is_mapped = False
    del view
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize("has_path", [True, False])
def test_no_room_is_one_line(tmp_path, temporary_files, monkeypatch, has_path):
    def refuse(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    advice = "give a folder on a larger disk" if has_path else "set TMPDIR to a larger disk"
    said = "can't hold 3.7 GiB for 1000000 embeddings (No space left on device); " + advice
    with pytest.raises(OSError) as caught:
        shared_memmap(1_000_000, 1000, tmp_path / "array" if has_path else None)
    assert str(caught.value).endswith(said)
    assert not (tmp_path / "array").exists() and list(temporary_files.iterdir()) == []


def assert_follows(two: Result, one: Result):
    """A run of two processes is that of one process, but for rounding."""
    assert (one.processes, two.processes) == (1, 2)
    for step, (found, expected) in enumerate(zip(two.trajectory(), one.trajectory(), strict=True)):
        assert found == pytest.approx(expected, rel=0, abs=1e-5), step
    assert (one.neighbors == two.neighbors).all()
    assert two.metrics == pytest.approx(one.metrics, abs=1e-4)
    for key, weight in one.weights.items():
        np.testing.assert_allclose(two.weights[key], weight, atol=1e-4, err_msg=key)


# Rows, and the batches of one and of two processes: the same rows in each optimizer step.
SETTINGS = {
    "even": (60, {"per_device_train_batch_size": 8}, {"per_device_train_batch_size": 4}),
    "uneven": (61, {"per_device_train_batch_size": 8}, {"per_device_train_batch_size": 4}),
    "one row left": (
        57,
        {"per_device_train_batch_size": 8, "weight_decay": 0.5, "cluster_head_init": "random"},
        {"per_device_train_batch_size": 4, "weight_decay": 0.5, "cluster_head_init": "random"},
    ),
    "accumulation": (
        61,
        {
            "per_device_train_batch_size": 8,
            "num_train_epochs": 2,
            "clustering_loss": "neighbor_cosine",
        },
        {
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "dataloader_num_workers": 2,
            "num_train_epochs": 2,
            "clustering_loss": "neighbor_cosine",
        },
    ),
    "accumulated entropy": (
        57,
        {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2},
        {
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "gradient_checkpointing": True,
        },
    ),
}


@pytest.fixture(scope="module")
def results(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    runs = [
        {
            "output_dir": str(folder / str(processes) / name),
            "processes": processes,
            "rows": setting[0],
        }
        | setting[processes]
        for name, setting in SETTINGS.items()
        for processes in (1, 2)
    ]
    statuses, output = execute(encoder, folder, runs)
    assert set(statuses) == {0}, output
    return {
        name: [Result(folder / str(processes) / name) for processes in (1, 2)] for name in SETTINGS
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_follow_one(results, name):
    one, two = results[name]
    joint = 4 + (name != "accumulation")
    assert {len(entry) for entry in one.trajectory()} == {3, joint}  # both phases
    assert_follows(two, one)


# FSDP2 with whole weights in a checkpoint, as in our recipe, and with shards; and a compiled model.
WAYS = {
    "FULL_STATE_DICT": {"shards": "FULL_STATE_DICT"},
    "SHARDED_STATE_DICT": {"shards": "SHARDED_STATE_DICT"},
    "compiled": {"torch_compile": True, "torch_compile_backend": "eager"},
}


@pytest.mark.extended
def test_other_ways_follow_one_process_too(encoder, results, tmp_path):
    """Each is stopped in the first phase and resumed."""
    runs = []
    for name, way in WAYS.items():
        run = {
            **SETTINGS["uneven"][2],
            **way,
            "output_dir": str(tmp_path / name),
            "processes": 2,
            "rows": 61,
        }
        runs += [run | {"signal": signal.SIGTERM}, run | {"resume": True}]
    statuses, output = execute(encoder, tmp_path, runs)
    assert statuses == [143, 0] * len(WAYS), output
    for name in WAYS:
        assert_follows(Result(tmp_path / name), results["uneven"][0])
