"""Fills the model card of a trained model, and the evaluation results that a hub shows beside it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, ModelCardData, eval_result_entries_to_yaml

from .markers import HEAD_END, HEAD_START, MARKER, TAIL_END, TAIL_START, marker

if TYPE_CHECKING:
    from .naming import DescribedCluster
    from .trainer import SiamURETrainer

TEMPLATE = Path(__file__).with_name("model_card.md")
EVAL_RESULTS_FILE = Path(".eval_results", "siamure.yaml")
SCORES = {"B3 F1": "b3_f1", "V F1": "v_measure_f1", "ARI": "ari"}
RECIPE = (
    *("learning_rate", "head_learning_rate", "num_train_epochs", "warmup_epochs", "per_device_train_batch_size"),
    *("optim", "lr_scheduler_type", "clustering_loss", "clustering_weight", "entropy_weight", "num_neighbors"),
    *("mutual_neighbors", "neighbors_per_anchor", "cluster_head_init", "partition", "max_length", "bf16", "seed"),
)
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#&~$])")


def read_template(path: Path = TEMPLATE) -> str:
    """The card template.

    Raises:
        ValueError: It has no front matter, without which a hub knows nothing of the model.
    """
    text = path.read_text(encoding="utf-8")
    if not re.match(r"---\n\{\{ *card_data *\}\}\n---\n", text):
        raise ValueError(
            f"{path.name} has no front matter: its first lines have to be ---, {{{{ card_data }}}} and ---"
        )
    return text


def results_table(results: dict[str, float], num_clusters: int) -> str:
    """The scores of each partition as a Markdown table, in percent; empty without gold relations."""
    rows = {f"one cluster per type pair ({results.get('type_pair_n_clusters')})": "type_pair_"}
    # Only a partition other than k-means has k-means beside it.
    partitions = {"consensus": "", "k-means": "kmeans_"} if "eval_kmeans_ari" in results else {"k-means": ""}
    for name, infix in partitions.items():
        rows[f"untrained encoder, {name} ({num_clusters})"] = f"untrained_{infix}"
    for name, infix in {**partitions, "cluster head": "head_"}.items():
        rows[f"trained, {name} ({num_clusters})"] = f"eval_{infix}"
    lines = [f"| clusters of | {' | '.join(SCORES)} |", "|---|" + "---:|" * len(SCORES)]
    for name, prefix in rows.items():
        scores = [results.get(prefix + key) for key in SCORES.values()]
        if None not in scores:
            lines.append(f"| {name} | {' | '.join(f'{100 * score:.1f}' for score in scores)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def cluster_table(clusters: Sequence["DescribedCluster"]) -> str:
    """The clusters as a Markdown table, the largest first; empty without clusters."""
    if not clusters:
        return ""
    lines = ["| cluster | sentences | examples (<b>head</b>, <i>tail</i>) |", "|---|---:|---|"]
    for cluster in sorted(clusters, key=lambda cluster: -cluster.size):
        examples = "<br>".join(_in_markdown(text) for text in cluster.examples)
        lines.append(f"| {_MARKDOWN.sub(_escaped, cluster.name)} | {cluster.size} | {examples} |")
    return "\n".join(lines)


def _in_markdown(text: str) -> str:
    """A marked sentence for one cell of a table: head bold, tail italic, all else literal.

    >>> _in_markdown("<e1:PER> Ada </e1:PER> | met <e2> B*b </e2>.")
    '<b>Ada</b> &#124; met <i>B&#42;b</i>.'
    """
    pieces, done = [], 0
    for match in MARKER.finditer(text):
        tag = f"<{match['close']}{'bi'[int(match['entity']) - 1]}>"
        piece = _MARKDOWN.sub(_escaped, text[done : match.start()])
        pieces += [piece.removesuffix(" ") if match["close"] else piece, tag]
        done = match.end() + (not match["close"] and text[match.end() :].startswith(" "))
    return " ".join("".join([*pieces, _MARKDOWN.sub(_escaped, text[done:])]).split())


def _escaped(match: re.Match) -> str:
    return f"&#{ord(match[0])};"


def write_model_card(
    trainer: "SiamURETrainer",
    model_name: str,
    results: dict[str, float],
    dataset: str | None = None,
    finetuned_from: str | None = None,
    is_trained: bool = True,
    **card_data,
) -> None:
    """Writes `README.md` and, where there are scores, `.eval_results/siamure.yaml` into the trainer's output folder.

    Args:
        trainer: After training.
        model_name: The title.
        results: The metrics: `eval_...` of the trained model, `untrained_...` and `type_pair_...` to compare with.
        dataset: What the model was trained on.
        finetuned_from: The encoder that training began with: a hub name, pip:PACKAGE/FOLDER or a folder.
        is_trained: Whether the trainer trained the model, or only found clusters with it.
        card_data: Further front matter, such as `license`, `language` and `tags`.

    Raises:
        ValueError: The template has no front matter.
    """
    config, args = trainer.model.config, trainer.args
    type_name = config.entity_types[0] if config.entity_types else None
    head, head_end, tail, tail_end = (marker(role, type_name) for role in (HEAD_START, HEAD_END, TAIL_START, TAIL_END))
    encoder = finetuned_from or ""
    on_hub = bool(encoder) and not os.path.exists(encoder) and ":" not in encoder
    settings = [("encoder", Path(encoder).name if os.path.exists(encoder) else encoder)] if encoder else []
    settings += [("encoder layers", config.encoder_config.num_hidden_layers), ("pooling", config.pooling)]
    settings += [("mention layer", config.mention_layer or "the last")]
    settings += [(name, getattr(args, name)) for name in RECIPE] if is_trained else [("training", "none on these data")]
    scores = {name: round(results[f"eval_{key}"], 4) for name, key in SCORES.items() if f"eval_{key}" in results}
    data_name = dataset or "your rows"
    card = ModelCard.from_template(
        ModelCardData(
            library_name="transformers",
            base_model=encoder if on_hub else None,
            model_name=model_name,
            eval_results=[
                EvalResult(
                    task_type="relation-extraction",
                    task_name="Unsupervised relation extraction",
                    dataset_type=data_name,
                    dataset_name=data_name,
                    metric_type=SCORES[name],
                    metric_name=name,
                    metric_value=score,
                )
                for name, score in scores.items()
            ]
            or None,
            **{**card_data, "tags": sorted({"relation-extraction", "siamure", *(card_data.get("tags") or [])})},
        ),
        template_str=read_template(),
        model_name=model_name,
        model_id=trainer.hub_model_id or model_name,
        num_clusters=config.num_labels,
        example=f"{head} Ada Roe {head_end} knows {tail} Bo Lund {tail_end} .",
        entity_types=", ".join(f"`{name}`" for name in config.entity_types),
        results=results_table(results, config.num_labels) or "The data had no gold relations, so nothing was scored.",
        clusters=cluster_table(trainer.clusters),
        data=f"Data: {data_name}, {len(trainer.train_dataset)} sentences to {'train on' if is_trained else 'cluster'}, "
        "whose relations (if it has any) were not read.",
        recipe="\n".join(["| setting | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in settings)]),
    )
    output = Path(args.output_dir)
    _write(output / "README.md", str(card))
    if scores:
        entries = [
            EvalResultEntry(
                dataset_id=data_name, task_id=SCORES[name], value=score, notes=f"{name}, partition: {args.partition}"
            )
            for name, score in scores.items()
        ]
        (output / EVAL_RESULTS_FILE).parent.mkdir(exist_ok=True)
        _write(output / EVAL_RESULTS_FILE, yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False))


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
