# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes to the remote repository, and what it asks another one.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public, run_git
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import ROOT
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone, identity
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History

PUSH_ATTEMPTS = 5
# Git's own line about the branch. What the server says is in lines that begin with `remote:`, and may be any words.
REJECTED = re.compile(r"^ ! \[(?P<by>remote )?rejected\] .*?(?:\((?P<reason>.*)\))?$", re.MULTILINE)
# Reasons of a server where somebody else pushed in the same moment; any other one is a decision.
RACE = re.compile(r"cannot lock ref|failed to update ref|incorrect old value")
REMOTE = re.compile(r"^remote: ?(.*)$", re.MULTILINE)
REMOTE_SECONDS = 20


class OvertakenError(GitopsError):
    """Somebody else pushed first."""


def unknown_at(clone: Clone, url: str, revision: str) -> str:
    """Return the commit that another URL has for a revision, if it answers and this repository does not have it."""
    try:
        done = run_git(
            "ls-remote", "--", url, revision or "HEAD", ssh_command=clone.ssh_command, timeout=REMOTE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return ""
    commit = "" if done.returncode else done.stdout.split("\t")[0].strip()
    return "" if not commit or History(clone).commit_of(commit) else commit


def check_move(clone: Clone, reference: str, before: str, commit: str) -> None:
    """Refuse to move a remote branch anywhere but forward; a tag may be moved to any commit."""
    history = History(clone)
    if not before or reference.startswith("refs/tags/") or not history.ahead(before, commit):
        return
    name = reference.removeprefix("refs/remotes/origin/")
    foreign = history.ahead(before, f"refs/remotes/origin/{clone.branch}")
    if foreign:
        raise GitopsError(
            f"{public(clone.url)}: branch {name} has {foreign} commits that {clone.branch} does not have. "
            f"Merge them into {clone.branch}, or reset {name}, and run again."
        )
    raise GitopsError(
        f"{public(clone.url)}: branch {name} is ahead of {commit[:12]}, and a branch is only moved forward: "
        f"revert the change on {clone.branch}, or let the environment follow a tag."
    )


def move(clone: Clone, reference: str, commit: str) -> None:
    """Move a remote branch or tag."""
    name = reference.removeprefix("refs/remotes/origin/")
    force = [] if name != reference else ["--force"]
    target = reference if name == reference else f"refs/heads/{name}"
    _send(clone, name, *force, f"{commit}:{target}")
    clone.fetch()


def push(clone: Clone, name: str, email: str) -> None:
    """Push; when somebody else pushed first, put our commit on top of theirs and try again."""
    for _attempt in range(PUSH_ATTEMPTS):
        try:
            _send(clone, clone.branch, f"HEAD:refs/heads/{clone.branch}")
        except OvertakenError:
            pass
        else:
            return
        clone.fetch()
        _rebase(clone, name, email)
    raise GitopsError(
        f"{public(clone.url)}: the push was rejected {PUSH_ATTEMPTS} times because others pushed; run again."
    )


def _send(clone: Clone, name: str, *args: str) -> None:
    """Push once. A refusal of the server is told in its own words."""
    command = ("push", "--quiet", *args[:-1], "origin", args[-1])
    done = clone.attempt(*command, umask=umask_of(clone.url))
    if not done.returncode:
        return
    rejected = REJECTED.search(done.stderr)
    if not rejected:
        raise clone.failure(command, done)
    reason = rejected["reason"] or "no reason was given"
    if not rejected["by"] or RACE.search(reason):
        raise OvertakenError(str(clone.failure(command, done)))
    words = " ".join(line.strip() for line in REMOTE.findall(done.stderr) if line.strip())
    raise GitopsError(
        f"Nothing was published. {public(clone.url)} refuses the push to {name}: "
        f"{public(f'{words} ({reason})' if words else reason, clone.url)}."
    )


def umask_of(url: str) -> int:
    """Return the umask with which new objects of a repository on this machine can be read by all who read the old ones.

    Git creates them with the umask of who pushes, which Argo CD's user may not be able to read.
    """
    objects = Path(url.removeprefix("file://")) / "objects"
    return ~objects.stat().st_mode & 0o077 if objects.is_absolute() and objects.is_dir() else -1


def _rebase(clone: Clone, name: str, email: str) -> None:
    try:
        clone.git(*identity(name, email), "rebase", "--quiet", f"origin/{clone.branch}")
    except GitopsError as error:
        clone.git("rebase", "--abort", check=False)
        raise GitopsError(
            f"{public(clone.url)}: somebody pushed a change to the same lines below {ROOT}/: run again, "
            "and if it fails again, find out who else writes there."
        ) from error
