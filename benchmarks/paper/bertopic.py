"""Compare BERTopic with the same encoder, on FewRel's `val_wiki`, without any training.

    pip install bertopic
    python -m benchmarks.paper.bertopic --data_root DATA [--rows 2000] [--seeds 0 1 2]

BERTopic embeds a sentence with all-MiniLM-L6-v2 as its publishers pool it (mean of all tokens),
reduces the embeddings with UMAP and clusters them with HDBSCAN or k-means; its words per topic
(c-TF-IDF) have no part in the scores. It knows of no entities, so one line gives it our h instead
of the sentence embeddings. All lines get the same examples, drawn by seed 0, in one run; the seeds
are those of UMAP, k-means and the consensus. Outliers of HDBSCAN count as one cluster, or go to the
nearest topic (`reduce_outliers`). Ours assigns every example.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from bertopic import BERTopic
from datasets import disable_progress_bars
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from sklearn.cluster import KMeans
from umap import UMAP

from modeling_siamure import RelationDiscovery
from modeling_siamure.modeling_siamure import resolve_encoder

from ..corpora import draw, load
from ..encoders import ENCODER
from ..runs import BenchmarkParser, metric, score_table, threads, write_report


def sentence_encoder() -> SentenceTransformer:
    """Build all-MiniLM-L6-v2 with the pooling of its publishers."""
    transformer = Transformer(resolve_encoder(ENCODER), max_seq_length=256)
    pooling = Pooling(transformer.get_embedding_dimension())
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")


def find_topics(
    sentences: list[str],
    embeddings: np.ndarray,
    seed: int,
    num_topics: int | None = None,
    use_kmeans: bool = False,
    keep_outliers: bool = True,
) -> np.ndarray:
    """Return the topic of each sentence, `(sentences,)`.

    Args:
        sentences: What the topics' words are taken from.
        embeddings: What is clustered, `(sentences, size)`.
        seed: Of UMAP and k-means.
        num_topics: As many topics as this, beside the outliers; as many as HDBSCAN finds by
            default.
        use_kmeans: Whether k-means clusters instead of HDBSCAN.
        keep_outliers: Whether outliers are one cluster; otherwise each goes to the nearest topic.
    """
    # BERTopic's own UMAP, with a seed.
    reducer = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)
    options = {}
    if use_kmeans:
        options["hdbscan_model"] = KMeans(num_topics, n_init=10, random_state=seed)
    elif num_topics:
        options["nr_topics"] = num_topics + 1
    model = BERTopic(umap_model=reducer, **options)
    topics, _ = model.fit_transform(sentences, embeddings)
    if not keep_outliers and -1 in topics:
        topics = model.reduce_outliers(
            sentences, topics, strategy="embeddings", embeddings=embeddings
        )
    return np.array(topics)


def main() -> None:
    """Run the benchmark."""
    parser = BenchmarkParser(__doc__)
    parser.add_data_root()
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--num_clusters", type=int, default=16)
    parser.add_seeds([0, 1, 2])
    args = parser.parse_args()
    disable_progress_bars()
    examples = draw(load("fewrel", args.data_root), args.rows)
    sentences = list(examples["sentence"])
    gold = list(examples["relation"])
    number = args.num_clusters

    with threads(1):
        vectors = sentence_encoder().encode(sentences, batch_size=64, show_progress_bar=False)

        def discover(seed: int) -> np.ndarray:
            discovery = RelationDiscovery(number, reject_outliers=False, seed=seed)
            return discovery.fit(examples).labels_

        def topics(**options) -> Callable[[int], np.ndarray]:
            return lambda seed: find_topics(sentences, vectors, seed, **options)

        # h does not depend on the seed where nothing is trained.
        h = torch.nn.functional.normalize(
            torch.as_tensor(RelationDiscovery(1).fit(examples).embeddings_), dim=-1
        ).numpy()
        lines: Mapping[str, Callable[[int], np.ndarray]] = {
            "BERTopic, HDBSCAN, outliers one cluster": topics(),
            "BERTopic, HDBSCAN, outliers to the nearest topic": topics(keep_outliers=False),
            f"BERTopic, {number} topics, outliers to the nearest topic": topics(
                num_topics=number, keep_outliers=False
            ),
            f"BERTopic, k-means, {number} topics": topics(num_topics=number, use_kmeans=True),
            f"BERTopic on our h, k-means, {number} topics": lambda seed: find_topics(
                sentences, h, seed, num_topics=number, use_kmeans=True
            ),
            f"`RelationDiscovery({number})`, untrained": discover,
        }
        results: dict[str, list[dict[str, float]]] = {}
        for name, cluster in lines.items():
            results[name] = []
            for seed in args.seeds:
                labels = cluster(seed).tolist()
                scores = metric().compute(predictions=labels, references=gold)
                results[name].append(scores)
                print(name, seed, scores, flush=True)

    table = score_table(results).splitlines()
    table[0] += " clusters |"
    table[1] += "---:|"
    for position, runs in enumerate(results.values(), start=2):
        table[position] += f" {', '.join(str(run['n_clusters']) for run in runs)} |"
    note = f"{args.rows:,} examples."
    write_report(args, "paper/bertopic", {"results": results}, "\n".join([*table, "", note]))


if __name__ == "__main__":
    main()
