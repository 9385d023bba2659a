"""SiamURE: unsupervised relation extraction by Siamese representation learning.

Importing the package makes the Auto classes and `pipeline` know it. The model loads with them, the
rest on first use.
"""

import importlib
from types import ModuleType

from transformers import AutoConfig
from wrapt import when_imported

from .configuration_siamure import SiamUREConfig
from .version import __version__

AutoConfig.register("siamure", SiamUREConfig, exist_ok=True)
SiamUREConfig.register_for_auto_class()


# transformers' models take seconds to import, and whoever needs ours asks transformers for some:
# so it waits for them.
@when_imported("transformers.models.auto.modeling_auto")
def _load_model(_: ModuleType) -> None:
    importlib.import_module(".modeling_siamure", __name__)


@when_imported("transformers.pipelines")
def _load_pipeline(_: ModuleType) -> None:
    importlib.import_module(".pipeline", __name__)


@when_imported(f"{__name__}.modeling_siamure")
def _register_model(module: ModuleType) -> None:
    module.AutoModel.register(SiamUREConfig, module.SiamUREModel, exist_ok=True)
    module.SiamUREModel.register_for_auto_class("AutoModel")


@when_imported(f"{__name__}.pipeline")
def _register_pipeline(module: ModuleType) -> None:
    from transformers import AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    PIPELINE_REGISTRY.register_pipeline(
        "relation-discovery",
        pipeline_class=module.RelationDiscoveryPipeline,
        pt_model=AutoModel,
        type="text",
    )


_MODULES = {
    "RelationDiscovery": "discovery",
    "RelationDiscoveryPipeline": "pipeline",
    "Recipe": "recipe",
    "SiamUREModel": "modeling_siamure",
    "SiamUREModelOutput": "modeling_siamure",
    "SiamURETrainer": "training.trainer",
    "SiamURETrainingArguments": "training.training_args",
    "consensus": "clustering",
    "consistency_loss": "losses",
    "embed": "embedding",
    "estimate_num_clusters": "clustering.num_clusters",
    "export_onnx": "export",
    "extend_tokenizer": "markers",
    "insert_markers": "markers",
    "kmeans": "clustering",
    "load_tokenizer": "modeling_siamure",
    "nearest_neighbors": "clustering.neighbors",
    "neighbor_cosine_loss": "losses",
    "read_markers": "markers",
    "semantic_clustering_loss": "losses",
    "siamese_loss": "losses",
    "tokenize_dataset": "data_collator",
}


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


__all__ = ["SiamUREConfig", "__version__", *_MODULES]
