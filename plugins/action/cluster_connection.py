# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_connection: finds and decrypts the kubeconfig."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._connection import kubeconfig_files
from ansible_collections.monorepo.gitops.plugins.modules import cluster_connection
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import failed_task
from ansible_collections.monorepo.gitops.plugins.plugin_utils.k8s_action import K8sAction


class ActionModule(K8sAction):
    """Reports the path of the user's kubeconfig, also where the module reads a decrypted copy."""

    module = cluster_connection

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name."""
        with failed_task():
            files = kubeconfig_files(self._task.args.get("kubeconfig") or "", os.environ)
        copies = [self._loader.get_real_file(path) for path in files]
        self._task.args = self._task.args | {"kubeconfig": os.pathsep.join(copies)}
        result = super().run(tmp, task_vars)
        for key in {"msg", "kubeconfig"} & result.keys():
            for copy, path in zip(copies, files, strict=True):
                result[key] = result[key].replace(copy, path)
        return result
