# Two commands for a newcomer: `make demo` and `make test`. Each sets up .venv first, once.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Compiles what is not in the kernel cache yet: nobody's first call waits.
KERNELS = $(BIN)/python -c 'from divergences import _compiler; print("kernels:", _compiler.load())'
DOCS   := $(VENV)/.installed-docs
PEERS  := .venv-bench/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help demo test setup fix check claims bench docs

help:
	@echo "make demo    compare real data, verify the lecture claims, train two GANs; ends with one HTML report"
	@echo "make test    run the tests          make check   lint, types, import contracts"
	@echo "make claims  write docs/claims.md   make bench   write docs/benchmarks.md"
	@echo "make fix     format                 make docs    build the documentation      make setup   install only"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) (a minute or two, once) ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@$(KERNELS)
	@touch $@

setup: $(STAMP)
	@$(KERNELS)

demo: $(STAMP)
	@$(BIN)/python docs/demo.py

test: $(STAMP)
	@$(BIN)/python -m pytest

fix: $(STAMP)
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports

claims: $(STAMP)
	@$(BIN)/python -m pytest tests/claims --claims=docs/claims.md --deep -q

$(PEERS): pyproject.toml
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@echo "Setting up .venv-bench ..."
	@.venv-bench/bin/python -m pip install --quiet '.[bench]'
	@touch $@

bench: $(STAMP) $(PEERS)
	@$(BIN)/python tests/bench/run.py docs/benchmarks.md
	@$(BIN)/python tests/bench/calibration.py docs/calibration.md
	@$(BIN)/python tests/bench/drift.py docs/drift-benchmarks.md

$(DOCS): $(STAMP)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(DOCS)
	@$(BIN)/sphinx-build --quiet -n -W -b html docs docs/_build
	@echo "docs/_build/index.html"
