# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether an Application is ready, on its way or failed, and why.

Pure functions over the plain object. The caller decides whether its status is fresh, that is newer than the wait,
because that takes several versions of the object (freshness.py).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.differences import CONFIRMED, judge, leftovers
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import Nature, nature_of, plain
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import (
    BY_SPECIFICATION,
    REPO_SERVER,
    absence,
    is_brought,
    missing_kinds,
    suspended_entries,
    suspended_question,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import corrected, healed
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.permission import advice, blocked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.revisions import COMMIT, mismatch
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.shared import (
    SHARED,
    is_confirmed,
    is_moving,
    name_of,
    rival,
    shared_objects,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    NAMED_BROKEN,
    RUNNING,
    UNPROCESSED,
    Application,
    broken,
    conditions,
    conditions_of,
    deletion_text,
    failed_here,
    failed_resources,
    failure_texts,
    is_deleted,
    is_partial_retry,
    is_superseded,
    is_unprocessed,
    listed,
    operation_revisions,
    operation_state,
    reconciled_at,
    resource_name,
    results_of,
    revisions_of,
    status_of,
    sync_failure,
    unhealthy,
    with_details,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    NOTHING_SEEN,
    READY,
    WAIT,
    Code,
    Evidence,
    Request,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

SPECIFICATION_ERRORS = ("InvalidSpecError", "UnknownError", "DeletionError")
# What another manager may be causing.
HEALING = (Code.DRIFT, Code.STARTING, Code.SYNCING, Code.POST_SYNC, Code.SELF_HEAL)
# How often an error must be confirmed by a reconcile of its own before it counts.
ERROR_ROUNDS = 3
# How often an attempt must have ended in the same way before no further one is expected to end in another.
ATTEMPTS = 2
WINDOW_SECONDS = 5.0
# How long nothing may change after a self-heal: a manager that keeps rewriting a field does so sooner.
HEAL_SECONDS = 10.0
# How long what cannot get better by itself must last; Argo CD notices the end of a hook with a delay, and may make it
# again.
FINAL_SECONDS = 5.0
FINAL_HOOK_SECONDS = 60.0
# How long the repo-server may have no ready pod, or refuse connections: it may be restarting.
GONE_SECONDS = 60.0
# How a finding begins that names the right with which more would be known.
LACKING = "with the right to "
SINCE = re.compile(r" \(since [^)]*\)$")


def verdict(application: Application, request: Request, seen: Seen = NOTHING_SEEN) -> Verdict:
    """Judge an Application whose status is fresh."""
    for rule in (_deletion, _errors, _operation, _revision, _failed, _shared, _sync, _health, _self_heal):
        found = rule(application, request, seen)
        if found:
            # What is being deleted is in the reason of a drift.
            live = [text for text in seen.live if found.code != Code.DRIFT or " is being deleted" not in text]
            return replace(found, reason="; ".join([found.reason, *live])) if found.code in HEALING else found
    kept = leftovers(application)
    return Verdict(READY, Code.LEFTOVER, kept) if kept else Verdict(READY, Code.READY)


def _deletion(application: Application, _request: Request, seen: Seen) -> Verdict | None:
    return (
        Verdict(WAIT, Code.DELETING, deletion_text(application, list(seen.live))) if is_deleted(application) else None
    )


def _errors(application: Application, request: Request, seen: Seen) -> Verdict | None:
    # With an error in its specification nothing is compared, and what the last comparison said stays.
    types = SPECIFICATION_ERRORS if conditions_of(application, *SPECIFICATION_ERRORS) else ("ComparisonError",)
    found = conditions_of(application, *types)
    if not found:
        return None
    since = min(entry.get("lastTransitionTime", "") for entry in found)
    said, passing = "; ".join(conditions(application, *types)), nature_of(entry.get("message", "") for entry in found)
    at = revisions_of(application)
    if request.revisions and COMMIT.fullmatch("".join(at)) and mismatch(application, request.revisions)[0]:
        said = f"{said} (at {', '.join(at)}, not at {', '.join(request.revisions)})"
    if passing is Nature.PASSING:
        gone = seen.evidence.get(REPO_SERVER, Evidence())
        long = gone.text and seen.seconds > (FINAL_SECONDS if gone.final else GONE_SECONDS)
        text = "; ".join(filter(None, [gone.text, said]))
        failed = long or seen.refused_seconds > GONE_SECONDS
        return Verdict(FAILED if failed else WAIT, Code.ERROR, text, since)
    missing = missing_kinds(application)
    known = [absence(kind, seen) for kind in missing]
    absent = passing is Nature.ABSENT and any(evidence.final for evidence in known)
    rounds = CONFIRMED if absent or passing is Nature.FINAL else ERROR_ROUNDS
    brought = any(kind.group and is_brought(kind.group, name_of(application), seen.others) for kind in missing)
    failed = seen.error_rounds >= rounds and not brought
    text = "; ".join([said, *filter(None, dict.fromkeys(evidence.text for evidence in known))])
    return Verdict(FAILED if failed else WAIT, Code.ERROR, text, since)


def _operation(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.operation:
        return None
    state = operation_state(application)
    phase, message, since = state.get("phase", ""), state.get("message", ""), state.get("startedAt", "")
    if application.get("operation"):
        if "blocked by sync window" in message:
            return Verdict(
                FAILED if seen.seconds > WINDOW_SECONDS else WAIT,
                Code.SYNC_WINDOW,
                f"{message}: sync when the window is open, or change AppProject.spec.syncWindows",
            )
        code = Code.SYNCING if phase in RUNNING else Code.STARTING
        if is_superseded(application) or is_partial_retry(application):
            code = Code.SUPERSEDED
        elif is_rejected(application, seen):
            return rejection(application, seen)
        limit = FINAL_HOOK_SECONDS if is_about_hooks(seen, state) else FINAL_SECONDS
        final = code == Code.SYNCING and seen.final_seconds > limit
        said = (failed_resources(application) or [*seen.failure.texts, ""])[0]
        found = Verdict(FAILED if final else WAIT, code, operation_text(application, seen), since, cause=said)
        return with_causes(found, seen)
    if phase in RUNNING:
        return Verdict(WAIT, Code.SYNCING, f"operation {phase}: {plain(message)}", since)
    return Verdict(WAIT, Code.POST_SYNC, UNPROCESSED) if is_unprocessed(application) else None


def is_about_hooks(seen: Seen, state: dict[str, Any]) -> bool:
    """Return whether all that cannot get better by itself is in hooks, and not in objects of a sync wave."""
    results = results_of(state)
    hooks = tuple(f"{resource_name(entry)}{end}" for entry in results if entry.get("hookType") for end in (":", " ("))
    return all(cause.text.startswith(hooks) for cause in seen.causes if cause.final)


def operation_text(application: Application, seen: Seen) -> str:
    """Return what an operation is doing, why that takes long, and of which commit it is, where that is another one."""
    state = operation_state(application)
    doing = state.get("message") or state.get("phase") or "starting"
    attempted, wanted = operation_revisions(state), revisions_of(application)
    older = f"syncing {', '.join(name[:8] for name in attempted)} instead of {', '.join(name[:8] for name in wanted)}"
    is_older = attempted and wanted and attempted != wanted
    text = with_details(f"{older if is_older else 'syncing'}: {doing}", application)
    # Argo CD empties the result when it tries again.
    forgotten = seen.failure.texts if not failed_resources(application) and not state.get("finishedAt") else ()
    said = f"the previous attempt failed: {listed(list(forgotten), NAMED_BROKEN)}" if forgotten else ""
    return "; ".join(filter(None, [text, said]))


def with_causes(found: Verdict, seen: Seen) -> Verdict:
    """Return a verdict with what was found below the objects that it is about."""
    if not seen.causes:
        return found
    # An object that says why by itself has often said it to Argo CD, too.
    texts = [cause.text for cause in seen.causes if SINCE.sub("", cause.text.partition(": ")[2]) not in found.reason]
    first = (*explaining(seen), Finding(found.cause))[0]
    return replace(found, reason="; ".join([found.reason, *texts]), cause=first.text, next_step=first.next_step)


def is_rejected(application: Application, seen: Seen) -> bool:
    """Return whether attempts to sync the wanted revision end in the same way, which no further one changes."""
    return seen.failure.revisions == revisions_of(application) and fails_alike(seen)


def fails_alike(seen: Seen) -> bool:
    """Return whether attempts ended in the same way, which no further one changes."""
    failure = seen.failure
    if failure.attempts < ATTEMPTS:
        return False
    if failure.nature is Nature.ABSENT:
        return any(absence(missing, seen).final for missing in failure.missing)
    return failure.nature is Nature.FINAL


def rejection(application: Application, seen: Seen) -> Verdict:
    """Return that no further attempt is expected to succeed."""
    more = dict.fromkeys(absence(missing, seen).text for missing in seen.failure.missing)
    text = "; ".join([listed(list(seen.failure.texts), NAMED_BROKEN), *filter(None, more)])
    since = operation_state(application).get("startedAt", "")
    reason, step = f"sync fails in the same way each time: {text}", advice(blocked(seen.failure.texts))
    return Verdict(FAILED, Code.REJECTED, reason, since, next_step=step)


def _revision(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if not request.revisions:
        return None
    reason, never = mismatch(application, request.revisions)
    if not reason:
        return None
    return Verdict(FAILED if never or seen.error_rounds >= ERROR_ROUNDS else WAIT, Code.REVISION, reason)


def _failed(application: Application, request: Request, seen: Seen) -> Verdict | None:
    """Judge what the last sync left: where only a hook failed, everything may be Synced and Healthy all the same."""
    return _sync_failed(application, seen) if request.operation else None


def _sync_failed(application: Application, seen: Seen) -> Verdict | None:
    if not failed_here(application):
        return None
    if is_rejected(application, seen):
        return rejection(application, seen)
    text = with_details(sync_failure(application), application)
    since = operation_state(application).get("finishedAt", "")
    found = with_causes(Verdict(FAILED, Code.SYNC_FAILED, text, since), seen)
    return replace(found, next_step=advice(blocked(failure_texts(application))) or found.next_step)


def _shared(application: Application, request: Request, seen: Seen) -> Verdict | None:
    """Judge an object that two Applications want, after both had time to settle."""
    if not request.sync:
        return None
    complaints = [(application, text) for text in shared_objects(application)]
    if healed(operation_state(application)):
        # It owns the object at the moment; the other one complains, and takes it back with its next self-heal.
        complaints += [
            (other, text)
            for other in [seen.others[name] for name in seen.complaining]
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
    if sync.get("status") == "Synced" or leftovers(application):
        return None
    if sync.get("status") != "OutOfSync":
        return Verdict(WAIT, Code.UNKNOWN, f"sync status is {sync.get('status') or 'not known yet'}")
    return _sync_failed(application, seen) or judge(application, seen)


def _health(application: Application, request: Request, seen: Seen) -> Verdict | None:
    if request.health is None:
        return None
    health = status_of(application).get("health") or {}
    status, since = health.get("status") or "not known yet", health.get("lastTransitionTime", "")
    if status in request.health:
        return None
    first = (*explaining(seen), Finding(""))[0]
    reason = f"{status}: {'; '.join(why(application, seen))}"
    if status == "Suspended":
        return _suspended(application, request, seen, Verdict(WAIT, Code.SUSPENDED, reason, since))
    limit = request.allow_degraded_seconds if status == "Degraded" else float("inf")
    code = Code.DEGRADED if status == "Degraded" else Code.HEALTH
    failed = seen.seconds > limit or seen.final_seconds > FINAL_SECONDS
    return Verdict(FAILED if failed else WAIT, code, reason, since, first.text, first.next_step)


def explaining(seen: Seen) -> list[Finding]:
    """Return the causes that were found, without what could not be read."""
    return [cause for cause in seen.causes if not cause.text.startswith(LACKING)]


def why(application: Application, seen: Seen) -> list[str]:
    """Return why an Application is not healthy: the causes, and what is broken and none of them is about."""
    said = [cause.text for cause in explaining(seen)]
    lacking = [cause.text for cause in seen.causes if cause.text.startswith(LACKING)]
    if not said:
        status = status_of(application)
        health = status.get("health") or {}
        return [unhealthy(status.get("resources") or []) or health.get("message") or "no resource says why", *lacking]
    others = [
        f"{name} is {health}"
        for name, health in broken(application)
        if not any(text.startswith((f"{name}:", f"{name} ")) for text in said)
    ]
    return [*said, *filter(None, [listed(others, NAMED_BROKEN)]), *lacking]


def _suspended(application: Application, request: Request, seen: Seen, found: Verdict) -> Verdict:
    """Judge what is paused or suspended: by its specification it stays so, by its controller it may go on."""
    kinds = {(entry.get("group") or "", entry["kind"]) for entry in suspended_entries(application)}
    name = application["metadata"]["name"]
    final = bool(kinds & set(BY_SPECIFICATION)) or seen.evidence.get(suspended_question(name), Evidence()).final
    accepted = ", ".join([*sorted(request.health or ()), "Suspended"])
    text = f"{found.reason}; health: [{accepted}] accepts it (gitops_accepted_health in an inventory)"
    return replace(found, state=FAILED if final else WAIT, reason=text)


def _self_heal(application: Application, request: Request, seen: Seen) -> Verdict | None:
    """Judge what self-heal has just corrected: another manager may change it again."""
    state = operation_state(application)
    if not (request.sync and request.operation and corrected(state, seen)) or seen.quiet_seconds >= HEAL_SECONDS:
        return None
    finished, reconciled = state.get("finishedAt"), reconciled_at(application)
    # Both are times of the controller, in whole seconds.
    if finished and reconciled and (parse_time(reconciled) - parse_time(finished)).total_seconds() > HEAL_SECONDS:
        return None
    text = f"self-heal ran at {finished}: ready when nothing changes it again within {HEAL_SECONDS:.0f} s"
    return Verdict(WAIT, Code.SELF_HEAL, text)
