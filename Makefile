# Everything here sets itself up in .venv; a machine needs only Python >= 3.11 with venv, and make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv-bench/.installed
FUZZ_STAMP := .venv-fuzz/.installed
LOCK_FLAGS := --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--strip-extras --all-extras --allow-unsafe

.PHONY: help run test check demo bench clients fuzz soak fault-tools lock clean .venv

help:  ## list the targets
	@grep -hE '^[.a-z]+:.*##' Makefile | sed -E 's/^([.a-z]+):.*## */  make \1\t/' | expand -t 16

.venv: $(STAMP)  ## make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: jwturn needs Python 3.11 or later, and none was found on PATH" >&2; \
		echo "hint:  apt-get install python3.11 python3.11-venv, or: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is not Python 3.11 or later" >&2; \
		echo "hint:  make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
		echo "hint:  apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into .venv, once (about half a minute)"
	@$(BIN)/python -c 'import ssl, pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP)  ## start the signing service on 127.0.0.1:8470, state in .jwturn
	@exec $(BIN)/jwturn serve --init

test: check fault-tools  ## check, then every test
	$(BIN)/pytest -n 2 --ignore=tests/tidy

check: $(STAMP)  ## ruff, mypy, import-linter, tests/tidy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/tidy

demo: $(STAMP)  ## live turns watched by independent verifiers
	@$(BIN)/jwturn demo

bench: $(BENCH_STAMP)  ## sign, verify, start, serve: against the raw primitive and other libraries
	@.venv-bench/bin/python -W ignore -m bench

clients: $(BENCH_STAMP)  ## JWKS clients side by side: five behaviours, and a flood for a minute
	@.venv-bench/bin/python -W ignore -m bench.clients

$(BENCH_STAMP): requirements.lock bench/requirements.lock pyproject.toml
	@.venv-bench/bin/python -c 'import ssl, pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements.lock -r bench/requirements.lock
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

fuzz: $(FUZZ_STAMP)  ## throw bytes at parsers and checks for SECONDS (60)
	@nice .venv-fuzz/bin/python -m fuzz --seconds $(or $(SECONDS),60)

$(FUZZ_STAMP): fuzz/requirements.lock pyproject.toml
	@.venv-fuzz/bin/python -c 'import ssl, pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv-fuzz
	@.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r fuzz/requirements.lock
	@.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

soak: $(STAMP) fault-tools  ## cut commands short at every system call (FOR=600: as many as fit into that time)
	@$(BIN)/python -m tests.faults.soak $(if $(FOR),--seconds $(FOR)) $(if $(SEED),--seed $(SEED))

fault-tools:
	@have() { command -v strace && ls /usr/lib/*/faketime/libfaketimeMT.so.1; }; have >/dev/null 2>&1 || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get install -y -qq strace libfaketime || \
		{ apt-get update -qq && apt-get install -y -qq strace libfaketime; }; } >/dev/null 2>&1; \
		have >/dev/null 2>&1; } || \
		echo "note: some tests of tests/faults are skipped: apt-get install strace libfaketime"

lock: $(STAMP)  ## pin the newest versions that pyproject.toml allows
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(LOCK_FLAGS) --upgrade -o requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(filter-out --all-extras,$(LOCK_FLAGS)) --upgrade \
		-o fuzz/requirements.lock fuzz/requirements.in pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(filter-out --all-extras,$(LOCK_FLAGS)) --upgrade \
		-o bench/requirements.lock bench/requirements.in

clean:  ## remove .venv, caches and build output; keys in .jwturn stay
	rm -rf .venv .venv-bench .venv-fuzz fuzz/found .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
