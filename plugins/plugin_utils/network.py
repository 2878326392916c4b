# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to whom: the flows that the definitions of all components name. Pure functions.

A definition has groups of `pods`, and `flows` between them. One end of a flow is

- the name of a group, of the component itself or as `component.group`. A flow to a component that is not deployed
  does not exist.
- one of SPECIAL
- a mapping: pods of somebody else by `namespace` (`*` for all) and `labels`, or a `cidr`

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

# What is not a group of pods; `from` or `to` is the end at which it may be.
SPECIAL = {
    "api-server": ("from", "to"),  # admission webhooks, and clients of the API
    "dns": ("to",),
    "gateway": ("from",),
    "host": ("to",),  # a machine that may be a node of the cluster
    "metrics": ("from",),
    "outside": ("to",),
}
KEYS = {"from", "to", "ports", "addresses", "why"}


@dataclass(frozen=True)
class Pods:
    """A group of pods of a component."""

    component: str
    group: str
    namespace: str
    labels: dict[str, str]
    kept: bool = False  # outlives its component

    @property
    def name(self) -> str:
        """Return the full name of the group."""
        return f"{self.component}.{self.group}"


@dataclass(frozen=True)
class Others:
    """Pods of somebody else; `*` is every namespace."""

    namespace: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Addresses."""

    cidr: str


@dataclass(frozen=True)
class Special:
    """One of SPECIAL."""

    name: str


End = Pods | Others | Block | Special


@dataclass(frozen=True)
class Flow:
    """Connections from one end to another, to these ports of the pods: not to those of a Service."""

    source: End
    target: End
    ports: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()  # of a target that is `host` or `outside`; all when it is empty
    why: str = ""


def groups_of(component: dict[str, Any]) -> dict[str, Pods]:
    """Return the groups of pods of a component of the plan."""
    found = {}
    for name, entry in (component.get("pods") or {}).items():
        if name in SPECIAL or not isinstance(entry, dict) or not entry.get("labels"):
            raise GitopsError(
                f"pods of component {component['name']!r}: {name!r} needs `labels`, and its name must not be any of "
                f"{', '.join(SPECIAL)}."
            )
        kept = bool(entry.get("kept", False))
        found[name] = Pods(component["name"], name, component["namespace"], dict(entry["labels"]), kept)
    return found


def flows_of(components: list[dict[str, Any]], more: list[dict[str, Any]] | None = None) -> list[Flow]:
    """Return all flows between the components of a plan, and those of `gitops_network_flows`."""
    groups = {entry["name"]: groups_of(entry) for entry in components}
    found = []
    for entry in components:
        for flow in entry.get("flows") or []:
            place = f"flows of component {entry['name']!r}"
            found += list(_flow(flow, place, groups, entry["name"]))
    for flow in more or []:
        made = list(_flow(flow, "gitops_network_flows", groups, ""))
        if not made:
            raise GitopsError(f"gitops_network_flows: {flow!r} is about a component that is not in gitops_components.")
        found += made
    return found


def _flow(flow: dict[str, Any], place: str, groups: dict[str, dict[str, Pods]], own: str) -> Iterator[Flow]:
    """Return a flow when both of its ends exist."""
    if not isinstance(flow, dict) or not {"from", "to"} <= flow.keys() <= KEYS:
        raise GitopsError(f"{place}: {flow!r} needs `from` and `to`, and may have {', '.join(sorted(KEYS))}.")
    ends = [_end(flow[side], side, place, groups, own) for side in ("from", "to")]
    source, target = ends
    if source is None or target is None:
        return
    ports = [port for port in flow.get("ports") or [] if str(port).isdigit() and 0 < int(port) < 65536]
    if len(ports) != len(flow.get("ports") or []):
        raise GitopsError(f"{place}: {flow['ports']!r} must be numbers: on k3s a named port may open all ports.")
    if not ports and not (isinstance(target, Special) and target.name in ("api-server", "dns")):
        raise GitopsError(f"{place}: {flow!r} names no `ports`.")
    addresses = tuple(str(entry) for entry in flow.get("addresses") or [])
    yield Flow(source, target, tuple(int(port) for port in ports), addresses, flow.get("why", ""))


def _end(end: Any, side: str, place: str, groups: dict[str, dict[str, Pods]], own: str) -> End | None:
    """Return one end of a flow; None when its component is not deployed."""
    if isinstance(end, dict):
        if end.keys() == {"cidr"}:
            return Block(str(end["cidr"]))
        if "namespace" in end and end.keys() <= {"namespace", "labels"}:
            return Others(end["namespace"], dict(end.get("labels") or {}))
        raise GitopsError(f"{place}: {side} {end!r} must have `cidr`, or `namespace` and optionally `labels`.")
    if end in SPECIAL:
        if side not in SPECIAL[end]:
            raise GitopsError(f"{place}: {end!r} cannot be `{side}`.")
        return Special(end)
    component, _dot, group = str(end).rpartition(".")
    component = component or own
    if component and component not in groups:
        return None
    if group not in groups.get(component, {}):
        raise GitopsError(f"{place}: {side} {end!r} is not a group of pods: there is none in `pods` of that component.")
    return groups[component][group]
