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


def why_left(job: Manifest) -> str:
    """Return why a Job that uses a Secret is not deleted so that Argo CD recreates it; nothing where it is.

    A Job that has not ended is somebody's work. Its pods read the Secret when their containers start, so a next attempt
    has the new values.
    """
    metadata, spec = job["metadata"], job.get("spec") or {}
    if owners := metadata.get("ownerReferences"):
        return f"belongs to {owners[0]['kind']} {owners[0]['name']}, which makes the next one with the new values"
    if not application_of(job):
        return "belongs to no Application: run it again by hand if it needs the new values"
    if any(hook in (metadata.get("annotations") or {}) for hook in HOOKS):
        return "is a hook, which only a sync runs again"
    if spec.get("suspend"):
        return "is suspended, and reads the new values when it is resumed"
    return "" if has_ended(job) else "has not ended: delete it when it has, so that Argo CD runs it with the new values"


def has_ended(job: Manifest) -> bool:
    """Return whether a Job has succeeded or finally failed."""
    found = (job.get("status") or {}).get("conditions") or []
    return any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True" for entry in found)


def application_of(item: Manifest) -> str:
    """Return the Application that an object belongs to, by its tracking annotation.

    As for Argo CD (isSelfReferencedObj in controller/state.go at v3.6.1), one that names another object was copied and
    says nothing. Of an object without a namespace the annotation may have that of its Application, and an object of a
    list does not say its kind.
    """
    metadata = item["metadata"]
    application, _sep, rest = str((metadata.get("annotations") or {}).get(TRACKING, "")).partition(":")
    resource, _sep, place = rest.partition(":")
    group, _sep, kind = resource.rpartition("/")
    namespace, _sep, name = place.rpartition("/")
    same_kind = item.get("kind") in (None, kind) and item.get("apiVersion", f"{group}/").rpartition("/")[0] == group
    same_place = metadata.get("namespace") in (None, "", namespace)
    return application if same_kind and same_place and name == metadata["name"] else ""
