# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a report together from what a playbook knows. Pure functions over plain data.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._report import changes, timeline, words
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.tokens import TOKENS

# Of the schema roles/report/files/report.schema.json. A report of another version is not compared with.
VERSION = 1
HIDDEN = "(hidden)"
# What argocd_app_info calls an Application that is neither ready nor has failed.
STATES = {"Healthy": "ready", "Degraded": "failed", "Missing": "failed", "Failed": "failed"}
CLUSTER = ("server", "uid", "version", "context", "kubeconfig")
# Of a difference between two commits: it is for a look at it, Git has all of it.
DIFFERENCE_LINES = 400

Facts = Mapping[str, Any]


def assemble(facts: Facts, last: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the report, compared with the last one. Facts are what roles/report/tasks/write.yml hands over."""
    applications = applications_of(facts)
    report: dict[str, Any] = {
        "version": VERSION,
        "kind": facts["kind"],
        "environment": facts["environment"],
        "succeeded": not facts["failure"],
        "rehearsal": facts["rehearsal"],
        "note": words.REHEARSAL if facts["rehearsal"] else "",
        "started": facts["started"],
        "time": facts["time"],
        "commit": facts["commit"],
        "repository": {"url": "", "branch": "", "revision": ""} | dict(facts["repository"]),
        "cluster": {key: facts["cluster"].get(key) or "" for key in CLUSTER} if facts["cluster"] else {},
        "plan": {"counts": {}, "notes": []} | dict(facts["plan"]),
        "failure": dict(facts["failure"]),
        "applications": applications,
        "endpoints": [entry | {"simulated": facts["simulated"]} for entry in endpoints_of(served(facts))],
        "promotion": promotion(facts["promotion"]),
        "warnings": list(facts["warnings"]),
        "commands": dict(facts["commands"]),
    }
    report["counts"] = counts(applications)
    report["seconds"] = timeline.seconds_between(report["started"], report["time"])
    report["verdict"] = words.verdict(report)
    report["outcome"] = outcome(report)
    report["timeline"] = timeline.of_run(report, facts["published"])
    report["versions"] = changes.versions(facts["versions"], last)
    report["images"] = changes.images(applications, last)
    cleaned: dict[str, Any] = clean(report)
    cleaned["changes"] = changes.since(last, cleaned)
    return cleaned


def outcome(report: Mapping[str, Any]) -> str:
    """Return the result in one word, which decides about the colour of the verdict."""
    if report["failure"]:
        return "failed"
    if report["kind"] == words.CHECK:
        return "planned"
    late = any(entry["state"] != "ready" or words.is_pending(entry) for entry in report["applications"])
    return "attention" if late else "succeeded"


def counts(applications: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many Applications there are in each state, and how many of all are paused."""
    found = list(applications)
    states = {state: sum(entry["state"] == state for entry in found) for state in ("ready", "waiting", "failed")}
    return {"applications": len(found)} | states | {"paused": sum(bool(entry["paused"]) for entry in found)}


def applications_of(facts: Facts) -> list[dict[str, Any]]:
    """Return the Applications in the order of layers and dependencies.

    A run that waited knows how they are; otherwise they are as Argo CD describes them.
    """
    components = {entry["name"]: entry for entry in facts["components"]}
    found = {entry["name"]: entry for entry in facts["found"]}
    waited = {} if facts["kind"] in (words.STATUS, words.CHECK) else {entry["name"]: entry for entry in facts["waited"]}
    names = list(waited or found)
    entries = [
        application(waited.get(name), found.get(name, {}), components.get(name, {}), set(names), facts)
        for name in names
    ]
    return sorted(entries, key=lambda entry: (entry["layer"], entry["stage"], entry["name"]))


def application(
    waited: Mapping[str, Any] | None,
    found: Mapping[str, Any],
    component: Mapping[str, Any],
    known: set[str],
    facts: Facts,
) -> dict[str, Any]:
    """Return what the report says about an Application."""
    source = waited if waited is not None else found
    name, paused = source["name"], source.get("paused") or ""
    state = waited["state"] if waited is not None else STATES.get(found["state"], "waiting")
    # Of an Application that is paused and not ready, but may be so, the reason says since when and what is missing.
    reason = (waited["reason"] if waited is not None else "\n".join(found["reasons"])) or paused
    return {
        "name": name,
        "layer": component.get("layer") or source.get("project") or "",
        "stage": component.get("stage", 0),
        "depends_on": [need for need in component.get("depends_on", []) if need in known],
        "state": state,
        "paused": paused,
        "sync": source.get("sync") or "",
        "health": source.get("health") or "",
        "revision": source.get("revision") or "",
        "seconds": source.get("seconds"),
        "reason": reason,
        "next": next_steps(source, state, facts["commands"]),
        "images": sorted(found.get("images") or []),
        "times": timeline.of_application(found, state, facts["started"]),
    }


def next_steps(source: Mapping[str, Any], state: str, commands: Mapping[str, str]) -> list[str]:
    """Return what goes on from an Application that is not as it should be: what the wait says, then our playbooks."""
    advised = source.get("next_step") or next((cause["next"] for cause in source.get("causes") or []), "")
    steps = [advised] if state != "ready" else []
    wanted = {"status": state != "ready", "resume": bool(source.get("paused"))}
    steps += [
        f"{commands[key]} -e app={source['name']}"
        for key, is_wanted in wanted.items()
        if is_wanted and commands.get(key)
    ]
    return [step for step in steps if step]


def served(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the components that the environment serves: others wait for promotion, all if nothing is known of them."""
    names = {entry["name"] for entry in facts["waited"]}
    return [entry for entry in facts["components"] if not facts["promotion"] or not names or entry["name"] in names]


def endpoints_of(components: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the endpoints of the components, each with the name of its Application."""
    return [
        {key: str(endpoint.get(key) or "") for key in ("name", "url", "protocol", "purpose")}
        | {"application": component["name"]}
        for component in components
        for endpoint in component.get("endpoints") or []
    ]


def promotion(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what waits for promotion; nothing when the environment has all that was published."""
    if not found.get("behind"):
        return {}
    lines = str(found.get("difference") or "").splitlines()
    left = len(lines) - DIFFERENCE_LINES
    more = [f"… and {words.count(left, 'more line')}"] if left > 0 else []
    return {
        "revision": found["revision"],
        "branch": found["branch"],
        "behind": found["behind"],
        "files": list(found["files"]),
        "difference": "\n".join([*lines[:DIFFERENCE_LINES], *more]),
    }


def clean(value: Any) -> Any:
    """Return data without what may be a secret: user names and passwords in URLs, private keys and tokens."""
    if isinstance(value, Mapping):
        return {key: clean(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [clean(entry) for entry in value]
    if not isinstance(value, str):
        return value
    text = public(value)
    for form in TOKENS.values():
        text = form.pattern.sub(HIDDEN, text)
    return text
