# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections the rendered objects need, worked out without the flows that the definitions of the roles name.

Services, routes, webhooks, and what names a Service: environment variables, arguments and custom resources. What no
object says, because an operator does it, is in BY_OPERATORS. Each workload has two pods, since pods of one may need
each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
Needed = tuple[str, str, int]  # names of source and target, port

ROOT = Path(__file__).resolve().parent
# Pods, Services and webhooks of the official files: a rehearsal without them has stand-ins with other labels.
OFFICIAL = ROOT / "fixtures" / "network" / "official.yaml"
GATEWAY, API_SERVER, DNS, METRICS = "the Gateway", "the API server", "DNS", "metrics"
STRANGER, OUTSIDE, OWN = "a stranger", "outside", "a service of your own"
API_PORT, DNS_PORT = 6443, 53

KAFKA, CONNECT = (
    {"strimzi.io/cluster": "kafka-cluster", "strimzi.io/kind": kind} for kind in ("Kafka", "KafkaConnect")
)
DATABASE = {"cnpg.io/cluster": "cnpg-cluster", "cnpg.io/podRole": "instance"}
# The Barman Cloud plugin, whose official file is not among those of OFFICIAL.
PLUGIN = {"app": "barman-cloud"}
# Pods that operators make: (component, name, namespace, labels) by the kind that lets them do it.
MADE: dict[str, list[tuple[str, str, str, Object]]] = {
    "Cluster": [("common", "database", "services", DATABASE)],
    "Kafka": [
        ("kafka", name, "kafka", KAFKA | {"strimzi.io/name": full})
        for name, full in (("broker", "kafka-cluster-kafka"), ("entity-operator", "kafka-cluster-entity-operator"))
    ],
    "KafkaConnect": [("kafka", "connect", "kafka", CONNECT | {"strimzi.io/name": "kafka-cluster-connect"})],
}
# Services that operators make: name with namespace, pods, ports.
SERVICES = {
    **{f"cnpg-cluster-{kind}.services": ("common/database", {5432: 5432}) for kind in ("rw", "ro", "r")},
    "kafka-cluster-kafka-bootstrap.kafka": ("kafka/broker", {9092: 9092}),
    "kafka-cluster-kafka-external-bootstrap.kafka": ("kafka/broker", {9094: 9094}),
    **{f"kafka-cluster-dual-role-{number}.kafka": ("kafka/broker", {9094: 9094}) for number in range(9)},
    "kafka-cluster-connect-api.kafka": ("kafka/connect", {8083: 8083}),
}
# What no object says: the documentation of the products does. Both workloads must be there.
CNPG, STRIMZI = "cnpg-system/cnpg-controller-manager", "strimzi/strimzi-cluster-operator"
BY_OPERATORS: list[tuple[str, str, tuple[int, ...]]] = [
    (CNPG, "common/database", (8000,)),
    (CNPG, "cnpg-system/barman-cloud", (9090,)),
    ("common/database", "common/database", (5432, 8000)),
    ("common/drizzle-gateway", "common/database", (5432,)),  # its connections are entered in the browser
    (STRIMZI, "kafka/broker", (9090, 9091, 8443)),
    (STRIMZI, "kafka/connect", (8083,)),
    ("kafka/broker", "kafka/broker", (9090, 9091)),
    ("kafka/entity-operator", "kafka/broker", (9091,)),
    ("kafka/connect", "kafka/broker", (9092,)),
    ("kafka/connect", "kafka/connect", (8083,)),
    ("temporal/temporal", "temporal/temporal", (6933, 6934, 6935, 6939, 7233, 7234, 7235, 7239)),
]
# Clients of the API and of DNS whose pods operators make, and a plugin that is found by its name.
API_CLIENTS = {"common/database", "kafka/broker", "kafka/entity-operator", "kafka/connect"}
FINDS_BY_NAME = {"common/database", "kafka/broker", "kafka/entity-operator", "kafka/connect", STRIMZI}
HOST_VARIABLE = re.compile(r"(HOST|SEEDS|ADDRESS|SERVERS)$")
HOST = re.compile(r"(?<![\w.$(-])([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?::(\d+))?")
PROXY = re.compile(r"TCP4:([^:]+):(\d+)$")


@dataclass
class Workload:
    """Something that has pods."""

    name: str
    namespace: str
    labels: Object
    spec: Object = field(default_factory=dict)
    ports: Object = field(default_factory=dict)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the names and values of environment variables, and arguments without a name."""
        for container in self.spec.get("containers", []):
            for variable in container.get("env", []):
                yield variable["name"], str(variable.get("value", ""))
            for argument in [*container.get("command", []), *container.get("args", [])]:
                yield "", str(argument)


@dataclass
class Needs:
    """What the rendered objects of an inventory need."""

    workloads: dict[str, Workload]
    found: set[Needed]


def ports_of(spec: Object) -> Object:
    return {
        entry.get("name", entry["containerPort"]): entry["containerPort"]
        for container in spec.get("containers", [])
        for entry in container.get("ports", [])
    }


def workloads_of(objects: dict[str, list[Object]]) -> Iterator[Workload]:
    """Yield what has pods, of every component."""
    official = yaml.safe_load(OFFICIAL.read_text())
    for component, items in objects.items():
        if component == "argocd":
            continue
        recorded = official.get(component, {})
        for entry in recorded.get("workloads", []):
            if any(item["metadata"]["name"] == entry["name"] for item in items):
                name, labels, ports = f"{component}/{entry['name']}", entry["labels"], entry.get("ports", {})
                yield Workload(name, component, labels, {"automountServiceAccountToken": True}, ports)
        for item in items:
            if item["kind"] in ("Deployment", "Job", "StatefulSet") and not recorded.get("workloads"):
                template, name = item["spec"]["template"], f"{component}/{item['metadata']['name']}"
                spec, labels = template["spec"], template["metadata"]["labels"]
                yield Workload(name, item["metadata"]["namespace"], labels, spec, ports_of(spec))
            if item["kind"] == "Deployment" and item["metadata"]["name"] == PLUGIN["app"]:
                yield Workload(f"{component}/{PLUGIN['app']}", component, PLUGIN, {"containers": []})
            for owner, name, namespace, labels in MADE.get(item["kind"], []):
                yield Workload(f"{owner}/{name}", namespace, labels)


def needs(objects: dict[str, list[Object]]) -> Needs:
    """Return the workloads of an inventory, and which connections they need."""
    workloads = {entry.name: entry for entry in workloads_of(objects)}
    items = [item for name, entries in objects.items() if name != "argocd" for item in entries]
    services = dict(services_of(items, workloads))
    found: set[Needed] = {
        (source, target, port)
        for source, target, ports in BY_OPERATORS
        if {source, target} <= workloads.keys()
        for port in ports
    }
    found |= set(webhooks(objects, workloads)) | set(routes(items, services))
    known: set[str] = set()  # who needs no DNS, because the address is given
    for source, namespace, text, variable in texts(items, workloads):
        found |= {(source, target, port) for target, port in named(text, variable, namespace, services)}
        if match := PROXY.match(text):
            found.add((source, OUTSIDE, int(match[2])))
            known |= {source} & addressed(workloads[source], match[1])
    found |= {(name, API_SERVER, API_PORT) for name in api_clients(workloads)}
    by_name = {source for source, target, _port in found if target in {*workloads, OUTSIDE}} & workloads.keys()
    # The operator of CloudNativePG knows the addresses of its pods; that of the plugin is a name.
    by_name -= {CNPG} if "cnpg-system/barman-cloud" not in workloads else set()
    by_name -= known
    by_name |= FINDS_BY_NAME & workloads.keys() | set(stores(items))
    return Needs(workloads, found | {(name, DNS, DNS_PORT) for name in by_name})


def addressed(workload: Workload, host: str) -> set[str]:
    """Return the name of a workload when it knows the address of a host."""
    aliases = {name for entry in workload.spec.get("hostAliases", []) for name in entry["hostnames"]}
    return {workload.name} if host in aliases or host.replace(".", "").isdigit() else set()


def api_clients(workloads: dict[str, Workload]) -> Iterator[str]:
    """Yield what has the token of a ServiceAccount."""
    for name, entry in workloads.items():
        if name in API_CLIENTS or (entry.spec and entry.spec.get("automountServiceAccountToken", True)):
            yield name


def services_of(items: list[Object], workloads: dict[str, Workload]) -> Iterator[tuple[str, tuple[str, Object]]]:
    """Yield the Services, each with its pods, and the ports of the pods by those of the Service."""
    for item in items:
        if item["kind"] != "Service" or not item["spec"].get("selector"):
            continue
        metadata, selector = item["metadata"], item["spec"]["selector"].items()
        for name, entry in workloads.items():
            if entry.namespace == metadata["namespace"] and selector <= entry.labels.items():
                ports = {
                    port["port"]: entry.ports.get(port.get("targetPort"), port.get("targetPort", port["port"]))
                    for port in item["spec"]["ports"]
                }
                yield f"{metadata['name']}.{metadata['namespace']}", (name, ports)
    yield from ((name, target) for name, target in SERVICES.items() if target[0] in workloads)


def webhooks(objects: dict[str, list[Object]], workloads: dict[str, Workload]) -> Iterator[Needed]:
    for component, entry in yaml.safe_load(OFFICIAL.read_text()).items():
        for webhook in entry.get("webhooks", []):
            if component in objects:
                assert f"{component}/{webhook['workload']}" in workloads
                yield API_SERVER, f"{component}/{webhook['workload']}", webhook["port"]


def routes(items: list[Object], services: dict[str, tuple[str, Object]]) -> Iterator[Needed]:
    for item in items:
        if item["kind"] in ("HTTPRoute", "GRPCRoute", "TLSRoute"):
            for rule in item["spec"]["rules"]:
                for backend in rule.get("backendRefs") or []:
                    service = services.get(f"{backend['name']}.{item['metadata']['namespace']}")
                    if service:
                        yield GATEWAY, service[0], service[1][backend["port"]]


def texts(items: list[Object], workloads: dict[str, Workload]) -> Iterator[tuple[str, str, str, str]]:
    """Yield what may name a Service: who would connect, from which namespace, the text, and its variable."""
    for name, entry in workloads.items():
        for variable, text in entry.texts():
            yield name, entry.namespace, text, variable
    for item in items:
        if item["kind"] == "KafkaConnect":
            yield "kafka/connect", "kafka", item["spec"]["bootstrapServers"], ""
        if item["kind"] == "ObjectStore":
            yield "common/database", "services", item["spec"]["configuration"]["endpointURL"], ""
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "mailer":
            yield OWN, "services", "{SMTP_HOST}:{SMTP_PORT}".format(**item["data"]), ""


def named(
    text: str, variable: str, namespace: str, services: dict[str, tuple[str, Object]]
) -> Iterator[tuple[str, int]]:
    """Yield the pods and ports behind the Services that a text names."""
    for host, port in HOST.findall(text):
        if not port and not HOST_VARIABLE.search(variable):
            continue
        name, _dot, rest = host.partition(".")
        found = services.get(f"{name}.{rest.partition('.')[0] or namespace}")
        if found:
            numbers = [int(port)] if port else list(found[1])
            yield from ((found[0], found[1][number]) for number in numbers)


def stores(items: list[Object]) -> Iterator[str]:
    """Yield the operator of a store that is the cluster itself: without an address it is kubernetes.default."""
    for item in items:
        provider = item["spec"].get("provider", {}) if item["kind"] == "ClusterSecretStore" else {}
        if "kubernetes" in provider and "url" not in provider["kubernetes"]["server"]:
            yield "external-secrets/external-secrets"
