"""Edits of clusters: their files, what they change, and what does not fit."""

import copy
import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import pipeline

from modeling_siamure import RelationDiscovery
from modeling_siamure.discovery.edits import Edit, as_edits, read_edits, write_edits
from tests.helpers.rows import make_rows

# --------------------------------------------------------------------------------------------------
# Files


def test_a_file_of_edits(tmp_path):
    path = tmp_path / "edits.yaml"
    path.write_text(
        "# mine\n- merge: [3, 5]\n- split: {cluster: 3.10, into: 2}\n"
        "- rename: {cluster: 3, name: no}\n- reject: [7]\n- direction:\n  - 2\n"
        "- note: {cluster: 2, text: 'ask: Ada'}\n- split: {cluster: 4, by: year}\n"
    )
    edits = read_edits(path)
    assert edits == [
        Edit("merge", ("3", "5")),
        Edit("split", ("3.10",), into=2),
        Edit("rename", ("3",), text="no"),  # no number is rounded, and no word is a truth value
        Edit("reject", ("7",)),
        Edit("direction", ("2",)),
        Edit("note", ("2",), text="ask: Ada"),
        Edit("split", ("4",), by="year"),
    ]
    path.write_text(write_edits(edits))
    assert read_edits(path) == edits
    path.write_text("")
    assert read_edits(path) == []


@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda ids: Edit("merge", tuple(map(str, ids))),
                st.lists(st.integers(0, 30), min_size=2, unique=True),
            ),
            st.builds(
                lambda text: Edit("rename", ("3.1",), text=" ".join(text.split())),
                st.text(st.characters(exclude_categories=("Cs", "Cc"))).filter(str.strip),
            ),
        )
    )
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_edits_are_read_as_they_were_written(tmp_path, edits):
    path = tmp_path / "edits.yaml"
    path.write_text(write_edits(edits), encoding="utf-8")
    assert read_edits(path) == edits


MALFORMED = {
    "a mapping": ("merge: [1, 2]", "holds no list of edits"),
    "not YAML": ("- merge: [1, 2", "can't be read as edits"),
    "no edit": ("- just words", "edit 1: it is not one of merge"),
    "two in one": ("- merge: [1, 2]\n  reject: [3]", "edit 1: it is not one of"),
    "a key twice": ("- rename: {cluster: 1, cluster: 2, name: x}", "gives 'cluster' twice"),
    "another kind": (
        "- reject: [1]\n- merg: [1, 2]",
        "edit 2: 'merg' is no edit; did you mean merge",
    ),
    "no list": ("- merge: 3", "merge takes a list"),
    "nothing": ("- reject: []", "reject names no cluster"),
    "with itself": ("- merge: [3, 3]", "edit 1: cluster 3 is merged with itself"),
    "with nothing": ("- merge: [3]", "cluster 3 is merged with nothing"),
    "twice": ("- reject: [3, 3]", "names cluster 3 twice"),
    "no cluster": ("- rename: {name: x}", "rename names no cluster"),
    "no name": ("- rename: {cluster: 3}", "rename takes a text"),
    "an empty name": ("- rename: {cluster: 3, name: ' '}", "rename takes a text"),
    "a name of none": ("- rename: {cluster: 3, name: unassigned}", "can be called 'unassigned'"),
    "unknown key": ("- split: {cluster: 3, in: 2}", "not 'in'; did you mean into"),
    "neither": ("- split: {cluster: 3}", "split takes into or by"),
    "both": ("- split: {cluster: 3, into: 2, by: year}", "split takes into or by"),
    "one part": ("- split: {cluster: 3, into: 1}", "into is 1"),
    "no number": ("- split: {cluster: 3, into: two}", "into is 'two'"),
    "nested": ("- merge: [[1], [2]]", "names no cluster"),
}


@pytest.mark.parametrize(("text", "said"), MALFORMED.values(), ids=MALFORMED)
def test_edits_that_cannot_be_read(tmp_path, text, said):
    path = tmp_path / "edits.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_edits(path)
    assert said in str(error.value) and str(error.value).startswith(str(path))


@pytest.mark.parametrize("cluster", [3.1, True, None, [1]])
def test_an_id_that_is_none(cluster):
    with pytest.raises(ValueError, match="names no cluster"):
        as_edits([{"rename": {"cluster": cluster, "name": "x"}}])


# --------------------------------------------------------------------------------------------------
# A discovery


@pytest.fixture(scope="module")
def dataset():
    rows = make_rows(80)
    years = [{"year": [1990, 1990, None, 2001][number % 4]} for number in range(80)]
    return Dataset.from_list([row | year for row, year in zip(rows, years, strict=True)])


@pytest.fixture(scope="module")
def found(recipe, dataset):
    return RelationDiscovery(5, recipe=recipe).fit(dataset)


@pytest.fixture
def discovery(found):
    """A discovery that may be changed."""
    other = copy.copy(found)
    other.model_ = copy.deepcopy(found.model_)
    return other


def answers(discovery, dataset):
    """The answers of the model for all rows, as a plain pipeline gives them."""
    model = discovery.model_.eval()
    ask = pipeline("relation-discovery", model=model, tokenizer=discovery.tokenizer_)
    return ask(dataset["text"][:])


def of_ids(discovery):
    """The id of each row's cluster, or its negative label."""
    ids = dict(enumerate(cluster.id for cluster in discovery.clusters_))
    return np.array([ids.get(label, str(label)) for label in discovery.labels_.tolist()])


def state(discovery):
    """All that edits change, for comparisons."""
    weights = {name: tensor.numpy() for name, tensor in discovery.model_.state_dict().items()}
    config = discovery.model_.config.to_dict()
    return json.dumps(
        [config, [vars(cluster) for cluster in discovery.clusters_], discovery.labels_.tolist()],
        default=str,
        sort_keys=True,
    ), [weights["cluster_centroids"].tobytes(), weights["cluster_head.weight"].tobytes()]


def test_no_edits_change_nothing(found, discovery):
    discovery.edit([])
    assert state(discovery) == state(found)
    np.testing.assert_array_equal(discovery.tree_, found.tree_)
    for name in ("labels", "clusters", "scores", "distances", "margins"):
        before, after = (getattr(of.assignment_, name) for of in (found, discovery))
        np.testing.assert_array_equal(before, after)


def test_a_merge(found, discovery, dataset):
    before = of_ids(found)
    discovery.merge_clusters([1, 3])
    after = of_ids(discovery)
    assert {cluster.id for cluster in discovery.clusters_} == {"0", "1", "2", "4"}
    assert len({cluster.name for cluster in discovery.clusters_}) == 4
    assert (after[np.isin(before, ["1", "3"])] == "1").all()
    others = np.isin(before, ["0", "2", "4"])
    np.testing.assert_array_equal(after[others], before[others])
    # Where a row was between the two, it is of both now.
    assert set(after[before == "-1"]) <= {"-1", "1"}
    names = {cluster.id: cluster.name for cluster in found.clusters_}
    kept = [cluster for cluster in discovery.clusters_ if cluster.id != "1"]
    assert all(names[cluster.id] == cluster.name for cluster in kept)
    sizes = [int((discovery.labels_ == number).sum()) for number in range(4)]
    assert [cluster.size for cluster in discovery.clusters_] == sizes
    assert discovery.tree_.shape == (3, 4) and discovery.model_.config.num_labels == 4


def test_the_model_answers_as_the_rows(discovery, dataset):
    discovery.edit(
        [
            {"merge": [0, 2]},
            {"split": {"cluster": 1, "into": 2}},
            {"rename": {"cluster": 0, "name": "mine"}},
            {"reject": [3]},
            {"merge": ["1.2", 4]},
            {"direction": ["1.1"]},
            {"split": {"cluster": 0, "into": 3}},
        ]
    )
    names = {number: cluster.name for number, cluster in enumerate(discovery.clusters_)}
    names |= {-1: "unassigned", -3: "no relation"}
    labels = discovery.labels_.tolist()
    given_answers = answers(discovery, dataset)
    assert [answer["label"] for answer in given_answers] == [names[label] for label in labels]
    assert [answer["cluster"] for answer in given_answers] == labels
    assert -3 in labels
    swapped = [bool(answer.get("reversed")) for answer in given_answers]
    assert swapped == discovery.assignment_.is_reversed.tolist() and any(swapped)
    scores = [answer["score"] for answer in given_answers]
    np.testing.assert_allclose(scores, discovery.assignment_.scores, atol=1e-4)
    again = discovery.predict(dataset)
    assert again.labels.tolist() == labels
    np.testing.assert_array_equal(again.is_reversed, discovery.assignment_.is_reversed)
    ids = {cluster.id for cluster in discovery.clusters_}
    assert ids == {"0.1", "0.2", "0.3", "1.1", "1.2"}


def test_scores_of_an_edited_model_rank_its_clusters(discovery, dataset):
    discovery.merge_clusters([0, 1]).split_cluster(2, into=2)
    model = discovery.model_.eval()
    ask = pipeline("relation-discovery", model=model, tokenizer=discovery.tokenizer_)
    for answer, ranked in zip(
        ask(dataset["text"][:20], reject_outliers=False),
        ask(dataset["text"][:20], top_k=None, reject_outliers=False),
        strict=True,
    ):
        assert ranked[0] == answer
        assert sorted(rank["cluster"] for rank in ranked) == list(range(5))
        assert all(0 <= rank["score"] <= answer["score"] for rank in ranked)


def test_a_saved_model_is_the_edited_one(discovery, dataset, tmp_path):
    discovery.merge_clusters([0, 1]).split_cluster(2, into=2).set_names({0: "both"}).reject([3])
    discovery.save_pretrained(tmp_path)
    ask = pipeline("relation-discovery", model=str(tmp_path))
    for loaded, answer in zip(ask(dataset["text"][:]), answers(discovery, dataset), strict=True):
        assert loaded == answer | {"score": pytest.approx(answer["score"], abs=1e-5)}
    other = RelationDiscovery.from_pretrained(str(tmp_path))
    assert [vars(cluster) for cluster in other.clusters_] == [
        vars(cluster) for cluster in discovery.clusters_
    ]
    np.testing.assert_allclose(other.tree_, discovery.tree_, atol=1e-6)
    (tmp_path / "clusters.json").unlink()
    other = RelationDiscovery.from_pretrained(str(tmp_path))
    assert [cluster.id for cluster in other.clusters_] == [
        cluster.id for cluster in discovery.clusters_
    ]


def test_a_split_moves_no_other_row(found, discovery):
    before = of_ids(found)
    discovery.split_cluster(0, into=3)
    after = of_ids(discovery)
    np.testing.assert_array_equal(after[before != "0"], before[before != "0"])
    parts = ["0.1", "0.2", "0.3"]
    counts = [int((after == part).sum()) for part in parts]
    assert sum(counts) == (before == "0").sum() and min(counts) > 0
    assert counts == sorted(counts, reverse=True)
    # Parts that are merged again hold what the whole held.
    discovery.merge_clusters(parts)
    np.testing.assert_array_equal(of_ids(discovery) == "0.1", before == "0")


def test_a_split_by_a_column(found, discovery, dataset):
    before = of_ids(found)
    discovery.split_cluster(0, by="year")
    after = of_ids(discovery)
    years = np.array([str(year) for year in dataset["year"]])
    of_year = {}
    for year in ("1990", "None", "2001"):
        (part,) = set(after[(before == "0") & (years == year)])
        of_year[year] = part
    assert sorted(of_year.values()) == ["0.1", "0.2", "0.3"] and of_year["1990"] == "0.1"
    names = {cluster.id: cluster.name for cluster in discovery.clusters_}
    assert names[of_year["2001"]].endswith(" · 2001")
    assert names[of_year["None"]].endswith(" · none")
    np.testing.assert_array_equal(after[before != "0"], before[before != "0"])
    (line,) = [line for line in discovery.doubts_ if "split by year" in line]
    num_others = sum(
        answer["cluster"] != label
        for answer, label in zip(answers(discovery, dataset), discovery.labels_, strict=True)
    )
    assert f"assigns {num_others} of 80 sentences" in line
    discovery.edit([])
    assert not [line for line in discovery.doubts_ if "split by year" in line]


def test_names_are_kept_and_given(found, discovery):
    discovery.set_names({1: "founded", 2: "left"}).merge_clusters([0, 1])
    names = {cluster.id: cluster.name for cluster in discovery.clusters_}
    # The merged cluster has the name that was given to one of them.
    assert names["0"] == "founded" and names["2"] == "left"
    assert discovery.model_.config.label2id["left"] == [
        cluster.id for cluster in discovery.clusters_
    ].index("2")
    discovery.edit([*discovery.edits_, {"note": {"cluster": 0, "text": "ask Ada"}}])
    assert [cluster.note for cluster in discovery.clusters_ if cluster.id == "0"] == ["ask Ada"]


def test_a_direction(found, discovery, dataset):
    discovery.edit([{"direction": [2]}])
    (cluster,) = [cluster for cluster in discovery.clusters_ if cluster.id == "2"]
    assert list(cluster.type_pairs) == ["FIRM→PERSON"] and cluster.name.startswith("FIRM→PERSON")
    assert cluster.examples[0].index("<e2:PERSON>") < cluster.examples[0].index("<e1:FIRM>")
    is_of_it = of_ids(discovery) == "2"
    np.testing.assert_array_equal(
        discovery.assignment_.is_reversed & (discovery.labels_ >= 0), is_of_it
    )
    discovery.edit([{"direction": [2]}, {"direction": [2]}])
    assert not discovery.assignment_.is_reversed.any()


def test_rejected_rows_keep_a_mark(found, discovery):
    before = of_ids(found)
    discovery.reject([0, 1])
    labels = discovery.labels_
    np.testing.assert_array_equal(labels == -3, np.isin(before, ["0", "1"]))
    table = discovery.clusters_over("year")
    assert table.loc["no relation"].sum() == (labels == -3).sum()
    assert list(table.columns) == ["1990", "2001", "none"]
    assert table.to_numpy().sum() == 80
    assert list(table.index)[:3] == [cluster.name for cluster in discovery.clusters_]


def test_steps_and_a_list_of_edits_are_the_same(found, discovery):
    discovery.merge_clusters([0, 1]).split_cluster(2, into=2).set_names({"2.1": "x"}).reject([3])
    other = copy.copy(found)
    other.model_ = copy.deepcopy(found.model_)
    torch.manual_seed(1)  # nothing is drawn from it
    other.edit(write_and_read(discovery.edits_))
    assert state(other) == state(discovery)
    other.edit([])
    assert state(other) == state(found)


def write_and_read(edits):
    return [edit.to_dict() for edit in edits]


MISFITS = {
    "no such cluster": ([{"reject": [9]}], "edit 1 (reject 9): there is no cluster 9; there are 0"),
    "merged before": (
        [{"merge": [0, 1]}, {"reject": [1]}],
        "edit 2 (reject 1): cluster 1 was merged into 0 before",
    ),
    "rejected before": ([{"reject": [1]}, {"merge": [1, 2]}], "cluster 1 was rejected before"),
    "split before": (
        [{"split": {"cluster": 0, "into": 2}}, {"note": {"cluster": 0, "text": "x"}}],
        "cluster 0 was split into 0.1, 0.2 before",
    ),
    "too many parts": ([{"split": {"cluster": 0, "into": 60}}], "too few for 60 parts"),
    "no such column": (
        [{"split": {"cluster": 0, "by": "years"}}],
        "there is no column 'years'; did you mean year",
    ),
    "gold": ([{"split": {"cluster": 0, "by": "relation"}}], "gold labels, which only score"),
    "one value": ([{"split": {"cluster": 0, "by": "head_type"}}], "has one value in cluster 0"),
    "nothing left": ([{"reject": [0, 1, 2, 3, 4]}], "no cluster would be left"),
    "the same name": (
        [{"rename": {"cluster": 0, "name": "x"}}, {"rename": {"cluster": 1, "name": "x"}}],
        "clusters 0 and 1 would both be called 'x'",
    ),
}


@pytest.mark.parametrize(("edits", "said"), MISFITS.values(), ids=MISFITS)
def test_edits_that_do_not_fit(discovery, edits, said):
    discovery.set_names({4: "kept"})
    before = state(discovery)
    with pytest.raises(ValueError) as error:
        discovery.edit(edits)
    assert said in str(error.value)
    assert state(discovery) == before and len(discovery.edits_) == 1


def test_a_name_that_another_cluster_has(discovery):
    taken = discovery.clusters_[1].name
    with pytest.raises(ValueError, match="clusters 0 and 1 would both be called"):
        discovery.set_names({0: taken})
    discovery.set_names({0: taken, 1: "another"})  # together it fits
    assert [cluster.name for cluster in discovery.clusters_[:2]] == [taken, "another"]


def test_a_model_alone_cannot_be_edited(discovery, tmp_path):
    discovery.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"RelationDiscovery\.load"):
        RelationDiscovery.from_pretrained(str(tmp_path)).merge_clusters([0, 1])


@given(data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_edited_no_row_is_lost(found, dataset, data):
    """Any edits that fit: each row has one place, which the model knows, and replays are equal."""
    discovery = copy.copy(found)
    discovery.model_ = copy.deepcopy(found.model_)
    for _ in range(data.draw(st.integers(1, 4))):
        ids = [cluster.id for cluster in discovery.clusters_]
        kind = data.draw(st.sampled_from(["merge", "split", "reject", "direction"]))
        chosen = data.draw(st.permutations(ids))
        edit = {
            "merge": {"merge": chosen[:2]},
            "split": {"split": {"cluster": chosen[0], "into": 2}},
            "reject": {"reject": chosen[:1]},
            "direction": {"direction": chosen[:1]},
        }[kind]
        try:
            discovery.edit([*discovery.edits_, edit])
        except ValueError:
            continue  # it does not fit, and nothing has changed
    sizes = [int((discovery.labels_ == number).sum()) for number in range(len(discovery.clusters_))]
    assert [cluster.size for cluster in discovery.clusters_] == sizes
    assert discovery.model_.find_problem() is None
    embeddings = torch.as_tensor(discovery.embeddings_)
    if discovery.model_.cluster_map_weight is None:
        labels = discovery.model_.assign_clusters(embeddings)
        np.testing.assert_array_equal(labels.numpy(), discovery.labels_)
    before = state(discovery)
    assert state(discovery.edit(discovery.edits_)) == before
