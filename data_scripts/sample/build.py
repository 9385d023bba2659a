"""Build the embedded corpus from the facts and phrasings under `sources/`.

`python -m data_scripts.sample.build` writes `train.jsonl` and `validation.jsonl` beside this file.
One seed fixes everything: the same sources result in the same bytes.

The two splits share neither a phrasing nor an entity pair: validation tests whether a relation is
recognized in words that training never showed, between entities that training never paired.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
SPLITS = ("train", "validation")
SLOT = re.compile(r"\{(\w+)\}('s)?")

Fact = dict[str, str]
Span = tuple[int, int]


@dataclass(frozen=True)
class Relation:
    """One file of `sources/`: what the relation means, its facts, and the ways to say them.

    `predicate`, `apposition` and `relative` are short forms of a fact for the sentences of *other*
    relations: "{head} <predicate>", "<apposition>, {head} ..." and "... {tail}, <relative>". The
    latter two may be empty.
    """

    name: str
    description: str
    sentences: int
    facts: tuple[Fact, ...]
    phrasings: dict[str, tuple[str, ...]]
    predicate: str
    apposition: str = ""
    relative: str = ""


def read_relations(folder: Path = FOLDER / "sources") -> list[Relation]:
    """Read every relation, ordered by name."""
    relations = []
    for path in sorted(folder.glob("*.yaml")):
        source = yaml.safe_load(path.read_text(encoding="utf-8"))
        columns = ("head", "tail", *source.pop("slots", []))
        facts = tuple(
            dict(zip(("head_type", "tail_type", *columns), (*types.split(), *row), strict=True))
            for types, rows in source.pop("facts").items()
            for row in rows
        )
        phrasings = {split: tuple(source.pop(split)) for split in SPLITS}
        relations.append(Relation(name=path.stem, facts=facts, phrasings=phrasings, **source))
    return relations


def fill(template: str, fact: Fact) -> tuple[str, dict[str, Span]]:
    """Put a fact into a template.

    An article written before a name ("the Royal Society") stays outside the mention, a name that
    ends in s takes a bare apostrophe, and "a" before a vowel becomes "an".

    Returns:
        The text, and for each slot the characters of its value in the text (end exclusive).

    Example:
        >>> fill("{tail}'s founder was {head}", {"head": "Werner von Siemens", "tail": "Siemens"})
        ("Siemens' founder was Werner von Siemens", {'tail': (0, 7), 'head': (21, 39)})
    """
    text = ""
    spans = {}
    position = 0
    for match in SLOT.finditer(template):
        value = fact[match[1]]
        possessive = match[2] or ""
        name = value.removeprefix("the ")
        text += template[position : match.start()]
        if text.endswith(" a ") and value[0] in "aeiou":
            text = text[:-1] + "n "
        text += value
        spans[match[1]] = (len(text) - len(name), len(text))
        text += "'" if possessive and name.endswith("s") else possessive
        position = match.end()
    return text + template[position:], spans


def sentence_case(text: str, spans: dict[str, Span]) -> str:
    """Start with a capital letter, unless with a mention, and end with one full stop."""
    if all(start > 0 for start, _ in spans.values()):
        text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def pair(fact: Fact) -> frozenset[str]:
    """Return the two entities of a fact, in no order."""
    return frozenset((fact["head"], fact["tail"]))


def split_facts(
    relations: list[Relation], rng: random.Random, validation_share: float = 0.22
) -> dict[str, dict[str, list[Fact]]]:
    """Divide the facts of each relation between the splits, each pair of entities in one only.

    Args:
        relations: The relations with their facts.
        rng: The source of every choice.
        validation_share: Share of the facts of each relation that go to validation.

    Returns:
        The facts per split and relation name, in shuffled order.
    """
    held_out: dict[frozenset[str], bool] = {}
    splits: dict[str, dict[str, list[Fact]]] = {split: {} for split in SPLITS}
    for relation in relations:
        facts = rng.sample(relation.facts, len(relation.facts))
        for fact in facts[: round(validation_share * len(facts))]:
            held_out.setdefault(pair(fact), True)
        for fact in facts:
            held_out.setdefault(pair(fact), False)
        splits["train"][relation.name] = [fact for fact in facts if not held_out[pair(fact)]]
        splits["validation"][relation.name] = [fact for fact in facts if held_out[pair(fact)]]
    return splits


def choose(
    facts: list[Fact], phrasings: tuple[str, ...], number: int, rng: random.Random
) -> Iterator[tuple[Fact, str]]:
    """Yield the facts in turn, each with the least used phrasing that it has not had yet."""
    uses: Counter[str] = Counter()
    phrasings_of: dict[int, set[str]] = {index: set() for index in range(len(facts))}
    for turn in range(number):
        index = turn % len(facts)
        candidates = [
            phrasing
            for phrasing in rng.sample(phrasings, len(phrasings))
            if phrasing not in phrasings_of[index]
        ]
        phrasing = min(candidates, key=uses.__getitem__)
        uses[phrasing] += 1
        phrasings_of[index].add(phrasing)
        yield facts[index], phrasing


class Distractors:
    """Adds to a phrasing something that is true but irrelevant.

    Args:
        relations: The relations whose facts may be added.
        facts: The facts that may be used, by relation name.
        rng: The source of every choice.
        remark_share: Probability of a remark about one of the entities, where one is known.
        frame_share: Probability of a frame instead of a clause, where there is no remark.
    """

    def __init__(
        self,
        relations: list[Relation],
        facts: dict[str, list[Fact]],
        rng: random.Random,
        remark_share: float = 0.75,
        frame_share: float = 0.25,
    ):
        self.facts = [(relation, fact) for relation in relations for fact in facts[relation.name]]
        self.rng = rng
        self.remark_share = remark_share
        self.frame_share = frame_share
        self.patterns = yaml.safe_load((FOLDER / "distractors.yaml").read_text(encoding="utf-8"))

    def add(self, phrasing: str, relation: Relation, fact: Fact) -> str:
        """Extend the phrasing by a remark about one of its entities, a clause or a frame."""
        others = [
            (other, known)
            for other, known in self.facts
            if other.name != relation.name and len({*pair(known), *pair(fact)}) >= 3
        ]
        remarks = list(self._remarks(phrasing, fact, others))
        if remarks and self.rng.random() < self.remark_share:
            return self.rng.choice(remarks)
        if self.rng.random() < self.frame_share:
            return self.rng.choice(self.patterns["frame"]).format(core=phrasing)
        other, known = self.rng.choice(
            [(other, known) for other, known in others if not pair(known) & pair(fact)]
        )
        clause, _ = fill("{head} " + other.predicate, known)
        pattern = self.rng.choice(self.patterns["clause"])
        return pattern.replace("{core}", phrasing).replace("{clause}", clause)

    def _remarks(
        self, phrasing: str, fact: Fact, others: list[tuple[Relation, Fact]]
    ) -> Iterator[str]:
        """Yield the phrasing with further facts of the entity that opens it, or that ends it."""
        for slot in ("head", "tail"):
            mention = f"{{{slot}}}"
            opens = phrasing.startswith(f"{mention} ")
            opens = opens and not phrasing.startswith(f"{mention} and ")
            closes = phrasing.endswith(mention)
            for other, known in others:
                if fact[f"{slot}_type"] == "PERSON" and known["head"] == fact[slot]:
                    if opens and other.apposition:
                        apposition = fill(other.apposition, known)[0]
                        yield f"{apposition}, {phrasing}"
                        if slot == "head":
                            yield phrasing.replace("{head} ", f"{{head}}, {apposition}, ")
                    if closes:
                        yield f"{phrasing}, who {fill(other.predicate, known)[0]}"
                elif closes and known["tail"] == fact[slot] and other.relative:
                    yield f"{phrasing}, {fill(other.relative, known)[0]}"


def build(
    seed: int = 20, validation_share: float = 0.22, distractor_share: float = 0.35
) -> dict[str, list[dict]]:
    """Build both splits.

    Args:
        seed: Fixes the split of the facts, their phrasings and the distractors.
        validation_share: Share of the facts and of the sentences that go to validation.
        distractor_share: Share of the sentences that get a distractor.

    Returns:
        The instances per split, shuffled, in the schema without `text`. Offsets are in characters
        of `sentence`, ends exclusive.
    """
    rng = random.Random(seed)
    relations = read_relations()
    facts = split_facts(relations, rng, validation_share)
    corpus = {}
    for split in SPLITS:
        distractors = Distractors(relations, facts[split], rng)
        rows = []
        for relation in relations:
            held_out = round(validation_share * relation.sentences)
            number = held_out if split == "validation" else relation.sentences - held_out
            phrasings = relation.phrasings[split]
            for fact, phrasing in choose(facts[split][relation.name], phrasings, number, rng):
                template = phrasing
                if rng.random() < distractor_share:
                    template = distractors.add(phrasing, relation, fact)
                rows.append((relation.name, fact, *fill(template, fact)))
        rng.shuffle(rows)
        corpus[split] = [instance(f"{split}-{number:04d}", *row) for number, row in enumerate(rows)]
    return corpus


def instance(name: str, relation: str, fact: Fact, text: str, spans: dict[str, Span]) -> dict:
    """Return one row of the schema without `text`."""
    sentence = sentence_case(text, spans)
    row = {"id": name, "sentence": sentence}
    for slot in ("head", "tail"):
        start, end = spans[slot]
        row |= {
            slot: sentence[start:end],
            f"{slot}_type": fact[f"{slot}_type"],
            f"{slot}_start": start,
            f"{slot}_end": end,
        }
    return row | {"relation": relation}


def main(folder: Path = FOLDER) -> None:
    """Write each split as JSON lines; a file appears once it is complete."""
    for split, rows in build().items():
        path = folder / f"{split}.jsonl"
        partial = path.with_suffix(".partial")
        partial.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
        os.replace(partial, path)


if __name__ == "__main__":
    main()
