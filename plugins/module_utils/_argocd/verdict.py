# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether an Application is ready, on its way or failed, and why.

Pure functions over the plain object. The caller decides whether its status is fresh, that is newer than the wait,
because that takes several versions of the object (freshness.py).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.shared import (
    SHARED,
    is_confirmed,
    is_moving,
    name_of,
    rival,
    shared_objects,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    UNPROCESSED,
    Application,
    Resource,
    conditions,
    deletion_text,
    failed_here,
    healed,
    is_deleted,
    is_leftover,
    is_partial_retry,
    is_superseded,
    is_unprocessed,
    listed,
    names_of,
    operation_revisions,
    operation_state,
    parse_time,
    revisions_of,
    status_of,
    succeeded_here,
    sync_failure,
    sync_of,
    unhealthy,
    with_details,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    NOTHING_SEEN,
    READY,
    WAIT,
    Code,
    Request,
    Seen,
    Verdict,
)

OFF_ADVICE = " and automated sync is off: sync it"
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
# What another manager may be causing.
HEALING = (Code.DRIFT, Code.STARTING, Code.SYNCING, Code.POST_SYNC, Code.SELF_HEAL)
# How often an error must be confirmed by a reconcile of its own before it counts.
ERROR_ROUNDS = 3
# How long an idle OutOfSync must last before it counts as drift: the controller's cache may lag behind its own sync.
DRIFT_SECONDS = 5.0
WINDOW_SECONDS = 5.0
# How long nothing may change after a self-heal: a manager that keeps rewriting a field does so sooner.
HEAL_SECONDS = 10.0
IGNORED = "argocd.argoproj.io/compare-options: IgnoreExtraneous"


def verdict(application: Application, request: Request, seen: Seen = NOTHING_SEEN) -> Verdict:
    """Judge an Application whose status is fresh."""
    for rule in (_deletion, _errors, _operation, _revision, _failed, _shared, _sync, _health, _self_heal):
        found = rule(application, request, seen)
        if found:
            healing = found.code in HEALING
            return replace(found, reason="; ".join([found.reason, *seen.live])) if healing else found
    return Verdict(READY, Code.READY)


def _deletion(application: Application, _request: Request, seen: Seen) -> Verdict | None:
    return (
        Verdict(WAIT, Code.DELETING, deletion_text(application, list(seen.live))) if is_deleted(application) else None
    )


def _errors(application: Application, _request: Request, seen: Seen) -> Verdict | None:
    messages = conditions(application, *SPECIFICATION_ERRORS, "ComparisonError")
    if not messages:
        return None
    text = "; ".join(messages)
    if any(mark in text for mark in PASSING) or seen.error_rounds < ERROR_ROUNDS:
        return Verdict(WAIT, Code.ERROR, text)
    return Verdict(FAILED, Code.ERROR, text)


def _operation(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.operation:
        return None
    state = operation_state(application)
    phase, message = state.get("phase", ""), state.get("message", "")
    if application.get("operation"):
        if "blocked by sync window" in message:
            return Verdict(
                FAILED if seen.seconds > WINDOW_SECONDS else WAIT,
                Code.SYNC_WINDOW,
                f"{message}: sync when the window is open, or change AppProject.spec.syncWindows",
            )
        code = Code.SYNCING if phase in ("Running", "Terminating") else Code.STARTING
        if is_superseded(application) or is_partial_retry(application):
            code = Code.SUPERSEDED
        return Verdict(WAIT, code, with_details(f"syncing: {message or phase or 'starting'}", application))
    if phase in ("Running", "Terminating"):
        return Verdict(WAIT, Code.SYNCING, f"operation {phase}: {message}")
    return Verdict(WAIT, Code.POST_SYNC, UNPROCESSED) if is_unprocessed(application) else None


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
    return Verdict(FAILED if seen.error_rounds >= ERROR_ROUNDS else WAIT, Code.REVISION, reason)


def _failed(application: Application, request: Request, _seen: Seen) -> Verdict | None:
    """Judge what the last sync left: where only a hook failed, everything may be Synced and Healthy all the same."""
    return _sync_failed(application) if request.operation else None


def _sync_failed(application: Application) -> Verdict | None:
    if not failed_here(application):
        return None
    return Verdict(FAILED, Code.SYNC_FAILED, with_details(sync_failure(application), application))


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
    texts = [text for other, text in complaints if not is_moving(other, text, seen)]
    failed = seen.error_rounds >= ERROR_ROUNDS
    if not texts:
        texts, failed = [text for other, text in complaints if is_confirmed(other, text, seen)], True
    if texts:
        state = FAILED if failed else WAIT
        return Verdict(state, Code.SHARED, f"{SHARED}: {listed(texts)}: take it out of one of them")
    if complaints:
        return Verdict(WAIT, Code.MOVING, f"{SHARED}: {listed([text for _other, text in complaints])}")
    return None


def _sync(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.sync:
        return None
    sync = status_of(application).get("sync") or {}
    if sync.get("status") == "Synced":
        return None
    if sync.get("status") != "OutOfSync":
        return Verdict(WAIT, Code.UNKNOWN, f"sync status is {sync.get('status') or 'not known yet'}")
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
        return Verdict(FAILED, Code.MANUAL, f"OutOfSync ({names}){OFF_ADVICE}")
    if out and all(entry.get("requiresPruning") for entry in out) and not automated.get("prune"):
        return Verdict(
            FAILED, Code.PRUNE, f"{len(out)} resources require pruning and automated pruning is off: {names}"
        )
    if succeeded_here(application):
        return _drift(application, automated, out, seen)
    return Verdict(WAIT, Code.OUT_OF_SYNC, "; ".join([f"OutOfSync: {names}", *conditions(application, "SyncError")]))


def _drift(application: Application, automated: dict[str, Any], out: list[Resource], seen: Seen) -> Verdict:
    """Judge what is OutOfSync although the last sync of its revision succeeded."""
    kept = [entry for entry in out if is_leftover(entry, operation_state(application))]
    left = f"Prune=false keeps {names_of(kept)}, which left Git" if kept else ""
    if kept and len(kept) == len(out):
        it = "it" if len(kept) == 1 else "them"
        return Verdict(FAILED, Code.LEFTOVER, f"{left}: delete {it}, or annotate {it} with {IGNORED}")
    changed = names_of([entry for entry in out if entry not in kept])
    reason = "; ".join(filter(None, [f"changed in the cluster ({changed})", left]))
    if automated.get("selfHeal"):
        heals = sync_of(operation_state(application)).get("autoHealAttemptsCount", 0)
        return Verdict(WAIT, Code.DRIFT, f"{reason}; self-heal pauses after {heals} syncs of this revision")
    return Verdict(
        FAILED if seen.seconds > DRIFT_SECONDS else WAIT, Code.DRIFT, f"{reason} and selfHeal is off: sync it"
    )


def _health(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if request.health is None:
        return None
    health = status_of(application).get("health") or {}
    status = health.get("status") or "not known yet"
    if status in request.health:
        return None
    reason = f"{status}: {unhealthy(application) or health.get('message') or 'no resource says why'}"
    if status == "Degraded" and seen.seconds > request.allow_degraded_seconds:
        return Verdict(FAILED, Code.DEGRADED, reason)
    return Verdict(WAIT, Code.DEGRADED if status == "Degraded" else Code.HEALTH, reason)


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
    return Verdict(WAIT, Code.SELF_HEAL, text)
