# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until what was applied is served and runs.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.pods import Pods
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import Applied, report
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import explained
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    WORKLOADS,
    established,
    leaving,
    pending_rollout,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress, silent

Manifest = dict[str, Any]
POLL_SECONDS = 0.3
ESTABLISHED_SECONDS = 60


def await_gone(
    read: Callable[[], Manifest | None], item: Manifest, timeout: float, say: Callable[[str], None]
) -> Manifest | None:
    """Return what is in the place of an object that is being deleted once it is gone, or nothing."""
    name, deadline, progress = label(item), time.monotonic() + timeout, Progress(say)
    while (found := read()) and found["metadata"]["uid"] == item["metadata"]["uid"]:
        now = time.monotonic()
        if now > deadline:
            raise GitopsError(f"{name} was not applied after {timeout:.0f} s: {leaving(found)}")
        progress.tell(now, name, f"{name}: {leaving(found)}; it is applied once it is gone")
        time.sleep(POLL_SECONDS)
    return found


class Waiter:
    """Waits for objects that were applied."""

    def __init__(self, api: Api, results: list[Applied], say: Callable[[str], None] = silent) -> None:
        self.api, self.results, self.pods, self.progress = api, results, Pods(api), Progress(say)

    def await_served(self, custom: list[Manifest]) -> None:
        """Wait until CRDs of this run are Established and, slightly later, served by discovery."""
        crds = [result for result in self.results if result.item["kind"] == "CustomResourceDefinition"]
        self._await(crds, ESTABLISHED_SECONDS, established)
        deadline = time.monotonic() + ESTABLISHED_SECONDS
        for item in custom:
            while self.api.resource(item) is None:
                if time.monotonic() > deadline:
                    raise GitopsError(
                        f"The API server does not serve {item['apiVersion']} {item['kind']}, though its "
                        "CustomResourceDefinition is Established: compare the version with those it serves.",
                        **report(self.results),
                    )
                self.progress.tell(
                    time.monotonic(), f"the API server does not serve {item['apiVersion']} {item['kind']} yet"
                )
                time.sleep(POLL_SECONDS / 3)

    def await_rolled_out(self, timeout: float) -> None:
        """Wait until CRDs are Established and all pods of workloads run the newest revision."""
        started = time.monotonic()
        crds = [result for result in self.results if result.item["kind"] == "CustomResourceDefinition"]
        self._await(crds, timeout, established)
        workloads = [result for result in self.results if result.item["kind"] in WORKLOADS]
        self._await(workloads, timeout - (time.monotonic() - started), pending_rollout)

    def _await(self, results: list[Applied], timeout: float, reason: Callable[[Manifest], str]) -> None:
        started = time.monotonic()
        waiting = {label(result.item): (result.item, reason(result.after)) for result in results}
        while waiting := {name: entry for name, entry in waiting.items() if entry[1]}:
            if time.monotonic() - started > timeout:
                raise GitopsError(f"Not ready after {timeout:.0f} s: {self._why(waiting)}", **report(self.results))
            self._tell(waiting, len(results))
            time.sleep(POLL_SECONDS)
            waiting = {name: (item, self._reason(item, why, reason)) for name, (item, why) in waiting.items()}

    def _tell(self, waiting: dict[str, tuple[Manifest, str]], total: int) -> None:
        name, (_item, why) = next(iter(waiting.items()))
        self.progress.tell(time.monotonic(), name, f"{total - len(waiting)} of {total} ready; {name}: {why}")

    def _why(self, waiting: dict[str, tuple[Manifest, str]]) -> str:
        causes, lacking = explained(self.api, [item for item, _why in waiting.values()])
        numbers = [f"{name}: {why}" for name, (_item, why) in waiting.items()]
        texts = [cause.sentence if cause else text for cause, text in zip(causes, numbers, strict=True)]
        return "; ".join(filter(None, [*texts, lacking]))

    def _reason(self, item: Manifest, last: str, reason: Callable[[Manifest], str]) -> str:
        try:
            status, live = self.api.request("GET", self.api.path(item) or "")
            if status == 404:
                return "it was deleted in the meantime"
            if status != 200:
                return str(live.get("message") or status)
            why = reason(live)
            if why and live.get("kind") == "StatefulSet":
                self.pods.unblock(live)
        except UnavailableError:  # it may come back before the timeout
            return last
        return why
