# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_plan: reads the component definitions of the roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.template import trust_as_template
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import (
    check_definition,
    handwritten,
    plan,
    role_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import definition_file, engine_defaults

ARGUMENTS: dict[str, Any] = {"components": {"type": "list", "elements": "raw", "required": True}}
# Keys of a definition that may depend on variables of its role.
LISTS = ("depends_on", "endpoints", "flows", "immutable", "more_namespaces", "pod_security", "verify", "warnings")


class ActionModule(ControllerAction):
    """Find the role of each component, read its definition and compute the order."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the components in their order."""
        argocd_namespace = self._templar.template(task_vars.get("argocd_namespace", "argocd"))
        definitions = [
            handwritten(entry) if isinstance(entry, dict) else self._definition(str(entry), task_vars)
            for entry in args["components"]
        ]
        ordered = plan(definitions, argocd_namespace)
        theirs = [entry for entry in ordered if entry.get("handwritten")]
        return {
            "changed": False,
            "components": [entry for entry in ordered if entry not in theirs],
            "handwritten": theirs,
            "scheme": self._scheme(task_vars),
        }

    def _scheme(self, task_vars: dict[str, Any]) -> str:
        """Return the scheme that endpoints get, also what belongs to no component."""
        templar = self._templar.copy_with_new_env(available_variables=engine_defaults(self._loader) | task_vars)
        return str(templar.template(trust_as_template("{{ component_scheme }}")))

    def _definition(self, entry: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        role = role_of(entry)
        file = definition_file(role)
        if not file:
            raise GitopsError(
                f"gitops_components: there is no component {entry!r} (no role {role} with a component definition)."
            )
        path = file.parent.parent
        variables = self._load(file)
        definition = check_definition(entry, variables.get(f"{role.rsplit('.', 1)[-1]}_component"))
        known = {key: definition.get(key) for key in ("name", "layer", "namespace")}
        # These may depend on variables of the role in this environment.
        visible = engine_defaults(self._loader) | self._load(path / "defaults" / "main.yml") | task_vars | variables
        templar = self._templar.copy_with_new_env(available_variables=visible)
        known |= {key: templar.template(definition.get(key) or []) for key in LISTS}
        known["pods"] = templar.template(definition.get("pods") or {})
        upstream = [templar.template(definition.get(key) or {}) for key in ("upstream", "overlay_upstream")]
        known["manifests"] = [{key: entry[key] for key in ("url", "sha256")} for entry in upstream if entry]
        stages = sorted(str(file) for file in path.glob("files/stages/*.yaml"))
        return known | {"role": role, "role_path": str(path), "stages": stages}

    def _load(self, path: Path) -> dict[str, Any]:
        return (self._loader.load_from_file(str(path), trusted_as_template=True) or {}) if path.is_file() else {}
