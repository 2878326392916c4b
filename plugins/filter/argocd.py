# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbooks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._paths import INFRA, SERVICES

IN_CLUSTER = "https://kubernetes.default.svc"
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


# Lists of an AppProject that define what it allows, and their names in role argocd.
ALLOWED = {
    "destinations": "destinations",
    "cluster_kinds": "clusterResourceWhitelist",
    "namespaced_kinds": "namespaceResourceWhitelist",
    "service_accounts": "destinationServiceAccounts",
}


def project(
    layer: str, environment: str, url: str, projects: dict[str, dict[str, Any]], accounts: str = ""
) -> dict[str, Any]:
    """Return the AppProject of a layer for role argocd, from what the module gitops_repo_build found in its overlays.

    `accounts` is the namespace of the ServiceAccounts with which Argo CD syncs, if it does not use its own rights.
    """
    what = {INFRA: "Infrastructure", SERVICES: "Application services"}[layer]
    found = projects[layer]
    destinations = [{"server": IN_CLUSTER, "namespace": namespace} for namespace in found["namespaces"]]
    account = {"defaultServiceAccount": f"{accounts}:gitops-{layer}"}
    return {
        "name": layer,
        "description": f"{what} of the environment {environment}",
        "source_repos": [url],
        "destinations": destinations,
        "cluster_kinds": found["cluster_kinds"],
        "namespaced_kinds": found["namespaced_kinds"],
        "service_accounts": [entry | account for entry in destinations] if accounts else [],
    }


def widened(wanted: list[dict[str, Any]], live: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the union of the desired allow-lists and those of the live AppProjects of the same name."""
    specs = {item["metadata"]["name"]: item.get("spec") or {} for item in live}
    return [entry | {key: _union(entry, key, specs.get(entry["name"], {})) for key in ALLOWED} for entry in wanted]


def _union(entry: dict[str, Any], key: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    present = [dict(item) for item in spec.get(ALLOWED[key]) or []]
    return [*entry[key], *(item for item in present if item not in entry[key])]


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Return rows as a text table; `columns` maps keys of the rows to headings."""
    cells = [list(columns.values())] + [[cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def cell(value: Any) -> str:
    """Return a value as a person writes it: a commit by its first digits, nothing for what is not so."""
    text = "yes" if value is True else str(value or "")
    return text[:12] if COMMIT.fullmatch(text) else text


CILIUM = "io.cilium/gateway-controller"


def gateway_class_problem(found: list[dict[str, Any]], name: str) -> str:
    """Return why a GatewayClass leaves a Gateway without a controller, and what to do; empty if it does not."""
    if not found:
        advice = "install its controller, or name the class of another one"
        if name == "cilium":
            advice = (
                "apply the CRDs of Gateway API, then install Cilium 1.19.6 or newer with gatewayAPI.enabled=true and "
                "gatewayAPI.gatewayClass.create=true"
            )
        return f"gateway_class_name: the cluster does not have GatewayClass {name}: {advice} (docs/clusters.md)."
    conditions = (found[0].get("status") or {}).get("conditions") or []
    accepted: dict[str, Any] = next((entry for entry in conditions if entry["type"] == "Accepted"), {})
    if accepted.get("status") == "True":
        return ""
    advice = "start its controller, or name another class"
    if found[0]["spec"]["controllerName"] == CILIUM:
        advice = (
            "restart Cilium's operator, which looks for the CRDs of Gateway API only when it starts: "
            "kubectl rollout restart -n kube-system deployment/cilium-operator"
        )
    said = f" ({accepted['message']})" if accepted.get("message") else ""
    return f"gateway_class_name: nothing has accepted GatewayClass {name}{said}: {advice} (docs/clusters.md)."


def host_network_warnings(config: dict[str, str], web_ports: list[int], kafka_port: int) -> list[str]:
    """Return the limits of a Cilium Gateway in host-network mode, from the data of Cilium's ConfigMap."""
    if config.get("gateway-api-hostnetwork-enabled") != "true":
        return []
    warnings = [
        f"Cilium's Gateway is in host-network mode, where listener kafka may not get its port {kafka_port} and may "
        "be served at the port of another listener (cilium/cilium#45913): try it before clients do (docs/clusters.md)."
    ]
    low = [str(port) for port in web_ports if int(port) < 1024]
    if low and config.get("envoy-keep-cap-netbindservice") != "true":
        warnings.append(
            f"Cilium's Gateway is in host-network mode and cannot open port {' and '.join(low)}: set "
            "envoy.securityContext.capabilities.keepCapNetBindService=true (docs/clusters.md)."
        )
    return warnings


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "gateway_class_problem": gateway_class_problem,
            "host_network_warnings": host_network_warnings,
            "project": project,
            "table": table,
            "widened": widened,
        }
