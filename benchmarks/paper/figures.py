"""Draw Figures 2 to 5 of the paper for any corpus. Needs matplotlib."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

# Okabe and Ito (2008): color-blind readers can tell them apart too.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
GRAY = "#999999"
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "siamure",
}


def new_figure(
    title: str, width: float, height: float, panels: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    figure.suptitle(title, fontsize=11)
    return figure, list(axes)


def save(figure: Figure, path: Path) -> None:
    """Write `path` with the endings .png and .svg, whole or not at all."""
    for ending, options in ((".png", {"dpi": 150}), (".svg", {"metadata": {"Date": None}})):
        partial = path.with_name(f"{path.name}.partial{ending}")
        figure.savefig(partial, **options)
        partial.replace(path.with_name(path.name + ending))


def to_label(text: str, length: int = 32) -> str:
    """Return text that starts no formula and is not too long for a label."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return cut.replace("$", r"\$")


@matplotlib.rc_context(STYLE)
def draw_distribution(
    path: Path,
    title: str,
    relations: Sequence[str],
    names: Mapping[str, str],
    named_bars: int = 40,
) -> None:
    """Draw Figure 2: examples per relation, the most frequent first.

    Args:
        path: Without an ending.
        title: Corpus, encoder and examples.
        relations: Gold relation of each example.
        names: What relations are called, where it is not their name in the corpus.
        named_bars: The largest number of relations whose names can be read.
    """
    counts = Counter(relations).most_common()
    is_named = len(counts) <= named_bars
    width = max(6.0, min(11.0, 2 + 0.28 * len(counts)))
    figure, (axes,) = new_figure(title, width, 5.5 if is_named else 4)
    ranks = range(1, len(counts) + 1)
    axes.bar(ranks, [count for _, count in counts], color=BLUE, width=0.8)
    if is_named:
        labels = [to_label(names.get(relation, relation)) for relation, _ in counts]
        axes.set_xticks(ranks, labels, rotation=90, fontsize=9)
    axes.set_xlabel("relation" if is_named else f"rank by frequency of {len(counts)} relations")
    axes.set_ylabel("rows")
    axes.set_xlim(0.3, len(counts) + 0.7)
    axes.yaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


@matplotlib.rc_context(STYLE)
def draw_neighbors(
    path: Path,
    title: str,
    accuracy: Mapping[int, Sequence[float]],
    b3_f1: Mapping[int, Sequence[float]],
) -> None:
    """Draw Figure 3: neighbor accuracy and B3 F1 by K, with the deviation over seeds.

    Args:
        path: Without an ending.
        title: Corpus, encoder, examples and seeds.
        accuracy: K to the accuracy of the last mining, one per seed; empty where the training
            examples lack gold labels.
        b3_f1: K to the score, one per seed.
    """
    figure, (axes,) = new_figure(title, 6.5, 4)
    lines = (
        ("B3 F1", b3_f1, BLUE, "o-"),
        ("neighbor accuracy, last mining", accuracy, VERMILION, "s--"),
    )
    for label, values, color, style in lines:
        if not values:
            continue
        percent = {count: [100 * value for value in seeds] for count, seeds in values.items()}
        deviations = [stdev(seeds) if len(seeds) > 1 else 0 for seeds in percent.values()]
        means = [mean(seeds) for seeds in percent.values()]
        axes.errorbar(
            list(percent), means, deviations, fmt=style, color=color, capsize=3, label=label
        )
    axes.set_xticks(list(b3_f1))
    axes.set(xlabel="K, neighbors mined for each instance", ylabel="percent")
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.legend(frameon=False)
    save(figure, path)


@matplotlib.rc_context(STYLE)
def draw_map(
    path: Path,
    title: str,
    panels: Mapping[str, np.ndarray],
    relations: np.ndarray,
    names: Mapping[str, str],
    seed: int,
    max_points: int = 400,
) -> None:
    """Draw Figure 4: t-SNE of h of the four most frequent relations, a panel per model.

    Args:
        path: Without an ending.
        title: Corpus, encoder, examples and seed.
        panels: Name to h, `(examples, size)`.
        relations: Gold relation of each example, `(examples,)`.
        names: What relations are called.
        seed: Of t-SNE, and of the points that are drawn where there are many.
        max_points: The largest number of points per relation; more would hide each other.
    """
    rng = np.random.default_rng(seed)
    frequent = [name for name, _ in Counter(relations.tolist()).most_common(4)]
    chosen = {
        name: rng.permutation(np.flatnonzero(relations == name))[:max_points] for name in frequent
    }
    shown = np.concatenate(list(chosen.values()))
    figure, axes = new_figure(title, 5 * len(panels), 5, len(panels))
    for axis, (panel, embeddings) in zip(axes, panels.items(), strict=True):
        points = normalize(embeddings[shown].astype(np.float32))
        perplexity = min(30.0, (len(points) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
        places = tsne.fit_transform(points)
        start = 0
        colors = (BLUE, ORANGE, GREEN, VERMILION)
        for name, color, shape in zip(chosen, colors, "osv^", strict=False):
            part = places[start : start + len(chosen[name])]
            start += len(part)
            label = to_label(names.get(name, name), 48)
            axis.scatter(
                *part.T, s=16, c=color, marker=shape, alpha=0.75, linewidths=0, label=label
            )
        axis.set(title=panel, xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


@matplotlib.rc_context(STYLE)
def draw_make_up(
    path: Path,
    title: str,
    labels: np.ndarray,
    relations: np.ndarray,
    names: Mapping[str, str],
    named_relations: int = 8,
) -> None:
    """Draw Figure 5: the gold relations in the largest and in the smallest cluster.

    Args:
        path: Without an ending.
        title: Corpus, encoder, examples and seed.
        labels: Cluster of each example, `(examples,)`.
        relations: Gold relation of each example, `(examples,)`.
        names: What relations are called.
        named_relations: How many relations of a cluster have a bar of their own.
    """
    clusters, sizes = np.unique(labels, return_counts=True)
    figure, axes = new_figure(title, 11, 4, 2)
    places = {"largest": sizes.argmax(), "smallest": sizes.argmin()}
    for axis, (word, place) in zip(axes, places.items(), strict=True):
        counts = Counter(relations[labels == clusters[place]].tolist()).most_common()
        bars = [
            (to_label(names.get(name, name)), count, BLUE)
            for name, count in counts[:named_relations]
        ]
        if others := counts[named_relations:]:
            bars.append((f"{len(others)} others", sum(count for _, count in others), GRAY))
        words, heights, colors = zip(*bars, strict=True)
        drawn = axis.barh(range(len(bars)), heights, color=colors, height=0.75)
        axis.bar_label(drawn, padding=3, fontsize=9)
        axis.set_yticks(range(len(bars)), words, fontsize=9)
        axis.set_ylim(max(len(bars), 4) - 0.4, -0.6)
        axis.margins(x=0.12)
        axis.xaxis.get_major_locator().set_params(integer=True)
        purity = 100 * counts[0][1] / sizes[place]
        cluster = f"{word} cluster: {sizes[place]:,} rows, {purity:.0f} % of one relation"
        axis.set_title(cluster, loc="right")
        axis.set_xlabel("rows")
    save(figure, path)
