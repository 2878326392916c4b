# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which listener of a Gateway takes a route: by the rules of the Gateway API, and as releases of Cilium read them.

Pure functions over plain objects. A route may name several parents; ours name one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
GROUP = "gateway.networking.k8s.io"
ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
HTTP_KINDS = {"HTTPRoute", "GRPCRoute"}
# What a listener of a protocol can take at all. Of TLS the mode decides.
SUPPORTED = {"HTTP": HTTP_KINDS, "HTTPS": HTTP_KINDS, "TCP": {"TCPRoute"}, "UDP": {"UDPRoute"}}
TLS_KINDS = {"Passthrough": {"TLSRoute"}, "Terminate": {"TCPRoute"}}


def attached(route: Object, gateway: Object, labels: dict[str, str] | None = None) -> list[str]:
    """Return the listeners that take a route, whose namespace has the labels."""
    return [one["name"] for one in gateway["spec"]["listeners"] if refusal(route, gateway, one, labels or {}) == ""]


def refusal(route: Object, gateway: Object, listener: Object, labels: dict[str, str]) -> str:
    """Return why a listener does not take a route; empty when it does."""
    parents = list(parents_at(route, gateway))
    rules = {
        "the route names another parent": bool(parents),
        "the route names another listener": any(names(parent, listener) for parent in parents),
        f"{listener['protocol']} does not take {route['kind']}": route["kind"] in kinds(listener),
        "allowedRoutes.kinds": allows_kind(listener, route),
        "allowedRoutes.namespaces": allows_namespace(listener, route, gateway, labels),
        "no host name in common": bool(hosts(listener, route)),
    }
    return next((rule for rule, kept in rules.items() if not kept), "")


def parents_at(route: Object, gateway: Object) -> Iterator[Object]:
    """Yield the references of a route to a Gateway."""
    wanted = (GROUP, "Gateway", gateway["metadata"]["name"], gateway["metadata"]["namespace"])
    for parent in route["spec"].get("parentRefs") or []:
        namespace = parent.get("namespace", route["metadata"]["namespace"])
        if (parent.get("group", GROUP), parent.get("kind", "Gateway"), parent["name"], namespace) == wanted:
            yield parent


def names(parent: Object, listener: Object) -> bool:
    """Return whether a reference means a listener: by name, by port, or all."""
    return (
        parent.get("sectionName", listener["name"]) == listener["name"]
        and parent.get("port", listener["port"]) == listener["port"]
    )


def kinds(listener: Object) -> set[str]:
    """Return the kinds of routes that a listener's protocol implies."""
    if listener["protocol"] == "TLS":
        return TLS_KINDS[(listener.get("tls") or {}).get("mode", "Terminate")]
    return SUPPORTED[listener["protocol"]]


def allowed(listener: Object) -> Object:
    """Return what a listener says about its routes."""
    return listener.get("allowedRoutes") or {}


def allows_kind(listener: Object, route: Object) -> bool:
    """Return whether a listener names the kind of a route, or no kind."""
    entries = allowed(listener).get("kinds") or []
    return not entries or any(
        entry["kind"] == route["kind"] and entry.get("group", GROUP) == route["apiVersion"].split("/")[0]
        for entry in entries
    )


def allows_namespace(listener: Object, route: Object, gateway: Object, labels: dict[str, str]) -> bool:
    """Return whether a listener takes routes of a route's namespace."""
    entry = allowed(listener).get("namespaces") or {}
    match entry.get("from", "Same"):
        case "All":
            return True
        case "Same":
            return route["metadata"]["namespace"] == gateway["metadata"]["namespace"]
        case "Selector":
            return (entry["selector"].get("matchLabels") or {}).items() <= labels.items()
    return False


def hosts(listener: Object, route: Object) -> list[str]:
    """Return the host names of a route that a listener serves; a route without any takes the listener's."""
    own = listener.get("hostname", "")
    wanted = route["spec"].get("hostnames") or []
    if not own or not wanted:
        return wanted or [own or "*"]
    return [narrower for name in wanted if (narrower := intersection(own, name))]


def intersection(one: str, other: str) -> str:
    """Return the narrower of two host names if it lies within the other. A wildcard takes one label or more."""
    if one == other or within(one, other):
        return one
    return other if within(other, one) else ""


def within(name: str, wildcard: str) -> bool:
    """Return whether a wildcard covers a name, which may be a wildcard, too."""
    return wildcard.startswith("*.") and name.removeprefix("*").endswith(wildcard[1:]) and name != wildcard[2:]


def cilium_refuses(route: Object, gateway: Object, release: str) -> bool:
    """Return whether Cilium refuses a route for its kind, whichever listener it names.

    It compares the kind with every listener that has `allowedRoutes.kinds`: in 1.18 each must have it, up to 1.19.5 the
    last one decides. From 1.19.6 on it keeps the rules.
    """
    answers = [allows_kind(one, route) for one in gateway["spec"]["listeners"] if allowed(one).get("kinds")]
    match release:
        case "1.18":
            return not all(answers)
        case "1.19.5":
            return answers[-1:] == [False]
    return not attached(route, gateway)


def cilium_serves(route: Object, gateway: Object) -> list[str]:
    """Return the listeners at which Cilium serves an HTTPRoute or a GRPCRoute that it has accepted.

    It asks once whether any listener allows the namespace, and then takes each listener that the route means and whose
    host name it shares; from 1.19.6 on one that passes TLS through as well.
    """
    parents = list(parents_at(route, gateway))
    return [
        one["name"]
        for one in gateway["spec"]["listeners"]
        if any(names(parent, one) for parent in parents) and hosts(one, route)
    ]
