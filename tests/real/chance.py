# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random NetworkPolicies for the pods of `lab.py`, and random connections between them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .lab import MACHINE, NAMESPACES, NODE, TCP_PORTS, UDP_PORTS, Object, policy
from .specification import Connection

SELECTORS: list[Object] = [
    {},
    {"matchLabels": {"app": "web"}},
    {"matchLabels": {"app": "client", "tier": "front"}},
    {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "database"]}]},
    {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
    {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
    {"matchLabels": {"tier": "back"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
]
OF_NAMESPACES: list[Object] = [
    {},
    {"matchLabels": {"team": "a"}},
    {"matchLabels": {"kubernetes.io/metadata.name": "other"}},
    {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
]
BLOCKS: list[Object] = [
    {"cidr": "0.0.0.0/0"},
    {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/24"]},
    {"cidr": f"{MACHINE}/32"},
    {"cidr": f"{NODE}/32"},
]
NUMBERS: list[Object] = [
    {"port": 80, "protocol": "TCP"},
    {"port": 80},
    {"port": 81, "endPort": 90, "protocol": "TCP"},
    {"port": 53, "protocol": "UDP"},
    {"protocol": "TCP"},
    {"protocol": "UDP"},
]
NAMES: list[Object] = [
    {"port": "web", "protocol": "TCP"},
    {"port": "dns", "protocol": "UDP"},
    {"port": "dns", "protocol": "TCP"},
    {"port": "unknown"},
]
FIELDS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


@dataclass
class Chance:
    """Makes policies and connections for pods with these addresses.

    `careful` leaves out what kube-router judges wrongly: a policy with both types, names of ports, and more than one
    ipBlock in a rule.
    """

    random: random.Random
    addresses: Sequence[str]
    careful: bool = False

    def policies(self) -> list[Object]:
        """Return some policies."""
        return [self._policy() for _index in range(self.random.randint(1, 6))]

    def connections(self, number: int) -> list[Connection]:
        """Return connections, each once; one of the ends may be the node or another machine."""
        return list(dict.fromkeys(self._connection() for _index in range(number)))

    def _connection(self) -> Connection:
        ends = [NODE, MACHINE, *self.addresses]
        protocol, ports = self.random.choice((("TCP", TCP_PORTS), ("UDP", UDP_PORTS)))
        return Connection(self.random.choice(ends), self.random.choice(ends), self.random.choice(ports), protocol)

    def _policy(self) -> Object:
        types = self.random.choice((("Ingress",), ("Egress",), *([] if self.careful else [("Ingress", "Egress")])))
        rules = {
            field: [self._rule(peers) for _index in range(self._number())]
            for field, peers in (FIELDS[direction] for direction in types)
        }
        where = self.random.choice(NAMESPACES)["metadata"]["name"]
        return policy(where, self.random.choice(SELECTORS), types, **rules)

    def _number(self) -> int:
        return self.random.choice((0, 1, 1, 2))

    def _rule(self, peers: str) -> Object:
        rule: Object = {}
        if self.random.random() < 0.8:
            found = [self._peer() for _index in range(self._number())]
            blocks = [peer for peer in found if "ipBlock" in peer]
            rule[peers] = [peer for peer in found if not (self.careful and peer in blocks[1:])]
        if self.random.random() < 0.8:
            rule["ports"] = self.random.sample(NUMBERS + ([] if self.careful else NAMES), self._number())
        return rule

    def _peer(self) -> Object:
        return self.random.choice(
            [
                {"podSelector": self.random.choice(SELECTORS)},
                {"namespaceSelector": self.random.choice(OF_NAMESPACES)},
                {
                    "namespaceSelector": self.random.choice(OF_NAMESPACES),
                    "podSelector": self.random.choice(SELECTORS),
                },
                {"ipBlock": self._block()},
            ]
        )

    def _block(self) -> dict[str, Any]:
        left_out = [f"{address}/32" for address in self.random.sample(list(self.addresses), 2)]
        own: list[Object] = [{"cidr": "10.244.0.0/24", "except": ["10.244.0.8/29", *left_out]}]
        return self.random.choice(BLOCKS + own + ([] if self.careful else [{"cidr": "2001:db8::/32"}]))
