# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commits of a clone contain, and how they follow each other.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._files import read
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import (
    BASE,
    ROOT,
    UPSTREAM,
    component_folder,
    environment_folder,
    overlay_folder,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone


def inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Leave out what leads out of a folder, such as a symbolic link to another place; kustomize would not follow it."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of an archive below a folder, and nothing outside of it."""
    with tarfile.open(archive) as file:
        if hasattr(tarfile, "data_filter"):  # Python before 3.11.4 has none
            file.extraction_filter = inside
        file.extractall(folder)  # noqa: S202


class History:
    """The commits, branches and tags of a clone, as they were fetched; nothing is changed here."""

    def __init__(self, clone: Clone) -> None:
        self.git, self.names, self.branch = clone.git, clone.names, clone.branch

    def commit_of(self, revision: str) -> str:
        """Return the commit of a revision, or nothing when there is none."""
        return self.git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False).strip()

    def reference(self, name: str) -> str:
        """Return the full name of a remote tag, else of a remote branch, whether or not it exists."""
        tag = f"refs/tags/{name}"
        return tag if self.commit_of(tag) else f"refs/remotes/origin/{name}"

    def followed(self, revision: str) -> str:
        """Return the commit that an environment follows; a missing one will be created from the branch."""
        if self.is_followed_at_once(revision):
            return self.commit_of(f"refs/remotes/origin/{self.branch}")
        return self.commit_of(self.reference(revision)) or self.commit_of(revision)

    def is_followed_at_once(self, revision: str) -> bool:
        """Return whether a revision is the branch that is published to, or will be created from it."""
        own = revision not in ("", "HEAD", self.branch)
        return not own or not (self.commit_of(self.reference(revision)) or self.commit_of(revision))

    def files(self, commit: str, *paths: str) -> list[str]:
        """Return the files of a commit below argocd/."""
        return self.names("ls-tree", "-r", "--name-only", commit, "--", *(paths or (ROOT,))) if commit else []

    def rendered(self, commit: str, environment: str) -> list[str]:
        """Return the kustomizations of an environment's overlays that a run of this collection wrote."""
        if not commit:
            return []
        pattern = f":(glob){overlay_folder('*', '*', environment)}/[Kk]ustomization*"
        found = self.names("grep", "-l", "--no-color", "--fixed-strings", HEADER, commit, "--", pattern, check=False)
        return [name.partition(":")[2] for name in found]

    def having(self, commit: str, text: str) -> set[str]:
        """Return the files of a commit that have a text in any line; official files are not searched."""
        paths = ("--", ROOT, f":(exclude,glob)**/{UPSTREAM}")
        found = self.names("grep", "-l", "--no-color", "--fixed-strings", text, commit, *paths, check=False)
        return {name.partition(":")[2] for name in found}

    def past(self, environment: str) -> list[str]:
        """Return the files of an environment's overlays in the history of the branch."""
        pattern = f":(glob){overlay_folder('*', '*', environment)}/**"
        return self.names(
            "log",
            "--no-follow",
            "--format=",
            "--name-only",
            "--no-renames",
            "--diff-filter=A",
            "HEAD",
            "--",
            pattern,
            check=False,
        )

    def changed_files(self, before: str, after: str = "") -> list[str]:
        """Return the files below argocd/ that differ between a commit and another one, or what is staged."""
        sides = [before, after] if after else ["--cached", *([before] if before else [])]
        return self.names("diff", "--no-renames", "--name-only", *sides, "--", ROOT)

    @contextlib.contextmanager
    def exported(self, commit: str, environment: str, entries: Iterable[tuple[str, str]]) -> Iterator[Path]:
        """Provide overlays, each by layer and name, with their bases, as they are in a commit."""
        parts = (BASE, environment_folder(environment))
        with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as folder:
            folders = [f"{component_folder(*entry)}/{part}" for entry in entries for part in parts]
            self.export(commit, folders, Path(folder))
            yield Path(folder)

    def export(self, commit: str, folders: list[str], target: Path) -> None:
        """Write folders of a commit below another folder."""
        self._extract(commit, [folder for folder in folders if self.files(commit, folder)], target)

    def texts(self, commit: str, names: list[str]) -> dict[str, str]:
        """Return the content of files that a commit has, without symbolic links."""
        with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as folder:
            self._extract(commit, names, Path(folder))
            found = {name: Path(folder) / name for name in names}
            return {name: read(path) for name, path in found.items() if path.is_file()}

    def _extract(self, commit: str, present: list[str], target: Path) -> None:
        if not present:
            return
        archive = target / "export.tar"
        self.git("--literal-pathspecs", "archive", f"--output={archive}", commit, "--", *present)
        unpack(archive, target)
        archive.unlink()

    def is_reachable(self, commit: str) -> bool:
        """Return whether a remote branch or a tag has a commit in its history."""
        if not self.commit_of(commit):
            return False
        return bool(self.git("for-each-ref", f"--contains={commit}", "--count=1", "refs/remotes", "refs/tags").strip())

    def has(self, commit: str, head: str) -> bool:
        """Return whether the history of `head` has a commit."""
        if not head or not self.commit_of(commit):
            return False
        return not self.ahead(commit, head)

    def is_published(self, commit: str) -> bool:
        """Return whether a commit is on the branch that is published to."""
        return self.ahead(commit, f"refs/remotes/origin/{self.branch}") == 0

    def ahead(self, revision: str, without: str) -> int:
        """Return how many commits a revision has that another one does not have."""
        return int(self.git("rev-list", "--count", revision, f"^{without}"))
