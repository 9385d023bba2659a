"""Models that find entities, by their names on a command line."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from modeling_siamure.utils.files import file_digest
from modeling_siamure.utils.loading import loading

from .documents import annotation_of_doc
from .entities import Annotation, Entity, Span, is_pronoun, require, split_sentences
from .gazetteer import Gazetteer

KINDS = "spacy:NAME, gliner:NAME, hf:NAME or list:FILE"


class Recognizer(Protocol):
    """What finds entities in texts."""

    def annotate(self, texts: list[str]) -> list[Annotation]:
        """Return the entities of each text, and its sentences where the model sets them."""


def load_recognizer(name: str, types: list[str] | None = None, language: str = "en") -> Recognizer:
    """Load a model that finds entities.

    Args:
        name: `spacy:NAME`, a pipeline that is installed, or its folder; `gliner:NAME` or `hf:NAME`
            (token classification of transformers), a folder or a name on the hub; `list:FILE`, see
            `Gazetteer.from_file`.
        types: What GLiNER looks for.
        language: Of the text, for `split_sentences`.

    Raises:
        ValueError: The name has another form, or a GLiNER model has no types to look for.
        ImportError: A library is not installed; says how to install it.
        OSError: There is no such model.
    """
    kind, path = _split(name)
    if kind == "list":
        return Gazetteer.from_file(Path(path))
    if kind == "spacy":
        return SpacyPipeline(path)
    if kind == "hf":
        return TokenClassifier(path, language)
    if not types:
        raise ValueError("--ner gliner:NAME looks for the types that --types names; give it")
    return Gliner(path, types, language)


def describe_recognizer(name: str) -> str:
    """Return what a name stands for: the content of a file or folder, or the version of a pipeline.

    Raises:
        ValueError: The name has another form.
    """
    kind, path = _split(name)
    if Path(path).exists():
        return f"{kind}:#{file_digest(path)}"
    if kind == "spacy":
        spacy = require("spacy", name)
        version = (spacy.util.is_package(path) and spacy.util.get_package_version(path)) or "?"
        return f"{name} {version}"
    return name


def _split(name: str) -> tuple[str, str]:
    kind, _, path = name.partition(":")
    if kind not in ("spacy", "gliner", "hf", "list") or not path:
        raise ValueError(f"--ner {name}: give {KINDS}")
    return kind, path


class SpacyPipeline:
    """Find entities by a pipeline of spaCy, with its own sentences where it sets them.

    Args:
        name: A pipeline that is installed, or its folder.

    Raises:
        ImportError: spaCy, or the pipeline, is not installed.
    """

    def __init__(self, name: str):
        spacy = require("spacy", f"--ner spacy:{name}")
        is_here = Path(name).is_dir() or spacy.util.is_package(name)
        if not is_here:
            raise ImportError(
                f"the pipeline {name} is not installed; python -m spacy download {name}, or pip "
                "install its package"
            )
        with loading(name):
            self.nlp = spacy.load(name)

    def annotate(self, texts: list[str]) -> list[Annotation]:
        """Return sentences and entities of each text."""
        return [annotation_of_doc(doc) for doc in self.nlp.pipe(texts)]


class BySentence:
    """Find entities by a model that reads one sentence at a time.

    Args:
        find: Gives the entities of each of some sentences.
        language: Of the text, for `split_sentences`.
    """

    def __init__(self, find: Callable[[list[str]], list[list[Entity]]], language: str):
        self.find = find
        self.language = language

    def annotate(self, texts: list[str]) -> list[Annotation]:
        """Return sentences and entities of each text."""
        sentences = [split_sentences(text, self.language) for text in texts]
        parts = [
            text[start:end]
            for text, spans in zip(texts, sentences, strict=True)
            for start, end in spans
        ]
        found = iter(self.find(parts)) if parts else iter(())
        return [_join(spans, found) for spans in sentences]


def _join(spans: list[Span], found: Iterable[list[Entity]]) -> Annotation:
    """Return the annotation of a text from the entities of its sentences."""
    shifted = [
        entity._replace(start=start + entity.start, end=start + entity.end)
        for (start, _), entities in zip(spans, found, strict=False)
        for entity in entities
    ]
    return Annotation(spans, shifted)


class TokenClassifier(BySentence):
    """Find entities by token classification, with any model of transformers.

    Words are labeled as their first word piece is. Sentences that are too long for the model are
    read in parts that overlap.

    Args:
        name: A folder, or a name on the hub.
        language: Of the text, for `split_sentences`.
        batch_size: Number of sentences that are read at once.
    """

    def __init__(self, name: str, language: str = "en", batch_size: int = 16):
        super().__init__(self._find, language)
        from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

        try:
            with loading(name):
                tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
                model, info = AutoModelForTokenClassification.from_pretrained(
                    name, trust_remote_code=False, output_loading_info=True
                )
        except ValueError as error:
            raise ValueError(f"--ner hf:{name}: {error}") from error
        if info["missing_keys"]:
            raise ValueError(
                f"--ner hf:{name}: it labels no tokens (its classifier is missing); give a model "
                "for token classification"
            )
        if not tokenizer.is_fast:
            raise ValueError(
                f"the tokenizer of {name} can't say where its tokens are; take another"
            )
        limit = getattr(model.config, "max_position_embeddings", None) or 512
        # RoBERTa and its kin count positions from behind the padding.
        limit -= (model.config.pad_token_id or 0) + 1 if "roberta" in model.config.model_type else 0
        tokenizer.model_max_length = min(tokenizer.model_max_length, limit)
        self.pipeline = pipeline(
            "token-classification",
            model=model,
            tokenizer=tokenizer,
            aggregation_strategy="first",
            stride=tokenizer.model_max_length // 4,
            batch_size=batch_size,
        )

    def _find(self, sentences: list[str]) -> list[list[Entity]]:
        return [
            [
                _entity(sentence, found["start"], found["end"], found["entity_group"])
                for found in entities
            ]
            for sentence, entities in zip(sentences, self.pipeline(sentences), strict=True)
        ]


class Gliner(BySentence):
    """Find entities of any types by a GLiNER model.

    Args:
        name: A folder, or a name on the hub.
        types: What to look for, in words.
        language: Of the text, for `split_sentences`.
        batch_size: Number of sentences that are read at once.
    """

    def __init__(self, name: str, types: list[str], language: str = "en", batch_size: int = 16):
        super().__init__(self._find, language)
        gliner = require("gliner", f"--ner gliner:{name}")
        with loading(name):
            self.model: Any = gliner.GLiNER.from_pretrained(name)
        self.types = types
        self.batch_size = batch_size

    def _find(self, sentences: list[str]) -> list[list[Entity]]:
        return [
            [_entity(sentence, found["start"], found["end"], found["label"]) for found in entities]
            for sentence, entities in zip(
                sentences,
                self.model.inference(sentences, self.types, batch_size=self.batch_size),
                strict=True,
            )
        ]


def _entity(sentence: str, start: int, end: int, entity_type: str) -> Entity:
    return Entity(start, end, entity_type, is_pronoun(sentence[start:end].strip()))
