# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether an Application is ready, on its way or failed, and why.

Pure functions over the plain object. Whether its status is fresh, that is newer than the question, is decided by the
caller (application.py), because it takes several versions of the object to know.

The rules follow what Argo CD's controller does (controller/appcontroller.go, controller/sync.go, controller/state.go
at v3.6.1): which status it writes together, and in which order.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Application = dict[str, Any]
Resource = dict[str, Any]

WAIT, READY, FAILED = "waiting", "ready", "failed"
FINISHED = ("Succeeded", "Failed", "Error")
SPECIFICATION_ERRORS = ("InvalidSpecError", "UnknownError", "DeletionError")
# Errors of a component of Argo CD that is starting; the manifests are not to blame.
PASSING = (
    "connection refused",
    "Unavailable",
    "DeadlineExceeded",
    "i/o timeout",
    "connection error",
    "EOF",
    "reset by peer",
)
# How often an error must be confirmed by a reconcile of its own before it counts.
ERROR_ROUNDS = 3
# How long an idle OutOfSync must last before it counts as drift: the controller's cache may lag behind its own sync.
DRIFT_SECONDS = 5.0
WINDOW_SECONDS = 5.0
NAMED = 5
RESOURCE_KEYS = ("group", "kind", "namespace", "name", "status", "health", "syncWave")


@dataclass(frozen=True)
class Request:
    """What must be true of an Application."""

    sync: bool = True
    health: frozenset[str] | None = frozenset({"Healthy"})
    operation: bool = True
    revisions: tuple[str, ...] = ()
    allow_degraded_seconds: float = 10.0


@dataclass(frozen=True)
class Seen:
    """What the caller knows beside the object: how long the reason lasts, and how often an error was confirmed."""

    seconds: float = 0.0
    error_rounds: int = 0


@dataclass(frozen=True)
class Verdict:
    """The answer. `code` names the rule, so that the caller can act on it; `reason` is for people."""

    state: str
    code: str
    reason: str = ""


def verdict(application: Application, request: Request, seen: Seen = Seen()) -> Verdict:
    """Judge an Application whose status is fresh."""
    for rule in (_errors, _operation, _revision, _sync, _health):
        found = rule(application, request, seen)
        if found:
            return found
    return Verdict(READY, "ready")


def status_of(application: Application) -> dict[str, Any]:
    """Return the status; a new Application has none."""
    return application.get("status") or {}


def conditions(application: Application, *types: str) -> list[str]:
    """Return the messages of conditions of the given types; a condition that is there is true."""
    found = status_of(application).get("conditions") or []
    return [f"{entry['type']}: {entry.get('message', '')}" for entry in found if entry.get("type") in types]


def _errors(application: Application, _request: Request, seen: Seen) -> Verdict | None:
    messages = conditions(application, *SPECIFICATION_ERRORS, "ComparisonError")
    if not messages:
        return None
    text = "; ".join(messages)
    if any(mark in text for mark in PASSING) or seen.error_rounds < ERROR_ROUNDS:
        return Verdict(WAIT, "error", text)
    return Verdict(FAILED, "error", text)


def _operation(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.operation:
        return None
    state = status_of(application).get("operationState") or {}
    phase, message = state.get("phase", ""), state.get("message", "")
    if application.get("operation"):
        if "blocked by sync window" in message:
            return Verdict(
                FAILED if seen.seconds > WINDOW_SECONDS else WAIT,
                "sync-window",
                f"{message}: sync when the window is open, or change AppProject.spec.syncWindows",
            )
        code = "superseded" if is_superseded(application) else "syncing"
        return Verdict(WAIT, code, with_details(f"syncing: {message or phase or 'starting'}", application))
    if phase in ("Running", "Terminating"):
        return Verdict(WAIT, "syncing", f"operation {phase}: {message}")
    dry_run = ((state.get("operation") or {}).get("sync") or {}).get("dryRun")
    if phase in FINISHED and not dry_run and not reconciled_after(application, state.get("finishedAt")):
        return Verdict(WAIT, "post-sync", "the controller has not looked at the result of the sync yet")
    return None


def is_superseded(application: Application) -> bool:
    """Return whether an operation waits to try an old revision again, and so keeps the newer one from being synced."""
    state = status_of(application).get("operationState") or {}
    between_attempts = state.get("phase") == "Running" and bool(state.get("finishedAt"))
    attempted = operation_revisions(state)
    return between_attempts and bool(attempted) and attempted != revisions_of(application)


def reconciled_after(application: Application, moment: str | None) -> bool:
    """Return whether a reconcile began after a moment; times are in whole seconds, so the same one is not after."""
    reconciled = status_of(application).get("reconciledAt")
    return not moment or bool(reconciled and parse_time(reconciled) > parse_time(moment))


def parse_time(text: str) -> datetime:
    """Return the time of an RFC 3339 text."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def revisions_of(application: Application) -> tuple[str, ...]:
    """Return the revisions that the status was compared with, one for each source."""
    sync = status_of(application).get("sync") or {}
    return tuple(sync.get("revisions") or ([sync["revision"]] if sync.get("revision") else []))


def _revision(application: Application, request: Request, seen: Seen) -> Verdict | None:
    found = revisions_of(application)
    if not request.revisions:
        return None
    if len(found) == len(request.revisions) and all(map(str.startswith, found, request.revisions)):
        return None
    reason = (
        f"is at revision {', '.join(found) or 'none'} instead of {', '.join(request.revisions)}: "
        "its branch has moved on, or its targetRevision names another one"
    )
    return Verdict(FAILED if seen.error_rounds >= ERROR_ROUNDS else WAIT, "revision", reason)


def _sync(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.sync:
        return None
    sync = status_of(application).get("sync") or {}
    if sync.get("status") == "Synced":
        return None
    if sync.get("status") != "OutOfSync":
        return Verdict(WAIT, "unknown", f"sync status is {sync.get('status') or 'not known yet'}")
    return _out_of_sync(application, seen)


def _out_of_sync(application: Application, seen: Seen) -> Verdict:
    """Judge an Application that is OutOfSync while nothing runs."""
    policy = (application.get("spec") or {}).get("syncPolicy") or {}
    automated = policy.get("automated")
    automatic = automated is not None and automated.get("enabled") is not False
    out = [entry for entry in status_of(application).get("resources") or [] if entry.get("status") == "OutOfSync"]
    names = listed([resource_name(entry) for entry in out])
    if failed_here(application):
        return Verdict(FAILED, "sync-failed", with_details(sync_failure(application), application))
    if not automatic:
        return Verdict(FAILED, "manual", f"OutOfSync ({names}) and automated sync is off: sync it")
    if out and all(entry.get("requiresPruning") for entry in out) and not automated.get("prune"):
        return Verdict(FAILED, "prune", f"{len(out)} resources require pruning and automated pruning is off: {names}")
    return _drift(application, automated, names, seen) or Verdict(WAIT, "out-of-sync", f"OutOfSync: {names}")


def _drift(application: Application, automated: dict[str, Any], names: str, seen: Seen) -> Verdict | None:
    """Judge what is OutOfSync although the last sync of its revision succeeded."""
    state = status_of(application).get("operationState") or {}
    if state.get("phase") != "Succeeded" or operation_revisions(state) != revisions_of(application):
        return None
    reason = f"changed in the cluster ({names})"
    if automated.get("selfHeal"):
        heals = ((state.get("operation") or {}).get("sync") or {}).get("autoHealAttemptsCount", 0)
        return Verdict(WAIT, "drift", f"{reason}; self-heal pauses after {heals} syncs of this revision")
    return Verdict(FAILED if seen.seconds > DRIFT_SECONDS else WAIT, "drift", f"{reason} and selfHeal is off: sync it")


def failed_here(application: Application) -> bool:
    """Return whether the sync of the revision that is wanted now has finally failed.

    A failure of an older revision says nothing: automated sync starts again for the new one.
    """
    state = status_of(application).get("operationState") or {}
    if state.get("phase") not in ("Failed", "Error"):
        return False
    attempted = operation_revisions(state)
    return not attempted or attempted == revisions_of(application)


def operation_revisions(state: dict[str, Any]) -> tuple[str, ...]:
    """Return the revisions that an operation synced, one for each source."""
    for found in (state.get("syncResult") or {}, (state.get("operation") or {}).get("sync") or {}):
        if found.get("revisions") or found.get("revision"):
            return tuple(found.get("revisions") or [found["revision"]])
    return ()


def sync_failure(application: Application) -> str:
    """Return what the failed operation says, without the list of resources, which follows."""
    state = status_of(application).get("operationState") or {}
    return f"sync {state.get('phase')}: {state.get('message', '')}"


def _health(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if request.health is None:
        return None
    health = status_of(application).get("health") or {}
    status = health.get("status") or "not known yet"
    if status in request.health:
        return None
    reason = f"{status}: {unhealthy(application) or health.get('message') or 'no resource says why'}"
    if status == "Degraded" and seen.seconds > request.allow_degraded_seconds:
        return Verdict(FAILED, "degraded", reason)
    return Verdict(WAIT, "degraded" if status == "Degraded" else "health", reason)


def unhealthy(application: Application) -> str:
    """Return the resources that are not healthy, with their messages, where the controller persists them."""
    found = [
        f"{resource_name(entry)} {health['status']}" + (f" ({health['message']})" if health.get("message") else "")
        for entry in status_of(application).get("resources") or []
        if (health := entry.get("health") or {}).get("status") not in (None, "Healthy")
    ]
    return listed(found)


def resource_name(entry: Resource) -> str:
    """Return kind, namespace and name as people write them."""
    return f"{entry.get('kind')} {entry['namespace'] + '/' if entry.get('namespace') else ''}{entry.get('name')}"


def finalizer_text(finalizers: list[str]) -> str:
    """Return `finalizer a` or `finalizers a, b`; nothing when there is none."""
    return f"finalizer{'s' * (len(finalizers) > 1)} {', '.join(finalizers)}" if finalizers else ""


def failed_resources(application: Application) -> list[str]:
    """Return the resources and hooks that the last operation could not sync, with their messages."""
    result = (status_of(application).get("operationState") or {}).get("syncResult") or {}
    return [
        f"{resource_name(entry)}: {entry.get('message', '')}"
        for entry in result.get("resources") or []
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in ("Failed", "Error")
    ]


def with_details(text: str, application: Application) -> str:
    """Return a text followed by the resources that could not be synced."""
    failed = failed_resources(application)
    return f"{text} [{listed(failed)}]" if failed else text


def listed(entries: list[str]) -> str:
    """Return the first entries and how many more there are."""
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return ", ".join(entries[:NAMED]) + more


def summary(application: Application) -> dict[str, Any]:
    """Return what people ask of an Application."""
    status = status_of(application)
    state, health = status.get("operationState") or {}, status.get("health") or {}
    return {
        "name": application["metadata"]["name"],
        "namespace": application["metadata"]["namespace"],
        "project": (application.get("spec") or {}).get("project", ""),
        "sync": (status.get("sync") or {}).get("status", ""),
        "health": health.get("status", ""),
        "health_message": health.get("message", ""),
        "revision": (status.get("sync") or {}).get("revision", ""),
        "revisions": list(revisions_of(application)),
        "phase": state.get("phase", ""),
        "message": state.get("message", ""),
        "conditions": [
            {key: entry.get(key, "") for key in ("type", "message", "lastTransitionTime")}
            for entry in status.get("conditions") or []
        ],
        "not_synced": [
            resource_name(entry) for entry in status.get("resources") or [] if entry.get("status") == "OutOfSync"
        ],
        "failed_resources": failed_resources(application),
    }


def details(application: Application) -> dict[str, Any]:
    """Return everything that is worth knowing of an Application."""
    spec, status = application.get("spec") or {}, status_of(application)
    state = status.get("operationState") or {}
    automated = (spec.get("syncPolicy") or {}).get("automated")
    resources = status.get("resources") or []
    return summary(application) | {
        "sources": spec.get("sources") or [spec.get("source") or {}],
        "destination": spec.get("destination") or {},
        "automated": automated is not None and automated.get("enabled") is not False,
        "reconciled_at": status.get("reconciledAt", ""),
        "operation": {
            "running": bool(application.get("operation")),
            "started_at": state.get("startedAt", ""),
            "finished_at": state.get("finishedAt", ""),
            "retries": state.get("retryCount", 0),
        },
        "resources": [{key: entry.get(key) for key in RESOURCE_KEYS} for entry in resources],
        "history": [
            {key: entry.get(key) for key in ("id", "revision", "revisions", "deployedAt")}
            for entry in status.get("history") or []
        ],
    }
