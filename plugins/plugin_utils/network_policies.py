# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flows between components as NetworkPolicies, a file of each overlay. Pure functions.

Each policy has one direction, each port is a number, and each rule has one peer: what kube-router, and with it k3s,
gets wrong otherwise. Cilium knows nodes, the API server and its Gateway by identities and not by addresses, so these
are in CiliumNetworkPolicies there.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.network import (
    Block,
    End,
    Flow,
    Others,
    Pods,
    Special,
    flows_of,
    groups_of,
)
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER

Object = dict[str, Any]

FILE = "network-policies.yaml"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
DNS = Others("kube-system", {"k8s-app": "kube-dns"})
ANYWHERE = "0.0.0.0/0"
KEPT = {"argocd.argoproj.io/sync-options": "Delete=false", "argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
# direction: (field of the rules, field of the peers, field of Cilium's entities)
DIRECTIONS = {"Ingress": ("ingress", "from", "fromEntities"), "Egress": ("egress", "to", "toEntities")}
# What is an entity for Cilium, as a source and as a target.
ENTITIES = {
    ("Ingress", "gateway"): ["ingress"],
    ("Ingress", "api-server"): ["kube-apiserver", "host", "remote-node"],
    ("Egress", "api-server"): ["kube-apiserver"],
    ("Egress", "host"): ["host", "remote-node"],
}


@dataclass(frozen=True)
class Network:
    """What differs between clusters: the variables gitops_network_*."""

    provider: str
    api_servers: Sequence[str] = ()
    api_server_port: int = 6443
    gateway: Sequence[str] = ("gateway",)  # namespaces and CIDRs
    dns_servers: Sequence[str] = ()
    metrics_namespaces: Sequence[str] = ()


def policies(
    component: Object, components: list[Object], network: Network, more: list[Object] | None = None
) -> list[Object]:
    """Return the policies of one component of a plan, and the default deny of the namespaces that it owns."""
    if network.provider == "none":
        return []
    if network.provider == "kubernetes" and not network.api_servers:
        raise GitopsError(
            "gitops_network_api_servers is empty: name the addresses of the API server, which kubectl get "
            "endpointslices -n default -l kubernetes.io/service-name=kubernetes shows."
        )
    flows = flows_of(components, more)
    owned = [name for name in component.get("namespaces") or [] if not _has_gateway(name, network)]
    found = [deny(name, direction) for name in owned for direction in DIRECTIONS]
    for pods in groups_of(component).values():
        found += _group(pods, flows, network)
    return found


def _has_gateway(namespace: str, network: Network) -> bool:
    """Return whether the pods of a Gateway live in a namespace: their flows are not known here."""
    return network.provider == "kubernetes" and namespace in network.gateway


def deny(namespace: str, direction: str) -> Object:
    """Return what refuses everything that no other policy allows. It stays when the owner of the namespace leaves."""
    metadata = {"name": f"default-deny-{direction.lower()}", "namespace": namespace, "annotations": dict(KEPT)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {}, "policyTypes": [direction]},
    }


def _group(pods: Pods, flows: list[Flow], network: Network) -> Iterator[Object]:
    """Return the policies of a group of pods: one for each direction, also when it allows nothing."""
    for direction in DIRECTIONS:
        ingress = direction == "Ingress"
        own = [(flow, flow.source if ingress else flow.target) for flow in flows if _is(pods, flow, ingress)]
        yield _policy(pods, direction, [rule for entry in own for rule in _rules(pods, direction, *entry, network)])
        if network.provider == "cilium" and (rules := list(_entity_rules(direction, own))):
            yield _cilium_policy(pods, direction, rules)


def _is(pods: Pods, flow: Flow, ingress: bool) -> bool:
    return pods == (flow.target if ingress else flow.source)


def _metadata(pods: Pods, direction: str) -> Object:
    metadata: Object = {
        "name": f"{pods.component}-{pods.group}-{direction.lower()}",
        "namespace": pods.namespace,
        "labels": {"app.kubernetes.io/part-of": pods.component},
    }
    return metadata | ({"annotations": dict(KEPT)} if pods.kept else {})


def _policy(pods: Pods, direction: str, rules: list[tuple[Object, list[Object]]]) -> Object:
    """Return a policy with one rule for each peer."""
    field, side, _entities = DIRECTIONS[direction]
    by_peer: dict[str, list[Object]] = {}
    for peer, ports in rules:
        known = by_peer.setdefault(json.dumps(peer, sort_keys=True), [])
        known += [port for port in ports if port not in known]
    listed = [{side: [json.loads(peer)], "ports": ports} for peer, ports in by_peer.items()]
    spec = {"podSelector": {"matchLabels": pods.labels}, "policyTypes": [direction]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(pods, direction),
        "spec": spec | ({field: listed} if listed else {}),
    }


def _rules(
    pods: Pods, direction: str, flow: Flow, other: End, network: Network
) -> Iterator[tuple[Object, list[Object]]]:
    """Return the peers of a flow, each with its ports."""
    ports = [{"protocol": "TCP", "port": port} for port in flow.ports]
    if isinstance(other, Special):
        if network.provider == "cilium" and (direction, other.name) in ENTITIES and other.name != "host":
            return
        if other.name == "dns":
            ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
        elif (direction, other.name) == ("Egress", "api-server"):
            ports = [{"protocol": "TCP", "port": network.api_server_port}]
        for end in _ends(other.name, flow, network):
            yield _peer(end, pods.namespace), ports
        return
    yield _peer(other, pods.namespace), ports


def _ends(name: str, flow: Flow, network: Network) -> list[Others | Block]:
    """Return what is behind a special end in this cluster."""
    if name == "dns":
        return [DNS, *map(Block, network.dns_servers)]
    if name == "api-server":
        return [Block(cidr) for cidr in network.api_servers]
    if name == "gateway":
        return [Block(entry) if "/" in entry else Others(entry) for entry in network.gateway]
    if name == "metrics":
        return [Others(namespace) for namespace in network.metrics_namespaces]
    return [Block(address) for address in flow.addresses or (ANYWHERE,)]


def _peer(end: Pods | Others | Block, namespace: str) -> Object:
    """Return the peer of a rule in a policy of this namespace."""
    if isinstance(end, Block):
        return {"ipBlock": {"cidr": end.cidr}}
    peer: Object = {"podSelector": {"matchLabels": end.labels}} if end.labels else {}
    if end.namespace == "*":
        return {"namespaceSelector": {}} | peer
    if end.namespace == namespace and peer:
        return peer
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: end.namespace}}} | peer


def _entity_rules(direction: str, flows: list[tuple[Flow, End]]) -> Iterator[Object]:
    """Return the rules for what Cilium knows by its identity; that of the API server includes its port."""
    for flow, other in flows:
        entities = ENTITIES.get((direction, other.name)) if isinstance(other, Special) else None
        if entities:
            ports = [{"port": str(port), "protocol": "TCP"} for port in flow.ports]
            yield {DIRECTIONS[direction][2]: entities} | ({"toPorts": [{"ports": ports}]} if ports else {})


def _cilium_policy(pods: Pods, direction: str, rules: list[Object]) -> Object:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": _metadata(pods, direction),
        "spec": {"endpointSelector": {"matchLabels": pods.labels}, DIRECTIONS[direction][0]: rules},
    }


def manifests(objects: list[Object], wave: int) -> str:
    """Return a file with policies, in the first sync wave of the component."""
    if wave:
        for item in objects:
            item["metadata"].setdefault("annotations", {})["argocd.argoproj.io/sync-wave"] = str(wave)
    plain = json.loads(json.dumps(objects))  # no anchors for what objects share
    return HEADER + yaml.safe_dump_all(plain, sort_keys=False)
