# make bench   set up .venv and run the benchmarks with the energy summary
# make test    set up .venv and run lint, types, layers and tests
# An active virtual environment is used instead of .venv; VENV=DIR names another. ARGS= goes to pytest.

PYTHON ?= python3
VENV ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -q
ARGS ?=

.PHONY: bench test lint types layers tests golden clean
.DELETE_ON_ERROR:

bench: $(VENV)/.installed-bench
	$(BIN)/python -m pytest benchmarks --energy-report $(ARGS)

test: lint types layers tests

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-bench: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e '.[cnn,llm]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e '.[cnn,llm,dev]'
	touch $@ $(VENV)/.installed-bench

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

tests: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

golden: $(VENV)/.installed-dev
	ENERGY_GOLDEN=accept $(BIN)/python -m pytest tests/golden
	git diff --stat tests/golden

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* dist
