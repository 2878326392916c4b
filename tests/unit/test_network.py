# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NetworkPolicies of every inventory allow what its objects need and nothing else, and are safe everywhere."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import flows_needed
import flows_table
import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.network import flows_of
from ansible_collections.monorepo.gitops.plugins.plugin_utils.network_policies import Network, manifests, policies
from flows_needed import API_PORT, API_SERVER, DNS, GATEWAY, METRICS, OUTSIDE, OWN, STRANGER, Needs
from real.specification import Connection, Situation, selected

from .environments import ALL, DEV, DEV_WITH_TLS, PROD, PROD_RELAXED, PROD_WITH_CILIUM, PROD_WITHOUT_TLS, built

# Pods and machines that are no part of a component.
OTHERS = {
    GATEWAY: ("gateway", {"app": "envoy"}),
    DNS: ("kube-system", {"k8s-app": "kube-dns"}),
    METRICS: ("monitoring", {"app": "prometheus"}),
    STRANGER: ("elsewhere", {"app": "stranger"}),
    OWN: ("services", {"app": "own"}),
}
MACHINES = {API_SERVER: "192.0.2.1", OUTSIDE: "198.51.100.7"}
# A service of one's own in a shared namespace brings what lets it out.
OWN_EGRESS = {
    "metadata": {"name": "own", "namespace": "services"},
    "spec": {"podSelector": {"matchLabels": {"app": "own"}}, "policyTypes": ["Egress"], "egress": [{}]},
}


def of_kind(objects, kind):
    return [item for name, items in objects.items() if name != "argocd" for item in items if item["kind"] == kind]


class Cluster:
    """Two pods of each workload and the others, with addresses."""

    def __init__(self, needs: Needs, written: list[dict[str, Any]]) -> None:
        self.needs, self.policies = needs, [*written, OWN_EGRESS]
        self.selecting: dict[str, list[dict[str, Any]]] = {}
        workloads = [(entry.name, entry.namespace, entry.labels) for entry in needs.workloads.values()]
        others = [(name, *entry) for name, entry in OTHERS.items()]
        first = self.pods([*workloads, *others], 1)
        second = self.pods(workloads, 2)
        self.pairs = list(itertools.permutations([*first, *MACHINES.items()], 2))
        self.pairs += zip(first, second, strict=False)  # workloads come first

    @staticmethod
    def pods(entries: list[tuple[str, str, dict[str, str]]], twin: int) -> list[tuple[str, Any]]:
        """Return names and pods, with what decides about them."""
        return [
            (
                name,
                {
                    "metadata": {"namespace": namespace, "labels": labels},
                    "spec": {"containers": []},
                    "status": {"podIP": f"10.0.{twin}.{number}"},
                },
            )
            for number, (name, namespace, labels) in enumerate(entries, 1)
        ]

    def ports(self) -> set[int]:
        """Return every port that a policy or a need names."""
        rules = [
            rule
            for policy in self.policies
            for field in ("ingress", "egress")
            for rule in policy["spec"].get(field) or []
        ]
        needed = {port for _source, _target, port in self.needs.found}
        return needed | {port["port"] for rule in rules for port in rule.get("ports") or []}

    def allowed(self) -> set[flows_needed.Needed]:
        """Return what the policies allow, of what begins or ends at a component."""
        ports, found = self.ports(), set()
        for (source, one), (target, other) in self.pairs:
            if {source, target} & self.needs.workloads.keys():
                situation, ends = self.between(one, other)
                allowed = {port for port in ports if not situation.refused_by(Connection(*ends, port))}
                found |= {(source, target, port) for port in allowed}
        return found

    def between(self, *ends: Any) -> tuple[Situation, list[str]]:
        """Return what decides between two pods or machines, and their addresses. Nothing else, to be fast."""
        pods = [end for end in ends if isinstance(end, dict)]
        spaces = {pod["metadata"]["namespace"] for pod in pods}
        labels = [{"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}} for name in spaces]
        addresses = [end["status"]["podIP"] if isinstance(end, dict) else end for end in ends]
        return Situation([item for pod in pods for item in self.policies_of(pod)], pods, labels, "none"), addresses

    def policies_of(self, pod: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the policies that select a pod."""
        metadata, address = pod["metadata"], pod["status"]["podIP"]
        if address not in self.selecting:
            self.selecting[address] = [
                policy
                for policy in self.policies
                if policy["metadata"]["namespace"] == metadata["namespace"]
                and selected(policy["spec"]["podSelector"], metadata["labels"])
            ]
        return self.selecting[address]


def network(rendered, environment):
    objects = built(rendered, environment)
    return Cluster(flows_needed.needs(objects), of_kind(objects, "NetworkPolicy"))


@pytest.mark.parametrize("environment", ALL, ids=["dev", "dev-tls", "prod", "prod-tls"])
def test_what_the_objects_need_is_allowed_and_nothing_else(rendered, environment):
    cluster = network(rendered, environment)
    allowed, needed = {entry for entry in cluster.allowed() if entry[0] != METRICS}, cluster.needs.found
    # Where no address is given, the port is open everywhere where nobody refuses it.
    elsewhere = {*OTHERS, *MACHINES} - {OUTSIDE}
    allowed -= {(source, end, port) for source, target, port in needed if target == OUTSIDE for end in elsewhere}
    assert sorted(needed - allowed) == [], "missing"
    assert sorted(allowed - needed) == [], "superfluous"
    assert len(needed) > 40


def test_a_proxy_reaches_one_address_where_that_is_given(rendered):
    for environment, name in ((DEV_WITH_TLS, "auth"), (PROD, "api")):
        written = of_kind(built(rendered, environment), "NetworkPolicy")
        (egress,) = [item["spec"]["egress"] for item in written if item["metadata"]["name"] == f"{name}-proxy-egress"]
        assert [rule["to"] for rule in egress] == [[{"ipBlock": {"cidr": "198.51.100.7/32"}}]]


def test_metrics_are_read_where_the_inventory_says_and_at_ports_that_are_for_it(rendered):
    cluster = network(rendered, PROD)
    found = {(target, port) for source, target, port in cluster.allowed() if source == METRICS}
    read = {
        (name, port)
        for name, entry in cluster.needs.workloads.items()
        for key, port in entry.ports.items()
        if "metrics" in str(key) or name.startswith("strimzi/")
    }
    assert found == read | {("common/database", 9187)}


# --- the form --------------------------------------------------------------------------------------------------------


def faults(policy: dict[str, Any]) -> list[str]:
    """Return what kube-router and k3s would enforce wrongly."""
    spec = policy["spec"]
    rules = [(field, rule) for field in ("ingress", "egress") for rule in spec.get(field) or []]
    peers = {"ingress": "from", "egress": "to"}
    ports = [port for _field, rule in rules for port in rule.get("ports") or []]
    found = []
    if len(spec["policyTypes"]) != 1 or {field for field, _rule in rules} - {spec["policyTypes"][0].lower()}:
        found.append("two directions")
    if not all(isinstance(port["port"], int) for port in ports):
        found.append("a named port")
    if any(len([peer for peer in rule.get(peers[field]) or [] if "ipBlock" in peer]) > 1 for field, rule in rules):
        found.append("several ipBlocks in one rule")
    if not all(rule.get("ports") for _field, rule in rules):
        found.append("all ports")
    return found


BLOCK = {"ipBlock": {"cidr": "192.0.2.1/32"}}
PORTS = [{"protocol": "TCP", "port": 80}]


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"policyTypes": ["Ingress", "Egress"]}, "two directions"),
        ({"policyTypes": ["Ingress"], "egress": [{"to": [BLOCK], "ports": PORTS}]}, "two directions"),
        ({"policyTypes": ["Ingress"], "ingress": [{"from": [BLOCK], "ports": [{"port": "web"}]}]}, "a named port"),
        (
            {"policyTypes": ["Egress"], "egress": [{"to": [BLOCK, BLOCK], "ports": PORTS}]},
            "several ipBlocks in one rule",
        ),
        ({"policyTypes": ["Egress"], "egress": [{"to": [BLOCK]}]}, "all ports"),
    ],
)
def test_what_k3s_enforces_wrongly_is_found(spec, fault):
    assert faults({"spec": {"podSelector": {}} | spec}) == [fault]


def test_no_policy_is_of_a_form_that_k3s_enforces_wrongly(rendered):
    written = of_kind(built(rendered, PROD), "NetworkPolicy")
    found = {f"{item['metadata']['namespace']}/{item['metadata']['name']}": faults(item) for item in written}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert len(written) > 40
    text = json.dumps(written)
    assert all(cidr in text for cidr in ("192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32", "169.254.20.10/32"))


# --- Cilium ----------------------------------------------------------------------------------------------------------


def test_with_cilium_the_gateway_nodes_and_the_api_server_are_entities(rendered):
    """Written after Cilium's documentation; no test runs Cilium."""
    objects = built(rendered, PROD_WITH_CILIUM)
    cluster = network(rendered, PROD_WITHOUT_TLS)
    labels = {name: entry.labels for name, entry in cluster.needs.workloads.items()}
    found = set()
    for policy in of_kind(objects, "CiliumNetworkPolicy"):
        selector = policy["spec"]["endpointSelector"]["matchLabels"].items()
        (name,) = [name for name, own in labels.items() if selector <= own.items() and of_component(policy, name)]
        for rule in [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]:
            ports = [int(port["port"]) for entry in rule.get("toPorts", []) for port in entry["ports"]] or [API_PORT]
            entities = {key: tuple(value) for key, value in rule.items() if key != "toPorts"}
            ((side, names),) = entities.items()
            found |= {(name, side, names, port) for port in ports}
    expected = set()
    for source, target, port in cluster.needs.found:
        if source == GATEWAY:
            expected.add((target, "fromEntities", ("ingress",), port))
        if source == API_SERVER:
            expected.add((target, "fromEntities", ("kube-apiserver", "host", "remote-node"), port))
        if target == API_SERVER:
            expected.add((source, "toEntities", ("kube-apiserver",), API_PORT))
        if target == OUTSIDE:
            expected.add((source, "toEntities", ("host", "remote-node"), port))
    assert found == expected
    # Everything else is as on other networks.
    plain = of_kind(objects, "NetworkPolicy")
    written = json.dumps(plain)
    assert "192.0.2" not in written
    assert [item for item in plain if faults(item)] == []


def of_component(policy: dict[str, Any], workload: str) -> bool:
    return policy["metadata"]["labels"]["app.kubernetes.io/part-of"] == workload.partition("/")[0]


def test_a_rehearsal_of_an_inventory_with_cilium_has_policies_of_kubernetes(rendered):
    objects = built(rendered, DEV)
    assert of_kind(objects, "CiliumNetworkPolicy") == []
    assert len(of_kind(objects, "NetworkPolicy")) > 40


# --- the switch ------------------------------------------------------------------------------------------------------


def test_on_an_existing_cluster_there_are_none_until_a_provider_is_named(rendered):
    objects = built(rendered, PROD_RELAXED)
    assert [item["metadata"]["name"] for item in of_kind(objects, "NetworkPolicy")] == ["kafka-connect-clients"]
    assert "STRIMZI_NETWORK_POLICY_GENERATION" not in json.dumps(objects["strimzi"])


def test_the_operator_of_kafka_makes_no_policies_that_would_open_its_listeners(rendered):
    (operator,) = [item for item in built(rendered, PROD_WITHOUT_TLS)["strimzi"] if item["kind"] == "Deployment"]
    env = {entry["name"]: entry.get("value") for entry in operator["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["STRIMZI_NETWORK_POLICY_GENERATION"] == "false"


def test_every_namespace_of_a_component_refuses_what_nobody_allows(rendered):
    written = of_kind(built(rendered, PROD_WITHOUT_TLS), "NetworkPolicy")
    denied = [
        (item["metadata"]["namespace"], item["spec"]["policyTypes"])
        for item in written
        if item["spec"]["podSelector"] == {} and item["spec"].keys() == {"podSelector", "policyTypes"}
    ]
    spaces = {item["metadata"]["namespace"] for item in written}
    # The pods of a Gateway, which are not ours, may be in its namespace.
    assert sorted(denied) == sorted((name, [side]) for name in spaces for side in ("Ingress", "Egress"))
    assert spaces >= {"services", "kafka", "minio"}
    assert "gateway" not in spaces


# --- what is refused -------------------------------------------------------------------------------------------------

WEB = {
    "name": "web",
    "namespace": "shop",
    "namespaces": ["shop"],
    "pods": {"server": {"labels": {"app": "web"}}},
}
NETWORK = Network("kubernetes", ("192.0.2.1/32",))


def of_web(*flows: dict[str, Any], more: tuple[dict[str, Any], ...] = ()) -> list[dict[str, Any]]:
    return policies(WEB | {"flows": list(flows)}, [WEB | {"flows": list(flows)}], NETWORK, list(more))


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (
            {"from": "gateway"},
            "flows of component 'web': {'from': 'gateway'} needs `from` and `to`, and may have addresses, from, ports, "
            "to, why.",
        ),
        (
            {"from": "gateway", "to": "server", "ports": ["web"]},
            "flows of component 'web': ['web'] must be numbers: on k3s a named port may open all ports.",
        ),
        (
            {"from": "gateway", "to": "server"},
            "flows of component 'web': {'from': 'gateway', 'to': 'server'} names no `ports`.",
        ),
        ({"from": "server", "to": "gateway", "ports": [1]}, "flows of component 'web': 'gateway' cannot be `to`."),
        (
            {"from": "gateway", "to": "client", "ports": [1]},
            "flows of component 'web': to 'client' is not a group of pods: there is none in `pods` of that component.",
        ),
        (
            {"from": {"name": "x"}, "to": "server", "ports": [1]},
            "flows of component 'web': from {'name': 'x'} must have `cidr`, or `namespace` and optionally `labels`.",
        ),
    ],
)
def test_a_flow_that_is_wrong_is_refused(flow, message):
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        of_web(flow)


def test_a_group_of_pods_without_labels_is_refused():
    message = (
        "pods of component 'web': 'server' needs `labels`, and its name must not be any of api-server, dns, gateway, "
        "host, metrics, outside."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        flows_of([WEB | {"pods": {"server": {}}}])


def test_without_the_addresses_of_the_api_server_no_policy_is_rendered():
    message = (
        "gitops_network_api_servers is empty: name the addresses of the API server, which kubectl get "
        "endpointslices -n default -l kubernetes.io/service-name=kubernetes shows."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        policies(WEB, [WEB], Network("kubernetes"))


def test_a_flow_to_a_component_that_is_not_deployed_does_not_exist():
    flow = {"from": "server", "to": "common.database", "ports": [5432]}
    assert of_web(flow) == of_web()
    more = flow | {"from": "web.server"}
    message = f"gitops_network_flows: {more!r} is about a component that is not in gitops_components."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        of_web(more=(more,))


def test_further_flows_of_the_inventory_are_allowed():
    more = {"from": {"namespace": "team", "labels": {"app": "client"}}, "to": "web.server", "ports": [80]}
    (ingress,) = [item for item in of_web(more=(more,)) if item["metadata"]["name"] == "web-server-ingress"]
    team = {"matchLabels": {"kubernetes.io/metadata.name": "team"}}
    peer = {"namespaceSelector": team, "podSelector": {"matchLabels": {"app": "client"}}}
    assert ingress["spec"]["ingress"] == [{"from": [peer], "ports": [{"protocol": "TCP", "port": 80}]}]


def test_what_outlives_its_component_keeps_its_policies():
    kept = WEB | {"pods": {"server": {"labels": {"app": "web"}, "kept": True}}}
    for item in policies(kept, [kept], NETWORK):
        assert item["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Delete=false"
    names = {item["metadata"]["name"] for item in policies(WEB, [WEB], NETWORK) if "annotations" in item["metadata"]}
    assert names == {"default-deny-ingress", "default-deny-egress"}


def test_policies_come_in_the_first_wave():
    (item,) = yaml.safe_load_all(manifests([{"kind": "NetworkPolicy", "metadata": {"name": "x"}}], -2))
    assert item["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "-2"}


def test_table_and_picture_of_the_flows_are_current():
    text = flows_table.FILE.read_text()
    assert text == flows_table.documented(text), "run python tests/flows_table.py"
    assert "| `temporal.server` | `common.database` | 5432 |" in text
