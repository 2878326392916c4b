# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test brings up is torn down whatever happens, and nothing of it stays."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster

STATE = Path(".local", "state", "monorepo.gitops")  # below the home folder of a user


def cluster_folder(name: str, place: Path) -> Path:
    """Return the folder of a rehearsal cluster of this user: each inventory, or clone for Molecule, has its own."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / STATE.parent) / STATE.name
    return state / "clusters" / f"{name}-{hashlib.sha1(str(place).encode(), usedforsecurity=False).hexdigest()[:6]}"


@contextlib.contextmanager
def torn_down(tear_down: Callable[[], object]) -> Iterator[None]:
    """Tear down in the end, also what came up in part. An error of the block is the one shown, whatever follows it."""
    failure: Exception | None = None
    try:
        yield
    except Exception as error:
        failure = error
        raise
    finally:
        try:
            tear_down()
        except Exception as error:
            if failure is None:
                raise
            failure.add_note(f"The tear-down failed, too: {error}")


def remove(cluster: RehearsalCluster) -> None:
    """Remove a cluster that a test has started without a playbook, and see that it is gone."""
    cluster.delete()
    assert_gone(cluster.paths.folder)


def assert_gone(folder: Path) -> None:
    """See that nothing is left of the cluster of a folder: no process, and nothing of its name where clusters are."""
    left = processes_of(folder)
    assert not left, f"Still running: {left}"
    files = [str(path) for place in folder.parents[:2] for path in place.glob(f"*{folder.name}*")]
    assert not files, f"Still there: {files}"


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that name a folder or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text().replace("\0", " ")
            if str(folder) in command or (process / "cwd").readlink().is_relative_to(folder):
                found.append(command)
    return found
