"""The metric: against its definitions written out, the literature, scikit-learn, and as a module of
`evaluate`."""

import doctest
import importlib.util
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

FOLDER = Path(__file__).parents[2] / "metrics" / "b_cubed"
SEVEN = [
    "b3_f1",
    "b3_precision",
    "b3_recall",
    "v_measure_f1",
    "v_measure_homogeneity",
    "v_measure_completeness",
    "ari",
]


def import_file(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


b_cubed = import_file(FOLDER / "b_cubed.py")
scores_of = b_cubed.clustering_scores


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def by_definition(clusters, classes):
    """The seven numbers from sums over items and over pairs of items, nothing shared with the
    implementation."""
    items = range(len(clusters))
    cluster_of = [{j for j in items if clusters[j] == clusters[i]} for i in items]
    class_of = [{j for j in items if classes[j] == classes[i]} for i in items]
    precision = mean(len(cluster_of[i] & class_of[i]) / len(cluster_of[i]) for i in items)
    recall = mean(len(cluster_of[i] & class_of[i]) / len(class_of[i]) for i in items)

    def uncertainty(of, given):  # H(of | given) as the mean surprise of an item
        return mean(-math.log(len(of[i] & given[i]) / len(given[i])) for i in items)

    everything = [set(items)] * len(clusters)
    h_class, h_cluster = uncertainty(class_of, everything), uncertainty(cluster_of, everything)
    homogeneity = 1 - uncertainty(class_of, cluster_of) / h_class if h_class else 1.0
    completeness = 1 - uncertainty(cluster_of, class_of) / h_cluster if h_cluster else 1.0

    pairs = [(i, j) for i in items for j in items if i < j]
    same_class = sum(classes[i] == classes[j] for i, j in pairs)
    same_cluster = sum(clusters[i] == clusters[j] for i, j in pairs)
    same_both = sum(classes[i] == classes[j] and clusters[i] == clusters[j] for i, j in pairs)
    expected = same_class * same_cluster / len(pairs) if pairs else 0.0
    largest = (same_class + same_cluster) / 2
    ari = 1.0 if largest == expected else (same_both - expected) / (largest - expected)

    def harmonic(a, b):
        return 2 * a * b / (a + b) if a + b > 1e-15 else 0.0

    f1, v = harmonic(precision, recall), harmonic(homogeneity, completeness)
    return dict(zip(SEVEN, [f1, precision, recall, v, homogeneity, completeness, ari], strict=True))


def seven(scores):
    return {key: scores[key] for key in SEVEN}


def close(expected):
    return pytest.approx(expected, abs=1e-12, rel=0)


# (cluster, class) of 1 to 12 items; one byte per item, because hypothesis draws bytes many times
# faster than tuples
items = st.binary(min_size=1, max_size=12).map(
    lambda data: [(byte % 5, byte // 5 % 5) for byte in data]
)


def equals_the_definitions(labels):
    clusters, classes = zip(*labels, strict=True)
    scores = scores_of(clusters, classes)
    assert seven(scores) == close(by_definition(clusters, classes))
    assert scores["n_items"] == len(labels)
    assert (scores["n_clusters"], scores["n_classes"]) == (len(set(clusters)), len(set(classes)))


@settings(max_examples=1000, deadline=None)
@given(items)
def test_equals_the_definitions_on_random_labelings(labels):
    equals_the_definitions(labels)


@pytest.mark.extended
@settings(max_examples=10_000, deadline=None)
@given(items)
def test_equals_the_definitions_on_many_labelings(labels):
    equals_the_definitions(labels)


@settings(max_examples=300, deadline=None)
@given(items)
def test_bounds(labels):
    scores = scores_of(*zip(*labels, strict=True))
    assert -0.5 <= scores.pop("ari") <= 1
    assert all(0 <= scores[key] <= 1 for key in SEVEN[:-1])
    assert all(scores[key] > 0 for key in SEVEN[:3])


@settings(max_examples=300, deadline=None)
@given(
    items, st.permutations(range(5)), st.permutations("vwxyz"), st.randoms(use_true_random=False)
)
def test_names_and_order_do_not_matter(labels, cluster_names, class_names, random):
    clusters, classes = zip(*labels, strict=True)
    shuffled = random.sample(labels, len(labels))
    renamed = scores_of(
        [cluster_names[k] for k, _ in shuffled], [class_names[c] for _, c in shuffled]
    )
    assert renamed == close(scores_of(clusters, classes))


@settings(max_examples=300, deadline=None)
@given(items)
def test_swapping_the_sides_swaps_the_parts(labels):
    clusters, classes = zip(*labels, strict=True)
    there, back = scores_of(clusters, classes), scores_of(classes, clusters)
    assert there["b3_precision"] == close(back["b3_recall"])
    assert there["v_measure_homogeneity"] == close(back["v_measure_completeness"])
    assert [there[key] for key in ("b3_f1", "v_measure_f1", "ari")] == close(
        [back[key] for key in ("b3_f1", "v_measure_f1", "ari")]
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_one_cluster_single_items_and_the_classes_themselves(classes):
    assert scores_of([0] * len(classes), classes)["b3_recall"] == 1
    assert scores_of([0] * len(classes), classes)["v_measure_completeness"] == 1
    assert scores_of(range(len(classes)), classes)["b3_precision"] == 1
    assert scores_of(range(len(classes)), classes)["v_measure_homogeneity"] == close(1)
    assert seven(scores_of(classes, classes)) == close(dict.fromkeys(SEVEN, 1.0))


@pytest.mark.parametrize("n_classes, n_clusters", [(2, 40), (40, 2), (50, 60), (4000, 3000)])
def test_equals_scikit_learn(n_classes, n_clusters):
    random = np.random.default_rng(n_classes)
    classes = random.integers(n_classes, size=5000)
    clusters = np.where(
        random.random(5000) < 0.5, classes % n_clusters, random.integers(n_clusters, size=5000)
    )
    for beta in (0.5, 1.0, 2.0):
        scores = scores_of(clusters, classes, beta=beta)
        expected = homogeneity_completeness_v_measure(classes, clusters, beta=beta)
        assert [
            scores[f"v_measure_{part}"] for part in ("homogeneity", "completeness", "f1")
        ] == close(expected)
    assert scores["ari"] == close(adjusted_rand_score(classes, clusters))


def labels_of(table):
    """Lists of clusters and classes from rows (classes) of counts (one number a cluster)."""
    cells = [
        (k, c) for c, row in enumerate(table) for k, count in enumerate(row) for _ in range(count)
    ]
    return tuple(zip(*cells, strict=True))


@pytest.mark.parametrize(
    "table, precision, recall",
    [  # Bagga and Baldwin 1998, section 3: chains of 5, 2 and 5 mentions; a response merges two of them
        ([[5, 0], [0, 2], [0, 5]], 16 / 21, 1.0),  # printed as 76%
        ([[5, 0], [0, 2], [5, 0]], 7 / 12, 1.0),  # printed as 58%
        (
            [[1, 1, 0], [1, 2, 1], [0, 0, 4]],
            (1 + 5 / 3 + 17 / 5) / 10,
            (1 + 6 / 4 + 4) / 10,
        ),  # worked by hand
    ],
)
def test_b_cubed_of_the_literature(table, precision, recall):
    scores = scores_of(*labels_of(table))
    assert (scores["b3_precision"], scores["b3_recall"]) == close((precision, recall))
    assert scores["b3_f1"] == close(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize(
    "table, printed",
    [  # Rosenberg and Hirschberg 2007, figure 2, solutions A and B
        ([[3, 1, 1], [1, 3, 1], [1, 1, 3]], 0.14),
        ([[3, 2, 0], [0, 3, 2], [2, 0, 3]], 0.39),
    ],
)
def test_v_measure_of_the_literature(table, printed):
    assert round(scores_of(*labels_of(table))["v_measure_f1"], 2) == printed


def test_v_measure_by_hand():
    # Cluster 0 is a a b, cluster 1 is b: H(class) = ln 2, H(class | cluster) = 3/4 H(1/3),
    # H(cluster) = H(1/4).
    third = math.log(3) - 2 / 3 * math.log(2)
    quarter = math.log(4) - 3 / 4 * math.log(3)
    shared = math.log(2) - 3 / 4 * third
    scores = scores_of([0, 0, 0, 1], ["a", "a", "b", "b"])
    assert scores["v_measure_homogeneity"] == close(shared / math.log(2))
    assert scores["v_measure_completeness"] == close(shared / quarter)


@pytest.mark.parametrize(
    "table, ari",
    [  # the worked table of Yeung and Ruzzo 2001 (7 pairs of 45 together), and the least value there is
        ([[1, 1, 0], [1, 2, 1], [0, 0, 4]], 266 / 851),
        ([[1, 1], [1, 1]], -0.5),
        ([[3]], 1.0),
        ([[1, 0], [0, 1]], 1.0),
        ([[1]], 1.0),
    ],
)
def test_ari_of_the_literature(table, ari):
    assert scores_of(*labels_of(table))["ari"] == close(ari)


def test_beta_weighs_recall_and_completeness():
    clusters, classes = labels_of([[1, 1, 0], [1, 2, 1], [0, 0, 4]])
    scores = scores_of(clusters, classes, beta=2)
    p, r = scores["b3_precision"], scores["b3_recall"]
    h, c = scores["v_measure_homogeneity"], scores["v_measure_completeness"]
    assert scores["b3_f1"] == close(5 * p * r / (4 * p + r))
    assert scores["v_measure_f1"] == close(3 * h * c / (2 * h + c))
    assert scores_of(clusters, classes, beta=1e300)["b3_f1"] == close(r)
    assert scores_of(clusters, classes, beta=1e-300)["b3_f1"] == close(p)


def test_ignored_items_leave_no_trace():
    clusters, classes = [0, 0, 1, 1, 2], ["a", "b", "b", "no_relation", "no_relation"]
    scores = scores_of(clusters, classes, ignore_label="no_relation")
    assert scores.pop("n_ignored") == 2
    assert scores == scores_of(clusters[:3], classes[:3])
    assert scores["n_clusters"] == 2  # cluster 2 held ignored items alone
    assert scores_of([5, 6], [0, 1], ignore_label=1)["n_ignored"] == 1
    assert scores_of(clusters, classes, ignore_label="absent")["n_ignored"] == 0


def test_large_counts_do_not_overflow():
    n = 200_000  # the adjusted Rand index multiplies pair counts: 10 ** 20, past 64 bits
    # A quarter of the items in each of four cells.
    scores = scores_of(np.arange(n) % 2, np.arange(n) // 2 % 2)
    together, on_a_side = 4 * math.comb(n // 4, 2), 2 * math.comb(n // 2, 2)
    chance = Fraction(on_a_side**2, math.comb(n, 2))
    assert scores["ari"] == close(float((together - chance) / (on_a_side - chance)))
    assert scores["b3_precision"] == close(0.5)


CLUSTERS, CLASSES = [3, 3, 3, 7], [0, 0, 1, 1]
FORMS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "small numpy": lambda labels: np.array(labels, dtype=np.uint8),
    "torch": torch.tensor,
    "pandas": lambda labels: pd.Series(labels, index=[9, 8, 7, 6]),
    "nullable pandas": lambda labels: pd.Series(labels, dtype="Int64"),
    "strings": lambda labels: [f"name {label}" for label in labels],
    "digits": lambda labels: ["0" * label for label in labels],  # "" and "000" are no integers
    "numpy strings": lambda labels: np.array([f"name {label}" for label in labels]),
    "pandas strings": lambda labels: pd.Series(
        [f"name {label}" for label in labels], index=[9, 8, 7, 6]
    ),
    "categories": lambda labels: pd.Series([f"name {label}" for label in labels], dtype="category"),
    "0-d tensors": lambda labels: [torch.tensor(label) for label in labels],
    "0-d arrays": lambda labels: [np.array(f"name {label}") for label in labels],
    "pyarrow": pa.array,
    "pyarrow in chunks": lambda labels: pa.chunked_array([labels[:1], labels[1:]]),
    "a column of tensors": lambda labels: Dataset.from_dict({"x": labels}).with_format("torch")[
        "x"
    ],
}


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return evaluate.load(str(FOLDER), cache_dir=str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("clusters_form", FORMS)
@pytest.mark.parametrize("classes_form", ["list", "strings", "torch", "pandas strings"])
def test_every_form_of_labels_on_either_side(metric, clusters_form, classes_form):
    predictions, references = FORMS[clusters_form](CLUSTERS), FORMS[classes_form](CLASSES)
    expected = scores_of(CLUSTERS, CLASSES)
    assert scores_of(predictions, references) == expected
    assert metric.compute(predictions=predictions, references=references) == expected


def test_numbers_written_as_strings_stay_apart(metric):
    assert metric.compute(predictions=["1", "01"], references=["a", "a"])["n_clusters"] == 2


BAD = {
    "empty": (dict(predictions=[], references=[]), r"predictions is empty: pass"),
    "lengths": (
        dict(predictions=[1, 2], references=[1]),
        r"predictions has 2 items but references has 1: pass",
    ),
    "no references": (dict(predictions=[1], references=None), r"references is None: pass"),
    "no predictions": (dict(predictions=None, references=[1]), r"predictions is None: pass"),
    "None": (
        dict(predictions=[1, 2], references=["a", None]),
        r"references\[1\] is missing \(None\): give",
    ),
    "NaN": (
        dict(predictions=[1, math.nan], references=[1, 2]),
        r"predictions\[1\] is missing \(nan\): give",
    ),
    "NaN in numpy": (
        dict(predictions=np.array([math.nan]), references=[1]),
        r"predictions\[0\] is missing",
    ),
    "NA in pandas": (
        dict(predictions=pd.Series([1, None], dtype="Int64"), references=[1, 2]),
        r"predictions\[1\] is mi",
    ),
    "missing among floats": (
        dict(predictions=pd.Series([1, 1, None, 2]), references=[1, 1, 1, 1]),
        r"predictions\[2\] is missing \(nan\): give",
    ),
    "missing in pyarrow": (
        dict(predictions=pa.array([1, None]), references=[1, 1]),
        r"predictions\[1\] is missing \(None\): give",
    ),
    "0-d floats": (
        dict(predictions=[torch.tensor(1.0)], references=[1]),
        r"predictions\[0\] is a float: .* convert",
    ),
    "masked": (
        dict(predictions=np.ma.array([1, 2], mask=[0, 1]), references=[1, 2]),
        r"predictions\[1\] is missing",
    ),
    "floats": (
        dict(predictions=[1, 2], references=[0.2, 0.4]),
        r"references\[0\] is a float: .* convert",
    ),
    "float among integers": (
        dict(predictions=[1, 2.5], references=[1, 2]),
        r"predictions\[1\] is a float: .* convert",
    ),
    "numpy floats": (
        dict(predictions=np.ones(2, np.float32), references=[1, 2]),
        r"predictions\[0\] is a float",
    ),
    "torch floats": (
        dict(predictions=torch.ones(2).bfloat16(), references=[1, 2]),
        r"predictions\[0\] is a float",
    ),
    "booleans": (
        dict(predictions=[True, False], references=[1, 2]),
        r"predictions\[0\] is a bool: .* convert",
    ),
    "nested": (
        dict(predictions=[[1], [2]], references=[1, 2]),
        r"predictions\[0\] is a list: flatten",
    ),
    "two dimensions": (
        dict(predictions=np.ones((2, 1), int), references=[1, 2]),
        r"predictions has 2 dim.*: flatten",
    ),
    "no dimension": (
        dict(predictions=torch.tensor(1), references=[1]),
        r"predictions has 0 dim.*: flatten",
    ),
    "table": (
        dict(predictions=pd.DataFrame({"a": [1]}), references=[1]),
        r"predictions has 2 dim.*: flatten",
    ),
    "one string": (
        dict(predictions="ab", references=[1, 2]),
        r"predictions is of type str: pass a list",
    ),
    "set": (
        dict(predictions={1, 2}, references=[1, 2]),
        r"predictions is of type set: pass a list",
    ),
    "number": (dict(predictions=1, references=[1]), r"predictions is of type int: pass a list"),
    "generator": (
        dict(predictions=[1], references=(i for i in [1])),
        r"references is of type generator: pass a list",
    ),
    "mixed": (
        dict(predictions=[1, "a"], references=[1, 2]),
        r"predictions mixes integers and strings: convert",
    ),
    "wide": (
        dict(predictions=[2**63], references=[1]),
        r"predictions holds an integer of more than 64 bits: convert",
    ),
    "wide numpy": (
        dict(predictions=np.array([2**63], np.uint64), references=[1]),
        r"predictions holds an integer of",
    ),
    "beta 0": (dict(predictions=[1], references=[1], beta=0), r"beta is 0: it must be"),
    "beta below 0": (dict(predictions=[1], references=[1], beta=-1.0), r"beta is -1.0: it must be"),
    "beta NaN": (dict(predictions=[1], references=[1], beta=math.nan), r"beta is nan: it must be"),
    "beta infinite": (
        dict(predictions=[1], references=[1], beta=math.inf),
        r"beta is inf: it must be",
    ),
    "beta no number": (dict(predictions=[1], references=[1], beta="1"), r"beta is '1': it must be"),
    "all ignored": (
        dict(predictions=[1, 2], references=["a", "a"], ignore_label="a"),
        r"ignore_label 'a' drops all 2",
    ),
    "ignored type": (
        dict(predictions=[1], references=[1], ignore_label="a"),
        r"ignore_label is of type str.*: give",
    ),
    "ignored float": (
        dict(predictions=[1], references=[1], ignore_label=1.5),
        r"ignore_label\[0\] is a float",
    ),
}


@pytest.mark.parametrize("arguments, message", BAD.values(), ids=BAD)
def test_bad_input_is_named_in_one_line(metric, arguments, message):
    for compute in (scores_of, metric.compute):
        with pytest.raises(ValueError, match=message) as caught:
            compute(**arguments)
        assert "\n" not in str(caught.value)
    # Nothing of it was kept.
    assert metric.compute(predictions=CLUSTERS, references=CLASSES)["n_items"] == 4


def test_compute_without_anything_added(metric):
    with pytest.raises(ValueError, match="predictions and references are empty: pass"):
        metric.compute()


def test_add_and_add_batch_equal_compute(metric):
    clusters, classes = list(range(5)) * 6, [f"class {i % 7}" for i in range(30)]
    expected = metric.compute(
        predictions=clusters, references=classes, beta=2, ignore_label="class 3"
    )
    for cluster, class_ in zip(torch.tensor(clusters), classes, strict=True):
        metric.add(prediction=cluster, reference=class_)
    assert metric.compute(beta=2, ignore_label="class 3") == expected
    for start in range(0, 30, 8):
        metric.add_batch(
            predictions=np.array(clusters[start : start + 8]), references=classes[start : start + 8]
        )
    assert metric.compute(beta=2, ignore_label="class 3") == expected


def test_a_bad_batch_is_refused_and_the_others_kept(metric):
    metric.add_batch(predictions=[1, 2], references=["a", "b"])
    with pytest.raises(
        ValueError, match="predictions mixes integers and strings over its batches: convert"
    ):
        metric.add_batch(predictions=["3"], references=["c"])
    with pytest.raises(ValueError, match=r"predictions\[0\] is a float"):
        metric.add(prediction=3.7, reference="c")
    with pytest.raises(ValueError, match="predictions is empty"):
        metric.add_batch(predictions=[], references=[])
    assert metric.compute()["n_items"] == 2


def test_combine(metric, tmp_path):
    swapped = evaluate.load(
        str(FOLDER / "b_cubed.py"), cache_dir=str(tmp_path), keep_in_memory=True
    )
    combined = evaluate.combine({"one": metric, "other": swapped})
    combined.add_batch(predictions=CLUSTERS, references=CLASSES)
    scores = combined.compute()
    expected = scores_of(CLUSTERS, CLASSES)
    assert scores == {
        f"{name}_{key}": value for name in ("one", "other") for key, value in expected.items()
    }


TWO_PROCESSES = """
import sys
import evaluate
process = int(sys.argv[1])
metric = evaluate.load(
    sys.argv[2],
    cache_dir=sys.argv[3],
    num_process=2,
    process_id=process,
    experiment_id="two",
    timeout=60,
)
predictions = [[3, 3], [3, 7]][process]
references = [["x", "x"], ["y", "y"]][process]
metric.add_batch(predictions=predictions, references=references)
print(metric.compute())
"""

BARE_NAME = """
import evaluate
print(evaluate.load("b_cubed").compute(predictions=[3, 3, 3, 7], references=[0, 0, 1, 1]))
"""


def test_two_processes_share_one_result(tmp_path):
    arguments = [sys.executable, "-c", TWO_PROCESSES]
    processes = [
        subprocess.Popen(
            [*arguments, str(process), str(FOLDER), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    outputs = [process.communicate(timeout=80) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [out.strip() for out, _ in outputs] == [str(scores_of(CLUSTERS, CLASSES)), "None"]


def test_bare_name_from_the_folder_that_holds_it():
    command = [sys.executable, "-c", BARE_NAME]
    result = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(scores_of(CLUSTERS, CLASSES))


def test_docstrings_run(monkeypatch):
    monkeypatch.chdir(FOLDER.parent)  # from where "b_cubed" is a local name
    result = doctest.testmod(b_cubed)
    assert result.attempted >= 10
    assert result.failed == 0
