"""Trains tiny models in as many processes as asked for, and writes down what they did.

    python -m tests.helpers.distributed JOBS.json

JOBS.json holds a list of runs: `output_dir`, `rows` (how many), `processes` and any training arguments; `results.json`,
the neighbors and the final model go to each run's `output_dir`. `kills` kills the run so often and resumes it each
time; `signal` sends that signal to the last process in the seventh step; `shards` shards the model by FSDP2 and says
how checkpoints hold it. The processes are forked, so that the imports are paid for once. The exit statuses are printed.
"""

import json
import multiprocessing.connection
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from accelerate import PartialState
from accelerate.utils import DistributedType
from datasets import Dataset, disable_progress_bars
from safetensors.numpy import load_file
from transformers import AutoTokenizer, TrainerCallback, set_seed
from transformers.utils import logging

from modeling_siamure import SiamUREModel, SiamURETrainer, SiamURETrainingArguments

from .commands import REPOSITORY
from .rows import make_rows

FSDP = REPOSITORY / "recipes" / "accelerate" / "fsdp.yaml"
DEFAULTS = {
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "num_train_epochs": 2,
    "warmup_epochs": 1,
    "num_neighbors": 5,
    "pretrained_weight_share": 0.25,
    "save_strategy": "no",
    "logging_steps": 1,
    "disable_tqdm": True,
    # Adam would make steps as large from rounding errors as from gradients.
    "optim": "sgd",
    "optim_args": "momentum=0.9",
    "learning_rate": 0.005,
    "kmeans_restarts": 2,
    "bf16": False,
    "use_cpu": True,
    "dataloader_pin_memory": False,
}


def shares(prediction) -> dict[str, float]:
    """A score that depends on both the clusters and the labels."""
    same = np.equal.outer(np.asarray(prediction.predictions), np.asarray(prediction.predictions))
    gold = np.equal.outer(prediction.label_ids, prediction.label_ids)
    return {"agreement": float((same == gold).mean())}


def different(count: int, seed: int = 0) -> Dataset:
    """Rows of which no two are equal: which of two equal rows is the nearer neighbor is a matter of rounding."""
    return Dataset.from_list(
        list({row["text"]: row for row in make_rows(2 * count, seed)}.values())[:count]
    )


def shard(state_dict_type: str):
    """Has accelerate shard models as `recipes/accelerate/fsdp.yaml` says, here on processors.

    torch does so on any device, but accelerate asks for FSDP on accelerators only.
    """
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    settings = yaml.safe_load(FSDP.read_text())["fsdp_config"] | {
        "fsdp_state_dict_type": state_dict_type
    }
    os.environ |= {name.upper(): str(value) for name, value in settings.items()} | {
        "ACCELERATE_USE_FSDP": "true"
    }


def run(
    encoder: str,
    output_dir: str,
    rows: int = 60,
    dropout: float = 0.0,
    resume: bool = False,
    shards: str | None = None,
    callbacks=None,
    **options,
):
    args = SiamURETrainingArguments(output_dir, **(DEFAULTS | options))
    if shards:
        shard(shards)
    set_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    trainer = SiamURETrainer(
        SiamUREModel.from_encoder(
            encoder,
            tokenizer,
            ["PERSON", "FIRM"],
            num_labels=3,
            dropout=dropout,
            pooling="mention_context",
        ),
        args,
        train_dataset=different(rows),
        eval_dataset=different(37, seed=1),
        processing_class=tokenizer,
        compute_metrics=shares,
        callbacks=callbacks,
    )
    trainer.train(resume_from_checkpoint=True if resume else None)
    metrics = trainer.evaluate()
    trainer.save_model()
    if trainer.is_world_process_zero():
        np.save(Path(output_dir, "neighbors.npy"), trainer.neighbors)
        results = {
            "logs": trainer.state.log_history,
            "metrics": metrics,
            "processes": args.world_size,
        }
        Path(output_dir, "results.json").write_text(json.dumps(results))


class SignalAtStep(TrainerCallback):
    """Sends its own process a signal in the seventh step."""

    def __init__(self, number: int):
        self.number = number

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 6:
            signal.raise_signal(self.number)


def work(job: dict, number: int | None, environment: dict[str, str]):
    torch.set_num_threads(1)
    processes = int(environment["WORLD_SIZE"])
    if processes > 1:
        os.environ.update(environment)
    is_last = int(environment["RANK"]) == processes - 1
    run(**job, callbacks=[SignalAtStep(number)] if number and is_last else None)


def start(processes: int, job: dict, number: int | None = None) -> list[multiprocessing.Process]:
    """Forks the processes of a run, with the environment that torchrun would give them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    ranks = [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=work, args=(job, number, rank)) for rank in ranks]
    for process in started:
        process.start()
    return started


def wait(processes: list[multiprocessing.Process]) -> int:
    """The first exit status that is not 0; processes that outlive it are killed, as by torchrun."""
    multiprocessing.connection.wait([process.sentinel for process in processes])
    for process in processes:
        process.join(30)
        process.kill()
    return next((process.exitcode for process in processes if process.exitcode), 0)


def train_and_kill(processes: int, job: dict, kills: int) -> int:
    """Kills all processes of a run and resumes it, again and again; prints what each kill left."""
    folder = Path(job["output_dir"])
    while True:
        before = set(folder.glob("checkpoint-*"))
        alive = start(processes, {**job, "resume": True})
        if not kills:
            return wait(alive)
        if random.random() < 0.8:  # else the moment is somewhere in the start
            while set(folder.glob("checkpoint-*")) == before and all(
                one.is_alive() for one in alive
            ):
                time.sleep(0.005)
        time.sleep(random.uniform(0, 0.4))
        if not any(one.is_alive() for one in alive):
            return wait(alive)  # it had ended
        for one in alive:
            one.kill()
        for one in alive:
            one.join()
        print("killed with", sorted(path.name for path in folder.glob("*")), flush=True)
        kills -= 1


def execute(encoder: str, folder: Path, runs: list[dict]) -> tuple[list[int], str]:
    """The exit status of each run of this module, and all that they printed."""
    jobs = folder / "jobs.json"
    jobs.write_text(json.dumps([{"encoder": encoder, **run} for run in runs]))
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.distributed", str(jobs)],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TORCH_CPP_LOG_LEVEL": "ERROR",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    statuses = [
        int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("status ")
    ]
    assert len(statuses) == len(runs), done.stdout
    return statuses, done.stdout


class Result:
    """What a run left in its folder."""

    def __init__(self, folder: Path):
        results = json.loads((folder / "results.json").read_text())
        self.logs, self.metrics, self.processes = (
            results["logs"],
            results["metrics"],
            results["processes"],
        )
        self.neighbors = np.load(folder / "neighbors.npy")
        self.weights = load_file(folder / "model.safetensors")

    def trajectory(self) -> list[dict[str, float]]:
        """Epoch, loss and its parts, step by step."""
        return [
            {
                name: value
                for name, value in entry.items()
                if name == "epoch" or name.startswith("loss")
            }
            for entry in self.logs
            if "loss" in entry
        ]


if __name__ == "__main__":
    logging.disable_progress_bar()
    disable_progress_bars()
    os.environ["OMP_NUM_THREADS"] = "1"
    for job in json.loads(Path(sys.argv[1]).read_text()):
        processes, kills, number = (job.pop(name, 0) for name in ("processes", "kills", "signal"))
        print("started", job, flush=True)
        status = (
            train_and_kill(processes, job, kills) if kills else wait(start(processes, job, number))
        )
        print("status", status, flush=True)
