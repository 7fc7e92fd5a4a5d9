# Every target works from a fresh clone: the first one to need it creates .venv.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FAULTS := parity_tests/meta/test_twin_faults.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help compare test test-full soak bench bench-quick lint format wheel clean

help: ## Print this list
	@echo 'usage: make TARGET [PYTHON=python3.11] [ARGS="more arguments for parity run, pytest, the soak or the benchmarks"]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip \
		|| $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'error: PYTHON=$(PYTHON) is not Python 3.11 or newer' >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo 'Installing the pinned packages into $(VENV)'
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,test]'
	@touch $@

compare: $(STAMP) ## Compare all four models in both frameworks; fails where they differ
	$(BIN)/parity run --model softmax dropout cnn rnn --dtype float64 float32 \
		--data embedded $(ARGS)

test: ## Run the test suite, with tf_keras and then with Keras 3
test-full: ## Run the test suite with its long tests as well
test-full: FULL := --full
test test-full: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(FULL) $(ARGS)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(FULL) --flavour=keras3 -m flavour $(ARGS)

soak: SOAKED := $(shell mktemp -d)
soak: $(STAMP) ## Find every injected fault, then report no clean pair as different (two hours or so)
	$(BIN)/python -m pytest -n 2 -q --full $(FAULTS) --faults-out=$(SOAKED)/tf_keras.json
	$(BIN)/python -m pytest -n 2 -q --full $(FAULTS) --faults-out=$(SOAKED)/keras3.json \
		--flavour=keras3
	$(BIN)/python -m benchmarks.soak --faults $(SOAKED)/*.json $(ARGS)
	@rm -r $(SOAKED)

bench: ## Measure training, checks and comparing; writes benchmarks/RESULTS.md (an hour and a half)
bench-quick: ## A part of that in two minutes, written to a folder of its own
bench-quick: BENCH := --quick --out benchmarks/quick
bench bench-quick: $(STAMP)
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,bench]'
	$(BIN)/python -m benchmarks $(BENCH) $(ARGS)

lint: $(STAMP) ## Check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP) ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(STAMP) ## Build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

clean: ## Remove everything the other targets create
	rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
