# Each target is one line of intent; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := protos $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml)) deploy/local
SOURCES := $(addsuffix /pyproject.toml,$(PACKAGES)) protos/hatch_build.py $(wildcard protos/millwright/*/v1/*.proto)
STAMP := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help setup esbuild s3 promtool demo up test chaos upgrade restore soak overload cases manifests lint format bench protos lock clean

help: ## List the targets.
	@$(PYTHON) -c 'import re, sys; text = open(sys.argv[1]).read(); \
	  [print(f"  make {it[0]:9} {it[1]}") for it in sorted(re.findall("(?m)^([a-z0-9]+):.*?## (.*)", text))]' Makefile

setup: $(STAMP) ## Make .venv with everything the project needs.

esbuild: setup ## Bring the esbuild that builds frontends into this user's cache.
	@deploy/local/esbuild

s3: setup ## Bring the S3 server of the tests into this user's cache, where Go is installed.
	@deploy/local/s3

promtool: ## Bring promtool, which alerts are tried with, into this user's cache, where apt has it.
	@deploy/local/promtool

demo: setup esbuild ## Walk through the story: publish, break, roll back, recover; stops everything afterwards.
	@$(BIN)/millwright-local demo

up: setup esbuild ## Keep the suite running in the foreground until Ctrl-C; data stays in .millwright/.
	@$(BIN)/millwright-local up

test: setup esbuild s3 promtool ## Run every test against real Postgres, Valkey and NATS.
	@$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

chaos: setup ## Harm processes, servers and links under load, and write docs/chaos.md; CHAOS=15m, SEED=n, ROUNDS=n.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/chaos.txt
	@$(BIN)/pytest -m chaos tests/chaos services/etl/tests $(ARGS)
	@$(BIN)/python -m tests.chaos $(if $(CHAOS),--seconds $(CHAOS)) $(if $(SEED),--seed $(SEED)) --page docs/chaos.md

upgrade: setup ## Upgrade under load from the last release, or from BASE=revision, replica by replica.
	@$(BIN)/pytest -m upgrade tests/upgrade $(ARGS)

restore: setup esbuild ## Back up a filled stack and restore it into an empty server, by the commands of docs/runbook.md.
	@$(BIN)/pytest -m restore tests/end_to_end/test_restore.py $(ARGS)

soak: setup ## Call for MINUTES=60 at half of what can be served, and see what grows. Writes docs/soak.md.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/soak.txt
	@$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES))

overload: setup ## Call three times as often as can be served, and see what is let in. Writes docs/overload.md.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/soak.txt
	@$(BIN)/python -m tests.soak --overload

cases: setup ## Judge a million random inputs by row, in columns and with ZEN: each must come out alike.
	@JUDGMENT_CASES=1000000 $(BIN)/pytest --timeout 1800 services/judgment/tests/unit/test_evaluators.py -k as_zen_does

manifests: setup ## Render the overlays for Kubernetes and check each strictly; OUT=directory keeps them.
	@deploy/kubernetes/render $(OUT)

lint: setup ## Check style, types, the Dockerfile, the contract, the architecture's arrows and advisories against dependencies.
	@$(BIN)/ruff check && $(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint deploy/images/Dockerfile
	@$(BIN)/buf lint && $(BIN)/buf format --diff --exit-code --path protos/millwright
	@BUF=$(BIN)/buf deploy/local/buf-breaking
	@$(BIN)/python -m millwright_local.audit $(VENV)/audit $(wildcard requirements/*.txt services/*/requirements.txt)

format: setup ## Rewrite the code in the house style.
	@$(BIN)/ruff check --fix && $(BIN)/ruff format && $(BIN)/buf format --write --path protos/millwright

bench: setup esbuild ## Measure, and write docs/benchmarks.md; BENCH=name measures one, and ARGS=--write writes it.
	@$(BIN)/python -m tests.bench $(BENCH) $(ARGS)

protos: ## Generate the Python stubs anew.
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --reinstall --editable protos

lock: setup ## Pin and hash the dependencies anew, for development and for each service.
	@deploy/local/lock

clean: ## Remove the environment, the generated stubs and the local data.
	@rm -rf $(VENV) protos/gen .millwright

$(STAMP): requirements/dev.txt $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	  "Python 3.11 or newer is needed, and $(PYTHON) is %d.%d: name another, as in make setup PYTHON=python3.13" % sys.version_info[:2])'
	@test -x $(BIN)/pip || { echo "Making $(VENV) with all that is needed: a minute or so, and 1.5 GB"; $(PYTHON) -m venv --clear $(VENV); }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix --editable ,$(PACKAGES))
	@touch $@
