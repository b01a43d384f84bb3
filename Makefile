# Two commands: `make reproduce` (the main job) and `make test`. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One BLAS thread each: two test workers must not fight over two cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export PYTHONUTF8 := 1

# uv installs in a quarter of pip's time; where it cannot be had, pip does the same work
install = ($(BIN)/python -m pip install -q uv && VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q -c constraints.txt --overrides overrides.txt -e $(1)) \
	|| $(BIN)/python -m pip install -q -c constraints.txt -e $(1)
# uv leaves byte code to the first run, which may be forbidden to write it: what `xasuite --help` loads is compiled here
compile = $(BIN)/python -m compileall -q xasuite \
	$(addprefix $(VENV)/lib/python3*/site-packages/,typer rich pygments markdown_it mdurl)

.PHONY: install reproduce test slow lint site format clean

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt overrides.txt | $(VENV)/.python
	$(call install,".[examples]")
	@$(compile)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt overrides.txt | $(VENV)/.python
	$(call install,".[dev]")
	@$(compile)
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed

reproduce: $(VENV)/.installed
	$(BIN)/xasuite reproduce

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -q $(ARGS)

# studies of more than half a minute each
slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -q -m slow $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry xasuite

# the pages of docs/ as a web site in build/site; a warning is an error
site: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/site

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) results build dist
