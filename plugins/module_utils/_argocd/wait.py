# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until Applications are ready: follow them, let every version be judged, and act on what is decided.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.applicationset import why_nothing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.decision import Moment, decide, find
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import Inquiry
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.findings import Findings
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import without_applications
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.message import failure_message, progress_text
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import Operations
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import Record, pause_text
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.runbooks import page_for
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application, revisions_of, summary
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Options,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.watch import Watcher
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to

RETRY_SECONDS = 1.0
PROGRESS_SECONDS = 15.0


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
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.api, self.options, self.selects, self.progress = api, options, selects, progress
        self.namespace = namespace
        self.path = f"{GROUP}/namespaces/{namespace}/applications"
        self.requests: Counter[str] = Counter()
        self.started = time.monotonic()
        self.tracked = {name: Tracked(name, self.started, options.orders.get(name)) for name in names}
        self.explicit = set(names)
        self.others: dict[str, Application] = {}  # all Applications, also those that are not waited for
        self.watcher = Watcher(api, self.path, selector, self.requests)
        self.findings = Findings(api, self.requests)
        self.inquiry = Inquiry(api, namespace, self.requests)
        self.operations = Operations(api, self.path, options, self.requests)
        self.listed = False
        self.unavailable, self.unavailable_at = "", self.started
        self.printed = ("", self.started)

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
                        ready = all(entry.verdict.state == READY for entry in self.tracked.values())
                        return ready and not self.ungenerated()
                    self._act(now)
                if now >= self._deadline:
                    return False
                self._tell(now)
        finally:
            self.watcher.stopped.set()
            for entry in self.tracked.values():
                self.operations.clean_up(entry)

    @property
    def _deadline(self) -> float:
        return self.started + self.options.timeout

    # --- events ------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Process all queued messages; wait briefly when there are none."""
        try:
            message = self.watcher.queue.get(timeout=min(0.2, max(0.0, self._deadline - time.monotonic())))
        except queue.Empty:
            return
        while True:
            self._take(message)
            try:
                message = self.watcher.queue.get_nowait()
            except queue.Empty:
                return

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == "error":
            raise message[1]
        if message[0] == "unavailable":
            self._miss(message[1])
            return
        self.unavailable = ""
        if message[0] == "event":
            _event, kind, item = message
            self._observe(item, kind == "DELETED", unbroken=True)
            return
        self.listed = True
        present = {item["metadata"]["name"] for item in message[1]}
        self.others = {}
        for item in message[1]:
            self._observe(item, deleted=False, unbroken=False)
        for name, entry in list(self.tracked.items()):
            if name not in present and entry.application is not None:
                self._forget(name)

    def _observe(self, item: Application, deleted: bool, unbroken: bool) -> None:
        name = item["metadata"]["name"]
        if deleted:
            self.others.pop(name, None)
            if name in self.tracked:
                self._forget(name)
            return
        self.others[name] = item
        if name in self.tracked or self.selects(item):
            entry = self.tracked.setdefault(name, Tracked(name, time.monotonic()))
            entry.observe(item, unbroken)

    def _forget(self, name: str) -> None:
        """Drop an Application that is gone, unless it was asked for by name: then it must come back."""
        if name in self.explicit:
            self.tracked[name].observe(None, unbroken=True)
        else:
            del self.tracked[name]

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge(self, now: float) -> None:
        """Judge all objects, then decide about all Applications: a decision depends on those of the dependencies."""
        moment = Moment(now, self.started, answering=not self.unavailable)
        known = known_of(self)
        for entry in self.tracked.values():
            entry.find(find(entry, self.options, known, moment), now)
        found = {name: entry.found for name, entry in self.tracked.items()}
        for name in self.tracked:
            self._decide(name, moment, found, set())

    def _decide(self, name: str, moment: Moment, verdicts: dict[str, Verdict], decided: set[str]) -> None:
        """Decide about the dependencies of an Application first; in a cycle of them what was found counts."""
        if name in decided:
            return
        decided.add(name)
        needs = [need for need in self.options.depends_on.get(name, []) if need in self.tracked]
        for need in needs:
            self._decide(need, moment, verdicts, decided)
        entry = self.tracked[name]
        entry.decide(decide(entry, self.options, {need: verdicts[need] for need in needs}, moment), moment.now)
        verdicts[name] = entry.verdict

    def _done(self, now: float) -> bool:
        states = [entry.verdict.state for entry in self.tracked.values()]
        if self.options.fail_fast and FAILED in states:
            return True
        if WAIT in states:
            return False
        # A selector that matches nothing yet, or an ApplicationSet that has generated nothing yet.
        complete = states and not self.ungenerated()
        return bool(complete) or now - self.started > self.options.not_found_grace

    def ungenerated(self) -> list[str]:
        """Return the ApplicationSets that have no Application."""
        return without_applications(
            self.options.applicationsets, (entry.application for entry in self.tracked.values())
        )

    # --- acting ------------------------------------------------------------------------------------------------------

    def _act(self, now: float) -> None:
        """Do what was decided, several Applications at a time; what gets no answer is decided anew later."""
        if self.unavailable and now - self.unavailable_at < RETRY_SECONDS:
            return
        self.inquiry.look(self.tracked.values(), self.others, now)
        for entry in self.tracked.values():
            self.findings.read(entry, now)
        due = [entry for entry in self.tracked.values() if entry.decision.action is not Action.NONE]
        if not due:
            return
        with ThreadPoolExecutor(max_workers=min(8, len(due))) as pool:
            done: list[Future[None]] = [pool.submit(self.operations.act, entry) for entry in due]
        for future in done:
            try:
                future.result()
                self.unavailable = ""
            except UnavailableError as error:
                self._miss(str(error))

    def _miss(self, reason: str) -> None:
        """Record that the API server did not answer, until the watch or a request succeeds again."""
        self.unavailable, self.unavailable_at = reason, time.monotonic()

    # --- reporting ---------------------------------------------------------------------------------------------------

    def _tell(self, now: float) -> None:
        """Print a progress line when the pending Applications change, and at least every 15 seconds."""
        waiting = [entry for entry in self.tracked.values() if entry.verdict.state == WAIT]
        state = self.unavailable or ",".join(f"{entry.name}:{entry.verdict.code}" for entry in waiting)
        quiet = 2.0 if state != self.printed[0] else PROGRESS_SECONDS
        if now - self.printed[1] < quiet:
            return
        self.printed = (state, now)
        done = sum(entry.verdict.state == READY for entry in self.tracked.values())
        counts = f"{now - self.started:4.0f} s: {done} of {len(self.tracked)} Applications {self.options.done}"
        slowest = min(waiting, key=lambda entry: entry.since, default=None)
        text = progress_text(slowest.name, slowest.verdict) if slowest else ""
        self.progress("; ".join(filter(None, [counts, self.unavailable or text])))

    def elapsed(self) -> float:
        """Return the seconds since the wait began."""
        return round(time.monotonic() - self.started, 3)

    def results(self) -> list[dict[str, Any]]:
        """Return the result of each Application."""
        namespace = self.namespace
        entries = [entry for _name, entry in sorted(self.tracked.items())]
        return [result(entry, namespace, self.started) | pause_of(entry, self.options.paused) for entry in entries]


def known_of(waiter: Waiter) -> Seen:
    """Return what all Applications together say about each of them."""
    entries = [entry for entry in waiter.tracked.values() if entry.application]
    proves = waiter.options.refresh != "none"
    return Seen(
        others=waiter.others | {entry.name: entry.application for entry in entries if entry.application},
        stale=frozenset(entry.name for entry in waiter.tracked.values() if proves and not entry.barrier.is_fresh),
        shared=frozenset(entry.name for entry in entries if entry.shared_at == revisions_of(entry.application or {})),
        evidence=waiter.inquiry.known,
    )


def carry_out(module: Any, client: Any, options: Options, names: list[str]) -> dict[str, Any]:
    """Do to the named Applications what the options say, wait, and return the result of a module."""
    progress, api = progress_to(module.params["progress_file"]), Api(client, retries=0)
    waiter = Waiter(api, module.params["namespace"], options, lambda _item: False, names, progress=progress)
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
        "since": found.since,
        "next_step": "" if found.state == READY else found.next_step or page_for([found.code]),
        "fresh": entry.barrier.is_fresh,
        "seconds": round(end - started, 1),
        "refreshes": entry.total_refreshes,
        "resyncs": entry.resyncs,
        **(entry.order.report() if entry.order else {}),
    }


def pause_of(entry: Tracked, records: Mapping[str, Record] | None) -> dict[str, str]:
    """Return since when and by whom an Application is paused, where that was asked for."""
    return {} if records is None else {"paused": pause_text(records.get(entry.name), entry.application)}


def outcome(waiter: Waiter, warn: Callable[[str], None]) -> dict[str, Any]:
    """Wait, and return the result of a module; a failure has it, too."""
    ready = waiter.wait()
    applications, elapsed = waiter.results(), waiter.elapsed()
    for entry in applications:
        for text in entry["warnings"]:
            warn(f"Application {entry['name']}: {text}")
    result = {
        "changed": any(entry.changed for entry in waiter.tracked.values()),
        "applications": applications,
        "requests": dict(waiter.requests),
        "elapsed": elapsed,
    }
    if not ready or not applications:
        empty = [] if waiter.unavailable else waiter.ungenerated()
        more = [why_nothing(waiter.api, waiter.namespace, name) for name in empty]
        message = failure_message(applications, elapsed, waiter.unavailable, waiter.options.done, more)
        raise GitopsError(message, **result)
    return result
