# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a commit of any repository, in a folder of their own.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public, run_git
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import ATTRIBUTES
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import unpack


@dataclass(frozen=True)
class Snapshot:
    """A commit, and the folder that has its files."""

    commit: str
    folder: Path
    files: list[str]


def take(url: str, revision: str, folder: Path, ssh_command: str = "") -> Snapshot:
    """Return the files of a revision; nothing is executed, and nothing is written outside of the folder."""
    clone, tree = folder / "clone.git", folder / "tree"
    done = run_git("clone", "--quiet", "--bare", "--", url, clone, ssh_command=ssh_command)
    if done.returncode:
        raise GitopsError(f"{public(url)} cannot be cloned: {public(done.stderr.strip(), url)}")
    # A .gitattributes may name filters, which a user's configuration has, and leave out files.
    (clone / "info").mkdir(exist_ok=True)
    (clone / "info" / "attributes").write_text(ATTRIBUTES)
    found = run_git("-C", clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = found.stdout.strip()
    if found.returncode and revision == "HEAD":
        raise GitopsError(f"{public(url)} is empty, or its HEAD names a branch that it does not have: name a revision.")
    if found.returncode:
        raise GitopsError(f"{public(url)} has no commit, branch or tag {revision}.")
    extract(clone, commit, tree)
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())
    return Snapshot(commit, tree, names)


def extract(clone: Path, commit: str, tree: Path) -> None:
    """Write the files of a commit below a folder."""
    archive = tree.with_suffix(".tar")
    done = run_git("-C", clone, "archive", f"--output={archive}", commit)
    if done.returncode:
        raise GitopsError(f"git archive of {commit} failed: {public(done.stderr.strip())}")
    tree.mkdir()
    try:
        unpack(archive, tree)
    except (OSError, tarfile.TarError) as error:
        raise GitopsError(f"The files of {commit} cannot be written: {error}") from error
    finally:
        archive.unlink()
