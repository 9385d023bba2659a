"""The one check of arguments: the same line for a recipe, for Python and for a command."""

import dataclasses
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from modeling_siamure import Recipe, RelationDiscovery, SiamURETrainingArguments
from modeling_siamure.recipe import DataArguments, ModelArguments
from modeling_siamure.utils.contract import argument_hints, check_values, nearest_name


class Color(Enum):
    RED = "red"
    BLUE = "blue"


GOOD = [
    (3, int),
    (np.int64(3), int),
    (3, float),
    (np.float32(0.5), float),
    (None, int | None),
    (True, bool),
    (np.True_, bool),
    ("red", Color | str),
    (Color.RED, Color | str),
    ("auto", int | Literal["auto"]),
    (Path("folder"), str),
    (["a", "b"], list[str]),
    ({"a": 1}, dict | str | None),
]
BAD = [
    (True, int, "x=True: it must be a whole number"),
    (2.0, int, "x=2.0: it must be a whole number"),
    ("3", int, "x='3': it must be a whole number"),
    ("1e-4", float, "x='1e-4': it must be a number"),
    ("false", bool, "x='false': it must be true or false"),
    (1, bool, "x=1: it must be true or false"),
    (3, str, "x=3: it must be text"),
    (None, int, "x=None: it must be a whole number"),
    ("rad", Color | str, r"x='rad': it must be one of red, blue; did you mean red\?"),
    (False, Color | str, "x=False: it must be one of red, blue$"),
    ("many", int | Literal["auto"], "x='many': it must be a whole number, or 'auto'"),
    ("a", list[str], "x='a': it must be a list"),
    ([1], list[str], r"x=\[1\]: it must be a list"),
    ("y" * 1000, int, r"x='y{50,60}\.\.\.: it must be"),
]


@pytest.mark.parametrize(("value", "hint"), GOOD)
def test_values_that_fit(value, hint):
    check_values({"x": value}, {"x": hint})


@pytest.mark.parametrize(("value", "hint", "said"), BAD)
def test_values_that_do_not_fit(value, hint, said):
    with pytest.raises(ValueError, match=said) as caught:
        check_values({"x": value}, {"x": hint})
    assert "\n" not in str(caught.value)


def test_the_nearest_name():
    known = ["clustering_method", "clustering_loss"]
    assert nearest_name("clustering_metod", known) == "; did you mean clustering_method?"
    assert nearest_name("unlike", known) == ""
    with pytest.raises(ValueError, match="'clustering_metod' is no argument; did you mean"):
        check_values({"clustering_metod": 1}, dict.fromkeys(known, str))


LIMITS = [
    ("per_device_train_batch_size", 0, "1 or more"),
    ("per_device_eval_batch_size", -1, "1 or more"),
    ("gradient_accumulation_steps", 0, "1 or more"),
    ("max_length", 0, "1 or more"),
    ("clustering_components", 0, "1 or more"),
    ("num_train_epochs", -1.0, "0 or more"),
    ("learning_rate", float("nan"), "0 or more"),
    ("learning_rate", float("inf"), "0 or more"),
    ("entropy_weight", -0.5, "0 or more"),
    ("adam_beta1", 1.5, "between 0 and 1"),
    ("seed", -1, "between 0 and 4294967295"),
    ("data_seed", 2**32, "between 0 and 4294967295"),
    ("num_clusters", 0, "1 or more"),
    ("num_clusters", 10**10, "100000 or less"),
    ("dropout", 2.0, "between 0 and 1"),
    ("mention_depth", 0.0, "above 0 and not above 1"),
    ("type_weight", -1.0, "0 or more"),
    ("validation_fraction", 1.0, "above 0 and below 1"),
    ("max_train_samples", 0, "1 or more"),
]
OWNERS = {
    name: part
    for part in (ModelArguments, DataArguments, SiamURETrainingArguments)
    for name in argument_hints(part)
}


@pytest.mark.parametrize(("name", "value", "words"), LIMITS)
def test_a_limit_is_the_same_in_python_and_in_a_recipe(tmp_path, name, value, words):
    required = {"model_name_or_path": "x"} if OWNERS[name] is ModelArguments else {}
    said = f"{name}={value}: it must be {words}"
    with pytest.raises(ValueError, match=said):
        OWNERS[name](**required, **{name: value})
    with pytest.raises(ValueError, match=said):
        Recipe({name: value})
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{name}: {str(value).replace('nan', '.nan').replace('inf', '.inf')}\n")
    with pytest.raises(ValueError, match=said) as caught:
        Recipe.from_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")


CHOICES = [
    ("on_overflow", "drop", "raise, skip"),
    ("clustering_loss", "semantics", r"semantic, neighbor_cosine, none; did you mean semantic\?"),
    ("clustering_method", "kmean", r"kmeans, consensus; did you mean kmeans\?"),
    ("cluster_head_init", "wrad", r"ward, clustering, random; did you mean ward\?"),
    ("neighbor_search", "fais", r"auto, exact, faiss; did you mean faiss\?"),
    ("neighbor_reduction", "max", "mean, sum"),
    ("hub_strategy", "ends", "end, every_save, checkpoint, all_checkpoints"),
    ("save_strategy", "epochs", "no, steps, epoch, best"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), CHOICES)
def test_a_choice_in_python_and_in_a_recipe(tmp_path, name, value, allowed):
    with pytest.raises(ValueError, match=f"{name}='{value}': it must be one of {allowed}"):
        SiamURETrainingArguments(**{name: value})
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{name}: {value}\n")
    with pytest.raises(ValueError, match=rf"--{name}.*invalid choice: '{value}'") as caught:
        Recipe.from_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("value", ["false", "no", 1, None])
def test_a_flag_in_python_is_no_word(value):
    with pytest.raises(ValueError, match=r"mutual_neighbors=.*: it must be true or false"):
        SiamURETrainingArguments(mutual_neighbors=value)


def test_a_name_in_python():
    said = r"SiamURETrainingArguments has no argument 'num_neighbor'; did you mean num_neighbors\?"
    with pytest.raises(TypeError, match=said):
        SiamURETrainingArguments(num_neighbor=3)
    said = r"RelationDiscovery has no argument 'num_cluster'; did you mean num_clusters\?"
    with pytest.raises(TypeError, match=said):
        RelationDiscovery(num_cluster=3)


def test_arguments_can_be_copied(tmp_path):
    args = SiamURETrainingArguments(str(tmp_path), optim="sgd", lr_scheduler_kwargs={"a": 1})
    copy = dataclasses.replace(args, seed=7)
    assert (copy.seed, copy.optim, copy.num_neighbors) == (7, args.optim, args.num_neighbors)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"finetune": "no"}, "finetune='no': it must be true or false"),
        ({"seed": -1}, "seed=-1: it must be between 0 and 4294967295"),
        ({"seed": "x"}, "seed='x': it must be a whole number"),
        ({"num_clusters": 2.5}, "num_clusters=2.5: it must be a whole number, or 'auto'"),
        ({"num_clusters": True}, "num_clusters=True: it must be a whole number, or 'auto'"),
        ({"num_clusters": 0}, "num_clusters=0: it must be 1 or more, or 'auto'"),
        ({"reject_outliers": "yes"}, "reject_outliers='yes': it must be true or false"),
    ],
)
def test_a_discovery_checks_before_it_reads(options, said):
    with pytest.raises(ValueError, match=said):
        RelationDiscovery(**options).fit([])
