"""The prompt slot, hidden markers and types as a part of h, against slow ways by hand."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertTokenizer, pipeline

from modeling_siamure import (
    SiamUREConfig,
    SiamUREModel,
    SiamURETrainer,
    SiamURETrainingArguments,
    embed,
)
from modeling_siamure.export import export_program
from modeling_siamure.markers import append_prompt

TEXTS = [
    "<e1:PERSON> ada </e1:PERSON> founded <e2:FIRM> acme </e2:FIRM> in may",
    "who <e2> bolt core </e2> later <e1:PERSON> bo </e1:PERSON>",
    "<e1:PERSON> cy <e2:FIRM> edge </e2:FIRM> later </e1:PERSON> in may who later in may",
]
POOLING = "mention+prompt+context"


def make_model(encoder, tokenizer, **options) -> SiamUREModel:
    torch.manual_seed(0)
    options = {"pooling": POOLING, "mention_layer": 2, **options}
    return SiamUREModel.from_encoder(encoder, tokenizer, ["PERSON", "FIRM"], **options).eval()


def by_hand(ids: list[int], mentions: list[list[int]], limit: int) -> tuple[list[int], int]:
    """Return a row with its prompt, and where the mask stands, as anyone would write it."""
    head, tail = ([ids[i] for i in mention][:limit] for mention in mentions)
    return [*ids, *head, 98, *tail, 99], len(ids) + len(head)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 4))
def test_the_prompt_repeats_both_mentions_behind_each_row(data, limit):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    length = max(lengths) + data.draw(st.integers(0, 3))
    ids = torch.zeros(len(lengths), length, dtype=torch.long)
    attention = torch.zeros_like(ids)
    mentions = torch.zeros(len(lengths), 2, length, dtype=torch.bool)
    expected = []
    for row, count in enumerate(lengths):
        ids[row, :count] = torch.arange(1, count + 1)
        attention[row, :count] = 1
        places = [data.draw(st.sets(st.integers(0, count - 1))) for _ in range(2)]
        for role, inside in enumerate(places):
            mentions[row, role, list(inside)] = True
        expected.append(by_hand(list(range(1, count + 1)), [sorted(p) for p in places], limit))
    longer, mask, mask_at = append_prompt(ids, attention, mentions, 98, 99, limit)
    assert longer.shape[1] == max(len(row) for row, _ in expected)
    for row, (tokens, place) in enumerate(expected):
        assert longer[row, : len(tokens)].tolist() == tokens
        assert mask[row].tolist() == [1] * len(tokens) + [0] * (longer.shape[1] - len(tokens))
        assert mask_at[row] == place


@pytest.mark.parametrize("hides_markers", [False, True])
def test_h_by_hand(encoder, tokenizer, hides_markers):
    """One sentence at a time, with the prompt written out and the parts cut from the states."""
    model = make_model(encoder, tokenizer, hides_markers=hides_markers, type_weight=0.5)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    h = model(**batch).relation_embedding
    assert h.shape == (3, 4 * 32 + 6)
    for row, text in enumerate(TEXTS):
        ids = tokenizer(text)["input_ids"]
        tokens = tokenizer.convert_ids_to_tokens(ids)
        is_marker = [token.startswith(("<e", "</e")) for token in tokens]
        starts = {t[2]: i for i, t in enumerate(tokens) if t.startswith("<e")}
        ends = {t[3]: i for i, t in enumerate(tokens) if t.startswith("</e")}
        spans = [(starts["1"], ends["1"]), (starts["2"], ends["2"])]
        spans.append((min(ends.values()), max(starts.values())))
        inside = [[i for i in range(a + 1, b) if not is_marker[i]] for a, b in spans]
        head, tail = ([ids[i] for i in places] for places in inside[:2])
        whole = [*ids, *head, tokenizer.mask_token_id, *tail, tokenizer.sep_token_id]
        attention = [
            0 if hides_markers and i < len(ids) and is_marker[i] else 1 for i in range(len(whole))
        ]
        states = model.encoder(
            input_ids=torch.tensor([whole]),
            attention_mask=torch.tensor([attention]),
            output_hidden_states=True,
        ).hidden_states

        def mean(layer, places, states=states):
            return states[layer][0, places].mean(0) if places else torch.zeros(32)

        parts = [mean(2, inside[0]), mean(2, inside[1]), states[2][0, len(ids) + len(head)]]
        types = {None: 0, "PERSON": 1, "FIRM": 2}
        kinds = [types[tokens[i][4:-1] or None] for i in (starts["1"], starts["2"])]
        one_hot = torch.zeros(6)
        one_hot[[kinds[0], 3 + kinds[1]]] = 0.5 / 2**0.5
        expected = torch.cat(
            [
                *(F.normalize(part, dim=0) for part in parts),
                one_hot,
                F.normalize(mean(3, inside[2]), dim=0),
            ]
        )
        torch.testing.assert_close(h[row], expected, atol=1e-5, rtol=1e-5)


def test_three_lines_and_every_other_way_give_the_same_h(encoder, tokenizer):
    model = make_model(encoder, tokenizer, type_weight=0.5, hides_markers=True)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    expected = model(**batch).relation_embedding
    assert "token_type_ids" in batch  # which the model lengthens
    alone = [model(**tokenizer(text, return_tensors="pt")).relation_embedding for text in TEXTS]
    torch.testing.assert_close(torch.cat(alone), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.from_numpy(embed(model, tokenizer, TEXTS)), expected)
    compiled = torch.compile(model, fullgraph=True)(**batch).relation_embedding
    torch.testing.assert_close(compiled, expected, atol=1e-5, rtol=1e-5)
    program = export_program(model).module()
    exported = program(batch["input_ids"], batch["attention_mask"])
    torch.testing.assert_close(exported, expected, atol=1e-5, rtol=1e-5)


def test_saved_and_asked(encoder, tokenizer, tmp_path):
    model = make_model(encoder, tokenizer, type_weight=0.5)
    h = model(**tokenizer(TEXTS, padding=True, return_tensors="pt")).relation_embedding
    model.set_clusters(F.normalize(h, dim=-1).detach(), [1, 1, 1], ["a", "b", "c"])
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ask = pipeline("relation-discovery", model=str(tmp_path), device="cpu")
    assert [answer["label"] for answer in ask(TEXTS)] == ["a", "b", "c"]


def test_hidden_markers_are_not_read(encoder, tokenizer):
    """Whatever their embeddings are: only where they stand matters."""
    model = make_model(encoder, tokenizer, hides_markers=True)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    before = model(**batch).relation_embedding
    first = model.config.first_marker_id
    with torch.no_grad():
        model.get_input_embeddings().weight[first : first + model.config.num_markers] += 1
    torch.testing.assert_close(model(**batch).relation_embedding, before)


def test_a_long_sentence_loses_context_and_never_the_prompt(encoder, tokenizer):
    model = make_model(encoder, tokenizer, max_prompt_tokens=4)
    limit = model.config.max_sentence_length
    assert limit == model.config.encoder_config.max_position_embeddings - 10
    long = TEXTS[0] + 2 * limit * " later"
    mention = 30 * " ada"
    texts = [long, TEXTS[0].replace(" ada", mention)]
    tokenizer.model_max_length = 10_000
    assert embed(model, tokenizer, texts).shape == (2, model.config.relation_embedding_size)


def test_a_training_leaves_room_for_the_prompt(encoder, tokenizer, rows, tmp_path):
    model = make_model(encoder, tokenizer)
    args = SiamURETrainingArguments(
        str(tmp_path), max_length=512, use_cpu=True, bf16=False, num_neighbors=5, disable_tqdm=True
    )
    long = rows.map(lambda text: {"text": text + 600 * " later"}, input_columns="text")
    trainer = SiamURETrainer(model, args, long, processing_class=tokenizer)
    assert set(trainer.train_dataset["length"]) == {512 - model.config.prompt_size}
    assert trainer.embed(trainer.train_dataset).relation.shape[0] == len(rows)


def test_a_sentence_that_contains_the_mask_token(encoder, tokenizer):
    """The mask that is read is the prompt's, wherever else one stands."""
    model = make_model(encoder, tokenizer)
    text = f"{tokenizer.mask_token} {TEXTS[0]} {tokenizer.mask_token}"
    h = model(**tokenizer([text, TEXTS[0]], padding=True, return_tensors="pt")).relation_embedding
    assert torch.isfinite(h).all() and not torch.allclose(h[0], h[1])


def test_an_encoder_without_a_mask_token(encoder, tokenizer):
    words = {word: number for word, number in tokenizer.get_vocab().items()}
    bare = BertTokenizer(words)
    bare.mask_token = None
    with pytest.raises(ValueError, match=r"no mask token.*pooling=mention\+context"):
        SiamUREModel.from_encoder(encoder, bare, pooling=POOLING)
    model = SiamUREModel.from_encoder(encoder, bare, pooling="mention+context")
    assert model.config.parts == ("mention", "context")


@pytest.mark.parametrize(
    ("pooling", "said"),
    [
        ("mention+verb", "join some of marker, mention, prompt, context"),
        ("mention+mention", "join some of"),
        ("prompt+context", "needs the marker or the mention part"),
        ("mention+prompt", "needs mask_token_id and sep_token_id"),
    ],
)
def test_poolings_that_are_none(pooling, said):
    with pytest.raises(ValueError, match=said):
        SiamUREConfig(pooling=pooling)


def test_old_names_of_poolings():
    assert SiamUREConfig(pooling="marker_context").parts == ("marker", "context")
    assert SiamUREConfig(pooling="mention_context").relation_embedding_size == 3 * 768
