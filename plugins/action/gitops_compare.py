# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_compare: adds version and components of the installed collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.modules import gitops_compare
from ansible_collections.monorepo.gitops.plugins.plugin_utils.k8s_action import K8sAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import definition_file

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(K8sAction):
    """See K8sAction."""

    module = gitops_compare

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        own = {"collection_version": version(COLLECTION), "known_components": components(COLLECTION)}
        named = {
            "removals": [component_of(str(entry)) for entry in args.get("removals") or []],
            "volume_removals": [
                dict(entry) | {"component": component_of(str(entry.get("component", "")))}
                for entry in args.get("volume_removals") or []
            ],
        }
        return super()._module(own | args | named, task_vars)


def component_of(entry: str) -> str:
    """Return the component that a role's full name defines; any other entry unchanged."""
    if entry.count(".") < 2 or "/" in entry:
        return entry
    file = definition_file(entry)
    if not file:  # it is not installed any more
        return entry
    try:
        definition = (_yaml.load(file.read_text()) or {}).get(f"{entry.rpartition('.')[2]}_component") or {}
    except _yaml.YamlError:
        return entry
    return str(definition.get("name", entry))


def version(folder: Path) -> str:
    """Return the version of an installed collection, or of a clone."""
    manifest = folder / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return str(_yaml.load((folder / "galaxy.yml").read_text())["version"])


def components(folder: Path) -> list[str]:
    """Return the names of all components that a collection has a role for."""
    found = [path.parent.parent.name for path in sorted(folder.glob("roles/*/vars/main.yml"))]
    return [
        role.replace("_", "-")
        for role in found
        if f"{role}_component:" in (folder / "roles" / role / "vars" / "main.yml").read_text()
    ]
