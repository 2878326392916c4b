# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run before anything is written, with one sentence that says what to do."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
import yaml

from .conftest import BASE

DATABASE = [*BASE, "cnpg-system", "external-secrets", "minio", "common"]
EXISTING = {"cluster_kind": "existing", "gitops_repo_url": "file:///nowhere/x.git"}

# Further ones of the same checks.
FURTHER = [
    ({"gitops_components": ["maildev"]}, "gitops_components: maildev depends on gateway, which is not in the list"),
    ({"gitops_components": ["gateway", "gateway"]}, "two components are called 'gateway'; names must be unique."),
    (
        {"cert_manager_sha256": "abc", "component_stand_in": "never"},
        "'abc' is not a SHA-256 checksum for https://github.com/",
    ),
    (
        {"gitops_components": ["acme.platform.Gateway_"]},
        "gitops_components: name 'Gateway_' of 'acme.platform.Gateway_' is not a DNS label",
    ),
    (
        {"gitops_components": ["gateway", "acme.platform.gateway"]},
        "two components are called 'gateway'; names must be unique.",
    ),
    (
        {"minio_buckets": [{"name": "Upper"}], "gitops_components": [*BASE, "external-secrets", "minio"]},
        "minio_buckets: Upper is not a valid bucket name",
    ),
    (
        {"common_backup_enabled": True, "gitops_components": DATABASE},
        "common_backup_enabled needs the plugin that makes the backups: set cnpg_system_barman_cloud to true.",
    ),
    (
        {"common_synchronous_replicas": 1, "gitops_components": DATABASE},
        "common_synchronous_replicas is 1 and common_instances 1: it must be lower",
    ),
    (
        {"gitops_volume_removals": [{"component": "minio"}]},
        "gitops_volume_removals: an entry has no api_version, kind, name; each needs component, api_version,",
    ),
    (
        EXISTING | {"cluster_kubeconfig": "/nowhere/config"},
        "cluster_kubeconfig names /nowhere/config, which does not exist.",
    ),
    (
        EXISTING | {"cluster_kubeconfig": "KUBECONFIG", "gitops_repo_url": ""},
        "gitops_repo_url is empty: set it to the repository",
    ),
    ({"cluster_kind": "kind"}, 'cluster_kind is "kind", which is not one of rehearsal, existing (given with -e).'),
    (
        {"maildev_hots": "x"},
        "maildev_hots is not a variable of this collection (given with -e). Did you mean maildev_host?",
    ),
]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"gitops_components": ["kafak"]},
            "gitops_components: there is no component 'kafak' (no role monorepo.gitops.kafak",
        ),
        (
            {"maildev_replicas": "many"},
            'maildev_replicas is "many", which is not a whole number (given with -e).',
        ),
        ({"maildev_host": "mail_dev..x"}, "HTTPRoute maildev: 'mail_dev..x' is not a valid host name"),
        (
            {"gitops_upstream_mirror": "MIRROR", "component_stand_in": "never", "cert_manager_sha256": "0" * 64},
            f"has sha256 {hashlib.sha256(b'other').hexdigest()}, expected {'0' * 64}: correct the pinned checksum",
        ),
        (
            {"temporal_replicas": 2, "gitops_components": [*DATABASE, "temporal"]},
            "temporal_replicas is 2: more than one pod needs temporal_mode server.",
        ),
        (
            {"gitops_upstream_mirror": "/nowhere", "component_stand_in": "auto", "gateway_sha256": "0" * 64},
            "Set gitops_upstream_mirror to a mirror that has it",
        ),
        (
            {"gitops_components": ["gateway"]},
            "This run would delete components that gitops_components does not have: infra/cert-manager (in Git: argocd",
        ),
        (
            {"cluster_kind": "existing"},
            "cluster_kind is existing, so cluster_kubeconfig (a path) or cluster_context (a name) must say",
        ),
        (
            EXISTING | {"cluster_kubeconfig": "KUBECONFIG", "cluster_uid": "1234"},
            "This is not the intended cluster: its namespace",
        ),
        (
            {"gitops_domian": "example.com"},
            "gitops_domian is not a variable of this collection (given with -e). Did you mean gitops_domain?",
        ),
        ({"gitops_components": ["acme.platform.shop"]}, "shop_token is not set: Token of the shop."),
        *(pytest.param(*case, marks=pytest.mark.long("variants")) for case in FURTHER),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_bad_input_stops_the_run_before_anything_is_written(environment, variables, message, tmp_path):
    for name, component in (("Gateway_", "Gateway_"), ("gateway", "gateway"), ("shop", "shop")):
        other_collection(environment, name, component)
    wrong = tmp_path / "github.com/cert-manager/cert-manager/releases/download/v1.20.3/cert-manager.yaml"
    wrong.parent.mkdir(parents=True)
    wrong.write_text("other")
    values = {"KUBECONFIG": environment.status["kubeconfig"], "MIRROR": str(tmp_path)}
    variables = {key: values.get(value, value) if isinstance(value, str) else value for key, value in variables.items()}
    head, before = environment.git("rev-parse", "main"), len(environment.writes())
    done = environment.site("-e", json.dumps(variables))
    assert done.returncode != 0
    failure = environment.report()["failure"]
    assert message in re.sub(r"\s+", " ", failure["message"])
    assert environment.git("rev-parse", "main") == head
    assert environment.writes()[before:] == []


def other_collection(environment, role, component):
    """Write the definition of a component in another collection."""
    path = environment.inventory.parent.parent / "collections/ansible_collections/acme/platform/roles" / role
    (path / "vars").mkdir(parents=True, exist_ok=True)
    definition = {f"{role}_component": {"name": component, "layer": "infra", "namespace": "other"}}
    (path / "vars" / "main.yml").write_text(yaml.safe_dump(definition))
    if role == "shop":
        options = {"shop_token": {"required": True, "description": "Token of the shop."}}
        (path / "meta").mkdir(exist_ok=True)
        (path / "meta" / "argument_specs.yml").write_text(
            yaml.safe_dump({"argument_specs": {"main": {"options": options}}})
        )


def test_a_secret_that_cannot_be_looked_up_stops_only_what_uses_it(environment):
    unreachable = "{{ lookup('ansible.builtin.file', '/nowhere/token') }}"
    variables = {"argocd_repositories": unreachable, "argocd_ssh_known_hosts": unreachable}
    done = environment.site("--tags", "render", "-e", json.dumps(variables))
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_secret_in_a_template_is_not_committed(environment):
    head = environment.git("rev-parse", "main")
    done = environment.site("-e", json.dumps({"maildev_image": "https://bob:hunter2@registry.invalid/x"}))
    assert done.returncode != 0
    assert "infra/maildev: Deployment maildev contains a password in a URL" in re.sub(r"\s+", " ", done.stdout)
    assert environment.git("rev-parse", "main") == head


def test_a_token_reaches_neither_the_output_nor_a_result(environment, tmp_path):
    playbook = tmp_path / "wait.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  tasks:
    - monorepo.gitops.argocd_app_info: &connection
        host: https://127.0.0.1:1
        api_key: hunter2
      register: result
      ignore_errors: true
    - monorepo.gitops.server_side_apply:
        <<: *connection
        definition: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]
      ignore_errors: true
      register: other
    - ansible.builtin.debug: {msg: "{{ result }} {{ other }}"}
"""
    )
    done = environment.playbook(str(playbook), "-vvv")
    assert "Connection refused" in done.stdout
    assert "ignored=2" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
