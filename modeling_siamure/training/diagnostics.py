"""Signs of health and of collapse in embeddings; none of them needs labels."""

import numpy as np

from ..embedding import Embeddings


def embedding_std(embeddings: np.ndarray) -> float:
    """Return the standard deviation per dimension of L2-normalized rows, scaled (SimSiam, 4.1).

    Times the root of the dimension it is about 1 for isotropic embeddings, and 0 where all rows
    point one way.

    >>> embedding_std(np.array([[1.0, 0.0], [1.0, 0.0]]))
    0.0
    """
    normalized = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return float(normalized.std(axis=0).mean() * np.sqrt(embeddings.shape[1]))


def effective_rank(embeddings: np.ndarray) -> float:
    """Return how many dimensions the rows really use; 0 where all rows are one.

    It is the exponential of the entropy of the normalized eigenvalues of the covariance (Roy and
    Vetterli 2007).

    >>> round(effective_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    2.0
    """
    values = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False) ** 2
    if not values.any():
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares.clip(1e-38))).sum()))


def mean_cosine(embeddings: np.ndarray) -> float:
    """Return the mean cosine over all pairs of different rows.

    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    normalized = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows = len(normalized)
    return float((np.square(normalized.sum(axis=0)).sum() - rows) / (rows * (rows - 1)))


def diagnose(embeddings: Embeddings) -> dict[str, float]:
    """Measure the health of embeddings without labels.

    Returns:
        `h_spread`, `h_effective_rank`, `h_mean_cosine`, the same of `g`; `assignment_entropy`
        (nats, of the mean assignment), `confidence` (mean of the largest probability) and
        `used_clusters`.
    """
    report = {}
    for name, rows in (("h", embeddings.relation), ("g", embeddings.projection)):
        assert rows is not None, "embeddings of h alone can't be diagnosed"
        report[f"{name}_spread"] = embedding_std(rows)
        report[f"{name}_effective_rank"] = effective_rank(rows)
        report[f"{name}_mean_cosine"] = mean_cosine(rows)
    probabilities = embeddings.cluster_probabilities
    assert probabilities is not None, "embeddings of h alone can't be diagnosed"
    mean = probabilities.mean(axis=0)
    report["assignment_entropy"] = float(-(mean * np.log(mean.clip(1e-38))).sum())
    report["confidence"] = float(probabilities.max(axis=1).mean())
    report["used_clusters"] = len(np.unique(probabilities.argmax(axis=1)))
    return report
