"""Configuration of SiamURE models."""

from typing import TYPE_CHECKING, Literal, cast

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

UNASSIGNED = -1  # the label of a sentence that belongs to no cluster


@strict
class SiamUREConfig(PreTrainedConfig):
    r"""Configuration of a [`SiamUREModel`].

    Clusters are the model's labels: `num_labels` is C (10 by default, as in the paper) and
    `id2label` names them.

    Args:
        encoder_config (`dict | PreTrainedConfig`): Configuration of the encoder f, a BERT-like
            model; BERT by default.
        entity_types (`list[str]`): Types that have markers of their own, in the order of their
            token ids.
        first_marker_id (`int`): Token id of `<e1>`. Four untyped markers start here, then come four
            per type.
        pooling (`str`, defaults to `"marker"`): What h is made of. `"marker"`: the states at the
            two start markers (Eq. 3). `"mention"`: the mean state of each mention's tokens.
            `"marker_context"`, `"mention_context"`: the same and the mean state of the tokens
            between the mentions, each of the three L2-normalized. Start markers know the entity
            types, mentions the names.
        mention_layer (`int`): The encoder layer, from 1, whose states stand for the mentions where
            they are pooled; those of markers and between the mentions are always the last layer's.
            The last one too by default.
        projection_size (`int`): Width of the projector g; the width of h by default.
        predictor_size (`int`): Width of the predictor's hidden layer; a quarter of
            `projection_size` by default, as in SimSiam.
        cluster_sizes (`list[int]`): How many training instances each cluster of h holds; set when
            clusters are stored in the model.
        max_distances (`list[float]`): The largest distance from each centroid at which a row still
            belongs to it; none by default. Both thresholds are
            honored by `SiamUREModel.assign_clusters`.
        min_margin (`float`): The smallest margin between the nearest and the second centroid; none
            by default.

    Raises:
        ValueError: The encoder's configuration asks for code of its own, or points somewhere else;
            or `mention_layer` is not one of its layers.

    ```python
    >>> from modeling_siamure import SiamUREConfig

    >>> encoder_config = {"model_type": "bert", "hidden_size": 32}
    >>> config = SiamUREConfig(encoder_config=encoder_config, num_labels=16)
    >>> config.relation_embedding_size, config.num_labels, config.id2label[0]
    (64, 16, 'cluster 0')

    ```
    """

    model_type = "siamure"
    sub_configs_defaults = {  # noqa: RUF012
        "encoder_config": SubConfigSpec(config_class=AutoConfig, model_type="bert"),
    }

    encoder_config: dict | PreTrainedConfig | None = None
    entity_types: list[str] | None = None
    first_marker_id: int | None = None
    pooling: Literal["marker", "mention", "marker_context", "mention_context"] = "marker"
    mention_layer: int | None = None
    projection_size: int | None = None
    predictor_size: int | None = None
    cluster_sizes: list[int] | None = None
    max_distances: list[float] | None = None
    min_margin: int | float | None = None

    if TYPE_CHECKING:  # narrower than in the base class: __post_init__ gives every cluster a name
        num_labels: int = 10
        id2label: dict[int, str] = {}
        label2id: dict[str, int] = {}

    def __post_init__(self, **kwargs):
        encoder = self.encoder_config
        encoder = encoder.to_dict() if isinstance(encoder, PreTrainedConfig) else encoder or {}
        if {"auto_map", "trust_remote_code"} & encoder.keys():
            raise ValueError(
                "encoder_config asks for code of its own; only encoders of transformers itself "
                "are loaded"
            )
        path = encoder.get("_name_or_path") or encoder.get("name_or_path")
        if path and isinstance(self.encoder_config, dict):
            raise ValueError(
                f"encoder_config points to {path!r}; the weights of an encoder are in its model"
            )
        if self.id2label is None:
            num_labels = kwargs.pop("num_labels", 10)
            self.id2label = {i: f"cluster {i}" for i in range(num_labels)}
            self.label2id = {label: i for i, label in self.id2label.items()}
        if (
            __package__ == "modeling_siamure"
        ):  # which registers its pipeline; a checkpoint's own would ask for trust
            kwargs.pop("custom_pipelines", None)
        super().__post_init__(**kwargs)
        self.encoder_config._name_or_path = (
            ""  # would leak a folder of the machine that trained the model
        )
        num_layers = self.encoder_config.num_hidden_layers
        if self.mention_layer is not None and not 1 <= self.mention_layer <= num_layers:
            raise ValueError(
                f"mention_layer={self.mention_layer} is not one of the encoder's layers 1 to "
                f"{num_layers}"
            )
        self.entity_types = self.entity_types or []

    def get_text_config(self, decoder=None, encoder=None) -> PreTrainedConfig:
        return cast(PreTrainedConfig, self.encoder_config)  # since __post_init__

    @property
    def relation_embedding_size(self) -> int:
        """Dimension of h: 2d, or 3d with the context, where d is the encoder's hidden size."""
        return 2 * self.get_text_config().hidden_size + self.context_size

    @property
    def context_size(self) -> int:
        """Number of h's last dimensions for the words between the mentions: d, or 0 without."""
        return self.get_text_config().hidden_size if self.pooling.endswith("context") else 0

    @property
    def num_markers(self) -> int:
        """How many token ids from `first_marker_id` on are markers."""
        return 4 * (1 + len(self.entity_types or ()))


__all__ = ["SiamUREConfig"]
