"""The "relation-discovery" pipeline: the stored cluster of a marked sentence.

This file travels with every saved model, so that `pipeline` finds it where the package is not
installed.
"""

from collections.abc import Iterator
from types import GeneratorType
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import Pipeline
from transformers.utils import logging

from .configuration_siamure import UNASSIGNED
from .markers import encode_marked, insert_markers, read_markers

logger = logging.get_logger(__name__)


class RelationDiscoveryPipeline(Pipeline):
    """Assign sentences to the clusters that are stored in a [`SiamUREModel`].

    The cluster is that of the nearest centroid of L2-normalized h, as in the report of a discovery
    (`SiamUREModel.assign_clusters`), and so is the rule that leaves sentences unassigned. Scores
    are those of `SiamUREModel.cluster_scores`.

    Args:
        top_k (`int`, *optional*): Number of clusters to return, best first, as a list; all with
            `None`. This ranks the clusters, also for a sentence that belongs to none of them. By
            default the answer is one dictionary: the nearest cluster, or `"unassigned"` and -1.
        return_embedding (`bool`, defaults to `False`): Whether to add h, as the model gives it.
        max_length (`int`, *optional*): Longest sentence in tokens; mentions are never cut. By
            default what the tokenizer and the encoder allow.
        kwargs: Further arguments of [`~transformers.Pipeline`], such as `batch_size` and `device`.

    Raises:
        ValueError: The model holds no clusters.

    ```python
    ask = pipeline("relation-discovery", model="ORG/siamure-tacred", trust_remote_code=True)
    ask("<e1:PERSON> Ada Roe </e1:PERSON> leads <e2:ORGANIZATION> Acme </e2:ORGANIZATION> .")
    # {'label': 'PERSON→ORGANIZATION · leads, head', 'score': 0.93, 'cluster': 4}
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
        if not self.model.config.cluster_sizes:
            raise ValueError(
                "the model holds no clusters to choose from; SiamURETrainer stores them at the end "
                "of a training, RelationDiscovery does in fit()"
            )

    def _sanitize_parameters(self, **parameters) -> tuple[dict, dict, dict]:
        step = {"max_length": 0, "top_k": 2, "return_embedding": 2}
        steps: tuple[dict, dict, dict] = ({}, {}, {})
        for name, value in parameters.items():
            if name not in step:
                raise TypeError(
                    f"the relation-discovery pipeline takes no {name!r}; it takes {', '.join(step)}"
                )
            if name == "top_k" and value is not None and value < 1:
                raise ValueError(f"top_k={value}: it must be 1 or more, or None for all clusters")
            steps[step[name]][name] = value
        return steps

    # The base class takes further positional arguments, only to warn that it ignores them.
    def __call__(  # type: ignore[override]
        self, inputs, **kwargs
    ) -> dict[str, Any] | list | Iterator:
        """Assign sentences to clusters.

        Args:
            inputs: A sentence with typed markers; or a dictionary `{"text", "head", "tail"}` with
                `{"start", "end", "type"}` as head and tail: characters of `text`, end exclusive,
                and an entity type that may be missing; or a list, generator or dataset of either.
                Rows of the instance schema, whose `text` is marked already, are fine too.
            kwargs: `top_k`, `return_embedding`, `max_length` as above, for this call; `batch_size`.

        Returns:
            `{"label", "score", "cluster"}` and, on demand, `"embedding"`; a list of these for a
            list; an iterator, which works as it is asked, for generators and datasets. With
            `top_k`, a list of them each.

        Raises:
            ValueError: A marker is missing or doubled, a span does not hold a mention, or the
                mentions are too long.
        """
        if isinstance(inputs, list) and not inputs:
            return []
        if not isinstance(inputs, str | dict | list | GeneratorType | Dataset):
            inputs = (row for row in inputs)  # a `datasets` dataset, for one
        return super().__call__(inputs, **kwargs)

    # The steps name their parameters, and say what they take and give, which the base class leaves
    # to each pipeline.
    def preprocess(  # type: ignore[override]
        self, row: str | dict, max_length: int | None = None
    ) -> dict[str, torch.Tensor]:
        tokenizer = self.tokenizer
        assert tokenizer is not None  # _load_tokenizer
        text = _marked(row)
        if max_length is None:
            max_length = min(
                tokenizer.model_max_length,
                self.model.config.max_sentence_length,
            )
        encoded = encode_marked(tokenizer, [text], max_length)
        for entity_type in encoded.unknown_types:
            logger.warning_once(
                f"the model has no markers for {entity_type!r}; it gets the untyped ones"
            )
        input_ids = torch.tensor(encoded.input_ids)
        return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}

    def _forward(  # type: ignore[override]
        self, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        embedding = self.model(**batch).relation_embedding.float()
        return {
            "embedding": embedding,
            "scores": self.model.cluster_scores(embedding),
            "cluster": self.model.assign_clusters(embedding),
        }

    def postprocess(  # type: ignore[override]
        self,
        outputs: dict[str, torch.Tensor],
        top_k: int | None = 0,
        return_embedding: bool = False,
    ) -> dict[str, Any] | list[dict[str, Any]]:
        scores = outputs["scores"][0]
        count = len(scores) if top_k is None else min(max(top_k, 1), len(scores))
        best = scores.topk(count)
        answers = [
            {"label": self.model.config.id2label[cluster], "score": score, "cluster": cluster}
            for score, cluster in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        is_asked_for_one = top_k == 0
        if is_asked_for_one and int(outputs["cluster"]) == UNASSIGNED:
            answers[0] |= {"label": "unassigned", "cluster": UNASSIGNED}
        if return_embedding:
            answers = [
                {**answer, "embedding": outputs["embedding"][0].tolist()} for answer in answers
            ]
        return answers[0] if is_asked_for_one else answers


def _marked(row: str | dict) -> str:
    """Return the marked sentence of one input."""
    if isinstance(row, str):
        read_markers(row)
        return row
    try:
        head, tail = row["head"], row["tail"]
        if not isinstance(head, dict):  # the instance schema
            read_markers(row["text"])
            return row["text"]
        head_span = (head["start"], head["end"])
        tail_span = (tail["start"], tail["end"])
        return insert_markers(row["text"], head_span, tail_span, head.get("type"), tail.get("type"))
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"{row!r} is neither a marked sentence nor a dictionary "
            f"{{'text', 'head': {{'start', 'end', 'type'}}, "
            f"'tail': {{'start', 'end', 'type'}}}} ({type(error).__name__}: {error})"
        ) from None


__all__ = ["RelationDiscoveryPipeline"]
