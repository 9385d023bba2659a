"""A map of the corpus: h in two dimensions."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import normalize

LANDMARKS = 3000
DIMENSIONS = 50


def project(embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places rows so that similar ones lie close: `(rows, 2)`, within -1 and 1.

    t-SNE (van der Maaten and Hinton 2008) of up to 3,000 rows in their 50 largest principal components; each further row
    goes where its five nearest ones of these are.

    Args:
        embeddings: h, `(rows, size)`.
        seed: Fixes draws and starts.
    """
    rows = normalize(embeddings)
    drawn = np.random.default_rng(seed).permutation(len(rows))[:LANDMARKS]
    components = PCA(min(DIMENSIONS, len(drawn), rows.shape[1]), random_state=seed).fit(rows[drawn])
    rows = components.transform(rows)
    if len(drawn) < 5:  # too few for t-SNE
        places = np.zeros((len(rows), 2))
        places[:, : rows.shape[1]] = rows[:, :2]
    else:
        perplexity = min(30, (len(drawn) - 1) / 3)
        landmarks = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows[drawn])
        nearest = KNeighborsRegressor(min(5, len(drawn)), weights="distance").fit(rows[drawn], landmarks)
        places = nearest.predict(rows)
        places[drawn] = landmarks
    return places / max(np.abs(places).max(), 1e-12)
