# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of an Application: those whose owners lead to an object that Argo CD deploys.

The status of an Application has only what is in Git, and objects are tracked by annotation, which cannot be selected.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import require_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application, status_of
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of

# Group, kind, namespace (empty without one) and name of an object.
Identity = tuple[str, str, str, str]
Pod = dict[str, Any]


def pods_of(api: Api, application: Application) -> list[tuple[Pod, list[Identity]]]:
    """Return the pods of an Application by name, each with its own identity and those of its owners, from below."""
    name, spec = application["metadata"]["name"], application.get("spec") or {}
    destination = spec.get("destination") or {}
    require_here(application)
    resources = status_of(application).get("resources") or []
    namespaces = {entry.get("namespace") for entry in resources} | {destination.get("namespace")}
    owners = Owners(api, name, {identity_of_entry(entry) for entry in resources})
    present = [pod for namespace in sorted(filter(None, namespaces)) for pod in pods(api, namespace)]
    found = [(pod, lineage) for pod in present if (lineage := owners.of(pod))]
    return sorted(found, key=lambda entry: (entry[1][0][2], entry[1][0][3]))


def pods(api: Api, namespace: str) -> list[Pod]:
    """Return all pods of a namespace."""
    status, found = api.request("GET", f"/api/v1/namespaces/{namespace}/pods")
    if status != 200:
        raise GitopsError(f"The pods in namespace {namespace} cannot be listed: {found.get('message', status)}")
    # The items of a list do not say what they are.
    return [{"apiVersion": "v1", "kind": "Pod"} | item for item in found["items"]]


class Owners:
    """Follows the owners of objects up to those of one Application; each owner is read once."""

    def __init__(self, api: Api, application: str, own: set[Identity]) -> None:
        self.api, self.application, self.own = api, application, own
        self.known: dict[Identity, list[Identity]] = {}

    def of(self, item: dict[str, Any]) -> list[Identity]:
        """Return an object and its owners up to one of the Application; nothing for an object of somebody else."""
        identity = identity_of(item)
        # A hook has the annotation only: no status lists it.
        if identity in self.own or application_of(item) == self.application:
            return [identity]
        for reference in item["metadata"].get("ownerReferences") or []:
            if above := self._above(reference, identity[2]):
                return [identity, *above]
        return []

    def _above(self, reference: dict[str, Any], namespace: str) -> list[Identity]:
        owner = {key: reference[key] for key in ("apiVersion", "kind")}
        owner["metadata"] = {"name": reference["name"], "namespace": namespace}
        resource = self.api.resource(owner)
        if resource and not resource[1]:
            del owner["metadata"]["namespace"]
        identity = identity_of(owner)
        if identity in self.own:
            return [identity]
        if identity not in self.known:
            self.known[identity] = []  # owners that own each other lead nowhere
            live = self._read(owner) if resource else None
            self.known[identity] = self.of(live) if live else []
        return self.known[identity]

    def _read(self, item: dict[str, Any]) -> dict[str, Any] | None:
        status, live = self.api.request("GET", self.api.path(item) or "")
        if status not in (200, 404):
            _group, kind, namespace, name = identity_of(item)
            raise GitopsError(f"{kind} {namespace}/{name} cannot be read: {live.get('message', status)}")
        return live if status == 200 else None


def identity_of(item: dict[str, Any]) -> Identity:
    """Return the identity of an object."""
    metadata = item["metadata"]
    return item["apiVersion"].rpartition("/")[0], item["kind"], metadata.get("namespace") or "", metadata["name"]


def identity_of_entry(entry: dict[str, Any]) -> Identity:
    """Return the identity of an entry of an Application's status."""
    return entry.get("group") or "", entry["kind"], entry.get("namespace") or "", entry["name"]


def is_below(lineage: list[Identity], resource: dict[str, Any]) -> bool:
    """Return whether a pod is an object that an option names, or belongs to it."""
    return any(
        (resource["kind"], resource["name"]) == (kind, name)
        and (resource.get("group") in (None, group))
        and resource.get("namespace") in (None, namespace)
        for group, kind, namespace, name in lineage
    )
