# make demo         train a network on real data: eager, compiled for NumPy (and for XLA where JAX is installed)
# make test         all tests that need no other autodiff library
# make test-oracle  the differential tests against PyTorch and JAX
# make lint types bench
#
# Everything is installed into .venv; the only things needed beforehand are Python 3.11 or newer and make.

PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13 python3.14 python,$(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$(p))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
STAMP := $(VENV)/.tracegrad
ORACLE := $(BIN)/python -c 'import jax, torch; assert torch.__version__.startswith("2.13.0")'
WORKERS ?= 2

.PHONY: demo test test-oracle lint format types layers bench clean
.DELETE_ON_ERROR:

demo: $(STAMP)-examples
	$(BIN)/python examples/digits.py

test: $(STAMP)-test
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-oracle: $(STAMP)-test
	@if $(ORACLE) 2>/dev/null || { echo 'test-oracle: installing torch==2.13.0 and jax into $(VENV)'; \
	    $(PIP) install 'torch==2.13.0' jax >$(VENV)/oracle.log 2>&1 && $(ORACLE); }; then \
	  $(BIN)/python -m pytest -n $(WORKERS) $(ARGS) $$(find tests -name 'test_oracle_*.py' | sort); \
	else \
	  echo 'test-oracle: skipped, because torch==2.13.0 and jax could not be installed (see $(VENV)/oracle.log)'; \
	fi

lint: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)-dev
	$(BIN)/ruff format .

types: $(STAMP)-dev
	$(BIN)/mypy

layers: $(STAMP)-test
	$(BIN)/python -m pytest tests/architecture/test_layers.py

bench: $(STAMP)-examples
	$(BIN)/python benchmarks/per_op.py
	$(BIN)/python benchmarks/rosenbrock.py
	$(BIN)/python benchmarks/engine.py

clean:
	rm -rf $(VENV) output .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@if [ -z '$(PYTHON)' ]; then echo 'make: Python 3.11 or newer was not found; say make PYTHON=/path/to/python'; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(STAMP)-examples: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[examples]'
	@touch $@

$(STAMP)-test: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[examples,test]'
	@touch $@

$(STAMP)-dev: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	@touch $@
