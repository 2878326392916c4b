# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes table and picture of the network flows in docs/security.md, from the definitions of the components.

A unit test compares. Run `python tests/flows_table.py` when a flow changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conftest import ROOT  # first: this makes the clone importable as a collection

# isort: split
from ansible.parsing.dataloader import DataLoader
from ansible_collections.monorepo.gitops.plugins.plugin_utils.network import (
    Block,
    End,
    Flow,
    Others,
    Pods,
    Special,
    flows_of,
    groups_of,
)
from unit.running import run_action

FILE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- flows: python tests/flows_table.py -->\n", "<!-- end of flows -->\n"
# All that an inventory can switch on.
VARIABLES = {"common_drizzle_route": True, "kafka_ui_route": True, "temporal_route": True}
NAMES = {
    "api-server": "the API server",
    "dns": "DNS",
    "gateway": "the Gateway",
    "host": "the server that is named",
    "metrics": "`gitops_network_metrics_namespaces`",
    "outside": "outside",
}
EVERYWHERE = ("dns", "api-server")


def components(inventory: str) -> list[dict[str, Any]]:
    """Return the plan of an inventory."""
    variables: dict[str, Any] = {}
    for file in sorted((ROOT / "inventories" / inventory / "group_vars" / "all").glob("*.yml")):
        variables |= DataLoader().load_from_file(str(file), trusted_as_template=True) or {}
    names = variables["gitops_components"]
    found: list[dict[str, Any]] = run_action("gitops_plan", variables | VARIABLES, components=names)["components"]
    return found


class Network:
    """The flows of both inventories."""

    def __init__(self) -> None:
        self.groups: dict[str, Pods] = {}
        self.flows: dict[tuple[str, str, tuple[int, ...]], Flow] = {}
        for inventory in ("prod", "dev"):
            plan = components(inventory)
            self.groups |= {pods.name: pods for entry in plan for pods in groups_of(entry).values()}
            for flow in flows_of(plan):
                ends = self.name(flow.source), self.name(flow.target)
                self.flows.setdefault((*ends, flow.ports), flow)

    def name(self, end: End) -> str:
        """Return what an end is called; pods that are named by their labels may be a known group."""
        if isinstance(end, Special):
            return NAMES[end.name]
        if isinstance(end, Pods):
            return f"`{end.name}`"
        if isinstance(end, Block):
            return end.cidr
        known = [pods for pods in self.groups.values() if (pods.namespace, pods.labels) == (end.namespace, end.labels)]
        return f"`{known[0].name}`" if known else others(end)

    def table(self) -> Iterator[str]:
        """Yield the lines of a table; who connects to the same for the same reason is in one line."""
        yield "| From | To | Ports | For |"
        yield "|---|---|---|---|"
        rows: dict[tuple[str, str, str], list[str]] = {}
        for (source, target, ports), flow in self.flows.items():
            special = isinstance(flow.target, Special) and flow.target.name in EVERYWHERE
            why = "" if special else flow.why
            rows.setdefault((target, ", ".join(map(str, ports)), why), []).append(source)
        for (target, ports, why), sources in rows.items():
            yield f"| {', '.join(dict.fromkeys(sources))} | {target} | {ports} | {why} |"

    def picture(self) -> Iterator[str]:
        """Yield the lines of a Mermaid graph."""
        yield "```mermaid"
        yield "graph LR"
        flows = [flow for flow in self.flows.values() if not hidden(flow)]
        shown = {self.name(end).strip("`") for flow in flows for end in (flow.source, flow.target)}
        by_component: dict[str, list[str]] = {}
        for name in self.groups:
            if name in shown:
                by_component.setdefault(name.partition(".")[0], []).append(name)
        for component, names in by_component.items():
            yield f"  subgraph {component}"
            yield from (f'    {identifier(name)}["{name.partition(".")[2]}"]' for name in names)
            yield "  end"
        yield from (f'  {identifier(name)}(["{name}"])' for name in sorted(shown - self.groups.keys()))
        for flow in flows:
            ends = (identifier(self.name(end).strip("`")) for end in (flow.source, flow.target))
            yield f"  {' -->|{}| '.format(' '.join(map(str, flow.ports))).join(ends)}"
        yield "```"

    def text(self) -> str:
        """Return what belongs between the two marks in the documentation."""
        return "\n".join([BEGIN, *self.picture(), "", *self.table(), "", END])


def hidden(flow: Flow) -> bool:
    """Return whether nearly every pod has a flow like this, so that the picture would be unreadable with it."""
    metrics = flow.source == Special("metrics")
    return metrics or (isinstance(flow.target, Special) and flow.target.name in EVERYWHERE)


def others(end: Others) -> str:
    """Return pods of somebody else in words."""
    where = "every namespace" if end.namespace == "*" else f"namespace {end.namespace}"
    labels = ", ".join(f"{key}={value}" for key, value in end.labels.items())
    return f"pods of {where}" + (f" with {labels}" if labels else "")


def identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def documented(text: str) -> str:
    """Return the documentation with the flows of now."""
    head, _mark, rest = text.partition(BEGIN)
    return head + Network().text() + rest.partition(END)[2]


if __name__ == "__main__":
    FILE.write_text(documented(FILE.read_text()))
