# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The components, and the order in which they become ready. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import component

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Every cluster has them; no component owns them.
CLUSTER_NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}


def role_of(entry: str) -> str:
    """Return the role behind an entry of gitops_components: a component of this collection, or a role's full name."""
    return entry if "." in entry else f"monorepo.gitops.{entry.replace('-', '_')}"


def check_definition(entry: str, definition: Any) -> dict[str, Any]:
    """Return a role's `<role>_component` if it is complete; else raise an error that explains what is wrong."""
    if not isinstance(definition, dict) or not {"name", "layer", "namespace"} <= definition.keys():
        raise GitopsError(
            f"gitops_components: the role of {entry!r} defines no component with name, layer and namespace."
        )
    for key in ("name", "namespace"):
        check_label(key, definition[key], entry)
    if definition["layer"] not in LAYERS:
        raise GitopsError(
            f"gitops_components: layer {definition['layer']!r} of {entry!r} must be {' or '.join(LAYERS)}."
        )
    return definition


def handwritten(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of a component that people wrote, from what its entry adds to its files."""
    name, layer = entry.get("name"), entry.get("layer")
    unknown = sorted(str(key) for key in entry.keys() - {"name", "layer", "depends_on", "endpoints", "kinds"})
    if unknown:
        raise GitopsError(
            f"gitops_components: the entry of {name!r} has unknown keys: {', '.join(unknown)}; a handwritten component "
            "may have name, layer, depends_on, endpoints and kinds."
        )
    check_label("name", name, str(name))
    if layer not in LAYERS:
        raise GitopsError(f"gitops_components: layer {layer!r} of {name!r} must be {' or '.join(LAYERS)}.")
    for key in ("depends_on", "endpoints", "kinds"):
        if not isinstance(entry.get(key) or [], list):
            raise GitopsError(f"gitops_components: {key} of {name!r} is not a list.")
    if any(not isinstance(kind, dict) or not kind.get("kind") for kind in entry.get("kinds") or []):
        raise GitopsError(
            f"gitops_components: kinds of {name!r} needs entries such as {{group: apps, kind: Deployment}}."
        )
    return {
        **component(str(layer), str(name)),
        "depends_on": entry.get("depends_on") or [],
        "endpoints": entry.get("endpoints") or [],
        "kinds": entry.get("kinds") or [],
        "warnings": [],
        "handwritten": True,
    }


def check_label(key: str, value: Any, entry: str) -> None:
    """Refuse invalid names of namespaces and components."""
    if not DNS_LABEL.fullmatch(str(value)):
        raise GitopsError(
            f"gitops_components: {key} {value!r} of {entry!r} is not a DNS label "
            "(lower-case letters, digits and '-', at most 63)."
        )


def plan(definitions: list[dict[str, Any]], argocd_namespace: str = "argocd") -> list[dict[str, Any]]:
    """Return the components in the order in which they become ready, each with its `stage` (0 depends on nothing).

    A dependency that is not among the components is refused, because its Application would never become ready.
    `namespaces` are those that a component owns.
    """
    by_name: dict[str, dict[str, Any]] = {}
    for definition in definitions:
        if definition["name"] in by_name:
            raise GitopsError(
                f"gitops_components: two components are called {definition['name']!r}; names must be unique."
            )
        by_name[definition["name"]] = definition
    graph = {name: list(definition.get("depends_on") or []) for name, definition in by_name.items()}
    for name, needs in graph.items():
        missing = sorted(set(needs) - graph.keys())
        if missing:
            raise GitopsError(
                f"gitops_components: {name} depends on {', '.join(missing)}, which is not in the list: "
                f"add it or remove {name}."
            )
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise GitopsError(
            f"gitops_components: depends_on has a cycle: {' -> '.join(reversed(error.args[1]))}."
        ) from error
    stages: dict[str, int] = {}
    for name in order:
        stages[name] = max((stages[need] + 1 for need in graph[name]), default=0)
    ordered = [by_name[name] for name in sorted(order, key=lambda n: (stages[n], n))]
    rendered = [definition for definition in ordered if not definition.get("handwritten")]
    owned = owned_namespaces(rendered, CLUSTER_NAMESPACES | {argocd_namespace})
    return [
        entry | {"depends_on": graph[name], "stage": stages[name], "namespaces": owned.get(name, [])}
        for entry in ordered
        for name in [entry["name"]]
    ]


def owned_namespaces(ordered: list[dict[str, Any]], foreign: set[str]) -> dict[str, list[str]]:
    """Return for each component the namespaces of which it is the first user; the `foreign` ones have no owner.

    It uses the namespace that it lives in, and those of `more_namespaces`.
    """
    taken, owned = set(foreign), {}
    for definition in ordered:
        more = definition.get("more_namespaces") or []
        if not isinstance(more, list):
            raise GitopsError(f"gitops_components: more_namespaces of {definition['name']!r} is not a list.")
        for namespace in more:
            check_label("more_namespaces", namespace, definition["name"])
        owned[definition["name"]] = sorted({definition["namespace"], *more} - taken)
        taken.update(owned[definition["name"]])
    return owned
