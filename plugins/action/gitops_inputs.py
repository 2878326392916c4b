# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_inputs: reads the specifications of the roles and the variables of the inventory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.monorepo.gitops.plugins.module_utils import inputs
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils.plan import role_of
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


class ActionModule(ActionBase):
    """Checks what a user can set, before anything else happens."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(ARGUMENTS)
        variables = task_vars or {}
        folders = [ROLES / name for name in ENGINE] + role_folders(args["components"])
        options = {name: option for folder in folders for name, option in options_of(folder).items()}
        known = set(options) | RESULTS | {f"{folder.name}_component" for folder in folders}
        place = Places(variables.get("ansible_inventory_sources") or [], set(load_extra_vars(self._loader)))
        values = self._values(options, variables)
        found = [
            *inputs.missing(options_of(ROLES / "gitops"), variables),
            *inputs.wrong_values(options, values, place),
            *inputs.unknown(variables, known, [folder.name for folder in folders], place),
        ]
        if found:
            raise AnsibleActionFail("\n".join(found))
        return result | {"changed": False}

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
        self.extra = extra
        paths = [Path(source) for source in sources]
        folders = [path if path.is_dir() else path.parent for path in paths if path.exists()]
        self.files = [file for folder in folders for file in sorted(folder.rglob("*.y*ml"))]

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
    specs = (yaml.safe_load(file.read_text()) or {}).get("argument_specs") or {} if file.is_file() else {}
    return {name: option for spec in specs.values() for name, option in (spec.get("options") or {}).items()}
