# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a cluster under Argo CD contains.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import accounts
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import (
    CONFIG_MAP,
    Object,
    overlay_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.installation import applied_by_us
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS

ARGO = "/apis/argoproj.io/v1alpha1"
COMMIT = re.compile(r"[0-9a-f]{40}")
# Upstream's manifests, its Helm chart and the operator agree on these labels.
CONTROLLER = "app.kubernetes.io/part-of=argocd,app.kubernetes.io/component=application-controller"
APPLICATIONSETS = "app.kubernetes.io/part-of=argocd,app.kubernetes.io/component=applicationset-controller"


class Survey:
    """What one cluster has, read once."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self._live: dict[Identity, Object | None] = {}

    def get(self, path: str, query: dict[str, Any] | None = None) -> Object | None:
        """Return an object or a list; None when the cluster does not have it."""
        status, found = self.api.request("GET", path, query)
        if status == 404:
            return None
        if status != 200:
            raise GitopsError(f"{path} cannot be read: {found.get('message', status)}")
        return found

    @cached_property
    def uid(self) -> str:
        """Return the UID of the cluster, which is that of its namespace kube-system."""
        return str((self.get("/api/v1/namespaces/kube-system") or {"metadata": {"uid": ""}})["metadata"]["uid"])

    @cached_property
    def config_map(self) -> Object | None:
        """Return the ConfigMap that records which environment the cluster serves."""
        return self.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{CONFIG_MAP}")

    @cached_property
    def applicationsets(self) -> list[Object]:
        """Return the ApplicationSets that have the names of ours."""
        found = [self.get(f"{ARGO}/namespaces/{self.namespace}/applicationsets/{name}") for name in LAYERS]
        return [item for item in found if item]

    @cached_property
    def applications(self) -> list[Object]:
        """Return the Applications of the cluster."""
        return list((self.get(f"{ARGO}/applications") or {"items": []})["items"])

    @cached_property
    def all_applicationsets(self) -> list[Object]:
        """Return the ApplicationSets of the cluster."""
        return list((self.get(f"{ARGO}/applicationsets") or {"items": []})["items"])

    @cached_property
    def ours(self) -> dict[str, Object]:
        """Return the Applications of our ApplicationSets, and those whose ApplicationSet was deleted."""
        owners = {item["metadata"]["uid"] for item in self.applicationsets}
        here = [item for item in self.applications if item["metadata"]["namespace"] == self.namespace]
        return {item["metadata"]["name"]: item for item in here if is_ours(item, owners)}

    @cached_property
    def others(self) -> list[Object]:
        """Return all other Applications of the cluster."""
        ours = {item["metadata"]["uid"] for item in self.ours.values()}
        return [item for item in self.applications if item["metadata"]["uid"] not in ours]

    @cached_property
    def controllers(self) -> list[Object]:
        """Return the application controllers of every Argo CD, that of our namespace first."""
        query = {"labelSelector": CONTROLLER}
        found = [
            item
            for plural in ("statefulsets", "deployments")
            for item in (self.get(f"/apis/apps/v1/{plural}", query) or {"items": []})["items"]
        ]
        return sorted(found, key=lambda item: item["metadata"]["namespace"] != self.namespace)

    @cached_property
    def settings(self) -> dict[str, str]:
        """Return the command-line parameters in argocd-cmd-params-cm."""
        found = self.get(f"/api/v1/namespaces/{self.namespace}/configmaps/argocd-cmd-params-cm") or {}
        return found.get("data") or {}

    @cached_property
    def applicationset_containers(self) -> list[Object]:
        """Return the containers of the ApplicationSet controller, whatever the name of its Deployment."""
        path, query = f"/apis/apps/v1/namespaces/{self.namespace}/deployments", {"labelSelector": APPLICATIONSETS}
        found = (self.get(path, query) or {"items": []})["items"]
        return [entry for item in found for entry in item["spec"]["template"]["spec"].get("containers") or []]

    @cached_property
    def projects(self) -> list[Object]:
        """Return the AppProjects of our namespace."""
        return list((self.get(f"{ARGO}/namespaces/{self.namespace}/appprojects") or {"items": []})["items"])

    @cached_property
    def foreign_projects(self) -> list[str]:
        """Return the AppProjects that have the names of ours and that we did not apply."""
        names = [item["metadata"]["name"] for item in self.projects if not applied_by_us(item)]
        return [name for name in LAYERS if name in names]

    @cached_property
    def accounts(self) -> dict[str, dict[str, Any]]:
        """Return the rights of the ServiceAccounts with which Argo CD syncs, by layer."""
        query = {"labelSelector": accounts.LABEL}
        paths = (f"/apis/{accounts.RBAC}/clusterroles", f"/apis/{accounts.RBAC}/roles")
        roles = [item for path in paths for item in (self.get(path, query) or {"items": []})["items"]]
        return accounts.living(roles, self.namespace)

    @cached_property
    def served(self) -> list[str]:
        """Return what the API server serves, by the names of CustomResourceDefinitions; these are established.

        Of one that is being deleted nothing can be created.
        """
        return sorted(
            {
                f"{entry['resource']}.{group}"
                for group, entry in self._resources
                if "create" in entry.get("verbs", ["create"])
            }
        )

    @cached_property
    def _resources(self) -> list[tuple[str, Object]]:
        """Return the resources of all API groups but the core group, each with the name of its group."""
        groups = (self.get("/apis") or {}).get("items") or []
        return [
            (group["metadata"]["name"], entry)
            for group in groups
            for version in group["versions"]
            for entry in version.get("resources") or []
        ]

    def is_namespaced(self, group: str, kind: str) -> bool | None:
        """Return whether objects of a kind are in a namespace; None when the API server does not serve it."""
        if not group:
            resource = self.api.resource({"apiVersion": "v1", "kind": kind})
            return resource and resource[1]
        scopes = {entry.get("scope") for name, entry in self._resources if name == group and _kind_of(entry) == kind}
        return None if not scopes else scopes == {"Namespaced"}

    def live(self, identity: Identity) -> Object | None:
        """Return an object by group, kind, namespace and name, or None."""
        if identity not in self._live:
            self._live[identity] = self._read(identity)
        return self._live[identity]

    def _read(self, identity: Identity) -> Object | None:
        group, kind, namespace, name = identity
        version = "v1"
        if group:
            found = self.get(f"/apis/{group}")
            if found is None:
                return None
            version = found["preferredVersion"]["groupVersion"]
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        path = self.api.path({"apiVersion": version, "kind": kind, "metadata": metadata})
        return self.get(path) if path else None


def _kind_of(resource: Object) -> str:
    """Return the kind of a resource in an answer to discovery."""
    return str((resource.get("responseKind") or {}).get("kind", ""))


def is_ours(application: Object, owners: set[str]) -> bool:
    """Return whether an Application belongs to an ApplicationSet of ours, or to none and has our layout."""
    references = application["metadata"].get("ownerReferences") or []
    if references:
        return any(entry["uid"] in owners for entry in references)
    match = overlay_of(application)
    return match is not None and match["name"] == application["metadata"]["name"]


def commit_of(application: Object) -> str:
    """Return the commit that an Application runs, or nothing before its first sync."""
    status = application.get("status") or {}
    history = [entry.get("revision", "") for entry in status.get("history") or []]
    for revision in ((status.get("sync") or {}).get("revision", ""), *reversed(history)):
        if COMMIT.fullmatch(revision or ""):
            return str(revision)
    return ""


def deployed(application: Object) -> set[Identity]:
    """Return the objects of an Application without its hooks."""
    return {
        (entry.get("group") or "", entry.get("kind", ""), entry.get("namespace") or "", entry.get("name", ""))
        for entry in (application.get("status") or {}).get("resources") or []
        if not entry.get("hook")
    }
