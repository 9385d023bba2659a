"""Tiny models, trainers around them, and sentences for them."""

import torch
from transformers import AutoTokenizer, set_seed

from modeling_siamure import SiamUREModel, SiamURETrainer, SiamURETrainingArguments

TEXT = "<e1:PERSON> ada bo </e1:PERSON> who later left <e2:FIRM> acme </e2:FIRM> in may"
SPANS = {
    "text": "ada bo who later left acme in may",
    "head": {"start": 0, "end": 6, "type": "PERSON"},
    "tail": {"start": 22, "end": 26, "type": "FIRM"},
}
TEXTS = [
    "<e1:PERSON> ada bo </e1:PERSON> who later left <e2:FIRM> acme </e2:FIRM> in may",
    "in <e2> bolt </e2> later <e1:PERSON> cy </e1:PERSON>",
    "<e1:PERSON> ada </e1:PERSON><e2:FIRM> acme </e2:FIRM>",
    "<e1:PERSON> ada <e2:FIRM> acme </e2:FIRM> who </e1:PERSON> left",
    "<e1> ada <e2> who </e1> left </e2> in",
]


def make_model(encoder: str) -> tuple[SiamUREModel, AutoTokenizer]:
    """A model with clusters in it, as after a training."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = SiamUREModel.from_encoder(
        encoder, tokenizer, ["PERSON", "FIRM"], pooling="mention_context", num_labels=3
    )
    centroids = torch.nn.functional.normalize(torch.randn(3, 96), dim=-1) / 2
    names = ["PERSON→FIRM · left, quit", "PERSON→FIRM · founded", "FIRM→FIRM · sued"]
    model.set_clusters(centroids, [3, 2, 1], names)
    return model.eval(), tokenizer


def make_trainer(
    encoder, rows, output_dir, compute_metrics=None, dropout=0.1, **options
) -> SiamURETrainer:
    """A trainer that trains for two short epochs, one of each phase."""
    defaults = {
        "per_device_train_batch_size": 16,
        "num_train_epochs": 2,
        "warmup_epochs": 1,
        "num_neighbors": 5,
        "learning_rate": 1e-3,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "use_cpu": True,
        "kmeans_restarts": 2,
        "bf16": False,
    }
    args = SiamURETrainingArguments(str(output_dir), **(defaults | options))
    set_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = SiamUREModel.from_encoder(
        encoder, tokenizer, ["PERSON", "FIRM"], num_labels=3, dropout=dropout
    )
    return SiamURETrainer(
        model,
        args,
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=tokenizer,
        compute_metrics=compute_metrics,
    )


def weights(trainer) -> dict[str, torch.Tensor]:
    """A copy of the weights of a trainer's model."""
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def changed(before, after) -> set[str]:
    """The parts of the model that differ."""
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def unchanged(before, after) -> set[str]:
    """The names of the weights that are equal."""
    return {name for name in before if torch.equal(before[name], after[name])}
