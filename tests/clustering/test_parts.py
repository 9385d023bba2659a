"""Parts of clusters: found where there are some, and nowhere else."""

import numpy as np
import pytest

from modeling_siamure.clustering.descriptions import describe_clusters
from modeling_siamure.clustering.partitions import Clusters
from modeling_siamure.clustering.parts import find_parts
from tests.helpers.blobs import is_same_partition, make_blobs


def test_each_cluster_is_divided_on_its_own():
    rows, truth = make_blobs([30, 20, 40, 15, 25], 0.1)
    labels = np.array([0, 0, 1, 1, 1])[truth]
    labels[:5] = -1  # unassigned
    parts = find_parts(rows, labels, 2)
    assert not parts[:5].any()
    for cluster, number in ((0, 2), (1, 3)):
        inside = labels == cluster
        assert is_same_partition(parts[inside], truth[inside])
        sizes = np.bincount(parts[inside])
        assert len(sizes) == number and (np.diff(sizes) <= 0).all()  # the largest part first


@pytest.mark.parametrize("rows", [np.ones((60, 4)), np.eye(5), np.zeros((0, 4))])
def test_what_has_no_parts(rows):
    assert not find_parts(rows, np.zeros(len(rows), dtype=int), 1).any()


def test_structureless_rows_have_no_parts():
    rows = np.random.default_rng(0).normal(size=(300, 24))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert not find_parts(rows, np.zeros(300, dtype=int), 1).any()


def test_rows_beyond_the_sample_belong_to_the_nearest_part():
    rows, truth = make_blobs([300, 200], 0.1)
    parts = find_parts(rows, np.zeros(500, dtype=int), 1, sample_size=50)
    assert np.array_equal(parts, truth)


def test_parts_are_named_against_one_another_and_whole_type_pairs_are_told():
    def texts(head, tail, verb, number):
        return [
            f"<e1:{head}> Roe{i} </e1:{head}> {verb} <e2:{tail}> Oak{i} </e2:{tail}>"
            for i in range(number)
        ]

    rows = np.repeat(np.eye(3), [4, 3, 5], axis=0)
    sentences = texts("FIRM", "FIRM", "bought shares of", 4) + texts(
        "FIRM", "FIRM", "owns all of", 3
    )
    sentences += texts("PERSON", "FIRM", "leads", 4) + texts("PERSON", "PERSON", "knows", 1)
    clusters = Clusters(np.repeat([0, 1], [7, 5]), np.stack([rows[:7].mean(0), rows[-1]]))
    parts = np.repeat([0, 1, 0], [4, 3, 5])
    firms, persons = describe_clusters(sentences, rows, clusters, parts=parts)
    assert firms.is_type_pair and not persons.is_type_pair and persons.parts == []
    assert [part.size for part in firms.parts] == [4, 3]
    assert firms.parts[0].words[0] == "bought shares of"
    assert firms.parts[1].words[0] == "owns all of"
    assert firms.parts[0].examples == sentences[:3] and firms.parts[1].examples == sentences[4:7]
