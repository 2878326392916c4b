# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of Argo CD as it is kept and brought back. Pure functions over plain objects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import CONFIG_MAP as PAUSED
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import unbound
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import REFRESH, STAMP, is_automated
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.values import has_values
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import CONFIG_MAP, PART, overlay_of

Object = dict[str, Any]
TYPE_LABEL = "argocd.argoproj.io/secret-type"  # repositories, their templates, clusters
ARGOCD = "argoproj.io/v1alpha1"
KINDS = ("AppProject", "Application", "ApplicationSet", "ConfigMap", "Secret")
# What another controller, kubectl or a moment has left in the annotations.
TRANSIENT = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/hydrate",
    REFRESH,
    STAMP,
}
CONTENT = ("type", "immutable", "data", "binaryData", "spec")


def belongs(item: Object) -> bool:
    """Return whether a ConfigMap or Secret in the namespace of Argo CD is part of its state."""
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    named = metadata["name"] in (CONFIG_MAP, PAUSED) or metadata["name"].startswith("argocd-")
    return named or labels.get(PART) == "argocd" or TYPE_LABEL in labels


def kept(item: Object) -> Object:
    """Return what of an object is worth keeping: neither its history nor what belongs to this cluster only."""
    metadata = item["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    left = {key: value for key, value in annotations.items() if key not in TRANSIENT}
    more = {"labels": labels, "annotations": left, "finalizers": metadata.get("finalizers") or []}
    names = {"name": metadata["name"], "namespace": metadata["namespace"]}
    content = {key: item[key] for key in CONTENT if key in item}
    if (item["kind"], metadata["name"]) == ("ConfigMap", PAUSED):
        content["data"] = {name: unbound(text) for name, text in (item.get("data") or {}).items()}
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": names | {key: value for key, value in more.items() if value},
        **content,
    }


def needs_encryption(item: Object) -> bool:
    """Return whether an object has values that may be secrets: a Secret, or what hands values to Helm or a plugin.

    It is kept whole or not at all: a restore must never write something else in the place of a value.
    """
    return item["kind"] == "Secret" or (item["kind"] in ("Application", "ApplicationSet") and has_values(item))


def environment_of(items: Iterable[Object]) -> str:
    """Return the environment that a state is of."""
    found = [item for item in items if (item["kind"], item["metadata"]["name"]) == ("ConfigMap", CONFIG_MAP)]
    return str((found[0].get("data") or {}).get("environment", "")) if found else ""


def problem(items: list[Any], environment: str) -> str:
    """Return why the documents of a file cannot be restored into an environment, or nothing."""
    if not items or not all(isinstance(item, dict) and item.get("kind") in KINDS for item in items):
        return "This is not a backup that backup.yml made"
    found = environment_of(items)
    if found != environment:
        return f"This is a backup of environment {found or 'unknown'}, and the inventory is that of {environment}"
    return ""


def restorable(items: list[Object]) -> list[Object]:
    """Return the objects of a backup as they are restored, what others refer to first. None of them prunes by itself.

    What an ApplicationSet of ours generates from Git, it makes again; an Application that was paused comes back paused,
    because the ApplicationSets leave the policy as it is. Others come back without automated sync.
    """
    order = {kind: number for number, kind in enumerate(("ConfigMap", "Secret", *KINDS[:3]))}
    found = [manual(item) for item in items if not (prunes(item) and overlay_of(item))]
    return sorted(found, key=lambda item: order[item["kind"]])


def prunes(item: Object) -> bool:
    """Return whether an Application deletes by itself what left Git."""
    policy = (item.get("spec") or {}).get("syncPolicy") or {}
    wanted = bool((policy.get("automated") or {}).get("prune"))
    return item["kind"] == "Application" and wanted and is_automated(item)


def manual(item: Object) -> Object:
    """Return an Application that would prune without automated sync; everything else as it is."""
    if not prunes(item):
        return item
    policy = {key: value for key, value in item["spec"]["syncPolicy"].items() if key != "automated"}
    return item | {"spec": item["spec"] | {"syncPolicy": policy}}


def resume_later(items: list[Object]) -> list[str]:
    """Return the Applications that come back without automated sync."""
    return sorted(item["metadata"]["name"] for item in items if prunes(item) and not overlay_of(item))
