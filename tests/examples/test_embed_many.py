"""The example, run as a reader runs it, on a local Ray."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator
from datasets import load_dataset

from modeling_siamure.data_collator import tokenize_dataset
from modeling_siamure.embedding import embed_dataset

pytest.importorskip("ray")
EXAMPLE = Path(__file__).parents[2] / "examples" / "embed_many.py"


@pytest.mark.extended
def test_a_cluster_embeds_what_one_process_does(model, tokenizer, rows, tmp_path):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "in").mkdir()
    for shard in range(2):
        rows.shard(2, shard).to_parquet(tmp_path / "in" / f"{shard}.parquet")
    paths = [tmp_path / "model", tmp_path / "in" / "*.parquet", tmp_path / "out"]
    command = [EXAMPLE, *paths, "--workers", "1"]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written_files = str(tmp_path / "out" / "*.parquet")
    written = load_dataset("parquet", data_files=written_files, split="train").sort("id")
    rows = rows.sort("id")
    assert written["text"] == rows["text"]
    tokenized = tokenize_dataset(rows, tokenizer)
    expected = embed_dataset(model, tokenizer, tokenized, Accelerator(cpu=True)).relation
    np.testing.assert_allclose(np.array(written["relation_embedding"]), expected, atol=1e-5)


@pytest.mark.extended
def test_no_files_is_one_line(tmp_path):
    command = [EXAMPLE, tmp_path, tmp_path / "*.parquet", tmp_path / "out"]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 2 and "there are no files" in done.stderr.splitlines()[-1]
