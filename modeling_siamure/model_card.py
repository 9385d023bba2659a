"""Fills the model card of a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCard, ModelCardData

from .markers import HEAD_END, HEAD_START, TAIL_END, TAIL_START, marker

if TYPE_CHECKING:
    from .trainer import SiamURETrainer

SCORES = {"B3 F1": "b3_f1", "V F1": "v_measure_f1", "ARI": "ari"}
RECIPE = (
    *("learning_rate", "head_learning_rate", "num_train_epochs", "warmup_epochs", "per_device_train_batch_size"),
    *("optim", "lr_scheduler_type", "clustering_loss", "clustering_weight", "entropy_weight", "num_neighbors"),
    *("neighbors_per_anchor", "max_length", "bf16", "seed"),
)


def results_table(results: dict[str, float], num_clusters: int) -> str:
    """The scores of each partition as a Markdown table, in percent; empty without gold relations."""
    rows = {
        f"one cluster per type pair ({results.get('type_pair_n_clusters')})": "type_pair_",
        f"untrained encoder, k-means ({num_clusters})": "untrained_",
        f"trained, k-means ({num_clusters})": "eval_",
        f"trained, cluster head ({num_clusters})": "eval_head_",
    }
    lines = [f"| clusters of | {' | '.join(SCORES)} |", "|---|" + "---:|" * len(SCORES)]
    for name, prefix in rows.items():
        scores = [results.get(prefix + key) for key in SCORES.values()]
        if None not in scores:
            lines.append(f"| {name} | {' | '.join(f'{100 * score:.1f}' for score in scores)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def write_model_card(
    path: Path, template: Path, trainer: "SiamURETrainer", results: dict[str, float], table: str
) -> None:
    """Writes the card of the trainer's model.

    Args:
        path: Where to write it: the `README.md` of the model folder.
        template: A card with front matter; Jinja fields name what is filled in.
        trainer: After training.
        results: Its metrics.
        table: The scores as a Markdown table; empty where there were no gold relations.
    """
    config, args = trainer.model.config, trainer.args
    type_name = config.entity_types[0] if config.entity_types else None
    head, head_end, tail, tail_end = (marker(role, type_name) for role in (HEAD_START, HEAD_END, TAIL_START, TAIL_END))
    settings = [("encoder layers", config.encoder_config.num_hidden_layers), ("pooling", config.pooling)]
    settings += [(name, getattr(args, name)) for name in RECIPE]
    card = ModelCard.from_template(
        ModelCardData(library_name="transformers", license="apache-2.0", tags=["relation-extraction", "siamure"]),
        template_path=str(template),
        model_name=Path(args.output_dir).name,
        num_clusters=config.num_labels,
        example=f"{head} Ada Roe {head_end} knows {tail} Bo Lund {tail_end} .",
        entity_types=", ".join(f"`{name}`" for name in config.entity_types),
        results=table or "The data had no gold relations, so nothing was scored.",
        recipe="\n".join(["| setting | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in settings)]),
    )
    path.write_text(str(card), encoding="utf-8")
