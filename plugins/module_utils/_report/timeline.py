# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run did what: the times of its Applications, the critical path, and what took longest. Pure functions.

Times of Applications come from Argo CD's controller, in whole seconds; those of the run from this machine.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import words
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

Entry = Mapping[str, Any]
# What the report has about an Application that the run did not sync.
UNTOUCHED = {"generated": "", "sync_started": "", "synced": "", "healthy": ""}


def seconds_between(start: str, end: str) -> float | None:
    """Return the seconds from one moment to another; None when one of them is not known."""
    return round((parse_time(end) - parse_time(start)).total_seconds(), 1) if start and end else None


def is_since(text: str, start: str) -> bool:
    """Return whether something happened since the run began; the controller has whole seconds only."""
    return bool(text and start) and parse_time(text) >= parse_time(start).replace(microsecond=0)


def of_application(found: Entry, state: str, start: str) -> dict[str, str]:
    """Return when an Application was generated, synced and healthy during the run; empty what was before."""
    operation = found.get("operation") or {}
    begun, ended = operation.get("started_at") or "", operation.get("finished_at") or ""
    created: str = found.get("created_at") or ""
    if not is_since(begun, start):
        return dict(UNTOUCHED)
    synced = ended if ended and not operation["running"] and found.get("phase") == "Succeeded" else ""
    times: dict[str, str] = {"generated": created if is_since(created, start) else "", "sync_started": begun}
    changed = found.get("health_changed_at") or ""
    healthy = max([synced, changed], key=parse_time) if synced and is_since(changed, start) else synced
    return times | {"synced": synced, "healthy": healthy if state == "ready" else ""}


def of_run(report: Entry, published: str) -> dict[str, Any]:
    """Return when the run did what, for a report that has no timeline yet."""
    touched = [entry for entry in report["applications"] if entry["times"]["sync_started"]]
    found: dict[str, Any] = {
        "published": published if is_since(published, report["started"]) else "",
        "generated": latest(entry["times"]["generated"] for entry in touched),
        "healthy": latest(entry["times"]["healthy"] for entry in touched),
        "unchanged": len(report["applications"]) - len(touched)
        if report["kind"] in (words.RUN, words.PROMOTION)
        else 0,
        "critical_path": critical_path(touched),
    }
    return found | {"summary": summary(report, found, touched)}


def latest(moments: Iterable[str]) -> str:
    """Return the last of some moments, nothing when there is none."""
    return max(filter(None, moments), key=parse_time, default="")


def critical_path(entries: Iterable[Entry]) -> list[str]:
    """Return the chain of dependencies that ended last, its first link first.

    It ends with what was healthy last, or with what is not ready and does not wait for anything else that is not ready.
    From there it goes back, each time to the dependency that was healthy last.
    """
    known = {entry["name"]: entry for entry in entries}
    if not known:
        return []
    late = [entry for entry in known.values() if entry["state"] != "ready"]
    blocked = {name for name, entry in known.items() if any(is_late(known, need) for need in entry["depends_on"])}
    first = [entry for entry in late if entry["name"] not in blocked] or late
    end = first[0] if first else max(known.values(), key=lambda entry: (end_of(entry), entry["name"]))
    path = [end["name"]]
    while True:
        needs = [known[need] for need in known[path[0]]["depends_on"] if need in known and need not in path]
        if not needs:
            return path
        path.insert(0, max(needs, key=lambda entry: (end_of(entry), entry["name"]))["name"])


def is_late(known: Mapping[str, Entry], name: str) -> bool:
    """Return whether an Application is known and not ready."""
    return name in known and known[name]["state"] != "ready"


def end_of(entry: Entry) -> float:
    """Return when an Application was healthy; one that is not comes last."""
    return parse_time(entry["times"]["healthy"]).timestamp() if entry["times"]["healthy"] else float("inf")


def summary(report: Entry, run: Entry, touched: list[Entry]) -> list[str]:
    """Return what took how long, in sentences."""
    if report["kind"] not in (words.RUN, words.PROMOTION) or report["seconds"] is None or not report["applications"]:
        return []
    total = f"The {report['kind']} took {words.duration(report['seconds'])}"
    if not touched:
        return [f"{total}. Argo CD had nothing to sync."]
    marks = [
        (run["published"], f"until commit {words.short(report['commit'])} was published"),
        (run["generated"], "until Argo CD had generated the Applications"),
        (run["healthy"], "until the last Application was healthy"),
    ]
    parts, before = [], report["started"]
    for moment, what in marks:
        passed = seconds_between(before, moment)
        if passed is not None and passed >= 0:
            parts.append(f"{words.duration(passed)} {what}")
            before = moment
    sentences = [f"{total}: {', then '.join(parts)}." if parts else f"{total}."]
    return [*sentences, *slowest(report["started"], touched), *path_text(run["critical_path"])]


def slowest(start: str, touched: list[Entry]) -> list[str]:
    """Return which Application took longest, and with what."""
    done = [entry for entry in touched if entry["times"]["healthy"]]
    if not done:
        return []
    spent = {entry["name"]: parts_of(entry["times"], start) for entry in done}
    name = max(spent, key=lambda key: (spent[key]["sync"] + spent[key]["health"], key))
    sync, health = spent[name]["sync"], spent[name]["health"]
    what = f"{words.duration(sync)} to sync and {words.duration(health)} until its objects were healthy"
    return [f"{name} took longest: {words.duration(sync + health)}, of which {what}."]


def parts_of(times: Mapping[str, str], start: str) -> dict[str, float]:
    """Return for how long an Application waited, was synced, and became healthy; the run began at `start`."""
    begun = times["sync_started"]
    parts = {
        "wait": seconds_between(times["generated"] or start, begun),
        "sync": seconds_between(begun, times["synced"]),
        "health": seconds_between(times["synced"], times["healthy"]),
    }
    return {key: max(value or 0.0, 0.0) for key, value in parts.items()}


def path_text(path: list[str]) -> list[str]:
    """Return the critical path as a sentence; one Application alone is not a path."""
    if len(path) < 2:
        return []
    return [f"The critical path, the chain of dependencies that ended last, is {' → '.join(path)}."]
