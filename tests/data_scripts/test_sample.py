"""The embedded corpus: the claims of its README, checked on the committed files."""

import doctest
import json
import random
import re
from collections import Counter

import pytest

from data_scripts.sample import build

RELATIONS = {relation.name: relation for relation in build.read_relations()}
CORPUS = {
    split: [
        json.loads(line)
        for line in (build.FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for split in build.SPLITS
}
SCHEMA = [
    "id",
    "sentence",
    *(f"{slot}{part}" for slot in ("head", "tail") for part in ("", "_type", "_start", "_end")),
]


def rows():
    return CORPUS["train"] + CORPUS["validation"]


def entity_pair(row: dict) -> frozenset[str]:
    return frozenset((row["head"], row["tail"]))


def matching_phrasings(row: dict, phrasings: tuple[str, ...]) -> set[str]:
    """Return the phrasings that the sentence contains; an apposition may follow its head."""
    slots = {
        "{head}": f"(the )?{re.escape(row['head'])}(, .+?,(?= ))?",
        "{tail}": f"(the )?{re.escape(row['tail'])}",
    }
    matching = set()
    for phrasing in phrasings:
        parts = re.split(r"(\{\w+\})", phrasing)
        words = [
            slots.get(part, ".+" if part.startswith("{") else re.escape(part)) for part in parts
        ]
        pattern = "".join(words).replace(r"'s\ ", r"'s?\ ").replace(r"\ a\ ", r"\ an?\ ")
        if re.search(pattern, row["sentence"], re.IGNORECASE):
            matching.add(phrasing)
    return matching


def test_rebuilding_writes_the_committed_bytes(tmp_path):
    build.main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.jsonl", "validation.jsonl"]
    for split in build.SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (
            build.FOLDER / f"{split}.jsonl"
        ).read_bytes()


def test_another_seed_builds_another_corpus():
    assert build.build(seed=21) != CORPUS


def test_docstring_examples():
    assert doctest.testmod(build).failed == 0


def test_rows_are_instances():
    for row in rows():
        assert list(row) == [*SCHEMA, "relation"]
        for slot in ("head", "tail"):
            start, end = row[f"{slot}_start"], row[f"{slot}_end"]
            assert row["sentence"][start:end] == row[slot] != ""
            assert not (row["sentence"][:start][-1:] + row["sentence"][end:][:1]).strip(" ,.;'"), (
                row
            )
        assert row["head_end"] <= row["tail_start"] or row["tail_end"] <= row["head_start"]


def test_sentences_are_well_formed():
    slips = re.compile(
        r"[{}]| [,.;]|,,|[,;]\S|  |\.\.$|\bthe the\b|\ba [aeio]|\ban [^aeiouE]|s's\b"
        r"|\bcity of [\w ]*City\b"
        r"|\b(he|she|his|her|him|hers)\b"
    )
    for row in rows():
        sentence = row["sentence"]
        assert not slips.search(sentence), sentence
        assert sentence == sentence.strip() and sentence.endswith(".")
        assert sentence[0].isupper() or 0 in (row["head_start"], row["tail_start"])


def test_size_and_long_tail():
    assert 1_200 <= len(CORPUS["train"]) <= 1_350
    assert 330 <= len(CORPUS["validation"]) <= 400
    for split in build.SPLITS:
        assert set(RELATIONS) == {row["relation"] for row in CORPUS[split]}
    sizes = sorted(Counter(row["relation"] for row in rows()).values())
    assert len(sizes) >= 16
    assert 25 <= sizes[0] <= 35 and 170 <= sizes[-1] <= 210
    assert sizes[-1] >= 2 * sizes[len(sizes) // 2]


def test_readme_counts_are_right():
    readme = (build.FOLDER / "README.md").read_text(encoding="utf-8")
    for name, relation in RELATIONS.items():
        counts = [sum(row["relation"] == name for row in CORPUS[split]) for split in build.SPLITS]
        phrasings = " + ".join(str(len(relation.phrasings[split])) for split in build.SPLITS)
        cells = [f"`{name}`", relation.description, len(relation.facts), phrasings, *counts]
        assert f"| {' | '.join(map(str, cells))} |" in readme


def test_sentences_and_ids_are_unique():
    assert len({row["sentence"] for row in rows()}) == len(rows())
    assert len({row["id"] for row in rows()}) == len(rows())


def test_splits_share_no_entity_pair_in_either_order():
    train, validation = ({entity_pair(row) for row in CORPUS[split]} for split in build.SPLITS)
    assert not train & validation


def test_training_sentences_do_not_mention_validation_pairs_in_passing():
    facts = build.split_facts(list(RELATIONS.values()), random.Random(20))
    for name, held_out in facts["validation"].items():
        for fact in held_out:
            clause, _ = build.fill("{head} " + RELATIONS[name].predicate, fact)
            assert not any(clause in row["sentence"] for row in CORPUS["train"])


def test_facts_are_unique():
    for relation in RELATIONS.values():
        assert len({build.pair(fact) for fact in relation.facts}) == len(relation.facts)


def test_splits_share_no_phrasing():
    train, validation = (
        {p for r in RELATIONS.values() for p in r.phrasings[split]} for split in build.SPLITS
    )
    assert not train & validation


def test_every_sentence_uses_a_phrasing_of_its_split():
    for split in build.SPLITS:
        for row in CORPUS[split]:
            assert matching_phrasings(row, RELATIONS[row["relation"]].phrasings[split]), row[
                "sentence"
            ]


def test_masked_sentences_of_the_splits_differ():
    def masked(row):
        return row["sentence"].replace(row["head"], "HEAD").replace(row["tail"], "TAIL")

    assert not {masked(row) for row in CORPUS["train"]} & {
        masked(row) for row in CORPUS["validation"]
    }


@pytest.mark.parametrize("name", RELATIONS)
def test_many_phrasings_in_both_orders(name):
    for split, minimum in (("train", 12), ("validation", 5)):
        phrasings = RELATIONS[name].phrasings[split]
        assert len(set(phrasings)) == len(phrasings) >= minimum
        assert all(
            phrasing.count("{head}") == phrasing.count("{tail}") == 1 for phrasing in phrasings
        )
        used = set().union(
            *(
                matching_phrasings(row, phrasings)
                for row in CORPUS[split]
                if row["relation"] == name
            )
        )
        assert used == set(phrasings)
        head_first = [
            row["head_start"] < row["tail_start"]
            for row in CORPUS[split]
            if row["relation"] == name
        ]
        assert 0.2 < sum(head_first) / len(head_first) < 0.8


def test_an_entity_pair_occurs_in_few_sentences():
    assert max(Counter(map(entity_pair, rows())).values()) <= 5


def test_share_of_distractors():
    # A sentence without a distractor is one phrasing, from its first word to its last.
    plain = {
        build.sentence_case(*build.fill(phrasing, fact))
        for relation in RELATIONS.values()
        for fact in relation.facts
        for phrasings in relation.phrasings.values()
        for phrasing in phrasings
    }
    for split in build.SPLITS:
        share = sum(row["sentence"] not in plain for row in CORPUS[split]) / len(CORPUS[split])
        assert 0.3 < share < 0.4


def test_types():
    types = {row[f"{slot}_type"] for row in rows() for slot in ("head", "tail")}
    assert types == {
        "PERSON",
        "ORGANIZATION",
        "CITY",
        "STATE_OR_PROVINCE",
        "COUNTRY",
        "WORK_OF_ART",
    }
    relations = {}
    for row in rows():
        relations.setdefault((row["head_type"], row["tail_type"]), set()).add(row["relation"])
    assert len(relations["PERSON", "ORGANIZATION"]) >= 4
    for tail_type in ("CITY", "STATE_OR_PROVINCE", "COUNTRY", "PERSON", "WORK_OF_ART"):
        assert len(relations["PERSON", tail_type]) >= 3


@pytest.mark.parametrize("split", build.SPLITS)
def test_type_pairs_alone_do_not_determine_the_relation(split):
    # B-cubed by its definition: compare each instance with every other (Bagga and Baldwin, 1998).
    labels = [(row["relation"], (row["head_type"], row["tail_type"])) for row in CORPUS[split]]
    precision = recall = 0.0
    for gold, cluster in labels:
        both = sum(1 for other in labels if other == (gold, cluster))
        precision += both / sum(1 for other in labels if other[1] == cluster) / len(labels)
        recall += both / sum(1 for other in labels if other[0] == gold) / len(labels)
    assert 2 * precision * recall / (precision + recall) < 0.60


def test_siblings_share_their_trigger_words():
    def sentences(name):
        return " ".join(row["sentence"] for row in CORPUS["train"] if row["relation"] == name)

    for trigger in ("moved", "settled", "home", "lived", "resident"):
        for name in ("city_of_residence", "state_of_residence", "country_of_residence"):
            assert trigger in sentences(name), (trigger, name)
    for name in ("founded", "led"):
        assert re.search(r"\bruns?\b|\bran\b", sentences(name))


@pytest.mark.parametrize(
    ("template", "fact", "text", "head", "tail"),
    [
        (
            "{tail}'s founder was {head}",
            {"head": "Ada Roe", "tail": "Siemens"},
            "Siemens' founder was Ada Roe",
            (21, 28),
            (0, 7),
        ),
        (
            "{head} led {tail}",
            {"head": "Ada Roe", "tail": "the BBC"},
            "Ada Roe led the BBC",
            (0, 7),
            (16, 19),
        ),
        (
            "{head}'s home is {tail}",
            {"head": "Ada", "tail": "Ulm"},
            "Ada's home is Ulm",
            (0, 3),
            (14, 17),
        ),
    ],
)
def test_fill(template, fact, text, head, tail):
    assert build.fill(template, fact) == (text, {"head": head, "tail": tail})


def test_fill_writes_an_before_a_vowel():
    text, spans = build.fill(
        "{tail} is a {kind} by {head}", {"head": "Ada", "tail": "Song", "kind": "opera"}
    )
    assert text == "Song is an opera by Ada"
    assert text[slice(*spans["head"])] == "Ada"
