"""`accelerate launch` with the configurations of `recipes/accelerate`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.numpy import load_file

from .helpers.commands import REPOSITORY
from .helpers.rows import make_rows, write_rows

CONFIGURATIONS = REPOSITORY / "recipes" / "accelerate"


@pytest.mark.parametrize(
    ("name", "kind", "machines"),
    [
        ("one_gpu", "NO", 1),
        ("several_gpus", "MULTI_GPU", 1),
        ("several_machines", "MULTI_GPU", 2),
        ("fsdp", "FSDP", 1),
    ],
)
def test_accelerate_reads_the_configurations(name, kind, machines):
    config = load_config_from_file(str(CONFIGURATIONS / f"{name}.yaml"))
    assert (config.distributed_type.value, config.num_machines) == (kind, machines)
    assert config.num_processes % machines == 0
    assert config.mixed_precision == "no"  # or accelerate's would count instead of the recipe's


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Launcher:
    """Starts `accelerate launch` on processors in place of GPUs."""

    def __init__(self, encoder: str, folder: Path):
        self.folder = folder
        rows = {row["sentence"]: row for row in make_rows(120)}
        train_file = write_rows(folder / "train.jsonl", list(rows.values())[:61])
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text(
            f"model_name_or_path: {encoder}\npooling: mention_context\nnum_clusters: 3\ntrain_file: {train_file}\n"
            "optim: sgd\nlearning_rate: 5.0e-3\nwarmup_epochs: 1\nnum_train_epochs: 2\nnum_neighbors: 5\ndropout: 0.0\n"
            "kmeans_restarts: 2\nbf16: false\nuse_cpu: true\nper_device_train_batch_size: 4\nsave_strategy: steps\n"
            "save_steps: 4\ndisable_tqdm: true\ndataloader_pin_memory: false\n"
        )

    def start(
        self, configuration: str, output: str, options=(), machines=(), **arguments
    ) -> subprocess.Popen:
        path = CONFIGURATIONS / f"{configuration}.yaml"
        launch = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--config_file",
            str(path),
            *options,
            "train.py",
        ]
        given = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
        return subprocess.Popen(
            [
                *machines,
                *launch,
                str(self.recipe),
                "--output_dir",
                str(self.folder / output),
                *given,
            ],
            cwd=REPOSITORY,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def model(self, output: str) -> tuple[dict, dict]:
        folder = self.folder / output
        return load_file(folder / "model.safetensors"), json.loads(
            (folder / "all_results.json").read_text()
        )


def finish(*processes: subprocess.Popen):
    outputs = [process.communicate()[0] for process in processes]
    assert all(process.returncode == 0 for process in processes), "\n".join(outputs)
    return outputs


@pytest.fixture(scope="module")
def launcher(encoder, tmp_path_factory):
    launcher = Launcher(encoder, tmp_path_factory.mktemp("launch"))
    finish(launcher.start("one_gpu", "one", per_device_train_batch_size=8))
    return launcher


def assert_same_model(launcher, output):
    expected, scores = launcher.model("one")
    found, found_scores = launcher.model(output)
    for key, weight in expected.items():
        np.testing.assert_allclose(found[key], weight, atol=1e-5, err_msg=key)
    names = [name for name in scores if name.startswith(("eval_", "untrained_", "type_pair_"))]
    assert {name: found_scores[name] for name in names} == pytest.approx(
        {name: scores[name] for name in names}, abs=1e-4
    )


@pytest.mark.extended
def test_several_processes_train_the_model_of_one(launcher):
    port = ["--num_processes", "2", "--main_process_port", str(free_port())]
    (output,) = finish(launcher.start("several_gpus", "two", port))
    assert output.count("Saved to") == 1
    assert_same_model(launcher, "two")


@pytest.mark.extended
def test_several_machines_train_the_model_of_one(launcher):
    """Two launchers that meet at a rendezvous, with folders of their own as on two machines that share no disk."""

    def train(**options):
        port = ["--num_processes", "2", "--main_process_port", str(free_port()), "--machine_rank"]
        finish(
            *(
                launcher.start(
                    "several_machines",
                    f"machine-{rank}",
                    [*port, str(rank)],
                    save_on_each_node=True,
                    **options,
                )
                for rank in (0, 1)
            )
        )
        for rank in (0, 1):
            assert_same_model(launcher, f"machine-{rank}")
            assert not (launcher.folder / f"machine-{rank}" / ".partial").exists()

    train()
    for rank in (0, 1):
        (launcher.folder / f"machine-{rank}" / "model.safetensors").unlink()
        last = launcher.folder / f"machine-{rank}" / "checkpoint-16"
        names = {path.name for path in last.iterdir()}
        assert {"model.safetensors", "neighbors.safetensors", f"rng_state_{rank}.pth"} <= names
        shutil.rmtree(last)
    train(resume_from_checkpoint=True)


TWO_MACHINES = [
    "unshare",
    "--map-root-user",
    "--mount",
    "--net",
    "--uts",
    "bash",
    "tests/helpers/two_machines.sh",
]


def can_make_machines() -> bool:
    try:
        return (
            subprocess.run([*TWO_MACHINES, "true"], cwd=REPOSITORY, capture_output=True).returncode
            == 0
        )
    except FileNotFoundError:  # no unshare
        return False


@pytest.mark.extended
@pytest.mark.skipif(not can_make_machines(), reason="needs network namespaces and iproute2")
def test_two_machines_on_a_network_train_the_model_of_one(launcher):
    options = ["--num_processes", "2", "--main_process_ip", "machine-0", "--machine_rank", "RANK"]
    finish(
        launcher.start(
            "several_machines", "networked-RANK", options, TWO_MACHINES, save_on_each_node=True
        )
    )
    for rank in (0, 1):
        assert_same_model(launcher, f"networked-{rank}")


@pytest.mark.extended
def test_sigterm_to_the_launcher_saves_a_checkpoint(launcher):
    options = ["--num_processes", "2", "--main_process_port", str(free_port())]
    process = launcher.start("several_gpus", "stopped", options)
    while not (launcher.folder / "stopped" / "checkpoint-4").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    assert process.returncode != 0 and "SIGTERM: saved" in output, output
    finish(launcher.start("several_gpus", "stopped", options, resume_from_checkpoint=True))
    assert_same_model(launcher, "stopped")
