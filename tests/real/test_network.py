# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NetworkPolicies of the components, in force: everything works, and nobody reaches more than the flows say.

What may connect is decided by `specification.py` from the policies in the cluster, and tried by connections from the
network namespaces of the real pods.
"""

from __future__ import annotations

import copy
import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from integration.conftest import words

from .node import images, network
from .node.cluster import Node
from .node.connections import REFUSED, inside, namespace_of
from .node.policies import NAMESPACES, PODS, POLICIES, full_name, is_subject, load, remove, ruleset
from .node.processes import REAL, eventually
from .node.refusals import Refusal
from .specification import Connection, Situation, selected

pytestmark = pytest.mark.harms_node
OURS = ("cert-manager", "cnpg-system", "external-secrets", "kafka-ui", "maildev", "minio", "reflector", "services")
STRANGER, NEIGHBOUR = "elsewhere/stranger", "gateway/neighbour"
LISTENING = "0A"


def unavoidable(refusal: Refusal) -> bool:
    """Return whether no policy could have allowed a connection.

    The rules follow a new pod a moment later, so that it has no name yet; it tries again. And the address of a Service
    stays as it is while no pod serves it, so there is nobody to connect to.
    """
    ends = [end for end in (refusal.source, refusal.target) if end[0].isdigit()]
    return any(ip_address(end) in ip_network(block) for end in ends for block in (network.PODS, network.SERVICES))


@pytest.mark.usefixtures("site")
def test_nothing_that_a_component_needs_was_refused(refused):
    assert [f"{entry}, {entry.direction}" for entry in refused if not unavoidable(entry)] == []


@pytest.mark.usefixtures("site", "network_policies")
def test_every_component_verifies_with_the_policies_in_force(site):
    assert "failed=0 " in words(site.playbook("playbooks/verify.yml"))


@dataclass(frozen=True)
class Site:
    """The real pods, where they listen, and what decides about connections between them."""

    policies: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    namespaces: list[dict[str, Any]]
    spaces: dict[str, Path]  # by address
    listening: list[tuple[str, int]]

    def names(self) -> dict[str, str]:
        return {pod["status"]["podIP"]: full_name(pod) for pod in self.pods} | {network.CONTROL_PLANE: "the API server"}

    def enforce(self, policies: list[dict[str, Any]]) -> None:
        load(ruleset(policies, self.pods, self.namespaces))

    def allowed(self, policies: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
        """Return the connections that policies allow, by the specification."""
        situation = Situation(policies, self.pods, self.namespaces, network.NODE)
        names = self.names()
        return {
            (names[source], names[target], port)
            for source, target, port in self.tried()
            if not situation.refused_by(Connection(source, target, port))
        }

    def made(self) -> set[tuple[str, str, int]]:
        """Return the connections that can be made now."""
        names = self.names()
        return {
            (names[source], names[target], port)
            for source, target, port in self.tried()
            if connects(self.spaces[source], target, port)
        }

    def tried(self) -> Iterator[tuple[str, str, int]]:
        return ((source, *target) for source in self.spaces for target in self.listening if source != target[0])


def connects(space: Path, address: str, port: int) -> bool:
    """Return whether a connection is accepted."""
    with inside(space):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(0.5)
        try:
            connection.connect((address, port))
        except OSError as error:
            if not isinstance(error, TimeoutError) and error.errno not in REFUSED:
                raise
            return False
        return True


def listening(space: Path) -> set[int]:
    """Return the ports on which anybody may connect, as the kernel shows them to a process in a network namespace."""
    found = set()
    with inside(space):
        tables = [Path("/proc/thread-self/net", name).read_text() for name in ("tcp", "tcp6")]
    for line in (line.split() for table in tables for line in table.splitlines()[1:]):
        address, _colon, port = line[1].partition(":")
        loopback = struct.pack("<I", int(address[-8:], 16))[0] == 127 or address.endswith("01000000")
        if line[3] == LISTENING and not loopback:
            found.add(int(port, 16))
    return found


def client(namespace: str, name: str) -> list[dict[str, Any]]:
    """Return a pod without any right of its own."""
    container = {"name": "main", "image": images.BUSYBOX, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1d"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, pod]


@pytest.fixture(scope="module")
def pods(node: Node, api: Api, first_run: Any) -> Iterator[Site]:
    """Return the site with two more pods: one in a namespace of nobody, one in that of the Gateway."""
    assert first_run.returncode == 0
    for full in (STRANGER, NEIGHBOUR):
        namespace, name = full.split("/")
        made, pod = client(namespace, name)
        node.apply(made)
        account = ("get", "serviceaccount", "default", "-n", namespace)
        eventually(lambda account=account: node.try_kubectl(*account).returncode == 0, "the account")
        node.apply(pod)
        node.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "-n", namespace, f"pod/{name}")
    lists = {path: api.request("GET", path)[1]["items"] for path in (POLICIES, PODS, NAMESPACES)}
    real = [pod for pod in lists[PODS] if is_subject(pod) and pod["spec"].get("nodeName") == REAL]
    for pod in real:
        pod["metadata"].setdefault("labels", {})
    spaces = {pod["status"]["podIP"]: namespace_of(pod["status"]["podIP"]) for pod in real}
    served = [
        (pod["status"]["podIP"], port)
        for pod in real
        if pod["metadata"]["namespace"] in OURS
        for port in sorted(listening(spaces[pod["status"]["podIP"]]))
    ]
    spaces[network.CONTROL_PLANE] = Path("/run/netns", network.CONTROL)
    yield Site(lists[POLICIES], real, lists[NAMESPACES], spaces, served)
    for full in (STRANGER, NEIGHBOUR):
        namespace, name = full.split("/")
        node.kubectl("delete", "pod", name, "-n", namespace, "--wait=false")


@pytest.fixture
def enforced(pods: Site) -> Iterator[Site]:
    """Return the site with its policies in force."""
    pods.enforce(pods.policies)
    yield pods
    remove()


def test_without_policies_everybody_connects_to_everything(pods):
    remove()
    names = pods.names()
    assert pods.made() == {(names[source], names[target], port) for source, target, port in pods.tried()}
    assert {names[target].split("/")[0] for target, _port in pods.listening} >= {"cnpg-system", "maildev", "services"}


def test_exactly_what_the_policies_allow_can_be_reached(enforced):
    assert enforced.made() == enforced.allowed(enforced.policies)


def test_a_pod_in_a_foreign_namespace_reaches_nothing(enforced):
    assert {found for found in enforced.made() if found[0] == STRANGER} == set()


def test_the_gateway_reaches_what_has_a_route_and_nothing_else(enforced):
    found = {(workload(target), port) for source, target, port in enforced.made() if source == NEIGHBOUR}
    assert {("maildev", 1080), ("socat-api", 3000), ("socat-auth", 4000), ("temporal", 7233)} <= found
    assert not {port for _target, port in found} & {5432, 8000, 9187, 1025, 9443}


def workload(full: str) -> str:
    """Return the name of the Deployment that a pod belongs to."""
    return full.split("/")[1].rsplit("-", 2)[0]


def rules(policies: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Yield name of the policy, with its namespace, and place of each ingress rule of ours."""
    for policy in policies:
        if policy["metadata"]["namespace"] in OURS:
            for place, _rule in enumerate(policy["spec"].get("ingress") or []):
                yield full_name(policy), place


def without(policies: list[dict[str, Any]], name: str, place: int) -> tuple[list[dict[str, Any]], dict[str, Any], Any]:
    """Return policies without a rule, the policy that had it, and the rule."""
    left = copy.deepcopy(policies)
    (policy,) = [entry for entry in left if full_name(entry) == name]
    return left, policy, policy["spec"]["ingress"].pop(place)


def test_each_flow_that_is_taken_away_breaks_what_it_serves_and_nothing_else(pods):
    """The others keep what they have: so no rule lets anybody in whom it does not name."""
    everything, broke = pods.allowed(pods.policies), []
    try:
        for name, place in rules(pods.policies):
            left, policy, rule = without(pods.policies, name, place)
            pods.enforce(left)
            lost = everything - pods.made()
            assert everything - lost == pods.allowed(left), (name, rule)
            for source, target, port in lost:
                (served,) = [entry for entry in pods.pods if full_name(entry) == target]
                assert selected(policy["spec"]["podSelector"], served["metadata"]["labels"]), (name, source)
                assert port in {entry["port"] for entry in rule["ports"]}, (name, source)
            broke += [f"{name} {source} {port}" for source, _target, port in lost]
    finally:
        remove()
    for flow in ("temporal-", "cnpg-controller-manager-"):
        assert any(flow in entry for entry in broke if "services/common-database-ingress" in entry), (flow, broke)
    assert any("the API server 9443" in entry for entry in broke), broke
    assert any(f"{NEIGHBOUR} 1080" in entry for entry in broke), broke


def test_without_its_flow_the_webhook_of_the_operator_is_not_called(pods, node):
    """The API server is on another machine; what it asks is a dry run, so nothing changes."""
    wrong = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "wrong", "namespace": "services"},
        "spec": {"instances": 1, "storage": {"size": "none"}},
    }

    def said() -> str:
        return node.try_kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(wrong)).stderr

    try:
        pods.enforce(pods.policies)
        assert "Size value isn't valid" in said()  # by the webhook: for the schema it is a string
        left, _policy, _rule = without(pods.policies, "cnpg-system/cnpg-system-operator-ingress", 0)
        pods.enforce(left)
        # The API server keeps its connection; forgotten, it counts as a new one.
        forget = ["conntrack", "-D", "-p", "tcp", "--reply-port-src", "9443"]
        subprocess.run(forget, capture_output=True, check=False)
        assert "failed calling webhook" in said()
    finally:
        remove()
