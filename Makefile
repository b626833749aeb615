# Zahltag: everything a newcomer needs is `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes -r requirements.lock

.DEFAULT_GOAL := help
# Where the environment forbids it, each of the suite's hundreds of processes compiles all modules.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup demo test check bench chaos fmt lock histories

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## make the environment .venv with every pinned dependency

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Zahltag needs Python 3.11 or newer; set PYTHON=python3.12, say."; exit 1; }
	@echo "Installing the pinned dependencies into $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@# uv takes seconds where pip takes a minute; where it finds no registry, pip may.
	@awk '/^[^ ]/{uv = /^uv==/} uv' requirements.lock > $(VENV)/uv.lock
	@$(PIP) --require-hashes -r $(VENV)/uv.lock
	@UV_DEFAULT_INDEX=$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)} \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(LOCKED) \
	  || { echo "uv could not; pip takes a minute or two longer ..."; $(PIP) $(LOCKED); }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## start everything, run the sample orders, show the result (EXIT=1: then stop)
	@$(BIN)/zahltag demo $(if $(EXIT),--exit,)

# Much of the time goes by in waiting for servers: three workers, each with servers of its own.
# What waits longest comes first (tests/conftest.py), not the files with the most tests.
test: setup ## run the whole test suite, servers included
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

check: setup ## style, types, the arrows between the packages, lock file current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/lock_is_current.py

fmt: setup ## format the code and mend what can be mended
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: setup ## write the lock file anew after a change of dependencies
	@$(BIN)/python .ci/lock_is_current.py --write

histories: setup ## record the committed workflow histories anew, after a deliberate change
	@ZAHLTAG_RECORD_HISTORIES=1 $(BIN)/pytest -q tests/workflows/test_replay.py tests/workflows/test_rule_replay.py tests/workflows/test_dunning_replay.py -k fresh

bench: setup ## measure what an order costs
	@$(BIN)/python bench/run.py

chaos: setup ## kill and break everything for MINUTES=3 and check the books; SEED=n repeats a run
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))
