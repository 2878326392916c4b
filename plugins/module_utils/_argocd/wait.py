# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until Applications are ready: follow them, let every version be judged, and act on what is decided.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import gc
import queue
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.applicationset import why_nothing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.board import Board
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import Inquiry
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.findings import Findings
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import without_applications
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.message import (
    DESCRIBED,
    failure_message,
    progress_text,
    worst_first,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import Operations, Write, Written
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import Record, pause_text
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.runbooks import page_for
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.sending import Workers
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.summary import summary
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    READY,
    Code,
    Options,
    State,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.watch import Watcher
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress, progress_to, silent

RETRY_SECONDS = 1.0
LEAST_SECONDS = 0.02  # a wait that looks more often is busy with looking
GATHERING_SECONDS = 0.00002  # for each that is waiting: what comes within this time is judged together
SENDERS = 8  # writes at a time
DETAILS = frozenset({"health_message", "revisions", "phase", "message", "conditions", "not_synced", "failed_resources"})
END_SECONDS = 2.0  # for what is still on its way when the answer is known


class Waiter:
    """Waits until all selected Applications are ready."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        options: Options,
        selects: Callable[[Application], bool],
        names: list[str],
        selector: str = "",
        say: Callable[[str], None] = silent,
    ) -> None:
        self.api, self.namespace, self.options = api, namespace, options
        self.path = f"{GROUP}/namespaces/{namespace}/applications"
        self.requests: Counter[str] = Counter()
        self.progress = Progress(say)
        self.started = self.progress.started
        self.board = Board(options, names, selects, self.started)
        self.tracked, self.others = self.board.tracked, self.board.others
        self.watcher = Watcher(api, self.path, selector, self.requests)
        self.findings = Findings(api, self.requests, options.log_lines)
        self.inquiry = Inquiry(api, namespace, self.requests)
        self.operations = Operations(api, self.path, options, self.requests)
        self.workers = Workers(SENDERS)
        self.in_flight: set[Write] = set()
        self.judged: list[Tracked] = []
        self.listed = False
        self.unavailable, self.unavailable_at = "", self.started

    def wait(self) -> bool:
        """Wait; return whether all Applications are ready."""
        self.watcher.start()
        try:
            while True:
                self._receive()
                now = time.monotonic()
                if self.listed:
                    self._judge(now)
                    if self._done(now):
                        self._conclude_all(now)
                        if self._done(now):  # what looked final may go on: Argo CD tries again
                            ready = all(entry.verdict.state == READY for entry in self.tracked.values())
                            return ready and not self.ungenerated()
                    self._act(now)
                if now >= self._deadline:
                    self._conclude_all(now)
                    return False
                self._tell(now)
        finally:
            self._clean_up()

    @property
    def _deadline(self) -> float:
        return self.started + self.options.timeout

    # --- events ------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Process all messages; wait briefly when there are none, and for more of them when thousands wait."""
        moment = len(self.board.waiting) * GATHERING_SECONDS
        idle = self.board.agenda.idle_seconds(max(LEAST_SECONDS, moment))
        left = max(0.0, self._deadline - time.monotonic())
        for message in self.watcher.receive(min(idle, left), moment if moment > LEAST_SECONDS else 0.0):
            self._take(message)

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == "error":
            raise message[1]
        if message[0] == "unavailable":
            self._miss(message[1])
            return
        if message[0] == "written":
            self._end(*message[1:])
            return
        self.unavailable = ""
        if message[0] == "event":
            self.board.observe(message[2], message[1] == "DELETED", unbroken=True)
        else:
            self.listed = True
            self.board.replace(message[1])

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge(self, now: float) -> None:
        """Judge what changed or is due; all that is not ready when it is known anew why nothing happens."""
        if self.inquiry.has_news():
            self.board.look_at_all()
        self.judged = self.board.judge(now, not self.unavailable, self.inquiry.known)

    def _done(self, now: float) -> bool:
        if self.options.fail_fast and self.board.failed:
            return True
        if self.board.waiting:
            return False
        # A selector that matches nothing yet, or an ApplicationSet that has generated nothing yet.
        complete = self.tracked and not self.ungenerated()
        return bool(complete) or now - self.started > self.options.not_found_grace

    def ungenerated(self) -> list[str]:
        """Return the ApplicationSets that have no Application."""
        return without_applications(
            self.options.applicationsets, (entry.application for entry in self.tracked.values())
        )

    def _conclude_all(self, now: float) -> None:
        """Have everything said as it is when the wait ends, with the causes."""
        if self.listed:
            self.findings.finish(self.board.unready())
            self.board.look_at_all()
            self._judge(now)

    # --- acting ------------------------------------------------------------------------------------------------------

    def _act(self, now: float) -> None:
        """Begin what was decided, several Applications at a time; what gets no answer is decided anew later."""
        if self.unavailable and now - self.unavailable_at < RETRY_SECONDS:
            return
        self.inquiry.look(self.board.unready(), self.others, now)
        for entry in self.judged:
            self.findings.read(entry, now)
        while len(self.in_flight) < SENDERS and (following := self.board.next_to_do(now)):
            self._submit(following, self.operations.begin(following))

    def _submit(self, entry: Tracked | None, write: Write) -> None:
        self.in_flight.add(write)
        self.workers.submit(self._send, entry, write)

    def _send(self, entry: Tracked | None, write: Write) -> None:
        """Send a write, in a thread of its own; everything else happens in the thread that waits."""
        self.watcher.queue.put(("written", entry, write, self.operations.send(write)))

    def _end(self, entry: Tracked, write: Write, written: Written) -> None:
        """Record what became of a write."""
        self.board.update(entry, lambda: self._conclude(entry, write, written))
        if isinstance(written.error, UnavailableError):
            self._miss(str(written.error))
        elif written.error:
            raise written.error
        else:
            self.unavailable = ""

    def _miss(self, reason: str) -> None:
        """Record that the API server did not answer, until the watch or a request succeeds again."""
        self.unavailable, self.unavailable_at = reason, time.monotonic()

    def _clean_up(self) -> None:
        """Take back what Argo CD left of our requests, and see what becomes of the operations that are on their way."""
        self.watcher.stopped.set()
        until = time.monotonic() + END_SECONDS
        self.in_flight = {write for write in self.in_flight if not write.metadata_only}
        for entry in self.tracked.values():
            if entry.held is None and (write := self.operations.clean_up(entry)):
                self._submit(None, write)
        while self.in_flight and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                message = self.watcher.queue.get(timeout=left)
                if message[0] == "written":
                    self._conclude(*message[1:])
        self.workers.close()
        gc.unfreeze()  # see uncollected() in watch.py

    def _conclude(self, entry: Tracked | None, write: Write, written: Written) -> None:
        self.in_flight.discard(write)
        if entry:
            self.operations.end(entry, write, written)

    # --- reporting ---------------------------------------------------------------------------------------------------

    def _tell(self, now: float) -> None:
        """Print a progress line when something else is waited for, and at least every 15 seconds."""
        if not self.progress.is_due(now):
            return
        waiting = [self.tracked[name] for name in self.board.waiting]
        slowest = min(waiting, key=lambda entry: (entry.since, entry.name), default=None)
        code = slowest.verdict.code if slowest else ""
        # Whose turn it is to be refreshed is not news.
        state = self.unavailable or (f"{slowest.name}: {code}" if slowest and code != Code.REFRESHING else code)
        self.progress.show(now, state, lambda: self._progress_text(slowest))

    def _progress_text(self, slowest: Tracked | None) -> str:
        done = len(self.tracked) - len(self.board.waiting) - len(self.board.failed)
        counts = f"{done} of {len(self.tracked)} Applications {self.options.done}"
        text = progress_text(slowest.name, slowest.verdict) if slowest else ""
        return "; ".join(filter(None, [counts, self.unavailable or text]))

    def elapsed(self) -> float:
        """Return the seconds since the wait began."""
        return round(time.monotonic() - self.started, 3)

    def results(self) -> list[dict[str, Any]]:
        """Return the result of each Application."""
        namespace = self.namespace
        entries = [entry for _name, entry in sorted(self.tracked.items())]
        return [result(entry, namespace, self.started) | pause_of(entry, self.options.paused) for entry in entries]


def carry_out(module: Any, client: Any, options: Options, names: list[str]) -> dict[str, Any]:
    """Do to the named Applications what the options say, wait, and return the result of a module."""
    say, api = progress_to(module.params["progress_file"]), Api(client, retries=0)
    waiter = Waiter(api, module.params["namespace"], options, lambda _item: False, names, say=say)
    return outcome(waiter, module.warn)


def result(entry: Tracked, namespace: str, started: float) -> dict[str, Any]:
    """Return what a wait found out about an Application."""
    empty = {"metadata": {"name": entry.name, "namespace": namespace}}
    end = entry.ready_at if entry.ready_at is not None else time.monotonic()
    found, facts = entry.verdict, summary(entry.application or empty)
    if (found.state, found.code) == (READY, Code.LEFTOVER):
        facts["warnings"] = [*facts["warnings"], found.reason]
    return facts | {
        "state": found.state.value,
        "code": found.code.value,
        "reason": found.reason,
        "since": found.since or first_seen(entry),
        "next_step": "" if found.state == READY else found.next_step or page_for([found.code]),
        "fresh": entry.barrier.is_fresh,
        "seconds": round(end - started, 1),
        "refreshes": entry.total_refreshes,
        "resyncs": entry.resyncs,
        **(entry.order.report() if entry.order else {}),
    }


def first_seen(entry: Tracked) -> str:
    """Return when this wait first saw what is said of an Application; nothing where there is nothing to see."""
    if entry.application is None or entry.verdict.state == READY:
        return ""
    seconds_ago = time.monotonic() - entry.since
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def pause_of(entry: Tracked, records: Mapping[str, Record] | None) -> dict[str, str]:
    """Return since when and by whom an Application is paused, where that was asked for."""
    return {} if records is None else {"paused": pause_text(records.get(entry.name), entry.application)}


def brief(applications: list[dict[str, Any]], succeeded: bool) -> list[dict[str, Any]]:
    """Return results for people: no details of what is ready, and when it failed no more than they read."""
    if not succeeded and len(applications) > DESCRIBED:
        applications = worst_first(applications)[:DESCRIBED]
    return [
        {key: value for key, value in entry.items() if entry["state"] != READY or key not in DETAILS}
        for entry in applications
    ]


def outcome(waiter: Waiter, warn: Callable[[str], None], details: bool = True) -> dict[str, Any]:
    """Wait, and return the result of a module; a failure has it, too."""
    ready = waiter.wait()
    applications, elapsed = waiter.results(), waiter.elapsed()
    warnings = [f"Application {entry['name']}: {text}" for entry in applications for text in entry["warnings"]]
    for text in warnings[:DESCRIBED]:
        warn(text)
    if len(warnings) > DESCRIBED:
        warn(f"{len(warnings) - DESCRIBED} more warnings: see those of applications with details=true.")
    result = {
        "changed": any(entry.changed for entry in waiter.tracked.values()),
        "applications": applications if details else brief(applications, ready),
        "counts": dict.fromkeys(State, 0) | Counter(entry["state"] for entry in applications),
        "requests": dict(waiter.requests),
        "elapsed": elapsed,
    }
    if not ready or not applications:
        empty = [] if waiter.unavailable else waiter.ungenerated()
        more = [why_nothing(waiter.api, waiter.namespace, name) for name in empty]
        message = failure_message(applications, elapsed, waiter.unavailable, waiter.options.done, more)
        raise GitopsError(message, **result)
    return result
