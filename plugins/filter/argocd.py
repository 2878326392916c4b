# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

IN_CLUSTER = "https://kubernetes.default.svc"


# Lists of an AppProject that say what it allows, and what role argocd calls them.
ALLOWED = {
    "destinations": "destinations",
    "cluster_kinds": "clusterResourceWhitelist",
    "namespaced_kinds": "namespaceResourceWhitelist",
}


def project(layer: str, environment: str, url: str, projects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the AppProject of a layer for role argocd, from what the module kustomize_build found in its overlays."""
    what = {"infra": "Infrastructure", "services": "Application services"}[layer]
    found = projects[layer]
    return {
        "name": layer,
        "description": f"{what} of the environment {environment}",
        "source_repos": [url],
        "destinations": [{"server": IN_CLUSTER, "namespace": namespace} for namespace in found["namespaces"]],
        "cluster_kinds": found["cluster_kinds"],
        "namespaced_kinds": found["namespaced_kinds"],
    }


def widened(wanted: list[dict[str, Any]], live: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return AppProjects that allow what they should and what the living ones of the same name allow already."""
    specs = {item["metadata"]["name"]: item.get("spec") or {} for item in live}
    return [entry | {key: _union(entry, key, specs.get(entry["name"], {})) for key in ALLOWED} for entry in wanted]


def _union(entry: dict[str, Any], key: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    present = [dict(item) for item in spec.get(ALLOWED[key]) or []]
    return [*entry[key], *(item for item in present if item not in entry[key])]


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Return rows as a text table; `columns` maps keys of the rows to headings."""
    cells = [list(columns.values())] + [[str(row.get(key, "") or "") for key in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"project": project, "table": table, "widened": widened}
