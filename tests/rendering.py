# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of every component of an inventory, rendered by its role and built by kustomize, without a cluster."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
Objects = list[dict[str, Any]]


@cache
def programs() -> Path:
    """Return the folder with the programs of the rehearsal and Argo CD's manifests, which `make test` builds first."""
    script = ROOT / "roles" / "rehearsal_cluster" / "files" / "build.py"
    done = subprocess.run([sys.executable, script, "--where"], check=True, capture_output=True, text=True)
    folder = Path(done.stdout.split()[-1])
    if not folder.exists():
        pytest.skip(f"{script} builds kustomize and Argo CD's manifests; run it first")
    return folder


@cache
def manifests() -> dict[str, Any]:
    """Return the variables with which role argocd takes manifests without CRDs.

    These are nearly all of it, and nothing of ours changes them: without them everything is several times as fast.
    """
    folder = Path(tempfile.mkdtemp(prefix="monorepo-gitops-"))
    atexit.register(shutil.rmtree, folder)
    files, sums = [], {}
    for variable, name in {"argocd_manifest_sha256": "install", "argocd_ha_manifest_sha256": "ha/install"}.items():
        (source,) = (programs() / "argocd").glob(f"*/{name}.yaml")
        documents = source.read_text().split("\n---\n")
        text = "\n---\n".join(part for part in documents if "kind: CustomResourceDefinition" not in part)
        files.append(folder / name.replace("/", "-"))
        files[-1].write_text(text)
        sums[variable] = hashlib.sha256(text.encode()).hexdigest()
    return {"argocd_manifest_alternatives": [str(file) for file in files]} | sums


def run(folder: Path, inventory: str, variables: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Render and build an inventory of this clone as it is, but with stand-ins for the official manifests."""
    settings = manifests() | {
        "component_rehearsal": True,
        "component_stand_in": "always",
        "gitops_kustomize_command": [str(programs() / "bin" / "kustomize"), "build"],
        "component_tree": str(folder / "tree"),
        "applicationsets_tree": str(folder / "tree"),
    }
    # Each process its own: the builds of Argo CD for one inventory share a folder there.
    cache = folder.parent / f"cache-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    return subprocess.run(
        [
            *(Path(sys.executable).parent / "ansible-playbook", ROOT / "tests" / "render.yml"),
            *("-i", ROOT / "inventories" / inventory, "-e", json.dumps(settings | variables)),
        ],
        cwd=folder,
        env=os.environ
        | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
        | {"ANSIBLE_NOCOLOR": "1", "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


class Renderings:
    """Rendered inventories; each is made once, by one of the processes that run tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, inventory: str, **variables: Any) -> dict[str, Objects]:
        """Return the objects of each component of an inventory, and those of `argocd`, with variables that win."""
        key = json.dumps([inventory, variables], sort_keys=True)
        return objects_of(str(self.folder / f"{inventory}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"), key)


@cache
def objects_of(name: str, key: str) -> dict[str, Objects]:
    """Return what was rendered in a folder. Who comes first renders, the others wait for it."""
    folder, (inventory, variables) = Path(name), json.loads(key)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "objects.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            done = run(folder, inventory, variables)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
            builds = json.loads((folder / "made" / "made.json").read_text())["builds"]
            made.write_text(json.dumps({name: load(path) for name, path in builds.items()}))
    found: dict[str, Objects] = json.loads(made.read_text())
    return found


def load(path: str) -> Objects:
    """Return the objects of a build."""
    items: Objects = json.loads(Path(path).read_text())["items"]
    return items
