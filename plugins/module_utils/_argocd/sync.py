# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sync of ours from the request to its result: what is known, and what to do. Functions without effects.

The rules are those of Argo CD's API server (Sync in server/application/application.go at v3.6.1), which the Kubernetes
API does not have. A request id tells our operation from every other one.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import Failures
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import (
    sync_operation,
    sync_options,
    terminate_operation,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.permission import advice, blocked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    FINISHED,
    REQUEST_ID,
    UNPROCESSED,
    Application,
    Resource,
    deletion_text,
    failed_here,
    failed_resources,
    failure_texts,
    is_automated,
    is_deleted,
    is_unprocessed,
    names_of,
    operation_revisions,
    operation_state,
    results_of,
    sources_of,
    status_of,
    sync_failure,
    sync_of,
    with_details,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.termination import (
    ending,
    running,
    step,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    NOTHING_SEEN,
    READY,
    WAIT,
    WHOLE,
    Action,
    Code,
    Decision,
    Order,
    Sync,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import fails_alike, rejection

# Seconds for which the controller must say that a sync window blocks a sync: of a new operation it is wrong at first.
WINDOW_SECONDS = 5.0
NOTHING_DONE = "check mode starts no operation"
REPLACE = "Replace=true"
ONLY_OUT_OF_SYNC = "ApplyOutOfSyncOnly=true"
NO_REPLACE = "sync with replace was disabled on the API Server level via the server configuration"
AUTOMATED = "rollback cannot be initiated when auto-sync is enabled; pause it first with argocd_app_pause"
BLOCKED = "blocked by sync window"
RETRIES = "the retries of this operation go on, unless argocd_app_terminate ends them"
RESULT_KEYS = ("group", "kind", "namespace", "name", "status", "message", "hookType", "hookPhase", "syncPhase")


def carries(operation: dict[str, Any] | None, request_id: str) -> bool:
    """Return whether an operation is the one of a request."""
    return {"name": REQUEST_ID, "value": request_id} in ((operation or {}).get("info") or [])


def refusal(application: Application, sync: Sync) -> str:
    """Return why Argo CD's API server would not start a sync, or nothing."""
    if is_deleted(application):
        return deletion_text(application, [])
    if sync.deployed:
        return AUTOMATED if is_automated(application) else ""
    sources = sources_of(application)
    if sync.revisions and len(sync.revisions) != len(sources):
        return f"has {len(sources)} sources, but {len(sync.revisions)} revisions are given: give one for each, in order"
    for source, revision in zip(sources, sync.revisions, strict=False):
        target = source.get("targetRevision") or "HEAD"
        if is_automated(application) and not sync.dry_run and revision != target:
            return (
                f"Cannot sync to {revision}: auto-sync currently set to {target}; switch automated sync off first, or "
                "change the branch"
            )
    return ""


def refusals(applications: list[Application], sync: Sync, on_conflict: str, replace_allowed: bool) -> list[str]:
    """Return which Applications could not be synced now and why; then none of them is."""
    found = []
    for application in applications:
        reason = refusal(application, sync)
        if not reason and not replace_allowed and REPLACE in sync_options(application, sync):
            reason = NO_REPLACE
        if not reason and on_conflict == "fail" and application.get("operation"):
            reason = conflict(application)
        found += [f"Application {application['metadata']['name']}: {reason}"] if reason else []
    return found


def conflict(application: Application) -> str:
    """Return that another operation is in the way."""
    return f"another operation is already in progress ({running(application)})"


@dataclass
class SyncOrder(Order):
    """One sync of one Application."""

    sync: Sync = WHOLE
    on_conflict: str = "wait"
    wait: bool = True
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    accepted: bool = False  # whether the operation was seen in the Application
    ended: bool = False
    blocked: bool = False  # whether a sync window blocks it
    skipped: bool = False
    made_way: bool = False  # whether another operation was ended for it
    final: Verdict | None = None  # what ends the order before an operation
    state: dict[str, Any] = field(default_factory=dict)  # the last one of our operation
    failures: Failures = field(default_factory=Failures)  # how its attempts ended
    listed: list[Resource] = field(default_factory=list)  # what the Application has in Git

    @property
    def needs_proof(self) -> bool:  # type: ignore[override]
        """Return whether it depends on a fresh status what is to be done."""
        return self.sync.only_out_of_sync and not self.accepted and self.final is None

    @property
    def is_over(self) -> bool:
        """Return whether everything is done but the wait for the state of the Application."""
        succeeded = self.ended and self._result().state == READY
        return self.wait and (self.skipped or (succeeded and not self.sync.dry_run))

    @property
    def changed(self) -> bool:
        """Return whether an operation was ended, or one started that may change something."""
        return self.made_way or (self.accepted and not self.sync.dry_run)

    def observe(self, application: Application) -> None:
        """Record a version: which operation is in it, and how far ours is."""
        state = operation_state(application)
        waiting = carries(application.get("operation"), self.request_id)
        ours = carries(state.get("operation"), self.request_id)
        self.accepted = self.accepted or waiting or ours
        if not self.accepted or self.ended:
            return
        if ours:
            self.state = state
            self.failures.observe(application)
            self.listed = status_of(application).get("resources") or []
            self.blocked = BLOCKED in state.get("message", "") if state.get("phase") == "Running" else self.blocked
        self.ended = not waiting and (not ours or state.get("phase") in FINISHED)

    def judge(self, application: Application, seconds: float) -> Decision:
        """Return what is said about a version and what is done: start the sync, make way for it, follow it."""
        settled = self._settled()
        if settled:
            return Decision(settled, Action.NONE)
        return self._follow(application, seconds) if self.accepted else self._begin(application, seconds)

    def _settled(self) -> Verdict | None:
        """Return what no later version changes."""
        if self.ended:
            return self._result()
        return Verdict(READY, Code.READY) if self.skipped else self.final

    def _begin(self, application: Application, seconds: float) -> Decision:
        refused = refusal(application, self.sync)
        if refused:
            return Decision(Verdict(FAILED, Code.REFUSED, refused), Action.NONE)
        if application.get("operation"):
            return self._conflict(application, seconds)
        if self.sync.only_out_of_sync and (found := in_order(application)):
            return Decision(found, Action.NONE)
        return Decision(Verdict(WAIT, Code.RESYNC, "will be synced"), Action.SYNC)

    def _conflict(self, application: Application, seconds: float) -> Decision:
        state = FAILED if self.on_conflict == "fail" else WAIT
        if self.on_conflict != "terminate":
            return Decision(Verdict(state, Code.CONFLICT, conflict(application)), Action.NONE)
        return Decision(Verdict(state, step(application), conflict(application)), ending(application, seconds))

    def _follow(self, application: Application, seconds: float) -> Decision:
        """Follow our operation; one that a sync window blocks is withdrawn, or it would begin when the window opens."""
        if not self.wait:
            return Decision(Verdict(READY, Code.STARTING), Action.NONE)
        if self.blocked:
            action = ending(application, seconds) if seconds > WINDOW_SECONDS else Action.NONE
            return Decision(Verdict(WAIT, Code.SYNC_WINDOW, self.state.get("message", "")), action)
        seen = replace(NOTHING_SEEN, failure=self.failures.last)
        if fails_alike(seen):
            found = rejection(self._own(), seen)
            return Decision(replace(found, reason=f"{found.reason}; {RETRIES}"), Action.NONE)
        phase = self.state.get("phase", "")
        text = self.state.get("message") or phase or "the application controller has not begun"
        return Decision(
            Verdict(WAIT, Code.SYNCING if phase else Code.STARTING, with_details(f"syncing: {text}", self._own())),
            Action.NONE,
        )

    def _own(self) -> Application:
        """Return an Application that has the state of our operation only."""
        return {"status": {"operationState": self.state}}

    def _result(self) -> Verdict:
        """Judge the operation that ended."""
        phase = self.state.get("phase")
        if phase not in FINISHED:
            return Verdict(
                FAILED,
                Code.REPLACED,
                f"the result of operation {self.request_id} is not known: it was removed or replaced by another one "
                f"(last seen: {phase or 'not begun'}); look at the Application, and sync it again",
            )
        if self.blocked:
            return Verdict(
                FAILED,
                Code.SYNC_WINDOW,
                "cannot sync: blocked by sync window; the operation was withdrawn: sync when the window is open, or "
                "change AppProject.spec.syncWindows",
            )
        if phase != "Succeeded":
            text, step = sync_failure(self._own()), advice(blocked(failure_texts(self._own())))
            return Verdict(FAILED, Code.SYNC_FAILED, with_details(text, self._own()), next_step=step)
        absent = self._absent()
        if absent:
            text = (
                f"has no {names_of(absent)} in revision {', '.join(operation_revisions(self.state))}: check resources"
            )
            return Verdict(FAILED, Code.SYNC_FAILED, text)
        return Verdict(READY, Code.READY)

    def _absent(self) -> list[Resource]:
        """Return the selected resources that the operation did not find; Argo CD calls that a success.

        With this sync option it leaves out of its result what is Synced.
        """
        done = results_of(self.state)
        if ONLY_OUT_OF_SYNC in sync_of(self.state).get("syncOptions", []):
            done = [*done, *self.listed]
        return [dict(wanted) for wanted in self.sync.resources if not any(is_selected(wanted, entry) for entry in done)]

    def write(self, application: Application, action: Action) -> dict[str, Any]:
        """Return the patch that starts our operation, or ends the one in progress."""
        if action is Action.SYNC:
            return sync_operation(application, self.sync, self.request_id)
        return terminate_operation(application)

    def written(self, action: Action) -> None:
        """Record that another operation was ended; of ours, the answer of the API server says it."""
        self.made_way = self.made_way or (action is Action.TERMINATE and not self.accepted)

    def record(self, found: Verdict) -> None:
        """Record what is final before an operation of ours."""
        if found.code in (Code.REFUSED, Code.CONFLICT) and found.state == FAILED:
            self.final = found
        self.skipped = self.skipped or found.code == Code.SKIPPED

    def plan(self, application: Application) -> dict[str, Any]:
        """Return what would be done about a status that may be old."""
        skipped = self.sync.only_out_of_sync and not application.get("operation") and in_order(application)
        return self.report() | {"started": not skipped}

    def report(self) -> dict[str, Any]:
        """Return the result of our operation, whatever operation came after it."""
        result = self.state.get("syncResult") or {}
        return {
            "started": self.accepted,
            "request_id": self.request_id if self.accepted else "",
            "phase": self.state.get("phase", ""),
            "message": self.state.get("message", ""),
            "synced_revisions": list(operation_revisions(self.state)),
            "resources": [{key: entry.get(key, "") for key in RESULT_KEYS} for entry in result.get("resources") or []],
            "failed_resources": failed_resources(self._own()),
        }


def is_selected(wanted: Any, entry: Resource) -> bool:
    """Return whether a resource of a result is one that was selected; without a namespace it may be in any."""
    keys = [key for key in ("group", "kind", "namespace", "name") if key != "namespace" or wanted.get(key)]
    return all((entry.get(key) or "") == (wanted.get(key) or "") for key in keys)


def in_order(application: Application) -> Verdict | None:
    """Return whether an Application with a fresh status needs no sync; a failed hook leaves it Synced."""
    if is_unprocessed(application):
        return Verdict(WAIT, Code.POST_SYNC, UNPROCESSED)
    synced = (status_of(application).get("sync") or {}).get("status") == "Synced"
    return Verdict(WAIT, Code.SKIPPED, "is Synced") if synced and not failed_here(application) else None
