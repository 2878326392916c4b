# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory renders to for a cluster that exists: files, plan and objects, without any cluster."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rendering

PROJECT = {
    "name": "infra",
    "description": "Infrastructure",
    "source_repos": [],
    "destinations": [],
    "cluster_kinds": [],
    "namespaced_kinds": [],
}
EXISTING = {
    "cluster_kind": "existing",
    "gitops_repo_url": "https://git.example.com/monorepo.git",
    "gitops_upstream_mirror": "",
    "argocd_projects": [PROJECT],
}


@dataclass
class Overlays:
    """What was rendered and built."""

    tree: Path
    plan: dict[str, dict[str, Any]]
    objects: dict[str, rendering.Objects]

    def find(self, component: str, kind: str, name: str = "") -> rendering.Objects:
        """Return the objects of a kind, and with this name."""
        found = [item for item in self.objects[component] if item["kind"] == kind]
        return [item for item in found if item["metadata"]["name"] == name] if name else found

    def one(self, component: str, kind: str, name: str) -> dict[str, Any]:
        """Return the only object of this kind and name."""
        (found,) = self.find(component, kind, name)
        return found

    def files(self) -> dict[str, str]:
        """Return all files of the tree."""
        return {str(p.relative_to(self.tree)): p.read_text() for p in sorted((self.tree / "argocd").rglob("*.yaml"))}


def run(folder: Path, inventory: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Render an inventory of the clone into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return rendering.run(folder, inventory, EXISTING | variables)


def build(folder: Path, inventory: str, **variables: Any) -> Overlays:
    """Render and build an inventory, and return the objects of each component."""
    done = run(folder, inventory, **variables)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    made = json.loads((folder / "made" / "made.json").read_text())
    objects = {name: rendering.load(path) for name, path in made["builds"].items()}
    return Overlays(folder / "tree", {entry["name"]: entry for entry in made["plan"]}, objects)
