# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real repositories, and other people who work in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone

AUTHOR = ("Test", "test@localhost")


def git(folder: Path, *args: str) -> str:
    identity = ["-c", "user.name=Other", "-c", "user.email=other@localhost"]
    return subprocess.run(["git", "-C", folder, *identity, *args], check=True, capture_output=True, text=True).stdout


def write(clone: Clone, name: str, text: str) -> None:
    """Write a file below argocd/ as a run renders it."""
    path = clone.path / "argocd" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}\n{text}\n")


def publish(clone: Clone, name: str, text: str) -> None:
    write(clone, name, text)
    clone.staged()
    clone.commit(f"change {name}", *AUTHOR)
    remote.push(clone, *AUTHOR)


def somebody_else_pushes(tmp_path: Path, name: str, text: str) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", f"file://{tmp_path}/repo.git", "other")
    (other / name).parent.mkdir(parents=True, exist_ok=True)
    (other / name).write_text(text)
    git(other, "add", "--all")
    git(other, "commit", "--quiet", "-m", "theirs")
    git(other, "push", "--quiet", "origin", "main")
