# Each target does all of its own set-up: a virtual environment in .venv, and what it needs from the system.
#   make demo    the real case of datasets/co2-el-nino, from registration to a flipped bit, on the terminal
#   make test    all tests
#   make faults  what `make test` has of killed and failing commits, and of one to every table besides
#   make chaos   every fault at every point of the pipeline a hundred times, 100 000 clean verifications
#   make bits    every bit of every kind of file that the log speaks for, and of proofs, checkpoints and attestations
#   make fuzz    questions and bytes that nobody thought of, for SECONDS=3600 unless told
#   make check   ruff, mypy, import-linter, vermin
#   make bench   measure and rewrite docs/benchmarks.md, or SECTIONS="startup wrapper" of it
PYTHON ?=
BIN := .venv/bin
# Workers for the tests, each of which is independent of the others: two more than there are cores, because half of them
# wait for the pool as long as there is something to wait for (tests/conftest.py).
JOBS ?= $(shell expr 2 + $$(getconf _NPROCESSORS_ONLN))
TESTS ?=
# What `make bench` measures: names of modules in bench/; none: all that it can.
SECTIONS ?=
# How long `make fuzz` takes.
SECONDS ?= 3600

.PHONY: demo test faults chaos bits fuzz check bench clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

.venv/.stamp-python:
	.ci/virtual-environment "$(PYTHON)"
	touch $@

.venv/.stamp-run: .venv/.stamp-python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.stamp-dev: .venv/.stamp-run pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

demo: .venv/.stamp-run
	$(BIN)/python datasets/co2-el-nino/demo.py --pirene $(BIN)/pirene --folder .demo

test: .venv/.stamp-dev
	.ci/system-packages strace postgresql chromium
	CLIENT_PYTHON=$(BIN)/python tests/htcondor-pool up || if [ -n "$$CI" ]; then echo "CI needs the HTCondor pool" >&2; exit 1; \
	  else echo "Tests that need an HTCondor pool will be skipped" >&2; fi
	$(BIN)/python -m pytest -n $(JOBS) $(TESTS)

faults: .venv/.stamp-dev
	.ci/system-packages strace
	PIRENE_TEST_ALL_FAULTS=1 $(BIN)/python -m pytest -n $(JOBS) --timeout=7200 tests/provenance/faults \
	  tests/integrity/faults tests/end_to_end/test_engine_faults.py

chaos: .venv/.stamp-dev
	PIRENE_TEST_CHAOS=100 $(BIN)/python -m pytest --timeout=7200 tests/planner/chaos

bits: .venv/.stamp-dev
	PIRENE_TEST_EVERY_BIT=1 $(BIN)/python -m pytest -n $(JOBS) --timeout=7200 tests/provenance/log/test_every_bit.py \
	  tests/integrity/log/test_log_notes.py tests/integrity/attestation

fuzz: .venv/.stamp-dev
	$(BIN)/python -m tests.query.fuzz $(SECONDS)

check: .venv/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --eval-annotations --target=3.6- --violations integrity/kickstart.py integrity/wrapper planner/engines/pool/node_step

bench: .venv/.stamp-dev
	.ci/system-packages ninja postgresql
	$(BIN)/python bench/run.py $(SECTIONS)

clean:
	rm -rf .venv .demo .test-envs dist build
