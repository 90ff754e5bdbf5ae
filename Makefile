# Every target makes its own virtual environment; Python 3.11, pip and make are enough.
# The system's own first: distributions build it with profile-guided optimisation, pyenv does not,
# and that is worth a tenth of the commands per second.
PYTHON ?= $(shell /usr/bin/python3.11 -c 'import ensurepip, venv; print("/usr/bin/python3.11")' \
  2>/dev/null || command -v python3.11 || command -v python3)
# Test processes, each with a PostgreSQL of its own; JOBS=0 runs the tests in one.
JOBS ?= 2
BIN := .venv/bin
INSTALLED := .venv/.installed
BROKER := .venv/kafka/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast explore check pages bench kafka format clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
	  | column -t -s '|' 2>/dev/null || grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

demo: $(INSTALLED) $(if $(KAFKA),$(BROKER)) ## A simulated day, then serve until Ctrl-C (EXIT=1: stop after it; KAFKA=1: with Kafka)
	$(BIN)/python -m api demo $(if $(EXIT),--exit) $(if $(KAFKA),--kafka)

test: $(INSTALLED) ## Run the whole test suite
	@! { command -v java && command -v mvn; } >/dev/null 2>&1 || $(MAKE) --no-print-directory kafka
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

# What needs no database: pure rules, scenarios in memory, golden files, sizes, pages.
FAST := tests/domain tests/scenarios tests/ledger/log/test_golden.py \
  tests/projections/test_decisions.py tests/test_docs.py tests/test_layers.py tests/test_tidy.py

test-fast: $(INSTALLED) ## The pure part of the test suite, with fewer random examples
	$(BIN)/python -m pytest -n $(JOBS) $(FAST) -k "not WritePath and not OverHttp" \
	  --hypothesis-profile=fast $(ARGS)

explore: ## The whole test suite on new random examples; `make test` repeats the same ones
	$(MAKE) --no-print-directory test ARGS="--hypothesis-profile=explore $(ARGS)"

check: $(INSTALLED) ## Format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

pages: $(INSTALLED) ## Write anew the pages of docs/ that are made from the code
	$(BIN)/python -m api.http.command_reference
	$(BIN)/python -m api.http.state_diagrams
	$(BIN)/python -m projections.model_reference
	$(BIN)/python -m consumers.kafka.asyncapi

bench: $(INSTALLED) ## Measure, print ratios, write bench/results.json
	$(BIN)/python -m bench $(ARGS)

kafka: $(BROKER) ## Install a local Kafka broker for tests, demo and bench (needs Java 17, Maven)

format: $(INSTALLED) ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the virtual environment and the embedded database
	rm -rf .venv .tokenledger

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  rm -rf .venv; $(PYTHON) -m venv --without-pip .venv && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(BROKER): consumers/kafka/pom.xml $(INSTALLED)
	rm -rf $(@D)
	mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D)
	@touch $@
