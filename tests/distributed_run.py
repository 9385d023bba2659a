"""Trains tiny models in as many processes as asked for, and writes down what they did.

    python -m tests.distributed_run JOBS.json PROCESSES      (forks them: the imports are paid for once)
    torchrun --nproc_per_node 2 -m tests.distributed_run JOBS.json

JOBS.json holds a list of runs: `output_dir`, `rows` (how many) and any training arguments; `results.json`, the
neighbors and the final weights go to each run's `output_dir`.
"""

import json
import multiprocessing.connection
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from safetensors.torch import save_file
from transformers import AutoTokenizer, TrainerCallback, set_seed
from transformers.utils import logging

from modeling_siamure import SiamUREModel, SiamURETrainer, SiamURETrainingArguments

from .conftest import make_rows

DEFAULTS = {
    **{"per_device_train_batch_size": 8, "per_device_eval_batch_size": 8, "num_train_epochs": 2, "warmup_epochs": 1},
    **{"num_neighbors": 5, "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True},
    # Adam would make steps as large from rounding errors as from gradients.
    **{"optim": "sgd", "optim_args": "momentum=0.9", "learning_rate": 0.005},
    **{"kmeans_restarts": 2, "bf16": False, "use_cpu": True, "dataloader_pin_memory": False},
}


def shares(prediction) -> dict[str, float]:
    """A score that depends on both the clusters and the labels."""
    same = np.equal.outer(np.asarray(prediction.predictions), np.asarray(prediction.predictions))
    gold = np.equal.outer(prediction.label_ids, prediction.label_ids)
    return {"agreement": float((same == gold).mean())}


def different(count: int, seed: int = 0) -> Dataset:
    """Rows of which no two are equal: which of two equal rows is the nearer neighbor is a matter of rounding."""
    return Dataset.from_list(list({row["text"]: row for row in make_rows(2 * count, seed)}.values())[:count])


def run(
    encoder: str, output_dir: str, rows: int = 60, dropout: float = 0.0, resume: bool = False, callbacks=None, **options
):
    args = SiamURETrainingArguments(output_dir, **(DEFAULTS | options))
    set_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    trainer = SiamURETrainer(
        SiamUREModel.from_encoder(
            encoder, tokenizer, ["PERSON", "FIRM"], num_labels=3, dropout=dropout, pooling="mention_context"
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
    if trainer.is_world_process_zero():
        weights = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
        save_file(weights, Path(output_dir, "final.safetensors"))
        np.save(Path(output_dir, "neighbors.npy"), trainer.neighbors)
        results = {"logs": trainer.state.log_history, "metrics": metrics, "processes": args.world_size}
        Path(output_dir, "results.json").write_text(json.dumps(results))


class SignalAtStep(TrainerCallback):
    """Sends its own process a signal in the seventh step."""

    def __init__(self, number: int):
        self.number = number

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 6:
            signal.raise_signal(self.number)


def work(jobs: dict, environment: dict[str, str]):
    os.environ.update(environment)
    torch.set_num_threads(1)
    if "signal" in jobs and environment["RANK"] == "1":
        for job in jobs["runs"]:
            job["callbacks"] = [SignalAtStep(jobs["signal"])]
    for job in jobs["runs"]:
        run(jobs["encoder"], **job)


def start(jobs: dict, processes: int) -> list[multiprocessing.Process]:
    """Forks the processes of a run, with the environment that torchrun would give them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    common |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    ranks = [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=work, args=(jobs, rank if processes > 1 else {})) for rank in ranks]
    for process in started:
        process.start()
    return started


def wait(processes: list[multiprocessing.Process]) -> int:
    """The first exit status that is not 0; the other processes are killed then, as torchrun does."""
    multiprocessing.connection.wait([process.sentinel for process in processes])
    for process in processes:
        process.join(20)
    status = next((process.exitcode for process in processes if process.exitcode), 0)
    for process in processes:
        process.kill()
    return status


def train_and_kill(jobs: dict, processes: int, kills: int, seed: int):
    """Runs each job, killing all of its processes `kills` times in all, and going on each time; prints the moments."""
    rng = random.Random(seed)
    for number, job in enumerate(jobs["runs"]):
        left = kills // len(jobs["runs"])
        while True:
            folder = Path(job["output_dir"])
            before = set(folder.glob("checkpoint-*"))
            alive = start({**jobs, "runs": [{**job, "resume": True}]}, processes)
            if not left:
                assert wait(alive) == 0
                break
            if rng.random() < 0.8:  # else the moment is somewhere in the start
                while set(folder.glob("checkpoint-*")) == before and all(one.is_alive() for one in alive):
                    time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.4))
            killed = [one.kill() for one in alive if one.is_alive()]
            for one in alive:
                one.join()
            if not killed and not any(one.exitcode for one in alive):
                break  # it was finished
            print(f"run {number} killed with", sorted(path.name for path in folder.glob("*")), flush=True)
            left -= 1


if __name__ == "__main__":
    logging.disable_progress_bar()
    disable_progress_bars()
    jobs = json.loads(Path(sys.argv[1]).read_text())
    if "kills" in jobs:
        train_and_kill(jobs, int(sys.argv[2]), jobs["kills"], jobs["seed"])
    elif len(sys.argv) > 2:
        sys.exit(wait(start(jobs, int(sys.argv[2]))))
    else:
        work(jobs, {})
