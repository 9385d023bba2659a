PYTHON ?= python3
BIN := .venv/bin
export TOKENIZERS_PARALLELISM ?= false

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[demo,dev]"
	@touch $@

demo: .venv/installed  ## train, cluster and score the embedded corpus; leaves siamure-demo/
	$(BIN)/accelerate launch --num_processes 1 train.py recipes/demo.yaml --output_dir siamure-demo

test: .venv/installed  ## the test suite, offline
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

test-all: .venv/installed browser  ## also the tests that need a browser, clean environments or long kills
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m ""

browser:  ## Chromium for test-all, by apt
	command -v chromium && command -v chromedriver || (apt-get update && apt-get install -y chromium chromium-driver)

lint: .venv/installed  ## ruff: style and format
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: .venv/installed  ## what the README's figures come from
	$(BIN)/pip install --quiet --constraint constraints.txt ".[bench]"
	$(BIN)/python -m benchmarks.discovery.demo
	$(BIN)/python -m benchmarks.speed.metric

.PHONY: help demo test test-all browser lint bench
