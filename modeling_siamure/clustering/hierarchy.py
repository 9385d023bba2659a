"""The tree of relations: which clusters lie next to each other (the paper's motive, section 1)."""

import numpy as np
from scipy.cluster import hierarchy


def relation_tree(centroids: np.ndarray, context_size: int = 0) -> np.ndarray:
    """Build Ward's tree on the centroids of clusters (Ward 1963).

    Where h holds the words between the mentions (`..._context` pooling), those alone are compared:
    the other two parts know the entity types or names, which would put living in a city beside
    dying in a city, and far from living in a country.

    Args:
        centroids: Of L2-normalized h, `(clusters, size)`.
        context_size: Number of h's last dimensions that hold the words between the mentions; 0
            compares all of h.

    Returns:
        SciPy's linkage matrix `(clusters - 1, 4)`: in each row the two nodes that are merged, their
        distance and the number of clusters below. Node `clusters + i` is that of row `i`. Empty for
        one cluster.
    """
    if len(centroids) < 2:
        return np.empty((0, 4))
    return hierarchy.linkage(centroids[:, -context_size:], "ward")


def cut_tree(tree: np.ndarray, num_groups: int) -> np.ndarray:
    """Cut the tree into groups, and return the group of each cluster, `(clusters,)`.

    Groups are numbered in the order of their first clusters.

    Raises:
        ValueError: There are not so many clusters.

    >>> cut_tree(hierarchy.linkage([[0.0], [9.0], [1.0]], "ward"), 2)
    array([0, 1, 0])
    """
    num_clusters = len(tree) + 1
    if not 1 <= num_groups <= num_clusters:
        raise ValueError(f"a tree of {num_clusters} clusters can't be cut into {num_groups} groups")
    groups = np.arange(num_clusters)
    members = {cluster: [cluster] for cluster in range(num_clusters)}
    for row, (left, right) in enumerate(tree[: num_clusters - num_groups, :2].astype(int)):
        members[num_clusters + row] = members.pop(left) + members.pop(right)
    for node in members.values():
        groups[node] = min(node)
    return np.unique(groups, return_inverse=True)[1]


def siblings(tree: np.ndarray, clusters: list[int]) -> list[int]:
    """Return the clusters below the lowest node that holds all of the given ones, sorted.

    These are only the given ones if they are siblings.

    >>> siblings(hierarchy.linkage([[0.0], [9.0], [1.0], [7.0]], "ward"), [0, 2])
    [0, 2]
    """
    wanted = set(clusters)
    members = [{cluster} for cluster in range(len(tree) + 1)]
    members += [set()] * len(tree)
    for row, (left, right) in enumerate(tree[:, :2].astype(int)):
        members[len(tree) + 1 + row] = members[left] | members[right]
    return sorted(next(node for node in members if wanted <= node))
