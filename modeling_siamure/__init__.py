"""SiamURE: unsupervised relation extraction by Siamese representation learning.

Importing the package registers the Auto classes and the pipeline; trainer, data and clustering load on first use.
"""

import importlib

from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY

from .configuration_siamure import SiamUREConfig
from .modeling_siamure import SiamUREModel, SiamUREModelOutput
from .pipeline import RelationDiscoveryPipeline
from .version import __version__

AutoConfig.register("siamure", SiamUREConfig, exist_ok=True)
AutoModel.register(SiamUREConfig, SiamUREModel, exist_ok=True)
SiamUREConfig.register_for_auto_class()
SiamUREModel.register_for_auto_class("AutoModel")
PIPELINE_REGISTRY.register_pipeline(
    "relation-discovery", pipeline_class=RelationDiscoveryPipeline, pt_model=AutoModel, type="text"
)

_LAZY = {
    "RelationDiscovery": ".discovery",
    "SiamURETrainer": ".trainer",
    "SiamURETrainingArguments": ".training_args",
}


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["RelationDiscoveryPipeline", "SiamUREConfig", "SiamUREModel", "SiamUREModelOutput", "__version__", *_LAZY]
