"""Recipes: the YAML files that say how a model is made and trained, and on which data."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_origin

import yaml
from transformers import HfArgumentParser, PreTrainedTokenizerBase

from .configuration_siamure import parse_pooling
from .training.training_args import SiamURETrainingArguments
from .utils.contract import UNCHECKED, alternatives, argument_hints, check_values, nearest_name
from .utils.deprecation import rename_key, rename_options
from .utils.loading import loading

if TYPE_CHECKING:
    from evaluate import EvaluationModule

    from .modeling_siamure import SiamUREModel

DEFAULT_RECIPE = Path(__file__).with_name("default.yaml")
BASE_RECIPE = Path(__file__).with_name("base.yaml")
DEFAULT_METRIC = Path(__file__).with_name("b_cubed")  # the Space, which travels with the package


@dataclass
class ModelArguments:
    """Arguments that say how a model is made from a plain pretrained encoder."""

    model_name_or_path: str = field(
        metadata={
            "help": "The encoder: hub name, folder, or pip:PACKAGE/FOLDER for one inside an "
            "installed package."
        }
    )
    pooling: str = field(
        default="marker",
        metadata={
            "help": "The parts of h: marker, mention, prompt, context, joined by +; auto: by "
            "whether the sentences have entity types."
        },
    )
    hides_markers: bool = field(
        default=False, metadata={"help": "No token attends to a marker: for untrained markers."}
    )
    type_weight: float = field(
        default=0.0, metadata={"help": "Length of a part of h that holds the entity types."}
    )
    pooling_layer: int | None = field(
        default=None, metadata={"help": "Encoder layer that is pooled; the last one by default."}
    )
    mention_depth: float | None = field(
        default=None,
        metadata={"help": "Share of the layers below which mentions are taken; 1 by default."},
    )
    dropout: float | None = field(
        default=None, metadata={"help": "r, of all dropout layers; the encoder's own by default."}
    )
    num_clusters: int = field(default=10, metadata={"help": "C: number of relations to look for."})
    projection_size: int | None = field(
        default=None, metadata={"help": "Width of the projector; that of h by default."}
    )
    predictor_size: int | None = field(
        default=None,
        metadata={"help": "Bottleneck of the predictor; a quarter of the projector by default."},
    )
    trust_remote_code: bool = field(
        default=False,
        metadata={
            "help": "Run the code of a metric from elsewhere; on the command line, not in a recipe."
        },
    )

    def __post_init__(self):
        check_values(vars(self), argument_hints(ModelArguments))
        if self.pooling != "auto":
            parse_pooling(self.pooling)

    def build_model(
        self, texts: Iterable[str], max_length: int
    ) -> tuple["SiamUREModel", PreTrainedTokenizerBase]:
        """Build a model around the encoder, with markers for the entity types of some sentences.

        Args:
            texts: Marked sentences.
            max_length: Longest sentence in tokens that the tokenizer lets pass.

        Returns:
            The model, and its tokenizer with the markers in it.

        Raises:
            ValueError: The encoder is not installed or damaged, or a value does not fit it.
            OSError: There is no such encoder.
        """
        from .markers import find_entity_types
        from .modeling_siamure import SiamUREModel, load_tokenizer

        with loading(self.model_name_or_path):
            tokenizer = load_tokenizer(self.model_name_or_path, model_max_length=max_length)
            model = SiamUREModel.from_encoder(
                self.model_name_or_path,
                tokenizer,
                find_entity_types(texts),
                pooling=self.pooling,
                pooling_layer=self.pooling_layer,
                mention_depth=self.mention_depth,
                dropout=self.dropout,
                hides_markers=self.hides_markers,
                type_weight=self.type_weight,
                projection_size=self.projection_size,
                predictor_size=self.predictor_size,
                num_labels=self.num_clusters,
            )
        longest = model.config.max_sentence_length
        if max_length > longest:
            beside = " beside the prompt" if model.config.prompt_size else ""
            raise ValueError(
                f"max_length={max_length}: {self.model_name_or_path} has positions for {longest} "
                f"tokens{beside}; give a max_length of {longest} or less"
            )
        return model, tokenizer


@dataclass
class DataArguments:
    """Arguments that say what a model is trained on, and scored on."""

    dataset_name: str | None = field(
        default=None, metadata={"help": "A corpus that data_scripts reads."}
    )
    data_dir: str | None = field(
        default=None, metadata={"help": "The folder with the files of that corpus."}
    )
    train_file: str | None = field(
        default=None, metadata={"help": "Your own rows: JSON lines, CSV or Parquet."}
    )
    validation_file: str | None = field(
        default=None, metadata={"help": "Rows to score on, like train_file."}
    )
    reader_options: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Of the reader, such as markers=untyped labels=single columns.sentence=body."
        },
    )
    train_split: str = field(default="train", metadata={"help": "Split of the corpus to train on."})
    validation_split: str = field(
        default="validation", metadata={"help": "Split to score on, where there is one."}
    )
    validation_fraction: float | None = field(
        default=None,
        metadata={"help": "Share of the training split to score on instead, drawn by seed."},
    )
    max_train_samples: int | None = field(
        default=None, metadata={"help": "Train on this many rows, drawn by seed; all by default."}
    )
    metric: str = field(
        default=str(DEFAULT_METRIC),
        metadata={"help": "What evaluate.load loads: a folder, or a name on the hub."},
    )

    def __post_init__(self):
        check_values(vars(self), argument_hints(DataArguments))


def load_metric(name: str, trust_remote_code: bool = False) -> "EvaluationModule":
    """Load a metric, which is code that runs here.

    Args:
        name: What `evaluate.load` loads: a folder, or a name on the hub.
        trust_remote_code: Whether another metric than that of this package may run.

    Raises:
        ValueError: It is another metric, and not trusted.

    >>> load_metric(str(DEFAULT_METRIC)).name
    'b_cubed'
    >>> load_metric("ORG/metric")
    Traceback (most recent call last):
    ValueError: metric=ORG/metric runs code that is not of this package; read it, then allow it ...
    """
    if not trust_remote_code and Path(name).resolve() != DEFAULT_METRIC.resolve():
        raise ValueError(
            f"metric={name} runs code that is not of this package; read it, then allow it by "
            "--trust_remote_code on the command line"
        )
    import evaluate

    return evaluate.load(name)


def argument_parser() -> HfArgumentParser:
    """Return the parser of all keys of a recipe, which are the arguments of `train.py` too."""
    return HfArgumentParser(
        # Its own annotation takes no dataclass at all.
        (ModelArguments, DataArguments, SiamURETrainingArguments),  # type: ignore[arg-type]
        allow_abbrev=False,
    )


def parse_arguments(
    argv: Sequence[str], on_error: Callable[[str], NoReturn]
) -> tuple[ModelArguments, DataArguments, SiamURETrainingArguments]:
    """Parse the command line of `train.py`: a recipe, and the overrides behind it.

    Args:
        argv: The words; the first is a recipe if it ends in .yaml.
        on_error: What to do with a mistake in them.
    """
    parser = argument_parser()
    parser.usage = "train.py RECIPE.yaml [--KEY VALUE ...]"
    parser.error = on_error  # type: ignore[method-assign, assignment]  # of this parser alone
    if not argv:
        on_error(
            "give a recipe and rows: train.py recipes/default.yaml --train_file FILE --output_dir "
            "FOLDER; --help lists all options"
        )
    words = rename_options(argv)
    if words and words[0].endswith((".yaml", ".yml")):
        Recipe.from_yaml(words.pop(0)).set_defaults(parser)
    model, data, training = parser.parse_args_into_dataclasses(words)
    return model, data, training


@dataclass(frozen=True)
class Recipe:
    """A recipe whose keys and values have been checked.

    One recipe works everywhere: in `train.py`, `siamure discover --recipe` and
    `RelationDiscovery(recipe=...)`. A discovery brings its own data and number of clusters, and
    takes the rest.

    Attributes:
        values: The keys that the file gives, with values of the type of their argument.

    >>> recipe = Recipe.from_yaml()
    >>> recipe.values["clustering_method"], recipe.model_arguments.pooling
    ('consensus', 'auto')
    """

    values: dict[str, Any]

    def __post_init__(self):
        if "trust_remote_code" in self.values:
            raise ValueError(
                "trust_remote_code is for you to give, on the command line; take it out of the "
                "recipe"
            )
        check_values(self.values, _hints())
        if "pooling" in self.values:
            ModelArguments("", pooling=self.values["pooling"])

    @classmethod
    def from_yaml(cls, path: str | Path = DEFAULT_RECIPE) -> "Recipe":
        """Read and check a recipe.

        Args:
            path: The file; the default recipe of this package by default.

        Raises:
            ValueError: It is not YAML, holds no keys, or has a key or a value that no argument
                takes. Names the file.
        """
        content = _read_yaml(path)
        parser = argument_parser()
        actions = {action.dest: action for action in parser._actions if action.dest != "help"}

        def fail(message: str) -> NoReturn:
            raise ValueError(f"{path}: {message}")

        words = []
        for key, value in content.items():
            if key not in actions:
                fail(f"{key!r} is no recipe key{nearest_name(str(key), actions)}")
            try:
                words += _option(key, value, takes_words=actions[key].nargs == "+")
            except ValueError as error:
                fail(str(error))
        for action in parser._actions:
            action.required = False
        parser.error = fail  # type: ignore[method-assign]  # of this parser alone
        # The values become what they would be on the command line of train.py.
        namespace = parser.parse_args(words)
        given = [key for key, value in content.items() if value is not None]
        try:
            return cls({key: getattr(namespace, key) for key in given})
        except ValueError as error:
            fail(str(error))

    @classmethod
    def of(cls, recipe: "Recipe | str | Path | None") -> "Recipe":
        """Return a recipe as it is, or read its file; by default that of this package."""
        return recipe if isinstance(recipe, Recipe) else cls.from_yaml(recipe or DEFAULT_RECIPE)

    @classmethod
    def for_encoder(cls, encoder: str) -> "Recipe":
        """Return the recipe that suits an encoder.

        Args:
            encoder: `"small"`, the default recipe; `"base"`, that for base-size encoders with a
                masked-word past; or the name of such an encoder, which takes the place of its own.

        >>> Recipe.for_encoder("base").model_arguments.pooling
        'mention+prompt+context'
        """
        if encoder == "small":
            return cls.from_yaml(DEFAULT_RECIPE)
        recipe = cls.from_yaml(BASE_RECIPE)
        if encoder == "base":
            return recipe
        return cls({**recipe.values, "model_name_or_path": encoder})

    def set_defaults(self, parser: HfArgumentParser) -> None:
        """Make the values the defaults of a parser (of `argument_parser`), as TRL's parser does."""
        parser.set_defaults(**self.values)
        for action in parser._actions:
            action.required = action.required and action.dest not in self.values

    @property
    def model_arguments(self) -> ModelArguments:
        """The part that makes a model.

        Raises:
            ValueError: The recipe names no encoder.
        """
        if "model_name_or_path" not in self.values:
            raise ValueError("the recipe names no encoder; add model_name_or_path")
        return ModelArguments(**self._of(ModelArguments))

    def build_model(self, texts: Iterable[str]) -> tuple["SiamUREModel", PreTrainedTokenizerBase]:
        """Build the model and its tokenizer; see `ModelArguments.build_model`.

        Args:
            texts: Marked sentences, whose entity types get markers.
        """
        max_length = self.values.get("max_length", SiamURETrainingArguments.max_length)
        return self.model_arguments.build_model(texts, max_length)

    def training_arguments(self, output_dir: str | Path, **overrides) -> SiamURETrainingArguments:
        """Return the arguments of the training.

        Args:
            output_dir: Where checkpoints go.
            overrides: Arguments that count instead of the recipe's.
        """
        values = {**self._of(SiamURETrainingArguments), **overrides, "output_dir": str(output_dir)}
        return SiamURETrainingArguments(**values)

    def _of(self, arguments: type) -> dict[str, Any]:
        names = {part.name for part in fields(arguments)}
        return {key: value for key, value in self.values.items() if key in names}


def _hints() -> dict[str, Any]:
    """Return the types of all keys of a recipe."""
    parts = (ModelArguments, DataArguments, SiamURETrainingArguments)
    return {name: hint for part in parts for name, hint in argument_hints(part).items()}


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which a key that is given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        if doubled := [key for key in keys if keys.count(key) > 1]:
            raise yaml.YAMLError(f"it gives {doubled[0]!r} twice; keep one of them")
        return super().construct_mapping(node, deep)


def _read_yaml(path: str | Path) -> dict[str, Any]:
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except RecursionError:
        raise ValueError(f"{path} can't be read as a recipe: it is nested too deeply") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} can't be read as a recipe: {reason}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} can't be read as a recipe: it holds no keys")
    return dict(rename_key(key, value, source=str(path)) for key, value in content.items())


def _option(key: str, value: Any, takes_words: bool) -> list[str]:
    """Return the words of a command line that say what a key of a recipe says.

    A mapping becomes words such as `labels=first` where the argument takes several, and JSON where
    it takes one, as transformers' `lr_scheduler_kwargs` does. A key without a value is left out.

    Raises:
        ValueError: A list or a mapping stands where one value is asked for, or a list holds more
            than plain values.

    >>> _option("bf16", False, takes_words=False)
    ['--bf16=False']
    >>> _option("reader_options", {"columns": {"sentence": "the body"}}, takes_words=True)
    ['--reader_options', 'columns.sentence=the body']
    """
    if value is None:
        return []
    if takes_words:
        words = list(_pairs(value)) if isinstance(value, Mapping) else value
        words = words if isinstance(words, list) else [words]
        if any(isinstance(word, Mapping | list) or str(word).startswith("--") for word in words):
            raise ValueError(f"{key}: it must be a list of plain values, not {value!r}")
        return [f"--{key}", *map(str, words)]
    kinds = alternatives(_hints()[key])
    if isinstance(value, Mapping) and any((get_origin(kind) or kind) is dict for kind in kinds):
        return [f"--{key}={json.dumps(value)}"]
    # What follows would pass as text; numbers and flags refuse it by themselves.
    if isinstance(value, Mapping | list) and str in kinds:
        raise ValueError(f"{key}: it must be one value, not {value!r}")
    if isinstance(value, bool) and not {bool, int, float} & {*kinds} and key not in UNCHECKED:
        raise ValueError(
            f"{key}: YAML reads yes, no, on and off as true and false; write the value in quotes"
        )
    return [f"--{key}={value}"]


def _pairs(mapping: Mapping) -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{pair}" for pair in _pairs(value))
        else:
            yield f"{key}={value}"
