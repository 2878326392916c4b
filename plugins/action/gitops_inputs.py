# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_inputs: reads the specifications of the roles and the variables of the inventory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.vars import load_extra_vars
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import (
    accounts,
    inputs,
    notifications,
    people,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import role_of
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import definition_file

ARGUMENTS: dict[str, Any] = {
    "components": {"type": "list", "elements": "raw", "required": True},
    "arguments": {"type": "dict", "default": {}},
}
ROLES = Path(__file__).resolve().parents[2] / "roles"
# What a file with variables may be called at its end.
VARIABLES = {"", ".json", ".yaml", ".yml"}
# What every run uses, whichever components it has.
ENGINE = ("gitops", "cluster", "rehearsal_cluster", "gitops_repo", "component", "argocd", "applicationsets", "report")
# What our playbooks and roles set themselves: another one may have run before in the same run of Ansible.
RESULTS = {
    "argocd_build",
    "backup_result",
    "argocd_notifications_found",
    "cluster_connection",
    "gateway_cilium_config",
    "database_found",
    "gateway_class_found",
    "gateway_warnings",
    "gitops_comparison",
    "gitops_failure",
    "gitops_found",
    "gitops_inputs",
    "gitops_plan",
    "gitops_repo_builds",
    "gitops_repo_followed",
    "gitops_repo_open",
    "gitops_repo_published",
    "gitops_repo_temporary",
    "gitops_started",
    "gitops_wait",
    "regenerate_restarted",
    "rehearsal_cluster_status",
}

# By the folder of a role, and by its entry point.
Specs = dict[Path, dict[str, inputs.Options]]


class ActionModule(ControllerAction):
    """Checks what a user can set, before anything else happens."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Check the variables."""
        components = role_folders([entry for entry in args["components"] if not isinstance(entry, dict)])
        folders = [*(ROLES / name for name in ENGINE), *components]
        specs = {folder: entry_points(folder) for folder in folders}
        options = inputs.union(entry for spec in specs.values() for entry in spec.values())
        accepted = set(options) | RESULTS | {f"{folder.name}_component" for folder in components}
        arguments: inputs.Options = args["arguments"]
        extra = set(load_extra_vars(self._loader))
        place = Places(task_vars.get("ansible_inventory_sources") or [], task_vars.get("playbook_dir"), extra)
        values = self._values(options, task_vars)
        # Not from the inventory, where `app` or `all` may be somebody else's.
        given = self._values(arguments, {name: value for name, value in task_vars.items() if name in extra})
        # The other roles get what they require from the playbooks.
        asked = {name for folder in (ROLES / "gitops", *components) for name in self._unset(folder, specs, task_vars)}
        found = [
            *inputs.missing({name: option for name, option in options.items() if name in asked}),
            *inputs.missing(inputs.not_given(arguments, given)),
            *inputs.misspelt(extra - accepted, arguments, place),
            *inputs.wrong_values(options | arguments, values | given, place),
            *self._notifications(task_vars, place),
            *self._people(task_vars, values, place),
            *self._accounts(values),
            *inputs.unknown(task_vars, accepted, options, [folder.name for folder in folders], place),
        ]
        if found:
            raise GitopsError("\n".join(found))
        return {"changed": False, "arguments": inputs.complete(arguments, given)}

    def _notifications(self, variables: dict[str, Any], place: Callable[[str], str]) -> list[str]:
        """Return what is wrong with the receivers of notifications; their secrets are not looked up."""
        receivers = variables.get(notifications.VARIABLE) or []
        if not isinstance(receivers, list) or any(not isinstance(receiver, dict) for receiver in receivers):
            return []  # said already, or the whole is a template
        where = place(notifications.VARIABLE)
        return [f"{problem.removesuffix('.')}{where}." for problem in notifications.problems(receivers)]

    def _people(self, variables: dict[str, Any], values: dict[str, Any], place: Callable[[str], str]) -> Iterator[str]:
        """Return what is wrong with the roles of people, and whether nobody could log in."""
        entries = values.get(people.VARIABLE)
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            yield from (f"{problem.removesuffix('.')}{place(people.VARIABLE)}." for problem in people.problems(entries))
        enabled = boolean(values.get(people.ADMIN, True), strict=False)
        if problem := people.login_problem(enabled, variables.get("argocd_cm") or {}):
            yield problem

    def _accounts(self, values: dict[str, Any]) -> list[str]:
        """Return why Argo CD's controller could write nothing."""
        given = (boolean(values.get(f"argocd_{name}", False), strict=False) for name in accounts.SETTINGS)
        problem = accounts.setting_problem(*given)
        return [problem] if problem else []

    def _unset(self, folder: Path, specs: Specs, variables: dict[str, Any]) -> set[str]:
        """Return what a role requires, and neither the inventory nor the role itself sets."""
        names = {name for name, option in specs[folder].get("main", {}).items() if option.get("required")}
        names = {name for name in names if variables.get(name) is None}
        return names - self._own(folder) if names else names

    def _own(self, folder: Path) -> set[str]:
        """Return the variables that a role sets itself; which of its files are read is its own business."""
        found: set[str] = set()
        for file in [*folder.glob("defaults/**/*"), *folder.glob("vars/**/*")]:
            if file.is_file() and file.suffix in VARIABLES:
                with contextlib.suppress(AnsibleError):
                    loaded = self._loader.load_from_file(str(file))
                    found |= set(loaded) if isinstance(loaded, dict) else set()
        return found

    def _values(self, options: inputs.Options, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the values that are set, without those that cannot be found out yet: whoever uses one reports it.

        Such a value depends on what a later step finds, or its lookup fails. A secret is not looked up for a check.
        """
        values = {}
        for name in [name for name in options if name in variables]:
            with contextlib.suppress(AnsibleError):
                if not (inputs.secret(options[name]) and self._templar.is_template(variables[name])):
                    values[name] = self._templar.template(variables[name])
        return values


class Places:
    """Where a variable is set: with `-e`, in the inventory's own files, or in those next to the playbook."""

    def __init__(self, sources: list[str], playbooks: str | None, extra: set[str]) -> None:
        # A source with a comma is a list of hosts.
        self.sources, self.extra = [Path(source) for source in sources if "," not in source], extra
        self.playbooks = [Path(playbooks)] if playbooks else []

    @cached_property
    def files(self) -> list[Path]:
        """Return the files, those that win in Ansible last. They are only looked for when something is wrong."""
        found = [source for source in self.sources if source.is_file()]
        found += [file for source in self.sources for file in variable_files(source, "*")]
        folders = [source.parent if source.is_file() else source for source in self.sources] + self.playbooks
        for name in ("group_vars", "host_vars"):
            found += [file for folder in folders for file in variable_files(folder / name, "**/*")]
        return found

    def __call__(self, name: str) -> str:
        """Return ` (file, line n)`, nothing when no file shows it. Of several, the last one counts."""
        if name in self.extra:
            return " (given with -e)"
        found = ""
        for file in self.files:
            with contextlib.suppress(OSError):
                lines = file.read_text(errors="replace").splitlines()
                numbers = [number for number, line in enumerate(lines, 1) if inputs.sets(name, line, file.suffix)]
                found = f" ({file}, line {numbers[-1]})" if numbers else found
        return found


def variable_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that can have variables."""
    return [file for file in sorted(folder.glob(pattern)) if file.is_file() and file.suffix in {*VARIABLES, ".ini"}]


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


def entry_points(folder: Path) -> dict[str, inputs.Options]:
    """Return the options of each entry point of a role. One of another collection may leave out what it wants."""
    file = folder / "meta" / "argument_specs.yml"
    specs = (_yaml.load(file.read_text()) or {}).get("argument_specs") or {} if file.is_file() else {}
    return {
        entry: {name: option or {} for name, option in ((spec or {}).get("options") or {}).items()}
        for entry, spec in specs.items()
    }
