# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of a run as a drawing: pure functions from the report's data to coordinates.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import timeline, words
from ansible_collections.monorepo.gitops.plugins.module_utils._report.drawing import shortened, state_of

Entry = Mapping[str, Any]
Drawing = dict[str, Any]
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
TOP, BAR = 34.0, 12.0
# So many Applications are drawn: those of the critical path, and the slowest of the others.
DRAWN = 30


def chart(report: Entry, width: float, label: float, row: float) -> Drawing:
    """Return the bars of a run; `label` is the room for names at the left, without which they stand above the bars."""
    entries = chosen(report)
    total = max(report["seconds"] or 0.0, 1.0)
    room = 74.0  # for the seconds at the right
    scale = (width - label - room) / total
    rows = []
    for number, entry in enumerate(entries):
        top = TOP + number * row
        rows.append(
            {
                "name": entry["name"],
                "label": shortened(entry["name"], (label or width * 0.7) - 34),
                "state": state_of(entry),
                "critical": entry["name"] in report["timeline"]["critical_path"],
                "y": top,
                "bar_y": top + (row - BAR - 6 if not label else (row - BAR) / 2),
                "bars": bars(entry, report, total, label, scale),
                "end": words.duration(offset(report["started"], entry["times"]["healthy"], total))
                if entry["times"]["healthy"]
                else "",
            }
        )
    published = report["timeline"]["published"]
    return {
        "width": width,
        "height": TOP + len(entries) * row + 4,
        "left": label,
        "right": width - room,
        "rows": rows,
        "row": row,
        "bar": BAR,
        "ticks": [
            {"x": label + at * scale, "text": clock(at, total)} for at in ticks(total, (width - label - room) / 58)
        ],
        "published": label + offset(report["started"], published, total) * scale if published else None,
        "more": len([entry for entry in report["applications"] if entry["times"]["sync_started"]]) - len(entries),
    }


def clock(seconds: float, total: float) -> str:
    """Return a mark of the scale: seconds, or minutes and seconds of a longer run."""
    return f"{seconds:.0f} s" if total < 60 else f"{seconds // 60:.0f}:{seconds % 60:02.0f}"


def chosen(report: Entry) -> list[Entry]:
    """Return the Applications that are drawn, in the order in which they were done."""
    touched = [entry for entry in report["applications"] if entry["times"]["sync_started"]]
    path = report["timeline"]["critical_path"]
    by_end = sorted(touched, key=lambda entry: (timeline.end_of(entry), entry["name"]))
    first = [entry for entry in by_end if entry["name"] in path]
    others = [entry for entry in reversed(by_end) if entry["name"] not in path]
    kept = {entry["name"] for entry in [*first, *others][:DRAWN]}
    return [entry for entry in by_end if entry["name"] in kept]


def offset(start: str, moment: str, total: float) -> float:
    """Return how far into the run a moment is; clocks differ, so it is never outside."""
    return min(max(timeline.seconds_between(start, moment) or 0.0, 0.0), total)


def bars(entry: Entry, report: Entry, total: float, left: float, scale: float) -> list[Drawing]:
    """Return a bar for each part of an Application's way; what never ended goes on to the end of the run."""
    times, start = entry["times"], report["started"]
    marks: Sequence[tuple[str, str, str]] = [
        ("wait", times["generated"] or report["timeline"]["published"], times["sync_started"]),
        ("sync", times["sync_started"], times["synced"]),
        ("health", times["synced"], times["healthy"]),
    ]
    found = []
    for kind, begin, end in marks:
        if not begin:
            continue
        first, last = offset(start, begin, total), offset(start, end, total) if end else total
        if kind == "wait" and last <= first:
            continue
        found.append(
            {"kind": kind, "x": left + first * scale, "width": max((last - first) * scale, 2.0), "open": not end}
        )
        if not end:
            break
    return found


def ticks(total: float, most: float) -> list[float]:
    """Return the seconds at which the scale has a line: a round step, and no more lines than there is room for."""
    step = next((step for step in STEPS if total / step <= most), STEPS[-1])
    return [float(step * number) for number in range(int(total // step) + 1)]
