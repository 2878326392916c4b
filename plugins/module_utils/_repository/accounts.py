# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ServiceAccount with which Argo CD syncs a layer must be allowed. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.sync_options import sync_options

Rule = dict[str, Any]
Kind = tuple[str, str]
RBAC = "rbac.authorization.k8s.io"
NAMESPACE = ("", "Namespace")
CHANGE = ("get", "patch", "update")  # `kubectl auth reconcile`, which Argo CD calls for Roles and bindings, updates
# Argo CD never deletes an object with both, neither when it leaves Git nor with its Application.
KEEPING = {"Prune=false", "Delete=false"}
# Argo CD's server shows them to those whom its own policy allows it, and asks for them with the account.
SHOWN: list[Rule] = [
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]},
]


# --- what a build says about itself, which the cache has -------------------------------------------------------------


def facts(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the rights of an overlay depend on, besides the identities of its objects."""
    own = [item for item in objects if str(item.get("apiVersion", "")).partition("/")[0] == RBAC]
    return {
        "plurals": [_plural(item) for item in objects if item.get("kind") == "CustomResourceDefinition"],
        "roles": [_role(item) for item in own if item.get("kind") in ("Role", "ClusterRole")],
        "bound": [_bound(item) for item in own if item.get("kind") in ("RoleBinding", "ClusterRoleBinding")],
        "kept": [_identity(item) for item in objects if sync_options(item) >= KEEPING],
    }


def _plural(crd: dict[str, Any]) -> list[str]:
    names = crd["spec"]["names"]
    return [crd["spec"]["group"], names["kind"], names.get("plural") or crd["metadata"]["name"].partition(".")[0]]


def _metadata(item: dict[str, Any]) -> dict[str, Any]:
    return item.get("metadata") or {}


def _role(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": item["kind"],
        "namespace": _metadata(item).get("namespace") or "",
        "name": _metadata(item).get("name") or "",
        "rules": item.get("rules") or [],
        "aggregated": bool(item.get("aggregationRule")),
    }


def _bound(item: dict[str, Any]) -> list[str]:
    role = item.get("roleRef") or {}
    namespace = _metadata(item).get("namespace") or ""
    return [item["kind"], namespace, role.get("kind", ""), role.get("name", "")]


def _identity(item: dict[str, Any]) -> list[str]:
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    return [group, str(item.get("kind", "")), _metadata(item).get("name") or ""]


# --- the rights of a layer -------------------------------------------------------------------------------------------


def rights(
    summaries: list[dict[str, Any]],
    cluster: set[Kind],
    projects: dict[str, dict[str, Any]],
    beforehand: dict[str, list[dict[str, Any]]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return, for each layer, the rules for cluster-scoped objects, and those for each namespace of its AppProject.

    `cluster` has the kinds without a namespace, `beforehand` those that the AppProjects allow although no overlay has
    them yet. The API server lets nobody create a role with rights that he does not
    have, so the account has those of the roles that its layer contains. The verbs `escalate` and `bind` would be
    shorter, but whoever may use them on a role can make it allow everything. They are there only for what has no rules
    in Git: a ClusterRole that collects those of others, and roles that are not ours.
    """
    plurals = {(group, kind): plural for summary in summaries for group, kind, plural in summary["rights"]["plurals"]}
    return {
        layer: _Layer([entry for entry in summaries if entry["layer"] == layer], cluster, plurals).rights(
            projects[layer], [(entry["group"], entry["kind"]) for entry in (beforehand or {}).get(layer) or []]
        )
        for layer in _paths.LAYERS
    }


class _Layer:
    """The overlays of a layer."""

    def __init__(self, summaries: list[dict[str, Any]], cluster: set[Kind], plurals: dict[Kind, str]) -> None:
        self.summaries, self.cluster, self.plurals = summaries, cluster, plurals
        self.everywhere: list[Rule] = []
        self.namespaces: dict[str, list[Rule]] = defaultdict(list)

    def rights(self, project: dict[str, Any], more: list[Kind]) -> dict[str, Any]:
        """Return the rules for the namespaces of an AppProject, with further kinds; some may have no object yet."""
        for summary in self.summaries:
            self._objects(summary)
            for role in summary["rights"]["roles"]:
                self._role(role, summary["namespace"])
        for summary in self.summaries:
            for kind, namespace, role, name in summary["rights"]["bound"]:
                where = "" if kind == "ClusterRoleBinding" else namespace or summary["namespace"]
                self._binding(where, role, name)
        # Argo CD asks for the namespace of an Application, and for that of a Role before it writes one.
        names = sorted({*self.namespaces, *project["namespaces"]})
        if names:
            self.everywhere.append(self._rule(NAMESPACE, ["get"], names))
        for kind in more:
            inside = {"group": kind[0], "kind": kind[1]} not in project["cluster_kinds"]
            for rules in [self.namespaces[name] for name in names] if inside else [self.everywhere]:
                rules.append(self._rule(kind, (*CHANGE, "create", "delete")))
        return {
            "everywhere": simplified(self.everywhere),
            "namespaces": {name: simplified(self.namespaces[name]) for name in names},
        }

    def _rule(self, kind: Kind, verbs: Iterable[str], names: Iterable[str] = ()) -> Rule:
        rule = {"apiGroups": [kind[0]], "resources": [self.plurals.get(kind) or plural(kind[1])], "verbs": list(verbs)}
        return rule | ({"resourceNames": list(names)} if names else {})

    def _objects(self, summary: dict[str, Any]) -> None:
        """Allow to write the objects of an overlay: of a kind in a namespace all, without a namespace by name.

        Nobody needs the right to create a Namespace, which no name can limit: the run creates them.
        """
        kept = {tuple(entry) for entry in summary["rights"]["kept"]}
        self.namespaces[summary["namespace"]] += SHOWN
        for group, kind, namespace, name in summary["written"]:
            this = (group, kind)
            if this not in self.cluster:
                rule = self._rule(this, (*CHANGE, "create", "delete"))
                self.namespaces[namespace or summary["namespace"]].append(rule)
                continue
            if not (name or summary["objects"]):  # it is not known which ones there are
                self.everywhere.append(
                    self._rule(this, (*CHANGE, "create", *(["delete"] if this != NAMESPACE else [])))
                )
                continue
            if this != NAMESPACE:
                self.everywhere.append(self._rule(this, ["create"]))
            else:
                self.namespaces[name] += []
            if name:
                verbs = CHANGE if (group, kind, name) in kept else (*CHANGE, "delete")
                self.everywhere.append(self._rule(this, verbs, [name]))

    def _role(self, role: dict[str, Any], namespace: str) -> None:
        if role["aggregated"]:
            self.everywhere.append(self._rule((RBAC, "ClusterRole"), ["escalate"], [role["name"]]))
        elif role["kind"] == "ClusterRole":
            self.everywhere += role["rules"]
        else:
            self.namespaces[role["namespace"] or namespace] += role["rules"]

    def _binding(self, namespace: str, kind: str, name: str) -> None:
        """Allow to bind a role whose rights the account does not have because of the layer's own roles."""
        if (kind, "" if kind == "ClusterRole" else namespace, name) in self._own_roles():
            return
        rule = self._rule((RBAC, kind), ["bind"], [name])
        (self.namespaces[namespace] if namespace else self.everywhere).append(rule)

    def _own_roles(self) -> set[tuple[str, str, str]]:
        return {
            (role["kind"], role["namespace"] or summary["namespace"] if role["kind"] == "Role" else "", role["name"])
            for summary in self.summaries
            for role in summary["rights"]["roles"]
            if not role["aggregated"]
        }


def plural(kind: str) -> str:
    """Return the resource of a kind that no CustomResourceDefinition in Git names, as Kubernetes names its own."""
    name = kind.lower()
    if name == "endpoints":
        return name
    if name.endswith(("s", "x", "ch")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"


# --- rules -----------------------------------------------------------------------------------------------------------


def simplified(rules: Iterable[Rule]) -> list[Rule]:
    """Return the same rights in as few rules as they need, in one order, so that equal rights have equal rules."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    urls: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        for url in rule.get("nonResourceURLs") or []:
            urls[url].update(rule["verbs"])
        for group in rule.get("apiGroups") or []:
            for resource in rule.get("resources") or []:
                for name in rule.get("resourceNames") or [""]:
                    found[group, resource, name].update(rule["verbs"])
    return [*_with_resources(found), *_with_urls(urls)]


def _with_resources(found: dict[tuple[str, str, str], set[str]]) -> list[Rule]:
    names: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, name), given in sorted(found.items()):
        # What counts for all objects of a kind counts for each of them.
        of_all = found.get((group, resource, ""), set()) if name else set()
        if left := _verbs(set() if "*" in of_all else given - of_all):
            names[group, resource, left].append(name)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, verbs), entries in names.items():
        if "" in entries:
            resources[group, (), verbs].append(resource)
        if named := tuple(entry for entry in entries if entry):
            resources[group, named, verbs].append(resource)
    return [
        {"apiGroups": [group], "resources": entries, "verbs": list(verbs)}
        | ({"resourceNames": list(named)} if named else {})
        for (group, named, verbs), entries in sorted(resources.items())
    ]


def _verbs(given: set[str]) -> tuple[str, ...]:
    return ("*",) if "*" in given else tuple(sorted(given))


def _with_urls(urls: dict[str, set[str]]) -> list[Rule]:
    grouped: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for url, verbs in sorted(urls.items()):
        grouped[_verbs(verbs)].append(url)
    return [{"nonResourceURLs": entries, "verbs": list(verbs)} for verbs, entries in sorted(grouped.items())]


def widened(wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """Return the rights of each wanted layer, with those that it has in the cluster."""
    return {layer: _union(rules, live.get(layer) or {}) for layer, rules in wanted.items()}


def _union(wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    found = live.get("namespaces") or {}
    names = sorted({*wanted["namespaces"], *found})
    return {
        "everywhere": simplified([*wanted["everywhere"], *(live.get("everywhere") or [])]),
        "namespaces": {name: simplified([*wanted["namespaces"].get(name, []), *found.get(name, [])]) for name in names},
    }
