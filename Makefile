# Everything a developer does here. `make` alone prints this list; each target sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
BASE_PYTHON := python3
# Tests on an API server mostly wait, each worker for a control plane of its own; an existing cluster is one for all.
WORKERS := $(if $(filter true,$(USE_EXISTING_CLUSTER)),0,2)
# The environment is made anew when the lock changes, and the project installed again when its metadata does.
DEPENDENCIES := $(VENV)/dependencies-$(shell sha256sum requirements-dev.txt | cut -c1-16)
INSTALLED := $(VENV)/project-$(shell sha256sum pyproject.toml | cut -c1-16)
CRDS := crds charts/gpu-instance-operator/crds
GENERATED := $(CRDS) docs/states.md docs/reasons.md docs/categories.md docs/metrics.md docs/runbooks/README.md \
  docs/notification-events.md docs/notification.schema.json docs/reference tests/golden/cli/help
GENERATED += $(addprefix charts/gpu-instance-operator/,values.schema.json files) deploy/install.yaml deploy/kustomization.yaml

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install the locked dependencies and the project into .venv
	@flock .venv.lock $(MAKE) --silent $(INSTALLED)  # two targets in two terminals must not install at once

$(DEPENDENCIES):
	@echo "setup: making $(VENV) with $$($(BASE_PYTHON) --version)"
	@rm -rf $(VENV)
	@$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed" >&2; exit 1; }
	@$(BASE_PYTHON) -m venv $(VENV) || { echo "error: on Debian, install the package python3-venv" >&2; exit 1; }
	@total=$$(grep -c '^[A-Za-z]' requirements-dev.txt); \
	  echo "setup: installing $$total locked packages"; \
	  $(PYTHON) -m pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes \
	    -r requirements-dev.txt > $(VENV)/pip.log 2>&1 & pip=$$!; \
	  while kill -0 $$pip 2>/dev/null; do \
	    sleep 3; \
	    if grep -q '^Installing' $(VENV)/pip.log; then echo "setup: unpacking"; \
	    else echo "setup: $$(grep -c '^Collecting' $(VENV)/pip.log) of $$total packages fetched"; fi; \
	  done; \
	  wait $$pip || { tail -20 $(VENV)/pip.log >&2; exit 1; }
	@touch $@

$(INSTALLED): $(DEPENDENCIES)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "setup: the project is installed in $(VENV)"

# What is built with Go needs nothing of .venv, so that it can begin while that is made.
.PHONY: tools
tools: controlplane promtool helm engines ## build all that is built with Go (`make --jobs` fetches while it compiles)

.PHONY: controlplane
controlplane: ## build kube-apiserver, kube-controller-manager and etcd, once, into the user's cache
	@if [ "$${USE_EXISTING_CLUSTER:-}" != true ]; then $(BASE_PYTHON) -m tests.controlplane.build; fi

.PHONY: promtool
promtool: ## build promtool, which evaluates the alerts, once, into the user's cache
	@$(BASE_PYTHON) -m tests.prometheus.build

.PHONY: helm
helm: ## build helm, which renders and installs the chart, once, into the user's cache
	@$(BASE_PYTHON) -m tests.chart.build

.PHONY: engines
engines: ## build the code by which Flux and Argo CD judge and compare, once, into the user's cache
	@$(BASE_PYTHON) -m tests.judges.build

.PHONY: demo
demo: setup controlplane ## run the main job on a real API server, step by step
	@$(PYTHON) -m tests.rig.demo

.PHONY: up
up: setup controlplane ## leave API server, simulated providers and operator running; print the kubeconfig
	@$(PYTHON) -m tests.rig.background up

.PHONY: pay
pay: setup ## pay an invoice of the simulated Hostwinds of `make up` (INVOICE=416)
	@$(PYTHON) -m tests.rig.background pay $(or $(INVOICE),$(error INVOICE=number is needed))

.PHONY: down
down: setup ## stop what `make up` started
	@$(PYTHON) -m tests.rig.background down

.PHONY: test
test: test-unit test-cluster ## run all tests

.PHONY: test-unit
test-unit: setup promtool helm engines ## run the tests that need no API server
	@$(PYTHON) -m pytest -m "not cluster" --numprocesses 2

.PHONY: test-cluster
test-cluster: setup controlplane helm engines ## run the tests on a real API server
	@$(PYTHON) -m pytest -m cluster --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: matrix
matrix: tools ## run the unit tests on each supported Python that is here, in fresh environments
	@$(BASE_PYTHON) -m tests.matrix

.PHONY: faults
faults: setup controlplane ## break every call of every life, kill the process, and judge what is left (RUN=, TIER=, SEED=)
	@$(PYTHON) -m tests.faults $(if $(RUN),--run $(RUN)) $(if $(TIER),--tier $(TIER)) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: setup controlplane ## measure with many instances (SIZE=1000) beside limits (COMPARE=old.json, PROFILE=1, UNTIL="at rest")
	@$(PYTHON) -m tests.bench --size $(or $(SIZE),1000) $(if $(COMPARE),--compare $(COMPARE)) $(if $(PROFILE),--profile) \
	  $(if $(UNTIL),--until "$(UNTIL)")

.PHONY: lint
lint: setup ## check style
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check

.PHONY: format
format: setup ## repair style where that is safe
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

.PHONY: types
types: setup ## check types
	@$(PYTHON) -m mypy

.PHONY: imports
imports: setup ## check who imports whom
	@$(VENV)/bin/lint-imports --no-cache

.PHONY: generate
generate: setup helm ## write what follows from the code: CRDs, parts of the chart, plain manifests, pages of docs, what --help shows
	@$(PYTHON) -m gpuinstance.api.crd $(CRDS)
	@$(PYTHON) -m tests.chart.generate
	@$(PYTHON) -m docs.generate
	@$(PYTHON) -m tests.unit.cli.helps

.PHONY: docs
docs: setup ## build the documentation site, strictly, into build/site
	@$(PYTHON) -m docs.site_sources

.PHONY: check-generated
check-generated: generate ## fail if what is generated differs from what is committed
	@git diff --exit-code -- $(GENERATED)

.PHONY: ci
ci: ## everything that must hold before a change is taken
	@$(MAKE) --jobs 8 tools lint types imports  # the network, the compiler and mypy side by side
	@$(MAKE) check-generated test

LOCK := $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command 'make lock' pyproject.toml

.PHONY: lock
lock: setup ## pin the newest dependencies that pyproject.toml allows
	@$(LOCK) --upgrade --output-file requirements.txt
	@$(LOCK) --upgrade --extra dev --constraint requirements.txt --output-file requirements-dev.txt

.PHONY: clean
clean: ## remove what these targets made here; the built control plane stays in the user's cache
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m tests.rig.background down; fi
	@rm -rf $(VENV) .matrix .run build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache operator/*.egg-info
