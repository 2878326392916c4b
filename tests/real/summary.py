# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suite says of itself: at first what runs for real, in the end what that took, and what did not run."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from .node.cluster import Parts

HARM = "it would harm this cluster, or needs a node of this suite"
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def of_node(parts: Parts) -> list[str]:
    """Return what runs for real on a node of this suite."""
    return [
        f"real: pods of {', '.join(sorted(parts.local))}",
        f"stubs: {'; '.join(f'{name}: {what}' for name, what in sorted(parts.stubs.items())) or 'none'}",
        f"simulated: pods of all other images; the operators of {', '.join(parts.operators) or 'no component'}",
    ]


def of_cluster(kubeconfig: str, nodes: list[dict[str, Any]]) -> list[str]:
    """Return what runs for real on a cluster of somebody else: what is not on nodes of KWOK."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for item in nodes:
        runtime = item["status"]["nodeInfo"]["containerRuntimeVersion"]
        found[not runtime.startswith("kwok")].append(f"{item['metadata']['name']} ({runtime})")
    return [
        f"cluster of {kubeconfig}: real: pods on {', '.join(found[True]) or 'no node'}",
        f"simulated: {'pods on ' + ', '.join(found[False]) if found[False] else 'nothing'}",
    ]


def obstacle(item: pytest.Item, elsewhere: bool, on_node: bool) -> str:
    """Return why a test cannot run on another cluster, on a node of this suite, or outside of both."""
    if item.get_closest_marker("machine"):
        return "it runs on the machine itself" if elsewhere or on_node else ""
    if elsewhere:
        return HARM if item.get_closest_marker("harms_node") else ""
    return "" if on_node else "it needs a cluster"


def memory() -> int:
    """Return the MiB of all processes that can be seen from here, each shared page counted once (PSS)."""
    kib = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is one of the kernel
            kib += sum(map(int, PSS.findall((process / "smaps_rollup").read_text())))
    return kib // 1024
