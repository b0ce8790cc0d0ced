# Everything a checkout needs. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SPEC ?= examples/permuted_digits.json
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help install demo up test test-fast nightly check format generate lock bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## make .venv with pinned versions

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: install ## train five tasks with and without EWC, and print the score matrix
	@state=$$(mktemp -d) && trap 'rm -rf "$$state"' EXIT && \
	env -u EWC_URL -u EWC_API_KEY -u EWC_DATABASE_URL -u EWC_BROKER_URL EWC_STATE_DIR="$$state" \
	  $(BIN)/ewc submit $(SPEC) --watch

up: install ## run the service here until Ctrl-C
	@$(BIN)/ewc up

test: install ## run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-fast: install ## run the tests without servers and processes, in three minutes at most
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "unit or docs"

nightly: install ## run the tests that take minutes: fuzzing, many faults and races, load, generated clients
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m nightly

check: install ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

generate: install ## write what is made from the code: openapi.json, docs/problems.md
	$(BIN)/python -m api.openapi
	$(BIN)/python -m api.problem_pages

# torch's wheels for the CPU lie on an index of their own: TORCH_CPU_WHEELS is a folder or a page with links to them.
UV_COMPILE := $(BIN)/uv pip compile pyproject.toml -c constraints.txt --generate-hashes --no-annotate --no-header \
  --python-version 3.11 --python-platform x86_64-manylinux_2_28
lock: install ## write locks/: all versions with their hashes; TORCH_CPU_WHEELS=FOLDER has torch's wheels for the CPU
	test -n "$(TORCH_CPU_WHEELS)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lock]'
	$(UV_COMPILE) --output-file locks/cuda.txt
	$(UV_COMPILE) --output-file locks/cpu.txt --find-links "$(TORCH_CPU_WHEELS)" --override locks/cpu.in

bench: install ## run every benchmark (about half an hour; wants a quiet machine)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks

clean: ## remove .venv and what tools have left behind (not .ewc)
	rm -rf $(VENV) *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
