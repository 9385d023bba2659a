"""The rows of a discovery: which of them can be used, and their embeddings."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from accelerate import Accelerator, PartialState
from datasets import Dataset
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from ..data_collator import tokenize_dataset
from ..embedding import embed_dataset
from ..health import check_corpus, check_embeddings
from ..markers import check_tokenizer
from ..modeling_siamure import SiamUREModel
from ..training.training_args import SiamURETrainingArguments
from ..utils.distributed import broadcast_from_main
from ..utils.doubts import record_doubts, warn_of_doubt
from ..utils.loading import loading

logger = logging.getLogger(__name__)


def load_model(path: str) -> tuple[SiamUREModel, PreTrainedTokenizerBase]:
    """Load a siamure model and its tokenizer.

    Args:
        path: Folder or hub name; or the output folder of `siamure discover`, which holds a model.

    Raises:
        ValueError: It is another model, or damaged.
        OSError: There is no such model.
    """
    if Path(path, "model", "config.json").exists() and not Path(path, "config.json").exists():
        path = str(Path(path, "model"))
    with loading(path):
        # No code that lies beside the weights: the package has its own.
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        if config.model_type != SiamUREModel.config_class.model_type:
            raise ValueError(
                f"{path} holds no siamure model; give one that siamure trained, or leave it out"
            )
        model = SiamUREModel.from_pretrained(path)
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    check_tokenizer(tokenizer, model.config.first_marker_id, model.config.entity_types)
    return model, tokenizer


def marked_texts(dataset: Dataset) -> list[str]:
    """Return the marked sentences of a dataset; rows without one are left out.

    Raises:
        ValueError: There is no column `text`.
    """
    _check_text(dataset)
    return [text for text in dataset["text"] if text]


def tokenize_rows(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    num_clusters: int | None = None,
    strict: bool = False,
) -> tuple[Dataset, np.ndarray]:
    """Tokenize the rows that can be used, and check their health (see `check_corpus`).

    Args:
        dataset: Rows with a `text` column of marked sentences.
        tokenizer: Its `model_max_length` limits the sentences.
        num_clusters: C; `None` where it is not known yet.
        strict: Whether to refuse rows that would be warned of.

    Returns:
        The tokenized rows, and where they stand in the dataset, `(rows,)`.

    Raises:
        ValueError: There is no such column, no row is left, or rows are refused.
    """
    _check_text(dataset)
    with record_doubts() as recorder:
        _warn_of_unreadable(dataset)
        rows = _tokenize(dataset, tokenizer)
        check_corpus(rows, tokenizer, num_clusters)
    if strict:
        recorder.refuse()
    return rows, np.asarray(rows["row"])


def _warn_of_unreadable(dataset: Dataset) -> None:
    (lacking,) = np.nonzero([text is None for text in dataset["text"][:]])
    if len(lacking):
        reason = "no marked sentence"
        if "problem" in dataset.column_names:  # of a reader that keeps all rows
            reason = dataset["problem"][int(lacking[0])]
        warn_of_doubt(
            logger, "%d of %d rows were skipped, e.g. %s", len(lacking), len(dataset), reason
        )


def _tokenize(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    names = ("text", "head_type", "tail_type", "relation")
    kept = [name for name in names if name in dataset.column_names]
    with PartialState().main_process_first():
        rows = dataset.select_columns(kept).add_column("row", np.arange(len(dataset)))
        rows = rows.filter(
            lambda text: text is not None, input_columns="text", desc="Looking for sentences"
        )
        if len(rows):
            rows = tokenize_dataset(rows, tokenizer, tokenizer.model_max_length, on_overflow="skip")
    if not len(rows):
        raise ValueError(
            "no row is left to cluster; give sentences whose two mentions fit into the model"
        )
    return rows


def embed_rows(
    model: SiamUREModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    args: SiamURETrainingArguments,
    folder: Path | None,
) -> np.ndarray:
    """Embed tokenized rows.

    Args:
        model: The model; it is moved to the accelerator.
        tokenizer: Its tokenizer.
        rows: Of `tokenize_rows`.
        args: Say where, in which precision and in which batches; and whether a progress bar shows.
        folder: Where the embeddings are kept: an interrupted run resumes there. `None` keeps them
            in a temporary file, of which nothing is left even if the process is killed.

    Returns:
        h, `(rows, relation_embedding_size)`.

    Raises:
        ValueError: Embeddings are not finite.
    """
    accelerator = Accelerator(mixed_precision=args.mixed_precision, cpu=args.use_cpu)
    model.to(accelerator.device)
    if folder is not None:
        weights = (weight.cpu().float().numpy() for weight in model.encoder.state_dict().values())
        key = fingerprint(rows["text"], model.config.to_json_string(), *weights)
        folder = folder / f"embedded-{key}"
    embeddings = embed_dataset(
        model,
        tokenizer,
        rows,
        accelerator,
        args.per_device_eval_batch_size,
        show_progress=not args.disable_tqdm and accelerator.is_main_process,
        relation_only=True,
        folder=folder,
    ).relation
    check_embeddings(embeddings, rows["text"])
    return embeddings


def fingerprint(*parts: str | np.ndarray | Iterable[str]) -> str:
    """Return a name for what depends on these texts and arrays alone.

    >>> fingerprint("a", ["b", "c"]) == fingerprint("a", ["b", "c"])
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        elif isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).data)
        else:
            for text in part:
                digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def work_folder(path: str | None) -> Iterator[Path]:
    """Give a folder for unfinished work: the given one, or one that is removed at the end."""
    if path:
        yield Path(path)
        return
    name = broadcast_from_main(tempfile.mkdtemp, prefix="siamure-")
    try:
        yield Path(name)
    finally:
        PartialState().wait_for_everyone()
        broadcast_from_main(shutil.rmtree, name)


def _check_text(dataset: Dataset) -> None:
    if "text" not in dataset.column_names:
        raise ValueError(
            "the rows have no column 'text' with marked sentences: data_scripts writes it; rows of "
            "sentences and offsets are taken as a list, such as dataset.to_list()"
        )
