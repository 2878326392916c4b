# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workloads run a component, and which use a Secret. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import WORKLOADS

Manifest = dict[str, Any]
# What keeps the names of Secrets in a container or a volume, as kind of reference and field of the name.
REFERENCES = (("secretKeyRef", "name"), ("secretRef", "name"), ("secret", "secretName"), ("secret", "name"))
REFLECTS = "reflector.v1.k8s.emberstack.com/reflects"
# Argo CD runs hooks of Helm charts, too.
HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")
TRACKING = "argocd.argoproj.io/tracking-id"


def workloads_of(application: Manifest) -> list[Manifest]:
    """Return kind, namespace and name of the workloads of an Application."""
    resources = (application.get("status") or {}).get("resources") or []
    return [
        {"kind": entry["kind"], "namespace": entry.get("namespace", ""), "name": entry["name"]}
        for entry in resources
        if entry.get("group") == "apps" and entry["kind"] in WORKLOADS and not entry.get("hook")
    ]


def chosen(application: Manifest, names: list[str]) -> list[Manifest]:
    """Return the workloads of an Application that have these names; all of them without names."""
    title, found = application["metadata"]["name"], workloads_of(application)
    there = ", ".join(f"{entry['kind']} {entry['name']}" for entry in found)
    if not found:
        raise GitopsError(
            f"Application {title} has no Deployment, StatefulSet or DaemonSet: an operator makes its pods, and "
            "restarts them as its documentation says."
        )
    missing = sorted(set(names) - {entry["name"] for entry in found})
    if missing:
        raise GitopsError(f"Application {title} has no workload {' or '.join(missing)}, only {there}.")
    return [entry for entry in found if not names or entry["name"] in names]


def obstacle(workload: Manifest) -> str:
    """Return why a restart of a workload would have no effect, or nothing."""
    spec = workload.get("spec") or {}
    if spec.get("paused"):
        return "its rollout is paused: resume it first"
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return "its update strategy is OnDelete: delete its pods"
    return ""


def uses_secret(workload: Manifest, name: str) -> bool:
    """Return whether the pods of a workload or Job read a Secret of their namespace."""
    pod = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    return name in references(pod)


def references(value: Any) -> Iterator[str]:
    """Yield the names of the Secrets that a part of a pod's specification names."""
    if isinstance(value, list):
        for entry in value:
            yield from references(entry)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from (str(inner[field]) for kind, field in REFERENCES if key == kind and field in inner)
            yield from references(inner)


def is_copy(secret: Manifest, namespace: str, name: str) -> bool:
    """Return whether Reflector keeps a Secret as a copy of this one."""
    annotations = secret["metadata"].get("annotations") or {}
    return bool(annotations.get(REFLECTS) == f"{namespace}/{name}")


def is_made_again(job: Manifest) -> bool:
    """Return whether Argo CD makes a Job again that is deleted. A hook is run by syncs only."""
    annotations = job["metadata"].get("annotations") or {}
    hooked = any(hook in annotations for hook in HOOKS)
    return TRACKING in annotations and not hooked and not job["metadata"].get("ownerReferences")


def application_of(item: Manifest) -> str:
    """Return the Application that an object belongs to, by its tracking annotation.

    As for Argo CD, one that names another object was copied and says nothing. Of an object without a namespace the
    annotation may have that of its Application, and an object of a list does not say its kind.
    """
    metadata = item["metadata"]
    application, _sep, rest = str((metadata.get("annotations") or {}).get(TRACKING, "")).partition(":")
    kind, _sep, place = rest.partition(":")
    namespace, _sep, name = place.rpartition("/")
    same_kind = item.get("kind") in (None, kind.rpartition("/")[2])
    same_place = metadata.get("namespace") in (None, "", namespace)
    return application if same_kind and same_place and name == metadata["name"] else ""
