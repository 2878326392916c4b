# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait says at its end and in between: pure functions over its results.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import NO_MATCH
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import FAILED, READY, Code, Verdict

# So many Applications are described; the others are counted.
DESCRIBED = 20
HEALTH = ("Degraded", "Missing", "Unknown", "Progressing", "Suspended", "Healthy")
STATES = ("failed", "waiting", "ready")
# How a reason says by itself for how long it has lasted.
SAYS_WHEN = re.compile(r"\bsince |\b\d+ s ago\b|\bwithin \d+ s\b")
Result = dict[str, Any]


def worst_first(applications: list[Result]) -> list[Result]:
    """Return results in the order in which people should read them: what only follows from others comes after them."""
    return sorted(applications, key=_rank)


def _rank(entry: Result) -> tuple[int, bool, int, str]:
    health = entry.get("health", "")
    return (
        STATES.index(entry["state"]),
        entry.get("code") == Code.DEPENDENCY.value,
        HEALTH.index(health) if health in HEALTH else len(HEALTH),
        entry["name"],
    )


def failure_message(
    applications: list[Result], seconds: float, unavailable: str, done: str = "ready", more: Sequence[str] = ()
) -> str:
    """Return what is not done after so many seconds, why, since when and what to do: a line for each Application.

    `more` are lines about what is not an Application.
    """
    if unavailable:
        return f"{unavailable} (after {seconds:.0f} s)"
    if not applications:
        return "\n".join(more) or NO_MATCH
    bad = [entry for entry in worst_first(applications) if entry["state"] != READY]
    named, others = bad[:DESCRIBED], len(bad) - DESCRIBED
    steps = {entry.get("next_step", "") for entry in named}
    common = steps.pop() if len(steps) == 1 else ""
    lines = [f"{len(applications) - len(bad)} of {len(applications)} Applications are {done}."]
    lines += [paragraph(entry, seconds, done, entry.get("next_step", "") != common) for entry in named]
    if others > 0:
        lines.append(f"And {others} more.")
    lines[1:1] = more
    if common:
        lines.append(f"What to do: {common}")
    return "\n".join(lines)


def paragraph(entry: Result, seconds: float, done: str, with_step: bool) -> str:
    """Return what is said of one Application."""
    is_over = entry["state"] == FAILED
    text = f"Application {entry['name']}" + (":" if is_over else f" was not {done} after {seconds:.0f} s:")
    since = entry.get("since", "")
    text += f" {entry['reason']}" + (f" (since {since})" if since and not SAYS_WHEN.search(entry["reason"]) else "")
    text += "" if text.endswith((".", "?")) else "."
    return text + (f" What to do: {entry['next_step']}" if with_step and entry.get("next_step") else "")


def progress_text(name: str, found: Verdict) -> str:
    """Return what an Application waits for, for a progress line: the cause itself where it is known."""
    return f"{name}: {found.cause or found.reason}"
