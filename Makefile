# `make help` lists the targets. A fresh machine needs Python 3.11 (with venv) and make, nothing else.

EXPERIMENT ?= regnety_mini
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
JOBS ?= $(shell nproc)

bin := $(VENV)/bin
installed := $(VENV)/.installed
# The pins hold for the packages themselves and for what builds those that come as source.
pip := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(bin)/python -m pip
pytest := $(bin)/python -m pytest --numprocesses=$(JOBS) --maxprocesses=8 --dist=worksteal

.PHONY: help run test test-slow test-exhaustive docs docs-tested lint format env clean distclean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; \
	do printf '  make %-15s %s\n' "$$target" "$$text"; done

run: $(installed) ## Train and evaluate EXPERIMENT (regnety_mini), e.g. EXPERIMENT=name ARGS='--describe'
	$(bin)/python launch.py --experiment=$(EXPERIMENT) $(ARGS)

test: $(installed) ## Run the fast tests, in parallel; SLOW=1 adds the slow ones, ARGS go to pytest
	$(pytest) -m '$(if $(SLOW),,not slow)' $(ARGS)

test-slow: $(installed) ## Run only the slow tests
	$(pytest) -m 'slow and not exhaustive' $(ARGS)

test-exhaustive: $(installed) ## Run the slow tests of experiments whose task another one stands for
	$(pytest) -m exhaustive $(ARGS)

docs: $(installed) ## Make the documentation's site in site/; a link that leads nowhere is an error
	rm -rf build/docs site
	$(bin)/python tools/gather_docs.py build/docs
	$(bin)/sphinx-build --quiet --fail-on-warning --keep-going -c docs build/docs site

docs-tested: $(installed) ## Run all code of the documentation, and note date and versions
	$(bin)/python tools/docs_tested.py

lint: $(installed) ## Check style, imports and types; list what has grown long
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/python tools/long_code.py

format: $(installed) ## Mend what the linter can mend by itself
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

env: $(installed) ## Make the environment in VENV (.venv), or bring it up to date

$(installed): constraints.txt pyproject.toml setup.cfg setup.py
	@test -n '$(PYTHON)' || { echo 'No python3.11 found: install it, or name one with PYTHON=...' >&2; exit 1; }
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing the dependencies into $(VENV) (about 3 GB; a few minutes the first time) ...'
	@$(pip) install --quiet --editable '.[dev,docs]'
	@touch $@

clean: ## Remove caches and build outputs; runs/ and the environment stay
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environment too
	rm -rf $(VENV)
