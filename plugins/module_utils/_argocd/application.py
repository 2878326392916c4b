# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, watch, refresh and sync Applications through the Kubernetes API.

One LIST and one WATCH serve all Applications of a namespace. A status counts only once the controller has
removed a refresh request that was made after the wait began.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import holders
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import rewriters
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import (
    DRIFT_SECONDS,
    FAILED,
    INSTEAD_OF_SELF_HEAL,
    READY,
    REFRESH,
    STAMP,
    WAIT,
    Application,
    Request,
    Seen,
    Verdict,
    healed,
    is_deleted,
    operation_revisions,
    operation_state,
    revisions_of,
    succeeded_here,
    summary,
    verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

GROUP = "/apis/argoproj.io/v1alpha1"
WATCH_SECONDS = 300
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
PROGRESS_SECONDS = 15.0
NOT_IDLE = ("syncing", "superseded", "settling", "sync-failed", "resync")
# Readers of what the status does not contain, by code of the verdict, and the seconds between two reads.
READERS: dict[str, Callable[[Api, Application], list[str]]] = {"deleting": holders, "drift": rewriters}
READ_SECONDS = 5.0
# Seconds between refreshes of an Application that is idle but not ready: the controller may have missed an event.
BACK_OFF = {"post-sync": (1, 1, 2, 5, 10), "error": (1, 2, 4, 8, 15), "revision": (1, 2, 4)}
BACK_OFF |= {"shared": (1, 1, 1, 2, 5), "self-heal": (2,), "": (5, 10, 20, 30)}
# Seconds until a request without an answer is made again. The controller can overlook one: it puts what its own writes
# return into its cache without comparing versions, also over a newer version that has the request (writeBackToInformer
# in controller/appcontroller.go at v3.6.1). The next change of the Application ends that.
ASK_AGAIN = (5, 10, 20)


@dataclass
class Options:
    """How to wait."""

    request: Request
    refresh: str = "normal"
    timeout: float = 300.0
    refresh_timeout: float = 60.0
    stable_for: float = 0.0
    not_found_grace: float = 10.0
    fail_fast: bool = False
    resync_failed: bool = False
    resync_limit: int = 3
    sync_manual: bool = False
    touched: list[str] | None = None  # names of Applications that a commit changes; None: possibly all
    untouched_timeout: float = 120.0
    depends_on: dict[str, list[str]] = field(default_factory=dict)


class Watcher(threading.Thread):
    """Puts every version of the Applications into a queue: ("list", items) and ("event", type, item)."""

    def __init__(self, api: Api, path: str, selector: str, requests: Counter[str]) -> None:
        super().__init__(daemon=True)
        self.api, self.path, self.requests = api, path, requests
        self.query = {"labelSelector": selector} if selector else {}
        self.queue: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.version: str | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        """List once and follow the events; after a broken connection the watch resumes at the last version."""
        while not self.stopped.is_set():
            try:
                if self.version is None:
                    self._list()
                self._follow()
            except UnavailableError as error:
                self.queue.put(("unavailable", str(error)))
                self.stopped.wait(0.5)
            except GitopsError as error:
                self.queue.put(("error", error))
                return

    def _list(self) -> None:
        self.requests["list"] += 1
        status, found = self.api.request("GET", self.path, self.query)
        if status != 200:
            raise GitopsError(f"Applications cannot be listed: {found.get('message', status)}")
        self.version = found["metadata"]["resourceVersion"]
        self.queue.put(("list", found["items"]))

    def _follow(self) -> None:
        self.requests["watch"] += 1
        query = self.query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": WATCH_SECONDS,
        }
        for event in self.api.stream(self.path, query, WATCH_SECONDS + 30):
            item = event["object"]
            if event["type"] == "ERROR":
                if item.get("code") in (403, 405):  # no right to watch
                    self.stopped.wait(POLL_SECONDS)
                self.version = None  # too old, or not allowed: list again
                return
            self.version = item["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self.queue.put(("event", event["type"], item))
            if self.stopped.is_set():
                return


class Tracked:
    """What is known about one Application."""

    def __init__(self, name: str, started: float) -> None:
        self.name = name
        self.application: Application | None = None
        self.fresh = False
        self.rounds = 0  # answered refresh requests since the Application appeared
        self.stamp = ""  # the timestamp of the last request
        self.stamped = False  # whether the latest version of the object has it
        self.sent = False  # a request was sent and not answered yet
        self.sent_at = started
        self.asked = 0  # how often it was made
        self.floor = 0  # older versions than that of our last request are ignored
        self.found = Verdict(WAIT, "not-found", "does not exist")  # the state of the object
        self.since = started  # when the code of `found` began
        self.error_rounds = 0
        self.refreshes = 0  # since then
        self.verdict = self.found  # what the wait decides, see Waiter._decision
        self.refreshed_at = started
        self.resyncs = 0
        self.ready_at: float | None = None
        self.total_refreshes = 0
        self.finished = ""  # when the last operation ended, by the controller's clock and by ours
        self.finished_at = started
        self.overtaking: tuple[str, ...] = ()  # the revision that appeared while an older one was being synced
        self.shared_at: tuple[str, ...] | None = None  # revision with a confirmed shared object
        self.live: dict[str, tuple[str, ...]] = {}  # findings in the live objects, by code of the verdict
        self.reading = False
        self.read_at = started - READ_SECONDS

    def find(self, found: Verdict, now: float) -> None:
        """Record what the object says. WAIT -> FAILED with the same code keeps its start time and counters."""
        if found.code != self.found.code:
            self.since, self.refreshes, self.refreshed_at, self.error_rounds = now, 0, now, 0
        self.found = found

    def decide(self, decision: Verdict, now: float) -> None:
        """Record what the wait decides."""
        if decision.state != READY:
            self.ready_at = None
        elif self.ready_at is None:
            self.ready_at = now
        self.verdict = decision

    def observe(self, application: Application | None, unbroken: bool) -> None:
        """Record a version of the object; `unbroken` means that no version before it was missed."""
        if application and int(application["metadata"]["resourceVersion"]) < self.floor:
            return
        if application is None or uid_of(application) != uid_of(self.application):  # a new object starts over
            self.fresh = self.stamped = self.sent = False
            self.rounds, self.live = 0, {}
        before_had_stamp, self.application = self.stamped, application
        if application is None:
            return
        state = operation_state(application)
        older = operation_revisions(state) != revisions_of(application)
        if older and application.get("operation") and not healed(state):
            self.overtaking = revisions_of(application)
        finished = state.get("finishedAt", "")
        if finished != self.finished:
            self.finished, self.finished_at = finished, time.monotonic()
        annotations = application["metadata"].get("annotations") or {}
        self.stamped = bool(self.stamp) and REFRESH in annotations and annotations.get(STAMP) == self.stamp
        if self.sent and REFRESH not in annotations:
            self.sent = False
            if self.fresh:
                self.error_rounds += 1
                return
            self.rounds += 1
            # Argo CD 3.6 removes request and timestamp in one write, and only if the reconcile began with them.
            exact = unbroken and before_had_stamp and STAMP not in annotations
            # Otherwise the first answer may come from an older reconcile; the second one cannot.
            self.fresh = exact or self.rounds >= 2


def uid_of(application: Application | None) -> str:
    """Return the UID, which tells an Application from a later one with the same name."""
    return str((application or {}).get("metadata", {}).get("uid", ""))


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
        self.path = f"{GROUP}/namespaces/{namespace}/applications"
        self.requests: Counter[str] = Counter()
        self.started = time.monotonic()
        self.tracked = {name: Tracked(name, self.started) for name in names}
        self.explicit = set(names)
        self.others: dict[str, Application] = {}  # all Applications, also those that are not waited for
        self.watcher = Watcher(api, self.path, selector, self.requests)
        self.listed = False
        self.unavailable, self.unavailable_at = "", self.started
        self.printed = ("", self.started)

    @property
    def impatient_at(self) -> float:
        """Return the deadline for Applications that the commit did not touch."""
        return self.started + self.options.untouched_timeout

    @property
    def deadline(self) -> float:
        """Return the deadline of the wait."""
        return self.started + self.options.timeout

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
                        return all(entry.verdict.state == READY for entry in self.tracked.values())
                    self._act(now)
                if now >= self.deadline:
                    return False
                self._tell(now)
        finally:
            self.watcher.stopped.set()
            self._clean_up()

    # --- events ------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Process all queued messages; wait briefly when there are none."""
        try:
            message = self.watcher.queue.get(timeout=min(0.2, max(0.0, self.deadline - time.monotonic())))
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
        unproven = [entry.name for entry in self.tracked.values() if not entry.fresh]
        stale = frozenset(unproven if self.options.refresh != "none" else ())
        tracked = {entry.name: entry.application for entry in self.tracked.values() if entry.application}
        shared = frozenset(
            entry.name
            for entry in self.tracked.values()
            if entry.application and entry.shared_at == revisions_of(entry.application)
        )
        known = Seen(others=self.others | tracked, stale=stale, shared=shared)
        for entry in self.tracked.values():
            entry.find(self._verdict(entry, now, known), now)
        decisions: dict[str, Verdict] = {}
        for name, entry in self.tracked.items():
            entry.decide(self._decision(name, now, decisions), now)

    def _decision(self, name: str, now: float, decisions: dict[str, Verdict]) -> Verdict:
        """Return the decision about an Application. Nothing else sets one.

        `decisions` collects those of this pass. In a cycle of dependencies what was found counts.
        """
        if name in decisions:
            return decisions[name]
        entry = self.tracked[name]
        decisions[name] = entry.found
        needs = [need for need in self.options.depends_on.get(name, []) if need in self.tracked]
        decision = self._next_step(entry, now, {need: self._decision(need, now, decisions) for need in needs})
        if decision.state == WAIT and now > self.impatient_at and self._is_untouched(name):
            gave_up = f"(not touched by this commit; gave up after {self.options.untouched_timeout:g} s)"
            decision = Verdict(FAILED, decision.code, f"{decision.reason} {gave_up}")
        decisions[name] = decision
        return decision

    def _next_step(self, entry: Tracked, now: float, needs: dict[str, Verdict]) -> Verdict:
        """Return what happens next: the Application must stay ready, is synced by this wait, or is as found."""
        found = entry.found
        if found.state == READY and now - entry.since < self.options.stable_for:
            return Verdict(WAIT, "settling", f"ready for less than {self.options.stable_for:g} s")
        if self.options.resync_failed and found.code == "sync-failed":
            return self._retry(entry, needs)
        if self._may_sync(entry, now):
            return Verdict(WAIT, "resync", f"will be synced; {found.reason}")
        return found

    def _is_untouched(self, name: str) -> bool:
        """Return whether neither an Application nor anything that it depends on was changed."""
        needs, seen = [name], set()
        while needs and self.options.touched is not None:
            current = needs.pop()
            if current in self.options.touched:
                return False
            seen.add(current)
            needs += [need for need in self.options.depends_on.get(current, []) if need not in seen]
        return self.options.touched is not None

    def _may_sync(self, entry: Tracked, now: float) -> bool:
        """Return whether this wait is what syncs an Application: automated sync is off, or self-heal pauses.

        Argo CD pauses longer after each self-heal of a revision, 300 s after the sixth, and never forgets their number
        (autoSync and selfHealRemainingBackoff in controller/appcontroller.go at v3.6.1).
        """
        found = entry.found
        manual = self.options.sync_manual and found.code == "manual"
        paused = self.options.resync_failed and (found.state, found.code) == (WAIT, "drift")
        wanted = manual or (paused and now - entry.since > DRIFT_SECONDS)
        return wanted and entry.resyncs < self.options.resync_limit

    def _verdict(self, entry: Tracked, now: float, known: Seen) -> Verdict:
        """Return what an object says; a new reason has lasted 0 seconds and was not confirmed."""
        if entry.application is None:
            missing = now - entry.since if entry.found.code == "not-found" else 0.0
            late = missing > self.options.not_found_grace and entry.name in self.explicit
            return Verdict(FAILED if late else WAIT, "not-found", "does not exist")
        deleted = is_deleted(entry.application)
        if self.options.refresh != "none" and not entry.fresh and not deleted:
            return self._barrier_verdict(entry, now)
        seen = replace(
            known,
            seconds=now - entry.since,
            error_rounds=entry.error_rounds,
            quiet_seconds=now - entry.finished_at,
            overtaking=() if entry.resyncs else entry.overtaking,
            live=entry.live.get("deleting" if deleted else "drift", ()),
        )
        found = verdict(entry.application, self.options.request, seen)
        if found.state == WAIT and entry.name in known.shared:
            return entry.found  # while two Applications take the object from each other, each is briefly in order
        if found.code != entry.found.code:
            seen = replace(seen, seconds=0.0, error_rounds=0)
            found = verdict(entry.application, self.options.request, seen)
        entry.shared_at = revisions_of(entry.application) if (found.state, found.code) == (FAILED, "shared") else None
        return found

    def _barrier_verdict(self, entry: Tracked, now: float) -> Verdict:
        waited = now - entry.sent_at
        if entry.sent and waited > self.options.refresh_timeout and not self.unavailable:
            return Verdict(
                FAILED,
                "refreshing",
                f"the application controller did not process a refresh within {self.options.refresh_timeout:.0f} s: "
                "is it running, does it serve this namespace and shard, or does the Application have the annotation "
                "argocd.argoproj.io/skip-reconcile?",
            )
        return Verdict(
            WAIT, "refreshing", f"refresh requested {waited:.0f} s ago; the application controller has not answered yet"
        )

    def _retry(self, entry: Tracked, needs: dict[str, Verdict]) -> Verdict:
        """Hold back a failed sync until its dependencies are ready, then retry it."""
        found = entry.found
        failed = [name for name, need in needs.items() if need.state == FAILED]
        late = [name for name, need in needs.items() if need.state == WAIT]
        if failed:
            return Verdict(FAILED, "sync-failed", f"its dependency {', '.join(failed)} failed; {found.reason}")
        if late:
            return Verdict(
                WAIT, "sync-failed", f"waits for {', '.join(late)} before it is synced again; {found.reason}"
            )
        if entry.resyncs < self.options.resync_limit:
            return Verdict(WAIT, "resync", f"will be synced again; {found.reason}")
        return found

    def _done(self, now: float) -> bool:
        states = [entry.verdict.state for entry in self.tracked.values()]
        if self.options.fail_fast and FAILED in states:
            return True
        if not states:  # a selector that matches nothing yet
            return now - self.started > self.options.not_found_grace
        return WAIT not in states

    # --- acting ------------------------------------------------------------------------------------------------------

    def _act(self, now: float) -> None:
        if self.unavailable and now - self.unavailable_at < RETRY_SECONDS:
            return
        due = [entry for entry in self.tracked.values() if self._needs_refresh(entry, now)]
        if due:
            with ThreadPoolExecutor(max_workers=min(8, len(due))) as pool:
                list(pool.map(self._refresh, due))
        for entry in self.tracked.values():
            self._read_live(entry, now)
            if entry.verdict.state != WAIT:
                continue
            if entry.verdict.code == "resync":
                self._operate(entry, sync_operation(entry.application or {}, prune=self.options.sync_manual))
            elif self.options.resync_failed and entry.verdict.code == "superseded" and now - entry.since > 1:
                self._operate(entry, terminate_operation(entry.application or {}))

    def _needs_refresh(self, entry: Tracked, now: float) -> bool:
        if entry.application is None or self.options.refresh == "none" or is_deleted(entry.application):
            return False
        if entry.sent:
            return now - entry.refreshed_at >= ASK_AGAIN[min(entry.asked, len(ASK_AGAIN)) - 1]
        if not entry.fresh:
            return True
        if entry.verdict.state != WAIT or entry.verdict.code in NOT_IDLE:
            return False
        delays = BACK_OFF.get(entry.verdict.code, BACK_OFF[""])
        return now - entry.refreshed_at >= delays[min(entry.refreshes, len(delays) - 1)]

    def _read_live(self, entry: Tracked, now: float) -> None:
        """Read the objects that a verdict is about in a thread; the next verdict includes the result."""
        code = entry.verdict.code
        if code not in READERS or entry.application is None or entry.reading or now - entry.read_at < READ_SECONDS:
            return
        entry.reading, entry.read_at = True, now
        self.requests["read"] += 1
        threading.Thread(target=self._take_live, args=(entry, code, entry.application), daemon=True).start()

    def _take_live(self, entry: Tracked, code: str, application: Application) -> None:
        try:
            found = tuple(READERS[code](self.api, application))
            # Between two writes of another manager nothing differs; the earlier finding stays valid.
            if found or code != "drift":
                entry.live[code] = found
        except GitopsError:
            pass  # the verdict stands without it
        finally:
            entry.reading = False

    def _refresh(self, entry: Tracked) -> None:
        """Request a refresh, or make the request again that was not answered."""
        again, entry.sent = entry.sent, False
        if again and self._annotate(entry, {REFRESH: None}) is None:
            return
        if not again:  # otherwise the timestamp stays, so that an answer which is on its way counts
            entry.stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.{uuid.uuid4().int % 10**9:09d}Z"
        found = self._annotate(entry, {REFRESH: self.options.refresh, STAMP: entry.stamp})
        if found is None:
            return
        entry.sent, entry.refreshed_at = True, time.monotonic()
        entry.total_refreshes += 1
        if again:
            entry.asked += 1
        else:
            entry.sent_at, entry.asked = entry.refreshed_at, 1
            entry.refreshes += 1
        entry.observe(found, unbroken=True)

    def _annotate(self, entry: Tracked, annotations: dict[str, str | None]) -> Application | None:
        return self._patch(entry, {"metadata": {"annotations": annotations}})

    def _operate(self, entry: Tracked, body: dict[str, Any]) -> None:
        """Start or end an operation, unless the Application changed in the meantime."""
        found = self._patch(entry, body)
        if found is not None:
            entry.resyncs += "operation" in body
            entry.observe(found, unbroken=True)

    def _patch(self, entry: Tracked, body: dict[str, Any]) -> Application | None:
        """Change an Application; None on a conflict or without an answer: the watch then delivers the new state."""
        self.requests["patch"] += 1
        try:
            status, found = self.api.request("PATCH", f"{self.path}/{entry.name}", body=body)
        except UnavailableError as error:
            self._miss(str(error))
            return None
        self.unavailable = ""
        if status in (404, 409):
            return None
        if status != 200:
            raise GitopsError(f"Application {entry.name} cannot be changed: {found.get('message', status)}")
        entry.floor = int(found["metadata"]["resourceVersion"])
        return found

    def _miss(self, reason: str) -> None:
        """Record that the API server did not answer, until the watch or a request succeeds again."""
        self.unavailable, self.unavailable_at = reason, time.monotonic()

    def _clean_up(self) -> None:
        """Remove our timestamp where Argo CD left it: versions before 3.6 do not know it."""
        for entry in self.tracked.values():
            annotations = (entry.application or {}).get("metadata", {}).get("annotations") or {}
            if annotations.get(STAMP) == entry.stamp and REFRESH not in annotations and entry.stamp:
                body = {"metadata": {"annotations": {STAMP: None}}}
                try:
                    self.api.request("PATCH", f"{self.path}/{entry.name}", body=body)
                except GitopsError:
                    continue  # the annotation has no effect

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
        text = f"{now - self.started:4.0f} s: {done} of {len(self.tracked)} Applications ready"
        if self.unavailable:
            text += f"; {self.unavailable}"
        elif waiting:
            slowest = min(waiting, key=lambda entry: entry.since)
            text += f"; {slowest.name}: {slowest.verdict.reason[:200]}"
        self.progress(text)

    def elapsed(self) -> float:
        """Return the seconds since the wait began."""
        return round(time.monotonic() - self.started, 3)

    def results(self) -> list[dict[str, Any]]:
        """Return the result of each Application."""
        return [self._result(entry) for _name, entry in sorted(self.tracked.items())]

    def _result(self, entry: Tracked) -> dict[str, Any]:
        empty = {"metadata": {"name": entry.name, "namespace": self.path.split("/")[5]}}
        end = entry.ready_at if entry.ready_at is not None else time.monotonic()
        return summary(entry.application or empty) | {
            "state": entry.verdict.state,
            "reason": entry.verdict.reason,
            "fresh": entry.fresh,
            "seconds": round(end - self.started, 1),
            "refreshes": entry.total_refreshes,
            "resyncs": entry.resyncs,
        }


def sync_operation(application: Application, prune: bool = False) -> dict[str, Any]:
    """Return the patch that starts a sync the way Argo CD's API server does: with the options of the specification."""
    policy = (application.get("spec") or {}).get("syncPolicy") or {}
    automated = policy.get("automated")
    sync: dict[str, Any] = {"prune": prune if automated is None else bool(automated.get("prune"))}
    if policy.get("syncOptions"):
        sync["syncOptions"] = policy["syncOptions"]
    operation: dict[str, Any] = {
        "sync": sync,
        "initiatedBy": {"username": "ansible"},
        "info": [{"name": "ansible-request-id", "value": str(uuid.uuid4())}],
    }
    if automated and automated.get("selfHeal") and succeeded_here(application):
        operation["info"].append(INSTEAD_OF_SELF_HEAL)
    if policy.get("retry"):
        operation["retry"] = policy["retry"]
    return {
        "metadata": {"resourceVersion": application["metadata"]["resourceVersion"]},
        "operation": operation,
        # Argo CD before 3.6 would merge the old state into the new one.
        "status": {"operationState": None},
    }


def terminate_operation(application: Application) -> dict[str, Any]:
    """Return the patch that ends the running operation, as Argo CD's API server does."""
    return {
        "metadata": {"resourceVersion": application["metadata"]["resourceVersion"]},
        "status": {"operationState": {"phase": "Terminating"}},
    }


def list_applications(api: Api, namespace: str, selector: str, installed: bool = True) -> list[Application]:
    """Return the Applications of a namespace; none where Argo CD may not be installed yet."""
    query = {"labelSelector": selector} if selector else None
    status, found = api.request("GET", f"{GROUP}/namespaces/{namespace}/applications", query)
    if status == 404 and not installed:
        return []
    if status != 200:
        reason = "Argo CD is not installed" if status == 404 else found.get("message", status)
        raise GitopsError(f"Applications cannot be listed: {reason}")
    return list(found["items"])


def selection(names: list[str], applicationsets: list[str], labelled: bool) -> Callable[[Application], bool]:
    """Return a predicate for the Applications to wait for; the API server selects by label."""

    def selects(item: Application) -> bool:
        owners = {
            entry["name"]
            for entry in item["metadata"].get("ownerReferences") or []
            if entry.get("kind") == "ApplicationSet"
        }
        if names or applicationsets:
            return item["metadata"]["name"] in names or bool(owners & set(applicationsets))
        return labelled

    return selects


def snapshot(api: Api, namespace: str, selector: str, selects: Callable[[Application], bool]) -> list[dict[str, Any]]:
    """Return the Applications as they are, without a claim that their status is fresh."""
    extra = {
        "state": WAIT,
        "reason": "check mode requests no refresh",
        "fresh": False,
        "seconds": 0.0,
        "refreshes": 0,
        "resyncs": 0,
    }
    # In check mode before the first run there is no Argo CD.
    found = [item for item in list_applications(api, namespace, selector, installed=False) if selects(item)]
    return sorted((summary(item) | extra for item in found), key=lambda entry: entry["name"])


def failure_message(applications: list[dict[str, Any]], seconds: float, unavailable: str) -> str:
    """Return what is not ready after so many seconds and why, failures first."""
    if unavailable:
        return f"{unavailable} (after {seconds:.0f} s)"
    if not applications:
        return "No Application matches: check names, label_selectors, applicationsets and namespace."
    failed = [entry for entry in applications if entry["state"] == FAILED]
    waiting = [entry for entry in applications if entry["state"] == WAIT]
    ready = len(applications) - len(failed) - len(waiting)
    parts = [f"Application {entry['name']}: {entry['reason']}" for entry in failed]
    parts += [
        f"Application {entry['name']} was not ready after {seconds:.0f} s: {entry['reason']}" for entry in waiting
    ]
    return f"{ready} of {len(applications)} Applications are ready. " + ". ".join(parts) + "."
