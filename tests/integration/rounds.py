# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks an Application in a random round, and what a wait must name then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
SIMULATE = "rehearsal.monorepo.gitops/simulate"


@dataclass(frozen=True)
class Fault:
    """Changes the objects of an Application: a ConfigMap, a Deployment, and more.

    `says` are words that the reason must have. What is not final can get better: a wait for it ends with its time.
    """

    change: Callable[[list[Manifest]], list[Manifest]]
    says: tuple[str, ...]
    final: bool = False


def in_pods(**template: Any) -> Callable[[list[Manifest]], list[Manifest]]:
    """Return what changes the container of the Deployment, and with `simulate` what becomes of its pods."""

    def change(objects: list[Manifest]) -> list[Manifest]:
        pod = objects[1]["spec"]["template"]
        if "simulate" in template:
            pod["metadata"]["annotations"] = {SIMULATE: template["simulate"]}
        pod["spec"]["containers"][0] |= {key: value for key, value in template.items() if key != "simulate"}
        return objects

    return change


def in_deployment(**spec: Any) -> Callable[[list[Manifest]], list[Manifest]]:
    def change(objects: list[Manifest]) -> list[Manifest]:
        objects[1]["spec"] |= spec
        return objects

    return change


def with_object(*more: Manifest) -> Callable[[list[Manifest]], list[Manifest]]:
    return lambda objects: [*objects, *more]


def with_hook(objects: list[Manifest]) -> list[Manifest]:
    """Add a hook, and what is compared: for a commit that has nothing but a new hook, Argo CD syncs nothing."""
    objects[0]["data"]["migrates"] = "yes"
    return [*objects, HOOK]


def another_selector(objects: list[Manifest]) -> list[Manifest]:
    """Change what cannot be changed in a Deployment that exists."""
    spec = objects[1]["spec"]
    spec["selector"] = {"matchLabels": spec["selector"]["matchLabels"] | {"tier": "front"}}
    spec["template"]["metadata"]["labels"] = spec["selector"]["matchLabels"]
    return objects


def of_kind(
    kind: str, name: str, version: str = "v1", annotations: dict[str, str] | None = None, **content: Any
) -> Any:
    metadata = {"name": name} | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata} | content


CLAIM = of_kind(
    "PersistentVolumeClaim",
    "data",
    annotations={SIMULATE: "fail"},
    spec={
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "missing",
        "resources": {"requests": {"storage": "1Gi"}},
    },
)
CERTIFICATE = of_kind(
    "Certificate",
    "web",
    "cert-manager.io/v1",
    annotations={SIMULATE: "fail"},
    spec={
        "secretName": "web",
        "dnsNames": ["web.example.com"],
        "issuerRef": {"name": "selfsigned-cluster-issuer", "kind": "ClusterIssuer"},
    },
)
HOOK = of_kind(
    "Job",
    "migrate",
    "batch/v1",
    annotations={
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    },
    spec={
        "backoffLimit": 0,
        "template": {
            "metadata": {"annotations": {SIMULATE: "failing-hook"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "web:1"}]},
        },
    },
)
WRONG_PORT = of_kind("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": "eighty"}]})

FAULTS: dict[str, Fault] = {
    "kustomize": Fault(lambda objects: objects, ("missing.yaml",), final=True),
    "rejected": Fault(in_deployment(replicas=-1), ("Deployment", "spec.replicas"), final=True),
    "immutable": Fault(another_selector, ("Deployment", "field is immutable"), final=True),
    "wrong-type": Fault(with_object(WRONG_PORT), ("Service", "port"), final=True),
    "unknown-kind": Fault(with_object(of_kind("Nothing", "one", "nowhere.example.com/v1")), ("Nothing",), final=True),
    "hook": Fault(with_hook, ("PostSync", "migrate"), final=True),
    "image": Fault(in_pods(image="rehearsal-fail:1"), ("Deployment", "ImagePullBackOff")),
    "crash": Fault(
        lambda objects: in_deployment(minReadySeconds=5)(in_pods(simulate="crash")(objects)),
        ("Deployment", "CrashLoopBackOff"),
    ),
    "missing-secret": Fault(in_pods(simulate="missing-secret"), ('secret "missing" not found',)),
    "readiness": Fault(in_pods(simulate="readiness-probe"), ("Readiness probe failed",)),
    "no-room": Fault(in_pods(resources={"requests": {"memory": "100Ti"}}), ("Insufficient memory",)),
    "claim": Fault(with_object(CLAIM), ("PersistentVolumeClaim", '"missing" not found')),
    "certificate": Fault(with_object(CERTIFICATE), ("Certificate", "The certificate request has failed")),
}
