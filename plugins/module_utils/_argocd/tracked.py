# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait knows about one Application.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import is_refused
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import Failures
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Barrier
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import healed, is_first_self_heal
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    conditions_of,
    operation_revisions,
    operation_state,
    revisions_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Order,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding

CONFLICT_SECONDS = 1.0  # until the same version is written again after a conflict, if the watch delivers no newer one


class Tracked:
    """The latest version of an Application, and what changed since when."""

    def __init__(self, name: str, started: float, order: Order | None = None) -> None:
        self.name, self.order = name, order
        self.application: Application | None = None
        self.barrier = Barrier(started)
        self.found = Verdict(WAIT, Code.NOT_FOUND, "does not exist")  # the state of the object
        self.since = started  # when the code of `found` began
        self.error_rounds = 0  # how often a reconcile confirmed it
        self.refreshes = 0  # how often a refresh was requested since then
        self.refreshed_at = started
        self.decision = Decision(self.found, Action.NONE)
        self.ready_at: float | None = None
        self.resyncs = 0
        self.total_refreshes = 0
        self.finished = ""  # when the last operation ended, by the controller's clock and by ours
        self.finished_at = started
        self.overtaking: tuple[str, ...] = ()  # the revision that appeared while an older one was being synced
        self.synced: tuple[str, ...] = ()  # the revision of the last sync, unless a correction may have come after it
        self.shared_at: tuple[str, ...] | None = None  # revision with a confirmed shared object
        self.live: dict[Code, tuple[str | Finding, ...]] = {}  # findings in the live objects, by code of the verdict
        self.final_since: float | None = None  # since when a cause is known that cannot get better by itself
        self.refused_since: float | None = None  # since when the repo-server refuses connections
        self.confirmed_at = started  # when a reconcile confirmed what was known
        self.failures = Failures()  # how the attempts of its operation ended
        self.operated = False  # whether an operation has ended since the Application was seen first
        self.at_once = False  # whether the answer to the question was that it is ready, and not what came after it
        # What came while a write was on its way: its answer is older. None while nothing is on its way.
        self.held: list[tuple[Application | None, bool]] | None = None
        self.refused: tuple[str, float] | None = None  # the version for which a write was refused last, and when

    @property
    def verdict(self) -> Verdict:
        """Return what the wait decided."""
        return self.decision.verdict

    def find(self, found: Verdict, now: float) -> None:
        """Record what the object says. WAIT -> FAILED with the same code keeps its start time and counters."""
        if found.code != self.found.code:
            self.at_once = not self.operated and self.found.code in (Code.NOT_FOUND, Code.REFRESHING)
            self.since, self.refreshes, self.refreshed_at, self.error_rounds = now, 0, now, 0
        elif found.code == Code.ERROR and found.reason != self.found.reason:  # another error, not a confirmed one
            self.error_rounds = 0
        self.found = found
        final = any(isinstance(item, Finding) and item.final for item in self.live.get(found.code, ()))
        self.final_since = (now if self.final_since is None else self.final_since) if final else None
        refused = found.code == Code.ERROR and is_without_repo_server(self.application or {})
        self.refused_since = (now if self.refused_since is None else self.refused_since) if refused else None
        if self.order:
            self.order.record(found)
        failed = self.application and (found.state, found.code) == (FAILED, Code.SHARED)
        self.shared_at = revisions_of(self.application or {}) if failed else None

    def decide(self, decision: Decision, now: float) -> None:
        """Record what the wait decides."""
        if decision.verdict.state != READY:
            self.ready_at = None
        elif self.ready_at is None:
            self.ready_at = now
        if decision.held:  # what is said before the dependency is ready says nothing about the time after it
            self.error_rounds = 0 if self.found.code == Code.ERROR else self.error_rounds
            self.failures.start_over()
        self.decision = decision

    def observe(self, application: Application | None, unbroken: bool) -> None:
        """Record a version of the object; `unbroken` means that no version before it was missed."""
        if self.held is not None:
            self.held.append((application, unbroken))
            return
        if application and (self.barrier.is_older(application) or (unbroken and self._is_older(application))):
            return
        if application is None or uid_of(application) != uid_of(self.application):  # a new object starts over
            self.barrier.reset()
            self.live, self.failures = {}, Failures()
        first, self.application = self.application is None, application
        if application is None:
            return
        self._follow_order(application)
        self.failures.observe(application)
        state = operation_state(application)
        older = operation_revisions(state) not in ((), revisions_of(application))  # one that begins has none yet
        if older and application.get("operation") and not healed(state):
            self.overtaking = revisions_of(application)
        finished = state.get("finishedAt", "")
        if not unbroken:
            self.synced = ()
        if finished != self.finished:
            self.finished, self.finished_at = finished, time.monotonic()
            if finished and not is_first_self_heal(state):  # there is no end while one begins
                self.synced = () if healed(state) else operation_revisions(state)
            self.operated = self.operated or not first
        if self.barrier.observe(application, unbroken):
            self.error_rounds += 1
            self.confirmed_at = time.monotonic()

    def _is_older(self, application: Application) -> bool:
        """Return whether a version is older than the one that is known of the same object."""
        known = self.application
        return bool(
            known
            and uid_of(known) == uid_of(application)
            and int(application["metadata"]["resourceVersion"]) < int(known["metadata"]["resourceVersion"])
        )

    def refuse(self, now: float) -> None:
        """Record that the version that is known cannot be written, because there is a newer one."""
        self.refused = version_of(self.application), now

    def is_refused(self, now: float) -> bool:
        """Return whether another write would only be refused again."""
        if self.refused is None:
            return False
        version, at = self.refused
        return version == version_of(self.application) and now - at < CONFLICT_SECONDS

    def hold(self) -> None:
        """Keep what comes, because a write is on its way."""
        self.held = []

    def release(self, written: Application | None) -> None:
        """Record what a write returned, if it was accepted, and then what came in the meantime."""
        held, self.held = self.held or [], None
        if written is not None:
            self.observe(written, unbroken=True)
        for application, unbroken in held:
            self.observe(application, unbroken)

    def _follow_order(self, application: Application) -> None:
        """Show a version to the order; once its operation has ended, only a newer status counts."""
        if self.order and not self.order.is_over:
            self.order.observe(application)
            if self.order.is_over:
                self.barrier.reset()

    @property
    def changed(self) -> bool:
        """Return whether the wait started or ended an operation."""
        return bool(self.resyncs or (self.order and self.order.changed))


def is_without_repo_server(application: Application) -> bool:
    """Return whether the repo-server refuses the connections of the controller."""
    return any(is_refused(entry.get("message", "")) for entry in conditions_of(application, "ComparisonError"))


def uid_of(application: Application | None) -> str:
    """Return the UID, which tells an Application from a later one with the same name."""
    return str((application or {}).get("metadata", {}).get("uid", ""))


def version_of(application: Application | None) -> str:
    """Return the resource version, or nothing."""
    return str((application or {}).get("metadata", {}).get("resourceVersion", ""))
