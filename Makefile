# The project's commands. Each makes what it needs first: a clean clone needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One more than there are cores: tests wait for processes, clocks and sandboxes much of their time.
PROCESSES := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.PHONY: help install run test ruin bench lint format clean

help:
	@echo "make run      install, then play a day of recorded traffic through the hub and keep it running"
	@echo "make test     install, then the whole test suite"
	@echo "make ruin     the long failure storms"
	@echo "make bench    figures: acknowledgement, delivery, memory, start"
	@echo "make lint     ruff, format, mypy"
	@echo "make install  .venv with bin/hub"

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "The hub needs Python 3.11 or newer (set PYTHON=python3.x)."; exit 1; }
	@echo "Installing into $(VENV) (one to three minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED)

run: install
	@$(BIN)/hub demo

test: install
	@echo "The whole suite: 10 to 15 minutes on 2 cores; the first run also fetches the outside clients."
	@$(BIN)/python -m pytest -q -n $(PROCESSES) --dist loadfile -m "not ruin"

ruin: install
	$(BIN)/python -m pytest -q -m ruin

bench: install
	$(BIN)/python -m bench

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hub plugins

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .outside build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
