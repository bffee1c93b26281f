# One sentence and one command for each target; the work is done in scripts/.
PYTHON ?= python3
RUN_IN_VENV = @$(PYTHON) scripts/environment.py && .venv/bin/python -m
.DEFAULT_GOAL := help
.PHONY: help environment test test-quick lint

# List the targets, a sentence each.
help:
	@$(PYTHON) scripts/help.py

# Install everything the project needs into .venv and .venv-triton.
environment:
	@$(PYTHON) scripts/environment.py

# Run every test that needs no GPU, no cluster and no cloud.
test:
	$(RUN_IN_VENV) scripts.tests

# Run the tests that start no Airflow and no browser.
test-quick:
	$(RUN_IN_VENV) scripts.tests --quick

# Check style, import rules and types.
lint:
	$(RUN_IN_VENV) scripts.lint
