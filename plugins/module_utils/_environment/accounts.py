# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ServiceAccounts with which Argo CD syncs: what the cluster has of them, and who has none. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import NAMED, Object
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS

LABEL = "monorepo.gitops/account"  # its value is the layer
RBAC = "rbac.authorization.k8s.io/v1"
IN_CLUSTER, IN_CLUSTER_NAME = "https://kubernetes.default.svc", "in-cluster"
IMPERSONATION = "argocd-impersonation"  # the Role with which Argo CD may use them
SETTINGS = ("impersonation", "controller_read_only")  # variables of role argocd
SWITCH = "application.sync.impersonation"


def role_name(namespace: str, layer: str) -> str:
    """Return the name of the roles of a layer's account, in the cluster and in namespaces."""
    return f"{namespace}-gitops-{layer}"


def living(roles: list[Object], namespace: str) -> dict[str, dict[str, Any]]:
    """Return the rules that the accounts of an Argo CD have, by layer, from labelled Roles and ClusterRoles."""
    found: dict[str, dict[str, Any]] = {}
    for item in roles:
        metadata = item["metadata"]
        layer = metadata["labels"][LABEL]
        if metadata["name"] != role_name(namespace, layer):  # that of another Argo CD
            continue
        rights = found.setdefault(layer, {"everywhere": [], "namespaces": {}})
        if where := metadata.get("namespace"):
            rights["namespaces"][where] = item.get("rules") or []
        else:
            rights["everywhere"] = item.get("rules") or []
    return found


def surplus(wanted: dict[str, Any], live: dict[str, Any], namespace: str) -> list[dict[str, str]]:
    """Return what the accounts have and no longer need: roles in namespaces, or all of an account."""
    found = [entry for layer in live for entry in _surplus(wanted.get(layer), live[layer], namespace, layer)]
    if live and not wanted:
        role = {"namespace": namespace, "name": IMPERSONATION}
        found += [{"api_version": RBAC, "kind": kind} | role for kind in ("RoleBinding", "Role")]
    return found


def _surplus(
    wanted: dict[str, Any] | None, live: dict[str, Any], namespace: str, layer: str
) -> Iterator[dict[str, str]]:
    named = {"name": role_name(namespace, layer)}
    for where in live["namespaces"]:
        if not wanted or where not in wanted["namespaces"]:
            yield {"api_version": RBAC, "kind": "RoleBinding", "namespace": where} | named
            yield {"api_version": RBAC, "kind": "Role", "namespace": where} | named
    if not wanted:
        yield {"api_version": RBAC, "kind": "ClusterRoleBinding"} | named
        yield {"api_version": RBAC, "kind": "ClusterRole"} | named
        yield {"api_version": "v1", "kind": "ServiceAccount", "namespace": namespace, "name": f"gitops-{layer}"}


def are_used(projects: list[Object]) -> bool:
    """Return whether our AppProjects name ServiceAccounts."""
    ours = [item for item in projects if item["metadata"]["name"] in LAYERS]
    return any((item.get("spec") or {}).get("destinationServiceAccounts") for item in ours)


def without_account(applications: list[Object], projects: list[Object]) -> list[str]:
    """Return the names of the Applications whose AppProject names no ServiceAccount for their destination."""
    specs = {item["metadata"]["name"]: item.get("spec") or {} for item in projects}
    return sorted(
        item["metadata"]["name"]
        for item in applications
        if not _has_account(item, specs.get((item.get("spec") or {}).get("project") or "default") or {})
    )


def _has_account(application: Object, project: dict[str, Any]) -> bool:
    destination = (application.get("spec") or {}).get("destination") or {}
    server = destination.get("server") or (IN_CLUSTER if destination.get("name") == IN_CLUSTER_NAME else "")
    namespace = destination.get("namespace") or ""
    return any(
        fnmatchcase(server, entry.get("server") or "") and fnmatchcase(namespace, entry.get("namespace") or "")
        for entry in project.get("destinationServiceAccounts") or []
    )


def refusal(names: list[str]) -> str:
    """Return why impersonation would break the Applications of others."""
    several = "s" if len(names) > 1 else ""
    return (
        f"argocd_impersonation applies to all of Argo CD, and Application{several} {listed(names, NAMED)} would fail "
        "at once, because no entry of destinationServiceAccounts in the AppProject is for the destination: add one. "
        f'Or set {SWITCH}.enforced to "false" in argocd_cm, and Argo CD syncs them with its own rights, for which '
        "argocd_controller_read_only must be false."
    )


def setting_problem(impersonation: bool, read_only: bool) -> str:
    """Return why the controller cannot do with rights to read."""
    if impersonation or not read_only:
        return ""
    return (
        "argocd_controller_read_only is true, but without argocd_impersonation the controller itself writes what it "
        "deploys: set argocd_impersonation to true as well."
    )
