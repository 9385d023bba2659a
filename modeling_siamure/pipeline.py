"""The "relation-discovery" pipeline: the stored cluster of a marked sentence.

This file travels with every saved model, so that `pipeline` finds it where the package is not
installed.
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset
from transformers import Pipeline
from transformers.utils import logging

from .configuration_siamure import NO_RELATION, UNASSIGNED
from .markers import MARKER, check_tokenizer, encode_marked, insert_markers, read_markers

logger = logging.get_logger(__name__)


class RelationDiscoveryPipeline(Pipeline):
    """Assign sentences to the clusters that are stored in a [`SiamUREModel`].

    The cluster is that of the nearest centroid of L2-normalized h, as in the report of a discovery
    (`SiamUREModel.assign_clusters`), and so is the rule that leaves sentences unassigned. Scores
    are those of `SiamUREModel.cluster_scores`.

    Args:
        top_k (`int`, *optional*): Number of clusters to return, best first, as a list; all with
            `None`. This ranks the clusters, also for a sentence that belongs to none of them, whose
            answers then have `"unassigned": True`. By default the answer is one dictionary.
        reject_outliers (`bool`, defaults to `True`): Whether sentences beyond the model's
            thresholds are unassigned.
        return_embedding (`bool`, defaults to `False`): Whether to add h, as the model gives it.
        max_length (`int`, *optional*): Longest sentence in tokens; mentions are never cut. By
            default what the tokenizer and the encoder allow.
        on_error (`str`, defaults to `"raise"`): Whether to end at a row that can't be read, or to
            answer it with `None` and go on (`"skip"`); a warning then counts such rows.
        kwargs: Further arguments of [`~transformers.Pipeline`], such as `batch_size` and `device`.

    Raises:
        ValueError: The model holds no clusters, or the tokenizer is not the model's.

    ```python
    ask = pipeline("relation-discovery", model="ORG/siamure-tacred", trust_remote_code=True)
    ask("<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORGANIZATION> Acme </e2:ORGANIZATION> .")
    # {'label': 'PERSON→ORGANIZATION · is the head of, leads', 'score': 0.93, 'cluster': 4}
    ```
    """

    model: Any  # a SiamUREModel, whose module imports this one to save it

    # The base class declares these as None, which stands for optional; its own pipelines set them
    # as we do.
    _load_tokenizer = True  # type: ignore[assignment]
    _load_processor = False  # type: ignore[assignment]
    _load_image_processor = False  # type: ignore[assignment]
    _load_video_processor = False  # type: ignore[assignment]
    _load_feature_extractor = False  # type: ignore[assignment]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.model.config
        if not config.cluster_sizes:
            raise ValueError(
                "the model holds no clusters to choose from; SiamURETrainer stores them at the end "
                "of a training, RelationDiscovery does in fit()"
            )
        check_tokenizer(self.tokenizer, config.first_marker_id, config.entity_types)

    def _sanitize_parameters(self, **parameters) -> tuple[dict, dict, dict]:
        step = {
            "max_length": 0,
            "on_error": 0,
            "reject_outliers": 1,
            "top_k": 2,
            "return_embedding": 2,
        }
        steps: tuple[dict, dict, dict] = ({}, {}, {})
        for name, value in parameters.items():
            if name not in step:
                raise TypeError(
                    f"the relation-discovery pipeline takes no {name!r}; it takes {', '.join(step)}"
                )
            steps[step[name]][name] = value
            if name == "on_error":
                if value not in ("raise", "skip"):
                    raise ValueError(f"on_error={value!r}: it must be 'raise' or 'skip'")
            elif name in ("top_k", "max_length"):
                if value is not None and (type(value) is not int or value < 1):
                    default = "all clusters" if name == "top_k" else "what the model allows"
                    raise ValueError(
                        f"{name}={value!r}: it must be 1 or more, or None for {default}"
                    )
            elif not isinstance(value, bool):
                raise ValueError(f"{name}={value!r}: it must be True or False")
        return steps

    # The base class takes further positional arguments, only to warn that it ignores them.
    def __call__(  # type: ignore[override]
        self, inputs, **kwargs
    ) -> dict[str, Any] | list | Iterator | None:
        """Assign sentences to clusters.

        Args:
            inputs: A sentence with typed markers; or a dictionary that is a row as `siamure assign`
                reads it (`sentence`, `head_start`, `head_end`, `head_type`, ..., or a marked
                `text`), or `{"text", "head", "tail"}` with `{"start", "end", "type"}` as head and
                tail: characters of `text`, end exclusive, and an entity type that may be missing
                (`label` and `entity_group` are other names of it); or a list, generator or dataset
                of these.
            kwargs: `top_k`, `reject_outliers`, `return_embedding`, `max_length`, `on_error` as
                above, for this call; `batch_size`.

        Returns:
            `{"label", "score", "cluster"}` and, on demand, `"embedding"`; a list of these for a
            list; an iterator, which works as it is asked, for generators and datasets. With
            `top_k`, a list of them each. A sentence that belongs to no cluster has the label
            `"unassigned"` and the cluster -1; `"nearest_label"` and `"nearest_cluster"` say which
            is the nearest, and the score is that of the nearest. Where a person edited the
            clusters, the label is `"no relation"` and the cluster -3 for a sentence of a rejected
            one, and `"reversed": True` says that the relation leads from the tail to the head.

        Raises:
            ValueError: A row can't be read. Names its position in the list, from 0.
        """
        if isinstance(inputs, str | dict):
            (answer,) = self._take_out_problems(iter([super().__call__(inputs, **kwargs)]))
            return answer
        if isinstance(inputs, list):
            rows = [_NumberedRow(number, row) for number, row in enumerate(inputs)]
            return list(self._take_out_problems(super().__call__(rows, **kwargs))) if rows else []
        if isinstance(inputs, Dataset) and isinstance(inputs, Sized):  # may have no end of its own
            dataset = inputs
            inputs = (dataset[number] for number in range(len(dataset)))
        try:
            numbered = (_NumberedRow(number, row) for number, row in enumerate(inputs))
        except TypeError:
            raise ValueError(f"{inputs!r} is {_NO_ROW}") from None
        return self._take_out_problems(super().__call__(numbered, **kwargs))

    def _take_out_problems(self, answers: Iterable) -> Iterator:
        """Yield the answers, with `None` for rows that can't be read, which a warning counts."""
        problems = []
        count = 0
        for answer in answers:
            count += 1
            if isinstance(answer, _Problem):
                problems.append(answer)
                yield None
            else:
                yield answer
        if problems:
            logger.warning(
                "%d of %d rows can't be read, and are answered by None, such as: %s",
                len(problems),
                count,
                problems[0],
            )

    # The steps name their parameters, and say what they take and give, which the base class leaves
    # to each pipeline.
    def preprocess(  # type: ignore[override]
        self, row: Any, max_length: int | None = None, on_error: str = "raise"
    ) -> dict[str, Any]:
        number = None
        if isinstance(row, _NumberedRow):
            number, row = row
        problem = None
        try:
            input_ids = self._encode(_mark(row), max_length)
        except ValueError as error:
            problem = str(error) if number is None else f"row {number}: {error}"
            if on_error == "raise":
                raise ValueError(problem) from None
            input_ids = self._encode(
                "<e1> a </e1> <e2> a </e2>", None
            )  # takes its place in the batch
        return {
            "input_ids": input_ids,
            "attention_mask": torch.ones_like(input_ids),
            "problem": problem,
        }

    def _encode(self, text: str, max_length: int | None) -> torch.Tensor:
        """Return the token ids of a marked sentence, `(1, length)`."""
        tokenizer = self.tokenizer
        assert tokenizer is not None  # _load_tokenizer
        limit = min(tokenizer.model_max_length, self.model.config.max_sentence_length)
        encoded = encode_marked(tokenizer, [text], min(max_length or limit, limit), "skip")
        for entity_type in encoded.unknown_types:
            logger.warning_once(
                f"the model has no markers for {entity_type!r}; it gets the untyped ones"
            )
        if encoded.input_ids[0] is None:
            raise ValueError(
                f"its two mentions alone exceed {min(max_length or limit, limit)} tokens; shorten "
                "them, or skip such rows (on_error='skip')"
            )
        return torch.tensor(encoded.input_ids)

    def _forward(  # type: ignore[override]
        self, batch: dict[str, Any], reject_outliers: bool = True
    ) -> dict[str, Any]:
        problem = batch.pop("problem")
        embedding = self.model(**batch).relation_embedding.float()
        nearest_score, is_reversed = self.model.describe_nearest(embedding)
        return {
            "embedding": embedding,
            "scores": self.model.cluster_scores(embedding),
            "nearest": self.model.assign_clusters(embedding, reject_outliers=False),
            "cluster": self.model.assign_clusters(embedding, reject_outliers),
            "nearest_score": nearest_score,
            "is_reversed": is_reversed,
            "problem": problem,
        }

    def postprocess(  # type: ignore[override]
        self,
        outputs: dict[str, Any],
        top_k: int | None = 0,
        return_embedding: bool = False,
    ) -> Any:
        if outputs["problem"]:
            return _Problem(outputs["problem"])
        names = self.model.config.id2label | {NO_RELATION: "no relation"}
        scores = outputs["scores"][0].tolist()
        nearest = int(outputs["nearest"])
        cluster_or_none = int(outputs["cluster"])
        is_unassigned = cluster_or_none < 0
        # Of equal scores, that of the nearest comes first.
        order = sorted(
            range(len(scores)), key=lambda cluster: (-scores[cluster], cluster != nearest)
        )
        answers: list[dict[str, Any]] = [
            {"label": names[cluster], "score": scores[cluster], "cluster": cluster}
            for cluster in order[: 1 if top_k == 0 else top_k]
        ]
        for answer in answers:
            if cluster_or_none == NO_RELATION and top_k == 0:
                answer |= {"label": names[NO_RELATION], "cluster": NO_RELATION}
                answer["score"] = float(outputs["nearest_score"])
            elif is_unassigned and top_k == 0:
                answer |= {"label": "unassigned", "cluster": UNASSIGNED}
                answer["score"] = float(outputs["nearest_score"])
                answer |= {"nearest_label": names[nearest], "nearest_cluster": nearest}
            elif is_unassigned:
                answer["unassigned"] = True
            if answer["cluster"] == nearest and bool(outputs["is_reversed"]):
                answer["reversed"] = True
            if return_embedding:
                answer["embedding"] = outputs["embedding"][0].tolist()
        return answers[0] if top_k == 0 else answers


_NO_ROW = (
    "neither a marked sentence nor a dictionary, such as {'sentence', 'head_start', 'head_end', "
    "'tail_start', 'tail_end'} or {'text', 'head': {'start', 'end', 'type'}, 'tail': ...}"
)
_TYPE_NAMES = ("type", "label", "entity_group")


class _NumberedRow(NamedTuple):
    number: int
    row: Any


class _Problem(str):
    """Why a row can't be read, in place of its answer."""


def _mark(row: Any) -> str:
    """Return the marked sentence of one input.

    Raises:
        ValueError: It can't be read.
    """
    text = row
    if isinstance(row, Mapping):
        row = _flatten(row)
        text = row.get("text")
        if not (isinstance(text, str) and MARKER.search(text)):
            return _mark_flat(row)
    if not isinstance(text, str):
        raise ValueError(f"{row!r} is {_NO_ROW}")
    text.encode()  # a lone surrogate is a ValueError too
    read_markers(text)
    return str(text)


def _flatten(row: Mapping) -> dict[str, Any]:
    """Return the row that `siamure assign` would read, without what is missing."""
    flat = dict(row)
    for role in ("head", "tail"):
        if not isinstance(row.get(role), Mapping):
            continue
        mention = flat.pop(role)
        flat |= {f"{role}_start": mention.get("start"), f"{role}_end": mention.get("end")}
        types = [_plain(mention.get(name)) for name in _TYPE_NAMES]
        flat[f"{role}_type"] = next(filter(None, types), None)
        if "text" in flat:
            flat["sentence"] = flat.pop("text")
    plain = {name: _plain(value) for name, value in flat.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a scalar of numpy or torch as Python's own, and `None` for NaN."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def _mark_flat(row: dict[str, Any]) -> str:
    """Return the marked sentence of a row without markers."""
    if __package__ == "modeling_siamure":
        # By its name: this file travels with models to where there is no data_scripts.
        return importlib.import_module("data_scripts.corpora.table").mark_row(row)
    try:
        head, tail = ((row[f"{role}_start"], row[f"{role}_end"]) for role in ("head", "tail"))
        types = (row.get(f"{role}_type") or None for role in ("head", "tail"))
        sentence = row["sentence"] if "sentence" in row else row["text"]
        return insert_markers(sentence, head, tail, *types)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{row!r} is {_NO_ROW} ({type(error).__name__}: {error})") from None


__all__ = ["RelationDiscoveryPipeline"]
