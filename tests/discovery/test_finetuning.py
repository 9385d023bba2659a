"""A training inside a discovery that is given up: said everywhere, also when it is resumed."""

import functools

import pytest
from huggingface_hub import ModelCard

from modeling_siamure import SiamURETrainer
from modeling_siamure.cli import main
from modeling_siamure.discovery import saved
from tests.helpers.commands import run
from tests.helpers.rows import make_rows, write_rows

REASON = "trained, because neighbors agree on clusters hardly better than entity types"


def test_a_training_that_is_given_up_says_so_everywhere(
    recipe, tmp_path, monkeypatch, capsys, caplog
):
    rows = [
        row | {"tail_type": ("FIRM", "SHOP")[number % 2]}
        for number, row in enumerate(make_rows(60))
    ]
    path = write_rows(tmp_path / "mine.jsonl", rows)
    averaged = tmp_path / "averaged.yaml"
    with open(recipe) as file:
        text = file.read().replace("num_train_epochs: 1", "num_train_epochs: 3")
    averaged.write_text(f"{text}pretrained_weight_share: 0.5\n")
    output = tmp_path / "out"
    command = ("discover", path, "--recipe", averaged, "--train", "--num_clusters", 3)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        check = functools.partialmethod(SiamURETrainer._check_neighbor_quality, min_agreement=2.0)
        patch.setattr(SiamURETrainer, "_check_neighbor_quality", check)
        patch.setattr(saved, "build_report", interrupted)
        with pytest.raises(SystemExit):
            run(main, *command, "--output_dir", output, "--no_progress")
    assert f"not {REASON}" in caplog.text and "no whole checkpoint" not in caplog.text
    caplog.clear()
    # The training is finished: the run that resumes only reads why there was none.
    run(main, *command, "--output_dir", output, "--no_progress")
    assert f"not {REASON}" in caplog.text and f"not {REASON}" in capsys.readouterr().out
    assert f"not {REASON}" in (output / "report.html").read_text(encoding="utf-8")
    card = ModelCard.load(output / "model" / "README.md").content
    assert f"Not {REASON}" in card and f"- not {REASON}" in card
    assert "| training | none on these data |" in card
