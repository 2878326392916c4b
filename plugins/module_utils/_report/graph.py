# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of dependencies: its layers by longest path, and the order in them that crosses few lines. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

Needs = Mapping[str, Sequence[str]]
Edge = tuple[str, str]  # from what is needed to what needs it
SWEEPS = 8


def without_cycles(needs: Needs) -> dict[str, list[str]]:
    """Return the dependencies on what is known, without those that would close a cycle."""
    kept: dict[str, list[str]] = {}
    open_names: list[str] = []

    def visit(name: str) -> None:
        if name in kept:
            return
        open_names.append(name)
        found = []
        for need in sorted(set(needs[name])):
            if need in needs and need not in open_names:
                visit(need)
                found.append(need)
        open_names.pop()
        kept[name] = found

    for name in sorted(needs):
        visit(name)
    return kept


def layers(needs: Needs) -> dict[str, int]:
    """Return the layer of each name by the longest path to it: 0 for what needs nothing."""
    found: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in found:
            found[name] = max((layer(need) + 1 for need in needs[name]), default=0)
        return found[name]

    for name in needs:
        layer(name)
    return found


def essential(needs: Needs) -> list[Edge]:
    """Return the dependencies as edges, without those that follow from others (transitive reduction)."""
    above: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in above:
            above[name] = {need for direct in needs[name] for need in {direct} | reach(direct)}
        return above[name]

    edges = []
    for name in sorted(needs):
        implied = {far for need in needs[name] for far in reach(need)}
        edges += [(need, name) for need in needs[name] if need not in implied]
    return edges


def with_bends(edges: Iterable[Edge], layer: Mapping[str, int]) -> tuple[list[list[str]], dict[str, int]]:
    """Return each edge as a chain of one name per layer, and the layers with the bends that this takes."""
    placed, chains = dict(layer), []
    for start, end in edges:
        between = [f"{start}>{end}@{number}" for number in range(layer[start] + 1, layer[end])]
        placed |= {bend: layer[start] + 1 + index for index, bend in enumerate(between)}
        chains.append([start, *between, end])
    return chains, placed


def ordered(chains: Iterable[Sequence[str]], layer: Mapping[str, int]) -> list[list[str]]:
    """Return the names of each layer in an order in which few edges cross: the best of some sweeps by barycenter."""
    links = [pair for chain in chains for pair in pairwise(chain)]
    rows = [
        sorted(name for name in layer if layer[name] == number) for number in range(max(layer.values(), default=-1) + 1)
    ]
    before: dict[str, list[str]] = {name: [] for name in layer}
    after: dict[str, list[str]] = {name: [] for name in layer}
    for start, end in links:
        before[end].append(start)
        after[start].append(end)
    best, fewest = [list(row) for row in rows], crossings(rows, after)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            other = {name: at for at, name in enumerate(rows[number - 1 if down else number + 1])}
            rows[number] = sorted_by_center(rows[number], before if down else after, other)
        found = crossings(rows, after)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def sorted_by_center(row: Sequence[str], neighbours: Mapping[str, Sequence[str]], at: Mapping[str, int]) -> list[str]:
    """Return a layer in the order of the mean place of the neighbours; what has none keeps its place."""
    center = {
        name: sum(at[other] for other in neighbours[name]) / len(neighbours[name]) if neighbours[name] else float(place)
        for place, name in enumerate(row)
    }
    return sorted(row, key=lambda name: center[name])


def crossings(rows: Sequence[Sequence[str]], after: Mapping[str, Sequence[str]]) -> int:
    """Return how many pairs of edges between neighbouring layers cross."""
    total = 0
    for row, following in pairwise(rows):
        at = {name: place for place, name in enumerate(following)}
        ends: list[int] = []
        for name in row:
            found = [at[end] for end in after[name]]
            total += sum(end > one for one in found for end in ends)
            ends += found
    return total


def spread(wanted: Sequence[float], room: Sequence[float]) -> list[float]:
    """Return the places nearest to the wanted ones, in the same order, so that each has its room (least squares)."""
    offsets, total = [], 0.0
    for index, size in enumerate(room):
        total += (room[index - 1] + size) / 2 if index else 0.0
        offsets.append(total)
    blocks: list[tuple[float, int]] = []  # mean and number of places that lie as close as they may
    for place, offset in zip(wanted, offsets, strict=True):
        mean, number = place - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, number = (mean * number + other * more) / (number + more), number + more
        blocks.append((mean, number))
    means = [mean for mean, number in blocks for _place in range(number)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
