"""Arguments of the two-phase training."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import HubStrategy

from ..utils.contract import argument_hints, check_values
from ..utils.deprecation import RENAMED_ARGUMENTS, deprecated_arguments, rename_key


def has_native_bfloat16() -> bool:
    """Tell whether bfloat16 is faster than float32 here: by a GPU, AVX512-BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@dataclass
class SiamURETrainingArguments(TrainingArguments):
    """[`~transformers.TrainingArguments`] with those of the method.

    Symbols are the paper's; its Table 1 has its values.

    Raises:
        ValueError: A value is of another type, none of the choices, or beyond a limit (see
            `modeling_siamure.utils.contract`).

    >>> SiamURETrainingArguments(warmup_epochs=1).num_neighbors
    20
    """

    max_length: int = field(
        default=128, metadata={"help": "Longest sentence in tokens; mentions are never cut."}
    )
    on_overflow: Literal["raise", "skip"] = field(
        default="raise",
        metadata={"help": "What to do with a sentence whose two mentions alone exceed max_length."},
    )
    strict: bool = field(
        default=False,
        metadata={"help": "Refuse sentences that the health check would only warn of."},
    )
    warmup_epochs: int = field(
        default=5,
        metadata={"help": "L: epochs with the siamese loss alone, before clustering joins it."},
    )
    use_mlps: bool = field(
        default=True,
        metadata={"help": "Siamese loss on projector and predictor; false is the ablation on h."},
    )
    clustering_loss: Literal["semantic", "neighbor_cosine", "none"] = field(
        default="semantic",
        metadata={
            "help": "Eq. 7-8; or the cosine to neighbors of the authors' code; or none (the "
            "ablation)."
        },
    )
    clustering_weight: float = field(
        default=0.5, metadata={"help": "eta: weight of the clustering loss (Eq. 9)."}
    )
    entropy_weight: float = field(
        default=1.0,
        metadata={
            "help": "lambda: 1 for long-tailed or unknown data, 2 for balanced data; 0 ends in "
            "one cluster."
        },
    )
    num_neighbors: int = field(
        default=20, metadata={"help": "K: neighbors mined for each example."}
    )
    neighbor_search: Literal["auto", "exact", "faiss"] = field(
        default="auto",
        metadata={
            "help": "exact; faiss (approximate); or auto: faiss for more than 200,000 examples on "
            "a CPU."
        },
    )
    mutual_neighbors: bool = field(
        default=False, metadata={"help": "Keep only neighbors that have the anchor among theirs."}
    )
    neighbors_per_anchor: int = field(
        default=1, metadata={"help": "Number of the K neighbors that are drawn in each step."}
    )
    neighbor_reduction: Literal["mean", "sum"] = field(
        default="mean",
        metadata={
            "help": "Mean over the drawn neighbors, or K times it: the sum that Eq. 7 prints."
        },
    )
    neighbor_refresh_epochs: int = field(
        default=1, metadata={"help": "Epochs between two minings of neighbors."}
    )
    cluster_head_init: Literal["ward", "clustering", "random"] = field(
        default="ward",
        metadata={
            "help": "Start the cluster head from Ward's clusters, from those of "
            "clustering_method, or from noise."
        },
    )
    head_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Learning rate of the cluster head; that of the model by default."},
    )
    pretrained_weight_share: float = field(
        default=0.0,
        metadata={
            "help": "Weight of the pretrained encoder when it is averaged with the fine-tuned "
            "one; 0 keeps the "
            "fine-tuned encoder. With any other, training stops where neighbors teach little but "
            "the entity types."
        },
    )
    clustering_method: Literal["kmeans", "consensus"] = field(
        default="kmeans",
        metadata={
            "help": "Clustering of h: k-means (paper, 3.3), or the consensus of cluster heads."
        },
    )
    clustering_components: int | None = field(
        default=None,
        metadata={"help": "Relevant components of h that are clustered; h itself by default."},
    )
    kmeans_restarts: int = field(
        default=10, metadata={"help": "Starts of k-means, of which the best counts."}
    )
    bf16: bool | None = field(  # type: ignore[assignment]  # a bool since __post_init__
        default=None,
        metadata={"help": "bfloat16 autocast; where the machine has it natively, by default."},
    )
    hub_strategy: HubStrategy | str = field(
        default="end",
        metadata={"help": "When to push to the hub: end, when there are clusters; or every_save."},
    )

    def __post_init__(self):
        _, self.cluster_head_init = rename_key("cluster_head_init", self.cluster_head_init)
        check_values(vars(self), argument_hints(SiamURETrainingArguments))
        if self.bf16 is None:
            self.bf16 = has_native_bfloat16() and not self.fp16
        # Without this, Trainer refuses bfloat16 on a machine whose only device is the processor.
        self.use_cpu = self.use_cpu or not torch.accelerator.is_available()
        super().__post_init__()
        self.remove_unused_columns = False  # the trainer's own dataset picks its columns
        if self.ddp_find_unused_parameters is None:
            # The cluster head has no gradient in the first phase.
            self.ddp_find_unused_parameters = True


# The dataclass has made its __init__ only now.
SiamURETrainingArguments.__init__ = deprecated_arguments(  # type: ignore[method-assign]
    **RENAMED_ARGUMENTS
)(SiamURETrainingArguments.__init__)
