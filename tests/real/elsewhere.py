# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of somebody else, which the environment names, and which the tests may change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .node.cluster import Cluster
from .node.processes import NodeError

KUBECONFIG, UID, URL = "GITOPS_REAL_KUBECONFIG", "GITOPS_REAL_UID", "GITOPS_REPO_URL"
OURS = "applications.argoproj.io"


def refusal(cluster: Cluster, given: Mapping[str, str]) -> str:
    """Return why the tests do not touch this cluster, or nothing."""
    missing = [name for name in (UID, URL) if not given.get(name)]
    if missing:
        return f"{KUBECONFIG} is set, but {' and '.join(missing)} is not: CONTRIBUTING.md has what it needs."
    if not (cluster.binaries / "kubectl").exists():
        return "The programs of the rehearsal are missing: run make build"
    try:
        uid = cluster.get("namespace", "kube-system")["metadata"]["uid"]
        there = cluster.kubectl("get", "namespace", "argocd", "--ignore-not-found", "-o", "name").strip()
        kinds = cluster.kubectl("get", "customresourcedefinition", OURS, "--ignore-not-found", "-o", "name")
        if not there and kinds:
            there = " and ".join(cluster.kubectl("get", OURS, "-A", "-o", "name").split())
    except NodeError as error:
        return f"The cluster of {cluster.kubeconfig} does not answer: {error}"
    if uid != given[UID]:
        return f"{UID} is {given[UID]!r}, but the cluster of {cluster.kubeconfig} has the UID {uid}"
    if there:
        return f"The cluster of {cluster.kubeconfig} is in use, the tests need one without Argo CD: it has {there}"
    return ""


def variables() -> dict[str, Any]:
    """Return what the inventory says of this cluster; it fits the cluster by a file of the user."""
    file = os.environ.get("GITOPS_REAL_VARIABLES")
    own: dict[str, Any] = yaml.safe_load(Path(file).read_text()) if file else {}
    return {
        "cluster_uid": os.environ[UID],
        "gitops_repo_url": os.environ[URL],
        "gitops_repo_push_url": os.environ.get("GITOPS_REPO_PUSH_URL") or os.environ[URL],
    } | own
