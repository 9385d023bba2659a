"""`load_relation_dataset`: from the name of a corpus to its splits."""

import dataclasses
import importlib
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from datasets.data_files import DataFilesDict, DataFilesList

from .builder import NoRowError, RelationBuilder
from .formats import list_files, recognize
from .schema import FEATURES, DataError

logger = logging.getLogger(__name__)


class Corpus(NamedTuple):
    """The reader of a corpus (module in `corpora` and class), and a line about it."""

    builder: str
    about: str


CORPORA = {
    "sample": Corpus("sample.Sample", "the embedded corpus, which needs no files"),
    "brat": Corpus("brat.Brat", "annotations of brat: a folder of .ann and .txt"),
    "conll": Corpus("conll.Conll", "columns of CoNLL-2003 and its kin, with tags of entities"),
    "conllu": Corpus("conllu.Conllu", "CoNLL-U with entities"),
    "core": Corpus("core.Core", "CORE, company relations"),
    "doccano": Corpus("doccano.Doccano", "JSON lines of doccano"),
    "docred": Corpus("docred.DocRED", "DocRED and Re-DocRED, pairs that share a sentence"),
    "fewrel": Corpus("fewrel.FewRel", "FewRel 1.0 and 2.0, one split per file"),
    "kbp37": Corpus("semeval2010.SemEval2010", "KBP37"),
    "labelstudio": Corpus("labelstudio.LabelStudio", "JSON of Label Studio"),
    "nyt_fb": Corpus("nyt_fb.NytFb", "NYT+FB, nine columns or marked sentences"),
    "opennre": Corpus("opennre.OpenNRE", "JSON lines of OpenNRE, such as Wiki80"),
    "prodigy": Corpus("prodigy.Prodigy", "JSON lines of Prodigy"),
    "pure": Corpus("pure.Pure", "JSON lines of PURE and DyGIE++, such as SciERC and CrossRE"),
    "semeval2010": Corpus("semeval2010.SemEval2010", "SemEval-2010 Task 8"),
    "sentence_pairs": Corpus("sentence_pairs.SentencePairs", "marked sentences with label numbers"),
    "spert": Corpus("spert.SpERT", "JSON of SpERT, such as FIRE and CoNLL04"),
    "tacred": Corpus("tacred.Tacred", "TACRED, with the patches TACREV and Re-TACRED"),
    "table": Corpus(
        "table.UserFile", "your own data: .jsonl, .json, .csv, .tsv or .parquet, by its suffix"
    ),
    "triples": Corpus(
        "triples.Triples", "triples of a language model or OpenIE, and their evidence"
    ),
}
# The usual names of the formats are read the same way.
CORPORA |= {name: CORPORA["table"] for name in ("jsonlines", "json", "csv", "parquet")}


def load_relation_dataset(
    name: str,
    data_dir: str | None = None,
    data_files: dict[str, str] | None = None,
    *,
    streaming: bool = False,
    num_proc: int | None = None,
    **options: Any,
) -> datasets.DatasetDict:
    """Read a corpus into the schema, with typed markers in the text.

    Args:
        name: One of `CORPORA`; `"table"`, or the name of the format, reads your own JSON, JSON
            lines, CSV or Parquet.
        data_dir: The folder of the corpus, with its files under their usual names; those that
            exist are read.
        data_files: Split to file, or to a folder of files, instead of `data_dir`.
        streaming: Whether to return an `IterableDatasetDict` that converts while it is read.
        num_proc: Number of processes that convert, where the corpus can be cut.
        **options: Options of the corpus; all take `markers`, `no_relation`, `labels` and
            `on_error` (see `RelationConfig`).

    Returns:
        The splits of the corpus, with the columns of `schema.FEATURES`. `relation` is null where
        it is unknown. The rows are cached by the content of the files.

    Raises:
        DataError: A row is not what the format says; names file, row, field and fix.
        ValueError: An unknown corpus or option.
        OSError: A file does not exist.

    >>> load_relation_dataset("newspaper")
    Traceback (most recent call last):
    ValueError: no corpus is called 'newspaper'; choose one of ...
    """
    builder = relation_builder(name, data_dir, data_files, **options)
    if streaming:
        return builder.as_streaming_dataset()
    return builder.read(num_proc)


def load_train_and_validation(
    dataset_name: str | None = None,
    data_dir: str | None = None,
    train_file: str | None = None,
    validation_file: str | None = None,
    reader_options: Iterable[str] = (),
    train_split: str = "train",
    validation_split: str = "validation",
    validation_fraction: float | None = None,
    max_train_samples: int | None = None,
    seed: int = 0,
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Read the rows to train on, and those to score on: the same where there are no others.

    Args:
        dataset_name, data_dir: A corpus and its folder, see `load_relation_dataset`.
        train_file, validation_file: Your own files, instead of a corpus.
        reader_options: Options of the reader, see `parse_options`.
        train_split, validation_split: Their splits.
        validation_fraction: Share of the training split to score on instead, drawn by seed.
        max_train_samples: Rows to train on, drawn by seed; all by default.
        seed: Fixes the draws.

    Raises:
        ValueError: Neither a corpus nor a file is given, or both, or there is no such split.
    """
    has_two_sources = dataset_name and (train_file or validation_file)
    if has_two_sources or not (dataset_name or train_file):
        raise ValueError("give either --dataset_name or --train_file (and --validation_file)")
    name = dataset_name or "table"
    files = {validation_split: validation_file, train_split: train_file}
    files = {split: file for split, file in files.items() if file} or None
    splits = load_relation_dataset(name, data_dir, files, **parse_options(name, reader_options))
    if train_split not in splits:
        names = ", ".join(splits)
        raise ValueError(f"there is no split {train_split!r}; --train_split takes one of {names}")
    # A further column must not meet one that training adds, such as input_ids.
    splits = splits.select_columns(list(FEATURES))
    train = splits[train_split]
    validation = splits.get(validation_split, train)
    if validation_fraction is not None:
        halves = train.train_test_split(test_size=validation_fraction, seed=seed)
        train = halves["train"]
        validation = halves["test"]
    if max_train_samples is not None and max_train_samples < len(train):
        train = train.shuffle(seed=seed).select(range(max_train_samples))
    return train, validation


def load_user_file(
    path: str | Path,
    columns: dict[str, str] | None = None,
    on_error: str = "raise",
    offsets: str | None = None,
    format: str | None = None,
    **options: Any,
) -> datasets.Dataset:
    """Read your own file into the schema: rows of pairs, or annotated text in any format.

    Of a table (JSON, JSON lines, CSV, TSV or Parquet with a pair or a triple per row, see
    `table.UserFile` and `triples.Triples`), every row is returned, in its order. Of another format,
    the labeled pairs of entities are; where it has none, all pairs that share a sentence. What was
    read as what is said in one line.

    Args:
        path: The file; or a folder with files of one format.
        columns: Name in the schema to the name in the file, of a table.
        on_error: With `"skip"`, a row that can't be read is left out and counted; of a table, it
            has a null as `text`, and a column `problem` says why.
        offsets: What the offsets count, see `table.UserFileConfig`.
        format: One of `CORPORA`; recognized by the content where it is `None`.
        **options: Further options of the reader, such as `pairs`.

    Raises:
        DataError: A row is not what the format says; names file, row, field and fix.
        OSError: The file does not exist.
        ValueError: The format does not exist, or has no such option.
    """
    paths = list_files(Path(path))
    name = format or ("table" if columns else recognize(paths))
    options |= {"columns": columns} if columns else {}
    options |= {"offsets": offsets} if offsets else {}
    is_table = issubclass(builder_class(name), builder_class("table"))
    if is_table:
        if len(paths) > 1:
            problem = "is a folder, but no format is recognized that comes in folders"
            raise DataError(None, problem, "give one file, or --format NAME", file=path)
        options["keep_all_rows"] = True
    builder = relation_builder(name, None, {"train": paths}, on_error=on_error, **options)
    try:
        dataset = builder.read()["train"]
    except NoRowError:
        if getattr(builder.config, "pairs", None) != "labeled" or "pairs" in options:
            raise
        options["pairs"] = "all"
        builder = relation_builder(name, None, {"train": paths}, on_error=on_error, **options)
        dataset = builder.read()["train"]
    if not is_table or name == "triples":
        reading = builder.describe_reading()
        if options.get("pairs") == "all":
            reading += "; all pairs of entities that share a sentence"
        advice = "" if format else "; --format chooses another"
        logger.warning("%s: read as %s: %s%s", Path(path).name, name, reading, advice)
    return dataset


def own_rows(
    path: str | Path, columns: dict[str, str] | None = None, on_error: str = "raise"
) -> datasets.Dataset:
    """Read every row of your own file; deprecated name of `load_user_file`."""
    message = "own_rows is now called load_user_file; the old name goes in the next minor version"
    warnings.warn(message, FutureWarning, stacklevel=2)
    return load_user_file(path, columns, on_error)


def relation_builder(
    name: str,
    data_dir: str | None = None,
    data_files: dict[str, Any] | None = None,
    **options: Any,
) -> RelationBuilder:
    """Return the builder of a corpus, to stream, to choose the cache folder or to see the counts.

    Takes the arguments of `load_relation_dataset`.
    """
    _check_options(name, options)
    files = None if data_files is None else _explicit_files(data_files)
    return builder_class(name)(data_dir=data_dir, data_files=files, **options)


def builder_class(name: str) -> type[RelationBuilder]:
    """Return the class that reads a corpus.

    Raises:
        ValueError: No corpus has that name.
    """
    if name not in CORPORA:
        raise ValueError(f"no corpus is called {name!r}; choose one of {', '.join(CORPORA)}")
    module, _, attribute = CORPORA[name].builder.partition(".")
    return getattr(importlib.import_module(f".corpora.{module}", __package__), attribute)


def _explicit_files(data_files: dict[str, Any]) -> DataFilesDict:
    """Return the files as the library keeps them, without taking brackets in a name for a pattern.

    Raises:
        FileNotFoundError: A file does not exist.
    """
    splits = {}
    for split, paths in data_files.items():
        paths = [paths] if isinstance(paths, str | Path) else list(paths)
        for path in paths:
            if not Path(path).exists():
                raise FileNotFoundError(
                    f"{path}, the file of the {split} split, does not exist; correct the path"
                )
        paths = [file for path in paths for file in list_files(Path(path))]
        splits[split] = DataFilesList([str(path) for path in paths], [])
    return DataFilesDict(splits)


def _check_options(name: str, options: Iterable[str]) -> None:
    known = {field.name for field in dataclasses.fields(builder_class(name).BUILDER_CONFIG_CLASS)}
    known -= {field.name for field in dataclasses.fields(datasets.BuilderConfig)}
    if unknown := sorted(set(options) - known):
        takes = ", ".join(sorted(known))
        raise ValueError(f"{name} has no option {unknown[0]!r}; it takes {takes}")


def parse_pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    """Parse the `NAME=VALUE` words that follow an option of a command line.

    >>> parse_pairs("--columns", ["sentence=body", "head=a"])
    {'sentence': 'body', 'head': 'a'}
    """
    pairs = {}
    for word in words:
        name, _, value = word.partition("=")
        if not value:
            raise ValueError(f"{option} takes NAME=VALUE, not {word!r}")
        pairs[name] = value
    return pairs


def parse_options(name: str, words: Iterable[str]) -> dict[str, Any]:
    """Parse the options of a corpus' reader, given as `NAME=VALUE`.

    `columns.NAME=VALUE` names a column of your own file.

    Raises:
        ValueError: The corpus has no such option.

    >>> parse_options("table", ["labels=single", "columns.sentence=body", "columns.head=a"])
    {'labels': 'single', 'columns': {'sentence': 'body', 'head': 'a'}}
    """
    options: dict[str, Any] = {}
    columns = {}
    for option, value in parse_pairs("--reader_options", words).items():
        if option.startswith("columns."):
            columns[option.removeprefix("columns.")] = value
        else:
            options[option] = value
    if columns:
        options["columns"] = columns
    _check_options(name, options)
    return options
