"""Runs that are killed, stopped, or out of disk resume as if nothing had happened."""

import json
import logging
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from modeling_siamure.training.checkpointing import find_damage, find_last_checkpoint
from tests.helpers.commands import REPOSITORY
from tests.helpers.distributed import Result, execute
from tests.helpers.models import changed, make_trainer, weights

STEADY = {
    "save_strategy": "steps",
    "save_steps": 1,
    "save_total_limit": 3,
    "dropout": 0.1,
    "logging_steps": 3,
}
STEADY |= {"rows": 45, "num_train_epochs": 4, "per_device_train_batch_size": 4, "processes": 2}


def final(folder):
    logs = [entry for entry in Result(folder).logs if "train_runtime" not in entry]
    return Result(folder).weights, Result(folder).neighbors, logs


def assert_equal(found, expected, atol):
    for key, weight in expected[0].items():
        np.testing.assert_allclose(found[0][key], weight, rtol=0, atol=atol, err_msg=key)
    assert (found[1] == expected[1]).all()
    assert len(found[2]) == len(expected[2])
    for entry, other in zip(found[2], expected[2], strict=True):
        assert entry == pytest.approx(other, rel=1e-4, abs=1e-5)


@pytest.fixture(scope="module")
def stopped(encoder, tmp_path_factory):
    """A folder with an undisturbed run, one that was killed, and two that a signal stopped; and
    what they printed."""
    folder = tmp_path_factory.mktemp("stopped")
    runs = [
        {**STEADY, "output_dir": str(folder / "whole")},
        {**STEADY, "output_dir": str(folder / "killed"), "kills": 3},
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        options = {**STEADY, "save_strategy": "no", "output_dir": str(folder / number.name)}
        runs += [{**options, "signal": number}, {**options, "resume": True}]
    statuses, output = execute(encoder, folder, runs)
    assert statuses == [0, 0, 143, 0, 130, 0], output
    return folder, output


def test_a_killed_run_resumes(stopped):
    folder, output = stopped
    assert output.count("killed with") == 3
    assert_equal(final(folder / "killed"), final(folder / "whole"), atol=1e-6)


@pytest.mark.extended
def test_twenty_kills(encoder, stopped, tmp_path):
    runs = [
        {**STEADY, "output_dir": str(tmp_path / str(number)), "kills": 4} for number in range(5)
    ]
    statuses, output = execute(encoder, tmp_path, runs)
    assert set(statuses) == {0} and output.count("killed with") == 20, output
    for number in range(5):
        assert_equal(final(tmp_path / str(number)), final(stopped[0] / "whole"), atol=1e-6)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_save_a_checkpoint_and_say_where(stopped, number):
    """One of two processes is told to stop; both do, at one step."""
    folder, output = stopped
    checkpoint = folder / number.name / "checkpoint-7"
    assert f"{number.name}: saved {checkpoint}; resume with --resume_from_checkpoint true" in output
    assert "Traceback" not in output
    assert find_damage(checkpoint) is None
    assert_equal(final(folder / number.name), final(folder / "whole"), atol=1e-6)


def can_mount() -> bool:
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own")
def test_a_full_disk_leaves_the_earlier_checkpoint(encoder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    jobs = tmp_path / "jobs.json"
    jobs.write_text(json.dumps([{**STEADY, "encoder": encoder, "output_dir": str(run)}]))
    script = (
        'mount -t tmpfs -o size=1m tmpfs "$1" && "$0" -m tests.helpers.distributed "$2"; '
        'ls "$1"; cp -r "$1"/checkpoint-1 "$3"'
    )
    done = subprocess.run(
        [
            "unshare",
            "-rm",
            "bash",
            "-c",
            script,
            sys.executable,
            str(run),
            str(jobs),
            str(tmp_path),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert "status 1" in done.stdout and "checkpoint-1" in done.stdout
    assert "_unfinished" not in done.stdout
    last = next(line for line in done.stderr.splitlines() if "CheckpointError: " in line)
    assert (
        "checkpoint-2 could not be written" in last
        and f"{run}/checkpoint-1 is whole: make room" in last
    )
    assert find_damage(tmp_path / "checkpoint-1") is None


@pytest.fixture(scope="module")
def checkpoints(encoder, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    trainer = make_trainer(encoder, rows, folder, save_strategy="steps", save_steps=2)
    trainer.train()
    assert sorted(path.name for path in folder.iterdir()) == [
        f"checkpoint-{step}" for step in (2, 4, 6, 8)
    ]
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
        "neighbors.safetensors",
    ],
)
def test_a_half_written_checkpoint_is_passed_over(
    encoder, rows, checkpoints, tmp_path, caplog, name
):
    folder = tmp_path / "run"
    shutil.copytree(checkpoints, folder)
    (folder / "_unfinished" / "checkpoint-9").mkdir(parents=True)
    assert find_last_checkpoint(folder) == folder / "checkpoint-8"
    damaged = folder / "checkpoint-8" / name
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        assert find_last_checkpoint(folder) == folder / "checkpoint-6"
    assert f"{folder / 'checkpoint-8'} is ignored: {name} is cut short" in caplog.messages
    assert (
        f"{folder / '_unfinished' / 'checkpoint-9'} is ignored: it was being written" in caplog.text
    )
    trainer = make_trainer(encoder, rows, folder)
    with pytest.raises(
        ValueError, match=f"checkpoint-8 can't be resumed from: {name} is cut short"
    ):
        trainer.train(resume_from_checkpoint=str(folder / "checkpoint-8"))


@pytest.mark.parametrize("step", [2, 4, 6])
def test_logs_resume_bit_for_bit(encoder, rows, tmp_path, step):
    """Checkpoints within the first phase, at its end and within the second, between two logged
    steps."""
    options = {
        "logging_steps": 3,
        "save_strategy": "steps",
        "save_steps": 2,
        "lr_scheduler_type": "cosine",
    }
    whole = make_trainer(encoder, rows, tmp_path / "whole", **options)
    whole.train()
    resumed = make_trainer(encoder, rows, tmp_path / "resumed", **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{step}"))
    # The last one is of running times.
    assert whole.state.log_history[:-1] == resumed.state.log_history[:-1]
    assert not changed(weights(whole), weights(resumed))
    for name in ("optimizer", "lr_scheduler"):
        states = [
            torch.load(tmp_path / run / "checkpoint-8" / file, weights_only=True)
            for run in ("whole", "resumed")
            for file in [{"optimizer": "optimizer.pt", "lr_scheduler": "scheduler.pt"}[name]]
        ]
        assert str(states[0]) == str(states[1])


def test_nothing_to_resume_is_a_beginning(encoder, rows, tmp_path, caplog):
    whole = make_trainer(encoder, rows, tmp_path / "whole")
    whole.train()
    begun = make_trainer(encoder, rows, tmp_path / "begun")
    with caplog.at_level(logging.WARNING):
        begun.train(resume_from_checkpoint=True)
    assert (
        f"{tmp_path / 'begun'} has no whole checkpoint yet: starting from the beginning"
        in caplog.messages
    )
    assert not changed(weights(whole), weights(begun))


def test_an_uninterrupted_run_leaves_signals_as_they_were(encoder, rows, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    make_trainer(encoder, rows, tmp_path, num_train_epochs=1).train()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
