# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tarball that is built in a clone that was used has nothing in it of what was written there, such as backups."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = {"FILES.json", "MANIFEST.json", "README.md", "meta/runtime.yml", "roles/common/tasks/main.yml"}


def written(pattern: str) -> list[str]:
    """Return files that a pattern of .gitignore is about; without a slash in front it is about every folder."""
    name = pattern.strip("/").replace("*", "x")
    file = name if "*" in pattern else f"{name}/file"
    return [file] if pattern.startswith("/") or name.startswith(".") else [file, f"roles/common/{file}"]


def test_what_git_ignores_is_in_no_tarball(tmp_path):
    clone = tmp_path / "clone"
    patterns = (ROOT / ".gitignore").read_text().split()
    ignored = [name for pattern in patterns for name in written(pattern)]
    assert {"backups/file", "reports/file", ".venv/file", "roles/common/__pycache__/file"} < {*ignored}
    for name in (*(OWN - {"FILES.json", "MANIFEST.json"}), *ignored):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).touch()
    for name in ("galaxy.yml", ".gitignore"):
        shutil.copy(ROOT / name, clone)
    git = ["git", "-c", "core.excludesFile=", "-C", clone]
    subprocess.run([*git, "init", "--quiet"], check=True)
    found = subprocess.run(
        [*git, "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    assert {*found.stdout.split()} == OWN - {"FILES.json", "MANIFEST.json"} | {"galaxy.yml", ".gitignore"}

    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run(
        [galaxy, "collection", "build", clone, "--output-path", tmp_path],
        env=os.environ | {"ANSIBLE_HOME": str(tmp_path / "home")},
        check=True,
        capture_output=True,
    )
    (tarball,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(tarball) as file:
        assert {member.name for member in file.getmembers() if member.isfile()} == OWN
