# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our own rules have beside the rules: names of who was refused, following changes, and an end without traces."""

from __future__ import annotations

import subprocess
import threading

import pytest

from .field import DATABASE, DENY, HTTP, JOB, OTHER_CLIENT, PROBED, TEAM_CLIENT, WEB, incoming
from .kube_router import CHAINS, SETS, KubeRouter, rules, run
from .lab import MACHINE
from .node import network
from .node.connections import ask
from .node.policies import TABLE, Enforcement
from .node.processes import eventually

pytestmark = pytest.mark.harms_node


def test_who_was_refused_has_a_name(field, network_policies):
    field.write(DENY)
    network_policies.apply()
    field.ask(TEAM_CLIENT, WEB, 8080)
    field.ask(MACHINE, DATABASE, 80)
    field.ask(JOB, network.DNS, 53, "UDP")
    found = [f"{refusal}, {refusal.direction}" for refusal in network_policies.refused.seen()]
    assert found[0] == f"tcp {TEAM_CLIENT} -> {WEB} 8080, ingress"
    assert found[1] == f"tcp the API server -> {DATABASE} 80, ingress"
    assert found[2].startswith(f"udp {JOB} -> kube-system/coredns-")
    assert found[2].endswith(" 53, egress")
    network_policies.refused.forget()
    field.ask(TEAM_CLIENT, OTHER_CLIENT, 80)
    assert network_policies.refused.seen() == []


@pytest.mark.usefixtures("network_policies")
def test_changes_are_followed_without_a_call(field):
    field.write(DENY)
    eventually(lambda: not field.ask(TEAM_CLIENT, WEB, 80), "the policy", 5)
    field.write()
    eventually(lambda: field.ask(TEAM_CLIENT, WEB, 80), "the end of the policy", 5)


@pytest.mark.usefixtures("network_policies")
def test_a_new_pod_and_a_new_label_are_followed_without_a_call(field):
    trusted = {"namespaceSelector": {"matchLabels": {"trusted": "yes"}}}
    field.write(DENY, incoming(peers=[trusted], port=8080))
    field.node.apply(PROBED)
    try:
        field.await_ready("shop/probed")
        address = field.node.get("pod", "probed", "shop")["status"]["podIP"]

        def reaches(source: str) -> bool:
            return bool(ask(field.spaces[source], address, 8080, say=HTTP))

        eventually(lambda: not reaches(TEAM_CLIENT), "the rules of the new pod", 5)
        field.node.kubectl("label", "namespace", "team", "trusted=yes")
        eventually(lambda: reaches(TEAM_CLIENT), "the label", 5)
        assert not reaches(OTHER_CLIENT)
    finally:
        field.node.kubectl("label", "namespace", "team", "trusted-")
        field.node.kubectl("delete", "pod", "probed", "-n", "shop")


def tables() -> set[str]:
    found = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return {line.removeprefix("table ") for line in found.splitlines()}


def test_the_end_removes_the_rules_and_no_others(field):
    field.write(DENY)
    before = tables()
    assert "ip kube-proxy" in before
    with Enforcement(field.api):
        assert not field.ask(TEAM_CLIENT, WEB, 80)
        assert tables() == before | {f"ip {TABLE}"}
        threads = threading.active_count()
    assert field.ask(TEAM_CLIENT, WEB, 80) == f"{WEB} 80"
    assert tables() == before
    assert threading.active_count() < threads


def test_the_end_of_kube_router_removes_its_rules_and_no_others(field):
    field.write(DENY)
    before = rules()
    with KubeRouter(field.node, field.api):
        assert not field.ask(TEAM_CLIENT, WEB, 80)
        assert CHAINS.search(rules())
    assert field.ask(TEAM_CLIENT, WEB, 80) == f"{WEB} 80"
    assert [line for line in before.splitlines() if "KUBE" in line] == [
        line for line in rules().splitlines() if "KUBE" in line
    ]
    assert not [name for name in run("ipset", "list", "-name").splitlines() if SETS.match(name)]
