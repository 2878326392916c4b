# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the roles of components again and again with other variables, in one process, and build the results.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader
from ansible_collections.monorepo.gitops.plugins.action import component_render
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import run_build
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import validated
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import engine_defaults

PLAN, RENDER = "monorepo.gitops.gitops_plan", "monorepo.gitops.component_render"
ENGINE = Path(__file__).resolve().parents[2] / "roles" / "component"

Objects = list[dict[str, Any]]


class RoleRendering:
    """Renders roles with the variables of a task and with others, which win; the repository is not touched."""

    def __init__(self, action: ActionBase, variables: dict[str, Any], scratch: Path, command: list[str]) -> None:
        self.action, self.variables, self.scratch, self.command = action, variables, scratch, command
        self.loader, self.templar = action._loader, action._templar
        (task,) = load_tasks(self.loader, ENGINE)
        self.arguments = task[RENDER]
        self.built: dict[str, Objects] = {}

    def definition(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Return what the plan needs of a component."""
        found: dict[str, Any] = self._other(PLAN, {}, self.templar)._definition(name, self.variables | values)
        return found

    def visible(self, component: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """Return the variables that the role of a component has when it is run."""
        role = Path(component["role_path"])
        own = load(self.loader, role / "vars" / "main.yml")
        return (
            engine_defaults(self.loader)
            | load(self.loader, role / "defaults" / "main.yml")
            | self.variables
            | values
            | own
            | {
                "component_definition": own[f"{role.name}_component"],
                "component_templates": str(role / "templates"),
                "role_path": str(ENGINE),
            }
        )

    def objects(self, component: dict[str, Any], values: dict[str, Any], stand_in: bool) -> Objects:
        """Render and build a component; with stand-ins in place of official manifests it takes a moment only."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            visible = self.visible(component, values) | {"component_tree": folder}
            self._render(visible, stand_in)
            tree = Path(folder) / _paths.component_folder(component["layer"], component["name"])
            key = content_of(tree)
            if key not in self.built:
                self.built[key] = build(tree / _paths.environment_folder(values["gitops_environment"]), self.command)
        return self.built[key]

    def refusal(self, component: dict[str, Any], values: dict[str, Any]) -> str:
        """Return why the role would stop a run with these variables: its assertions come first among its tasks."""
        visible = self.visible(component, values)
        for task in load_tasks(self.loader, Path(component["role_path"])):
            asserted = task.get("ansible.builtin.assert")
            if asserted is None:
                continue
            own = self.templar.copy_with_new_env(available_variables=visible | (task.get("vars") or {}))
            that = asserted["that"]
            conditions = that if isinstance(that, list) else [that]
            if not all(own.evaluate_conditional(condition) for condition in conditions):
                return " ".join(str(own.template(asserted["fail_msg"])).split())
        return ""

    def _render(self, visible: dict[str, Any], stand_in: bool) -> None:
        """Let component_render do what the task of role component lets it do."""
        own = self.templar.copy_with_new_env(available_variables=visible)
        arguments = own.template(self.arguments) | ({"stand_in": "always"} if stand_in else {})
        args = validated(RENDER, component_render.ARGUMENTS, arguments).validated_parameters
        action = self._other(RENDER, arguments, own)
        try:
            action.call(args, visible)
        except AnsibleError as error:
            raise GitopsError(str(error)) from error

    def _other(self, name: str, arguments: dict[str, Any], templar: Any) -> Any:
        """Return another action plugin of this collection, as a task would have it."""
        return action_loader.get(
            name,
            task=Task.load({name: arguments}, loader=self.loader),
            connection=self.action._connection,
            play_context=self.action._play_context,
            loader=self.loader,
            templar=templar,
            shared_loader_obj=self.action._shared_loader_obj,
        )


def load(loader: Any, file: Path) -> dict[str, Any]:
    """Return the variables of a role's file, which may contain templates."""
    return (loader.load_from_file(str(file), trusted_as_template=True) or {}) if file.is_file() else {}


def load_tasks(loader: Any, role: Path) -> list[dict[str, Any]]:
    """Return the tasks of a role."""
    tasks: list[dict[str, Any]] = loader.load_from_file(str(role / "tasks" / "main.yml"), trusted_as_template=True)
    return tasks


def content_of(folder: Path) -> str:
    """Return a checksum of the files below a folder."""
    files = {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build(overlay: Path, command: list[str]) -> Objects:
    """Build one overlay, past the cache: it would keep what nobody builds again."""
    with tempfile.TemporaryDirectory() as target:
        try:
            run_build(overlay, command, Path(target))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise GitopsError(f"kustomize build of {overlay.name} has an object that is not complete.") from error
        items: Objects = json.loads((Path(target) / "objects.json").read_text(encoding="utf-8"))["items"]
    return items
