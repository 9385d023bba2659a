"""What a training is of: its checkpoints say so, and no other training resumes from them."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from .training_args import SiamURETrainingArguments

# Arguments that do not change what is trained: where and how often a run writes, what it shows, and
# how its processes work together.
_WITHOUT_EFFECT = {
    *("output_dir", "run_name", "resume_from_checkpoint", "do_train", "do_eval", "do_predict"),
    *("disable_tqdm", "log_level", "log_level_replica", "log_on_each_node", "report_to", "project"),
    *("logging_strategy", "logging_steps", "logging_first_step", "logging_nan_inf_filter"),
    *("include_num_input_tokens_seen", "skip_memory_metrics", "debug", "enable_jit_checkpoint"),
    *("save_strategy", "save_steps", "save_total_limit", "save_only_model", "save_on_each_node"),
    *("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id", "push_to_hub"),
    *("hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push"),
    *("hub_revision", "eval_strategy", "eval_steps", "eval_delay", "eval_on_start", "local_rank"),
    *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers"),
    *("dataloader_prefetch_factor", "dataloader_multiprocessing_context", "dataloader_in_order"),
    *("ddp_timeout", "ddp_backend", "ddp_bucket_cap_mb", "torch_empty_cache_steps"),
}
_INPUTS = ("input_ids", "text", "head_type", "tail_type")


def describe_run(
    model: PreTrainedModel,
    args: SiamURETrainingArguments,
    train_dataset: Dataset | None,
    eval_dataset: Dataset | None = None,
) -> dict[str, Any]:
    """Return what decides the result of a training, for `list_changes`.

    Args:
        model: The model that the training starts from.
        args: The arguments; those without an effect on the result are left out.
        train_dataset, eval_dataset: Tokenized examples.

    Returns:
        The arguments with their values, and a hash, with a `#` in front, of the model and of each
        dataset.
    """
    record = describe_arguments(args) | {"model": _hash(_parts_of_model(model))}
    if train_dataset is not None:
        record["training data"] = _hash(_parts_of_dataset(train_dataset, _INPUTS))
    if eval_dataset is not None:
        columns = (*_INPUTS, "relation")  # gold labels score
        record["evaluation data"] = _hash(_parts_of_dataset(eval_dataset, columns))
    return record


def describe_arguments(args: SiamURETrainingArguments) -> dict[str, Any]:
    """Return the arguments that have an effect on the result, and the number of processes.

    >>> args = SiamURETrainingArguments("anywhere", seed=3, save_steps=7)
    >>> described = describe_arguments(args)
    >>> described["seed"], "save_steps" in described
    (3, False)
    """
    values = {name: value for name, value in args.to_dict().items() if name not in _WITHOUT_EFFECT}
    # As a file holds them, where a list comes back for a tuple.
    return json.loads(json.dumps(values | {"processes": args.world_size}, default=str))


def _parts_of_model(model: PreTrainedModel) -> Iterator[bytes]:
    yield json.dumps(_without_names(model.config.to_dict()), sort_keys=True, default=str).encode()
    for name, tensor in sorted(model.state_dict().items()):
        yield name.encode()
        yield tensor.cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data


def _without_names(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out where a model was found, and by which version."""
    return {
        key: _without_names(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in ("_name_or_path", "transformers_version")
    }


def _parts_of_dataset(dataset: Dataset, columns: Iterable[str]) -> Iterator[bytes]:
    names = [name for name in columns if name in dataset.column_names]
    for batch in dataset.select_columns(names).with_format("numpy").iter(1024):
        for name in names:
            for value in batch[name]:
                content = value.tobytes() if isinstance(value, np.ndarray) else str(value).encode()
                yield b"%d:" % len(content)
                yield content


def _hash(parts: Iterable[bytes]) -> str:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return f"#{state.hexdigest()}"
