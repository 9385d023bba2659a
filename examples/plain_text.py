"""Write the pairs of entities that a spaCy pipeline finds in one sentence, as JSON lines.

    pip install ".[spacy]" && python -m spacy download en_core_web_sm
    python examples/plain_text.py notes.txt pairs.jsonl --model en_core_web_sm
    accelerate launch train.py recipes/default.yaml --train_file pairs.jsonl

The pipeline is yours: any that sets `doc.ents`. Text does not say which entity is the head; it is
the one that comes first.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.tokens import Doc


def entity_pairs(doc: Doc, max_tokens: int = 30) -> Iterator[dict[str, object]]:
    """Yield the pairs of entities that share a sentence, as rows for `load_relation_dataset`.

    Args:
        doc: A document with entities and sentence boundaries.
        max_tokens: Largest number of tokens from the start of the first to the end of the second;
            pairs that lie farther apart say little.
    """
    for sentence in doc.sents:
        for head, tail in itertools.combinations(sentence.ents, 2):
            if tail.end - head.start <= max_tokens:
                yield {
                    "sentence": sentence.text,
                    "head": head.text,
                    "head_type": head.label_,
                    "head_start": head.start_char - sentence.start_char,
                    "head_end": head.end_char - sentence.start_char,
                    "tail": tail.text,
                    "tail_type": tail.label_,
                    "tail_start": tail.start_char - sentence.start_char,
                    "tail_end": tail.end_char - sentence.start_char,
                }


def main() -> None:
    """Write the pairs; a mistake on the line is one line and exit status 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, help="UTF-8, one paragraph per line")
    parser.add_argument("output", type=Path, help="JSON lines")
    parser.add_argument(
        "--model", required=True, help="name or folder of a spaCy pipeline that finds entities"
    )
    args = parser.parse_args()
    unfinished = args.output.with_name(args.output.name + ".incomplete")
    try:
        nlp = spacy.load(args.model)
        if not any(nlp.has_pipe(name) for name in ("parser", "senter", "sentencizer")):
            nlp.add_pipe("sentencizer", first=True)
        paragraphs = [
            line.strip()
            for line in args.text.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        count = 0
        with unfinished.open("w", encoding="utf-8") as file:
            for doc in nlp.pipe(paragraphs):
                for row in entity_pairs(doc):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    count += 1
        unfinished.replace(args.output)
    except (OSError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"{args.output}: {count} pairs from {len(paragraphs)} paragraphs")


if __name__ == "__main__":
    main()
