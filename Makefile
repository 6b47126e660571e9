# Gantry. `make run` starts a farm, `make test` passes the tests; both set up everything they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIPENV := PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_NOSPIN=1 PIPENV_VERBOSITY=-1 $(BIN)/pipenv
SOURCES := schemas bridge api infra tests
PYTEST := $(BIN)/python -m pytest -q
ARGS ?=

# Flow tests start hundreds of interpreters; compiling everything anew in each is half their work.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-all rooms-postgres engines check architecture unit seeded rooms flow bench soak clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run ## a farm with two simulated printers; options: make run ARGS="--help"
	@exec $(BIN)/python -m infra.farm $(ARGS)

test: check architecture unit seeded rooms engines flow ## everything: style, types, imports, and all tests but the long ones

check: $(VENV)/.dev ## style, types and import contracts
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

architecture: $(VENV)/.dev ## budgets, names, and documents that must be true
	$(PYTEST) tests/architecture $(ARGS)

unit: $(VENV)/.dev ## the fast tests: no database, no process
	$(PYTEST) -n 2 -p no:schemathesis -p no:anyio -m "not flow and not soak and not seeded" \
	  --ignore tests/api --ignore tests/architecture --ignore tests/flows $(ARGS)

seeded: $(VENV)/.dev ## seeded kills, cuts and whole simulated days, in memory
	$(PYTEST) -n 2 -m seeded tests/bridge tests/simulation $(ARGS)

rooms: $(VENV)/.dev ## the tests of the API's rooms, each on its own database
	$(PYTEST) -n 2 -m "not flow and not soak" tests/api $(ARGS)

# What stands on locks, row order and numbers of transactions, so on the engine. What only ever runs
# on PostgreSQL (tests/api/postgres, tests/api/bus) is among the rooms already.
ENGINE_ROOMS := tests/api/events tests/api/commands tests/api/idempotency tests/api/scheduler \
  tests/api/jobs tests/api/gateway tests/api/telemetry tests/api/test_status.py

engines: $(VENV)/.dev ## the rooms whose work depends on the database's engine, on PostgreSQL
	GANTRY_TEST_DATABASE=postgres $(PYTEST) -n 2 -m "not flow and not soak and not seeded" $(ENGINE_ROOMS) $(ARGS)

test-all: test rooms-postgres ## and the rooms' tests once more, whole, on PostgreSQL

rooms-postgres: $(VENV)/.dev ## the tests of the API's rooms on PostgreSQL
	GANTRY_TEST_DATABASE=postgres $(PYTEST) -n 2 -m "not flow and not soak" tests/api $(ARGS)

flow: $(VENV)/.dev ## the tests that start real processes
	$(PYTEST) -n 3 --dist loadfile -m "flow" $(ARGS)

bench: $(VENV)/.dev ## all benchmarks beside a bare reference; one area: bench-serial, -api, -link, -cloud, -octoprint
	$(BIN)/python -m infra.bench $(ARGS)

bench-%: $(VENV)/.dev
	$(BIN)/python -m infra.bench $* $(ARGS)

soak: $(VENV)/.dev ## long seeded runs
	$(PYTEST) -m "soak" $(ARGS)

# What `sam build` calls to fill a function's package: infra/aws/template.yaml, with the Python of its
# Runtime. The package is read-only there: what it brings no bytecode of is compiled at every start.
RUNTIME := 3.12

build-HttpFunction build-SocketFunction build-TickFunction build-MigrateFunction: $(VENV)/.pipenv
	$(PIPENV) requirements --hash > "$(ARTIFACTS_DIR)/requirements.txt"
	$(BIN)/python -m pip install --quiet --no-compile --target "$(ARTIFACTS_DIR)" --only-binary :all: \
	  --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 \
	  --platform manylinux_2_26_x86_64 --platform manylinux2014_x86_64 \
	  --python-version $(RUNTIME) --implementation cp \
	  --requirement "$(ARTIFACTS_DIR)/requirements.txt"
	cp -R schemas api "$(ARTIFACTS_DIR)"
	find "$(ARTIFACTS_DIR)" -name __pycache__ -prune -exec rm -rf {} +
	@for python in $(BIN)/python python$(RUNTIME) python3; do \
	  if $$python -c 'import sys; sys.exit(not sys.version.startswith("$(RUNTIME)."))' 2>/dev/null; then \
	    exec $$python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
	      -s "$(ARTIFACTS_DIR)" -p /var/task "$(ARTIFACTS_DIR)"; fi; \
	done; \
	echo "No Python $(RUNTIME) is here, so the package has no bytecode: every cold start will compile it, 3 s of" \
	  "CPU instead of 1. Put python$(RUNTIME) on the PATH and build again to have it compiled now." >&2

clean: ## remove what the set-up made (data stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.pipenv: Pipfile.lock
	@python=$${PYTHON:-}; \
	for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if [ -z "$$python" ] && command -v $$candidate >/dev/null \
	    && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then python=$$candidate; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Gantry needs Python 3.11 or newer; set PYTHON=/path/to/python3." >&2; exit 1; fi; \
	if ! $$python -m venv --clear $(VENV) 2>$(VENV).log; then \
	  cat $(VENV).log >&2; rm -rf $(VENV) $(VENV).log; \
	  echo "Python's venv is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	rm -f $(VENV).log
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pipenv
	@touch $@

$(VENV)/.run: $(VENV)/.pipenv
	$(PIPENV) sync
	@touch $@

$(VENV)/.dev: $(VENV)/.pipenv
	$(PIPENV) sync --dev
	@touch $@ $(VENV)/.run
