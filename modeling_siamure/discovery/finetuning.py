"""Train a model on the rows of a discovery, or resume a training of the same rows."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ..clustering.num_clusters import estimate_num_clusters
from ..data_collator import type_pairs
from ..modeling_siamure import SiamUREModel
from ..recipe import Recipe
from ..training.trainer import SiamURETrainer
from ..utils.distributed import broadcast_from_main
from .rows import embed_rows, fingerprint


def finetune(
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    num_clusters: int | Literal["auto"],
    recipe: Recipe,
    folder: Path,
    sample_size: int = 3000,
    **overrides,
) -> SiamUREModel:
    """Train a model on the rows of a discovery.

    Args:
        model: The model to start from.
        tokenizer: Its tokenizer.
        rows: Of `tokenize_rows`.
        num_clusters: C, which the cluster head needs to know; or `"auto"` for an estimate before
            the training.
        recipe: Says how to train.
        folder: Where the training is kept: one that was interrupted is resumed, one that is
            finished is taken as it is.
        sample_size: Rows that the estimate looks at.
        overrides: Arguments of the training that count instead of the recipe's.

    Returns:
        The trained model, which holds no clusters yet.
    """
    args = recipe.training_arguments("", **overrides)
    if num_clusters == "auto":
        order = np.random.default_rng(args.seed).permutation(len(rows))
        sample = rows.select(np.sort(order[:sample_size]))
        embeddings = embed_rows(model, tokenizer, sample, args, folder)
        show_progress = not args.disable_tqdm
        estimate = broadcast_from_main(
            estimate_num_clusters, embeddings, type_pairs(sample), args.seed, show_progress
        )
        num_clusters = estimate.chosen
    model.resize_clusters(max(num_clusters, 2))
    state = json.dumps([recipe.values, num_clusters, args.seed], default=str)
    trained = folder / f"trained-{fingerprint(rows['text'], state)}"
    trainer = SiamURETrainer(
        model,
        recipe.training_arguments(f"{trained}.run", **overrides),
        train_dataset=rows,
        processing_class=tokenizer,
        stores_clusters=False,
        resume_hint="the same command resumes",
    )
    if not trained.exists():
        trainer.train(resume_from_checkpoint=True)
        trainer.save_model(f"{trained}.partial")
        if trainer.is_world_process_zero():
            Path(f"{trained}.partial").rename(trained)
        trainer.accelerator.wait_for_everyone()
    return SiamUREModel.from_pretrained(trained)
