# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the specification of NetworkPolicies says about one connection, sentence by sentence.

Written independently of `node/policies.py`, which it judges: it asks about one connection, and shares no code with it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Connection:
    """A new connection between two addresses, after the translation of Services."""

    source: str
    target: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Situation:
    """All that decides about a connection."""

    policies: list[Object]
    pods: list[Object]
    namespaces: list[Object]
    node: str

    def refused_by(self, connection: Connection) -> str | None:
        """Return the direction in which a connection is refused, egress first; None when it is allowed."""
        source, target = self._pod(connection.source), self._pod(connection.target)
        # "A Pod cannot block access to itself", nor from the node that it runs on.
        if source == target or connection.source == self.node:
            return None
        if source and not self._allows("Egress", source, connection.target, target, connection):
            return "egress"
        if target and not self._allows("Ingress", target, connection.source, target, connection):
            return "ingress"
        return None

    def _pod(self, address: str) -> Object | None:
        return next((pod for pod in self.pods if pod["status"]["podIP"] == address), None)

    def _allows(self, direction: str, pod: Object, other: str, target: Object | None, connection: Connection) -> bool:
        """Judge one direction: a pod that no policy isolates is open, else one of all rules must allow it."""
        isolating = [
            policy
            for policy in self.policies
            if direction in policy["spec"]["policyTypes"]
            and policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and selected(policy["spec"]["podSelector"], pod["metadata"]["labels"])
        ]
        if not isolating:
            return True
        field, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        return any(
            self._peers_contain(rule.get(peers), other, policy["metadata"]["namespace"])
            and ports_contain(rule.get("ports"), connection, target)
            for policy in isolating
            for rule in policy["spec"].get(field, [])
        )

    def _peers_contain(self, peers: list[Object] | None, other: str, namespace: str) -> bool:
        # "If this field is empty or missing, this rule matches all sources."
        return not peers or any(self._peer_is(peer, other, namespace) for peer in peers)

    def _peer_is(self, peer: Object, other: str, namespace: str) -> bool:
        if "ipBlock" in peer:
            address = ipaddress.ip_address(other)
            left_out = peer["ipBlock"].get("except", [])
            return address in ipaddress.ip_network(peer["ipBlock"]["cidr"]) and not any(
                address in ipaddress.ip_network(part) for part in left_out
            )
        pod = self._pod(other)
        if pod is None:
            return False
        if "podSelector" in peer and not selected(peer["podSelector"], pod["metadata"]["labels"]):
            return False
        if "namespaceSelector" in peer:
            labels = {item["metadata"]["name"]: item["metadata"]["labels"] for item in self.namespaces}
            return selected(peer["namespaceSelector"], labels[pod["metadata"]["namespace"]])
        return bool(pod["metadata"]["namespace"] == namespace)


def selected(selector: Object, labels: dict[str, str]) -> bool:
    # "The result of matchLabels and matchExpressions are ANDed. An empty label selector matches all objects."
    wanted = selector.get("matchLabels", {})
    if not wanted.items() <= labels.items():
        return False
    for expression in selector.get("matchExpressions", []):
        value = labels.get(expression["key"])
        match expression["operator"]:
            case "Exists":
                holds = value is not None
            case "DoesNotExist":
                holds = value is None
            case "In":
                holds = value is not None and value in expression["values"]
            case "NotIn":
                holds = value is None or value not in expression["values"]
            case operator:
                raise ValueError(operator)
        if not holds:
            return False
    return True


def ports_contain(ports: list[Object] | None, connection: Connection, target: Object | None) -> bool:
    # "If this field is empty or missing, this rule matches all ports"; a name is that of a port of the target.
    return not ports or any(port_is(port, connection, target) for port in ports)


def port_is(port: Object, connection: Connection, target: Object | None) -> bool:
    if port.get("protocol", "TCP") != connection.protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return bool(wanted <= connection.port <= port.get("endPort", wanted))
    own = [entry for container in target["spec"]["containers"] for entry in container["ports"]] if target else []
    return any(
        (entry["name"], entry["protocol"], entry["containerPort"]) == (wanted, connection.protocol, connection.port)
        for entry in own
    )
