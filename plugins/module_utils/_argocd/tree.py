# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource tree of an Application down to its pods, and the events of all that is in it.

An Application names only what is in Git. What controllers created for that is found by ownerReferences, as Argo CD does
it (gitops-engine/pkg/cache at v3.6.1), in the lists of the kinds that may be there.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.causes import JUDGED
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import is_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    resource_name,
    status_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Kind
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import CHILDREN, POD, owns
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.walk import own_reason
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import Reader
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import pod_state

Manifest = dict[str, Any]
Node = dict[str, Any]


class Trees:
    """Reads trees of Applications; each list once for all of them. `unreadable` has what may not be read."""

    def __init__(self, api: Api) -> None:
        self.api, self.reader = api, Reader(api)
        self.unreadable: dict[str, str] = {}

    def of(self, application: Application) -> list[Node]:
        """Return the tree as a list: each object, followed by those that it owns, with `depth` and `owner`."""
        name = application["metadata"]["name"]
        if not is_here(application):
            text = f"Application {name} is on another cluster: its tree shows only what Argo CD reports"
            self.unreadable[name] = text
        entries = status_of(application).get("resources") or []
        nodes = [self._top(entry, is_here(application)) for entry in entries]
        known = {resource_name(node) for node in nodes}
        return [found for node in nodes for found in self._with_children(node, known, is_here(application))]

    def _top(self, entry: Manifest, here: bool) -> Node:
        """Return the node of an object that is in Git; it is read only when its health does not say everything."""
        health = entry.get("health") or {}
        node = node_of(entry.get("group", ""), entry.get("version", ""), entry["kind"], entry)
        node |= {"sync": entry.get("status", ""), "health": health.get("status", "")}
        if entry.get("requiresPruning"):
            node["reason"] = "no longer in Git"
        if health.get("status") == "Missing":
            node["reason"] = "it does not exist"
        elif health.get("status") not in ("Healthy", None):
            node["reason"] = health.get("message") or (self._judged(node) if here else "")
        elif here and not health and entry["kind"] in JUDGED:
            node["reason"] = self._judged(node) or node["reason"]
        return node

    def _judged(self, node: Node) -> str:
        """Return why an object is not ready, by reading it."""
        item = manifest_of(node)
        path = self.api.path(item)
        status, found = self.reader.get(path) if path else (404, {})
        if status == 404:
            return "it does not exist"
        if status != 200:
            self._cannot(f"{resource_name(node)} cannot be read", found, status)
            return ""
        return own_reason(item | found)

    def _with_children(self, node: Node, known: set[str], here: bool) -> Iterator[Node]:
        yield node
        for kind in CHILDREN.get((node["group"], node["kind"]), ()) if here and node["namespace"] else ():
            for item in self._children(kind, node["namespace"]):
                child = child_of(node, kind, item)
                if owns(manifest_of(node), item, kind) and resource_name(child) not in known:
                    known.add(resource_name(child))
                    yield from self._with_children(child, known, here)

    def _children(self, kind: Kind, namespace: str) -> list[Manifest]:
        """Return the objects of a kind in a namespace; none where the cluster does not have the kind."""
        path = f"{group_path(kind.version)}/namespaces/{namespace}/{kind.plural}"
        return self._read(path, f"Objects of kind {kind.kind} in namespace {namespace}")

    def _read(self, path: str, what: str) -> list[Manifest]:
        status, found = self.reader.get(path)
        if status not in (200, 404):
            self._cannot(f"{what} cannot be listed", found, status)
        return list(found.get("items") or []) if status == 200 else []

    def _cannot(self, what: str, answer: Manifest, status: int) -> None:
        self.unreadable[what] = f"{what}: {answer.get('message') or status}"

    def events(self, application: Application, nodes: list[Node]) -> list[dict[str, Any]]:
        """Return the events of an Application and of the objects in its tree, newest first."""
        metadata = application["metadata"]
        about = {("Application", metadata["namespace"], metadata["name"])}
        about |= (
            {(node["kind"], node.get("namespace") or "", node["name"]) for node in nodes}
            if is_here(application)
            else set()
        )
        # The events of an object that is in no namespace are in `default`.
        namespaces = {namespace or "default" for _kind, namespace, _name in about}
        items = [item for namespace in sorted(namespaces) for item in self._events(namespace)]
        found = [event_of(item) for item in items if involved(item) in about]
        return sorted(found, key=lambda event: str(event["last_seen"]), reverse=True)

    def _events(self, namespace: str) -> list[Manifest]:
        return self._read(f"/api/v1/namespaces/{namespace}/events", f"Events in namespace {namespace}")


def node_of(group: str, version: str, kind: str, names: Manifest) -> Node:
    """Return a node without owner."""
    return {
        "group": group,
        "version": version,
        "kind": kind,
        "namespace": names.get("namespace", ""),
        "name": names["name"],
        "depth": 0,
        "owner": "",
        "sync": "",
        "health": "",
        "info": "",
        "reason": "",
        "created_at": names.get("creationTimestamp", ""),
    }


def child_of(owner: Node, kind: Kind, item: Manifest) -> Node:
    """Return the node of an object that another one owns."""
    group, _sep, version = kind.version.rpartition("/")
    return node_of(group, version, kind.kind, item["metadata"]) | {
        "depth": owner["depth"] + 1,
        "owner": resource_name(owner),
        "info": pod_state(item) if kind == POD else "",
        "reason": own_reason({"apiVersion": kind.version, "kind": kind.kind} | item),
    }


def manifest_of(node: Node) -> Manifest:
    """Return what a node says of its object."""
    version = "/".join(filter(None, (node["group"], node["version"])))
    metadata = {"name": node["name"], "namespace": node["namespace"]}
    return {"apiVersion": version, "kind": node["kind"], "metadata": metadata}


def involved(event: Manifest) -> tuple[str, str, str]:
    """Return kind, namespace and name of the object that an event is about."""
    about = event.get("involvedObject") or {}
    return about.get("kind", ""), about.get("namespace", ""), about.get("name", "")


def event_of(item: Manifest) -> dict[str, Any]:
    """Return an event; there are two ways to say when it happened and who reports it."""
    series, kind_and_name = item.get("series") or {}, item.get("involvedObject") or {}
    first = item.get("firstTimestamp") or item.get("eventTime") or item["metadata"].get("creationTimestamp", "")
    return {
        "type": item.get("type", ""),
        "reason": item.get("reason", ""),
        "message": item.get("message", ""),
        "object": resource_name(kind_and_name),
        "count": series.get("count") or item.get("count") or 1,
        "first_seen": first,
        "last_seen": series.get("lastObservedTime") or item.get("lastTimestamp") or first,
        "source": item.get("reportingComponent") or (item.get("source") or {}).get("component", ""),
    }
