# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything is in the drawings of the report: pure functions from the report's data to coordinates.

Each drawing has two forms: a wide one, and a narrow one for a telephone, on which the wide one could not be read.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import graph

Entry = Mapping[str, Any]
Drawing = dict[str, Any]
WIDE, NARROW = 1080.0, 358.0
CHARACTER = 8.0  # width of one at the size of the labels
# Wide: boxes in columns.
BOX, BOX_GAP, BEND = 28.0, 8.0, 6.0
BOX_WIDTHS, COLUMN_GAP = (112.0, 184.0), 44.0
WIDEST = 1240.0  # it is shown smaller, and can still be read
HEADING = 26.0
# Narrow: a list of names with an arc for each dependency.
ROW, GUTTER = 26.0, 92.0
MOST = 300  # a graph of more can neither be read nor be laid out within a second
ARCS = 30  # so many Applications have arcs
ROUNDS = 6


def shortened(name: str, width: float) -> str:
    """Return a name that fits into a width, without its middle if it is too long."""
    room = max(int(width / CHARACTER), 5)
    if len(name) <= room:
        return name
    head = (room - 1) // 2
    return f"{name[:head]}…{name[len(name) - (room - 1 - head) :]}"


def step_of(number: int) -> str:
    """Return the heading of a layer."""
    return f"step {number + 1}" if number else "step 1: needs nothing"


def needs_of(applications: Sequence[Entry]) -> dict[str, list[str]]:
    """Return what each Application depends on, as far as the report has it."""
    return graph.without_cycles({entry["name"]: entry["depends_on"] for entry in applications})


def state_of(entry: Entry) -> str:
    """Return the state by which an Application is drawn."""
    return "paused" if entry["paused"] and entry["state"] == "ready" else str(entry["state"])


def wide_graph(applications: Sequence[Entry]) -> Drawing:
    """Return boxes in a column for each layer, and below them in rows what neither needs anything nor is needed."""
    known = {entry["name"]: entry for entry in applications}
    needs = needs_of(applications)
    edges = graph.essential(needs)
    linked = {name for edge in edges for name in edge}
    layer = {name: number for name, number in graph.layers(needs).items() if name in linked}
    chains, placed = graph.with_bends(edges, layer)
    rows = graph.ordered(chains, placed)
    width, step = columns(len(rows), [name for name in layer if name in known])
    center = heights(rows, chains, known)
    top = min((center[name] for row in rows for name in row), default=0.0) - BOX / 2 - HEADING
    middle = {name: center[name] - top for row in rows for name in row}
    left = {name: placed[name] * step for row in rows for name in row}
    boxes = [
        box(known[name], left[name], middle[name] - BOX / 2, width) for row in rows for name in row if name in known
    ]
    bottom = max((entry["y"] + BOX for entry in boxes), default=0.0)
    alone = [entry for entry in applications if entry["name"] not in linked]
    singles, height = grid(alone, bottom + (HEADING + BOX_GAP if boxes and alone else HEADING if alone else 0.0))
    lines = [line(chain, left, middle, width, known) for chain in chains]
    headings = [{"x": number * step, "y": 12.0, "text": step_of(number)} for number in range(len(rows))]
    if alone:
        headings.append(
            {"x": 0.0, "y": singles[0]["y"] - 12, "text": "on its own: needs nothing, and nothing needs it"}
        )
    used = max((entry["x"] + entry["width"] for entry in boxes + singles), default=WIDE)
    total = max(bottom, height) + 2
    return {"width": max(used, WIDE), "height": total, "boxes": boxes + singles, "lines": lines, "headings": headings}


def columns(number: int, names: Sequence[str]) -> tuple[float, float]:
    """Return the width of a box and the distance of two columns: room for the names, while all can be read."""
    longest = max(map(len, names), default=0) * CHARACTER + 36
    most = (WIDEST - (number - 1) * COLUMN_GAP) / max(number, 1)
    width = max(min(max(longest, BOX_WIDTHS[0]), BOX_WIDTHS[1], most), BOX_WIDTHS[0])
    free = (WIDE - number * width) / max(number - 1, 1)
    return width, width + min(max(free, COLUMN_GAP), 2 * width)


def heights(
    rows: Sequence[Sequence[str]], chains: Sequence[Sequence[str]], known: Mapping[str, Entry]
) -> dict[str, float]:
    """Return the middle of each box and bend: near its neighbours, and not over another."""
    room = {name: (BOX if name in known else BEND) + BOX_GAP for row in rows for name in row}
    neighbours: dict[str, list[str]] = {name: [] for name in room}
    for start, end in (pair for chain in chains for pair in pairwise(chain)):
        neighbours[start].append(end)
        neighbours[end].append(start)
    place: dict[str, float] = {}
    for row in rows:
        sizes = [room[name] for name in row]
        place |= dict(zip(row, graph.spread([-sum(sizes) / 2] * len(row), sizes), strict=True))
    for turn in range(ROUNDS):
        for row in rows if turn % 2 == 0 else reversed(rows):
            near = [neighbours[name] for name in row]
            wanted = [
                sum(place[other] for other in found) / len(found) if found else place[name]
                for name, found in zip(row, near, strict=True)
            ]
            place |= dict(zip(row, graph.spread(wanted, [room[name] for name in row]), strict=True))
    return place


def box(entry: Entry, x: float, y: float, width: float) -> Drawing:
    """Return the box of an Application."""
    label = shortened(entry["name"], width - 34)
    return {
        "name": entry["name"],
        "label": label,
        "state": state_of(entry),
        "x": x,
        "y": y,
        "width": width,
        "height": BOX,
    }


def grid(entries: Sequence[Entry], top: float) -> tuple[list[Drawing], float]:
    """Return boxes in rows of six, and where the last row ends."""
    across = 6
    width = (WIDE - (across - 1) * BOX_GAP) / across
    boxes = [
        box(entry, number % across * (width + BOX_GAP), top + number // across * (BOX + BOX_GAP), width)
        for number, entry in enumerate(entries)
    ]
    return boxes, max((entry["y"] + BOX for entry in boxes), default=0.0)


def line(
    chain: Sequence[str],
    left: Mapping[str, float],
    middle: Mapping[str, float],
    width: float,
    known: Mapping[str, Entry],
) -> Drawing:
    """Return the curve of a dependency, from the right side of what is needed to the left side of what needs it."""
    first, *bends, last = chain
    path = [f"M{left[first] + width:.1f} {middle[first]:.1f}"]
    x, y = left[first] + width, middle[first]
    for name in [*bends, last]:
        end, to = left[name], middle[name]
        half = (end - x) / 2
        path.append(f"C{x + half:.1f} {y:.1f} {end - half:.1f} {to:.1f} {end:.1f} {to:.1f}")
        x, y = end, to
        if name in bends:
            x += width
            path.append(f"L{x:.1f} {y:.1f}")
    return {"path": " ".join(path), "needed": first, "needs": last, "state": known[first]["state"]}


def narrow_graph(applications: Sequence[Entry]) -> Drawing:
    """Return a list of names below the headings of their layers.

    A few have an arc for each dependency at their left; for many arcs there is no room, so they say what they need.
    """
    known = {entry["name"]: entry for entry in applications}
    needs = needs_of(applications)
    edges, layer = graph.essential(needs), graph.layers(needs)
    chains, placed = graph.with_bends(edges, layer)
    rows = [[name for name in row if name in known] for row in graph.ordered(chains, placed)]
    few = len(known) <= ARCS
    left = GUTTER if few else 1.0
    boxes: list[Drawing] = []
    headings, y = [], 0.0
    for number, row in enumerate(rows):
        headings.append({"x": left, "y": y + 16, "text": step_of(number)})
        y += ROW
        for name in row:
            height = ROW if few or not needs[name] else 2 * ROW - 8
            said = "" if few or not needs[name] else f"needs {', '.join(needs[name])}"
            more = {"height": height - 4, "needs": shortened(said, NARROW - 36) if said else ""}
            boxes.append(box(known[name], left, y, NARROW - left) | more)
            y += height
    return {
        "width": NARROW,
        "height": y,
        "boxes": boxes,
        "lines": arcs(edges, boxes, known) if few else [],
        "headings": headings,
    }


def arcs(edges: Sequence[graph.Edge], boxes: Sequence[Drawing], known: Mapping[str, Entry]) -> list[Drawing]:
    """Return an arc for each dependency: the farther away, the farther out."""
    middle = {entry["name"]: entry["y"] + entry["height"] / 2 for entry in boxes}
    longest = max((middle[end] - middle[start] for start, end in edges), default=1.0)
    lines = []
    for start, end in edges:
        reach = GUTTER - 14 - (GUTTER - 26) * (1 - ((middle[end] - middle[start]) / longest) ** 0.5)
        bow = GUTTER - reach * 4 / 3
        first, last = f"{middle[start]:.1f}", f"{middle[end]:.1f}"
        path = f"M{GUTTER} {first} C{bow:.1f} {first} {bow:.1f} {last} {GUTTER - 3} {last}"
        lines.append({"path": path, "needed": start, "needs": end, "state": known[start]["state"]})
    return lines
