# What one does with a checkout. Every target makes .venv first where it is missing or uv.lock is newer.
PYTHON := .venv/bin/python
MANAGE := $(PYTHON) manage.py

.PHONY: help demo test test-slow check bench format codebook clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

.venv: .venv/stamp ## the virtual environment, from uv.lock

.venv/stamp: uv.lock scripts/bootstrap
	@scripts/bootstrap
	@touch $@

demo: .venv ## the demo study on http://localhost:8000, with all its services
	@$(MANAGE) demo

# pytest says everything on one channel, so that its closing line is the last one (see .ci/run).
test: .venv ## the quick suite
	@echo "Quick tests"
	@$(PYTHON) -m pytest -n 2 -m "not slow and not browser" 2>&1

test-slow: .venv ## browser, kills, real workers, simulated years
	@echo "Slow tests"
	@$(PYTHON) -m pytest -m "slow or browser" 2>&1

check: .venv ## format, lint, types, layers, Django's checks, and whether what is generated is current
	@echo "Format and lint"
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@echo "Types"
	@$(PYTHON) -m mypy
	@echo "Layers"
	@.venv/bin/lint-imports
	@echo "Django's checks"
	@$(MANAGE) check --fail-level WARNING
	@echo "Migrations"
	@$(MANAGE) makemigrations --check --dry-run
	@echo "Codebook"
	@$(MANAGE) codebook --check

bench: .venv ## pages, recall and datasets of a million visits (45 minutes); results in docs/benchmarks.md
	@$(PYTHON) -m benchmarks.pages
	@$(PYTHON) -m benchmarks.planning
	@$(PYTHON) -m benchmarks.mails
	@$(PYTHON) -m benchmarks.datasets
	@$(PYTHON) -m benchmarks.packages
	@$(PYTHON) -m benchmarks.disclosure

format: .venv ## mend format and simple lint
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

codebook: .venv ## write docs/codebook.csv from the declarations
	@$(MANAGE) codebook

clean: .venv ## forget the demo: stop the local services and delete their data
	@$(PYTHON) -m config.local stop
	@rm -rf "$$(readlink -f .local/services)" .local
