# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_inputs: reads the specifications of the roles and the variables of the inventory."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleUndefinedVariable
from ansible.utils.vars import load_extra_vars
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inputs
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import role_of
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import definition_file

ARGUMENTS: dict[str, Any] = {"components": {"type": "list", "elements": "str", "required": True}}
ROLES = Path(__file__).resolve().parents[2] / "roles"
# What every run uses, whichever components it has.
ENGINE = ("gitops", "cluster", "rehearsal_cluster", "gitops_repo", "component", "argocd", "applicationsets", "report")
# What our playbooks and roles set themselves: another one may have run before in the same run of Ansible.
RESULTS = {
    "argocd_build",
    "cluster_connection",
    "component_result",
    "gateway_cilium_config",
    "gateway_class_found",
    "gateway_warnings",
    "gitops_comparison",
    "gitops_failure",
    "gitops_plan",
    "gitops_repo_builds",
    "gitops_repo_followed",
    "gitops_repo_open",
    "gitops_repo_published",
    "gitops_repo_temporary",
    "gitops_wait",
    "rehearsal_cluster_build",
    "rehearsal_cluster_status",
}


class ActionModule(ControllerAction):
    """Checks what a user can set, before anything else happens."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Check the variables."""
        components = role_folders(args["components"])
        folders = [*(ROLES / name for name in ENGINE), *components]
        specs = {folder: options_of(folder) for folder in folders}
        options = {name: option for spec in specs.values() for name, option in spec.items()}
        accepted = set(options) | RESULTS | {f"{folder.name}_component" for folder in components}
        place = Places(task_vars.get("ansible_inventory_sources") or [], set(load_extra_vars(self._loader)))
        values = self._values(options, task_vars)
        found = [
            *inputs.missing(specs[ROLES / "gitops"], task_vars),
            *inputs.wrong_values(options, values, place),
            *inputs.unknown(task_vars, accepted, options, [folder.name for folder in folders], place),
        ]
        if found:
            raise GitopsError("\n".join(found))
        return {"changed": False}

    def _values(self, options: inputs.Options, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the values that are set, without those that depend on what a later step finds."""
        values = {}
        for name in options:
            if name in variables:
                try:
                    values[name] = self._templar.template(variables[name])
                except AnsibleUndefinedVariable:
                    continue
        return values


class Places:
    """Where a variable is set: with `-e`, or in the inventory's own files."""

    def __init__(self, sources: list[str], extra: set[str]) -> None:
        self.sources, self.extra = sources, extra

    @cached_property
    def files(self) -> list[Path]:
        """Return the files, which are only looked for when something is wrong."""
        paths = [Path(source) for source in self.sources]
        folders = [path if path.is_dir() else path.parent for path in paths if path.exists()]
        return [file for folder in folders for file in sorted(folder.rglob("*.y*ml")) if file.is_file()]

    def __call__(self, name: str) -> str:
        """Return ` (file, line n)`, nothing when no file shows it. Of several, the last one wins in Ansible, too."""
        if name in self.extra:
            return " (given with -e)"
        found = ""
        for file in self.files:
            lines = file.read_text(errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if re.match(rf"\s*{re.escape(name)}\s*:", line):
                    found = f" ({file}, line {number})"
        return found


def role_folders(components: list[str]) -> list[Path]:
    """Return the folders of the components' roles. One that does not exist is named when the components are ordered."""
    found = []
    for entry in components:
        try:
            file = definition_file(role_of(entry))
        except GitopsError:
            continue
        if file:
            found.append(file.parent.parent)
    return found


def options_of(folder: Path) -> inputs.Options:
    """Return the options of all entry points of a role."""
    file = folder / "meta" / "argument_specs.yml"
    specs = (_yaml.load(file.read_text()) or {}).get("argument_specs") or {} if file.is_file() else {}
    return {name: option for spec in specs.values() for name, option in (spec.get("options") or {}).items()}
