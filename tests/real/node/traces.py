# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node could leave on the machine."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import cgroups


def found(state: Path) -> dict[str, set[str]]:
    """Return what there is of each kind; two results differ by what came and went meanwhile."""
    return {
        "mounts": {line.split(" ", 5)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "links": {link["ifname"] for link in json.loads(said("ip", "-j", "link"))},
        "firewall tables": {*said("nft", "list", "tables").splitlines()},
        "firewall rules": {rule for program in ("iptables-save", "ip6tables-save") for rule in rules(said(program))},
        "ipsets": {*said("ipset", "list", "-name").splitlines()},
        "cgroups": {str(path) for pattern in (cgroups.TOP, f"{cgroups.TOP}/*/") for path in mounted(pattern)},
        "processes": processes(state),
        "runs": {path.name for path in state.glob("*/") if path.name != "logs"},
        "files": {
            str(path) for folder in ("/run", "/var/lib", "/var/log", "/etc/cni", "/opt") for path in listed(folder)
        },
        "kernel settings": {*settings()},
    }


# What every node and firewall may set. Others change by themselves.
SETTINGS = ("kernel/*", "kernel/keys/*", "vm/*", "fs/inotify/*", "net/ipv4/*", "net/ipv4/conf/all/*", "net/netfilter/*")
CHANGING = {"ns_last_pid", "perf_event_max_sample_rate", "hung_task_detect_count", "tainted", "nf_conntrack_count"}


def settings() -> Iterable[str]:
    """Yield the settings of the kernel with their values."""
    for path in (path for pattern in SETTINGS for path in Path("/proc/sys").glob(pattern)):
        with contextlib.suppress(OSError):  # some can only be written
            if path.is_file() and path.name not in CHANGING:
                yield f"{path}={path.read_text().strip()}"


def said(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rules(text: str) -> Iterable[str]:
    """Yield the rules of a firewall without what they have counted."""
    return (re.sub(r"\[\d+:\d+\]", "", line) for line in text.splitlines() if not line.startswith("#"))


def mounted(pattern: str) -> Iterable[Path]:
    """Return the cgroups of a pattern, in all hierarchies."""
    return cgroups.MOUNTED.glob(f"*/{pattern}")


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


def left(before: dict[str, set[str]], after: dict[str, set[str]], others: Iterable[str] = ()) -> list[str]:
    """Return what is there after and was not before, but nothing of other runs."""
    new = [f"{kind}: {name}" for kind in after for name in sorted(after[kind] - before[kind])]
    return [entry for entry in new if not any(run in entry for run in others)]
