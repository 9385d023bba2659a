"""Recipes: checked values, one line for each mistake, old names, and what is built from them."""

import warnings
from pathlib import Path

import pytest
import yaml

from modeling_siamure import Recipe
from modeling_siamure.recipe import DEFAULT_RECIPE, parse_arguments
from tests.helpers.commands import REPOSITORY
from tests.helpers.models import TEXTS

RECIPES = sorted((REPOSITORY / "recipes").glob("*.yaml"))


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "recipe.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refuse(message: str):
    raise AssertionError(message)


def test_values_and_mappings(tmp_path):
    path = write(
        tmp_path,
        "model_name_or_path: encoder\nlearning_rate: 1.0e-3\nbf16: false\ndata_dir:\n"
        "lr_scheduler_kwargs: {num_cycles: 2}\n"
        "reader_options:\n  labels: single\n  columns: {sentence: the body, head: a=b}\n",
    )
    options = ["labels=single", "columns.sentence=the body", "columns.head=a=b"]
    recipe = Recipe.from_yaml(path)
    assert recipe.values == {
        "model_name_or_path": "encoder",
        "learning_rate": 0.001,
        "bf16": False,
        "lr_scheduler_kwargs": '{"num_cycles": 2}',
        "reader_options": options,
    }
    _, data, args = parse_arguments([str(path), "--output_dir", str(tmp_path)], on_error=refuse)
    assert args.lr_scheduler_kwargs == {"num_cycles": 2} and args.bf16 is False
    assert args.learning_rate == 0.001
    assert data.reader_options == options and data.data_dir is None
    assert recipe.training_arguments(tmp_path).lr_scheduler_kwargs == {"num_cycles": 2}


def test_the_line_overrides_the_recipe(tmp_path):
    path = write(tmp_path, "model_name_or_path: encoder\nlearning_rate: 1.0e-3\nnum_clusters: 7\n")
    words = [str(path), "--output_dir", str(tmp_path), "--learning_rate", "0.5", "--pooling=auto"]
    model, _, args = parse_arguments(words, on_error=refuse)
    assert args.learning_rate == 0.5
    assert (model.model_name_or_path, model.num_clusters, model.pooling) == ("encoder", 7, "auto")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"learning_rat: 1", "'learning_rat' is no recipe key; did you mean learning_rate\\?"),
        (b"help: 1", "'help' is no recipe key"),
        (b"7: 1", "'?7'? is no recipe key"),
        (
            b"learning_rate: fast",
            "argument --learning_rate/--learning-rate: invalid float value: 'fast'",
        ),
        (b"pooling: most", "pooling='most': join some of marker, mention, prompt, context"),
        (b"num_clusters: {a: 1}", "argument --num_clusters/--num-clusters: invalid int value"),
        (b"num_clusters: 0", "num_clusters=0: it must be 1 or more"),
        (b"num_clusters: 4\nnum_clusters: 5", "it gives 'num_clusters' twice; keep one of them"),
        (b"lr_scheduler_kwargs: {a: 1, a: 2}", "it gives 'a' twice"),
        (
            b"model_name_or_path: [a, b]",
            r"model_name_or_path: it must be one value, not \['a', 'b'\]",
        ),
        (b"train_file: {a: b}", "train_file: it must be one value, not {'a': 'b'}"),
        (b"reader_options: [[a]]", "reader_options: it must be a list of plain values"),
        (b"reader_options: [a=b, --seed=3]", "reader_options: it must be a list of plain values"),
        (b"save_strategy: no", "save_strategy: YAML reads yes, no, on and off as true and false"),
        (b"hub_model_id: off", "hub_model_id: YAML reads .* write the value in quotes"),
        (b"trust_remote_code: true", "trust_remote_code is for you to give, on the command line"),
        (
            b"a: !!python/object/apply:os.getcwd []",
            "can't be read as a recipe: could not determine",
        ),
        (b"- learning_rate", "holds no keys"),
        (b"", "holds no keys"),
        (b"a: [", "can't be read as a recipe"),
        (b"a: \xff", "can't be read as a recipe"),
    ],
)
def test_a_mistake_names_the_file(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=said) as caught:
        Recipe.from_yaml(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_words_of_a_recipe_mean_what_they_mean_on_the_line(tmp_path):
    """A flag in quotes, a list of one word, and a choice in quotes."""
    path = write(
        tmp_path,
        "mutual_neighbors: 'false'\nbf16: 'no'\nreader_options: labels=single\n"
        "save_strategy: 'no'\nlearning_rate: 1e-4\n",
    )
    recipe = Recipe.from_yaml(path)
    assert recipe.values["mutual_neighbors"] is False and recipe.values["bf16"] is False
    assert recipe.values["reader_options"] == ["labels=single"]
    assert recipe.values["save_strategy"] == "no" and recipe.values["learning_rate"] == 1e-4


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.yaml can't be read as a recipe"):
        Recipe.from_yaml(tmp_path / "none.yaml")


def test_old_names_warn_and_count(tmp_path):
    old = "partition: consensus\nstart_share: 0.25\ncluster_head_init: partition\n"
    path = write(tmp_path, old)
    with pytest.warns(FutureWarning) as caught:
        recipe = Recipe.from_yaml(path)
    assert recipe.values == {
        "clustering_method": "consensus",
        "pretrained_weight_share": 0.25,
        "cluster_head_init": "clustering",
    }
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 3 and all(message.startswith(f"{path}: ") for message in messages)
    assert "'partition' is now called 'clustering_method'" in messages[0]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_says_what_is_built(path, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # none of ours has an old name
        recipe = Recipe.from_yaml(path)
    content = {key: value for key, value in yaml.safe_load(path.read_text()).items() if value}
    assert recipe.values.keys() >= content.keys()
    assert recipe.model_arguments.model_name_or_path == content["model_name_or_path"]
    args = recipe.training_arguments(tmp_path, learning_rate=0.5, use_cpu=True, bf16=False)
    assert (args.learning_rate, args.output_dir) == (0.5, str(tmp_path))
    assert args.num_train_epochs == content["num_train_epochs"]


def test_a_recipe_in_any_of_three_forms(tmp_path):
    path = write(tmp_path, "num_clusters: 4\n")
    recipe = Recipe.from_yaml(path)
    assert Recipe.of(recipe) is recipe
    assert Recipe.of(path) == Recipe.of(str(path)) == recipe
    assert Recipe.of(None) == Recipe.from_yaml() == Recipe.from_yaml(DEFAULT_RECIPE)
    with pytest.raises(ValueError, match="the recipe names no encoder; add model_name_or_path"):
        recipe.build_model(TEXTS)


def test_a_model_is_built_for_the_types_of_the_sentences(encoder, tmp_path):
    path = write(
        tmp_path,
        f"model_name_or_path: {encoder}\npooling: auto\npooling_layer: 2\ndropout: 0.25\n"
        "num_clusters: 4\nmax_length: 40\nprojection_size: 24\npredictor_size: 12\n",
    )
    model, tokenizer = Recipe.from_yaml(path).build_model(iter(TEXTS))
    assert model.config.entity_types == ["FIRM", "PERSON"] and model.config.num_labels == 4
    assert model.config.pooling == "marker_context" and tokenizer.model_max_length == 40
    assert model.config.encoder_config.num_hidden_layers == 2
    assert (model.config.projection_size, model.config.predictor_size) == (24, 12)
    assert model.config.encoder_config.hidden_dropout_prob == 0.25
    assert tokenizer.convert_tokens_to_ids("<e1:FIRM>") == model.config.first_marker_id + 4
    model, _ = Recipe.from_yaml(path).build_model(["<e1> ada </e1> left <e2> acme </e2>"])
    assert model.config.pooling == "mention_context" and model.config.entity_types == []


def test_paper_recipe_is_table_1():
    recipe = yaml.safe_load((REPOSITORY / "recipes" / "paper.yaml").read_text())
    table_1 = {
        "model_name_or_path": "google-bert/bert-base-cased",
        "pooling": "marker",
        "dropout": 0.1,
        "num_clusters": 10,
        "max_length": 128,
        "optim": "sgd",
        "optim_args": "momentum=0.9",
        "learning_rate": 1e-5,
        "weight_decay": 1e-4,
        "per_device_train_batch_size": 64,
        "warmup_epochs": 5,
        "num_neighbors": 20,
        "clustering_weight": 0.5,
    }
    assert table_1.items() <= recipe.items()
