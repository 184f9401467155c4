# The NOF kit. `make` lists the targets; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV := 0.13.9
READY := $(VENV)/.ready
OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help setup report test fuzz lint lab bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## make the environment (.venv) and install the kit

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name it with: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@# uv takes seconds where pip takes a minute or two, but does not know pip's settings: who has an index of their own, or
	@# none, is served by pip. Compiled once here, or every process would compile again where Python may not write bytecode.
	{ ! $(BIN)/python -m pip config list | grep -Eq '[.](no-index|index-url)=' && $(PIP) --only-binary :all: uv==$(UV) && \
		UV_HTTP_TIMEOUT=15 UV_HTTP_RETRIES=1 $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
			--requirement requirements.txt; } || \
		{ echo "installing by pip, which takes a minute or two"; $(PIP) --requirement requirements.txt; }
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

report: $(READY)  ## make the HTML report on the embedded data in reports/ (OPTIONS='--quarter "Q3 2025/26"')
	$(BIN)/python -m nofcore report $(OPTIONS)

test: $(READY)  ## run the tests (OPTIONS='-k league')
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(OPTIONS)

fuzz: $(READY)  ## read thousands of damaged files (OPTIONS='--inputs 20000 --seed 7')
	$(BIN)/python -m tests.fuzz.run $(OPTIONS)

lint: $(READY)  ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The kernel of .venv comes first, whatever other kernels of the same name the user has installed.
lab: export JUPYTER_PATH := $(abspath $(VENV))/share/jupyter$(if $(JUPYTER_PATH),:$(JUPYTER_PATH))
lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=notebooks $(OPTIONS)

bench: $(READY)  ## measure the speed bars
	$(BIN)/python -m benchmarks.run

clean:  ## remove the environment and the report
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find reports -mindepth 1 ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
