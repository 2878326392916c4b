# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether an Application is ready, on its way or failed, and why.

Pure functions over the plain object. The caller (application.py) decides whether its status is fresh, that is
newer than the wait, because that takes several versions of the object.

The rules follow what Argo CD's controller does (controller/appcontroller.go, controller/sync.go, controller/state.go
at v3.6.1): which status it writes together, and in which order.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

Application = dict[str, Any]
Resource = dict[str, Any]

WAIT, READY, FAILED = "waiting", "ready", "failed"
FINISHED = ("Succeeded", "Failed", "Error")
SPECIFICATION_ERRORS = ("InvalidSpecError", "UnknownError", "DeletionError")
# Errors while a component of Argo CD is starting; the manifests are not the cause.
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
# How long nothing may change after a self-heal: a manager that keeps rewriting a field does so sooner.
HEAL_SECONDS = 10.0
# Marks a sync that this wait started in place of a self-heal.
INSTEAD_OF_SELF_HEAL = {"name": "ansible-reason", "value": "drift"}
# Annotations of an Application that request a refresh; the second one tells the requests apart.
REFRESH = "argocd.argoproj.io/refresh"
STAMP = "argocd.argoproj.io/refresh-timestamp"
IGNORED = "argocd.argoproj.io/compare-options: IgnoreExtraneous"
SHARED = "SharedResourceWarning"
SHARED_MESSAGE = re.compile(r"(?P<kind>[^/]+)/(?P<name>.+) is part of applications (?P<one>\S+) and (?P<other>\S+)")
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
    """What the caller knows in addition to the object.

    `seconds` is how long the reason has lasted, and `error_rounds` how often a reconcile confirmed it. `quiet_seconds`
    is how long ago the end of the last operation was observed. `overtaking` is a revision that appeared while an
    older one was being synced. `live` has the findings in the live objects. `others` are all Applications of the
    namespace by name; `stale` names those whose status is older than the wait, and `shared` those that failed already,
    because they share an object at the commit that they still have.
    """

    seconds: float = 0.0
    error_rounds: int = 0
    quiet_seconds: float = 0.0
    overtaking: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    others: Mapping[str, Application] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """The result. `code` names the rule, so that the caller can act on it; `reason` is a text for users."""

    state: str
    code: str
    reason: str = ""


def verdict(application: Application, request: Request, seen: Seen = Seen()) -> Verdict:
    """Judge an Application whose status is fresh."""
    for rule in (_deletion, _errors, _operation, _revision, _failed, _shared, _sync, _health, _self_heal):
        found = rule(application, request, seen)
        if found:
            healing = found.code in ("drift", "starting", "syncing", "post-sync", "self-heal")
            return replace(found, reason="; ".join([found.reason, *seen.live])) if healing else found
    return Verdict(READY, "ready")


def status_of(application: Application) -> dict[str, Any]:
    """Return the status; a new Application has none."""
    return application.get("status") or {}


def conditions(application: Application, *types: str) -> list[str]:
    """Return the messages of conditions of the given types; they have no status, presence means true."""
    found = status_of(application).get("conditions") or []
    return [f"{entry['type']}: {entry.get('message', '')}" for entry in found if entry.get("type") in types]


def warnings(application: Application) -> list[str]:
    """Return the warnings of the controller; its types of conditions end with Error, Warning or Info."""
    found = status_of(application).get("conditions") or []
    return [f"{entry['type']}: {entry.get('message', '')}" for entry in found if entry["type"].endswith("Warning")]


def is_deleted(application: Application) -> bool:
    """Return whether somebody deleted the Application, and finalizers keep it."""
    return bool(application["metadata"].get("deletionTimestamp"))


def _deletion(application: Application, _request: Request, seen: Seen) -> Verdict | None:
    return Verdict(WAIT, "deleting", deletion_text(application, list(seen.live))) if is_deleted(application) else None


def deletion_text(application: Application, held: list[str]) -> str:
    """Return since when an Application is being deleted, and what blocks that."""
    metadata = application["metadata"]
    parts = [f"is being deleted (since {metadata.get('deletionTimestamp', 'just now')})"]
    parts += filter(None, [finalizer_text(metadata.get("finalizers") or [])])
    parts += conditions(application, "DeletionError")
    parts += [f"held by {listed(held)}"] if held else []
    return "; ".join(parts)


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
    state = operation_state(application)
    phase, message = state.get("phase", ""), state.get("message", "")
    if application.get("operation"):
        if "blocked by sync window" in message:
            return Verdict(
                FAILED if seen.seconds > WINDOW_SECONDS else WAIT,
                "sync-window",
                f"{message}: sync when the window is open, or change AppProject.spec.syncWindows",
            )
        code = "syncing" if phase in ("Running", "Terminating") else "starting"
        if is_superseded(application) or is_partial_retry(application):
            code = "superseded"
        return Verdict(WAIT, code, with_details(f"syncing: {message or phase or 'starting'}", application))
    if phase in ("Running", "Terminating"):
        return Verdict(WAIT, "syncing", f"operation {phase}: {message}")
    if (
        phase in FINISHED
        and not sync_of(state).get("dryRun")
        and not reconciled_after(application, state.get("finishedAt"))
    ):
        return Verdict(WAIT, "post-sync", "the controller has not processed the result of the sync yet")
    return None


def is_superseded(application: Application) -> bool:
    """Return whether an operation waits to try an old revision again, and so blocks the sync of the newer one."""
    attempted = operation_revisions(operation_state(application))
    return between_attempts(application) and bool(attempted) and attempted != revisions_of(application)


def is_partial_retry(application: Application) -> bool:
    """Return whether a self-heal waits to try again only what was out of sync when it began.

    What disappeared after that is not included: while a namespace is being deleted by hand, the self-heal of its
    objects begins without the Namespace, and no retry can succeed (autoSync in controller/appcontroller.go at v3.6.1).
    """
    return between_attempts(application) and bool(sync_of(operation_state(application)).get("resources"))


def between_attempts(application: Application) -> bool:
    """Return whether an operation has failed and waits to be tried again."""
    state = operation_state(application)
    return state.get("phase") == "Running" and bool(state.get("finishedAt"))


def operation_state(application: Application) -> dict[str, Any]:
    """Return the state of the last operation; there may have been none."""
    return status_of(application).get("operationState") or {}


def sync_of(state: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation was asked to sync."""
    return (state.get("operation") or {}).get("sync") or {}


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


def _failed(application: Application, request: Request, _seen: Seen) -> Verdict | None:
    """Judge what the last sync left: where only a hook failed, everything may be Synced and Healthy all the same."""
    return _sync_failed(application) if request.operation else None


def _sync_failed(application: Application) -> Verdict | None:
    if not failed_here(application):
        return None
    return Verdict(FAILED, "sync-failed", with_details(sync_failure(application), application))


def _shared(application: Application, request: Request, seen: Seen) -> Verdict | None:
    """Judge an object that two Applications want, after both had time to settle."""
    if not request.sync:
        return None
    complaints = [(application, text) for text in shared_objects(application)]
    if healed(operation_state(application)):
        # It owns the object at the moment; the other one complains, and takes it back with its next self-heal.
        complaints += [
            (other, text)
            for other in seen.others.values()
            for text in shared_objects(other)
            if name_of(rival(text, other, seen.others)) == name_of(application)
        ]
    texts = [text for other, text in complaints if not _is_moving(other, text, seen)]
    failed = seen.error_rounds >= ERROR_ROUNDS
    if not texts:
        texts, failed = [text for other, text in complaints if _is_confirmed(other, text, seen)], True
    if texts:
        state = FAILED if failed else WAIT
        return Verdict(state, "shared", f"{SHARED}: {listed(texts)}: take it out of one of them")
    if complaints:
        return Verdict(WAIT, "moving", f"{SHARED}: {listed([text for _other, text in complaints])}")
    return None


def shared_objects(application: Application) -> list[str]:
    """Return an Application's warnings about shared objects, after it synced them itself."""
    if (status_of(application).get("sync") or {}).get("status") != "Synced" and not succeeded_here(application):
        return []
    found = status_of(application).get("conditions") or []
    return [entry.get("message", "") for entry in found if entry.get("type") == SHARED]


def rival(text: str, application: Application, others: Mapping[str, Application]) -> Application | None:
    """Return the other Application that a SharedResourceWarning names, if it is in the same namespace."""
    found = SHARED_MESSAGE.fullmatch(text)
    namespace, _sep, name = found["other"].rpartition("/") if found else ("", "", "")
    return others.get(name) if namespace in ("", application["metadata"]["namespace"]) else None


def name_of(application: Application | None) -> str:
    """Return the name of an Application, nothing when there is none."""
    return application["metadata"]["name"] if application else ""


def _is_moving(application: Application, text: str, seen: Seen) -> bool:
    """Return whether a shared object may only be on its way from one Application to another."""
    pair = [application] + [found for found in [rival(text, application, seen.others)] if found]
    if any(is_busy(one) or name_of(one) in seen.stale for one in pair):
        return True
    return len(pair) > 1 and (is_behind(*pair) or not wants(pair[1], text))


def _is_confirmed(application: Application, text: str, seen: Seen) -> bool:
    """Return whether one of two Applications has failed already, because both want the object at the same commit.

    It is not refreshed any more, so its last self-heal may stay the newest thing that its status shows.
    """
    other = rival(text, application, seen.others)
    if other is None or is_behind(application, other):
        return False
    return bool({name_of(application), name_of(other)} & seen.shared)


def is_busy(application: Application) -> bool:
    """Return whether an Application is in a transition that its status does not show yet."""
    state = operation_state(application)
    running = application.get("operation") or state.get("phase") in ("Running", "Terminating")
    return bool(running or is_deleted(application)) or not reconciled_after(application, state.get("finishedAt"))


def is_behind(application: Application, other: Application) -> bool:
    """Return whether two Applications that follow the same branch were compared with different commits."""
    branches = [
        [(source.get("repoURL"), source.get("targetRevision")) for source in sources_of(found)]
        for found in (application, other)
    ]
    return branches[0] == branches[1] and revisions_of(application) != revisions_of(other)


def wants(application: Application, text: str) -> bool:
    """Return whether the object of a SharedResourceWarning is in Git for an Application, and not just a leftover."""
    found = SHARED_MESSAGE.fullmatch(text)
    return any(
        found and (entry.get("kind"), entry.get("name")) == (found["kind"], found["name"])
        for entry in status_of(application).get("resources") or []
        if not entry.get("requiresPruning")
    )


def sources_of(application: Application) -> list[dict[str, Any]]:
    """Return the sources of the specification."""
    spec = application.get("spec") or {}
    return spec.get("sources") or [spec.get("source") or {}]


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
    out = [entry for entry in status_of(application).get("resources") or [] if entry.get("status") == "OutOfSync"]
    names = names_of(out)
    failed = _sync_failed(application)
    if failed:
        return failed
    if automated is None or automated.get("enabled") is False:
        return Verdict(FAILED, "manual", f"OutOfSync ({names}) and automated sync is off: sync it")
    if out and all(entry.get("requiresPruning") for entry in out) and not automated.get("prune"):
        return Verdict(FAILED, "prune", f"{len(out)} resources require pruning and automated pruning is off: {names}")
    if succeeded_here(application):
        return _drift(application, automated, out, seen)
    return Verdict(WAIT, "out-of-sync", "; ".join([f"OutOfSync: {names}", *conditions(application, "SyncError")]))


def _drift(application: Application, automated: dict[str, Any], out: list[Resource], seen: Seen) -> Verdict:
    """Judge what is OutOfSync although the last sync of its revision succeeded."""
    kept = [entry for entry in out if is_leftover(entry, operation_state(application))]
    left = f"Prune=false keeps {names_of(kept)}, which left Git" if kept else ""
    if kept and len(kept) == len(out):
        it = "it" if len(kept) == 1 else "them"
        return Verdict(FAILED, "leftover", f"{left}: delete {it}, or annotate {it} with {IGNORED}")
    changed = names_of([entry for entry in out if entry not in kept])
    reason = "; ".join(filter(None, [f"changed in the cluster ({changed})", left]))
    if automated.get("selfHeal"):
        heals = sync_of(operation_state(application)).get("autoHealAttemptsCount", 0)
        return Verdict(WAIT, "drift", f"{reason}; self-heal pauses after {heals} syncs of this revision")
    return Verdict(FAILED if seen.seconds > DRIFT_SECONDS else WAIT, "drift", f"{reason} and selfHeal is off: sync it")


def is_leftover(entry: Resource, state: dict[str, Any]) -> bool:
    """Return whether a resource left Git and the last sync kept it because of its option Prune=false."""
    return bool(entry.get("requiresPruning")) and any(
        all((result.get(key) or "") == (entry.get(key) or "") for key in ("group", "kind", "namespace", "name"))
        for result in (state.get("syncResult") or {}).get("resources") or []
        if result.get("status") == "PruneSkipped" and "no prune" in result.get("message", "")
    )


def succeeded_here(application: Application) -> bool:
    """Return whether the last operation was a successful sync of the revision that is wanted now."""
    state = operation_state(application)
    succeeded = state.get("phase") == "Succeeded" and not sync_of(state).get("dryRun")
    return succeeded and operation_revisions(state) == revisions_of(application)


def failed_here(application: Application) -> bool:
    """Return whether the sync of the revision that is wanted now has finally failed.

    A failure of an older revision does not count: automated sync starts again for the new one. Nor does one that ended
    before it resolved its revision, once everything is Synced.
    """
    state = operation_state(application)
    if state.get("phase") not in ("Failed", "Error") or sync_of(state).get("dryRun"):
        return False
    attempted = operation_revisions(state)
    if not attempted:
        return (status_of(application).get("sync") or {}).get("status") != "Synced"
    return attempted == revisions_of(application)


def operation_revisions(state: dict[str, Any]) -> tuple[str, ...]:
    """Return the revisions that an operation synced, one for each source."""
    for found in (state.get("syncResult") or {}, sync_of(state)):
        if found.get("revisions") or found.get("revision"):
            return tuple(found.get("revisions") or [found["revision"]])
    return ()


def sync_failure(application: Application) -> str:
    """Return what the failed operation says, without the list of resources, which follows."""
    state = operation_state(application)
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


def _self_heal(application: Application, request: Request, seen: Seen) -> Verdict | None:
    """Judge what self-heal has just corrected: another manager may change it again."""
    state = operation_state(application)
    if not (request.sync and request.operation and healed(state)) or seen.quiet_seconds >= HEAL_SECONDS:
        return None
    # Argo CD 3.6 calls it self-heal, too, when it syncs a revision that appeared while an older one was being synced.
    if sync_of(state).get("autoHealAttemptsCount") == 1 and operation_revisions(state) == seen.overtaking:
        return None
    finished, reconciled = state.get("finishedAt"), status_of(application).get("reconciledAt")
    # Both are times of the controller, in whole seconds.
    if finished and reconciled and (parse_time(reconciled) - parse_time(finished)).total_seconds() > HEAL_SECONDS:
        return None
    text = f"self-heal ran at {finished}: ready when nothing changes it again within {HEAL_SECONDS:.0f} s"
    return Verdict(WAIT, "self-heal", text)


def healed(state: dict[str, Any]) -> bool:
    """Return whether an operation corrected a change made in the cluster."""
    info = (state.get("operation") or {}).get("info") or []
    return bool(sync_of(state).get("autoHealAttemptsCount")) or INSTEAD_OF_SELF_HEAL in info


def unhealthy(application: Application) -> str:
    """Return the resources that are not healthy, with their messages, where the controller persists them."""
    found = [
        f"{resource_name(entry)} {health['status']}" + (f" ({health['message']})" if health.get("message") else "")
        for entry in status_of(application).get("resources") or []
        if (health := entry.get("health") or {}).get("status") not in (None, "Healthy")
    ]
    return listed(found)


def resource_name(entry: Resource) -> str:
    """Return kind, namespace and name for messages."""
    return f"{entry.get('kind')} {entry['namespace'] + '/' if entry.get('namespace') else ''}{entry.get('name')}"


def names_of(entries: list[Resource]) -> str:
    """Return the names of resources, the first ones where there are many."""
    return listed([resource_name(entry) for entry in entries])


def finalizer_text(finalizers: list[str]) -> str:
    """Return `finalizer a` or `finalizers a, b`; nothing when there is none."""
    return f"finalizer{'s' * (len(finalizers) > 1)} {', '.join(finalizers)}" if finalizers else ""


def failed_resources(application: Application) -> list[str]:
    """Return the resources and hooks that the last operation could not sync, with their messages."""
    result = operation_state(application).get("syncResult") or {}
    return [
        f"{result_name(entry)}: {entry.get('message', '')}"
        for entry in result.get("resources") or []
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in ("Failed", "Error")
    ]


def result_name(entry: Resource) -> str:
    """Return the name of a resource; a hook's name starts with its type."""
    return f"{entry['hookType']} hook {resource_name(entry)}" if entry.get("hookType") else resource_name(entry)


def with_details(text: str, application: Application) -> str:
    """Return a text followed by the resources that could not be synced."""
    failed = failed_resources(application)
    return f"{text} [{listed(failed)}]" if failed else text


def listed(entries: list[str], named: int = NAMED) -> str:
    """Return the first entries and how many more there are."""
    more = f" and {len(entries) - named} more" if len(entries) > named else ""
    return ", ".join(entries[:named]) + more


def summary(application: Application) -> dict[str, Any]:
    """Return the main facts about an Application."""
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
        "warnings": warnings(application),
        "not_synced": [
            resource_name(entry) for entry in status.get("resources") or [] if entry.get("status") == "OutOfSync"
        ],
        "failed_resources": failed_resources(application),
    }


def details(application: Application) -> dict[str, Any]:
    """Return all details of an Application."""
    spec, status = application.get("spec") or {}, status_of(application)
    state = status.get("operationState") or {}
    automated = (spec.get("syncPolicy") or {}).get("automated")
    resources = status.get("resources") or []
    return summary(application) | {
        "sources": sources_of(application),
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
