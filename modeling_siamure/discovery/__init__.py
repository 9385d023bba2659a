"""From a corpus to its named relations, and what a discovery leaves."""

from .analysis import DiscoveryResult, analyze
from .estimator import RelationDiscovery

__all__ = ["DiscoveryResult", "RelationDiscovery", "analyze"]
