"""The shortest training, as documentation."""

from examples.train_minimal import main


def test_it_runs(encoder, tmp_path, capsys):
    main(encoder, num_examples=60, output_dir=str(tmp_path / "minimal"))
    printed = capsys.readouterr().out
    assert "B3 F1" in printed and "'cluster'" in printed
    assert (tmp_path / "minimal" / "model.safetensors").exists()
