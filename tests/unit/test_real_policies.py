# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that NetworkPolicies become, and the reading of the specification that judges them on real connections."""

from __future__ import annotations

import re
import struct

import pytest
from real.lab import namespace, pod, policy
from real.node.policies import ruleset
from real.node.refusals import PAYLOAD, PREFIX, attribute, read
from real.specification import Connection, Situation

WEB = pod("shop", "web", "10.0.0.1", {"app": "web"}, {"http": (8080, "TCP"), "dns": (53, "UDP")})
DATABASE = pod("shop", "database", "10.0.0.2", {"app": "database"}, {"http": (81, "TCP")})
CLIENT = pod("team", "client", "10.0.0.3", {"app": "client"})
PODS = [WEB, DATABASE, CLIENT]
NAMESPACES = [namespace("shop"), namespace("team", kind="user")]
ALL = {}
WEB_ONLY = {"matchLabels": {"app": "web"}}
NODE, ELSEWHERE = "10.88.0.1", "192.0.2.7"


def chain(text, name):
    """Return what a chain allows."""
    found = re.search(rf"chain {name} {{\n(.*?)\n}}", text, re.DOTALL)
    return [line.removesuffix(" return") for line in found[1].splitlines()[2:-2]] if found else None


def ingress(*rules):
    text = ruleset([policy("shop", WEB_ONLY, ingress=list(rules))], PODS, NAMESPACES)
    return chain(text, "ingress-10-0-0-1")


def egress(*rules):
    text = ruleset([policy("shop", WEB_ONLY, ("Egress",), egress=list(rules))], PODS, NAMESPACES)
    return chain(text, "egress-10-0-0-1")


def test_without_a_policy_nothing_is_refused():
    text = ruleset([], PODS, NAMESPACES)
    assert "reject" not in text
    assert "vmap" not in text


def test_only_the_selected_pods_of_the_namespace_get_a_chain_for_the_type():
    text = ruleset([policy("shop", WEB_ONLY)], PODS, NAMESPACES)
    assert re.findall(r"^chain (\S+)", text, re.MULTILINE) == ["ingress-10-0-0-1", "forward", "input"]
    assert "ip daddr vmap { 10.0.0.1 : jump ingress-10-0-0-1 }" in text
    assert chain(text, "ingress-10-0-0-1") == []


def test_the_rest_of_a_chain_is_logged_and_refused():
    text = ruleset([policy("shop", WEB_ONLY)], PODS, NAMESPACES)
    assert 'log prefix "ingress" group 101 snaplen 96\nreject with icmp type admin-prohibited\n}' in text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ["return"]),
        ({"from": []}, ["return"]),
        ({"from": [{"podSelector": ALL}]}, ["ip saddr { 10.0.0.1, 10.0.0.2 }"]),
        ({"from": [{"namespaceSelector": ALL}]}, ["ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 }"]),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kind": "user"}}}]}, ["ip saddr { 10.0.0.3 }"]),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kind": "user"}}, "podSelector": WEB_ONLY}]}, []),
        ({"from": [{"podSelector": {"matchLabels": {"app": "none"}}}]}, []),
        ({"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}, ["ip saddr 192.0.2.0/24"]),
        (
            {"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/28", "192.0.2.4/32"]}}]},
            ["ip saddr 192.0.2.0/24 ip saddr != { 192.0.2.0/28 }"],
        ),
        ({"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}]}, []),
        ({"ports": [{"port": 80}]}, ["tcp dport 80"]),
        ({"ports": [{"port": 80, "endPort": 90, "protocol": "UDP"}]}, ["udp dport 80-90"]),
        ({"ports": [{"protocol": "UDP"}]}, ["meta l4proto udp"]),
        ({"ports": [{"port": "http"}, {"port": "dns", "protocol": "UDP"}]}, ["tcp dport 8080", "udp dport 53"]),
        ({"ports": [{"port": "dns"}, {"port": "unknown"}]}, []),
    ],
)
def test_a_rule_for_incoming_connections(rule, expected):
    assert ingress(rule) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"to": [{"podSelector": ALL}], "ports": [{"port": 80}]}, ["ip daddr { 10.0.0.1, 10.0.0.2 } tcp dport 80"]),
        # The name is that of the pod that is reached: each has a number of its own.
        ({"ports": [{"port": "http"}]}, ["ip daddr 10.0.0.1 tcp dport 8080", "ip daddr 10.0.0.2 tcp dport 81"]),
        (
            {"to": [{"ipBlock": {"cidr": "10.0.0.2/31"}}], "ports": [{"port": "http"}, {"port": 443}]},
            ["ip daddr 10.0.0.2/31 tcp dport 443", "ip daddr 10.0.0.2 tcp dport 81"],
        ),
        ({"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": "http"}]}, []),
    ],
)
def test_a_rule_for_outgoing_connections(rule, expected):
    assert egress(rule) == expected


def test_several_policies_add_up_and_no_rule_comes_twice():
    first = policy("shop", WEB_ONLY, ingress=[{"ports": [{"port": 80}]}])
    second = policy("shop", ALL, ingress=[{"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}])
    text = ruleset([first, second], PODS, NAMESPACES)
    assert chain(text, "ingress-10-0-0-1") == ["tcp dport 80", "tcp dport 81"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"phase": "Succeeded", "podIP": "10.0.0.1"}},
        {"status": {"phase": "Pending"}},
        {"spec": WEB["spec"] | {"hostNetwork": True}},
    ],
)
def test_a_pod_without_an_address_of_its_own_has_no_rules(change):
    assert "chain ingress" not in ruleset([policy("shop", WEB_ONLY)], [WEB | change], NAMESPACES)


# --- the reading of the specification --------------------------------------------------------------------------------


def refused(policies, source, target, port=80, protocol="TCP"):
    addresses = [end if isinstance(end, str) else end["status"]["podIP"] for end in (source, target)]
    return Situation(policies, PODS, NAMESPACES, NODE).refused_by(Connection(*addresses, port, protocol))


def test_a_pod_is_open_until_a_policy_isolates_it():
    assert refused([], CLIENT, WEB) is None
    assert refused([policy("shop", ALL)], CLIENT, WEB) == "ingress"
    assert refused([policy("shop", ALL)], WEB, CLIENT) is None
    assert refused([policy("shop", ALL, ("Egress",))], WEB, CLIENT) == "egress"
    assert refused([policy("shop", ALL)], WEB, WEB) is None
    assert refused([policy("shop", ALL)], NODE, WEB) is None


def test_both_sides_have_to_allow_a_connection():
    outgoing = policy("team", ALL, ("Egress",), egress=[{"to": [{"namespaceSelector": ALL}]}])
    assert refused([outgoing], CLIENT, WEB) is None
    assert refused([outgoing], CLIENT, ELSEWHERE) == "egress"
    assert refused([outgoing, policy("shop", ALL)], CLIENT, WEB) == "ingress"


@pytest.mark.parametrize(
    ("rule", "source", "port", "expected"),
    [
        ({}, ELSEWHERE, 80, None),
        ({"from": [{"podSelector": ALL}]}, DATABASE, 80, None),
        ({"from": [{"podSelector": ALL}]}, CLIENT, 80, "ingress"),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kind": "user"}}}]}, CLIENT, 80, None),
        ({"from": [{"namespaceSelector": ALL}]}, ELSEWHERE, 80, "ingress"),
        ({"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}, ELSEWHERE, 80, None),
        ({"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32"]}}]}, ELSEWHERE, 80, "ingress"),
        ({"ports": [{"port": 79, "endPort": 81}]}, CLIENT, 80, None),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, CLIENT, 80, "ingress"),
        ({"ports": [{"port": "http"}]}, CLIENT, 8080, None),
        ({"ports": [{"port": "http"}]}, CLIENT, 80, "ingress"),
    ],
)
def test_one_rule_of_the_specification(rule, source, port, expected):
    assert refused([policy("shop", WEB_ONLY, ingress=[rule])], source, WEB, port) == expected


# --- who was refused -------------------------------------------------------------------------------------------------


def packet(protocol, source, target, port):
    header = bytes([0x45]) + b"\0" * 8 + bytes([protocol]) + b"\0" * 2 + bytes(source) + bytes(target)
    return b"\0" * 4 + attribute(PREFIX, b"egress\0") + attribute(PAYLOAD, header + struct.pack("!HH", 40000, port))


def test_a_refusal_has_the_names_of_pods_where_they_are_known():
    names = {"10.0.0.1": "shop/web", "10.0.0.3": "team/client"}
    refusal = read(packet(6, (10, 0, 0, 3), (10, 0, 0, 1), 8080), names)
    assert (str(refusal), refusal.direction) == ("tcp team/client -> shop/web 8080", "egress")
    assert str(read(packet(17, (10, 0, 0, 3), (192, 0, 2, 7), 53), names)) == "udp team/client -> 192.0.2.7 53"
    assert str(read(packet(1, (10, 0, 0, 3), (192, 0, 2, 7), 0), names)) == "protocol 1 team/client -> 192.0.2.7"
