# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of kustomize_build."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Keeps a result with hundreds of objects from the terminal, where -v would show it."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name."""
        result = super().run(tmp, task_vars)
        done = self._execute_module(module_name=self._task.action, task_vars=task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result | done | {"_ansible_verbose_override": True}
