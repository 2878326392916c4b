# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/security.md says about the rights that a module needs, as rules of RBAC.

tests/unit/test_documentation.py compares both, and integration tests run the modules with these rights and no others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Rule = dict[str, Any]
ARGO, RBAC = "argoproj.io", "rbac.authorization.k8s.io"


def rule(group: str, resources: str, verbs: str, *names: str) -> Rule:
    """Return a rule; resources and verbs are separated by spaces."""
    found: Rule = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    return found | ({"resourceNames": list(names)} if names else {})


def applications(verbs: str) -> Rule:
    """Return a rule about Applications."""
    return rule(ARGO, "applications", verbs)


@dataclass(frozen=True)
class Rights:
    """Rules for the namespace of Argo CD, and for all namespaces."""

    here: list[Rule] = field(default_factory=list)
    everywhere: list[Rule] = field(default_factory=list)


# Of every playbook of an operator.
PLAYBOOK = Rights([rule("", "configmaps", "get", "monorepo-gitops")], [rule("", "namespaces", "get", "kube-system")])
PAUSES = rule("", "configmaps", "get", "gitops-paused")
RIGHTS = {
    "argocd_app_info": Rights(
        [applications("list"), PAUSES],
        [
            rule("", "pods services endpoints events persistentvolumeclaims", "get list"),
            rule("", "pods/log", "get"),
            rule("apps", "deployments replicasets statefulsets daemonsets controllerrevisions", "get list"),
            rule("discovery.k8s.io", "endpointslices", "list"),
        ],
    ),
    "argocd_appset_info": Rights([applications("list"), rule(ARGO, "applicationsets", "list")]),
    "argocd_app_logs": Rights(
        [applications("list")],
        [rule("", "pods", "list"), rule("", "pods/log", "get"), rule("apps", "replicasets", "get")],
    ),
    "argocd_app_diff": Rights(
        [applications("list")],
        [rule("apps", "deployments", "get patch"), rule("", "services", "get patch create")],
    ),
    "argocd_app_refresh": Rights([applications("list watch patch")]),
    "argocd_app_wait": Rights([applications("list watch patch"), PAUSES]),
    "argocd_app_sync": Rights([applications("list watch patch"), rule("", "configmaps", "get")]),
    "argocd_app_terminate": Rights([applications("list watch patch")]),
    "argocd_app_rollback": Rights([applications("list watch patch")]),
    "argocd_app_pause": Rights(
        [applications("list patch"), rule(ARGO, "applicationsets", "get"), rule("", "configmaps", "get create patch")]
    ),
    "argocd_app_set": Rights([applications("list patch"), rule(ARGO, "applicationsets", "get"), PAUSES]),
    "argocd_app_delete": Rights([applications("get patch delete")], [rule("*", "*", "get")]),
    "argocd_appset_refresh": Rights([applications("list patch"), rule(ARGO, "applicationsets", "get patch")]),
    "objects_ready": Rights([], [rule("*", "*", "get list")]),
    "server_side_apply": Rights([], [rule("", "pods", "list delete"), rule("apps", "deployments", "get create patch")]),
    "argocd_backup": Rights(
        [rule(ARGO, "applications applicationsets appprojects", "list"), rule("", "configmaps secrets", "list")]
    ),
    "secret_regenerate": Rights(
        [applications("get")],
        [
            rule("external-secrets.io", "externalsecrets", "list get delete"),
            rule("", "secrets", "get delete"),
        ],
    ),
    "workload_restart": Rights(
        [applications("get")],
        [
            rule("apps", "deployments statefulsets daemonsets", "get list patch"),
            rule("batch", "jobs", "get list delete"),
            rule("", "pods", "list delete"),
            rule("", "secrets", "get"),
        ],
    ),
    "environment_decommission": Rights(
        [applications("patch delete"), rule(ARGO, "applicationsets", "delete")],
        [
            rule("*", "*", "get list"),
            rule("", "namespaces", "delete"),
            rule(RBAC, "clusterroles clusterrolebindings", "delete"),
            rule("apiextensions.k8s.io", "customresourcedefinitions", "delete"),
        ],
    ),
}


def of(*modules: str) -> Rights:
    """Return the rights of a playbook that uses these modules."""
    found = [PLAYBOOK, *(RIGHTS[name] for name in modules)]
    return Rights([item for one in found for item in one.here], [item for one in found for item in one.everywhere])
