# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that people wrote in the layout of this collection: fixtures/adoption/seed, and the operators."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import stand_in

ROOT = Path(__file__).resolve().parent.parent
SEED = ROOT / "tests" / "fixtures" / "adoption" / "seed"
URL = "file:///mnt/monorepo-template.git"  # what its ApplicationSets read
# The official manifests that it has as base/operator.yaml, and where their Deployments are. As in other tests without a
# download, stand-ins take their places.
OPERATORS = {
    "cert-manager": "cert-manager",
    "cnpg-system": "cnpg-system",
    "external-secrets": "external-secrets-system",
    "strimzi": "strimzi",
}


def operator(component: str, namespace: str) -> list[dict[str, Any]]:
    """Return what stands in for the official manifest of an operator."""
    role = component.replace("-", "_")
    found = yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text())[f"{role}_component"]["upstream"]
    deployments = [entry | {"env": []} for entry in found["stand_in_deployments"]]
    return stand_in(found | {"stand_in_deployments": deployments}, namespace)


def write(folder: Path) -> Path:
    """Write the tree to a folder."""
    shutil.copytree(SEED, folder, dirs_exist_ok=True)
    for component, namespace in OPERATORS.items():
        file = folder / "argocd" / "infra" / component / "base" / "operator.yaml"
        file.write_text(yaml.safe_dump_all(operator(component, namespace)))
    return folder


def commit(folder: Path) -> str:
    """Make a repository of a folder, or commit what has changed in it, and return the commit."""
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    if not (folder / ".git").exists():
        subprocess.run([*git, "init", "-q", "--initial-branch=main"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "by hand"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()
