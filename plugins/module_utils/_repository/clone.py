# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private clone of the GitOps repository.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public, run_git

ROOT = "argocd"
MARKER = "monorepo-gitops.clone"
HEADER = "# Rendered by monorepo.gitops."
PUSH_ATTEMPTS = 5
# Somebody else pushed first. A server that forbids the push says `[remote rejected]` with another reason.
OVERTAKEN = re.compile(r"\[rejected\]|cannot lock ref|failed to update ref|incorrect old value")
REMOTE_SECONDS = 20


class Clone:
    """A clone for this collection only, so that leftovers of an interrupted run can be recognized."""

    def __init__(self, path: str | Path, url: str, branch: str, ssh_command: str = "", isolated: bool = False) -> None:
        self.path, self.url, self.branch = Path(path), url, branch
        self.ssh_command = ssh_command
        self.isolated = isolated

    def git(self, *args: str, cwd: Path | None = None, check: bool = True) -> str:
        """Run git in the clone, without credentials in the error message."""
        done = run_git("-C", cwd or self.path, *args, ssh_command=self.ssh_command, isolated=self.isolated)
        if done.returncode and check:
            raise GitopsError(
                f"git {args[0]} failed for {public(self.url)}: {public(done.stderr.strip() or done.stdout.strip())}"
            )
        return done.stdout if not done.returncode else ""

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
            self.git("remote", "set-url", "origin", self.url)
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
        self.git("remote", "add", "origin", self.url)
        self.git("config", MARKER, "true")

    def _check_private(self) -> None:
        if not (self.path / ".git").exists():
            raise GitopsError(f"{self.path} is not a Git clone: let git_checkout make one there first.")
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
        if Path(name).name == "upstream.yaml":  # identical to the released file
            return True
        with (self.path / name).open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(HEADER)

    def remove(self, names: list[str]) -> None:
        """Remove files from the working tree and the index."""
        self.git("rm", "--quiet", "--force", "--", *names)

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
        return (
            self.git("ls-tree", "-r", "--name-only", commit, "--", *(paths or (ROOT,))).splitlines() if commit else []
        )

    def rendered(self, commit: str, environment: str) -> list[str]:
        """Return the kustomizations of an environment's overlays that a run of this collection wrote."""
        if not commit:
            return []
        pattern = f":(glob){ROOT}/*/*/envs/{environment}/[Kk]ustomization*"
        found = self.git("grep", "-l", "--no-color", "--fixed-strings", HEADER, commit, "--", pattern, check=False)
        return [line.partition(":")[2] for line in found.splitlines()]

    def past(self, environment: str) -> list[str]:
        """Return the files of an environment's overlays in the history of the branch."""
        pattern = f":(glob){ROOT}/*/*/envs/{environment}/**"
        return self.git(
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
        ).split()

    def changed_files(self, before: str, after: str = "") -> list[str]:
        """Return the files below argocd/ that differ between a commit and another one, or what is staged."""
        sides = [before, after] if after else ["--cached", *([before] if before else [])]
        return self.git("diff", "--no-renames", "--name-only", *sides, "--", ROOT).splitlines()

    def export(self, commit: str, folders: list[str], target: Path) -> None:
        """Write folders of a commit below another folder."""
        present = [folder for folder in folders if self.files(commit, folder)]
        if not present:
            return
        archive = target / "export.tar"
        self.git("archive", f"--output={archive}", commit, "--", *present)
        with tarfile.open(archive) as file:
            if hasattr(tarfile, "data_filter"):  # Python before 3.11.4 has none
                file.extraction_filter = tarfile.data_filter
            file.extractall(target)  # noqa: S202
        archive.unlink()

    def unknown_at(self, url: str, revision: str) -> str:
        """Return the commit that another URL has for a revision, if it answers and this repository does not have it."""
        try:
            done = run_git("ls-remote", url, revision or "HEAD", ssh_command=self.ssh_command, timeout=REMOTE_SECONDS)
        except subprocess.TimeoutExpired:
            return ""
        commit = "" if done.returncode else done.stdout.split("\t")[0].strip()
        return "" if not commit or self.commit_of(commit) else commit

    def staged_tree(self) -> str:
        """Stage everything below argocd/ and return the name of the tree."""
        self.staged()
        return self.git("write-tree").strip()

    def is_reachable(self, commit: str) -> bool:
        """Return whether a remote branch or a tag has a commit in its history."""
        if not self.commit_of(commit):
            return False
        return bool(self.git("for-each-ref", f"--contains={commit}", "--count=1", "refs/remotes", "refs/tags").strip())

    def has(self, commit: str, head: str) -> bool:
        """Return whether the history of `head` has a commit."""
        if not head or not self.commit_of(commit):
            return False
        return not self._count(commit, head)

    def check_move(self, reference: str, before: str, commit: str) -> None:
        """Refuse to move a remote branch anywhere but forward; a tag may be moved to any commit."""
        if not before or reference.startswith("refs/tags/") or not self._count(before, commit):
            return
        name = reference.removeprefix("refs/remotes/origin/")
        foreign = self._count(before, f"refs/remotes/origin/{self.branch}")
        if foreign:
            raise GitopsError(
                f"{public(self.url)}: branch {name} has {foreign} commits that {self.branch} does not have. "
                f"Merge them into {self.branch}, or reset {name}, and run again."
            )
        raise GitopsError(
            f"{public(self.url)}: branch {name} is ahead of {commit[:12]}, and a branch is only moved forward: "
            f"revert the change on {self.branch}, or let the environment follow a tag."
        )

    def _count(self, revision: str, without: str) -> int:
        """Return how many commits a revision has that another one does not have."""
        return int(self.git("rev-list", "--count", revision, f"^{without}"))

    def is_published(self, commit: str) -> bool:
        """Return whether a commit is on the branch that is published to."""
        return self._count(commit, f"refs/remotes/origin/{self.branch}") == 0

    def move(self, reference: str, commit: str) -> None:
        """Move a remote branch or tag."""
        name = reference.removeprefix("refs/remotes/origin/")
        force = [] if name != reference else ["--force"]
        target = reference if name == reference else f"refs/heads/{name}"
        self.git("push", "--quiet", *force, "origin", f"{commit}:{target}")
        self.fetch()

    def staged(self) -> dict[str, str]:
        """Stage everything below argocd/ and return the changed files with A, M or D."""
        if (self.path / ROOT).exists() or self.git("ls-files", ROOT):
            self.git("add", "--all", "--", ROOT)
        fields = self.git("diff", "--cached", "--no-renames", "--name-status", "-z").split("\0")
        return dict(zip(fields[1::2], fields[0::2], strict=False))

    def commit(self, message: str, name: str, email: str) -> None:
        """Commit what is staged."""
        self.git("-c", f"user.name={name}", "-c", f"user.email={email}", "commit", "--quiet", "--message", message)

    def push(self, name: str, email: str) -> None:
        """Push; when somebody else pushed first, put our commit on top of theirs and try again."""
        for _attempt in range(PUSH_ATTEMPTS):
            try:
                self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{self.branch}")
            except GitopsError as error:
                if not OVERTAKEN.search(str(error)):
                    raise
            else:
                return
            self.fetch()
            self._rebase(name, email)
        raise GitopsError(
            f"{public(self.url)}: the push was rejected {PUSH_ATTEMPTS} times because others pushed; run again."
        )

    def _rebase(self, name: str, email: str) -> None:
        try:
            self.git(
                "-c", f"user.name={name}", "-c", f"user.email={email}", "rebase", "--quiet", f"origin/{self.branch}"
            )
        except GitopsError as error:
            self.git("rebase", "--abort", check=False)
            raise GitopsError(
                f"{public(self.url)}: somebody pushed a change to the same lines below {ROOT}/: run again, "
                "and if it fails again, find out who else writes there."
            ) from error
