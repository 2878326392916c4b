# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow all Applications of a namespace with one LIST and one WATCH.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import gc
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

WATCH_SECONDS = 300
POLL_SECONDS = 1.0
# What makes Applications long and no wait looks at, by the keys that lead there.
NEEDLESS = (
    ("metadata", "managedFields"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ("status", "history"),
    ("status", "summary"),
    ("status", "sourceHydrator"),
    ("status", "sync", "comparedTo"),
)


def needed(application: Application) -> Application:
    """Return what a wait needs of an Application: there may be thousands of them."""
    for *keys, last in NEEDLESS:
        part: Any = application
        for key in keys:
            part = part.get(key) or {}
        part.pop(last, None)
    return application


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for cycles among millions of objects of JSON, which have none: that takes longer.

    They stay out of its sight until `gc.unfreeze()`; those that are not needed any more are freed all the same.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


class Watcher(threading.Thread):
    """Puts every version of the Applications into a queue: ("list", items) and ("event", type, item)."""

    def __init__(self, api: Api, path: str, selector: str, requests: Counter[str]) -> None:
        super().__init__(daemon=True)
        self.api, self.path, self.requests = api, path, requests
        self.query = {"labelSelector": selector} if selector else {}
        self.queue: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
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

    def receive(self, seconds: float, moment: float) -> Iterator[tuple[Any, ...]]:
        """Yield what is in the queue; wait for the first message, and once it is there, a moment for more of them."""
        try:
            message = self.queue.get(timeout=seconds)
        except queue.Empty:
            return
        time.sleep(moment)
        while True:
            yield message
            try:
                message = self.queue.get_nowait()
            except queue.Empty:
                return

    def _list(self) -> None:
        self.requests["list"] += 1
        with uncollected():
            status, found = self.api.list_all(self.path, self.query, needed)
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
                self.queue.put(("event", event["type"], needed(item)))
            if self.stopped.is_set():
                return
