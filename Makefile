# `make demo` shows the provider at work, `make test` proves it. Both need make and Python 3.11 or newer, nothing else:
# everything else is installed into .venv, once, and again when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# To compile all files takes longer than to install them; the quarter that is imported is compiled then.
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
# uv takes an eighth of pip's time. It knows nothing of pip's settings, as of another index, so pip installs where uv can't.
INSTALL = $(BIN)/python -m uv pip install --quiet --python $(1)/bin/python $(2) \
  || { echo "uv can't install it here, so pip does, which takes some minutes."; $(1)/bin/python $(PIP) $(2); }
TEST_EXTRAS := test,docs,parquet,sql,openlineage
DBT := dbt-core dbt-postgres dbt-duckdb duckdb-extension-sqlite-scanner
COSMOS := astronomer-cosmos aenum deprecation msgpack
# One more than there are processors, as many tests wait for a server or a process now and then.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
CODE := $(wildcard airflow_provider_nexus example_dags tests benchmarks docs)

# Hundreds of processes of the tests import the package, and each worker of pytest all tests: what is compiled is kept for them.
unexport PYTHONDONTWRITEBYTECODE

# Two targets, each of which keeps one processor busy.
AT_ONCE = $(MAKE) --no-print-directory $(1) & $(MAKE) --no-print-directory $(2); second=$$?; wait $$!; exit $$(($$? + second))

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo ui test untold environments lint types types_and_docs unit slow unit_and_slow databases airflow all_airflow reliability thorough bench browser standalone cluster docs package matrix clean

help:
	@echo "make demo         run a sync with its proof against a sandbox on this machine"
	@echo "make ui           a show room: the example DAGs in Airflow's own user interface, with a sandbox"
	@echo "make test         all that must hold: lint, types, unit, slow, airflow, standalone, docs"
	@echo "make lint         ruff"
	@echo "make types        mypy"
	@echo "make environments what the tests need, which each target installs by itself too"
	@echo "make types_and_docs both at once, as make test does"
	@echo "make unit         the tests that need no Airflow and no database, and are fast"
	@echo "make slow         those that take longer, with PostgreSQL and MariaDB where they are installed"
	@echo "make unit_and_slow both in one run, as make test does"
	@echo "make databases    the tests of PostgreSQL, MariaDB and Redis alone"
	@echo "make airflow      the tests that run DAGs"
	@echo "make all_airflow  those, and those on whole Airflows, in one run, as make test does"
	@echo "make standalone   the tests on whole Airflows, one of several machines too, of pages and of what is published"
	@echo "make cluster      the tests on an Airflow of several machines alone"
	@echo "make browser      the tests of the report in Chromium"
	@echo "make docs         build the documentation"
	@echo "make reliability  a thousand runs of all that writes, with lost answers and killed workers; prints the figures"
	@echo "make thorough     the slow tests as often as the documentation states it, for some hours"
	@echo "make bench        measure the speed beside that of other tools, and write docs/performance.rst"
	@echo "make package      build what is published, and try the wheel in an Airflow of its own"
	@echo "make matrix       the unit and airflow tests on the oldest and the newest Airflow and Python"
	@echo "make clean        remove everything that was built here, .venv included"

demo: $(VENV)/run.stamp
	$(BIN)/python -m airflow_provider_nexus demo

ui: $(VENV)/run.stamp
	$(BIN)/python -m airflow_provider_nexus ui

# The runs of pytest keep the tests that they skip for want of a database server or a browser in a file, and the last line tells.
test: export NEXUS_NOT_TESTED := $(CURDIR)/.not-tested
test: untold environments lint types_and_docs unit_and_slow all_airflow
	@$(BIN)/python -m tests.lacking

untold:
	@rm -f $(CURDIR)/.not-tested

lint: $(VENV)/test.stamp
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(VENV)/test.stamp
	$(BIN)/mypy

types_and_docs: $(VENV)/test.stamp
	@$(call AT_ONCE,docs,types)

environments: $(VENV)/made.stamp
	@$(call AT_ONCE,$(VENV)/dbt.stamp,$(VENV)/test.stamp)

UNIT := not airflow and not standalone and not slow and not databases and not browser and not release and not cluster
SLOW := (slow or servers or databases) and not airflow

WITHOUT_AIRFLOW := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --ignore=tests/airflow --ignore=tests/standalone

unit: $(VENV)/test.stamp
	$(WITHOUT_AIRFLOW) -m "$(UNIT)"

# Those of databases are among them.
slow: $(VENV)/test.stamp $(VENV)/dbt.stamp
	$(WITHOUT_AIRFLOW) -m "$(SLOW)"

# In one run, as to collect the tests takes long, and as the others go on while the last slow one ends.
unit_and_slow: $(VENV)/test.stamp $(VENV)/dbt.stamp
	$(WITHOUT_AIRFLOW) -m "($(UNIT)) or $(SLOW)"

# PostgreSQL and MariaDB are started by the tests; .ci/servers installs them.
databases: $(VENV)/test.stamp $(VENV)/dbt.stamp
	$(BIN)/python -m pytest -n auto --dist loadfile -m databases --ignore=tests/airflow

AIRFLOW := airflow and not standalone
WHOLE := standalone or cluster or browser or release
# Where such tests are: to collect all others takes each worker a quarter of a minute.
PLACES := tests/airflow tests/cli tests/cluster tests/release tests/report tests/standalone
WITH_AIRFLOW := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

airflow: $(VENV)/test.stamp $(VENV)/dbt.stamp
	$(WITH_AIRFLOW) -m "$(AIRFLOW)" $(PLACES)

# Each whole Airflow waits now and then, so there is room for others beside it. .ci/servers installs Chromium, and PostgreSQL and
# Redis for the cluster.
standalone: $(VENV)/test.stamp
	$(WITH_AIRFLOW) -m "$(WHOLE)" tests/cluster tests/standalone tests/release tests/report

# Both in one run: what takes longest begins first.
all_airflow: $(VENV)/test.stamp $(VENV)/dbt.stamp
	$(WITH_AIRFLOW) -m "($(AIRFLOW)) or $(WHOLE)" $(PLACES)

# `make test` makes 16 of these runs with each memory.
reliability: $(VENV)/test.stamp
	NEXUS_RUNS=$${NEXUS_RUNS:-1000} $(BIN)/python -m pytest -n auto --timeout 3600 tests/airflow/operators/test_never_twice.py

# What a run of all tests does some dozen times, as `tests/repeated.py` says.
thorough: $(VENV)/test.stamp $(VENV)/dbt.stamp
	NEXUS_THOROUGH=1 $(WITHOUT_AIRFLOW) --timeout 7200 -m "$(SLOW)"
	NEXUS_THOROUGH=1 $(WITH_AIRFLOW) --timeout 7200 tests/airflow/operators tests/standalone/test_waits.py tests/standalone/test_ui.py

# The other tools are installed into environments of their own in .bench.
bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

# Chromium, which .ci/servers installs.
browser: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m browser tests/report

cluster: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m cluster tests/cluster

docs: $(VENV)/test.stamp
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# What pip fetched for .venv is in its cache, so the Airflow of its own comes from there.
package: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m release tests/release

# Environments of their own in .matrix; the pytest of each is its own.
matrix:
	bash .ci/matrix

clean:
	rm -rf $(VENV) .matrix .bench .demo .airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build docs/_build docs/_generated .not-tested

# Python itself is checked here, as pip would say it less clearly.
$(VENV)/made.stamp:
	@command -v $(PYTHON) >/dev/null \
	  || { echo "Python 3.11 or newer is needed, but there is no $(PYTHON): install it, or name another one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) -V 2>&1): name another one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) can't make virtual environments: install its venv module (python3-venv on Debian and Ubuntu)" >&2; exit 1; }
	@$(BIN)/python $(PIP) --constraint constraints.txt uv || true
	@touch $@

$(VENV)/run.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	@echo "Installing the provider with Airflow into $(VENV); this happens once and takes up to a minute or two."
	@$(call INSTALL,$(VENV),--constraint constraints.txt --editable ".[ui]")
	@touch $@

$(VENV)/test.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	@echo "Installing the provider, Airflow and the test tools into $(VENV); this happens once and takes up to a minute or two."
	@$(call INSTALL,$(VENV),--constraint constraints.txt --editable '.[$(TEST_EXTRAS)]')
	@touch $(VENV)/run.stamp $@

# dbt's pins and Airflow's can't be met together, so dbt has an environment of its own. Cosmos, which is for Airflow's, lies beside it
# without what it shares with Airflow.
$(VENV)/dbt.stamp: $(VENV)/made.stamp dbt_nexus/constraints.txt
	@echo "Installing dbt into $(VENV)/dbt; this happens once and takes a quarter of a minute."
	@$(PYTHON) -m venv --clear $(VENV)/dbt
	@$(call INSTALL,$(VENV)/dbt,--constraint dbt_nexus/constraints.txt $(DBT))
	@$(call INSTALL,$(VENV)/dbt,--constraint dbt_nexus/constraints.txt --no-deps --target $(VENV)/dbt/cosmos $(COSMOS))
	@touch $@
