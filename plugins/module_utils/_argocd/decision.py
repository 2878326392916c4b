# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait decides about an Application: the verdict, and what to do. Functions without effects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.differences import DRIFT_SECONDS, OFF_ADVICE
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import CONTROLLER, UNANSWERED
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import pause_text
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    SKIP,
    Application,
    deletion_text,
    is_deleted,
    skips_reconcile,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Options,
    Request,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import verdict
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding

NOT_IDLE = (Code.SYNCING, Code.SUPERSEDED, Code.SETTLING, Code.SYNC_FAILED, Code.RESYNC)
# What is said of a controller that stays silent, by what its pods say.
UNKNOWN_ADVICE = "for no known reason: is it running, and does it serve this namespace and shard?"
READY_ADVICE = "although its pod is ready: it is busy, or does not serve this namespace or shard"
# Seconds between refreshes of an Application that is idle but not ready: the controller may have missed an event.
BACK_OFF = {
    Code.POST_SYNC: (1, 1, 2, 5, 10),
    Code.EMPTY: (1, 2, 4),
    Code.ERROR: (1, 2, 4, 8, 15),
    Code.REVISION: (1, 2, 4),
    Code.SHARED: (1, 1, 1, 2, 5),
    Code.SELF_HEAL: (2,),
    Code.SYNC_WINDOW: (1, 2, 4),
}
# What the controller may overlook of an order, for example while it restarts; the next change of the Application ends
# that (ASK_AGAIN in freshness.py).
OVERLOOKED = (Code.STARTING, Code.TERMINATING)
BACK_OFF_OTHERS = (5, 10, 20, 30)
# How long an answer that everything is ready must stay true: it may still show what was true before a change of the
# last moments. The truth came 22 to 68 ms later. A busy controller sees a change as late as it answers, so the answer
# must stay true for as long as it took, within limits.
LAST_MOMENTS_SECONDS, LAST_MOMENTS_AT_MOST = 0.3, 5.0
SUPERSEDED_SECONDS = 1.0
# While one of these is found it is not known yet in which state a paused Application is; all of them end by themselves.
NOT_KNOWN_YET = (Code.NOT_FOUND, Code.REFRESHING, Code.ERROR, Code.REVISION, Code.POST_SYNC, Code.SELF_HEAL)
# What goes on by itself while automated sync is off.
GOES_ON = (
    Code.DEGRADED,
    Code.DELETING,
    Code.HEALTH,
    Code.LEAVING,
    Code.STARTING,
    Code.SUPERSEDED,
    Code.SUSPENDED,
    Code.SYNCING,
    Code.TERMINATING,
    Code.UNKNOWN,
)
# What becomes ready by itself within moments, whatever becomes of the dependencies.
NEARLY_READY = (Code.REFRESHING, Code.POST_SYNC, Code.SELF_HEAL, Code.SETTLING)
# What a dependency that is not ready yet may be the cause of.
CURABLE = (Code.DEGRADED, Code.ERROR, Code.HEALTH, Code.REJECTED, Code.SYNCING)


@dataclass(frozen=True)
class Moment:
    """When a decision is made, when the wait began, and whether the API server answers."""

    now: float
    started: float
    answering: bool = True


def find(entry: Tracked, options: Options, known: Seen, moment: Moment) -> Verdict:
    """Return what an object says; a new reason has lasted 0 seconds and was not confirmed."""
    if entry.application is None:
        missing = moment.now - entry.since if entry.found.code == Code.NOT_FOUND else 0.0
        return Verdict(FAILED if missing > options.not_found_grace else WAIT, Code.NOT_FOUND, "does not exist")
    return _without_judging(entry, entry.application, options, known, moment) or _judged(
        entry, entry.application, options, known, moment.now
    )


def _without_judging(
    entry: Tracked, application: Application, options: Options, known: Seen, moment: Moment
) -> Verdict | None:
    """Return what is said of an Application whose state is not known yet, or does not matter."""
    deleted = is_deleted(application)
    if skips_reconcile(application) and options.refresh != "none" and not deleted:
        text = f"has the annotation {SKIP}, so the application controller ignores it: remove the annotation"
        command = f"kubectl annotate application {entry.name} -n {application['metadata']['namespace']} {SKIP}-"
        return Verdict(FAILED, Code.SKIP_RECONCILE, text, next_step=command)
    order = entry.order if entry.order and not entry.order.is_over else None
    needs_proof = order.needs_proof if order else options.refresh != "none"
    if needs_proof and not entry.barrier.is_fresh and not deleted:
        return _unproven(entry, options, known, moment)
    if order:
        return order.judge(application, moment.now - entry.since).verdict
    if options.request is None:
        text = deletion_text(application, [])
        return Verdict(FAILED, Code.DELETING, text) if deleted else Verdict(READY, Code.READY)
    return None


def _judged(entry: Tracked, application: Application, options: Options, known: Seen, now: float) -> Verdict:
    request = options.request or Request()
    causes = tuple(item for item in entry.live.get(entry.found.code, ()) if isinstance(item, Finding))
    final = any(cause.final for cause in causes)
    seen = replace(
        known,
        seconds=now - entry.since,
        error_rounds=entry.error_rounds,
        quiet_seconds=now - entry.finished_at,
        overtaking=() if entry.resyncs else entry.overtaking,
        synced=entry.synced,
        live=_texts(entry, Code.DELETING if is_deleted(application) else Code.DRIFT),
        failure=entry.failures.last,
        final_seconds=now - entry.final_since if final and entry.final_since is not None else 0.0,
        refused_seconds=0.0 if entry.refused_since is None else entry.confirmed_at - entry.refused_since,
        causes=causes,
    )
    found = verdict(application, request, seen)
    if found.state == WAIT and entry.name in known.shared:
        return entry.found  # while two Applications take the object from each other, each is briefly in order
    if found.code != entry.found.code and found.state != READY:
        return verdict(application, request, replace(seen, seconds=0.0, error_rounds=0))
    if found.code == Code.ERROR and found.reason != entry.found.reason:  # the one before was confirmed, not this one
        return verdict(application, request, replace(seen, error_rounds=0))
    return found


def _texts(entry: Tracked, code: Code) -> tuple[str, ...]:
    return tuple(item for item in entry.live.get(code, ()) if isinstance(item, str))


def _unproven(entry: Tracked, options: Options, known: Seen, moment: Moment) -> Verdict:
    """Judge an Application whose refresh is pending: only evidence tells a stopped controller from a busy one."""
    barrier = entry.barrier
    waited = moment.now - barrier.since
    reason = "waits for its turn to be refreshed"
    if barrier.is_pending:
        asked = moment.now - barrier.asked_at
        reason = f"refresh requested {asked:.0f} s ago; the application controller has not answered yet"
    controller = known.evidence.get(CONTROLLER)
    late = waited > options.refresh_timeout
    told = waited > UNANSWERED
    if not moment.answering or not controller:
        return Verdict(WAIT, Code.REFRESHING, f"{reason}, {UNKNOWN_ADVICE}" if told else reason)
    if not controller.text:
        return Verdict(WAIT, Code.REFRESHING, f"{reason}, {READY_ADVICE}" if told else reason)
    # One that is scaled to 0 does not answer; one whose pod is starting may.
    late = late or (told and controller.final)
    text = f"the application controller did not process a refresh within {waited:.0f} s: {controller.text}"
    return (
        Verdict(FAILED, Code.REFRESHING, text)
        if late
        else Verdict(WAIT, Code.REFRESHING, f"{reason}: {controller.text}")
    )


def decide(entry: Tracked, options: Options, needs: Mapping[str, Verdict], moment: Moment) -> Decision:
    """Return what the wait decides, given what it decided about the Applications that this one depends on."""
    found = _next_step(entry, options, needs, moment.now)
    # Before its turn the controller was busy with others.
    began = moment.started if entry.application is None else max(moment.started, entry.barrier.since)
    late = moment.now - began > options.untouched_timeout
    if found.state == WAIT and late and is_untouched(entry.name, options):
        gave_up = f"(not touched by this commit; gave up after {options.untouched_timeout:g} s)"
        found = replace(found, state=FAILED, reason=f"{found.reason} {gave_up}")
    return Decision(found, _action(entry, found, options, moment.now), held=bool(waiting(needs)))


def _next_step(entry: Tracked, options: Options, needs: Mapping[str, Verdict], now: float) -> Verdict:
    """Return what happens next: the Application must stay ready, is synced by this wait, or is as found."""
    found = entry.found
    paused = pause_text((options.paused or {}).get(entry.name), entry.application)
    if paused:
        return _judge_paused(found, paused, options.allow_paused)
    if found.state == READY and now < settled_at(entry, options):
        if now - entry.since < options.stable_for:
            return Verdict(WAIT, Code.SETTLING, f"ready for less than {options.stable_for:g} s")
        return Verdict(WAIT, Code.SETTLING, "ready, unless the controller is about to notice a change")
    if found.state == READY:
        return found
    return _judge_needs(found, needs) or _mend(entry, options, needs, now)


def _judge_needs(found: Verdict, needs: Mapping[str, Verdict]) -> Verdict | None:
    """Return what follows from the dependencies: nothing becomes of it without them, and all may change with them."""
    failed = [name for name, need in needs.items() if need.state == FAILED]
    if failed and found.code not in NEARLY_READY:
        text = f"its dependency {', '.join(failed)} failed; {found.reason}"
        return replace(found, state=FAILED, code=Code.DEPENDENCY, reason=text, next_step="")
    late = waiting(needs)
    if late and found.state == FAILED and found.code in CURABLE:
        return replace(found, state=WAIT, reason=f"waits for {', '.join(late)}; {found.reason}")
    return None


def waiting(needs: Mapping[str, Verdict]) -> list[str]:
    """Return the dependencies that are neither ready nor failed."""
    return [name for name, need in needs.items() if need.state == WAIT]


def _mend(entry: Tracked, options: Options, needs: Mapping[str, Verdict], now: float) -> Verdict:
    """Return whether this wait syncs the Application."""
    found = entry.found
    if options.resync_failed and found.code == Code.SYNC_FAILED:
        return _retry(entry, options, waiting(needs))
    if _may_sync(entry, options, now):
        return replace(found, state=WAIT, code=Code.RESYNC, reason=f"will be synced; {found.reason}")
    return found


def settled_at(entry: Tracked, options: Options) -> float:
    """Return from when on an Application that stays ready counts as ready.

    An answer may be from before a change of the last moments; one after an operation is not.
    """
    stable_at, answered = entry.since + options.stable_for, entry.barrier.answered_at
    by_us = bool(entry.order or entry.resyncs)
    if options.request is None or answered is None or by_us or not entry.at_once:
        return stable_at
    return max(stable_at, answered + min(max(LAST_MOMENTS_SECONDS, entry.barrier.took), LAST_MOMENTS_AT_MOST))


def _judge_paused(found: Verdict, paused: str, allowed: bool) -> Verdict:
    """Return what is said about an Application that people have paused, about which nothing is done.

    What is on its way, such as a rollout or an operation that runs, goes on without automated sync.
    """
    if found.state == READY or (found.state == WAIT and found.code in NOT_KNOWN_YET):
        return found
    reason = f"{paused}; {found.reason.removesuffix(OFF_ADVICE)}"
    if allowed:
        return replace(found, state=READY, code=Code.PAUSED, reason=reason)
    if found.state == WAIT and found.code in GOES_ON:
        return replace(found, code=Code.PAUSED, reason=reason)
    return replace(
        found, state=FAILED, code=Code.PAUSED, reason=f"{reason}: resume it, or allow it to be paused (on_paused)"
    )


def _retry(entry: Tracked, options: Options, late: list[str]) -> Verdict:
    """Hold back a failed sync until its dependencies are ready, then retry it."""
    found = entry.found
    if late:
        reason = f"waits for {', '.join(late)} before it is synced again; {found.reason}"
        return replace(found, state=WAIT, reason=reason)
    if entry.resyncs < options.resync_limit:
        return replace(found, state=WAIT, code=Code.RESYNC, reason=f"will be synced again; {found.reason}")
    return found


def _may_sync(entry: Tracked, options: Options, now: float) -> bool:
    """Return whether this wait is what syncs an Application: automated sync is off, or self-heal pauses.

    Argo CD pauses longer after each self-heal of a revision, 300 s after the sixth, and never forgets their number
    (autoSync and selfHealRemainingBackoff in controller/appcontroller.go at v3.6.1).
    """
    found = entry.found
    manual = options.sync_manual and found.code == Code.MANUAL
    paused = options.resync_failed and (found.state, found.code) == (WAIT, Code.DRIFT)
    wanted = manual or (paused and now - entry.since > DRIFT_SECONDS)
    return wanted and entry.resyncs < options.resync_limit


def is_untouched(name: str, options: Options) -> bool:
    """Return whether neither an Application nor anything that it depends on was changed."""
    needs, seen = [name], set()
    while needs and options.touched is not None:
        current = needs.pop()
        if current in options.touched:
            return False
        seen.add(current)
        needs += [need for need in options.depends_on.get(current, []) if need not in seen]
    return options.touched is not None


def _action(entry: Tracked, found: Verdict, options: Options, now: float) -> Action:
    if entry.application is None or found.code == Code.SKIP_RECONCILE:
        return Action.NONE
    order = entry.order if entry.order and not entry.order.is_over else None
    if order and found.code not in (Code.REFRESHING, Code.POST_SYNC):
        action = order.judge(entry.application, now - entry.since).action
        wakes = action is Action.NONE and found.state == WAIT and found.code in OVERLOOKED
        return Action.REFRESH if wakes and _is_due(entry, BACK_OFF_OTHERS, now) else action
    if is_deleted(entry.application):
        return Action.NONE
    if (found.state, found.code) == (WAIT, Code.RESYNC):
        return Action.SYNC
    superseded = (found.state, found.code) == (WAIT, Code.SUPERSEDED) and now - entry.since > SUPERSEDED_SECONDS
    if options.resync_failed and superseded:
        return Action.TERMINATE
    return Action.REFRESH if _needs_refresh(entry, found, options, now) else Action.NONE


def _needs_refresh(entry: Tracked, found: Verdict, options: Options, now: float) -> bool:
    if options.refresh == "none":
        return False
    if not entry.barrier.is_pending:
        if not entry.barrier.is_fresh:
            return found.state != FAILED  # the controller has not answered others
        if found.state != WAIT or found.code in NOT_IDLE:
            return False
    return _is_due(entry, BACK_OFF.get(found.code, BACK_OFF_OTHERS), now)


def _is_due(entry: Tracked, delays: tuple[float, ...], now: float) -> bool:
    """Return whether the last refresh was long enough ago; a pending request is made again when it is overdue."""
    if entry.barrier.is_pending:
        return entry.barrier.is_overdue(now)
    return now - entry.refreshed_at >= delays[min(entry.refreshes, len(delays) - 1)]
