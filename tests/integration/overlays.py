# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the components of an inventory, and Argo CD, and build them as a run does: without any cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT

PLAYBOOK = [
    {
        "name": "Render",
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(ROOT / "playbooks" / "vars" / "connection.yml")],
        "tasks": [
            {
                "name": "Order the components",
                "monorepo.gitops.gitops_plan": {"components": "{{ gitops_components }}"},
                "register": "gitops_plan",
            },
            {
                "name": "Render the components",
                "ansible.builtin.include_role": {"name": "{{ component.role }}"},
                "loop": "{{ gitops_plan.components }}",
                "loop_control": {"loop_var": "component", "label": "{{ component.name }}"},
            },
            {
                "name": "Render the ApplicationSets",
                "ansible.builtin.include_role": {"name": "monorepo.gitops.applicationsets", "tasks_from": "render"},
            },
            {
                "name": "Build the components",
                "monorepo.gitops.kustomize_build": {
                    "tree": "{{ gitops_tree }}",
                    "environment": "{{ gitops_environment }}",
                    "components": "{{ gitops_plan.components }}",
                    "command": "{{ gitops_kustomize_command }}",
                },
                "register": "built",
            },
            {
                "name": "Build Argo CD",
                "ansible.builtin.include_role": {"name": "monorepo.gitops.argocd", "tasks_from": "build"},
            },
            {
                "name": "Tell what was made",
                "ansible.builtin.copy": {
                    "content": "{{ {'plan': gitops_plan.components, 'builds': builds} | to_json }}",
                    "dest": "{{ gitops_tree }}/made.json",
                    "mode": "0644",
                },
                "vars": {"builds": "{{ built.builds + argocd_build.builds }}"},
            },
        ],
    }
]
PROJECT = {
    "name": "infra",
    "description": "Infrastructure",
    "source_repos": [],
    "destinations": [],
    "cluster_kinds": [],
    "namespaced_kinds": [],
}


@dataclass
class Overlays:
    """What was rendered and built."""

    tree: Path
    plan: dict[str, dict[str, Any]]
    objects: dict[str, list[dict[str, Any]]]

    def find(self, component: str, kind: str, name: str = "") -> list[dict[str, Any]]:
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
    """Render an inventory of the clone into a folder, with stand-ins for the official files of the operators."""
    built = subprocess.run(
        [sys.executable, ROOT / "roles/rehearsal_cluster/files/build.py"], check=True, capture_output=True, text=True
    )
    binaries = Path(built.stdout.splitlines()[-1])
    manifest = binaries / "argocd" / "v3.6.1"
    settings = {
        "cluster_kind": "existing",
        "component_rehearsal": True,
        "component_stand_in": "always",
        "gitops_tree": str(folder),
        "gitops_upstream_mirror": "",
        "gitops_repo_url": "https://git.example.com/monorepo.git",
        "gitops_kustomize_command": [str(binaries / "bin" / "kustomize"), "build"],
        "argocd_projects": [PROJECT],
        "argocd_manifest_alternatives": [str(manifest / "install.yaml"), str(manifest / "ha" / "install.yaml")],
    }
    folder.mkdir(parents=True, exist_ok=True)
    playbook, extra = folder / "playbook.yml", folder / "variables.json"
    playbook.write_text(yaml.safe_dump(PLAYBOOK, sort_keys=False))
    extra.write_text(json.dumps(settings | variables))
    environment = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    return subprocess.run(
        [program, playbook, "-i", ROOT / "inventories" / inventory, "-e", f"@{extra}"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def build(folder: Path, inventory: str, **variables: Any) -> Overlays:
    """Render and build an inventory, and return the objects of each component."""
    done = run(folder, inventory, **variables)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    made = json.loads((folder / "made.json").read_text())
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    objects = {entry["name"]: list(yaml.load_all(Path(entry["path"]).read_text(), loader)) for entry in made["builds"]}
    return Overlays(folder, {entry["name"]: entry for entry in made["plan"]}, objects)
