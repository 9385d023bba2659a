"""Runs that are killed, stopped, or out of disk resume as if nothing had happened."""

import json
import logging
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

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
        "doubts.json",
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


def mutate(folder, seed):
    """Damage a file of a folder; return its name and how to undo that."""
    rng = random.Random(seed)
    path = rng.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    whole = path.read_bytes()
    place = rng.randrange(len(whole))
    kind = rng.choice(["byte", "cut", "zeros", "removed"])
    if kind == "removed":
        path.unlink()
    elif kind == "byte":
        other = bytes([whole[place] ^ rng.randrange(1, 256)])
        path.write_bytes(whole[:place] + other + whole[place + 1 :])
    else:
        tail = bytes(len(whole) - place) if kind == "zeros" else b""
        path.write_bytes(whole[:place] + tail)
    is_same = path.exists() and path.read_bytes() == whole
    return None if is_same else path.name, lambda: path.write_bytes(whole)


@pytest.mark.parametrize(
    "seeds", [range(30), pytest.param(range(30, 1030), marks=pytest.mark.extended)]
)
def test_a_mutated_checkpoint_is_named_and_passed_over(checkpoints, tmp_path, caplog, seeds):
    """Any byte of any file, a file that is cut short, zeros (a loss of power), a missing file."""
    for step in (6, 8):
        shutil.copytree(checkpoints / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    for seed in seeds:
        name, undo = mutate(tmp_path / "checkpoint-8", seed)
        caplog.clear()
        last = find_last_checkpoint(tmp_path)
        if name is not None:
            assert last == tmp_path / "checkpoint-6", (seed, name)
            (message,) = caplog.messages
            assert f"{tmp_path / 'checkpoint-8'} is ignored: " in message and name in message
        undo()
    assert find_damage(tmp_path / "checkpoint-8") is None


@pytest.mark.parametrize("name", ["optimizer.pt", "model.safetensors", "run.json"])
def test_a_file_of_another_checkpoint_is_damage(checkpoints, tmp_path, name):
    shutil.copytree(checkpoints / "checkpoint-8", tmp_path / "checkpoint-8")
    shutil.copyfile(checkpoints / "checkpoint-6" / name, tmp_path / "checkpoint-8" / name)
    damage = find_damage(tmp_path / "checkpoint-8")
    assert damage is not None and (name in damage or name == "run.json")


def test_a_checkpoint_without_an_optimizer_is_passed_over(encoder, rows, tmp_path, caplog):
    options = {"save_strategy": "steps", "save_steps": 4, "save_only_model": True}
    make_trainer(encoder, rows, tmp_path, **options).train()
    assert find_last_checkpoint(tmp_path) is None
    assert f"{tmp_path / 'checkpoint-8'} is ignored: it has no optimizer" in caplog.text


CHANGES = {
    "order of the rows": ({"rows": "shuffled"}, "training data has changed"),
    "a row": ({"rows": "one row fewer"}, "training data has changed"),
    "seed": ({"seed": 7}, "seed was 42 and is 7"),
    "learning rate": ({"learning_rate": 2e-3}, "learning_rate was 0.001 and is 0.002"),
    "batch": ({"per_device_train_batch_size": 8}, "per_device_train_batch_size was 16 and is 8"),
    "encoder": ({"dropout": 0.2}, "model has changed"),
    "neighbors": ({"num_neighbors": 6}, "num_neighbors was 5 and is 6"),
}


@pytest.mark.parametrize(("options", "said"), CHANGES.values(), ids=CHANGES)
def test_a_checkpoint_of_another_run_is_refused(
    encoder, rows, checkpoints, tmp_path, options, said
):
    folder = tmp_path / "run"
    shutil.copytree(checkpoints, folder)
    options = dict(options)
    changed_rows = {"shuffled": rows.shuffle(seed=1), "one row fewer": rows.select(range(59))}
    given = changed_rows.get(options.pop("rows", None), rows)
    trainer = make_trainer(encoder, given, folder, **options)
    with pytest.raises(ValueError, match="checkpoint-8 is of another run: ") as caught:
        trainer.train(resume_from_checkpoint=True)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_has_no_effect_may_change(encoder, rows, checkpoints, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(checkpoints, folder)
    options = {"save_strategy": "steps", "save_steps": 3, "logging_steps": 2, "save_total_limit": 9}
    trainer = make_trainer(encoder, rows, folder, **options)
    trainer.train_dataset = trainer.train_dataset.remove_columns("relation")  # gold has no part
    trainer.train(resume_from_checkpoint=True)
    assert trainer.state.global_step == 8


def test_weights_that_are_not_finite_replace_no_checkpoint(encoder, rows, tmp_path):
    options = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
    trainer = make_trainer(encoder, rows, tmp_path, learning_rate=1e30, **options)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="training has diverged") as caught:
        trainer.train()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    last = tmp_path / "checkpoint-1"
    assert f"Lower learning_rate (1e+30), or max_grad_norm (1), and start again; {last} is" in str(
        caught.value
    )
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]
    assert find_damage(last) is None
    for name, weight in load_file(last / "model.safetensors").items():
        assert np.isfinite(weight).all(), name
    again = make_trainer(encoder, rows, tmp_path, learning_rate=1e30, **options)
    with pytest.raises(ValueError, match="training has diverged"):
        again.train(resume_from_checkpoint=True)
    assert find_damage(last) is None


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_a_signal_during_the_last_checkpoint(encoder, rows, tmp_path, capsys, strategy):
    options = {"save_strategy": strategy, "save_steps": 4}
    trainer = make_trainer(encoder, rows, tmp_path / "stopped", **options)
    save = trainer._save_rng_state

    def save_and_signal(folder):
        if trainer.state.global_step == 8:
            signal.raise_signal(signal.SIGTERM)
        save(folder)

    trainer._save_rng_state = save_and_signal
    with pytest.raises(SystemExit) as stopped:
        trainer.train()
    assert stopped.value.code == 143
    assert f"SIGTERM: saved {tmp_path / 'stopped' / 'checkpoint-8'}" in capsys.readouterr().err
    resumed = make_trainer(encoder, rows, tmp_path / "stopped", **options)
    resumed.train(resume_from_checkpoint=True)
    whole = make_trainer(encoder, rows, tmp_path / "whole", **options)
    whole.train()
    assert not changed(weights(whole), weights(resumed))


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
