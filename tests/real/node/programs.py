# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a node: those of a rehearsal, and a kubelet and a kube-proxy of the same version."""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
REHEARSAL = ROOT / "roles" / "rehearsal_cluster" / "files"
# Number of packages that are compiled after a build of the rehearsal's programs; used for the progress lines only.
PACKAGES, PACKAGES_OF_JUDGE = 400, 700
JUDGE = HERE.parent / "judge"


def cache_folder() -> Path:
    """Return the folder of what is made once for all nodes."""
    return _paths.cache_folder("real-node")


def builder() -> ModuleType:
    """Return the script that builds the programs of a rehearsal."""
    spec = importlib.util.spec_from_file_location("rehearsal_build", REHEARSAL / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(say: Callable[[str], None]) -> tuple[Path, Path, Path]:
    """Build what is missing; return the folders of the rehearsal's build, of the node's programs and of the judge."""
    script = builder()
    rehearsal = script.cache_folder()
    if not script.is_built(rehearsal):
        script.build(rehearsal)

    def copy_stages(target: Path) -> None:
        kwok = script.run_go(script.find_go(), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
        shutil.copy(Path(kwok) / "kustomize" / "crd" / "bases" / "kwok.x-k8s.io_stages.yaml", target)

    say_what = "Building %s, once per version: about 2 to 4 minutes."
    node = compiled("programs", HERE, PACKAGES, lambda: say(say_what % "kubelet and kube-proxy"), copy_stages)
    judge = compiled("judge", JUDGE, PACKAGES_OF_JUDGE, lambda: say(say_what % "kube-router"))
    return rehearsal, node, judge


def compiled(
    name: str,
    module: Path,
    packages: int,
    announce: Callable[[], None],
    complete: Callable[[Path], None] = lambda _target: None,
) -> Path:
    """Return the folder with the programs of a Go module; build and complete it if it is not there."""
    script = builder()
    folder: Path = cache_folder() / name / script.version_of(module)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            announce()
            for old in folder.parent.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as temporary:
                staged = Path(temporary) / "staged"
                staged.mkdir()
                script.compile_tools(script.find_go(), staged, module, packages)
                complete(staged)
                staged.rename(folder)
    return folder
