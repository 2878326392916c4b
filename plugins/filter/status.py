# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook status shows: a table of Applications, or a page about one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from ansible_collections.monorepo.gitops.plugins.filter.argocd import table
from ansible_collections.monorepo.gitops.plugins.filter.run import next_command
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.permission import Kind, advice

SHORT = 12  # as Git abbreviates a commit, and the report
REASON_LENGTH = 200
# Lines of events that are shown.
WARNINGS = 10
OTHERS = 5
# Argo CD compares every two or three minutes.
OLD_MINUTES = 15
COLUMNS = {
    "name": "Application",
    "sync": "Sync",
    "health": "Health",
    "revision": "Revision",
    "sync_policy": "Policy",
    "reason": "Reason",
}
TREE = {"object": "Object", "sync": "Sync", "health": "Health", "note": "State"}
HISTORY = {"id": "ID", "revision": "Revision", "deployedAt": "Deployed", "by": "By"}
EVENTS = {"age": "Age", "type": "Type", "reason": "Reason", "object": "Object", "message": "Message"}


def status_list(applications: list[dict[str, Any]]) -> str:
    """Return the Applications as a table, in their order."""
    text = table([row(entry) for entry in applications], COLUMNS)
    good = sum(entry["sync"] == "Synced" and entry["state"] == "Healthy" for entry in applications)
    return f"{text}\n\n{good} of {len(applications)} Applications are Synced and Healthy."


def row(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the line of an Application in the table: of several reasons the worst, and always that it is paused."""
    reasons = entry["reasons"]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    texts = [shortened(reasons[0]) + more] if reasons else []
    reason = "; ".join([*texts, *paused(entry)])
    return entry | {"revision": revision_of(entry), "sync_policy": policy(entry), "reason": reason}


def paused(entry: dict[str, Any]) -> list[str]:
    """Return since when and by whom automated sync of an Application is paused, which is not an error."""
    return [f"automated sync is {entry['paused']}"] if entry["paused"] else []


def policy(entry: dict[str, Any]) -> str:
    """Return the sync policy in one word."""
    return "Paused" if entry["paused"] else str(entry["sync_policy"])


def revision_of(entry: dict[str, Any]) -> str:
    """Return the commits that were compared."""
    return ", ".join(revision[:SHORT] for revision in entry["revisions"])


def shortened(text: str) -> str:
    """Return a text in one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_LENGTH else f"{line[: REASON_LENGTH - 1]}…"


def status_page(entry: dict[str, Any], now: datetime | None = None) -> str:
    """Return what there is to say about one Application, with its tree and its events."""
    moment = now or datetime.now(UTC)
    source = entry["sources"][0]
    where = " ".join(filter(None, [source.get("repoURL"), source.get("path") or source.get("chart")]))
    facts = [
        f"Application {entry['name']}: {entry['sync'] or 'Unknown'}, {entry['health'] or 'Unknown'}",
        f"  Source     {where} at {source.get('targetRevision') or 'HEAD'}",
        f"  Compared   {revision_of(entry) or 'never'}, {ago(entry['reconciled_at'], moment)}",
        f"  Policy     {policy(entry)}, project {entry['project']}",
        f"  Last sync  {operation(entry, moment)}",
        *(f"  Web        {url}" for url in entry["urls"]),
    ]
    said = [*entry["reasons"], *paused(entry), *blocked_kinds([entry])]
    reasons = [f"  - {text}" for text in said] or ["  nothing is wrong"]
    parts = ["\n".join(facts), "\n".join(["Reasons", *reasons]), tree_table(entry["tree"])]
    if entry["history"]:
        parts.append(f"History\n{table([deployed(item) for item in entry['history']], HISTORY)}")
    if entry["events"]:
        parts.append(f"Events\n{table(noted(entry['events'], moment), EVENTS)}")
    return "\n\n".join(parts)


def operation(entry: dict[str, Any], now: datetime) -> str:
    """Return what the last operation was and how it ended."""
    state = entry["operation"]
    if not entry["phase"]:
        return "about to begin" if state["running"] else "never"
    end = f"started {ago(state['started_at'], now)}" if state["running"] else ago(state["finished_at"], now)
    return f"{entry['phase']}, {end}, by {who(state['initiated_by'])}"


def who(initiated_by: dict[str, Any]) -> str:
    """Return who started an operation."""
    return "automated sync" if initiated_by.get("automated") else initiated_by.get("username") or "somebody"


def deployed(item: dict[str, Any]) -> dict[str, Any]:
    """Return the line of a deployment. The first one has the ID 0, which must not be left out."""
    revisions = item.get("revisions") or [item.get("revision") or ""]
    return {
        "id": str(item["id"]),
        "revision": ", ".join(revision[:SHORT] for revision in revisions),
        "deployedAt": item.get("deployedAt"),
        "by": who(item.get("initiatedBy") or {}),
    }


def tree_table(nodes: list[dict[str, Any]]) -> str:
    """Return the tree as a table, without objects about which there is nothing to say."""
    shown = [node for node, following in pairwise([*nodes, {}]) if is_shown(node, following)]
    rest = len(nodes) - len(shown)
    more = f"\nand {rest} more without a state, all of them Synced" if rest else ""
    rows = [node | {"object": f"{'  ' * node['depth']}{label(node)}", "note": "; ".join(note(node))} for node in shown]
    if not nodes:
        return "Objects\n  none"
    return f"Objects\n{table(rows, TREE)}{more}" if shown else f"Objects\n  {rest} without a state, all of them Synced"


def is_shown(node: dict[str, Any], following: dict[str, Any]) -> bool:
    """Return whether an object has a state that matters, or owns others."""
    if (
        node["reason"]
        or node["info"]
        or node["sync"] not in ("", "Synced")
        or following.get("depth", 0) > node["depth"]
    ):
        return True
    silent = ("CustomResourceDefinition", "ReplicaSet")
    return node["kind"] not in silent and bool(node["health"] or node["depth"])


def label(node: dict[str, Any]) -> str:
    """Return kind, namespace and name."""
    return f"{node['kind']} {node['namespace'] + '/' if node['namespace'] else ''}{node['name']}"


def note(node: dict[str, Any]) -> list[str]:
    """Return the state of an object in short texts."""
    return [text for text in (node["info"], shortened(node["reason"])) if text]


def noted(events: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return the newest warnings and some other events, the newest first."""
    kept, left = [], {"Warning": WARNINGS, "Normal": OTHERS}
    for event in events:
        if left.get(event["type"], 0) > 0:
            left[event["type"]] -= 1
            often = f" (x{event['count']})" if event["count"] > 1 else ""
            message = shortened(event["message"]) + often
            kept.append(event | {"age": ago(event["last_seen"], now).removesuffix(" ago"), "message": message})
    return kept


def ago(text: str, now: datetime) -> str:
    """Return how long ago a moment was, as kubectl writes ages."""
    if not text:
        return "at no time"
    seconds = max(int((now - datetime.fromisoformat(text)).total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"


def status_warnings(
    applications: list[dict[str, Any]], applicationsets: list[dict[str, Any]], now: datetime | None = None
) -> list[str]:
    """Return what is wrong beyond single Applications."""
    found = [f"ApplicationSet {entry['name']}: {text}" for entry in applicationsets for text in entry["reasons"]]
    found += blocked_kinds(applications)
    compared = [entry["reconciled_at"] for entry in applications if entry["reconciled_at"]]
    moment = now or datetime.now(UTC)
    if compared and (moment - datetime.fromisoformat(max(compared))).total_seconds() > OLD_MINUTES * 60:
        found.append(
            f"Argo CD compared an Application for the last time {ago(max(compared), moment)}, so all of this may be "
            "out of date: is its application controller running?"
        )
    return found


def blocked_kinds(applications: list[dict[str, Any]]) -> list[str]:
    """Return which kinds an AppProject does not allow, and how it comes to allow them."""
    kinds = {Kind(**kind) for entry in applications for kind in entry["blocked_kinds"]}
    text = advice(sorted(kinds), next_command("monorepo.gitops.site"))
    return [f"{text}."] if text else []


def old_secrets(secrets: list[dict[str, Any]], max_age: int) -> list[str]:
    """Return a warning of the credentials that are due, or none."""
    names = [f"{entry['namespace']}/{entry['name']} ({entry['age']} days)" for entry in secrets if entry["due"]]
    if not names:
        return []
    return [
        f"Generated credentials are older than gitops_secrets_max_age, which is {max_age} days: {', '.join(names)}. "
        f"Next: {next_command('monorepo.gitops.rotate_secrets')}"
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "old_secrets": old_secrets,
            "status_list": status_list,
            "status_page": status_page,
            "status_warnings": status_warnings,
        }
