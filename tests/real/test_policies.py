# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same connections under our own rules and under kube-router's, on the pods of `field.py`.

ROUNDS=50 SEED=7 takes more random rounds, and others.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .chance import Chance
from .field import (
    ALL,
    DATABASE,
    DENY,
    HTTP,
    JOB,
    OTHER_CLIENT,
    PROBED,
    SERVICE,
    TEAM_CLIENT,
    TEAM_WEB,
    WEB,
    Field,
    incoming,
)
from .lab import MACHINE, NAMESPACES, NODE, policy
from .node import network
from .node.connections import ask
from .node.processes import eventually
from .specification import Situation

pytestmark = pytest.mark.harms_node
SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CHECKS = 30  # in each round


def test_default_deny_refuses_all_but_the_node(field, enforce):
    assert field.ask(TEAM_CLIENT, WEB, 80) == f"{WEB} 80"
    enforce(DENY)
    for source in (DATABASE, TEAM_CLIENT, MACHINE):
        assert not field.ask(source, WEB, 80), source
        assert not field.ask(source, WEB, 53, "UDP"), source
    for target in (DATABASE, OTHER_CLIENT, MACHINE, NODE):
        assert not field.ask(WEB, target, 80), target
    assert field.ask(TEAM_WEB, OTHER_CLIENT, 80) == f"{OTHER_CLIENT} 80"
    assert field.node.run_in_pod("shop", "web", "echo", "by the kubelet") == "by the kubelet\n"
    enforce()
    assert field.ask(TEAM_CLIENT, WEB, 80) == f"{WEB} 80"


def test_an_allowed_flow_passes_and_no_other_one(field, enforce):
    web = {"matchLabels": {"app": "web"}}
    outgoing = policy("shop", web, ("Egress",), egress=[{"to": [{"podSelector": ALL}]}])
    enforce(DENY, outgoing, incoming(peers=[{"podSelector": web}], port=80))
    assert field.ask(WEB, DATABASE, 80) == f"{DATABASE} 80"
    assert not field.ask(WEB, DATABASE, 81)
    assert not field.ask(DATABASE, WEB, 80)
    assert not field.ask(TEAM_WEB, DATABASE, 80)


def test_a_foreign_namespace_is_allowed_by_its_labels(field, enforce):
    clients = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "client"}}}
    enforce(DENY, incoming(peers=[clients], port=80))
    assert field.ask(TEAM_CLIENT, WEB, 80) == f"{WEB} 80"
    for source in (TEAM_WEB, OTHER_CLIENT, DATABASE, MACHINE):
        assert not field.ask(source, WEB, 80), source


@pytest.fixture
def service(field: Field) -> Iterator[str]:
    """Return the address of a Service of the pod shop/web."""
    field.write()
    field.node.apply(SERVICE)
    address = field.node.get("service", "web", "shop")["spec"]["clusterIP"]
    eventually(lambda: field.ask(TEAM_CLIENT, address, 443) == f"{WEB} 8080", "an answer of the Service")
    yield address
    field.node.kubectl("delete", "service", "web", "-n", "shop")


def test_behind_the_address_of_a_service_the_target_port_counts(field, service, enforce):
    assert field.ask(TEAM_CLIENT, service, 443) == f"{WEB} 8080"
    enforce(DENY)
    assert not field.ask(TEAM_CLIENT, service, 443)
    enforce(DENY, incoming(port=443))
    assert not field.ask(TEAM_CLIENT, service, 443)
    enforce(DENY, incoming(port=8080))
    assert field.ask(TEAM_CLIENT, service, 443) == f"{WEB} 8080"


def test_names_are_resolved_only_where_a_policy_allows_it(field, enforce):
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"".join(
        bytes([len(part)]) + part for part in b"kubernetes.default.svc.cluster.local".split(b".")
    )
    question += b"\0\0\1\0\1"

    def resolves() -> bool:
        answer = ask(field.spaces[JOB], network.DNS, 53, "UDP", say=question)
        return answer.endswith(bytes(map(int, network.API_SERVICE.split("."))))

    assert resolves()
    enforce(DENY)
    assert not resolves()
    server = {"namespaceSelector": ALL, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"protocol": "UDP", "port": 53}]
    enforce(DENY, policy("shop", ALL, ("Egress",), egress=[{"to": [server], "ports": ports}]))
    assert resolves()


def test_the_api_server_is_reached_by_its_own_address_and_port(field, enforce):
    def answers() -> bool:
        return bool(ask(field.spaces[JOB], network.API_SERVICE, 443, say=HTTP))

    def allowed(address: str, port: int) -> dict[str, Any]:
        block = {"ipBlock": {"cidr": f"{address}/32"}}
        return policy("shop", ALL, ("Egress",), egress=[{"to": [block], "ports": [{"protocol": "TCP", "port": port}]}])

    assert answers()
    for policies, opens in (
        ([DENY], False),
        ([DENY, allowed(network.API_SERVICE, 443)], False),
        ([DENY, allowed(network.CONTROL_PLANE, 6443)], True),
    ):
        enforce(*policies)
        assert answers() == opens, policies


def test_probes_pass_what_others_may_not(field, enforce):
    field.node.apply(PROBED)
    try:
        field.await_ready("shop/probed")
        pod = field.node.get("pod", "probed", "shop")
        address = pod["status"]["podIP"]
        assert ask(field.spaces[JOB], address, 8080, say=HTTP).startswith(b"HTTP/1.1 200 OK")
        enforce(DENY)
        assert not ask(field.spaces[JOB], address, 8080, say=HTTP)
        time.sleep(4)  # a probe each second, of which one that fails is enough
        assert field.is_ready("shop/probed")
        events = field.node.get("events", namespace="shop")["items"]
        unhealthy = [event for event in events if event["reason"] == "Unhealthy"]
        of_pod = [event for event in unhealthy if event["involvedObject"]["uid"] == pod["metadata"]["uid"]]
        assert not [event for event in of_pod if event["lastTimestamp"] > started(pod)]
    finally:
        field.node.kubectl("delete", "pod", "probed", "-n", "shop")


def started(pod: dict[str, Any]) -> str:
    """Return since when a pod is ready."""
    conditions = {entry["type"]: entry for entry in pod["status"]["conditions"]}
    return str(conditions["Ready"]["lastTransitionTime"])


@pytest.mark.parametrize("number", range(ROUNDS))
def test_random_policies_are_enforced_as_the_specification_says(field, enforce, number):
    """Our reading of the specification agrees with that of kube-router, where its code is right."""
    pods = field.pods()
    chance = Chance(random.Random(SEED * 100_000 + number), [pod["status"]["podIP"] for pod in pods], careful=True)
    names = {address: name for name, address in field.addresses.items()}
    policies, wrong = chance.policies(), []
    situation = Situation(policies, pods, NAMESPACES, NODE)
    enforce(*policies)
    for connection in chance.connections(CHECKS):
        source, target = names[connection.source], names[connection.target]
        expected = "" if situation.refused_by(connection) else f"{target} {connection.port}"
        if field.ask(source, target, connection.port, connection.protocol) != expected:
            wrong.append((source, target, connection.port, connection.protocol, expected))
    assert not wrong, policies
