# All tasks of the project. Needs python3 (3.11–3.13), python3-venv and make; nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
PORT   ?= 8000
DEMO   ?= demo
# Folders that lint and types look at.
CODE   := gridsvc geodata maps api tests scripts

.PHONY: help setup web demo serve test test-all check fmt lint types imports bench notebooks golden docs postgis clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       install, build the web assets and the sample city, serve on 127.0.0.1:$(PORT)"
	@echo "make test       install and run the tests"
	@echo "make check      lint, types, import rules and the tests"
	@echo "make bench      measure against named peers and print a table"
	@echo "make test-all   longer fuzzing and soak runs as well"
	@echo "others: setup web serve fmt lint types imports notebooks golden docs postgis clean"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info[:2] <= (3,13) else "gridsvc needs Python 3.11 to 3.13; call make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing gridsvc …"
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing gridsvc with the test tools …"
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/run.stamp

setup: $(VENV)/dev.stamp

web: $(VENV)/run.stamp
	$(BIN)/python scripts/build_web.py

demo: web
	$(BIN)/gridsvc demo --out $(DEMO) --port $(PORT)

serve: web
	$(BIN)/gridsvc serve --port $(PORT)

# Two workers at least, four at most; each file's tests stay together.
TESTS := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test: $(VENV)/dev.stamp
	$(BIN)/python scripts/build_web.py
	$(TESTS) -m "not slow"

test-all: $(VENV)/dev.stamp
	$(BIN)/python scripts/build_web.py
	$(TESTS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

fmt: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

check: lint types imports test

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.benchmarks

notebooks: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/integration/test_notebooks.py

golden: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --update-golden tests

docs: $(VENV)/dev.stamp
	$(BIN)/python scripts/settings_page.py

postgis:
	$(PYTHON) scripts/postgis.py start

clean:
	-$(PYTHON) scripts/postgis.py stop
	rm -rf $(VENV) $(DEMO) maps/static maps/web/node_modules .mypy_cache .ruff_cache .hypothesis .gridsvc
