"""Arguments of the training: bounds, help, and old names."""

import warnings

import pytest
from transformers import HfArgumentParser

from modeling_siamure import SiamURETrainingArguments


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_shares_are_checked(tmp_path, share):
    with pytest.raises(
        ValueError, match=f"pretrained_weight_share={share}: it must be between 0 and 1"
    ):
        SiamURETrainingArguments(str(tmp_path), pretrained_weight_share=share)


@pytest.mark.parametrize(
    "name", ["num_neighbors", "neighbors_per_anchor", "neighbor_refresh_epochs", "kmeans_restarts"]
)
def test_counts_are_checked(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name}=0: it must be 1 or more"):
        SiamURETrainingArguments(str(tmp_path), **{name: 0})


def test_warmup_is_checked(tmp_path):
    with pytest.raises(ValueError, match="warmup_epochs=-1: it must be 0 or more"):
        SiamURETrainingArguments(str(tmp_path), warmup_epochs=-1)


def test_arguments_have_help():
    parser = HfArgumentParser(SiamURETrainingArguments)
    added = set(SiamURETrainingArguments.__annotations__)
    assert all(action.help for action in parser._actions if action.dest in added)


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("partition", "clustering_method", "consensus"),
        ("start_share", "pretrained_weight_share", 0.25),
    ],
)
def test_an_old_argument_warns_and_counts(tmp_path, old, new, value):
    with pytest.warns(FutureWarning, match=f"'{old}' is now called '{new}'") as caught:
        args = SiamURETrainingArguments(str(tmp_path), **{old: value})
    assert getattr(args, new) == value and not hasattr(args, old)
    assert caught[0].filename == __file__  # the caller's line
    with pytest.raises(TypeError, match=f"{old} and {new} are the same argument; give {new} alone"):
        SiamURETrainingArguments(str(tmp_path), **{old: value, new: value})


def test_an_old_value_warns_and_counts(tmp_path):
    said = "'cluster_head_init: partition' is now called 'cluster_head_init: clustering'"
    with pytest.warns(FutureWarning, match=said):
        args = SiamURETrainingArguments(str(tmp_path), cluster_head_init="partition")
    assert args.cluster_head_init == "clustering"


def test_present_names_do_not_warn(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        SiamURETrainingArguments(
            str(tmp_path),
            clustering_method="consensus",
            pretrained_weight_share=0.5,
            cluster_head_init="clustering",
        )
