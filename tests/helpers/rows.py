"""Instances of three relations between people and firms, and files of them."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

from modeling_siamure.markers import insert_markers

PEOPLE = ["ada", "bo", "cy", "dee", "eli", "fay", "gus", "hal"]
FIRMS = ["acme", "bolt", "core", "dyno", "edge", "flux"]
RELATIONS = {
    "founded": ["founded", "started"],
    "left": ["left", "quit"],
    "sued": ["sued", "charged"],
}
VERBS = [verb for verbs in RELATIONS.values() for verb in verbs]
WORDS = [*PEOPLE, *FIRMS, *VERBS, "who", "in", "may", "later"]
TYPE_WORDS = ["person", "firm", "head", "tail", "entity", "start", "end"]


def make_rows(count: int, seed: int = 0) -> list[dict]:
    """Return instances of three relations between people and firms, in the instance schema."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        relation = rng.choice(sorted(RELATIONS))
        head = rng.choice(PEOPLE)
        tail = rng.choice(FIRMS)
        fillers = rng.choices(["who", "later", "in"], k=rng.randrange(4))
        middle = " ".join([*fillers, rng.choice(RELATIONS[relation])])
        sentence = f"{head} {middle} {tail} in may"
        head_span = (0, len(head))
        tail_start = len(f"{head} {middle} ")
        tail_span = (tail_start, tail_start + len(tail))
        rows.append(
            {
                "id": str(number),
                "text": insert_markers(sentence, head_span, tail_span, "PERSON", "FIRM"),
                "sentence": sentence,
                "head": head,
                "head_type": "PERSON",
                "head_start": head_span[0],
                "head_end": head_span[1],
                "tail": tail,
                "tail_type": "FIRM",
                "tail_start": tail_span[0],
                "tail_end": tail_span[1],
                "relation": relation,
            }
        )
    return rows


def write_rows(path: Path, rows: Iterable[dict]) -> Path:
    """Write rows as JSON lines, as a person would have them: without the marked text."""
    lines = [json.dumps({key: row[key] for key in row if key != "text"}) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path
