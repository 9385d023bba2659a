"""SiamURE: unsupervised relation extraction by Siamese representation learning.

Importing the package registers the Auto classes; trainer, data and clustering load when they are first used.
"""

from transformers import AutoConfig, AutoModel

from .configuration_siamure import SiamUREConfig
from .modeling_siamure import SiamUREModel, SiamUREModelOutput
from .version import __version__

AutoConfig.register("siamure", SiamUREConfig, exist_ok=True)
AutoModel.register(SiamUREConfig, SiamUREModel, exist_ok=True)
SiamUREConfig.register_for_auto_class()
SiamUREModel.register_for_auto_class("AutoModel")

__all__ = ["SiamUREConfig", "SiamUREModel", "SiamUREModelOutput", "__version__"]
