"""The configuration: names of its fields, and how many tokens an encoder has positions for."""

import pytest
import torch
from transformers import AutoConfig

from modeling_siamure import SiamUREConfig, SiamUREModel

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 34,
}


@pytest.mark.parametrize(
    ("model_type", "usable"),
    [
        ("bert", 34),
        ("electra", 34),
        ("distilbert", 34),
        ("albert", 34),
        ("roberta", 32),  # positions begin behind the padding token's, 1
        ("xlm-roberta", 32),
        ("mpnet", 32),
        ("camembert", 32),
        ("data2vec-text", 32),
        ("ibert", 32),
        ("roberta-prelayernorm", 32),
        ("xlm-roberta-xl", 32),
    ],
)
def test_the_longest_sentence_is_the_longest_that_runs(model_type, usable):
    config = SiamUREConfig(
        encoder_config=AutoConfig.for_model(model_type, **SIZES), first_marker_id=50
    )
    assert config.max_sentence_length == usable
    model = SiamUREModel(config).eval()
    marked = [3, 50, 5, 51, 6, 52, 7, 53]
    assert model(torch.tensor([marked + [8] * (usable - 8)])).relation_embedding.shape == (1, 32)
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.tensor([marked + [8] * (usable - 7)]))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("poolin", "pooling"), ("num_label", "num_labels"), ("entity_type", "entity_types")],
)
def test_a_slip_in_a_name_is_refused(name, meant):
    with pytest.raises(ValueError, match=rf"'{name}' is no field .* did you mean {meant}\?"):
        SiamUREConfig(**{name: "x"})


def test_fields_of_other_libraries_are_kept():
    others = {"tie_encoder_decoder": False, "pruned_heads": {}, "adapters": {"a": 1}}
    config = SiamUREConfig(num_labels=3, **others)
    assert config.num_labels == 3 and config.adapters == {"a": 1}
    assert SiamUREConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
