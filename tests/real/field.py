# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods on the node between which NetworkPolicies are tried, and what enforces them: our own rules, or kube-router.

The pods are those of `lab.py`. What answers is not in their containers: this process listens in their network
namespaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api

from .kube_router import KubeRouter
from .lab import MACHINE, NAMESPACES, NODE, PODS, Servers, policy
from .node import images, network
from .node.cluster import Node
from .node.connections import ask, namespace_of
from .node.policies import Enforcement, full_name, is_subject
from .node.processes import eventually

WEB, DATABASE, JOB, TEAM_WEB, TEAM_CLIENT, OTHER_CLIENT = (full_name(pod) for pod in PODS)
ALL: dict[str, Any] = {}
HTTP = b"GET / HTTP/1.0\r\n\r\n"
DENY = policy("shop", ALL, ("Ingress", "Egress"))


def incoming(*, port: int, peers: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return a policy that lets peers, or all, connect to a port of the pods in shop."""
    rule = {"ports": [{"protocol": "TCP", "port": port}]} | ({"from": peers} if peers else {})
    return policy("shop", ALL, ingress=[rule])


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8080}]},
}
PROBED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probed", "namespace": "shop"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "main",
                "image": images.BUSYBOX,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", "mkdir /www && echo well > /www/index.html && httpd -f -p 8080 -h /www"],
                "readinessProbe": {
                    "httpGet": {"port": 8080, "path": "/"},
                    "periodSeconds": 1,
                    "failureThreshold": 1,
                    "timeoutSeconds": 1,
                },
            }
        ],
    },
}


class Field:
    """The pods of the tests on the node."""

    def __init__(self, node: Node, api: Api) -> None:
        self.node, self.api = node, api
        self.servers = Servers()
        self.spaces: dict[str, Path] = {}
        self.addresses: dict[str, str] = {}

    def create(self) -> None:
        """Create the pods and answer in their network namespaces."""
        self.node.apply(*({"apiVersion": "v1", "kind": "Namespace"} | item for item in NAMESPACES))
        for item in NAMESPACES:
            self.await_account(item["metadata"]["name"])
        container = {"image": images.BUSYBOX, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}
        self.node.apply(
            *(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": pod["metadata"],
                    "spec": {
                        "containers": [pod["spec"]["containers"][0] | container],
                        "terminationGracePeriodSeconds": 0,
                    },
                }
                for pod in PODS
            )
        )
        for pod in PODS:
            self.await_ready(full_name(pod))
        for pod in self.pods():
            self.add(full_name(pod), pod["status"]["podIP"], namespace_of(pod["status"]["podIP"]))
        self.add(MACHINE, MACHINE, Path("/run/netns", network.CONTROL))
        self.add(NODE, NODE, Path("/proc/self/ns/net"))

    def await_ready(self, pod: str) -> None:
        """Wait until a pod is ready."""
        namespace, _slash, name = pod.partition("/")
        self.node.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "-n", namespace, f"pod/{name}")

    def is_ready(self, pod: str) -> bool:
        """Return whether a pod is ready."""
        namespace, _slash, name = pod.partition("/")
        conditions = self.node.get("pod", name, namespace)["status"]["conditions"]
        return ("Ready", "True") in {(entry["type"], entry["status"]) for entry in conditions}

    def add(self, name: str, address: str, space: Path) -> None:
        """Answer on all ports of an address."""
        self.addresses[name], self.spaces[name] = address, space
        self.servers.add(address, space)

    def await_account(self, namespace: str) -> None:
        """Wait until a namespace can have pods."""
        command = ("get", "serviceaccount", "default", "-n", namespace)
        eventually(lambda: self.node.try_kubectl(*command).returncode == 0, f"the account of {namespace}")

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods that have an address of their own."""
        places = [item["metadata"]["name"] for item in NAMESPACES]
        found = self.api.request("GET", "/api/v1/pods")[1]["items"]
        return [pod for pod in found if is_subject(pod) and pod["metadata"]["namespace"] in places]

    def ask(self, source: str, target: str, port: int, protocol: str = "TCP") -> str:
        """Return who answers a connection to a pod or an address, and on which port."""
        address = self.addresses.get(target, target)
        answer = ask(self.spaces[source], address, port, protocol, say=b"hello").decode()
        by_address = {address: name for name, address in self.addresses.items()}
        who, _colon, number = answer.partition(":")
        return f"{by_address[who]} {number}" if answer else ""

    def write(self, *policies: dict[str, Any]) -> None:
        """Let these be all the policies of the pods."""
        for item in NAMESPACES:
            path = f"/apis/networking.k8s.io/v1/namespaces/{item['metadata']['name']}/networkpolicies"
            self.api.request("DELETE", path)
            for number, found in enumerate(policies):
                if found["metadata"]["namespace"] == item["metadata"]["name"]:
                    named = found | {"metadata": found["metadata"] | {"name": f"policy-{number}"}}
                    status, answer = self.api.request("POST", path, body=named, content_type="application/json")
                    assert status == 201, answer

    def remove(self) -> None:
        """Remove the pods and their namespaces."""
        self.servers.close()
        names = [item["metadata"]["name"] for item in NAMESPACES]
        self.node.kubectl("delete", "namespace", *names, timeout=120)


@pytest.fixture(scope="module")
def field(node: Node, api: Api) -> Iterator[Field]:
    found = Field(node, api)
    try:
        found.create()
        yield found
    finally:
        found.remove()


@pytest.fixture(params=["our rules", "kube-router"])
def enforce(request: pytest.FixtureRequest, field: Field) -> Iterator[Callable[..., None]]:
    """Return what lets these be all policies, and returns when they are in force."""
    field.write()
    own = request.param == "our rules"
    with Enforcement(field.api) if own else KubeRouter(field.node, field.api) as enforcer:

        def write(*policies: dict[str, Any]) -> None:
            field.write(*policies)
            enforcer.apply()
            # The node is always allowed: who does not answer it does not listen.
            assert field.ask(NODE, WEB, 80) == f"{WEB} 80"

        yield write
