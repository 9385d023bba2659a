"""Two processes train the model that one trains: real processes that talk over gloo."""

import signal

import numpy as np
import pytest

from ..helpers.distributed import Result, execute


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
