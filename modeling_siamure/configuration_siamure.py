"""Configuration of SiamURE models."""

import difflib
from typing import TYPE_CHECKING, cast

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

PARTS = ("marker", "mention", "prompt", "context")
# Encoders that number positions from behind the padding token on: that many fewer can be used.
POSITIONS_AFTER_PADDING = {
    "camembert",
    "data2vec-text",
    "ibert",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}
UNASSIGNED = -1  # the label of a sentence that belongs to no cluster
NO_RELATION = -3  # the label of a sentence whose cluster a person rejected


def parse_pooling(pooling: str) -> tuple[str, ...]:
    """Return the parts of h that a pooling names.

    Args:
        pooling: Some of `PARTS`, joined by `+` (or, as in version 0.1, by `_`).

    Raises:
        ValueError: It names no parts, one of them twice, or neither markers nor mentions.

    >>> parse_pooling("mention+prompt+context"), parse_pooling("marker_context")
    (('mention', 'prompt', 'context'), ('marker', 'context'))
    """
    parts = tuple(pooling.replace("_", "+").split("+"))
    if len(set(parts)) < len(parts) or not set(parts) <= set(PARTS):
        raise ValueError(f"pooling={pooling!r}: join some of {', '.join(PARTS)} by '+'")
    if not {"marker", "mention"} & set(parts):
        raise ValueError(f"pooling={pooling!r}: h needs the marker or the mention part")
    return parts


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
        pooling (`str`, defaults to `"marker"`): The parts of h, joined by `+`. `marker`: the states
            at the two start markers (Eq. 3). `mention`: the mean state of each mention's tokens.
            `prompt`: the state at a mask between the two mentions, which the model appends to the
            sentence: `... [SEP] {head} [MASK] {tail} [SEP]`. `context`: the mean state of the
            tokens between the mentions. Several parts are each L2-normalized. Start markers know
            the entity types, mentions the names, the mask what the encoder would say of the two.
            `marker_context` and `mention_context` are other names of `marker+context` and
            `mention+context`.
        mention_layer (`int`): The encoder layer, from 1, whose states stand for the mentions where
            they are pooled, and for the mask of the prompt; those of markers and between the
            mentions are always the last layer's. The last one too by default.
        hides_markers (`bool`, defaults to `False`): Whether no token attends to a marker: for
            encoders that were never trained on them and are only disturbed.
        type_weight (`float`, defaults to 0): Length of a further part of h that holds the entity
            types of head and tail, beside parts of length 1; 0 leaves it out.
        mask_token_id (`int`), sep_token_id (`int`): Of the prompt.
        max_prompt_tokens (`int`, defaults to 16): Tokens of a mention that the prompt repeats.
        projection_size (`int`): Width of the projector g; the width of h by default.
        predictor_size (`int`): Width of the predictor's hidden layer; a quarter of
            `projection_size` by default, as in SimSiam.
        cluster_components (`int`): Number of linear components of h in which the clusters lie
            (see `SiamUREModel.to_cluster_space`); h itself by default.
        cluster_sizes (`list[int]`): How many training instances each cluster of h holds; set when
            clusters are stored in the model. In an edited model, how many each centroid stands for.
        max_distances (`list[float]`): The largest distance from each centroid at which a row still
            belongs to it; none by default. Both thresholds are
            honored by `SiamUREModel.assign_clusters`.
        min_margin (`float`): The smallest margin between the nearest and the second centroid; none
            by default.
        cluster_groups (`list[int]`): The group of each cluster, from 0; clusters of one group are
            siblings, between which the margin makes no difference. No siblings by default.
        score_curve (`list[float]`): Scores at margins from -1 to 1, in equal steps (see
            `SiamUREModel.cluster_scores`); the softmax of version 0.1 by default.
        centroid_parents (`list[int]`): For each stored centroid of an edited model the centroid
            that it is a part of; -1 for those that were discovered, which come first. None is part
            of another by default. `max_distances` and `cluster_groups` are of discovered centroids.
        centroid_clusters (`list[int]`): The cluster that each centroid stands for, of which some
            may stand for the same; -3 where a person rejected it as no relation. By default each
            centroid is a cluster.
        reversed_centroids (`list[bool]`): Whether head and tail change places in what is assigned
            to each centroid; nowhere by default.
        cluster_ids (`list[str]`): What edits call each cluster, whatever else is edited; its number
            by default.

    Raises:
        ValueError: A name is nearly that of a field; the encoder's configuration asks for code of
            its own, or points somewhere else; or `mention_layer` is not one of its layers.

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
    pooling: str = "marker"
    mention_layer: int | None = None
    hides_markers: bool = False
    type_weight: int | float = 0.0
    mask_token_id: int | None = None
    sep_token_id: int | None = None
    max_prompt_tokens: int = 16
    projection_size: int | None = None
    predictor_size: int | None = None
    cluster_components: int | None = None
    cluster_sizes: list[int] | None = None
    max_distances: list[float] | None = None
    min_margin: int | float | None = None
    cluster_groups: list[int] | None = None
    score_curve: list[float] | None = None
    centroid_parents: list[int] | None = None
    centroid_clusters: list[int] | None = None
    reversed_centroids: list[bool] | None = None
    cluster_ids: list[str] | None = None

    if TYPE_CHECKING:  # narrower than in the base class: __post_init__ gives every cluster a name
        num_labels: int = 10
        id2label: dict[int, str] = {}
        label2id: dict[str, int] = {}

    def __post_init__(self, **kwargs):
        fields = [*SiamUREConfig.__annotations__, "num_labels"]
        for name in kwargs.keys() - {*fields}:
            # Other libraries leave fields of their own in a configuration; a name close to one of
            # ours is a slip.
            if close := difflib.get_close_matches(name, fields, n=1, cutoff=0.85):
                raise ValueError(f"{name!r} is no field of SiamUREConfig; did you mean {close[0]}?")
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
        # The package registers its pipeline; a checkpoint's own would ask for trust.
        if __package__ == "modeling_siamure":
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
        has_tokens = self.mask_token_id is not None and self.sep_token_id is not None
        if "prompt" in self.parts and not has_tokens:
            raise ValueError(
                f"pooling={self.pooling!r}: the prompt needs mask_token_id and sep_token_id"
            )

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """Make a configuration of what a config.json holds.

        Args:
            config_dict, kwargs: As for `PreTrainedConfig.from_dict`.

        Raises:
            ValueError: A field has a value that it can't have.
        """
        try:
            return super().from_dict(config_dict, **kwargs)
        except Exception as error:  # whatever arbitrary values lead to
            raise ValueError(f"config.json: {' '.join(str(error).split())}") from error

    def get_text_config(self, decoder=None, encoder=None) -> PreTrainedConfig:
        return cast(PreTrainedConfig, self.encoder_config)  # since __post_init__

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of h that `pooling` names."""
        return parse_pooling(self.pooling)

    @property
    def relation_embedding_size(self) -> int:
        """Dimension of h: 2d for markers or mentions, d for prompt and context, and the types."""
        hidden_size = self.get_text_config().hidden_size
        size = sum(2 if part in ("marker", "mention") else 1 for part in self.parts) * hidden_size
        return size + (2 * self.num_types if self.type_weight else 0)

    @property
    def context_size(self) -> int:
        """Number of h's last dimensions for the words between the mentions: d, or 0 without."""
        return self.get_text_config().hidden_size if "context" in self.parts else 0

    @property
    def prompt_size(self) -> int:
        """Largest number of tokens that the model appends to a sentence."""
        return 2 * self.max_prompt_tokens + 2 if "prompt" in self.parts else 0

    @property
    def max_sentence_length(self) -> int:
        """Largest number of tokens of a sentence, special ones included."""
        encoder = self.get_text_config()
        positions = encoder.max_position_embeddings
        if encoder.model_type in POSITIONS_AFTER_PADDING:
            positions -= (encoder.pad_token_id or 0) + 1
        return positions - self.prompt_size

    @property
    def num_types(self) -> int:
        """Number of entity types that the markers know, and one for mentions without."""
        return 1 + len(self.entity_types or ())

    @property
    def num_markers(self) -> int:
        """How many token ids from `first_marker_id` on are markers."""
        return 4 * self.num_types


__all__ = ["SiamUREConfig"]
