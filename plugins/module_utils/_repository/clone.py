# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private clone of the GitOps repository.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public, run_git
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import ROOT, UPSTREAM

MARKER = "monorepo-gitops.clone"
HEADER = "# Rendered by monorepo.gitops."
# As if no .gitattributes said anything of them.
ATTRIBUTES = "* !filter !text !eol !ident !working-tree-encoding !diff !merge !export-ignore !export-subst\n"


def identity(name: str, email: str) -> tuple[str, ...]:
    """Return options of git that say who commits."""
    return "-c", f"user.name={name}", "-c", f"user.email={email}"


class Clone:
    """A clone for this collection only, so that leftovers of an interrupted run can be recognized."""

    def __init__(self, path: str | Path, url: str, branch: str, ssh_command: str = "", isolated: bool = False) -> None:
        self.path, self.url, self.branch = Path(path), url, branch
        self.ssh_command = ssh_command
        self.isolated = isolated

    def git(self, *args: str, cwd: Path | None = None, check: bool = True) -> str:
        """Run git in the clone, without credentials in the error message."""
        done = self.attempt(*args, cwd=cwd)
        if done.returncode and check:
            raise self.failure(args, done)
        return done.stdout if not done.returncode else ""

    def names(self, *args: str, check: bool = True) -> list[str]:
        """Return the names of files that a command lists; with -z they may contain any character."""
        return [name for name in self.git(args[0], "-z", *args[1:], check=check).split("\0") if name]

    def attempt(self, *args: str, cwd: Path | None = None, umask: int = -1) -> subprocess.CompletedProcess[str]:
        """Run git in the clone, and leave it to the caller what a failure means."""
        return run_git("-C", cwd or self.path, *args, ssh_command=self.ssh_command, isolated=self.isolated, umask=umask)

    def failure(self, args: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> GitopsError:
        """Return the error of a command that failed."""
        values = {index + 1 for index, arg in enumerate(args) if arg == "-c"}
        command = next(arg for index, arg in enumerate(args) if index not in values and not arg.startswith("-"))
        text = public(done.stderr.strip() or done.stdout.strip(), self.url)
        return GitopsError(f"git {command} failed for {public(self.url)}: {text}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one run at a time work in the clone; the system drops the lock when the process ends, however it ends."""
        self._check_private()
        with (self.path / ".git" / "monorepo-gitops.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Nobody else works here, so git's own lock is a leftover of a killed process.
            (self.path / ".git" / "index.lock").unlink(missing_ok=True)
            yield

    def open(self, create: bool) -> bool:
        """Clone, or reset an existing clone to the remote branch; return whether a repository was created."""
        made = create and self._create_bare()
        self._check_exists()
        if not (self.path / ".git").exists():
            self._clone()
        with self.locked():
            self._ignore_attributes()
            self.git("remote", "set-url", "--", "origin", self.url)
            self._check_clean()
            self.fetch()
            self._reset()
        return made

    def _check_exists(self) -> None:
        folder = Path(self.url.removeprefix("file://"))
        if folder.is_absolute() and not folder.exists():
            raise GitopsError(
                f"The repository {self.url} does not exist: correct gitops_repo_url and gitops_repo_push_url, "
                f"or create it with git init --bare {folder}."
            )

    def _create_bare(self) -> bool:
        bare = Path(self.url.removeprefix("file://"))
        if not bare.is_absolute() or (bare / "HEAD").exists():
            return False
        bare.mkdir(parents=True, exist_ok=True)
        self.git(
            "init", "--quiet", "--bare", "--object-format=sha1", f"--initial-branch={self.branch}", str(bare), cwd=bare
        )
        return True

    def _format(self) -> list[str]:
        """Return options for a new repository: the format that Argo CD reads, regardless of the user's settings."""
        return ["--object-format=sha1", f"--initial-branch={self.branch}"]

    def _clone(self) -> None:
        if self.path.exists() and any(self.path.iterdir()):
            raise GitopsError(
                f"{self.path} exists but is not a Git clone: set gitops_repo_path to another folder or remove it."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", *self._format())
        self.git("remote", "add", "--", "origin", self.url)
        self.git("config", MARKER, "true")

    def _ignore_attributes(self) -> None:
        """Take the files as they are in Git: a .gitattributes may name filters, which a user's configuration has."""
        file = self.path / ".git" / "info" / "attributes"
        file.parent.mkdir(exist_ok=True)
        file.write_text(ATTRIBUTES)

    def _check_private(self) -> None:
        if not (self.path / ".git").exists():
            raise GitopsError(f"{self.path} is not a Git clone: let gitops_repo_checkout make one there first.")
        if self.git("config", "--default", "", MARKER).strip() != "true":
            raise GitopsError(
                f"{self.path} is a Git clone that this collection did not create, and somebody may be working in it: "
                "set gitops_repo_path to a folder of its own."
            )

    def _check_clean(self) -> None:
        entries = self.git("status", "--porcelain", "--untracked-files=all", "-z").split("\0")
        foreign = [entry[3:] for entry in entries if entry and not self._leftover(entry)]
        if foreign:
            raise GitopsError(
                f"{self.path} has changes that no run of this collection made: {', '.join(foreign[:5])}. "
                "Commit them elsewhere or remove them; this clone is not meant for manual work."
            )

    def _leftover(self, entry: str) -> bool:
        """Return whether a changed file is a leftover of an interrupted run."""
        path = self.path / entry[3:]
        if not entry[3:].startswith(f"{ROOT}/"):
            return False
        return not path.is_file() or path.name.endswith(".new") or self.is_rendered(entry[3:])

    def is_rendered(self, name: str) -> bool:
        """Return whether a run of this collection wrote a file."""
        if Path(name).name == UPSTREAM:  # identical to the released file
            return True
        with (self.path / name).open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(HEADER)

    def remove(self, names: list[str]) -> None:
        """Remove files from the working tree and the index."""
        self.git("--literal-pathspecs", "rm", "--quiet", "--force", "--", *names)

    def fetch(self) -> None:
        """Fetch all branches and tags; a tag may have been moved."""
        self.git("fetch", "--quiet", "--prune", "--tags", "--force", "origin")

    def _reset(self) -> None:
        remote = f"refs/remotes/origin/{self.branch}"
        if not self.git("rev-parse", "--verify", "--quiet", remote, check=False):
            if self.git("branch", "--remotes").strip():
                raise GitopsError(
                    f"{public(self.url)} has no branch {self.branch!r}: create it or correct gitops_repo_branch."
                )
            # An empty repository: the first commit creates the branch. An interrupted run may have left files.
            self.git("update-ref", "-d", f"refs/heads/{self.branch}")
            self.git("read-tree", "--empty")
            self.git("clean", "--quiet", "-fd", "--", ROOT)
            return
        self.git("checkout", "--quiet", "--force", "-B", self.branch, remote)
        self.git("clean", "--quiet", "-fd", "--", ROOT)

    def head(self) -> str:
        """Return the commit of the branch, or nothing in an empty repository."""
        return self.git("rev-parse", "--verify", "--quiet", "HEAD", check=False).strip()

    def staged_tree(self) -> str:
        """Stage everything below argocd/ and return the name of the tree."""
        self.staged()
        return self.git("write-tree").strip()

    def staged(self) -> dict[str, str]:
        """Stage everything below argocd/ and return the changed files with A, M or D."""
        if (self.path / ROOT).exists() or self.git("ls-files", ROOT):
            self.git("add", "--all", "--", ROOT)
        fields = self.git("diff", "--cached", "--no-renames", "--name-status", "-z").split("\0")
        return dict(zip(fields[1::2], fields[0::2], strict=False))

    def commit(self, message: str, name: str, email: str) -> None:
        """Commit what is staged."""
        try:
            self.git(*identity(name, email), "commit", "--quiet", "--message", message)
        except GitopsError as error:
            signs = self.git("config", "--get", "--type=bool", "commit.gpgSign", check=False).strip() == "true"
            advice = " The Git configuration of this user signs commits (commit.gpgSign)." if signs else ""
            raise GitopsError(f"Nothing was published, because the commit failed. {error}{advice}") from error
