"""SiamURE: unsupervised relation extraction by Siamese representation learning."""

from .version import __version__

__all__ = ["__version__"]
