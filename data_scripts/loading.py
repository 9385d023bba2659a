"""`load_relation_dataset`: from a corpus' name to its splits."""

import dataclasses
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from datasets.data_files import DataFilesDict, DataFilesList

from .builder import RelationBuilder


class Corpus(NamedTuple):
    """What reads a corpus (module and class), and a line about it."""

    builder: str
    about: str


CORPORA = {
    "sample": Corpus("sample.Embedded", "the embedded corpus, which needs no files"),
    "core": Corpus("core.Core", "CORE, company relations"),
    "docred": Corpus("docred.DocRED", "DocRED and Re-DocRED, pairs that share a sentence"),
    "fewrel": Corpus("fewrel.FewRel", "FewRel 1.0 and 2.0, one split a file"),
    "kbp37": Corpus("semeval2010.SemEval2010", "KBP37"),
    "nyt_fb": Corpus("nyt_fb.NytFb", "NYT+FB, nine columns or marked sentences"),
    "opennre": Corpus("opennre.OpenNRE", "JSON lines of OpenNRE, such as Wiki80"),
    "semeval2010": Corpus("semeval2010.SemEval2010", "SemEval-2010 Task 8"),
    "sentence_pairs": Corpus("sentence_pairs.SentencePairs", "marked sentences with label numbers"),
    "spert": Corpus("spert.SpERT", "JSON of SpERT, such as FIRE and CoNLL04"),
    "tacred": Corpus("tacred.Tacred", "TACRED, with the patches TACREV and Re-TACRED"),
    "table": Corpus("table.Table", "your own data: .jsonl, .json, .csv, .tsv or .parquet, by the file's name"),
}
# The usual names of the formats read the same way.
CORPORA |= {name: CORPORA["table"] for name in ("jsonlines", "json", "csv", "parquet")}


def builder_class(name: str) -> type[RelationBuilder]:
    """The class that reads a corpus.

    Raises:
        ValueError: No corpus has that name.
    """
    if name not in CORPORA:
        raise ValueError(f"no corpus is called {name!r}; choose one of {', '.join(CORPORA)}")
    module, _, attribute = CORPORA[name].builder.partition(".")
    return getattr(importlib.import_module(f".corpora.{module}", __package__), attribute)


def relation_builder(
    name: str, data_dir: str | None = None, data_files: dict[str, str] | None = None, **options: Any
) -> RelationBuilder:
    """The builder of a corpus, for those who want to stream, to choose the folder or to see the counts.

    Takes the arguments of `load_relation_dataset`.
    """
    _check_options(name, options)
    if data_files is not None:
        data_files = {
            split: [paths] if isinstance(paths, str | Path) else list(paths) for split, paths in data_files.items()
        }
        for split, paths in data_files.items():
            for path in paths:
                if not Path(path).is_file():
                    raise FileNotFoundError(f"{path}, the file of the {split} split, does not exist; correct the path")
        # Built directly: the library would take brackets in a file's name for a pattern.
        data_files = DataFilesDict(
            {split: DataFilesList([str(path) for path in paths], []) for split, paths in data_files.items()}
        )
    return builder_class(name)(data_dir=data_dir, data_files=data_files, **options)


def _check_options(name: str, options: Iterable[str]) -> None:
    known = {field.name for field in dataclasses.fields(builder_class(name).BUILDER_CONFIG_CLASS)}
    known -= {field.name for field in dataclasses.fields(datasets.BuilderConfig)}
    if unknown := sorted(set(options) - known):
        raise ValueError(f"{name} has no option {unknown[0]!r}; it takes {', '.join(sorted(known))}")


def parse_pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    """What `NAME=VALUE` words behind an option of a command line say.

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
    """The options of a corpus' reader, `NAME=VALUE`, with `columns.NAME=VALUE` for each column of one's own file.

    Raises:
        ValueError: The corpus has no such option.

    >>> parse_options("table", ["labels=single", "columns.sentence=body", "columns.head=a"])
    {'labels': 'single', 'columns': {'sentence': 'body', 'head': 'a'}}
    """
    pairs = parse_pairs("--reader_options", words)
    options: dict[str, Any] = {option: value for option, value in pairs.items() if not option.startswith("columns.")}
    columns = {option.removeprefix("columns."): value for option, value in pairs.items() if option not in options}
    options |= {"columns": columns} if columns else {}
    _check_options(name, options)
    return options


def load_relation_dataset(
    name: str,
    data_dir: str | None = None,
    data_files: dict[str, str] | None = None,
    *,
    streaming: bool = False,
    num_proc: int | None = None,
    **options: Any,
) -> datasets.DatasetDict:
    """Reads a corpus into the schema with typed-marker text.

    Args:
        name: One of `CORPORA`; `"table"`, or the format's name, reads one's own JSON, JSON lines, CSV or Parquet.
        data_dir: The folder of the corpus, with its files under their own names; those that are there are read.
        data_files: Split to file, instead of `data_dir`.
        streaming: Gives an `IterableDatasetDict` that converts while it is read.
        num_proc: Processes that convert, where the corpus can be cut.
        **options: Of the corpus' configuration; all take `markers`, `no_relation`, `labels` and `on_error`
            (see `RelationConfig`).

    Returns:
        The corpus' own splits with the columns of `schema.FEATURES`. `relation` is null where it is unknown. The rows
        are cached by the content of the files.

    Raises:
        DataError: A row is not what the format says; names file, row, field and fix.
        ValueError: An unknown corpus or option.
        OSError: A file is not there.

    >>> load_relation_dataset("newspaper")
    Traceback (most recent call last):
    ValueError: no corpus is called 'newspaper'; choose one of ...
    """
    builder = relation_builder(name, data_dir, data_files, **options)
    if streaming:
        return builder.as_streaming_dataset()
    return builder.read(num_proc)


def own_rows(path: str | Path, columns: dict[str, str] | None = None, on_error: str = "raise") -> datasets.Dataset:
    """Every row of one's own file, in its order, in the schema (see `table.Table`).

    Args:
        path: JSON, JSON lines, CSV, TSV or Parquet, by its name.
        columns: Name in the schema to the name in the file.
        on_error: With `"skip"`, a row that can't be read has a null as `text` and says why in a column `problem`.

    Raises:
        DataError: A row is not what the format says; names file, row, field and fix.
        OSError: The file is not there.
    """
    from .corpora.whole_table import WholeTable

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist, or is no file; correct the path")
    files = DataFilesDict({"train": DataFilesList([str(path)], [])})
    return WholeTable(data_files=files, columns=columns, on_error=on_error).read()["train"]
