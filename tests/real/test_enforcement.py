# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The translation of NetworkPolicies into rules, tried on real connections between network namespaces, without a node.

The random rounds compare it with what the specification says. ROUNDS=500 SEED=7 takes more of them, and others.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from .chance import Chance
from .lab import MACHINE, NAMESPACES, NODE, PODS, Lab, policy
from .node.connections import inside
from .node.policies import load, nft, remove, ruleset
from .node.refusals import Refusals
from .specification import Situation

SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "25"))
CHECKS = 40  # in each round
NAMES = {entry["status"]["podIP"]: f"{entry['metadata']['namespace']}/{entry['metadata']['name']}" for entry in PODS}
WEB_POD, DATABASE, JOB, TEAM_WEB, TEAM_CLIENT, OTHER_CLIENT = NAMES
ANYBODY: dict[str, Any] = {}
pytestmark = pytest.mark.harms_node  # it needs the rights of the node, not the cluster


@pytest.fixture(scope="module")
def machines() -> Iterator[Lab]:
    lab = Lab(PODS)
    yield lab
    lab.close()


@pytest.fixture
def lab(machines: Lab) -> Iterator[Lab]:
    """Return the lab without a policy and without connections."""
    machines.forget_connections()
    with inside(machines.node):
        remove()
        yield machines
        remove()


def enforce(*policies: dict[str, Any]) -> None:
    load(ruleset(list(policies), PODS, NAMESPACES))


def test_everything_is_open_without_a_policy(lab):
    enforce()
    assert lab.ask(OTHER_CLIENT, WEB_POD, 80) == f"{WEB_POD}:80"
    assert lab.ask(OTHER_CLIENT, WEB_POD, 53, "UDP") == f"{WEB_POD}:53"
    assert lab.ask(MACHINE, WEB_POD, 80) == f"{WEB_POD}:80"
    assert lab.ask(WEB_POD, NODE, 80) == f"{NODE}:80"


def test_default_deny_leaves_the_node_and_the_pod_itself(lab):
    with Refusals(NAMES) as refused:
        enforce(policy("shop", ANYBODY, ("Ingress", "Egress")))
        assert not lab.ask(OTHER_CLIENT, WEB_POD, 80)
        assert not lab.ask(WEB_POD, DATABASE, 53, "UDP")
        assert not lab.ask(WEB_POD, NODE, 80)
        assert not lab.ask(WEB_POD, MACHINE, 80)
        assert not lab.ask(MACHINE, WEB_POD, 81)
        assert lab.ask(NODE, WEB_POD, 80) == f"{WEB_POD}:80"
        assert lab.ask(WEB_POD, WEB_POD, 80) == f"{WEB_POD}:80"
        assert lab.ask(TEAM_WEB, OTHER_CLIENT, 80) == f"{OTHER_CLIENT}:80"
        assert [f"{entry}, {entry.direction}" for entry in refused.seen()] == [
            "tcp other/client -> shop/web 80, ingress",
            "udp shop/web -> shop/database 53, egress",
            f"tcp shop/web -> {NODE} 80, egress",
            f"tcp shop/web -> {MACHINE} 80, egress",
            f"tcp {MACHINE} -> shop/web 81, ingress",
        ]


def test_an_allowed_flow_needs_both_directions(lab):
    deny = policy("shop", ANYBODY, ("Ingress", "Egress"))
    web = {"matchLabels": {"app": "web"}}
    ports = [{"protocol": "TCP", "port": 80}]
    outgoing = policy("shop", web, ("Egress",), egress=[{"to": [{"podSelector": ANYBODY}], "ports": ports}])
    incoming = policy("shop", ANYBODY, ingress=[{"from": [{"podSelector": web}], "ports": ports}])
    enforce(deny, outgoing)
    assert not lab.ask(WEB_POD, DATABASE, 80)
    enforce(deny, outgoing, incoming)
    assert lab.ask(WEB_POD, DATABASE, 80) == f"{DATABASE}:80"
    assert not lab.ask(WEB_POD, DATABASE, 81)
    assert not lab.ask(DATABASE, WEB_POD, 80)


def test_a_foreign_namespace_is_allowed_by_its_labels_only(lab):
    enforce(policy("shop", ANYBODY, ingress=[{"from": [{"podSelector": ANYBODY}]}]))
    assert lab.ask(DATABASE, WEB_POD, 80)
    assert not lab.ask(TEAM_CLIENT, WEB_POD, 80)
    of_team = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "client"}}}
    enforce(policy("shop", ANYBODY, ingress=[{"from": [of_team]}]))
    assert lab.ask(TEAM_CLIENT, WEB_POD, 80)
    assert not lab.ask(TEAM_WEB, WEB_POD, 80)
    assert not lab.ask(OTHER_CLIENT, WEB_POD, 80)


def test_another_machine_is_allowed_by_its_address_only(lab):
    enforce(policy("shop", ANYBODY, ingress=[{"from": [{"namespaceSelector": ANYBODY}]}]))
    assert lab.ask(OTHER_CLIENT, WEB_POD, 80)
    assert not lab.ask(MACHINE, WEB_POD, 80)
    enforce(policy("shop", ANYBODY, ingress=[{"from": [{"ipBlock": {"cidr": f"{MACHINE}/32"}}]}]))
    assert lab.ask(MACHINE, WEB_POD, 80)
    assert not lab.ask(OTHER_CLIENT, WEB_POD, 80)


@pytest.fixture
def service(lab: Lab) -> Iterator[str]:  # noqa: ARG001  (this thread is in its node's namespace)
    """Translate 10.96.0.7:443 to port 8080 of shop/web, as kube-proxy does."""
    nft(
        "table ip service { chain prerouting { type nat hook prerouting priority dstnat;"
        f" ip daddr 10.96.0.7 tcp dport 443 dnat to {WEB_POD}:8080; }}; "
        "chain postrouting { type nat hook postrouting priority srcnat;"
        f" ip saddr {WEB_POD} ip daddr {WEB_POD} masquerade; }}; }}"
    )
    yield "10.96.0.7"
    nft("delete table ip service")


def test_a_policy_sees_the_pod_and_the_target_port_behind_a_service(lab, service):
    assert lab.ask(TEAM_CLIENT, service, 443) == f"{WEB_POD}:8080"
    for block, port, opens in ((WEB_POD, 8080, True), (WEB_POD, 443, False), (service, 8080, False)):
        rule = {"to": [{"ipBlock": {"cidr": f"{block}/32"}}], "ports": [{"port": port}]}
        enforce(policy("team", ANYBODY, ("Egress",), egress=[rule]))
        assert bool(lab.ask(TEAM_CLIENT, service, 443)) == opens, (block, port)


def test_a_pod_reaches_itself_behind_a_service(lab, service):
    enforce(policy("shop", ANYBODY, ("Ingress", "Egress")))
    assert lab.ask(WEB_POD, service, 443) == f"{WEB_POD}:8080"
    assert not lab.ask(DATABASE, service, 443)


def test_an_open_connection_stays_open_and_a_new_one_is_refused(lab):
    with inside(lab.spaces[TEAM_CLIENT]):
        connection = socket.create_connection((WEB_POD, 80), timeout=1)
    enforce(policy("shop", ANYBODY))
    assert not lab.ask(TEAM_CLIENT, WEB_POD, 80)
    with connection:
        connection.send(b"hello")
        assert connection.recv(100).decode() == f"{WEB_POD}:80"


def test_a_pod_that_has_ended_or_uses_the_network_of_the_node_has_no_rules(lab):
    ended = [entry | {"status": entry["status"] | {"phase": "Succeeded"}} for entry in PODS[:1]]
    of_node = [entry | {"spec": entry["spec"] | {"hostNetwork": True}} for entry in PODS[1:2]]
    load(ruleset([policy("shop", ANYBODY)], [*ended, *of_node, *PODS[2:]], NAMESPACES))
    assert lab.ask(TEAM_CLIENT, WEB_POD, 80)
    assert lab.ask(TEAM_CLIENT, DATABASE, 80)
    assert not lab.ask(TEAM_CLIENT, JOB, 80)


def test_removal_opens_everything_and_leaves_no_table(lab):
    enforce(policy("shop", ANYBODY))
    assert not lab.ask(TEAM_CLIENT, WEB_POD, 80)
    remove()
    assert lab.ask(TEAM_CLIENT, WEB_POD, 80)
    remove()  # also when there is none


# --- random policies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(ROUNDS))
def test_random_policies_are_enforced_as_the_specification_says(lab, number):
    chance = Chance(random.Random(SEED * 100_000 + number), list(NAMES))
    policies, connections = chance.policies(), chance.connections(CHECKS)
    situation = Situation(policies, PODS, NAMESPACES, NODE)
    expected, wrong = {}, []
    with Refusals(NAMES) as refused:
        enforce(*policies)
        for connection in connections:
            direction = situation.refused_by(connection)
            source, target = (NAMES.get(end, end) for end in (connection.source, connection.target))
            if direction:
                expected[f"{connection.protocol.lower()} {source} -> {target} {connection.port}, {direction}"] = None
            answer = lab.ask(connection.source, connection.target, connection.port, connection.protocol)
            if answer != ("" if direction else f"{connection.target}:{connection.port}"):
                wrong.append((connection, direction, answer))
        seen = [f"{entry}, {entry.direction}" for entry in refused.seen()]
    assert not wrong, policies
    assert seen == list(expected)
