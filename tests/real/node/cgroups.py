# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one thing of a node that cannot be in a namespace: its cgroups, below one of our own in each hierarchy."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MOUNTED = Path("/sys/fs/cgroup")
TOP = "gitops-real-node"


def hierarchies() -> list[str]:
    """Return the mounted hierarchies of version 1, each by its controllers, or as name=systemd.

    All of them: containerd watches no container for a lack of memory where one that a process is in is not mounted.
    """
    found = [line.split(":")[1] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return sorted(name for name in found if name and mounted(name).is_dir())


def mounted(name: str) -> Path:
    """Return where a hierarchy is mounted."""
    return MOUNTED / name.removeprefix("name=")


def create(run: str) -> None:
    """Create the cgroups of a run.

    Other work on the machine goes first, and a node that uses too much memory ends its own processes, no others.
    """
    for name in hierarchies():
        for folder in (mounted(name) / TOP, mounted(name) / TOP / run):
            folder.mkdir(exist_ok=True)
            if "cpuset" in name.split(","):  # without both it takes no processes
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (folder / setting).write_text((folder.parent / setting).read_text())
        for controller, (setting, value) in limits().items():
            if controller in name.split(","):
                (mounted(name) / TOP / run / setting).write_text(str(value))


def limits() -> dict[str, tuple[str, int]]:
    """Return the settings of a run's cgroups: half the usual share of the processors, nine tenths of the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": ("cpu.shares", 512), "memory": ("memory.limit_in_bytes", memory * 9 // 10)}


def join(run: str) -> None:
    """Move this process, whose id the kernel takes from 0, into the cgroups of a run."""
    for name in hierarchies():
        (mounted(name) / TOP / run / "cgroup.procs").write_text("0")


def mount_own(names: list[str], mount: Callable[..., None]) -> None:
    """Mount hierarchies again, in a namespace of cgroups: their roots are the cgroups of this process."""
    mount("tmpfs", MOUNTED, "tmpfs", options="mode=755")
    for name in names:
        mounted(name).mkdir()
        mount("cgroup", mounted(name), "cgroup", options=f"none,{name}" if name.startswith("name=") else name)
        for alias in name.split(",") if "," in name else []:
            (MOUNTED / alias).symlink_to(name)


def folders(run: str) -> Iterator[Path]:
    """Return the existing cgroups of a run, the innermost first, and the top ones last."""
    for name in hierarchies():
        top = mounted(name) / TOP
        for path, _names, _files in os.walk(top / run, topdown=False):
            yield Path(path)
        if top.is_dir():
            yield top


def remove(run: str, seconds: float = 20) -> list[str]:
    """Remove the cgroups of a run and return those that stay; the kernel needs a moment after the last process."""
    deadline = time.monotonic() + seconds
    while True:
        for folder in folders(run):
            with contextlib.suppress(OSError):  # busy, or the top one, which another run uses
                folder.rmdir()
        left = [str(folder) for folder in folders(run) if folder.name != TOP]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)
