# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the playbooks."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.monorepo.gitops.plugins.filter.argocd import (
    gateway_class_problem,
    host_network_warnings,
    project,
    table,
    widened,
)

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
    }


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
    "Cilium's Gateway is in host-network mode, where listener kafka may not get its port 9094 and be served at the "
    "port of another listener (cilium/cilium#45913): try it before clients do (docs/clusters.md)."
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
