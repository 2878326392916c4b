# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait decides about an Application: the verdict, and what to do. Functions without effects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import pause_text
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import deletion_text, is_deleted
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Options,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import (
    DRIFT_SECONDS,
    OFF_ADVICE,
    verdict,
)

NOT_IDLE = (Code.SYNCING, Code.SUPERSEDED, Code.SETTLING, Code.SYNC_FAILED, Code.RESYNC)
# Seconds between refreshes of an Application that is idle but not ready: the controller may have missed an event.
BACK_OFF = {
    Code.POST_SYNC: (1, 1, 2, 5, 10),
    Code.ERROR: (1, 2, 4, 8, 15),
    Code.REVISION: (1, 2, 4),
    Code.SHARED: (1, 1, 1, 2, 5),
    Code.SELF_HEAL: (2,),
}
# What the controller may overlook of an order, for example while it restarts; the next change of the Application ends
# that (ASK_AGAIN in freshness.py).
OVERLOOKED = (Code.STARTING, Code.TERMINATING)
BACK_OFF_OTHERS = (5, 10, 20, 30)
SUPERSEDED_SECONDS = 1.0
# While one of these is found it is not known yet in which state a paused Application is; all of them end by themselves.
NOT_KNOWN_YET = (Code.NOT_FOUND, Code.REFRESHING, Code.ERROR, Code.REVISION, Code.POST_SYNC, Code.SELF_HEAL)


@dataclass(frozen=True)
class Moment:
    """When a decision is made, when the wait began, and whether the API server answers."""

    now: float
    started: float
    answering: bool = True


def find(entry: Tracked, options: Options, known: Seen, moment: Moment) -> Verdict:
    """Return what an object says; a new reason has lasted 0 seconds and was not confirmed."""
    now = moment.now
    if entry.application is None:
        missing = now - entry.since if entry.found.code == Code.NOT_FOUND else 0.0
        return Verdict(FAILED if missing > options.not_found_grace else WAIT, Code.NOT_FOUND, "does not exist")
    deleted = is_deleted(entry.application)
    order = entry.order if entry.order and not entry.order.is_over else None
    needs_proof = order.needs_proof if order else options.refresh != "none"
    if needs_proof and not entry.barrier.is_fresh and not deleted:
        return _unproven(entry, options, moment)
    if order:
        return order.judge(entry.application, now - entry.since).verdict
    if options.request is None:
        text = deletion_text(entry.application, [])
        return Verdict(FAILED, Code.DELETING, text) if deleted else Verdict(READY, Code.READY)
    seen = replace(
        known,
        seconds=now - entry.since,
        error_rounds=entry.error_rounds,
        quiet_seconds=now - entry.finished_at,
        overtaking=() if entry.resyncs else entry.overtaking,
        live=entry.live.get(Code.DELETING if deleted else Code.DRIFT, ()),
    )
    found = verdict(entry.application, options.request, seen)
    if found.state == WAIT and entry.name in known.shared:
        return entry.found  # while two Applications take the object from each other, each is briefly in order
    if found.code != entry.found.code:
        found = verdict(entry.application, options.request, replace(seen, seconds=0.0, error_rounds=0))
    return found


def _unproven(entry: Tracked, options: Options, moment: Moment) -> Verdict:
    waited = moment.now - entry.barrier.asked_at
    if entry.barrier.is_pending and waited > options.refresh_timeout and moment.answering:
        return Verdict(
            FAILED,
            Code.REFRESHING,
            f"the application controller did not process a refresh within {options.refresh_timeout:.0f} s: "
            "is it running, does it serve this namespace and shard, or does the Application have the annotation "
            "argocd.argoproj.io/skip-reconcile?",
        )
    reason = f"refresh requested {waited:.0f} s ago; the application controller has not answered yet"
    return Verdict(WAIT, Code.REFRESHING, reason)


def decide(entry: Tracked, options: Options, needs: Mapping[str, Verdict], moment: Moment) -> Decision:
    """Return what the wait decides, given what it decided about the Applications that this one depends on."""
    found = _next_step(entry, options, needs, moment.now)
    late = moment.now - moment.started > options.untouched_timeout
    if found.state == WAIT and late and is_untouched(entry.name, options):
        gave_up = f"(not touched by this commit; gave up after {options.untouched_timeout:g} s)"
        found = Verdict(FAILED, found.code, f"{found.reason} {gave_up}")
    return Decision(found, _action(entry, found, options, moment.now))


def _next_step(entry: Tracked, options: Options, needs: Mapping[str, Verdict], now: float) -> Verdict:
    """Return what happens next: the Application must stay ready, is synced by this wait, or is as found."""
    found = entry.found
    paused = pause_text((options.paused or {}).get(entry.name), entry.application)
    if paused:
        return _judge_paused(found, paused, options.allow_paused)
    if found.state == READY and now - entry.since < options.stable_for:
        return Verdict(WAIT, Code.SETTLING, f"ready for less than {options.stable_for:g} s")
    if options.resync_failed and found.code == Code.SYNC_FAILED:
        return _retry(entry, options, needs)
    if _may_sync(entry, options, now):
        return Verdict(WAIT, Code.RESYNC, f"will be synced; {found.reason}")
    return found


def _judge_paused(found: Verdict, paused: str, allowed: bool) -> Verdict:
    """Return what is said about an Application that people have paused: nothing is waited for, and nothing is done."""
    if found.state == READY or (found.state == WAIT and found.code in NOT_KNOWN_YET):
        return found
    reason = found.reason.removesuffix(OFF_ADVICE)
    if allowed:
        return Verdict(READY, Code.PAUSED, f"{paused}; {reason}")
    return Verdict(FAILED, Code.PAUSED, f"{paused}; {reason}: resume it, or allow that it is paused")


def _retry(entry: Tracked, options: Options, needs: Mapping[str, Verdict]) -> Verdict:
    """Hold back a failed sync until its dependencies are ready, then retry it."""
    found = entry.found
    failed = [name for name, need in needs.items() if need.state == FAILED]
    late = [name for name, need in needs.items() if need.state == WAIT]
    if failed:
        return Verdict(FAILED, Code.SYNC_FAILED, f"its dependency {', '.join(failed)} failed; {found.reason}")
    if late:
        reason = f"waits for {', '.join(late)} before it is synced again; {found.reason}"
        return Verdict(WAIT, Code.SYNC_FAILED, reason)
    if entry.resyncs < options.resync_limit:
        return Verdict(WAIT, Code.RESYNC, f"will be synced again; {found.reason}")
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
    if entry.application is None:
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
            return True
        if found.state != WAIT or found.code in NOT_IDLE:
            return False
    return _is_due(entry, BACK_OFF.get(found.code, BACK_OFF_OTHERS), now)


def _is_due(entry: Tracked, delays: tuple[float, ...], now: float) -> bool:
    """Return whether the last refresh was long enough ago; a pending request is made again when it is overdue."""
    if entry.barrier.is_pending:
        return entry.barrier.is_overdue(now)
    return now - entry.refreshed_at >= delays[min(entry.refreshes, len(delays) - 1)]
