# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_compare: adds what the installed collection says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.plugin_utils.k8s_action import K8sAction

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(K8sAction):
    """See K8sAction."""

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        own = {"collection_version": version(COLLECTION), "known_components": components(COLLECTION)}
        return super()._module(own | args, task_vars)


def version(folder: Path) -> str:
    """Return the version of an installed collection, or of a clone."""
    manifest = folder / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return str(yaml.safe_load((folder / "galaxy.yml").read_text())["version"])


def components(folder: Path) -> list[str]:
    """Return the names of all components that a collection has a role for."""
    found = [path.parent.parent.name for path in sorted(folder.glob("roles/*/vars/main.yml"))]
    return [
        role.replace("_", "-")
        for role in found
        if f"{role}_component:" in (folder / "roles" / role / "vars" / "main.yml").read_text()
    ]
