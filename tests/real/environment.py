# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory for a cluster with real pods, and the repository that both sides of it use."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from integration.conftest import MIRROR, Environment
from kubernetes import config, dynamic

from . import elsewhere
from .node import network
from .node.cluster import Cluster, Node

MOUNT = "/mnt/monorepo.git"
BUCKETS = [{"name": name, "credentials_namespaces": ["services"]} for name in ("test", "other")]
# The Gateway has no pods, and so does a check that names no component.
SIMULATED = "{{ (component_definition | default({'name': 'gateway'})).name in simulated_operators }}"


class RealEnvironment(Environment):
    """An environment on a cluster that exists; playbooks run as for a user of such a cluster.

    Its repository is a folder that belongs to root, mounted into the pod of the repo-server, which is user 999. On a
    cluster of somebody else it is the one that GITOPS_REPO_URL and GITOPS_REPO_PUSH_URL name, as for molecule.
    """

    def __init__(self, folder: Path, cluster: Cluster, **variables: Any) -> None:
        self.cluster = cluster
        super().__init__(folder)
        self.set(
            cluster_kind="existing",
            cluster_kubeconfig=str(cluster.kubeconfig),
            gitops_upstream_mirror=MIRROR,
            component_stand_in="auto",
            minio_buckets=BUCKETS,
            gitops_kustomize_command=[str(cluster.binaries / "kustomize"), "build"],
        )
        self.set(**(self.on_node(cluster) if isinstance(cluster, Node) else elsewhere.variables()) | variables)
        self.status = {"folder": str(folder), "kubeconfig": str(cluster.kubeconfig)}

    def on_node(self, node: Node) -> dict[str, Any]:
        """Return the variables for a node of this suite."""
        self.repository = node.folder / "repositories" / f"{self.inventory.parent.parent.name}.git"
        command = ["git", "init", "--quiet", "--bare", "--initial-branch=main", self.repository]
        subprocess.run(command, check=True, umask=0o022)
        parts = node.parts
        return {
            "gitops_repo_url": f"file://{MOUNT}",
            "gitops_repo_push_url": str(self.repository),
            "argocd_repo_mount": {"host_path": str(self.repository), "mount_path": MOUNT},
            "argocd_manifest_alternatives": [str(p) for p in Path(parts.rehearsal).glob("argocd/*/install.yaml")],
            # Nothing is pulled.
            "argocd_image_pull_policy": "IfNotPresent",
            "cnpg_system_image_pull_policy": "IfNotPresent",
            "gitops_network_policies": "kubernetes",
            "gitops_network_api_servers": [f"{network.CONTROL_PLANE}/32"],
            "simulated_operators": parts.operators,
            "component_rehearsal": SIMULATED,
        }

    def api(self) -> Api:
        """Return plain requests to the cluster's API server."""
        return Api(dynamic.DynamicClient(config.new_client_from_config(str(self.cluster.kubeconfig))), retries=0)
