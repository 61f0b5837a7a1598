# The words every part of this repository is worked on with.
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PYTHON := $(shell test -x $(BIN)/python && echo $(BIN)/python || echo python3)
RUN := PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) -m

.DEFAULT_GOAL := help
.PHONY: help setup test laws boots bakes matrix try judges images mutants bump lint format types bench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## make .venv with everything the tests need
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test,node]'

test: lint types ## everything: style, types, then the tests, quick ones first
	$(RUN) pytest -n auto --dist loadgroup

laws: ## the rules about the templates, in seconds
	$(RUN) pytest -q tests/test_laws.py tests/test_twins.py

boots: ## start every variant and hold it to the contract
	$(RUN) pytest tests/test_boot.py tests/test_contract.py

bakes: ## write every variant and let its own linters look
	$(RUN) pytest tests/test_bake.py

matrix: ## the variants of SET as a list, for a CI
	@$(RUN) scaffold variants --set $(SET) --json | $(PYTHON) -c 'import json, sys; print(json.dumps([each["id"] for each in json.load(sys.stdin)]))'

try: ## one variant, ID=stack-database-ci: written, linted, started, held to the contract
	@test -n "$(ID)" || { echo "Say which: make try ID=flask-sqlite-github" >&2; exit 2; }
	$(RUN) pytest tests/test_bake.py -k '$(ID)'
	$(RUN) pytest tests/test_boot.py tests/test_contract.py -k '$(subst .,-,$(basename $(subst -,.,$(ID))))'

judges: ## what others' linters say, and whether a first push is green
	$(RUN) pytest tests/test_judges.py tests/test_push.py

images: ## build each stack's image, run it locked down, look into it; bring compose up
	OWN_ENGINE=1 $(RUN) pytest tests/test_images.py

mutants: ## seed faults and see that the checks find them
	MUTANTS=all $(RUN) pytest tests/test_mutants.py

bump: ## raise every pin to the newest version, run everything, say what changed (REPORT=file)
	PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) tools/bump.py $(if $(REPORT),--report '$(REPORT)')

lint: ## style of this package
	$(RUN) ruff check .
	$(RUN) ruff format --check .

format: ## put the style right
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

types: ## types of this package
	$(RUN) mypy

bench: ## run every benchmark and write its figures into benchmarks/README.md
	$(RUN) benchmarks.all
