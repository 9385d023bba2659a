"""Facts of a discovery: which entities stand in which relation, and the sentences that say so."""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from ..markers import read_markers

_POSSESSIVE = re.compile(r"(?<=\w)['’]s?$")
_ENTITY_IDS = ("_id", "_entity_id")


@dataclass(frozen=True)
class Entity:
    """A node of the graph.

    Attributes:
        id: Its number in the store, from 1.
        name: Its most frequent spelling.
        type: Its entity type; `None` without.
    """

    id: int
    name: str
    type: str | None


@dataclass(frozen=True)
class Fact:
    """A relation between two entities.

    Attributes:
        head, tail: The entities.
        cluster: The number of the relation's cluster.
        relation: Its name.
        support: Number of sentences that say so.
        mean_score: Their mean score.
        evidence: The ids of the first of them, or their row numbers (from 0) where rows have none.
    """

    head: Entity
    cluster: int
    relation: str
    tail: Entity
    support: int
    mean_score: float
    evidence: list[str]


def entity_key(name: str) -> str:
    """Return what spellings of one entity share: no case, no possessive, single spaces.

    >>> entity_key("ACME  Bank's"), entity_key("Acme Bank")
    ('acme bank', 'acme bank')
    """
    plain = " ".join(unicodedata.normalize("NFKC", name).split())
    return _POSSESSIVE.sub("", plain).rstrip("'’").casefold() or name


class FactStore:
    """The facts of a discovery, in a database that a million rows don't bring into the memory.

    Args:
        path: A file for the database, which is made.
        max_evidence: Number of sentences that each fact names.

    Attributes:
        names: The name of each cluster that has a fact.
        inverses: Of `find_inverses`.
    """

    def __init__(self, path: str | Path, max_evidence: int = 20):
        self._max_evidence = max_evidence
        self._database = sqlite3.connect(path)
        self._database.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            CREATE TABLE spelling (key TEXT, type TEXT, name TEXT, count INTEGER,
                PRIMARY KEY (key, type, name)) WITHOUT ROWID;
            CREATE TABLE mention (head TEXT, head_type TEXT, tail TEXT, tail_type TEXT,
                cluster INTEGER, score REAL, evidence TEXT);
            """
        )
        self.names: dict[int, str] = {}
        self.inverses: dict[int, int] = {}

    def add(self, rows: Iterable[dict], first_number: int = 0) -> None:
        """Add rows of `assignments.parquet`; those that belong to no cluster are no facts.

        Args:
            rows: With `text`, `cluster`, `name` and `score`, and `id`, `head_id`, `tail_id` and
                `reversed` where they have some.
            first_number: The number of the first row.
        """
        mentions, spellings = [], []
        for number, row in enumerate(rows, start=first_number):
            if row["cluster"] is None or row["cluster"] < 0:
                continue
            marked = read_markers(row["text"])
            keys = []
            mentions_of_row = [
                ("head", marked.head, marked.head_type),
                ("tail", marked.tail, marked.tail_type),
            ]
            if row.get("reversed"):  # a person swapped the relation's head and tail
                mentions_of_row.reverse()
            for role, span, entity_type in mentions_of_row:
                name = " ".join(marked.sentence[slice(*span)].split())
                ids = [row.get(f"{role}{suffix}") for suffix in _ENTITY_IDS]
                known = next((str(value) for value in ids if value is not None), None)
                key = f"id {known}" if known else f"name {entity_key(name)}"
                keys += [key, entity_type or ""]
                spellings.append((key, entity_type or "", _POSSESSIVE.sub("", name) or name))
            evidence = row.get("id")
            self.names[row["cluster"]] = row["name"]
            mentions.append(
                (*keys, row["cluster"], row["score"], str(number if evidence is None else evidence))
            )
        with self._database:
            self._database.executemany(
                "INSERT INTO spelling VALUES (?, ?, ?, 1) "
                "ON CONFLICT DO UPDATE SET count = count + 1",
                spellings,
            )
            self._database.executemany("INSERT INTO mention VALUES (?, ?, ?, ?, ?, ?, ?)", mentions)

    def find_inverses(self, min_pairs: int = 3, min_share: float = 0.5) -> dict[int, int]:
        """Find relations that say the same as another one from the tail to the head.

        Two are inverse where most of the entity pairs that either has, and that occur the other way
        round in any relation, occur so in the other one of the two. Relations that are their own
        inverse (spouse) are none.

        Args:
            min_pairs: The least number of entity pairs that both have.
            min_share: The least share of those that occur both ways.

        Returns:
            The smaller number of each two clusters to the larger one, and back.
        """
        self._database.executescript(
            """
            DROP TABLE IF EXISTS pair;
            CREATE TEMP TABLE pair AS
                SELECT DISTINCT head, head_type, tail, tail_type, cluster FROM mention;
            CREATE INDEX temp.pair_of_entities ON pair (head, tail);
            """
        )
        rows = self._database.execute(
            "SELECT a.cluster, b.cluster, count(DISTINCT a.head || char(0) || a.tail) "
            "FROM pair AS a JOIN pair AS b ON a.head = b.tail AND a.tail = b.head "
            "AND a.head_type = b.tail_type AND a.tail_type = b.head_type "
            "WHERE a.head != a.tail GROUP BY 1, 2"
        )
        both_ways = {(first, second): count for first, second, count in rows}
        totals: dict[int, int] = {}
        for (first, _), count in both_ways.items():
            totals[first] = totals.get(first, 0) + count
        return {
            first: second
            for (first, second), count in both_ways.items()
            if first != second
            and count >= min_pairs
            and count >= min_share * totals[first]
            and count >= min_share * totals[second]
        }

    def merge_inverses(self, inverses: dict[int, int]) -> None:
        """Turn the sentences of inverse relations round, into the relation with the smaller number.

        Args:
            inverses: Of `find_inverses`.
        """
        with self._database:
            for first, second in inverses.items():
                if first < second:
                    self._database.execute(
                        "UPDATE mention SET head = tail, head_type = tail_type, tail = head, "
                        "tail_type = head_type, cluster = ? WHERE cluster = ?",
                        (first, second),
                    )
                    self.names.pop(second, None)

    def finish(self) -> None:
        """Join spellings to entities, once all rows are there."""
        with self._database:
            self._database.executescript(
                """
                CREATE TABLE entity AS
                    SELECT row_number() OVER (ORDER BY key, type) AS id, key, type, name FROM (
                        SELECT key, type, name, row_number() OVER (
                            PARTITION BY key, type ORDER BY count DESC, name) AS place
                        FROM spelling)
                    WHERE place = 1;
                CREATE UNIQUE INDEX entity_of_key ON entity (key, type);
                CREATE UNIQUE INDEX entity_of_id ON entity (id);
                CREATE TABLE fact AS
                    SELECT head.id AS head, cluster, tail.id AS tail, count(*) AS support,
                        avg(score) AS mean_score, min(mention.rowid) AS first
                    FROM mention
                    JOIN entity AS head ON head.key = mention.head AND head.type = head_type
                    JOIN entity AS tail ON tail.key = mention.tail AND tail.type = tail_type
                    GROUP BY 1, 2, 3;
                CREATE INDEX mention_of_fact ON mention (head, head_type, cluster, tail, tail_type);
                """
            )

    def entities(self) -> Iterator[Entity]:
        """Yield the entities, by their numbers."""
        rows = self._database.execute("SELECT id, name, type FROM entity ORDER BY id")
        for number, name, entity_type in rows:
            yield Entity(number, name, entity_type or None)

    def facts(self, min_score: float = 0.0, min_support: int = 1) -> Iterator[Fact]:
        """Yield the facts, those with most sentences first, then those with the best score.

        Args:
            min_score: The least mean score of a fact.
            min_support: The least number of its sentences.
        """
        rows = self._database.execute(
            """
            SELECT head.id, head.name, head.type, cluster, tail.id, tail.name, tail.type,
                support, mean_score, head.key, tail.key
            FROM fact JOIN entity AS head ON head.id = fact.head
                JOIN entity AS tail ON tail.id = fact.tail
            WHERE mean_score >= ? AND support >= ?
            ORDER BY support DESC, mean_score DESC, first
            """,
            (min_score, min_support),
        )
        for row in rows:
            head = Entity(row[0], row[1], row[2] or None)
            tail = Entity(row[4], row[5], row[6] or None)
            evidence = self._database.execute(
                "SELECT evidence FROM mention WHERE head = ? AND head_type = ? AND cluster = ? "
                "AND tail = ? AND tail_type = ? ORDER BY rowid LIMIT ?",
                (row[9], row[2], row[3], row[10], row[6], self._max_evidence),
            )
            yield Fact(
                head=head,
                cluster=row[3],
                relation=self.names[row[3]],
                tail=tail,
                support=row[7],
                mean_score=round(row[8], 4),
                evidence=[value for (value,) in evidence],
            )

    def type_pairs(self, cluster: int) -> list[tuple[str | None, str | None, int]]:
        """Return the pairs of entity types of a cluster, and how many sentences have each.

        Args:
            cluster: Its number.

        Returns:
            Head type, tail type and number of sentences, the most frequent pair first.
        """
        rows = self._database.execute(
            "SELECT head_type, tail_type, count(*) FROM mention WHERE cluster = ? "
            "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            (cluster,),
        )
        return [(head or None, tail or None, count) for head, tail, count in rows]

    def close(self) -> None:
        """Close the database."""
        self._database.close()


@contextmanager
def read_facts(
    assignments: str | Path, database: str | Path, merges_inverses: bool = False
) -> Iterator[FactStore]:
    """Read the facts of a discovery.

    Args:
        assignments: `assignments.parquet` of `siamure discover` or `siamure assign`.
        database: A file for what is read, which is removed in the end.
        merges_inverses: Whether inverse relations become one.

    Yields:
        The store.

    Raises:
        ValueError: The file holds something else.
    """
    path = Path(database)
    store = FactStore(path)
    try:
        try:
            file = pq.ParquetFile(assignments)
            names = set(file.schema_arrow.names)
        except (OSError, ValueError) as error:
            raise ValueError(f"{assignments} can't be read ({error})") from error
        wanted = ["id", "text", "cluster", "name", "score", "reversed"]
        wanted += [f"{role}{suffix}" for role in ("head", "tail") for suffix in _ENTITY_IDS]
        if lacking := {"text", "cluster", "name", "score"} - names:
            raise ValueError(
                f"{assignments} has no column {min(lacking)!r}; give the output folder of "
                "siamure discover"
            )
        number = 0
        columns = [name for name in wanted if name in names]
        for batch in file.iter_batches(10_000, columns=columns):
            store.add(batch.to_pylist(), number)
            number += len(batch)
        store.inverses = store.find_inverses()
        if merges_inverses:
            store.merge_inverses(store.inverses)
            store.inverses = {}
        store.finish()
        yield store
    finally:
        store.close()
        path.unlink(missing_ok=True)
