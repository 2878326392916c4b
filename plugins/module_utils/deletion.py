# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what holds the deletion of an Application.

Argo CD lists the objects of an Application without saying which of them are being deleted, so the objects are read.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils.api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils.verdict import finalizer_text, resource_name

IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
APPROVED = "argocd.argoproj.io/deletion-approved"
# What a namespace that is being deleted still waits for.
NAMESPACE_CONDITIONS = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")


def holders(api: Api, application: dict[str, Any]) -> list[str]:
    """Return a phrase for each object of an Application that is being deleted and is not gone yet."""
    phrases = [holder(entry, live) for entry, live in live_resources(api, application)]
    return unconfirmed(application) + [phrase for phrase in phrases if phrase]


def live_resources(
    api: Api, application: dict[str, Any], status: str = ""
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the resources in an Application's status, or those with a sync status, each with its object.

    Objects that are gone or may not be read are left out, and so are those in another cluster than Argo CD's.
    """
    destination = (application.get("spec") or {}).get("destination") or {}
    if (destination.get("server") or destination.get("name")) not in IN_CLUSTER:
        return
    for entry in (application.get("status") or {}).get("resources") or []:
        if status and entry.get("status") != status:
            continue
        version = "/".join(filter(None, (entry.get("group"), entry.get("version"))))
        metadata = {"name": entry["name"], "namespace": entry.get("namespace", "")}
        path = api.path({"apiVersion": version, "kind": entry["kind"], "metadata": metadata})
        found, live = api.request("GET", path) if path else (404, {})
        if found == 200:
            yield entry, live


def holder(entry: dict[str, Any], live: dict[str, Any]) -> str:
    """Return kind and name of an object that is being deleted, and why it is still there; else nothing."""
    metadata = live["metadata"]
    if not metadata.get("deletionTimestamp"):
        return ""
    reasons = [finalizer_text(metadata.get("finalizers") or [])]
    reasons += [
        condition.get("message", "")
        for condition in (live.get("status") or {}).get("conditions") or []
        if condition.get("type") in NAMESPACE_CONDITIONS and condition.get("status") == "True"
    ]
    text = "; ".join(filter(None, reasons)) or "no finalizer"
    return f"{resource_name(entry)} ({text})"


def unconfirmed(application: dict[str, Any]) -> list[str]:
    """Return a phrase for each resource that Argo CD deletes only after a confirmation that is not there."""
    if APPROVED in (application["metadata"].get("annotations") or {}):
        return []
    return [
        f"{resource_name(entry)} (needs the annotation {APPROVED} on the Application)"
        for entry in (application.get("status") or {}).get("resources") or []
        if entry.get("requiresDeletionConfirmation")
    ]
