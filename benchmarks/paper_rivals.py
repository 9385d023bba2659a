"""What the paper's method is compared with: instance contrast, and a prompt of PromptORE's kind."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerBase

from modeling_siamure import SiamURETrainer

TEMPERATURE = 0.05  # of SimCSE (Gao et al. 2021)


def info_nce_loss(views: torch.Tensor, temperature: float = TEMPERATURE) -> torch.Tensor:
    """InfoNCE as SimCSE has it: each row has to find its second view among the second views of its batch.

    Args:
        views: Embeddings of both views, `(2, batch_size, size)`.
        temperature: Divides the cosines.

    >>> info_nce_loss(torch.eye(2).repeat(2, 1, 1), temperature=1.0)  # log(1 + exp(0 - 1))
    tensor(0.3133)
    """
    first, second = F.normalize(views.float(), dim=-1)
    return F.cross_entropy(first @ second.T / temperature, torch.arange(len(first), device=first.device))


class InstanceContrastiveTrainer(SiamURETrainer):
    """Trains the encoder by InfoNCE on h alone: other rows of the batch are pushed away, whatever their relation.

    For one process and without gradient accumulation.
    """

    @classmethod
    def like(cls, trainer: SiamURETrainer) -> "InstanceContrastiveTrainer":
        """A trainer of the same model, rows and arguments."""
        return cls(
            trainer.model,
            trainer.args,
            trainer.train_dataset,
            trainer.eval_dataset,
            processing_class=trainer.processing_class,
            compute_metrics=trainer.compute_metrics,
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        loss = info_nce_loss(outputs.relation_embedding.unflatten(0, (2, -1)))
        self.loss_parts.setdefault("loss_info_nce", []).append(loss.detach())
        return (loss, outputs) if return_outputs else loss


def lacks_masked_words(encoder: str) -> str | None:
    """Why an encoder can't answer a prompt, `None` if it can: its checkpoint has to hold a masked-word head.

    Args:
        encoder: Hub name or folder.
    """
    architectures = AutoConfig.from_pretrained(encoder).architectures or []
    if not any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in architectures):
        return f"its checkpoint ({', '.join(architectures) or 'no architecture named'}) has no masked-word head"
    if AutoTokenizer.from_pretrained(encoder).mask_token is None:
        return "its tokenizer has no mask token"
    _, loading = AutoModelForMaskedLM.from_pretrained(encoder, output_loading_info=True)
    if missing := sorted(loading["missing_keys"]):
        return f"its checkpoint lacks weights of the masked-word head, such as {missing[0]}"
    return None


def prompt_ids(tokenizer: PreTrainedTokenizerBase, row: Mapping[str, str], max_length: int) -> list[int]:
    """Token ids of `sentence head [MASK] tail` (Genest et al. 2022); what is cut is the sentence's end.

    Args:
        tokenizer: Of an encoder with a mask token.
        row: Has `sentence`, `head` and `tail`.
        max_length: The largest number of tokens. A mention keeps a quarter of them at most.
    """
    mask = tokenizer.mask_token
    texts = [row["sentence"], f" {row['head']} {mask} {row['tail']}"]  # byte-level tokenizers see the blank
    sentence, template = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    at = template.index(tokenizer.mask_token_id)
    template = template[max(0, at - max_length // 4) : at + 1 + max_length // 4]
    framed = tokenizer(mask)
    inside = [place for place, sequence in enumerate(framed.sequence_ids()) if sequence is not None]
    before, after = framed["input_ids"][: inside[0]], framed["input_ids"][inside[-1] + 1 :]
    room = max_length - len(before) - len(template) - len(after)
    return [*before, *sentence[:room], *template, *after]


@torch.inference_mode()
def prompt_embeddings(
    encoder: str, rows: Dataset, max_length: int, batch_size: int = 64, device: str | torch.device = "cpu"
) -> np.ndarray:
    """The last hidden state at the mask of each row's prompt, without training: `(rows, hidden_size)`.

    Args:
        encoder: Hub name or folder of a checkpoint for which `lacks_masked_words` has nothing to say.
        rows: Of the schema of `data_scripts`.
        max_length: The largest number of tokens a prompt.
        batch_size: Prompts a step; those of similar length share one.
        device: Where to compute.
    """
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModelForMaskedLM.from_pretrained(encoder).base_model.eval().to(device)
    prompts = [prompt_ids(tokenizer, row, max_length) for row in rows.select_columns(["sentence", "head", "tail"])]
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    embeddings = np.empty((len(prompts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), batch_size):
        share = order[start : start + batch_size]
        batch = tokenizer.pad({"input_ids": [prompts[row] for row in share]}, return_tensors="pt").to(device)
        states = model(**batch).last_hidden_state
        # The template's mask is the last one: a sentence may hold a mask as text.
        is_mask = batch["input_ids"] == tokenizer.mask_token_id
        last = is_mask.shape[1] - 1 - is_mask.flip(1).int().argmax(dim=1)
        embeddings[share] = states[torch.arange(len(share), device=device), last].float().cpu().numpy()
    return embeddings
