# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node could leave on the machine."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

from . import cgroups


def found(state: Path) -> dict[str, set[str]]:
    """Return what there is of each kind; two results differ by what came and went meanwhile."""
    links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True, text=True).stdout)
    tables = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
    return {
        "mounts": {line.split(" ", 5)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "links": {link["ifname"] for link in links},
        "firewall tables": {*tables.splitlines()},
        "cgroups": {str(path) for path in cgroups.MOUNTED.glob(f"*/{cgroups.TOP}/**")},
        "processes": processes(state),
        "runs": {path.name for path in state.glob("*/") if path.name != "logs"},
        "files": {
            str(path) for folder in ("/run", "/var/lib", "/var/log", "/etc/cni", "/opt") for path in listed(folder)
        },
        "kernel settings": {f"{path}={path.read_text().strip()}" for path in SETTINGS},
    }


SETTINGS = [
    Path("/proc/sys", name)
    for name in (
        *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
        *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward"),
        *("net/ipv4/conf/all/rp_filter", "fs/inotify/max_user_instances", "net/ipv4/conf/all/route_localnet"),
    )
]


def listed(folder: str) -> list[Path]:
    """Return what is in a folder."""
    with contextlib.suppress(OSError):
        return [*Path(folder).iterdir()]
    return []


def namespaces(process: int) -> set[str]:
    """Return the namespaces of a process that are not those of this one."""
    here, there = (
        {str(link.readlink()) for link in Path("/proc", who, "ns").iterdir()} for who in ("self", str(process))
    )
    return there - here


def members(namespaces: set[str]) -> list[int]:
    """Return the processes that are in one of these namespaces."""
    seen = set()
    for link in Path("/proc").glob("[0-9]*/ns/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) in namespaces:
                seen.add(int(link.parts[2]))
    return sorted(seen)


def processes(state: Path) -> set[str]:
    """Return the processes that name the folder of state."""
    seen = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text().replace("\0", " ")
            if str(state) in command:
                seen.add(f"{process.name} {command}")
    return seen


def left(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Return what is there after and was not before."""
    return [f"{kind}: {name}" for kind in after for name in sorted(after[kind] - before[kind])]
