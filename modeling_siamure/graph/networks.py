"""Facts as graphs of networkx and of RDF."""

import re
from pathlib import Path
from typing import Any, Literal

from ..utils.files import atomic_path
from .facts import FactStore

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_graphml(store: FactStore, path: Path, **limits: Any) -> None:
    """Write a directed multigraph for networkx, Gephi, yEd and others, as GraphML.

    Args:
        store: The facts.
        path: Where; whole or not there.
        limits: Of `FactStore.facts`.

    Raises:
        ImportError: networkx is not installed.
    """
    try:
        import networkx as nx
    except ImportError:
        raise ImportError("GraphML needs networkx: pip install networkx") from None
    graph = nx.MultiDiGraph()
    for fact in store.facts(**limits):
        for entity in (fact.head, fact.tail):
            graph.add_node(entity.id, label=_in_xml(entity.name), type=_in_xml(entity.type or ""))
        graph.add_edge(
            fact.head.id,
            fact.tail.id,
            label=_in_xml(fact.relation),
            cluster=fact.cluster,
            support=fact.support,
            weight=fact.mean_score,
            evidence=_in_xml(" ".join(fact.evidence)),
        )
    with atomic_path(path) as partial:
        nx.write_graphml(graph, partial, named_key_ids=True)


def _in_xml(text: str) -> str:
    r"""Return text without the characters that no XML file can hold.

    >>> _in_xml("a\x00b")
    'ab'
    """
    return _NOT_IN_XML.sub("", text)


def write_rdf(
    store: FactStore,
    path: Path,
    syntax: Literal["turtle", "json-ld"],
    base: str = "urn:siamure:",
    type_share: float = 0.95,
    **limits: Any,
) -> None:
    """Write RDF: entities, facts, their evidence as reified statements, and a schema.

    A relation has a domain where its heads have one type, and a range where its tails do;
    otherwise `schema:domainIncludes` and `schema:rangeIncludes` list them. Inverse relations are
    `owl:inverseOf` each other.

    Args:
        store: The facts.
        path: Where; whole or not there.
        syntax: Of the file.
        base: What identifiers begin with.
        type_share: Share of a relation's sentences from which on one type is all of them.
        limits: Of `FactStore.facts`.

    Raises:
        ImportError: rdflib is not installed.
    """
    try:
        from rdflib import OWL, RDF, RDFS, Graph, Literal, Namespace
    except ImportError:
        raise ImportError("RDF needs rdflib: pip install rdflib") from None
    from urllib.parse import quote

    ours, schema = Namespace(base), Namespace("https://schema.org/")
    graph = Graph()
    graph.bind("", ours)
    graph.bind("schema", schema)

    def type_of(name: str):
        node = ours[f"type/{quote(name, safe='')}"]
        graph.add((node, RDF.type, RDFS.Class))
        graph.add((node, RDFS.label, Literal(name)))
        return node

    def relation_of(cluster: int):
        return ours[f"relation/{cluster}"]

    for cluster, name in sorted(store.names.items()):
        relation = relation_of(cluster)
        graph.add((relation, RDF.type, RDF.Property))
        graph.add((relation, RDFS.label, Literal(name)))
        if cluster in store.inverses:
            graph.add((relation, OWL.inverseOf, relation_of(store.inverses[cluster])))
        pairs = store.type_pairs(cluster)
        total = sum(count for *_, count in pairs)
        sides = ((0, RDFS.domain, schema.domainIncludes), (1, RDFS.range, schema.rangeIncludes))
        for side, only, some in sides:
            shares: dict[str, float] = {}
            for head, tail, count in pairs:
                entity_type = (head, tail)[side]
                if entity_type is not None:
                    shares[entity_type] = shares.get(entity_type, 0) + count / total
            whole = [entity_type for entity_type, share in shares.items() if share >= type_share]
            for entity_type in whole or shares:
                graph.add((relation, only if whole else some, type_of(entity_type)))
    for number, fact in enumerate(store.facts(**limits)):
        nodes = []
        for entity in (fact.head, fact.tail):
            node = ours[f"entity/{entity.id}"]
            graph.add((node, RDFS.label, Literal(entity.name)))
            if entity.type:
                graph.add((node, RDF.type, type_of(entity.type)))
            nodes.append(node)
        relation = relation_of(fact.cluster)
        graph.add((nodes[0], relation, nodes[1]))
        statement = ours[f"statement/{number}"]
        graph.add((statement, RDF.type, RDF.Statement))
        graph.add((statement, RDF.subject, nodes[0]))
        graph.add((statement, RDF.predicate, relation))
        graph.add((statement, RDF.object, nodes[1]))
        graph.add((statement, ours.support, Literal(fact.support)))
        graph.add((statement, ours.score, Literal(fact.mean_score)))
        for sentence in fact.evidence:
            graph.add((statement, ours.evidence, Literal(sentence)))
    with atomic_path(path) as partial:
        graph.serialize(partial, format=syntax, encoding="utf-8")
