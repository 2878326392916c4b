# make up: all set-up, then site.yml. make test: all tests. Nothing but Python 3.11 or newer, git and make is needed.
ENV ?= dev
ARGS ?=
MAKEFLAGS += --no-print-directory

venv := .venv
python := $(venv)/bin/python
playbook := . $(venv)/bin/activate && ansible-playbook -i inventories/$(ENV)
# What only parses, calls and reports; its decisions are in module_utils.
thin := 'plugins/modules/*,plugins/action/*'
state := $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/monorepo.gitops/clusters
cluster = $(ENV)-$(shell printf %s "$(CURDIR)/inventories/$(ENV)" | sha1sum | cut -c1-6)

.PHONY: up down clean setup kubeconfig test lint unit

up: setup ## bring up the environment ENV (default: dev)
	@$(python) roles/rehearsal_cluster/files/build.py
	$(playbook) site.yml $(ARGS)

down: setup ## remove the rehearsal cluster of ENV
	$(playbook) playbooks/rehearsal.yml -e rehearsal_cluster_state=absent

clean: ## remove the virtual environment
	rm -rf $(venv) collections playbooks/collections

kubeconfig: ## print the path of the rehearsal cluster's kubeconfig
	@echo "$(state)/$(cluster)/admin.kubeconfig"

setup: $(venv)/.done collections/ansible_collections/monorepo/gitops playbooks/collections

$(venv)/.done: requirements.txt
	@command -v git > /dev/null || { echo "git is missing. Install it, for example: sudo apt-get install git"; exit 1; }
	@command -v python3 > /dev/null || { echo "python3 is missing. Install it, for example: sudo apt-get install python3 python3-venv"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$(python3 --version). Install it, for example: sudo apt-get install python3.11 python3.11-venv, and put it first on PATH"; exit 1; }
	@python3 -c 'import ensurepip' || { echo "Python's venv module is missing. Install it, for example: sudo apt-get install python3-venv"; exit 1; }
	@echo "Creating the virtual environment $(venv) and installing requirements.txt: about 2 minutes."
	@python3 -m venv $(venv)
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The clone is found as the collection monorepo.gitops.
collections/ansible_collections/monorepo/gitops:
	@mkdir -p $(dir $@) && ln -sfn ../../.. $@

# Ansible looks beside a playbook: so those below playbooks/ find it from every folder.
playbooks/collections:
	@ln -sfn ../collections $@

$(venv)/.done-dev: $(venv)/.done requirements-dev.txt
	@echo "Installing requirements-dev.txt: about 1 minute."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

lint: setup $(venv)/.done-dev ## ruff and ansible-lint
	. $(venv)/bin/activate && ruff check . && ruff format --check . && ansible-lint

unit: setup $(venv)/.done-dev ## tests that need no cluster, and how much of the code they must cover
	. $(venv)/bin/activate && pytest tests/unit --cov --cov-report=
	. $(venv)/bin/activate && coverage report --omit=$(thin) --fail-under=90
	. $(venv)/bin/activate && coverage report --include=$(thin) --fail-under=80

test: lint ## all tests; the last line is the summary of the test runner
	@$(python) roles/rehearsal_cluster/files/build.py
	. $(venv)/bin/activate && pytest
