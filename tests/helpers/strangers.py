"""Processes of others, who load a model that this package saved."""

import json
import subprocess
import sys

# What travels with a saved model.
CODE = {"configuration_siamure.py", "markers.py", "modeling_siamure.py", "pipeline.py"}

# A machine with nothing but torch and transformers (and accelerate, which device_map asks for).
STRANGER = """
import json, sys
for name in ("modeling_siamure", "data_scripts", "datasets", "sklearn", "evaluate"):
    sys.modules[name] = None  # importing it fails from here on
import torch
from transformers import AutoModel, AutoTokenizer, pipeline
trust = {"trust_remote_code": True}
text, spans, folder, first = json.loads(sys.argv[1])

def embedding(model, tokenizer):
    return model(**tokenizer(text, return_tensors="pt")).relation_embedding[0].float().tolist()

def load(name, **options):
    return AutoModel.from_pretrained(name, **trust, **options), AutoTokenizer.from_pretrained(name, **trust)
"""


def run(code: str, *arguments, environment, cwd) -> dict:
    """What some code prints as JSON, last, in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
