# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of applicationsets_render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import render_folder, renderer, write_tree

TREE: dict[str, Any] = {
    "src": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "manifests": {"type": "bool", "default": True},
}
ARGUMENTS: dict[str, Any] = {
    "trees": {"type": "list", "elements": "dict", "required": True, "options": TREE},
}


class ActionModule(ControllerAction):
    """Render folders of templates."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Render the folders and return the result of the task."""
        diff: list[dict[str, str]] = []
        try:
            for entry in args["trees"]:
                source = Path(entry["src"])
                files = render_folder(source, renderer(self._templar, task_vars, source), entry["manifests"])
                diff += write_tree(Path(entry["dest"]), files, not self._task.check_mode)
        except (OSError, UnicodeError) as error:
            raise AnsibleActionFail(str(error)) from None
        return {"changed": bool(diff), "files": [entry["after_header"] for entry in diff], "diff": diff}
