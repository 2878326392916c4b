# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the playbooks."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.monorepo.gitops.plugins.filter.argocd import (
    gateway_class_problem,
    host_network_warnings,
    project,
    table,
    widened,
)
from ansible_collections.monorepo.gitops.plugins.filter.rendering import config_map_data, to_block
from ansible_collections.monorepo.gitops.plugins.filter.run import next_command

KAFKA = {"group": "kafka.strimzi.io", "kind": "Kafka"}
CONNECT = {"group": "kafka.strimzi.io", "kind": "KafkaConnect"}
FOUND = {"infra": {"namespaces": ["kafka"], "cluster_kinds": [], "namespaced_kinds": [KAFKA]}}
WANTED = project("infra", "dev", "https://git.example.com/x.git", FOUND)


def test_a_project_allows_what_the_overlays_have():
    assert WANTED == {
        "name": "infra",
        "description": "Infrastructure of the environment dev",
        "source_repos": ["https://git.example.com/x.git"],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "kafka"}],
        "cluster_kinds": [],
        "namespaced_kinds": [KAFKA],
        "service_accounts": [],
    }


def test_a_project_names_the_account_of_its_layer_for_each_destination():
    found = project("infra", "dev", "https://git.example.com/x.git", FOUND, "argocd")
    accounts = [found["destinations"][0] | {"defaultServiceAccount": "argocd:gitops-infra"}]
    assert found == WANTED | {"service_accounts": accounts}
    # It is known by them, until the accounts are gone.
    live = {"metadata": {"name": "infra"}, "spec": {"destinationServiceAccounts": accounts}}
    assert widened([WANTED], [live]) == [found]


def test_a_project_keeps_what_it_allows_until_that_is_pruned():
    live = {"metadata": {"name": "infra"}, "spec": {"namespaceResourceWhitelist": [CONNECT, KAFKA]}}
    assert widened([WANTED], [live]) == [WANTED | {"namespaced_kinds": [KAFKA, CONNECT]}]
    assert widened([WANTED], []) == [WANTED]
    assert widened([WANTED], [live | {"metadata": {"name": "other"}}]) == [WANTED]


def test_a_table_has_a_heading_and_a_row_for_each():
    rows = [{"name": "kafka", "sync": "Synced"}, {"name": "maildev", "sync": None}]
    assert table(rows, {"name": "Application", "sync": "Sync"}) == (
        "Application  Sync\n-----------  ------\nkafka        Synced\nmaildev"
    )


def test_a_cell_of_a_table_is_what_a_person_writes():
    row = {"commit": "4e84fb37b98a12648247bccdf05e926d0e5636bc", "done": True, "failed": False, "seconds": 2.5}
    line = table([row], {key: key for key in row}).splitlines()[-1]
    assert line.split() == ["4e84fb37b98a", "yes", "2.5"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("rows | monorepo.gitops.table({'name': 'Name'})", "Name\n-----\nkafka"),
        ("[wanted] | monorepo.gitops.widened([])", [WANTED]),
        ("'infra' | monorepo.gitops.project('dev', 'https://git.example.com/x.git', found)", WANTED),
        ("[] | monorepo.gitops.gateway_class_problem('x') is search('GatewayClass x')", True),
        ("{} | monorepo.gitops.host_network_warnings([80], 9094)", []),
    ],
)
def test_a_playbook_finds_the_filters(expression, value):
    variables = {"rows": [{"name": "kafka"}], "wanted": WANTED, "found": FOUND}
    templar = Templar(loader=DataLoader(), variables=variables)
    assert templar.template(trust_as_template(f"{{{{ {expression} }}}}")) == value


def gateway_class(controller, **accepted):
    conditions = [{"type": "SupportedVersion", "status": "True"}, {"type": "Accepted", **accepted}]
    return {"spec": {"controllerName": controller}} | ({"status": {"conditions": conditions}} if accepted else {})


CILIUM = "io.cilium/gateway-controller"


@pytest.mark.parametrize(
    ("name", "found", "problem"),
    [
        ("cilium", [gateway_class(CILIUM, status="True")], ""),
        (
            "cilium",
            [],
            "gateway_class_name: the cluster does not have GatewayClass cilium: apply the CRDs of Gateway API, then "
            "install Cilium 1.19.6 or newer with gatewayAPI.enabled=true and gatewayAPI.gatewayClass.create=true "
            "(docs/clusters.md).",
        ),
        (
            "traefik",
            [],
            "gateway_class_name: the cluster does not have GatewayClass traefik: install its controller, or name the "
            "class of another one (docs/clusters.md).",
        ),
        (
            "cilium",
            [gateway_class(CILIUM, status="Unknown", message="Waiting for controller")],
            "gateway_class_name: nothing has accepted GatewayClass cilium (Waiting for controller): restart Cilium's "
            "operator, which looks for the CRDs of Gateway API only when it starts: kubectl rollout restart -n "
            "kube-system deployment/cilium-operator (docs/clusters.md).",
        ),
        (
            "traefik",
            [gateway_class("traefik.io/gateway-controller")],
            "gateway_class_name: nothing has accepted GatewayClass traefik: start its controller, or name another "
            "class (docs/clusters.md).",
        ),
    ],
)
def test_a_gateway_class_without_a_controller_is_a_problem(name, found, problem):
    assert gateway_class_problem(found, name) == problem


HOST_NETWORK = {"gateway-api-hostnetwork-enabled": "true"}
PASSTHROUGH = (
    "Cilium's Gateway is in host-network mode, where listener kafka may not get its port 9094 and may be served at "
    "the port of another listener (cilium/cilium#45913): try it before clients do (docs/clusters.md)."
)
PRIVILEGED = (
    "Cilium's Gateway is in host-network mode and cannot open port 80 and 443: set "
    "envoy.securityContext.capabilities.keepCapNetBindService=true (docs/clusters.md)."
)


@pytest.mark.parametrize(
    ("config", "ports", "warnings"),
    [
        ({}, [80, 443], []),
        ({"gateway-api-hostnetwork-enabled": "false"}, [80, 443], []),
        (HOST_NETWORK, [8080, 8443], [PASSTHROUGH]),
        (HOST_NETWORK, [80, 443], [PASSTHROUGH, PRIVILEGED]),
        (HOST_NETWORK | {"envoy-keep-cap-netbindservice": "true"}, [80, 443], [PASSTHROUGH]),
    ],
)
def test_host_network_mode_has_its_warnings(config, ports, warnings):
    assert host_network_warnings(config, ports, 9094) == warnings


class TestToBlock:
    def test_every_entry_has_a_line(self):
        value = {"limits": {"memory": "1Gi"}, "items": [{"b": 1, "a": [True, None, 1.5]}, []], "empty": {}}
        assert to_block(value, 2) == (
            "empty: {}\n"
            "  items:\n"
            "    - a:\n"
            "        - true\n"
            "        - null\n"
            "        - 1.5\n"
            "      b: 1\n"
            "    - []\n"
            "  limits:\n"
            "    memory: 1Gi"
        )
        assert (to_block([], 8), to_block({}, 8)) == ("[]", "{}")

    def test_the_order_of_keys_does_not_matter_and_that_of_a_list_does(self):
        assert to_block({"b": 1, "a": 2}, 0) == to_block({"a": 2, "b": 1}, 0) == "a: 2\nb: 1"
        assert to_block(["b", "a"], 0) == "- b\n- a"

    @pytest.mark.parametrize("text", ["y", "N", "on", "1e5", "1_0e-3", "0o17", "017", "12:30", "2026-01-01", "null"])
    def test_a_text_that_some_parser_takes_for_something_else_is_quoted(self, text):
        assert to_block([text], 0) == f"- '{text}'"
        assert to_block({text: ""}, 0) == f"'{text}': ''"

    def test_a_text_of_several_lines_stays_readable(self):
        assert to_block({"a": "SELECT 1;\n\nSELECT 2;", "b": 1}, 2) == "a: |-\n    SELECT 1;\n\n    SELECT 2;\n  b: 1"
        assert to_block({"a": "with its end\n", "b": 1}, 2) == "a: |\n    with its end\n  b: 1"
        assert to_block({"b": 1, "a": ["text\n"]}, 0) == "a:\n  - |\n    text\nb: 1"

    def test_the_end_of_a_patch_loses_a_line_break_unless_something_follows(self):
        assert to_block({"a": "at the end\n"}, 2) == 'a: "at the end\\n"'
        assert to_block({"a": ["x\n", {"b": "at the end\n"}]}, 0) == 'a:\n  - |\n    x\n  - b: "at the end\\n"'
        assert to_block({"a": "at the end\n"}, 2, followed=True) == "a: |\n    at the end"
        assert to_block({"a": "long " * 50}, 2) == f"a: '{'long ' * 50}'"

    @pytest.mark.parametrize(
        "text",
        [
            "\n",
            "a\nb\n",
            "a\n\n",
            "\n\n",
            "a\n \n",
            " a\nb",
            "a\n b",
            "a: b\n#c",
            "a\tb\nc",
            "tr \nb",
            "- a",
            "é\u2028b\n\nc",
        ],
    )
    def test_every_text_is_read_as_it_was_also_at_the_end_of_a_patch(self, text):
        value = {"list": [text, {"key": text}], "text": text}
        patch = yaml.safe_load(f"patch: |-\n  - value:\n      {to_block(value, 6)}\n")["patch"]
        assert yaml.safe_load(patch) == [{"value": value}]
        patch = yaml.safe_load(f"patch: |-\n  value:\n    {to_block(value, 4, followed=True)}\n  name: a\n")["patch"]
        assert yaml.safe_load(patch) == {"value": value, "name": "a"}

    def test_values_of_ansible_are_templated_and_become_what_json_would_make_of_them(self):
        variables = {"name": "x", "value": {"list": [trust_as_template("{{ name }}")], 1: yaml.safe_load("2026-01-01")}}
        templar = Templar(loader=DataLoader(), variables=variables)
        text = templar.template(trust_as_template("{{ value | monorepo.gitops.to_block(0) }}"))
        assert yaml.safe_load(text) == json.loads('{"1": "2026-01-01", "list": ["x"]}')


def test_every_value_of_a_config_map_is_a_text():
    data = {"text": "a: 1\n", "map": {"b": ["y"], "a": {}}, "list": [1], "empty": {}, "flag": True, "number": 7}
    assert config_map_data(data) == {
        "text": "a: 1\n",
        "map": "a: {}\nb:\n  - 'y'",
        "list": "- 1",
        "empty": "{}",
        "flag": "true",
        "number": "7",
    }


def test_the_next_command_is_for_the_same_cluster_and_shows_no_secret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my inventory").mkdir()
    options = {
        "inventory": [str(tmp_path / "my inventory"), "/etc/ansible/does-not-exist", "localhost,"],
        "extra_vars": [
            "@kind.yml",
            "cluster_kind=rehearsal token=hunter2",
            '{"cluster_context": "x", "token": "hunter2"}',
        ],
        "ask_vault_pass": True,
        "vault_password_files": [str(tmp_path / "password")],
        "vault_ids": ["dev@prompt"],
    }
    assert next_command("monorepo.gitops.verify", options) == (
        "ansible-playbook monorepo.gitops.verify -i 'my inventory' -i localhost, -e @kind.yml "
        "-e cluster_kind=rehearsal --ask-vault-pass --vault-password-file password --vault-id dev@prompt"
    )
    assert next_command("x", {}) == "ansible-playbook x"
