"""Implement what the paper's method is compared with: instance contrast and PromptORE's prompt."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedTokenizerBase,
)

from modeling_siamure import SiamURETrainer


def info_nce_loss(views: torch.Tensor, temperature: float = 0.05) -> torch.Tensor:
    """Compute InfoNCE: each example finds its second view among the second views of its batch.

    Args:
        views: Embeddings of both views, `(2, batch_size, size)`.
        temperature: Divides the cosines; SimCSE's by default (Gao et al. 2021).

    >>> info_nce_loss(torch.eye(2).repeat(2, 1, 1), temperature=1.0)  # log(1 + exp(0 - 1))
    tensor(0.3133)
    """
    first, second = F.normalize(views.float(), dim=-1)
    targets = torch.arange(len(first), device=first.device)
    return F.cross_entropy(first @ second.T / temperature, targets)


class InstanceContrastiveTrainer(SiamURETrainer):
    """Trains the encoder by InfoNCE on h alone, which pushes other examples of the batch away.

    For one process and without gradient accumulation.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Compute InfoNCE of a batch of two views."""
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        loss = info_nce_loss(outputs.relation_embedding.unflatten(0, (2, -1)))
        self.loss_parts.setdefault("loss_info_nce", []).append(loss.detach())
        return (loss, outputs) if return_outputs else loss


def lacks_masked_words(encoder: str) -> str | None:
    """Say why an encoder cannot answer a prompt, for which it needs a masked-word head.

    Args:
        encoder: Hub name or folder.

    Returns:
        The reason; `None` if it can answer.
    """
    architectures = AutoConfig.from_pretrained(encoder).architectures or []
    if not any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in architectures):
        named = ", ".join(architectures) or "no architecture named"
        return f"its checkpoint ({named}) has no masked-word head"
    if AutoTokenizer.from_pretrained(encoder).mask_token is None:
        return "its tokenizer has no mask token"
    _, loading = AutoModelForMaskedLM.from_pretrained(encoder, output_loading_info=True)
    if missing := sorted(loading["missing_keys"]):
        return f"its checkpoint lacks weights of the masked-word head, such as {missing[0]}"
    return None


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, example: Mapping[str, str], max_length: int
) -> list[int]:
    """Return the token ids of `sentence head [MASK] tail` (Genest et al. 2022).

    Args:
        tokenizer: Of an encoder with a mask token.
        example: Has `sentence`, `head` and `tail`.
        max_length: The largest number of tokens. The end of the sentence is cut; a mention keeps a
            quarter of the tokens at most.
    """
    mask = tokenizer.mask_token
    # Byte-level tokenizers see the space before the head.
    texts = [example["sentence"], f" {example['head']} {mask} {example['tail']}"]
    encoded = tokenizer(texts, add_special_tokens=False, verbose=False)
    sentence, template = encoded["input_ids"]
    at = template.index(tokenizer.mask_token_id)
    template = template[max(0, at - max_length // 4) : at + 1 + max_length // 4]
    framed = tokenizer(mask)
    inside = [place for place, sequence in enumerate(framed.sequence_ids()) if sequence is not None]
    before = framed["input_ids"][: inside[0]]
    after = framed["input_ids"][inside[-1] + 1 :]
    room = max_length - len(before) - len(template) - len(after)
    return [*before, *sentence[:room], *template, *after]


@torch.inference_mode()
def prompt_embeddings(
    encoder: str,
    examples: Dataset,
    max_length: int,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Return the last hidden state at the mask of each prompt, untrained.

    Args:
        encoder: Hub name or folder of a checkpoint for which `lacks_masked_words` returns `None`.
        examples: Of the schema of `data_scripts`.
        max_length: The largest number of tokens per prompt.
        batch_size: Prompts per step; those of similar length share one.
        device: Where to compute.

    Returns:
        Embeddings, `(examples, hidden_size)`.
    """
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModelForMaskedLM.from_pretrained(encoder).base_model.eval().to(device)
    columns = examples.select_columns(["sentence", "head", "tail"])
    prompts = [prompt_ids(tokenizer, example, max_length) for example in columns]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    embeddings = np.empty((len(prompts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), batch_size):
        share = order[start : start + batch_size]
        ids = {"input_ids": [prompts[index] for index in share]}
        batch = tokenizer.pad(ids, return_tensors="pt").to(device)
        states = model(**batch).last_hidden_state
        # The template's mask is the last one: a sentence may hold a mask as text.
        is_mask = batch["input_ids"] == tokenizer.mask_token_id
        last = is_mask.shape[1] - 1 - is_mask.flip(1).int().argmax(dim=1)
        chosen = states[torch.arange(len(share), device=device), last]
        embeddings[share] = chosen.float().cpu().numpy()
    return embeddings
