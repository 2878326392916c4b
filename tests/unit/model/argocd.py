# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's application controller, as far as an Application shows what it does.

After processAppRefreshQueueItem, autoSync, processRequestedAppOperation, handleRefreshAnnotation and
writeBackToInformer in controller/appcontroller.go at v3.6.1; what 3.5 does differently is marked. Every `yield` is a
place where anything else may happen.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import healed
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    FINISHED,
    REFRESH,
    STAMP,
    Application,
    operation_state,
    status_of,
    sync_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

from .cluster import BRANCH, Cluster, Git, Live, Store, difference, merged, why
from .schedule import Schedule

CONTROLLER = "argocd-application-controller"
RETRY_SECONDS = 1.0
RESYNC_SECONDS = 120.0
DELETION_SECONDS = 2.0
FORCED, LATEST, RECENT = 3, 2, 1  # how much a comparison looks up anew
BAD = ("Failed", "Error")
KIND = {"kind": "ConfigMap", "group": ""}
Part = Generator[float | None, None, Any]


class Controller:
    """The application controller. Its copies of Applications and of live objects are late."""

    def __init__(self, schedule: Schedule, store: Store, cluster: Cluster, git: Git, stamps: bool) -> None:
        self.schedule, self.store, self.cluster, self.git, self.stamps = schedule, store, cluster, git, stamps
        self.informer = schedule.channel("controller: informer", self._inform, CONTROLLER)
        self.cache = schedule.channel("controller: cache", self._notice, CONTROLLER)
        store.watchers.append(self.informer)
        cluster.watchers.append(self.cache)
        self.overlooks = False  # whether it misses the next change of a live object
        self.begin()

    # --- its processes -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start: what it knows is what is there, and each Application is looked at once."""
        self.schedule.end(CONTROLLER)
        self.copies = dict(self.store.items)
        self.live: dict[str, Live] = dict(self.cluster.live)
        self.asked: dict[str, int] = {}  # comparisons that it asked itself for
        self.busy: set[tuple[str, str]] = set()  # work that is being done
        self.again: set[tuple[str, str]] = set()  # and that is to be done again after that
        self.refs = ""  # the commit that the repo-server remembers
        self.running = True
        for name in self.copies:
            self._queue("refresh", name)
        self.schedule.start("controller: resync", self._resync(), CONTROLLER, RESYNC_SECONDS)

    def stop(self) -> None:
        """Stop in the middle of everything."""
        self.running = False
        self.schedule.end(CONTROLLER)

    def _resync(self) -> Part:
        """Look at everything again from time to time."""
        while True:
            for name in self.copies:
                self._ask(name, LATEST)
                self._queue("operation", name)
            yield RESYNC_SECONDS

    def _queue(self, kind: str, name: str, after: float = 0.0) -> None:
        """Queue an Application; each queue handles an Application once at a time."""
        if after:
            self.schedule.start(f"{name}: timer for {kind}", self._later(kind, name), CONTROLLER, after)
        elif (kind, name) in self.busy:
            self.again.add((kind, name))
        else:
            self.busy.add((kind, name))
            self.schedule.start(f"{name}: {kind}", self._work(kind, name), CONTROLLER)

    def _later(self, kind: str, name: str) -> Part:
        self._queue(kind, name)
        yield None

    def _work(self, kind: str, name: str) -> Part:
        again = True
        while again:
            self.again.discard((kind, name))
            yield from self._refresh(name) if kind == "refresh" else self._operate(name)
            again = (kind, name) in self.again
            if again:
                yield None
        self.busy.discard((kind, name))

    def _ask(self, name: str, level: int, after: float = 0.0) -> None:
        self.asked[name] = max(level, self.asked.get(name, 0))
        self._queue("refresh", name, after)

    def _inform(self, event: tuple[str, Application]) -> None:
        """Take a version of an Application; an older one may come after a newer one that it wrote itself."""
        kind, item = event
        name = item["metadata"]["name"]
        if kind == "DELETED":
            self.copies.pop(name, None)
        if kind == "DELETED" or not self.running:
            return
        self.copies[name] = item
        self._queue("refresh", name)
        if item.get("operation") or item["metadata"].get("deletionTimestamp"):
            self._queue("operation", name)

    def _notice(self, event: tuple[str, Live]) -> None:
        """Take a change of a live object."""
        name, self.live[event[0]] = event
        if self.overlooks or not self.running:
            self.overlooks = False
            return
        self._ask(name, RECENT)
        if self.copies.get(name, {}).get("operation"):
            self._queue("operation", name, 5.0)

    def _wrote(self, item: Application | None) -> Part:
        """Put what a write returned into the copies, later and without comparing versions."""
        yield None
        known = self.copies.get(item["metadata"]["name"]) if item else None
        if item and known and known["metadata"]["uid"] == item["metadata"]["uid"]:
            self.copies[item["metadata"]["name"]] = item

    # --- comparing ---------------------------------------------------------------------------------------------------

    def _refresh(self, name: str) -> Part:
        start = self.copies.get(name)
        level = self._level(name, start) if start else 0
        if start is None or not level:
            return
        now = self.schedule.utc()
        yield None
        if not self.git.answers and level == LATEST:
            return  # a passing error is hidden for a while
        commit = self._resolve(start, level)
        yield None
        status = self._compare(start, commit)
        yield None
        operation = self._automated(start, status)
        if operation:
            free = self.store.items.get(name, {}).get("operation") is None
            begun = {"operation": operation, "status": {"operationState": None}}
            if free:
                yield from self._wrote(self.store.patch(name, begun))
        if level >= LATEST or not status_of(start).get("reconciledAt"):
            status["reconciledAt"] = now
        yield from self._persist(name, start, status)

    def _level(self, name: str, start: Application) -> int:
        """Return how much a comparison looks up, or nothing when none is needed."""
        if REFRESH in start["metadata"]["annotations"]:
            return FORCED
        if not status_of(start).get("reconciledAt"):
            return LATEST
        return self.asked.pop(name, 0)

    def _resolve(self, start: Application, level: int) -> str:
        if level == RECENT:
            return str((status_of(start).get("sync") or {}).get("revision") or BRANCH)
        if not self.git.answers:
            return BRANCH
        if level == FORCED or not self.refs:
            self.refs = self.git.head
        return self.refs

    def _compare(self, start: Application, commit: str) -> dict[str, Any]:
        """Return the status that follows from a commit and from the live objects as far as they are known."""
        name, live = start["metadata"]["name"], self.live.get(start["metadata"]["name"], Live())
        status = status_of(start) | {"conditions": [], "health": {"status": live.health}}
        content = self.git.content(commit, name) if commit != BRANCH else None
        if content is None or content.fault == "manifest":
            condition = {"type": "ComparisonError", "message": f"Failed to load target state: {why(content)}"}
            return status | {"conditions": [condition], "sync": {"status": "Unknown", "revision": BRANCH}}
        sync = "Synced" if live.value == content.value else "OutOfSync"
        resource = KIND | {"namespace": name, "name": name, "status": sync, "version": "v1"}
        return status | {"sync": {"status": sync, "revision": commit}, "resources": [resource]}

    def _automated(self, start: Application, status: dict[str, Any]) -> dict[str, Any] | None:
        """Return the operation that automated sync starts, if it does, and tell in the status why not."""
        policy = start["spec"]["syncPolicy"].get("automated")
        if not policy or start.get("operation") or start["metadata"].get("deletionTimestamp"):
            return None
        if status["sync"]["status"] != "OutOfSync":
            return None
        commit, state = status["sync"]["revision"], operation_state(start)
        sync: dict[str, Any] = {"revision": commit, "prune": True}
        result = state.get("syncResult")
        if state.get("phase") and (result is None or result["revision"] == commit):
            if state["phase"] in BAD:
                text = f"Failed last sync attempt to [{commit}]: {state.get('message')}"
                status["conditions"] = [*status["conditions"], {"type": "SyncError", "message": text}]
                return None
            if state["phase"] == "Succeeded":
                heals = sync_of(state).get("autoHealAttemptsCount", 0)
                pause = min(300.0, 2.0 * 3 ** (heals - 1)) if heals else 0.0
                left = pause - (self._clock() - parse_time(state["finishedAt"])).total_seconds()
                if not policy.get("selfHeal"):
                    return None
                if left > 0:
                    self._queue("refresh", start["metadata"]["name"], left)
                    self.asked[start["metadata"]["name"]] = LATEST
                    return None
                resources = [{key: entry[key] for key in ("group", "kind", "name")} for entry in status["resources"]]
                sync |= {"autoHealAttemptsCount": heals + 1, "resources": resources}
        retry = start["spec"]["syncPolicy"].get("retry") or {"limit": 5}
        return {"sync": sync, "initiatedBy": {"automated": True}, "retry": retry}

    def _clock(self) -> datetime:
        return parse_time(self.schedule.utc())

    def _persist(self, name: str, start: Application, status: dict[str, Any]) -> Part:
        """Write what changed since the comparison began, then remove the request that it began with."""
        patch = {"status": difference(status_of(start), status)}
        asked = REFRESH in start["metadata"]["annotations"]
        if not self.stamps and asked:  # 3.5: in one write
            patch["metadata"] = {"annotations": {REFRESH: None}}
        yield from self._wrote(self.store.patch(name, patch))
        if self.stamps:
            yield from self._remove_request(name, start)

    def _remove_request(self, name: str, start: Application) -> Part:
        known = start["metadata"]["annotations"]
        written = self._removed(name, known)
        if written is None and STAMP in known:
            yield None
            current = self.store.items.get(name)
            found = current["metadata"]["annotations"] if current else {}
            if not (REFRESH in found and STAMP in found and found[STAMP] != known[STAMP]):
                yield None
                written = self._removed(name, found)
        yield from self._wrote(written)

    def _removed(self, name: str, known: dict[str, str]) -> Application | None:
        """Remove both annotations in one write, if they are as they are known; return what was written."""
        current = self.store.items.get(name)
        found = current["metadata"]["annotations"] if current else {}
        keys = [key for key in (REFRESH, STAMP) if key in known]
        if any(key not in found for key in keys) or (STAMP in known and found[STAMP] != known[STAMP]):
            return None
        return self.store.patch(name, {"metadata": {"annotations": dict.fromkeys(keys)}})

    # --- operations --------------------------------------------------------------------------------------------------

    def _operate(self, name: str) -> Part:
        """Start or go on with the operation of an Application, or with its deletion."""
        app = self.store.items.get(name)
        if app is None:
            return
        if app.get("operation"):
            yield from self._sync(name, app)
        elif app["metadata"].get("deletionTimestamp"):
            self.cluster.apply(name, None)
            yield DELETION_SECONDS
            self.store.remove(name)

    def _sync(self, name: str, app: Application) -> Part:
        state = operation_state(app)
        if state.get("phase") not in ("Running", "Terminating"):
            state = {"phase": "Running", "startedAt": self.schedule.utc(), "operation": app["operation"]}
            yield from self._report(name, state)
        elif state["phase"] == "Running" and state.get("finishedAt"):
            left = RETRY_SECONDS - (self._clock() - parse_time(state["finishedAt"])).total_seconds()
            if left > 0:
                self._queue("operation", name, left)
                return
            state = {key: state[key] for key in ("startedAt", "operation", "retryCount")} | {"phase": "Running"}
            yield from self._report(name, state)
        yield None
        terminating = state["phase"] == "Terminating"
        state = yield from self._apply(name, state)
        yield None
        if (
            state["phase"] == "Running"
            and operation_state(self.store.items.get(name, {})).get("phase") == "Terminating"
        ):
            state = state | {"phase": "Terminating"}
        retries = state.get("retryCount", 0)
        if state["phase"] in BAD and not terminating and retries < state["operation"]["retry"]["limit"]:
            state |= {"phase": "Running", "retryCount": retries + 1, "finishedAt": self.schedule.utc()}
            self._queue("operation", name, RETRY_SECONDS)
        yield from self._report(name, state)
        if state["phase"] in FINISHED:
            self._ask(name, LATEST if state["operation"].get("initiatedBy", {}).get("automated") else FORCED)
        else:
            self._queue("operation", name, 5.0)

    def _apply(self, name: str, state: dict[str, Any]) -> Part:
        """Return the state of an operation after one more pass."""
        if state["phase"] == "Terminating":
            return state | {"phase": "Failed", "message": "Operation terminated"}
        result = state.get("syncResult")
        commit = (result or sync_of(state)).get("revision") or self.git.head
        content = self.git.content(commit, name) if self.git.answers else None
        if content is None or content.fault == "manifest":
            message = f"ComparisonError: Failed to load target state: {why(content)}"
            return state | {"phase": "Error", "message": message, "syncResult": {"revision": commit, "resources": []}}
        if not result:
            result = {"revision": commit, "resources": []}
            if content.fault == "rejected":
                entry = KIND | {"namespace": name, "name": name, "status": "SyncFailed", "message": "is invalid"}
                result["resources"] = [entry]
                return state | {"phase": "Failed", "message": "one or more objects failed", "syncResult": result}
            if healed(state):
                self.cluster.heal(name)
            changed = self.cluster.apply(name, content.value, starts=content.fault != "image")
            said = f"configmap/{name} {'configured' if changed else 'unchanged'}"
            result["resources"] = [KIND | {"namespace": name, "name": name, "status": "Synced", "message": said}]
            if content.fault == "hook":
                return state | {"message": "waiting for completion of hook", "syncResult": result}
        yield None
        if content.fault == "hook":
            return state | {"phase": "Failed", "message": "one or more tasks failed", "syncResult": result}
        return state | {"phase": "Succeeded", "message": "successfully synced", "syncResult": result}

    def _report(self, name: str, state: dict[str, Any]) -> Part:
        """Replace the state of the operation; the write that ends it also removes the operation."""
        done = state["phase"] in FINISHED
        if done:
            state["finishedAt"] = self.schedule.utc()

        def replace(current: Application) -> Application:
            status = status_of(current) | {"operationState": dict(state)}
            return merged({**current, "status": status}, {"operation": None} if done else {})

        yield from self._wrote(self.store.change(name, replace))
