"""Recipes as words of a command line."""

import pytest
from transformers import HfArgumentParser

from modeling_siamure import SiamURETrainingArguments
from modeling_siamure.recipe import recipe_words
from train import DataArguments

PARSER = HfArgumentParser((DataArguments, SiamURETrainingArguments))


def test_values_and_mappings(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "learning_rate: 1.0e-3\nbf16: false\ndata_dir:\nlr_scheduler_kwargs: {num_cycles: 2}\n"
        "reader_options:\n  labels: single\n  columns: {sentence: the body, head: a=b}\n"
    )
    words = recipe_words(path, PARSER)
    assert words == [
        *("--learning_rate", "0.001", "--bf16", "False", "--lr_scheduler_kwargs", '{"num_cycles": 2}'),
        *("--reader_options", "labels=single", "columns.sentence=the body", "columns.head=a=b"),
    ]
    data, args = PARSER.parse_args_into_dataclasses([*words, "--output_dir", str(tmp_path)])
    assert args.lr_scheduler_kwargs == {"num_cycles": 2} and args.bf16 is False
    assert data.reader_options == words[-3:] and data.data_dir is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"learning_rat: 1", "'learning_rat' is no recipe key"),
        (b"- learning_rate", "holds no keys"),
        (b"", "holds no keys"),
        (b"a: [", "can't be read as a recipe"),
        (b"a: \xff", "can't be read as a recipe"),
    ],
)
def test_a_mistake_names_the_file(tmp_path, content, said):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        recipe_words(path, PARSER)
    assert str(path) in str(caught.value)
