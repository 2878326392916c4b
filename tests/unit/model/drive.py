# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real wait in the model, in one thread and in the model's time."""

from __future__ import annotations

import contextlib
import queue
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import wait as wait_module
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.watch import Watcher

from .cluster import PATH
from .schedule import BEGIN, Choose, Process, Step
from .world import World

PACKAGE = wait_module.__name__.rpartition(".")[0]
ROUND_TRIP = 0.002
WATCH_AGAIN = 0.5  # seconds until the thread of a watch tries again
MONOTONIC = 1000.0  # what a clock shows has no meaning of its own


class Clock:
    """Takes the place of the module `time`."""

    def __init__(self, world: World, choose: Choose) -> None:
        self.world, self.choose = world, choose

    def monotonic(self) -> float:
        return MONOTONIC + self.world.schedule.now

    def time(self) -> float:
        return BEGIN.timestamp() + self.world.schedule.now

    def gmtime(self, *_args: Any) -> time.struct_time:
        return time.gmtime(self.time())

    def strftime(self, *args: Any) -> str:
        return time.strftime(*args)

    def sleep(self, seconds: float) -> None:
        self.world.schedule.until(self.choose, self.world.schedule.now + seconds, lambda: False)


class ModelApi(Api):
    """Takes the place of the connection to the API server. Before and after each request anything may happen."""

    def __init__(self, world: World, choose: Choose) -> None:
        self.world, self.choose, self.host = world, choose, "model"
        self.end_watch: Callable[[], None] = lambda: None
        self.watches_at = 0.0  # when the thread of the watch tries again

    def _interleave(self) -> None:
        for _step in range(self.choose(3)):
            self.world.schedule.advance(self.choose, self.world.schedule.now + 0.05)

    def request(self, method: str, path: str, *_query: Any, body: Any = None) -> tuple[int, Any]:
        if method == "GET":
            self.end_watch()  # the list comes from the thread of the watch, too
        self._interleave()
        fate, self.world.hidden = self.world.hidden, ""
        if fate == "refused":
            raise self._unavailable(method, "the API server refuses the request")
        answer = self._answer(method, path, body)
        self._interleave()
        if fate == "lost":
            raise self._unavailable(method, "the API server's answer got lost")
        return answer

    def _unavailable(self, method: str, reason: str) -> UnavailableError:
        if method == "GET":
            self.watches_at = self.world.schedule.now + WATCH_AGAIN
        return UnavailableError(reason)

    def annotate(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        status, found = self.request("PATCH", path, body=body)
        return status, {"metadata": found.get("metadata")}

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        store = self.world.store
        if method == "GET":
            version = {"resourceVersion": str(store.version)}
            return 200, {"metadata": version, "items": list(store.items.values())}
        name = path.removeprefix(f"{PATH}/")
        if name not in store.items:
            return 404, {"message": "not found"}
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != store.items[name]["metadata"]["resourceVersion"]:
            return 409, {"message": "conflict"}
        self.world.schedule.note(f"wait: {method}", body)
        found = store.patch(name, body)
        self.world.look()
        return 200, found

    def stream(self, _path: str, query: dict[str, Any], _read_seconds: float) -> Iterator[dict[str, Any]]:
        """Yield some of the events that there are; the wait's thread gets the others when it comes again."""
        store, since = self.world.store, int(query["resourceVersion"])
        self.end_watch()
        if since < store.oldest:
            store.oldest = 0
            yield {"type": "ERROR", "object": {"code": 410}}
            return
        found = [entry for entry in store.log if entry[1] > since]
        if self.world.breaks:
            self.world.breaks = False
            raise self._unavailable("GET", "the watch breaks")
        if self.world.replays:
            found = [entry for entry in store.log if entry[1] <= since][-self.world.replays :] + found
            self.world.replays = 0
        for _time, version, kind, item in found[: len(found) - self.choose(len(found) or 1)]:
            self.world.schedule.note(f"wait: gets {kind} {version}")
            yield {"type": kind, "object": item}


class Inbox(queue.Queue):  # type: ignore[type-arg]
    """The queue at which the wait blocks: while it does, time passes in the model."""

    def __init__(self, world: World, choose: Choose) -> None:
        super().__init__()
        self.world, self.choose = world, choose

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            schedule = self.world.schedule
            schedule.until(self.choose, schedule.now + (timeout or 0.0), self.qsize)
        return super().get(block=False)


class Senders:
    """Takes the place of the threads that send: what they do are steps of the model."""

    def __init__(self, world: World) -> None:
        self.schedule = world.schedule

    def submit(self, function: Callable[..., None], *args: Any) -> None:
        self.schedule.start("wait: write", self._call(function, args), after=ROUND_TRIP)

    def _call(self, function: Callable[..., None], args: tuple[Any, ...]) -> Process:
        function(*args)
        yield None

    def close(self) -> None:
        pass


class NothingMore:
    """Takes the place of what reads other objects, of which the model has no details."""

    def __init__(self, *_args: Any) -> None:
        self.known: dict[str, Any] = {}

    def read(self, *_args: Any) -> None:
        pass

    def look(self, *_args: Any) -> None:
        pass

    def has_news(self) -> bool:
        return False

    def finish(self, *_args: Any) -> None:
        pass


def waiter(world: World, choose: Choose, options: Options, names: tuple[str, ...]) -> Waiter:
    """Return a wait for the model; it only works where the model's time is."""
    api = ModelApi(world, choose)

    class Steps(Watcher):
        """The thread that lists and watches: here its steps are steps of the model."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.queue = Inbox(world, choose)
            self.works = False
            api.end_watch = self.stopped.set

        def start(self) -> None:
            world.schedule.more.append(self.due)

        def due(self) -> list[Step]:
            missed = [when for when, version, *_rest in world.store.log if version > int(self.version or 0)]
            has_work = self.version is None or missed or world.breaks or world.replays
            since = missed[0] if missed and self.version else world.schedule.now
            due = since + world.setting.pace
            after = world.schedule.earliest("watch", 0.0, due) if missed and self.version else 0.0
            after, due = max(after, api.watches_at), max(due, api.watches_at)
            return [Step("watch", self.once, after, due)] if has_work and not self.works else []

        def once(self) -> None:
            self.works = True
            self.stopped.clear()
            self.run()
            self.works = False

    with mock.patch.object(wait_module, "Watcher", Steps):
        return Waiter(api, "argocd", options, lambda _item: False, list(names))  # type: ignore[arg-type]


@contextlib.contextmanager
def model_time(world: World, choose: Choose) -> Iterator[None]:
    """Let the code of a wait see the clock of the model, and do everything in this thread."""
    clock = Clock(world, choose)
    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith(PACKAGE) and getattr(module, "time", None) is time:
                stack.enter_context(mock.patch.object(module, "time", clock))
        stack.enter_context(mock.patch.object(wait_module, "Workers", return_value=Senders(world)))
        stack.enter_context(mock.patch.object(wait_module, "Findings", NothingMore))
        stack.enter_context(mock.patch.object(wait_module, "Inquiry", NothingMore))
        yield
