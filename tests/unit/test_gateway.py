# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every route of a built environment finds the one listener that is meant for it, and no other."""

from __future__ import annotations

import copy

import pytest
from rendering import run

from .environments import DEV, DEV_WITH_TLS, PROD, PROD_WITHOUT_TLS, built
from .gateway_api import GROUP, HTTP_KINDS, ROUTES, attached, cilium_refuses, cilium_serves, intersection, refusal

ENVIRONMENTS = [(DEV, False), (DEV_WITH_TLS, True), (PROD_WITHOUT_TLS, False), (PROD, True)]
RELEASES = ("1.18", "1.19.5", "1.19.6")
WEB = [{"group": GROUP, "kind": "HTTPRoute"}, {"group": GROUP, "kind": "GRPCRoute"}]
TLS = [{"group": GROUP, "kind": "TLSRoute"}]


def listener(name: str, protocol: str, port: int, **more) -> dict:
    """Return a listener for all namespaces below example.com."""
    everywhere = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    return {"name": name, "protocol": protocol, "port": port, "hostname": "*.example.com"} | everywhere | more


def gateway(*listeners: dict) -> dict:
    return {"kind": "Gateway", "metadata": {"name": "gate", "namespace": "infra"}, "spec": {"listeners": [*listeners]}}


def route(kind: str = "HTTPRoute", host: str = "shop.example.com", namespace: str = "shop", **parent) -> dict:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gate", "namespace": "infra"} | parent], "hostnames": [host]},
    }


HTTP = listener("http", "HTTP", 80)
HTTPS = listener("https", "HTTPS", 443, tls={"mode": "Terminate"})
KAFKA = listener("kafka", "TLS", 9094, tls={"mode": "Passthrough"})
NOBODY = {"namespaces": {"from": "None"}}
CLOSED = listener("http", "HTTP", 80, allowedRoutes={"namespaces": {"from": "Same"}})


def with_kinds(one: dict, kinds: list[dict]) -> dict:
    return one | {"allowedRoutes": one["allowedRoutes"] | {"kinds": kinds}}


@pytest.mark.parametrize(
    ("wanted", "at", "why"),
    [
        (route(), HTTP, ""),
        (route(sectionName="http"), HTTP, ""),
        (route(port=80), HTTP, ""),
        (route("GRPCRoute"), HTTPS, ""),
        (route("TLSRoute"), KAFKA, ""),
        (route(name="other"), HTTP, "the route names another parent"),
        (route(sectionName="https"), HTTP, "the route names another listener"),
        (route(port=443), HTTP, "the route names another listener"),
        (route("TLSRoute"), HTTP, "HTTP does not take TLSRoute"),
        (route(), KAFKA, "TLS does not take HTTPRoute"),
        (route("TLSRoute"), listener("end", "TLS", 9094), "TLS does not take TLSRoute"),
        (route(), with_kinds(HTTP, WEB[1:]), "allowedRoutes.kinds"),
        (route("GRPCRoute"), with_kinds(HTTP, WEB), ""),
        (route(), CLOSED, "allowedRoutes.namespaces"),
        (route(namespace="infra"), CLOSED, ""),
        (route(), listener("http", "HTTP", 80, allowedRoutes={}), "allowedRoutes.namespaces"),
        (route(), listener("x", "HTTP", 80, allowedRoutes=NOBODY), "allowedRoutes.namespaces"),
        (route(host="shop.example.org"), HTTP, "no host name in common"),
    ],
)
def test_a_listener_takes_a_route_or_says_why_not(wanted, at, why):
    assert refusal(wanted, gateway(at), at, {}) == why


def test_a_selector_asks_for_the_labels_of_the_namespace():
    chosen = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}}
    where = gateway(listener("http", "HTTP", 80, allowedRoutes=chosen))
    assert attached(route(), where, {"team": "shop"}) == ["http"]
    assert attached(route(), where, {"team": "bank"}) == []


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("a.example.com", "a.example.com", "a.example.com"),
        ("*.example.com", "a.example.com", "a.example.com"),
        ("*.example.com", "b.a.example.com", "b.a.example.com"),
        ("*.example.com", "*.a.example.com", "*.a.example.com"),
        ("*.example.com", "*.example.com", "*.example.com"),
        ("*.example.com", "example.com", ""),
        ("*.example.com", "anexample.com", ""),
        ("a.example.com", "b.example.com", ""),
    ],
)
def test_host_names_meet(first, second, both):
    assert (intersection(first, second), intersection(second, first)) == (both, both)


@pytest.mark.parametrize(
    ("listeners", "refused"),
    [
        # Without TLS: the listener of Kafka is the last one.
        ((with_kinds(HTTP, WEB), with_kinds(KAFKA, TLS)), {"1.19.5": HTTP_KINDS}),
        # With TLS: that of HTTPS is added at the end.
        ((with_kinds(HTTP, WEB), with_kinds(KAFKA, TLS), with_kinds(HTTPS, WEB)), {"1.19.5": {"TLSRoute"}}),
        ((HTTP, KAFKA), {"1.18": set(), "1.19.5": set()}),
        ((CLOSED, KAFKA, HTTPS), {"1.18": set(), "1.19.5": set()}),
    ],
)
def test_cilium_up_to_1_19_5_refuses_routes_where_listeners_name_kinds(listeners, refused):
    """As Cilium's own functions did it with these listeners."""
    expected = {"1.18": {*HTTP_KINDS, "TLSRoute"}, "1.19.6": set()} | refused
    where = gateway(*listeners)
    for release in RELEASES:
        found = {kind for kind in (*HTTP_KINDS, "TLSRoute") if cilium_refuses(route(kind), where, release)}
        assert found == expected[release], release


def test_cilium_serves_a_route_that_names_no_listener_in_clear_text():
    """As Cilium's own model did it: the plain listener takes no other namespace, and serves the route all the same."""
    where = gateway(CLOSED, KAFKA, HTTPS)
    assert attached(route(), where) == ["https"]
    assert cilium_serves(route(), where) == ["http", "kafka", "https"]
    assert cilium_serves(route(sectionName="https"), where) == ["https"]


class Built:
    """A built environment: its Gateway and its routes."""

    def __init__(self, components: dict) -> None:
        self.components = components
        (self.gateway,) = [item for item in components["gateway"] if item["kind"] == "Gateway"]
        self.listeners = {one["name"]: one for one in self.gateway["spec"]["listeners"]}
        everything = [item for items in components.values() for item in items]
        self.routes = [item for item in everything if item["kind"] in ROUTES]

    def applications(self) -> list[dict]:
        return [item for item in self.routes if item["metadata"]["name"] != "https-redirect"]


@pytest.fixture(params=ENVIRONMENTS, ids=lambda value: f"{value[0][0]}-{'https' if value[1] else 'http'}")
def environment(request, rendered):
    environment, tls = request.param
    return Built(built(rendered, environment)), tls


def test_every_route_finds_exactly_one_listener(environment):
    built, tls = environment
    assert {"HTTPRoute", "GRPCRoute", "TLSRoute"} == {item["kind"] for item in built.routes}
    web = "https" if tls else "http"
    for item in built.applications():
        expected = ["kafka"] if item["kind"] == "TLSRoute" else [web]
        assert attached(item, built.gateway) == expected, item["metadata"]["name"]


def test_every_route_names_its_listener(environment):
    built, _tls = environment
    for item in built.routes:
        assert [parent["sectionName"] for parent in item["spec"]["parentRefs"]] == attached(item, built.gateway)


def test_no_listener_names_kinds_and_no_release_of_cilium_refuses_a_route(environment):
    built, _tls = environment
    assert not [one for one in built.listeners.values() if "kinds" in one["allowedRoutes"]]
    for release in RELEASES:
        assert [item for item in built.routes if cilium_refuses(item, built.gateway, release)] == []


def test_with_tls_the_plain_listener_serves_nothing_but_the_redirect(environment):
    built, tls = environment
    web = [item for item in built.routes if item["kind"] in HTTP_KINDS]
    plain = [item for item in web if "http" in cilium_serves(item, built.gateway)]
    assert plain == [item for item in built.routes if "http" in attached(item, built.gateway)]
    if tls:
        assert [item["metadata"]["name"] for item in plain] == ["https-redirect"]
        (rule,) = plain[0]["spec"]["rules"]
        assert "backendRefs" not in rule
        assert [one["requestRedirect"]["scheme"] for one in rule["filters"]] == ["https"]
    else:
        assert "https-redirect" not in [item["metadata"]["name"] for item in built.routes]


def test_listeners_differ_in_port(environment):
    built, tls = environment
    ports = [one["port"] for one in built.listeners.values()]
    assert len(ports) == len(set(ports)) == (3 if tls else 2)


def test_routes_come_last(environment):
    """A Gateway that is not programmed fails the wave of the routes: nothing may wait for it."""
    built, _tls = environment
    for name, items in built.components.items():
        waves, hooks = {"route": set(), "other": set()}, set()
        for item in items:
            annotations = item["metadata"].get("annotations") or {}
            wave = int(annotations.get("argocd.argoproj.io/sync-wave", "0"))
            waves["route" if item["kind"] in ROUTES else "other"].add(wave)
            hooks.add(annotations.get("argocd.argoproj.io/hook"))
        if waves["route"] and name != "argocd":  # which no Application syncs
            assert min(waves["route"]) >= max(waves["other"]), name  # of the last wave nothing waits for the rest
            assert "PostSync" not in hooks, name  # they run after all waves


def test_the_judge_finds_what_was_wrong(rendered):
    """The same objects as they were: with kinds, and without sectionName."""
    before = copy.deepcopy(Built(built(rendered, PROD)))
    for item in before.routes:
        for parent in item["spec"]["parentRefs"]:
            del parent["sectionName"]
    for one in before.listeners.values():
        one["allowedRoutes"]["kinds"] = TLS if one["protocol"] == "TLS" else WEB
    web = [item for item in before.routes if item["kind"] in HTTP_KINDS]
    assert {item["kind"] for item in before.routes if cilium_refuses(item, before.gateway, "1.19.5")} == {"TLSRoute"}
    assert [item for item in web if "http" not in cilium_serves(item, before.gateway)] == []


def test_routes_may_attach_to_the_gateway_of_somebody_else(rendered):
    objects = rendered(
        "dev",
        gitops_components=["maildev", "strimzi", "kafka"],
        gitops_gateway_name="public",
        gitops_gateway_namespace="edge",
        gitops_gateway_listener="websecure",
        gitops_gateway_kafka_listener="brokers",
    )
    parents = {
        item["metadata"]["name"]: item["spec"]["parentRefs"]
        for items in objects.values()
        for item in items
        if item["kind"] in ROUTES
    }
    reference = {"group": GROUP, "kind": "Gateway", "name": "public", "namespace": "edge"}
    assert parents == {
        "argocd-server": [reference | {"sectionName": "websecure"}],
        "maildev": [reference | {"sectionName": "websecure"}],
        "kafka-bootstrap": [reference | {"sectionName": "brokers"}],
        "kafka-broker0": [reference | {"sectionName": "brokers"}],
    }


def test_a_gateway_that_nothing_uses_is_refused(tmp_path):
    done = run(tmp_path, "dev", {"gitops_components": ["gateway"], "gitops_gateway_name": "public"})
    assert done.returncode != 0
    assert (
        "gitops_gateway_name names a Gateway that the cluster already has, and no route would attach to that of "
        "component gateway: remove gateway from gitops_components, or unset gitops_gateway_name."
    ) in " ".join(done.stdout.split())


def test_another_controller_gets_its_class_and_what_it_needs_for_an_address(rendered):
    annotations = {"lbipam.cilium.io/ips": "192.0.2.10"}
    built = rendered(
        "dev",
        gitops_components=["gateway"],
        gateway_class_name="traefik",
        gateway_infrastructure={"annotations": annotations},
        gateway_addresses=[{"type": "IPAddress", "value": "192.0.2.10"}],
    )
    spec = Built(built).gateway["spec"]
    assert spec["gatewayClassName"] == "traefik"
    assert spec["infrastructure"] == {"annotations": annotations}
    assert spec["addresses"] == [{"type": "IPAddress", "value": "192.0.2.10"}]
