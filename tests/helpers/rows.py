"""Rows of a small made-up corpus, in the instance schema."""

import random

from modeling_siamure.markers import insert_markers

PEOPLE = ["ada", "bo", "cy", "dee", "eli", "fay", "gus", "hal"]
FIRMS = ["acme", "bolt", "core", "dyno", "edge", "flux"]
RELATIONS = {
    "founded": ["founded", "started"],
    "left": ["left", "quit"],
    "sued": ["sued", "charged"],
}
WORDS = [
    *PEOPLE,
    *FIRMS,
    *(verb for verbs in RELATIONS.values() for verb in verbs),
    "who",
    "in",
    "may",
    "later",
]
TYPE_WORDS = ["person", "firm", "head", "tail", "entity", "start", "end"]


def make_rows(count: int, seed: int = 0) -> list[dict]:
    """Instances of three relations between people and firms, in the instance schema."""
    rng, rows = random.Random(seed), []
    for number in range(count):
        relation = rng.choice(sorted(RELATIONS))
        head, tail = rng.choice(PEOPLE), rng.choice(FIRMS)
        middle = " " + " ".join(
            [
                *rng.choices(["who", "later", "in"], k=rng.randrange(4)),
                rng.choice(RELATIONS[relation]),
            ]
        )
        sentence = f"{head}{middle} {tail} in may"
        spans = (0, len(head)), (len(head + middle) + 1, len(head + middle) + 1 + len(tail))
        rows.append(
            {
                "id": str(number),
                "text": insert_markers(sentence, *spans, "PERSON", "FIRM"),
                "sentence": sentence,
                **{
                    "head": head,
                    "head_type": "PERSON",
                    "head_start": spans[0][0],
                    "head_end": spans[0][1],
                },
                **{
                    "tail": tail,
                    "tail_type": "FIRM",
                    "tail_start": spans[1][0],
                    "tail_end": spans[1][1],
                },
                "relation": relation,
            }
        )
    return rows
