# Needs only Python 3.11 or newer, git and make: every target does its own setup. make help lists the targets.
ENV ?= dev
ARGS ?=
# Processes that run integration tests at the same time; each has one or two clusters, of 3 GB each: their API servers may
# take twice the memory that they have otherwise, which saves a sixth of their CPU time.
test: export GOMEMLIMIT ?= 2GiB
WORKERS ?= $(shell awk '/^MemTotal/ { n = int($$2 / 7e6); print (n < 1) ? 1 : (n > 3) ? 3 : n }' /proc/meminfo)
PART ?=
MAKEFLAGS += --no-print-directory
# The parts of `make check` run in parallel.
JOBS ?= $(shell nproc 2> /dev/null || echo 2)

venv := .venv
tools := $(venv)-tools
axe := tests/pages/node_modules/axe-core/axe.min.js
python := $(venv)/bin/python
activate := . $(venv)/bin/activate
playbook := $(activate) && ansible-playbook -i inventories/$(ENV)
# On a terminal pip shows its progress.
pip := -m pip install $(shell [ -t 2 ] || echo --quiet) --disable-pip-version-check
# Code that only parses, calls and reports; the decisions are in module_utils.
thin := 'plugins/modules/*,plugins/action/*'

.PHONY: help up down clean kubeconfig setup setup-dev setup-tools check lint unit pages sanity docs package build test test-long test-real bench pictures pins

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-12s %s\n", $$1, $$2 }'

up: build ## bring up the environment ENV (default: dev)
	$(playbook) site.yml $(ARGS)

down: setup ## remove the rehearsal cluster of ENV
	$(playbook) playbooks/rehearsal.yml $(ARGS) -e rehearsal_cluster_state=absent

kubeconfig: setup ## print the path of the kubeconfig of ENV's rehearsal cluster
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export ANSIBLE_DISPLAY_FAILED_STDERR=true && \
	{ $(playbook) playbooks/rehearsal.yml $(ARGS) -e rehearsal_cluster_state=present \
	-e "rehearsal_kubeconfig_file=$$folder/path" > /dev/null 2> "$$folder/errors" && cat "$$folder/path"; } || \
	{ cat "$$folder/errors" >&2; exit 1; }

clean: ## remove the virtual environments
	rm -rf $(venv) $(tools) playbooks/collections collections/ansible_collections/monorepo
	@# Collections of one's own stay.
	@rmdir -p collections/ansible_collections 2> /dev/null || true

setup: $(venv)/.done collections/ansible_collections/monorepo/gitops playbooks/collections ## create the virtual environment

$(venv)/.done: requirements.txt requirements-rehearsal.txt
	@command -v git > /dev/null || { echo "git is missing. Install it, for example: sudo apt-get install git" >&2; exit 1; }
	@command -v python3 > /dev/null || { echo "python3 is missing. Install it, for example: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$(python3 --version). Install it, for example: sudo apt-get install python3.11 python3.11-venv, and put it first on PATH" >&2; exit 1; }
	@python3 -c 'import ensurepip' 2> /dev/null || { echo "Python's venv module is missing. Install it, for example: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating the virtual environment $(venv) and installing requirements.txt and requirements-rehearsal.txt: about 2 minutes." >&2
	@python3 -m venv $(venv)
	@$(python) $(pip) -r requirements.txt -r requirements-rehearsal.txt
	@touch $@

# Ansible finds the clone as the collection monorepo.gitops.
collections/ansible_collections/monorepo/gitops:
	@mkdir -p $(dir $@) && ln -sfn ../../.. $@

# Ansible searches next to a playbook, so those below playbooks/ find it from every folder.
playbooks/collections:
	@ln -sfn ../collections $@

setup-dev: setup $(venv)/.done-dev ## the same with what tests need

$(venv)/.done-dev: $(venv)/.done requirements-dev.txt requirements-images.txt
	@echo "Installing requirements-dev.txt: about 1 minute." >&2
	@$(python) $(pip) -r requirements-dev.txt
	@touch $@

# The program is the same for every environment, so it is installed once.
$(axe): tests/pages/package.json
	@command -v npm > /dev/null || { echo "npm is missing. Install it, for example: sudo apt-get install npm" >&2; exit 1; }
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix tests/pages
	@touch $@

setup-tools: $(tools)/.done ## create the virtual environment of tools whose requirements clash

$(tools)/.done: $(venv)/.done requirements-tools.txt
	@echo "Creating the virtual environment $(tools) and installing requirements-tools.txt: about 1 minute."
	@python3 -m venv $(tools)
	@$(tools)/bin/python $(pip) -r requirements-tools.txt
	@touch $@

# Setup comes first, because the parts run in parallel. The longest is named first, so that it starts first.
check: setup-dev setup-tools ## everything that needs no cluster
	@$(MAKE) --jobs=$(JOBS) --keep-going --output-sync=target unit pages sanity lint docs package

lint: setup-dev ## ruff, mypy, yamllint and ansible-lint
	@$(activate) && ruff check . && ruff format --check . && mypy && ansible-lint

unit: setup-dev ## tests that need no cluster, with minimum coverage
	@$(activate) && pytest tests/unit --ignore=tests/unit/model --numprocesses=$(JOBS) --cov --cov-report= && \
	coverage report --omit=$(thin) --fail-under=90 && coverage report --include=$(thin) --fail-under=80

pages: setup-dev $(axe) ## the pages of the report in Chromium; the pictures are in tests/output/pages
	@$(activate) && pytest tests/pages -q

pictures: setup-dev $(axe) ## make the pictures of the README again
	@$(activate) && PYTHONPATH=tests python -m pages.pictures

sanity: setup-dev ## ansible-test sanity, on a copy and without containers
	@$(python) tests/sanity.py

docs: setup-tools ## documentation of plugins and roles, and the changelog fragments
	@. $(tools)/bin/activate && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all . && antsibull-changelog lint

package: setup-dev setup-tools ## build and install the collection, and check it with Galaxy's importer
	@tests/package.sh $(venv)/bin $(tools)/bin

build: setup ## build the programs of the rehearsal cluster
	@$(python) roles/rehearsal_cluster/files/build.py

test: build check ## make check, and all tests on rehearsal clusters except the long ones; the last line is the summary of the test runner
	@$(activate) && pytest tests/unit/model tests/integration --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

test-long: build setup-dev ## the long tests of PART: connection, convergence, faults, model, molecule, operate, variants or wait
	@$(activate) && pytest tests/unit/model tests/integration --long="$(or $(PART),$(error PART is empty: set it to connection, convergence, faults, model, molecule, operate, variants or wait))"

# What is missing is said before anything is built. With ARGS, arguments of pytest, only what they name.
test-real: ## as root: start a node with real pods, run tests/real on it, and leave nothing behind
	@PYTHONPATH=tests python3 -m real.node.machine
	@$(MAKE) build setup-dev
	@$(activate) && export PYTHONPATH=tests && \
	$(if $(ARGS),,python -m real.node --prepare && pytest tests/real/test_end.py tests/real/test_bucket_stub.py &&) python -m real.node $(ARGS)

# Packages for newer versions of Python need nothing that those for the oldest one do not have. A hash is that of a file, so
# it is the same wherever the file comes from.
pins: setup-tools ## before a release: pin requirements.txt, with hashes, in requirements-release.txt
	@python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Pin with Python 3.11, the oldest one; this is $$(python3 --version)." >&2; exit 1; }
	@$(tools)/bin/pip-compile --quiet --generate-hashes --strip-extras --no-header --no-annotate --no-emit-options \
	--output-file - requirements.txt > requirements-release.new
	@{ echo "# What requirements.txt names, for Python 3.11 to 3.13: pip install --require-hashes -r requirements-release.txt"; \
	echo "# Written by make pins."; cat requirements-release.new; } > requirements-release.txt
	@rm requirements-release.new

bench: build setup-dev ## measure and write docs/performance.md; PART=wait measures one part, ROUNDS=20 as often
	@$(activate) && PYTHONPATH=tests python -m bench $(if $(PART),--part $(PART)) $(if $(ROUNDS),--rounds $(ROUNDS))
