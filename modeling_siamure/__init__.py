"""SiamURE: unsupervised relation extraction by Siamese representation learning.

Importing the package registers the Auto classes; trainer, data and clustering load when they are first used.
"""

import importlib

from transformers import AutoConfig, AutoModel

from .configuration_siamure import SiamUREConfig
from .modeling_siamure import SiamUREModel, SiamUREModelOutput
from .version import __version__

AutoConfig.register("siamure", SiamUREConfig, exist_ok=True)
AutoModel.register(SiamUREConfig, SiamUREModel, exist_ok=True)
SiamUREConfig.register_for_auto_class()
SiamUREModel.register_for_auto_class("AutoModel")

_LAZY = {
    "SiamURETrainer": ".trainer",
    "SiamURETrainingArguments": ".training_args",
}


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["SiamUREConfig", "SiamUREModel", "SiamUREModelOutput", "__version__", *_LAZY]
