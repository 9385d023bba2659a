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

    t-SNE (van der Maaten and Hinton 2008) of up to 3,000 rows in their 50 largest principal components; each further
    row goes where its five nearest ones of these are.

    Args:
        embeddings: h, `(rows, size)`.
        seed: Fixes draws and starts.
    """
    rows = normalize(embeddings)
    drawn = np.random.default_rng(seed).permutation(len(rows))[:LANDMARKS]
    landmarks = np.unique(rows[drawn].round(5), axis=0)  # scikit-learn's t-SNE crashes on many equal rows
    if len(landmarks) < 5:  # too few for t-SNE
        spread = np.linalg.norm(rows[:, None] - landmarks[None, :2], axis=2)
        places = np.pad(spread, ((0, 0), (0, 2 - spread.shape[1])))
    else:
        components = PCA(min(DIMENSIONS, *landmarks.shape), random_state=seed).fit(landmarks)
        landmarks, rows = components.transform(landmarks), components.transform(rows)
        perplexity = min(30, (len(landmarks) - 1) / 3)
        on_map = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(landmarks)
        places = KNeighborsRegressor(5, weights="distance").fit(landmarks, on_map).predict(rows)
    return places / max(np.abs(places).max(), 1e-12)
