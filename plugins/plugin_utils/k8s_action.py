# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the modules that talk to the API server.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.kubernetes.core.plugins.action.k8s_info import ActionModule as K8sActionModule
from ansible_collections.monorepo.gitops.plugins.plugin_utils.module_action import ModuleAction


class K8sAction(ModuleAction, K8sActionModule):
    """Resolves a relative or vaulted kubeconfig as kubernetes.core does, and never puts arguments into the result.

    kubernetes.core's plugin would return all arguments as `invocation`, the token in `api_key` included.
    """

    # A decrypted kubeconfig exists no longer than the task.
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name."""
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        args = deepcopy(dict(self._task.args))
        local = self._connection.transport == "local"
        if args.get("kubeconfig"):
            try:
                self.get_kubeconfig(args["kubeconfig"], not local, args)
            except AnsibleError as error:
                raise AnsibleActionFail(f"kubeconfig: {error}") from None
        return result | self._module(args, task_vars or {})
