"""Train a model on the rows of a discovery, or resume a training of the same rows."""

import json
import logging
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ..clustering.neighbors import require_faiss
from ..clustering.num_clusters import estimate_num_clusters
from ..data_collator import type_pairs
from ..modeling_siamure import SiamUREModel
from ..recipe import Recipe
from ..training.run_record import describe_run
from ..training.trainer import SiamURETrainer
from ..utils.distributed import broadcast_from_main
from ..utils.doubts import warn_of_doubt
from ..utils.files import digest, find_damage, replace_flushed, seal_folder
from .rows import embed_rows

logger = logging.getLogger(__name__)

NOTES_FILE = "training_notes.json"


def finetune(
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    num_clusters: int | Literal["auto"],
    recipe: Recipe,
    folder: Path,
    sample_size: int = 3000,
    **overrides,
) -> tuple[SiamUREModel, str | None]:
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
        The trained model, which holds no clusters yet; and, where training was given up, why (the
        model is then as it was).
    """
    args = recipe.training_arguments("", **overrides)
    if args.neighbor_search == "faiss" and args.clustering_loss != "none":
        require_faiss()  # before anything is embedded
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
    args = recipe.training_arguments(str(folder), **overrides)
    # What the run is of is its name: the folder may hold trainings of other rows or recipes.
    run = broadcast_from_main(describe_run, model, args, rows)
    trained = folder / f"trained-{digest(json.dumps(run, sort_keys=True))[:16]}"
    args.output_dir = f"{trained}.run"
    trainer = SiamURETrainer(
        model,
        args,
        train_dataset=rows,
        processing_class=tokenizer,
        stores_clusters=False,
        resume_hint="the same command resumes",
    )
    if not broadcast_from_main(_is_trained, trained):
        has_begun = broadcast_from_main(lambda: any(Path(f"{trained}.run").glob("checkpoint-*")))
        trainer.train(resume_from_checkpoint=has_begun)
        partial = Path(f"{trained}.partial")
        trainer.save_model(str(partial))
        if trainer.is_world_process_zero():
            notes = {"doubts": trainer.doubts, "untrained_because": trainer.untrained_because}
            (partial / NOTES_FILE).write_text(json.dumps(notes))
            seal_folder(partial, run)
            replace_flushed(partial, trained)
        trainer.accelerator.wait_for_everyone()
    notes = json.loads((trained / NOTES_FILE).read_text())
    for line in notes["doubts"]:
        if line not in trainer.doubts:  # of a training that an earlier run had finished
            warn_of_doubt(logger, "%s", line)
    return SiamUREModel.from_pretrained(trained), notes["untrained_because"]


def _is_trained(folder: Path) -> bool:
    """Tell whether a training is finished; one that is damaged is removed."""
    if not folder.exists():
        return False
    damage = find_damage(folder)
    if damage:
        logger.warning("%s is ignored, and trained again: %s", folder, damage)
        shutil.rmtree(folder)
    return damage is None
