# Everything a newcomer needs, in two commands: `make bench` and `make test`.
# Each makes a virtual environment in .venv and installs the exact versions that the published
# results were made with. PYTHON=python3.12 chooses an interpreter.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := splitzoo zoo attacks bench tests hubconf.py

.PHONY: bench test check install install-test clean
.DEFAULT_GOAL := help

help:
	@echo "make bench   set everything up, attack the paper's ten images, draw what came back"
	@echo "make test    set everything up, check types and style, run the tests"
	@echo "make install set everything up, and no more; then: . $(VENV)/bin/activate"
	@echo "make clean   remove the virtual environment and build leftovers"

bench: install
	$(BIN)/splitzoo bench --profile paper10

test: install-test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	@# An editable install is a mapping that type checkers cannot follow: check a real one.
	$(PIP) install --quiet --no-deps --no-build-isolation --upgrade --target build/typed .
	MYPYPATH=build/typed $(BIN)/mypy -p splitzoo.zoo -p splitzoo.attacks -p splitzoo.bench
	$(BIN)/pytest -n 2
	$(BIN)/splitzoo leaderboard --check

install: .splitzoo-installed
install-test: .splitzoo-installed-test

.splitzoo-installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.splitzoo-installed-test: .splitzoo-installed
	$(PIP) install --constraint constraints.txt --editable '.[test]' 'setuptools>=77'
	@touch $@

clean:
	rm -rf $(VENV) build .splitzoo-installed .splitzoo-installed-test *.egg-info
