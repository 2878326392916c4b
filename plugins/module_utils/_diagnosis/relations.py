# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects lie below another one: those that controllers made for it, and those that it needs.

As Argo CD does it (gitops-engine/pkg/cache at v3.6.1), what was made is found by ownerReferences, in the lists of the
kinds that may be there. Secrets and ConfigMaps are never read.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import (
    Evidence,
    Kind,
    Manifest,
    Reference,
    identity_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import WORKLOADS

GATEWAY_API, CERTIFICATES, ACME = "gateway.networking.k8s.io", "cert-manager.io", "acme.cert-manager.io"
SECRETS, KAFKA, DATABASE = "external-secrets.io", "kafka.strimzi.io", "postgresql.cnpg.io"
POD = Kind("v1", "Pod", "pods")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
JOB = Kind("batch/v1", "Job", "jobs")
SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
SERVICE = Kind("v1", "Service", "services")
WORKLOAD = tuple(Kind("apps/v1", kind, f"{kind.lower()}s") for kind in WORKLOADS)
CHALLENGE = Kind(f"{ACME}/v1", "Challenge", "challenges")
ORDER = Kind(f"{ACME}/v1", "Order", "orders")
REQUEST = Kind(f"{CERTIFICATES}/v1", "CertificateRequest", "certificaterequests")
BACKUP = Kind(f"{DATABASE}/v1", "Backup", "backups")
POD_SET = Kind("core.strimzi.io/v1beta2", "StrimziPodSet", "strimzipodsets")
# What a controller creates for an object of a kind; those of operators create more.
CHILDREN: dict[tuple[str, str], tuple[Kind, ...]] = {
    ("", "Service"): (SLICE,),
    ("apps", "DaemonSet"): (POD,),
    ("apps", "Deployment"): (REPLICA_SET,),
    ("apps", "ReplicaSet"): (POD,),
    ("apps", "StatefulSet"): (POD, CLAIM),
    ("argoproj.io", "Rollout"): (REPLICA_SET,),
    ("batch", "CronJob"): (JOB,),
    ("batch", "Job"): (POD,),
    (ACME, "Order"): (CHALLENGE,),
    (CERTIFICATES, "Certificate"): (REQUEST,),
    (CERTIFICATES, "CertificateRequest"): (ORDER,),
    ("core.strimzi.io", "StrimziPodSet"): (POD,),
    (GATEWAY_API, "Gateway"): (SERVICE, *WORKLOAD),
    (DATABASE, "Cluster"): (SERVICE, *WORKLOAD, JOB, POD, CLAIM),
    (DATABASE, "ScheduledBackup"): (BACKUP,),
} | {(KAFKA, kind): (POD_SET, *WORKLOAD, SERVICE, CLAIM) for kind in ("Kafka", "KafkaConnect", "KafkaNodePool")}
# Kinds of operators that are not listed here may have made these.
OF_OPERATORS = (*WORKLOAD, JOB, POD)
# Groups of the API server itself, whose kinds have only the children that are named above.
BUILT_IN = re.compile(r"^$|^(apps|batch|autoscaling|policy)$|\.k8s\.io$")
# Nothing below these tells why they are not ready, or it does not belong to them alone.
PLAIN = (SERVICE, SLICE, BACKUP)
# Of these the newest one counts: what the older ones say is about what was wanted before.
SUCCESSIVE = (REPLICA_SET, REQUEST)
WEBHOOK_SERVICE = re.compile(r"https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc\b")


def below(item: Manifest, evidence: Evidence) -> Iterator[tuple[Reference, Manifest | None]]:
    """Yield what lies below an object: made for it, then needed by it. None is what nobody can know."""
    group, kind, namespace, _name = identity_of(item)
    kinds = CHILDREN.get((group, kind), () if BUILT_IN.search(group) else OF_OPERATORS)
    for found in [entry for entry in kinds if entry not in PLAIN] if namespace else []:
        served = in_version_of(item, found)
        children = [child for child in evidence.listed(served, namespace) or [] if owns(item, child, found)]
        ordered = sorted(children, key=PLACES.get(found, newest), reverse=True)
        for child in ordered[:1] if found in SUCCESSIVE else ordered:
            yield reference_to(served, child), {"apiVersion": served.version, "kind": served.kind} | child
    for reference in needed(item, evidence):
        yield reference, evidence.named(reference)


def in_version_of(item: Manifest, kind: Kind) -> Kind:
    """Return a kind in the version in which the cluster serves it: an operator has the same for all of its kinds."""
    group = kind.version.rpartition("/")[0]
    version = item["apiVersion"].rpartition("/")[2]
    return kind if BUILT_IN.search(group) else kind._replace(version=f"{group}/{version}")


def reference_to(kind: Kind, item: Manifest) -> Reference:
    """Return a reference to an object of a list."""
    return Reference(kind.version, kind.kind, item["metadata"].get("namespace") or "", item["metadata"]["name"])


def newest(item: Manifest) -> tuple[str, str]:
    """Return the place of an object among those beside it: the newest is the largest."""
    return item["metadata"].get("creationTimestamp") or "", item["metadata"]["name"]


def revision(item: Manifest) -> tuple[int, str]:
    """Return the place of a ReplicaSet: the one of the newest revision is the largest."""
    number = (item["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", "0")
    return int(number) if number.isdigit() else 0, item["metadata"]["name"]


def alive(pod: Manifest) -> tuple[bool, str, str]:
    """Return the place of a pod: those that have been replaced already come last."""
    over = (pod.get("status") or {}).get("phase") == "Failed" or bool(pod["metadata"].get("deletionTimestamp"))
    return not over, *newest(pod)


PLACES: dict[Kind, Callable[[Manifest], tuple[object, ...]]] = {REPLICA_SET: revision, POD: alive}


def owns(owner: Manifest, item: Manifest, kind: Kind) -> bool:
    """Return whether an object of the same namespace is owned by another one."""
    group, owning, _namespace, name = identity_of(owner)
    metadata = item["metadata"]
    for entry in metadata.get("ownerReferences") or []:
        if (entry.get("apiVersion", "").rpartition("/")[0], entry.get("kind"), entry.get("name")) == (
            group,
            owning,
            name,
        ):
            return True
    # The claims of a StatefulSet have no owner, only its name and the number of the pod.
    return (
        owning == "StatefulSet" and kind == CLAIM and bool(re.fullmatch(rf".+-{re.escape(name)}-\d+", metadata["name"]))
    )


# --- what an object needs --------------------------------------------------------------------------------------------


def needed(item: Manifest, evidence: Evidence) -> Iterator[Reference]:
    """Yield the objects that another one names, and those that its API server could not call for it."""
    group, kind, _namespace, _name = identity_of(item)
    yield from NEEDS.get((group, kind), nothing)(item)
    if (group, kind) == ("", "Service"):
        yield from selected(item, evidence)
    for text in (entry.get("message") or "" for entry in (item.get("status") or {}).get("conditions") or []):
        if found := WEBHOOK_SERVICE.search(text):
            yield Reference("v1", "Service", found[2], found[1])


def nothing(_item: Manifest) -> Iterator[Reference]:
    """Yield nothing."""
    yield from ()


def claims(pod: Manifest) -> Iterator[Reference]:
    """Yield the claims that a pod mounts."""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if claim := volume.get("persistentVolumeClaim"):
            yield Reference("v1", "PersistentVolumeClaim", pod["metadata"].get("namespace", ""), claim["claimName"])


def gateways(route: Manifest) -> Iterator[Reference]:
    """Yield the Gateways of a route."""
    seen: set[Reference] = set()
    for entry in (route.get("spec") or {}).get("parentRefs") or []:
        namespace = entry.get("namespace") or route["metadata"].get("namespace", "")
        found = Reference(f"{GATEWAY_API}/v1", "Gateway", namespace, entry.get("name", ""))
        if entry.get("kind", "Gateway") == "Gateway" and found not in seen:
            seen.add(found)
            yield found


def gateway_class(gateway: Manifest) -> Iterator[Reference]:
    """Yield the class of a Gateway."""
    if name := (gateway.get("spec") or {}).get("gatewayClassName"):
        yield Reference(f"{GATEWAY_API}/v1", "GatewayClass", "", name)


def ingress_class(ingress: Manifest) -> Iterator[Reference]:
    """Yield the class of an Ingress."""
    if name := (ingress.get("spec") or {}).get("ingressClassName"):
        yield Reference("networking.k8s.io/v1", "IngressClass", "", name)


def issuer(item: Manifest) -> Iterator[Reference]:
    """Yield the issuer of a Certificate, CertificateRequest or Order, where it is one of cert-manager's own."""
    found = (item.get("spec") or {}).get("issuerRef") or {}
    if found.get("name") and found.get("group", CERTIFICATES) == CERTIFICATES:
        kind = found.get("kind") or "Issuer"
        namespace = item["metadata"].get("namespace", "") if kind == "Issuer" else ""
        yield Reference(f"{CERTIFICATES}/v1", kind, namespace, found["name"])


def stores(item: Manifest) -> Iterator[Reference]:
    """Yield the stores of an ExternalSecret or PushSecret."""
    spec = item.get("spec") or {}
    sources = [entry.get("sourceRef") or {} for entry in [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]]
    entries = [spec.get("secretStoreRef"), *(entry.get("storeRef") for entry in sources)]
    entries += spec.get("secretStoreRefs") or []
    for entry in entries:
        if entry and entry.get("name"):
            kind = entry.get("kind") or "SecretStore"
            namespace = item["metadata"].get("namespace", "") if kind == "SecretStore" else ""
            yield Reference(item["apiVersion"], kind, namespace, entry["name"])


def scaled(autoscaler: Manifest) -> Iterator[Reference]:
    """Yield what a HorizontalPodAutoscaler scales."""
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    if target.get("name"):
        version = target.get("apiVersion") or "apps/v1"
        yield Reference(version, target["kind"], autoscaler["metadata"].get("namespace", ""), target["name"])


def node_pool(item: Manifest) -> Iterator[Reference]:
    """Yield the cluster that a node pool, user, topic or connector belongs to."""
    if name := (item["metadata"].get("labels") or {}).get("strimzi.io/cluster"):
        kind = "KafkaConnect" if item["kind"] == "KafkaConnector" else "Kafka"
        yield Reference(item["apiVersion"], kind, item["metadata"].get("namespace", ""), name)


def database(item: Manifest) -> Iterator[Reference]:
    """Yield the cluster that a Database, Pooler or Backup belongs to."""
    if name := ((item.get("spec") or {}).get("cluster") or {}).get("name"):
        yield Reference(item["apiVersion"], "Cluster", item["metadata"].get("namespace", ""), name)


def selected(service: Manifest, evidence: Evidence) -> Iterator[Reference]:
    """Yield the pods that a Service selects."""
    namespace = service["metadata"].get("namespace", "")
    wanted = ((service.get("spec") or {}).get("selector") or {}).items()
    for pod in (evidence.listed(POD, namespace) or []) if wanted else []:
        if wanted <= (pod["metadata"].get("labels") or {}).items():
            yield reference_to(POD, pod)


def selector(item: Manifest) -> str:
    """Return which labels a Service selects, or nothing."""
    wanted = ((item.get("spec") or {}).get("selector") or {}) if item["kind"] == "Service" else {}
    return ",".join(f"{key}={value}" for key, value in wanted.items())


NEEDS: dict[tuple[str, str], Callable[[Manifest], Iterator[Reference]]] = {
    ("", "Pod"): claims,
    ("autoscaling", "HorizontalPodAutoscaler"): scaled,
    ("networking.k8s.io", "Ingress"): ingress_class,
    (GATEWAY_API, "Gateway"): gateway_class,
    **{(GATEWAY_API, kind): gateways for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")},
    **{(CERTIFICATES, kind): issuer for kind in ("Certificate", "CertificateRequest")},
    (ACME, "Order"): issuer,
    **{(SECRETS, kind): stores for kind in ("ExternalSecret", "PushSecret")},
    **{(KAFKA, kind): node_pool for kind in ("KafkaNodePool", "KafkaUser", "KafkaTopic", "KafkaConnector")},
    **{(DATABASE, kind): database for kind in ("Database", "Pooler", "Backup")},
}
