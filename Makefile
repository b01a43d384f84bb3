# Two commands: `make reproduce` (the main job) and `make test`. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Larch's closed loops gain nothing from BLAS threads, and two test workers must not fight over two cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export PYTHONUTF8 := 1

.PHONY: reproduce test lint format docs clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	# uv installs in a quarter of pip's time; where it cannot be had, pip does the same work
	$(BIN)/python -m pip install -q uv && VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q -e ".[dev]" \
		|| $(BIN)/python -m pip install -q -e ".[dev]"
	@touch $(STAMP)

reproduce: $(STAMP)
	$(BIN)/xasuite reproduce

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -q $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) results build dist
