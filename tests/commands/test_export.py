"""The command `siamure export`."""

import pytest

from modeling_siamure.cli import main
from tests.helpers.discoveries import write_discovery


def test_a_file_beside_the_discovery(tmp_path, capsys):
    folder = write_discovery(tmp_path)
    main(["export", str(folder), "--to", "triples", "--min_support", "1"])
    assert capsys.readouterr().out == f"Saved to {folder / 'triples.csv'}\n"
    assert (folder / "triples.csv").read_text(encoding="utf-8").startswith("head,relation,tail")


def test_a_mistake_is_one_line(tmp_path, capsys):
    folder = write_discovery(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(folder), "--to", "excel"])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("siamure: format 'excel': it must be one of")
