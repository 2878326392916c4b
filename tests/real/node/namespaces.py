# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls for namespaces and mounts, and what a node sees of the machine in a mount namespace of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from pathlib import Path
from typing import Any

from . import cgroups

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_CGROUPS, NEW_HOSTNAME, NEW_IPC, NEW_PROCESSES, NEW_NETWORK = (
    0x00020000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x20000000,
    0x40000000,
)
BIND, RECURSIVE, PRIVATE, SHARED = 0x1000, 0x4000, 0x40000, 0x100000
DETACH = 2
PARENT_DEATH_SIGNAL = 1
# A kubelet sets these for the whole machine. It finds them set as it wants, in files that lie above the real ones.
TUNABLES = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
# Where a kubelet has its state; within the namespace, this is a folder of the node's state.
KUBELET = Path("/var/lib/kubelet")


def system_call(name: str, *arguments: Any) -> None:
    """Call a function of the C library that returns -1 on failure."""
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", str(arguments))


def unshare(kinds: int) -> None:
    """Give this process namespaces of its own; those of processes are for its children."""
    system_call("unshare", kinds)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    system_call("prctl", PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)


def mount(source: str | Path, target: str | Path, kind: str = "none", flags: int = 0, options: str = "") -> None:
    """Mount a file system."""
    encoded = [os.fsencode(value) for value in (source, target, kind)]
    system_call("mount", *encoded, ctypes.c_ulong(flags), options.encode() or None)


def detach(path: str) -> None:
    """Unmount what is at a path, and all below it: what looks for a hierarchy of cgroups finds only our own."""
    if os.path.ismount(path):
        system_call("umount2", os.fsencode(path), DETACH)


def furnish(folder: Path) -> None:
    """Give a new mount namespace what a node writes to; nothing of it reaches the machine.

    The state of the node is in a folder of the machine: the layers of its images cannot lie on a file system of layers.
    """
    mount("none", "/", flags=RECURSIVE | PRIVATE)
    mount("none", "/", flags=RECURSIVE | SHARED)  # within this namespace: volumes that are mounted show in containers
    hierarchies = cgroups.hierarchies()
    detach("/proc")
    mount("proc", "/proc", "proc")
    detach("/sys")
    mount("sysfs", "/sys", "sysfs")
    cgroups.mount_own(hierarchies, mount)
    # Sockets, network namespaces and locks of the machine's own containers are there.
    detach("/run")
    mount("tmpfs", "/run", "tmpfs", options="mode=755")
    # CNI keeps its results below /var/lib, a kubelet its links to logs below /var/log.
    for path in ("/var/lib", "/var/log"):
        layer(path, folder / "layers" / path[1:].replace("/", "-"))
    # A kubelet has sockets there, whose paths may have 107 letters; those below a folder of state may be longer.
    for path in (folder / "kubelet", KUBELET):
        path.mkdir(exist_ok=True)
    mount(folder / "kubelet", KUBELET, flags=BIND)
    values = Path("/run/sysctl")
    values.mkdir()
    for name, value in TUNABLES.items():
        (values / name.replace("/", "-")).write_text(f"{value}\n")
        mount(values / name.replace("/", "-"), f"/proc/sys/{name}", flags=BIND)


def layer(path: str, changes: Path) -> None:
    """Keep what is written to a folder of the machine elsewhere."""
    for name in ("upper", "work"):
        (changes / name).mkdir(parents=True)
    mount("overlay", path, "overlay", options=f"lowerdir={path},upperdir={changes}/upper,workdir={changes}/work")


def become_first(folder: Path, hostname: str) -> None:
    """Turn this process, the first of its namespace of processes, into that of a node."""
    die_with_parent()
    cgroups.join(folder.name)
    unshare(NEW_MOUNTS | NEW_NETWORK | NEW_IPC | NEW_HOSTNAME | NEW_CGROUPS)
    socket.sethostname(hostname)
    furnish(folder)
