"""Test the tables and figures of the paper: cells that run once, rivals, and what reports say."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertModel, BertTokenizer

from benchmarks.paper import experiment as paper_experiment
from benchmarks.paper import methods as paper_methods
from benchmarks.paper import tables as paper
from benchmarks.paper.cells import Cell, CellStore
from benchmarks.paper.methods import METHODS, Budget, make_cell, recipe_of, recipe_values, variant
from benchmarks.paper.protocols import PROTOCOLS, Corpus, Examples
from benchmarks.paper.report import COLUMNS, PUBLISHED, summarize
from benchmarks.paper.rivals import info_nce_loss, lacks_masked_words, prompt_embeddings, prompt_ids
from tests.helpers.rows import TYPE_WORDS, WORDS, make_rows

SMALL = [
    *("--dataset", "sample", "--num_clusters", "4"),
    *("--max_train_samples", "36", "--max_eval_samples", "30"),
    *("--dropouts", "0.1", "0.5", "--neighbors", "5", "20"),
]


def folders(root: Path) -> list[str]:
    """Arguments for a work folder and a results folder below `root`."""
    return ["--work_dir", str(root / "work"), "--results_dir", str(root / "results")]


def tacred_row(row_id: str, relation: str) -> dict:
    """A row of TACRED, whose ends are inclusive."""
    tokens = ["Mira", "Oz", "now", "heads", "Salt", "Works", "-LRB-", "Lund", "-RRB-"]
    subject = {"subj_start": 4, "subj_end": 5, "subj_type": "ORGANIZATION"}
    object_ = {"obj_start": 0, "obj_end": 1, "obj_type": "PERSON"}
    heads = ["2", "4", "4", "0", "6", "4", "8", "6", "8"]
    row = {"id": row_id, "docid": "D1", "relation": relation, "token": tokens}
    return {**row, **subject, **object_, "stanford_head": heads}


@pytest.fixture(scope="module")
def speaker(tmp_path_factory):
    """The folder of an encoder of one layer with a masked-word head."""
    folder = str(tmp_path_factory.mktemp("speaker"))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *TYPE_WORDS]
    BertTokenizer({word: i for i, word in enumerate(words)}).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    BertForMaskedLM(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def loud():
    """Leaves the library's own settings to the other tests of the process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "quiet", lambda: None)
        yield


@pytest.fixture
def counted(monkeypatch):
    """The names of the cells that are run."""
    names, run = [], paper_methods.run
    monkeypatch.setattr(
        paper_experiment, "run", lambda cell, *args: names.append(cell.name) or run(cell, *args)
    )
    return names


def fails(capsys, arguments, *words):
    with pytest.raises(SystemExit) as stop:
        paper.main(list(map(str, arguments)))
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if line.startswith("benchmarks.paper: ")]
    assert stop.value.code == 2 and len(lines) == 1
    for word in words:
        assert word in lines[0], lines[0]


# --------------------------------------------------------------------------------------------------
# The whole command


@pytest.fixture(scope="module")
def finished(speaker, tmp_path_factory):
    """A root folder with all tables and figures of two seeds, and the command's arguments."""
    root = tmp_path_factory.mktemp("paper")
    arguments = [*SMALL, "--encoder", speaker, "--epochs", "1", "--seeds", "0", "1"]
    paper.main([*arguments, *folders(root)])
    return root, arguments


def work_of(root: Path) -> Path:
    return root / "work" / "paper" / "sample"


def tables_of(report: Path) -> list[list[str]]:
    """The lines of each table in a report, without its header."""
    tables = [[]]
    for line in report.read_text().splitlines():
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    return [table[2:] for table in tables if table]


def test_all_rows_tables_and_figures_are_there(finished, speaker):
    root, _ = finished
    folder = work_of(root)
    results = json.loads((folder / "results.json").read_text())
    titles = [line["title"] for line in results["table2"]]
    expected = []
    for method in METHODS.values():
        expected.append(method.title)
        if method.shows_others:  # the paper's own clustering is by k-means
            others = (
                [" (k-means)", " (cluster head)"]
                if method.recipe == "default"
                else [" (cluster head)"]
            )
            expected += [method.title + other for other in others]
    assert titles == expected
    assert [line["dropout"] for line in results["table3"]] == [0.1, 0.5]
    assert [line["num_neighbors"] for line in results["figure3"]] == [5, 20]
    by_method = {line["method"]: line for line in results["table2"]}
    assert (
        by_method["default"]["settings"]["learning_rate"] == recipe_of("default")["learning_rate"]
    )
    assert by_method["paper"]["settings"]["optim"] == "sgd"
    assert by_method["no_mlps"]["overrides"] == {
        "use_mlps": False,
        "pretrained_weight_share": 0.0,
        "num_train_epochs": 1,
    }
    # 0.1 is what the encoder has.
    assert results["table3"][0]["scores"] == by_method["default"]["scores"]
    assert results["figure3"][1]["scores"] == by_method["default"]["scores"]
    assert all(len(mined) == 1 for mined in results["figure3"][0]["neighbor_accuracy"])
    assert speaker not in (folder / "results.json").read_text()
    for number in (2, 3, 4, 5):
        assert (folder / f"figure{number}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"figure{number}.png").stat().st_size > 10_000
        assert "</svg>" in (folder / f"figure{number}.svg").read_text()
    assert not list(root.rglob("*.partial*"))
    report = (root / "results" / "paper" / "sample.md").read_text()
    assert "- command: `python -m " in report and "--encoder ENCODER" in report
    assert str(root) not in report and speaker not in report
    for heading in ("Table 2", "Table 3", "Figure 3", "Settings of Table 2"):
        assert f"## {heading}\n" in report
    measured = results["measured"]
    assert measured["machine"] in report and f"- commit: {measured['commit']}\n" in report


@pytest.mark.parametrize(("name", "position"), [("table2", 0), ("table3", 1)])
def test_markdown_says_what_the_csv_says(finished, name, position):
    root, _ = finished
    with (work_of(root) / f"{name}.csv").open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    table = tables_of(root / "results" / "paper" / "sample.md")[position]
    assert len(lines) == len(table)
    for (title, *numbers), row in zip(lines, table, strict=True):
        pairs = zip(map(float, numbers[::2]), map(float, numbers[1::2]), strict=True)
        assert [cell.strip() for cell in row.strip("|").split("|")] == [
            title,
            *(f"{mean:.1f} ± {deviation:.1f}" for mean, deviation in pairs),
        ]


def test_figure_3_as_a_table(finished):
    root, _ = finished
    results = json.loads((work_of(root) / "results.json").read_text())
    table = tables_of(root / "results" / "paper" / "sample.md")[2]
    for row, line in zip(table, results["figure3"], strict=True):
        count, accuracy, b3_f1 = (cell.strip() for cell in row.strip("|").split("|"))
        assert int(count) == line["num_neighbors"]
        last = [100 * mined[-1] for mined in line["neighbor_accuracy"]]
        assert float(accuracy.split()[0]) == pytest.approx(np.mean(last), abs=0.051)
        expected = 100 * np.mean(line["scores"]["b3_f1"])
        assert float(b3_f1.split()[0]) == pytest.approx(expected, abs=0.051)


def test_floors_by_hand(finished):
    root, _ = finished
    folder = work_of(root)
    results = json.loads((folder / "results.json").read_text())
    by_method = {line["method"]: line["scores"] for line in results["table2"]}
    for index, seed in enumerate(results["seeds"]):
        rows = Corpus("sample", None, 36, 30).examples(seed)
        relations, pairs = rows.scored["relation"], rows.type_pairs()
        shares = [relations.count(relation) / len(relations) for relation in relations]
        one = {key: values[index] for key, values in by_method["one_cluster"].items()}
        assert one["b3_precision"] == pytest.approx(np.mean(shares)) and one["b3_recall"] == 1
        assert (
            one["v_measure_homogeneity"] == one["ari"] == 0 and one["v_measure_completeness"] == 1
        )
        both = list(zip(relations, pairs, strict=True))
        precision = np.mean([both.count(item) / pairs.count(item[1]) for item in both])
        recall = np.mean([both.count(item) / relations.count(item[0]) for item in both])
        assert by_method["type_pairs"]["b3_precision"][index] == pytest.approx(precision)
        assert by_method["type_pairs"]["b3_recall"][index] == pytest.approx(recall)
        assert by_method["type_pairs"]["b3_f1"][index] == pytest.approx(
            2 / (1 / precision + 1 / recall)
        )


def test_a_second_run_runs_nothing_and_other_settings_run_again(
    finished, counted, monkeypatch, tmp_path
):
    root = Path(shutil.copytree(finished[0], tmp_path / "out"))
    arguments = [*finished[1], *folders(root)]
    monkeypatch.setattr(paper, "draw", lambda *_: None)
    files = [work_of(root) / name for name in ("results.json", "table2.csv", "table3.csv")]
    files.append(root / "results" / "paper" / "sample.md")
    before = [file.read_bytes() for file in files]
    paper.main(arguments)
    assert counted == [] and before == [file.read_bytes() for file in files]

    one = [*arguments, "--seeds", "0", "--only", "table2", "--methods"]
    paper.main([*one, "default", "one_cluster", "--num_clusters", "3"])
    assert counted == ["trained,default,num_train_epochs=1,seed=0"]  # the floor knows no clusters
    paper.main([*one, "default", "one_cluster", "--num_clusters", "3"])
    assert len(counted) == 1
    paper.main([*one, "default", "--num_clusters", "3", "--max_train_samples", "30"])
    assert len(counted) == 2
    another_recipe = {"learning_rate": 1.0}
    monkeypatch.setattr(paper_experiment, "recipe_values", lambda _: another_recipe)
    paper.main([*one, "default", "--num_clusters", "3", "--max_train_samples", "30"])
    assert len(counted) == 3


def test_untrained_cells_do_not_depend_on_the_training():
    trained, untrained = (
        recipe_values(Cell(kind, 0, "default")) for kind in ("trained", "untrained")
    )
    assert trained == recipe_of("default") and untrained.items() < trained.items()
    assert (
        "mention_depth" in untrained
        and "clustering_method" in untrained
        and "learning_rate" not in untrained
    )


def test_cells_do_not_depend_on_what_they_override():
    assert "learning_rate" not in recipe_values(
        Cell("trained", 0, "default", {"learning_rate": 1.0})
    )


def test_what_was_finished_before_a_stop_is_kept(speaker, tmp_path, counted, monkeypatch, capsys):
    arguments = [*SMALL, "--encoder", speaker, "--seeds", "0", "--only", "table2"]
    arguments += folders(tmp_path)
    arguments += ["--methods", "one_cluster", "type_pairs", "untrained_mention"]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(paper_methods, "_run_trainer", stop)
        with pytest.raises(SystemExit) as stopped:
            paper.main(arguments)
    assert stopped.value.code == 130 and "kept" in capsys.readouterr().err
    assert len(list((work_of(tmp_path) / "cells").glob("*.json"))) == 2
    counted.clear()
    monkeypatch.setattr(paper, "draw", lambda *_: None)
    paper.main(arguments)
    assert len(counted) == 1 and "untrained, mention" in capsys.readouterr().out


def test_a_summary_of_several_corpora(finished, tmp_path, capsys):
    root = Path(shutil.copytree(finished[0], tmp_path / "out"))
    results = json.loads((work_of(root) / "results.json").read_text())
    lines = [line for line in results["table2"] if line["method"] == "paper"]
    keys = ("b3_f1", "v_measure_f1", "ari")
    printed = PUBLISHED["tacred"]["SiamURE"]
    scores = {key: [value / 100] for key, value in zip(keys, printed, strict=True)}
    lines.append({"method": "published", "title": "published: SiamURE", "scores": scores})
    other = work_of(root).with_name("tacred")
    other.mkdir()
    content = {**results, "corpus": "tacred", "table2": lines}
    (other / "results.json").write_text(json.dumps(content))
    paper.main([*folders(root), "--summarize", "sample", "tacred"])
    table = capsys.readouterr().out
    assert table.strip() == summarize([results, content]).strip()
    assert table in (root / "results" / "paper" / "summary.md").read_text() + "\n"
    default = next(line for line in results["table2"] if line["method"] == "default")["scores"]
    means = [f"{50 * sum(default[key]):.1f}" for key in keys]
    assert f"| ours, default recipe | {' / '.join(means)} | – |" in table
    assert "| published: SiamURE | – | 59.5 / 66.7 / 50.6 |" in table
    assert "| | sample (C = 4) | tacred (C = 4) |" in table


def test_published_rows_stand_beside_tacred(speaker, tmp_path, monkeypatch):
    rows = [
        tacred_row(f"t{number}", "per:age" if number % 3 else "per:title") for number in range(12)
    ]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    monkeypatch.setattr(paper, "draw", lambda *_: None)
    arguments = ["--dataset", "tacred", "--data_dir", str(tmp_path), "--encoder", speaker]
    arguments += ["--seeds", "0", "--only", "table2", "--methods", "one_cluster", "type_pairs"]
    paper.main([*arguments, *folders(tmp_path)])
    report = (tmp_path / "results" / "paper" / "tacred.md").read_text()
    assert "| published: SiamURE | – | – | 59.5 | – | – | 66.7 | 50.6 |" in report
    precision = 100 * (2 / 3 * 2 / 3 + 1 / 9)
    assert f"| everything in one cluster | {precision:.1f} | 100.0 |" in report
    assert "12 rows trained on, 12 scored, the same rows" in report and "10 clusters" in report
    assert "--data_dir DATA_DIR" in report and "## Table 3" not in report


def test_bad_input_is_one_line(encoder, tmp_path, capsys):
    out = folders(tmp_path)
    nowhere = tmp_path / "nowhere"
    fails(capsys, [], "--dataset")
    fails(capsys, ["--dataset", "news", *out], "news")
    fails(capsys, ["--dataset", "fewrel", *out], "--data_dir")
    fails(capsys, ["--dataset", "fewrel", "--data_dir", tmp_path, *out], str(tmp_path))
    fails(capsys, [*SMALL, *out, "--seeds", 1, 1], "--seeds")
    fails(capsys, [*SMALL, *out, "--epochs", 0], "'0'")
    fails(capsys, [*SMALL, *out, "--methods", "best"], "best")
    small = [*SMALL, *out, "--encoder", encoder]
    fails(capsys, [*small, "--num_clusters", 31], "31 clusters")
    fails(capsys, [*small, "--epochs", 2, "--warmup_epochs", 2], "--warmup_epochs 2")
    fails(capsys, [*SMALL, *out, "--encoder", nowhere], "nowhere")
    fails(capsys, [*out, "--summarize", "nowhere"], "nowhere")
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------------------
# Cells


def test_sweeps_share_the_cell_of_the_recipe():
    def name(method, budget=None, rows=100):
        return make_cell(method, 0, budget or Budget(), rows, own_dropout=0.1).name

    recipe = recipe_of("default")
    assert name(METHODS["default"]) == "trained,default,seed=0"
    assert (
        name(variant(num_neighbors=recipe["num_neighbors"]))
        == name(variant(dropout=0.1))
        == name(METHODS["default"])
    )
    assert name(variant(dropout=0.2)) == "trained,default,dropout=0.2,seed=0"
    assert "num_neighbors=9" in name(METHODS["neighbor_cosine"], rows=10)
    assert "num_train_epochs" not in name(METHODS["untrained_mention"], Budget(epochs=7))
    assert make_cell(variant(dropout=0.1), 0, Budget(3), 100, 0.1).keeps_embeddings
    assert not make_cell(variant(dropout=0.2), 0, Budget(3), 100, 0.1).keeps_embeddings
    assert Budget(epochs=1).overrides("paper") == {"num_train_epochs": 1, "warmup_epochs": 0}
    assert Budget().overrides("paper")["warmup_epochs"] == 5


def test_a_cell_that_was_cut_short_is_not_there(tmp_path):
    store, cell = CellStore(tmp_path), Cell("trained", 0, "default")
    store.write(cell, {"rows": 1}, {"scores": {}}, {"labels": np.arange(3)})
    assert store.read(cell, {"rows": 1})["scores"] == {} and store.read(cell, {"rows": 2}) is None
    with pytest.raises(ZeroDivisionError):
        store.write(cell, {"rows": 1}, {"scores": {}}, {"labels": np.arange(3), "h": _Broken()})
    assert store.read(cell, {"rows": 1}) is None


class _Broken:
    def __array__(self, *_, **__):
        raise ZeroDivisionError


# --------------------------------------------------------------------------------------------------
# Rivals


def test_info_nce_against_loops():
    torch.manual_seed(0)
    views = torch.randn(2, 5, 7, requires_grad=True)

    def cosine(one, other):
        return ((one @ other) / (one.norm() * other.norm())).item()

    losses = []
    for anchor in range(5):
        scores = [math.exp(cosine(views[0, anchor], views[1, other]) / 0.05) for other in range(5)]
        losses.append(-math.log(scores[anchor] / sum(scores)))
    loss = info_nce_loss(views)
    assert loss.item() == pytest.approx(sum(losses) / 5, rel=1e-4)
    loss.backward()
    assert all(views.grad[view].abs().sum() > 0 for view in (0, 1))


def test_a_prompt_is_read_at_its_mask(speaker):
    tokenizer = AutoTokenizer.from_pretrained(speaker)
    row = make_rows(1)[0]
    whole = tokenizer.decode(prompt_ids(tokenizer, row, 64))
    assert whole == f"[CLS] {row['sentence']} {row['head']} [MASK] {row['tail']} [SEP]"
    cut = tokenizer.decode(prompt_ids(tokenizer, {**row, "sentence": "may " * 100}, 16))
    assert cut == f"[CLS]{' may' * 11} {row['head']} [MASK] {row['tail']} [SEP]"
    long = prompt_ids(tokenizer, {**row, "head": "in " * 50, "tail": "who " * 50}, 16)
    assert len(long) <= 16 and tokenizer.mask_token_id in long

    rows = Dataset.from_list([*make_rows(6), {**row, "sentence": f"[MASK] {row['sentence']}"}])
    embeddings = prompt_embeddings(speaker, rows, 64, batch_size=3)
    model = BertModel.from_pretrained(speaker, add_pooling_layer=False).eval()
    for row, found in zip(rows, embeddings, strict=True):
        ids = prompt_ids(tokenizer, row, 64)
        at = len(ids) - 1 - ids[::-1].index(tokenizer.mask_token_id)
        with torch.inference_mode():
            state = model(torch.tensor([ids])).last_hidden_state[0, at]
        np.testing.assert_allclose(found, state, atol=1e-5)


def test_encoders_without_a_masked_word_head_are_told(encoder, speaker, tmp_path):
    assert lacks_masked_words(speaker) is None
    assert "BertModel" in lacks_masked_words(encoder)
    AutoTokenizer.from_pretrained(speaker).save_pretrained(tmp_path)
    bare = BertModel.from_pretrained(speaker)
    bare.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "architectures": ["BertForMaskedLM"]})
    )
    assert "lacks weights" in lacks_masked_words(str(tmp_path))


# --------------------------------------------------------------------------------------------------
# Rows


def test_rows_say_how_many_are_seen():
    rows = Dataset.from_list(make_rows(20))
    assert "none of them trained on" in Corpus("sample", None, 36, 30).examples(0).describe()
    assert "the same rows" in Examples(rows, rows).describe()
    assert "all of them trained on too" in Examples(rows, rows.select(range(5))).describe()
    first, second = Examples(rows, rows), Examples(rows, rows.select(range(19)))
    assert first.fingerprint() == Examples(rows, rows).fingerprint() != second.fingerprint()


def test_fewrel_sets_a_fifth_aside(tmp_path):
    def instance(number):
        return {
            "tokens": ["Ada", "leads", f"Acme{number}"],
            "h": ["Ada", "1", [[0]]],
            "t": ["Acme", "2", [[2]]],
        }

    content = {
        relation: [instance(f"{relation}{n}") for n in range(10)] for relation in ("P1", "P2")
    }
    (tmp_path / "val_wiki.json").write_text(json.dumps(content))
    (tmp_path / "pid2name.json").write_text(json.dumps({"P1": ["leads", "to lead"]}))
    corpus = Corpus("fewrel", str(tmp_path))
    rows = corpus.examples(0)
    assert (len(rows.train), len(rows.scored), rows.has_types) == (16, 4, False)
    assert not set(rows.train["text"]) & set(rows.scored["text"])
    assert corpus.relation_names == {"P1": "leads"} and corpus.num_clusters(rows) == 16
    with pytest.raises(ValueError, match="no split 'val_pubmed'"):
        Corpus("pubmed", str(tmp_path))
    assert set(PUBLISHED) == {
        name for name, protocol in PROTOCOLS.items() if protocol.recipe == "paper"
    }
    assert set(COLUMNS.values()) >= {"b3_f1", "v_measure_f1", "ari"}
