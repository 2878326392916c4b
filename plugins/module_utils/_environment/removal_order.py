# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment has in its cluster, in the order in which it can be removed. Pure functions over plain objects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import is_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import ARGOCD
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import (
    NAMED,
    PART,
    Object,
    applicationset_side,
    overlay_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.sync_options import sync_options
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of

ARGOCD_GROUP = "argoproj.io"


def own_applications(applications: dict[str, Object], environment: str) -> dict[str, Object]:
    """Return the Applications that read an overlay of the environment."""
    return {
        name: item
        for name, item in applications.items()
        if (found := overlay_of(item)) and found["environment"] == environment
    }


def own_applicationsets(applicationsets: list[Object], environment: str) -> list[Object]:
    """Return the ApplicationSets that generate the Applications of the environment."""
    return [item for item in applicationsets if applicationset_side(item).environment == environment]


def batches(names: set[str], components: list[Object]) -> list[list[str]]:
    """Return the names in the order of removal: what others depend on comes last, what nobody knows first."""
    stages = {component["name"]: component["stage"] for component in components}
    unknown = max(stages.values(), default=0) + 1
    order = sorted({stages.get(name, unknown) for name in names}, reverse=True)
    return [sorted(name for name in names if stages.get(name, unknown) == stage) for stage in order]


def tracked(items: list[Object], names: set[str]) -> dict[str, list[Object]]:
    """Return the objects that these Applications applied, by the name of the Application."""
    found: dict[str, list[Object]] = {}
    for item in items:
        if (name := application_of(item)) in names:
            found.setdefault(name, []).append(item)
    return found


def crds_of(applications: Iterable[Object]) -> set[str]:
    """Return the names of the CustomResourceDefinitions of Applications. Argo CD writes its annotation into none."""
    return {
        entry["name"]
        for item in applications
        for entry in (item.get("status") or {}).get("resources") or []
        if entry["kind"] == "CustomResourceDefinition"
    }


def is_kept_by_argocd(crd: Object) -> bool:
    """Return whether Argo CD applied an object that stays when its Application goes."""
    managers = {entry.get("manager") for entry in crd["metadata"].get("managedFields") or []}
    return "Delete=false" in sync_options(crd) and ARGOCD in managers


def rights_of(bindings: list[Object], roles: list[Object], namespace: str) -> list[Object]:
    """Return the ClusterRoleBindings of Argo CD in a namespace, and the ClusterRoles that only they use."""
    own = [item for item in bindings if is_argocd(item) and subjects_in(item, namespace)]
    used = {item["roleRef"]["name"] for item in bindings if item not in own}
    mine = {item["roleRef"]["name"] for item in own}
    return own + [item for item in roles if is_argocd(item) and item["metadata"]["name"] in mine - used]


def is_argocd(item: Object) -> bool:
    """Return whether an object is part of Argo CD's manifest."""
    return bool((item["metadata"].get("labels") or {}).get(PART) == "argocd")


def subjects_in(binding: Object, namespace: str) -> bool:
    """Return whether a binding is for this namespace only."""
    subjects = binding.get("subjects") or []
    return bool(subjects) and all(entry.get("namespace") == namespace for entry in subjects)


def staying(others: list[Object], sets: list[Object], manager: str, managed: bool) -> str:
    """Return why Argo CD stays, or nothing."""
    if not managed:
        return "argocd_managed is false"
    if manager and manager != "us":
        return f"it was installed by {manager}"
    texts = [*sorted(map(name_of, others)), *(f"ApplicationSet {name}" for name in sorted(map(name_of, sets)))]
    return f"it also has {listed(texts, NAMED)}" if texts else ""


def name_of(item: Object) -> str:
    """Return namespace and name."""
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def used_projects(others: list[Object]) -> set[str]:
    """Return the AppProjects of the other Applications."""
    return {str((item.get("spec") or {}).get("project") or "default") for item in others}


def used_namespaces(others: list[Object]) -> dict[str, list[str]]:
    """Return the other Applications of this cluster by the namespaces into which they deploy."""
    found: dict[str, list[str]] = {}
    for item in filter(is_here, others):
        resources = (item.get("status") or {}).get("resources") or []
        names = {entry.get("namespace") for entry in resources} | {item["spec"]["destination"].get("namespace")}
        for name in filter(None, names):
            found.setdefault(name, []).append(name_of(item))
    return {name: sorted(applications) for name, applications in found.items()}


def is_needed(item: Object, others: list[Object], namespace: str) -> bool:
    """Return whether somebody else's Applications need an object: their Argo CD, or a Namespace that they use."""
    if not others:
        return False
    if item["kind"] == "Namespace" and item["metadata"]["name"] != namespace:
        return item["metadata"]["name"] in used_namespaces(others)
    if item["kind"] == "AppProject":
        return item["metadata"]["name"] in used_projects(others)
    if item["kind"] == "CustomResourceDefinition":
        return bool(item["spec"]["group"] == ARGOCD_GROUP)
    return item["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding")


def row(step: int, item: Object, note: str = "") -> dict[str, Any]:
    """Return an object for the table of what is removed."""
    metadata = item["metadata"]
    names = {"kind": item["kind"], "namespace": metadata.get("namespace", ""), "name": metadata["name"]}
    return {"step": step} | names | {"note": note, "api_version": item["apiVersion"], "uid": metadata["uid"]}


def shown_object(entry: dict[str, Any]) -> Object:
    """Return the object that a row of that table shows."""
    metadata = {key: entry[key] for key in ("namespace", "name", "uid")}
    return {"apiVersion": entry["api_version"], "kind": entry["kind"], "metadata": metadata}
