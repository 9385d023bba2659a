"""From the assignments of a discovery to a graph of facts, and to the formats of other tools."""

from .exporting import FORMATS, export
from .facts import Entity, Fact, FactStore, entity_key, read_facts

__all__ = ["FORMATS", "Entity", "Fact", "FactStore", "entity_key", "export", "read_facts"]
