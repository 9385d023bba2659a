PYTHON ?= python3
BIN := .venv/bin
export TOKENIZERS_PARALLELISM ?= false

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.venv/demo: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[demo]"
	@touch $@

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[demo,dev]"
	@touch $@ .venv/demo

DEMO := siamure-demo
demo: .venv/demo  ## train, cluster and score the embedded corpus; leaves siamure-demo/ with a report
	@$(BIN)/accelerate launch --config_file recipes/accelerate/one_gpu.yaml \
		train.py recipes/demo.yaml --output_dir $(DEMO)
	@$(BIN)/siamure discover data_scripts/sample/validation.jsonl --model $(DEMO) --num_clusters 19 \
		--output_dir $(DEMO)/discovery

test: .venv/installed  ## the test suite, offline
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

test-all: .venv/installed browser  ## also the tests that need a browser, clean environments or long kills
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m ""

browser:  ## Chromium for test-all, by apt
	command -v chromium && command -v chromedriver || (apt-get update && apt-get install -y chromium chromium-driver)

lint: .venv/installed  ## style, format, spelling and language (CONTRIBUTING.md)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/python -m doctest tools/language.py tools/ratchet.py
	@$(BIN)/python tools/language.py

types: .venv/installed  ## mypy; the number of its errors may only fall
	@$(BIN)/mypy | $(BIN)/python tools/ratchet.py .mypy-errors

docs: .venv/installed  ## the documentation, into build/docs
	$(BIN)/pip install --quiet --constraint constraints.txt ".[docs]"
	$(BIN)/mkdocs build --strict --quiet

bench: .venv/installed  ## what the README's figures come from
	$(BIN)/pip install --quiet --constraint constraints.txt ".[bench]"
	$(BIN)/python -m benchmarks.discovery.demo
	$(BIN)/python -m benchmarks.speed.metric

.PHONY: help demo test test-all browser lint types docs bench
