"""Trains tiny models in as many processes as it was started with, and writes down what they did.

    torchrun --nproc_per_node 2 -m tests.distributed_run JOBS.json

JOBS.json holds a list of runs: `output_dir`, `rows` (how many) and any training arguments; `results.json`, the
neighbors and the final weights go to each run's `output_dir`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from safetensors.torch import save_file
from transformers import AutoTokenizer, set_seed
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


def run(encoder: str, output_dir: str, rows: int = 60, dropout: float = 0.0, resume: bool = False, **options):
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
    )
    trainer.train(resume_from_checkpoint=True if resume else None)
    metrics = trainer.evaluate()
    if trainer.is_world_process_zero():
        weights = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
        save_file(weights, Path(output_dir, "final.safetensors"))
        np.save(Path(output_dir, "neighbors.npy"), trainer.neighbors)
        results = {"logs": trainer.state.log_history, "metrics": metrics, "processes": args.world_size}
        Path(output_dir, "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    disable_progress_bars()
    jobs = json.loads(Path(sys.argv[1]).read_text())
    for job in jobs["runs"]:
        run(jobs["encoder"], **job)
