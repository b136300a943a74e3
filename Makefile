# `make help` lists what there is to do. Everything runs from .venv, which is made when needed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PINS := pyproject.toml constraints.txt hatch_build.py tools/venv

PO := $(wildcard src/parentauth/locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)

# An environment that was copied from another folder, was left half made, or has lost its Python is
# not used: everything is then asked of tools/venv again.
ifneq ($(wildcard $(VENV)),)
SOUND := $(shell [ "$$(cat $(STAMPS)/venv 2>/dev/null)" = "$$(pwd -P)" ] && [ ! -e $(STAMPS)/busy ] \
	&& $(BIN)/python -c '' 2>/dev/null && echo yes)
ifneq ($(SOUND),yes)
REMAKE := FORCE
endif
endif

ARGS ?=
export PYTHON

PYTEST := $(BIN)/python -m pytest -p tests.strict_ci

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

# To use ------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMPS)/runtime $(MO) ## Run the example portal until Ctrl-C
	@exec $(BIN)/python -m examples.flask_portal

.PHONY: venv
venv: $(STAMPS)/test $(STAMPS)/check $(MO) ## Make .venv with all that tests and checks need

# To test -----------------------------------------------------------------------------------------

.PHONY: test
test: $(STAMPS)/test $(MO) ## Run the tests, without a browser (more arguments: ARGS="-k token")
	@$(PYTEST) -n auto $(ARGS)

.PHONY: test-services
test-services: export PARENTAUTH_TEST_SERVICES := required
test-services: test ## The same; PostgreSQL and MariaDB must be there

.PHONY: test-machine
test-machine: export PARENTAUTH_TEST_SERVICES := required
test-machine: export PARENTAUTH_TEST_STEPS := 100000
test-machine: $(STAMPS)/test $(MO) ## The state machine alone, 100,000 steps on each storage; half an hour
	@$(PYTEST) -n auto tests/test_machine.py $(ARGS)

.PHONY: e2e
e2e: chromium $(STAMPS)/test $(STAMPS)/e2e $(MO) ## Run the browser tests of tests/e2e, in Chromium
	@$(PYTEST) tests/e2e $(ARGS)

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		command -v google-chrome >/dev/null || \
		{ echo "parentauth: no chromium found; install it (on Debian: apt install chromium)." >&2; exit 1; }

.PHONY: coverage
coverage: $(STAMPS)/test $(MO) ## Run the tests and say which lines and branches they miss
	@$(PYTEST) -n auto --cov --cov-report=term --cov-report=html $(ARGS)

.PHONY: bench
bench: $(STAMPS)/test $(MO) ## Run every benchmark of benchmarks/
	@set -e; for script in $(or $(wildcard benchmarks/bench_*.py),$(error benchmarks/ has no bench_*.py)); do \
		$(BIN)/python $$script; done

# To check ----------------------------------------------------------------------------------------

.PHONY: check
check: lint types architecture docs ## Everything but the tests: lint, types, architecture, docs

.PHONY: lint
lint: $(STAMPS)/check ## Ruff's rules and layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: format
format: $(STAMPS)/check ## Let Ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(STAMPS)/test $(STAMPS)/check ## mypy, pyright, and the completeness of the public types
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pyright
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/public_types.py

.PHONY: architecture
architecture: $(STAMPS)/test ## Which module may import which
	@$(PYTEST) tests/test_architecture.py

.PHONY: docs
docs: $(STAMPS)/test $(STAMPS)/check $(MO) ## Build the documentation into docs/_build; a warning is an error
	@$(BIN)/python -m sphinx -W --keep-going --nitpicky -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

# To keep -----------------------------------------------------------------------------------------

.PHONY: constraints
constraints: $(STAMPS)/lock ## Pin the newest versions of everything anew (ARGS="-P flask" for one only)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet \
		$(or $(ARGS),--upgrade) --output-file constraints.txt
	@git --no-pager diff --stat -- constraints.txt

.PHONY: clean
clean: ## Remove .venv and all that tests, checks and builds leave
	@rm -rf $(VENV) .venv.lock build dist docs/_build htmlcov .coverage .coverage.* .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache test-results $(MO)
	@find benchmarks docs examples src tests hatch_build.py -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || :

# The environment ---------------------------------------------------------------------------------

.PHONY: FORCE
FORCE:

# Demo and tests use what is installed here; checks come on top.
$(STAMPS)/runtime: $(PINS) $(REMAKE)
	@tools/venv runtime -e '.[flask,sql]'

$(STAMPS)/test: $(PINS) $(REMAKE) | $(STAMPS)/runtime
	@tools/venv test -e '.[all]' --group test

$(STAMPS)/e2e: $(PINS) $(REMAKE) | $(STAMPS)/test
	@tools/venv e2e --group e2e

$(STAMPS)/check: $(PINS) $(REMAKE) | $(STAMPS)/runtime
	@tools/venv check --group lint --group typing --group docs

$(STAMPS)/lock: $(PINS) $(REMAKE) | $(STAMPS)/runtime
	@tools/venv lock uv

# Catalogues, with the build's own function.
%.mo: %.po hatch_build.py | $(STAMPS)/runtime
	@$(BIN)/python hatch_build.py $<
