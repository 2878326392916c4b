# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh ApplicationSets from Git, and wait for the Applications that they generate.

Rules: Argo CD's applicationset/controllers/applicationset_controller.go at v3.6.1.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import being_deleted
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import plain
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import REFRESH as APP_REFRESH
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress

REFRESH = "argocd.argoproj.io/application-set-refresh"
POLL_SECONDS = 0.2
# A reconcile that is already running may answer the first request, but not the second.
ROUNDS = 2
RETRY_SECONDS = (1, 2, 5, 10)
SETTLE_SECONDS = 2.0


def error_of(item: dict[str, Any]) -> tuple[str, bool]:
    """Return the message of ErrorOccurred, or nothing, and whether at least the parameters were generated."""
    found = {entry["type"]: entry for entry in (item.get("status") or {}).get("conditions") or []}
    failed = found.get("ErrorOccurred", {}).get("status") == "True"
    generated = found.get("ParametersGenerated", {}).get("status") == "True"
    return (found["ErrorOccurred"].get("message", "unknown error") if failed else ""), generated


def why_nothing(api: Api, namespace: str, name: str) -> str:
    """Return why an ApplicationSet has no Applications."""
    status, item = api.request("GET", f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applicationsets/{name}")
    if status == 404:
        return f"ApplicationSet {name} does not exist in namespace {namespace}."
    message = plain(error_of(item)[0]) if status == 200 else ""
    return f"ApplicationSet {name} generates no Applications: {message or 'check its generators and its revision'}."


class ApplicationSets:
    """Some ApplicationSets of one namespace."""

    def __init__(self, api: Api, namespace: str, names: list[str], timeout: float, say: Callable[[str], None]) -> None:
        self.api, self.names, self.progress = api, names, Progress(say)
        self.base = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}"
        self.started = self.progress.started
        self.deadline = self.started + timeout
        self.applications: list[dict[str, Any]] = []

    def _request(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Send a request again until the API server answers."""
        while True:
            try:
                return self.api.request(method, f"{self.base}/{path}", body=body)
            except UnavailableError:
                if time.monotonic() > self.deadline:
                    raise
                time.sleep(0.5)

    def get(self, name: str) -> dict[str, Any]:
        """Return an ApplicationSet."""
        status, item = self._request("GET", f"applicationsets/{name}")
        if status != 200:
            raise GitopsError(f"ApplicationSet {name} cannot be read: {item.get('message', status)}")
        return item

    def present(self) -> dict[str, list[str]]:
        """Return the Applications by ApplicationSet as they are; one that does not exist has none."""
        found = [self._request("GET", f"applicationsets/{name}") for name in self.names]
        present = [item for status, item in found if status == 200]
        return {name: [] for name in self.names} | (self._children(present) if present else {})

    def refresh(self, minimum: int, expected: list[str]) -> dict[str, list[str]]:
        """Force reconciles until everything is generated; return the Applications by ApplicationSet."""
        attempt = 0
        while True:
            for _round in range(ROUNDS):
                self._barrier()
            children, problem = self._look(minimum, expected)
            if not problem:
                self._revive({name for found in children.values() for name in found})
                return children
            delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            if time.monotonic() + delay > self.deadline:
                raise GitopsError(problem, applications=children)
            self._tell(problem)
            time.sleep(delay)
            attempt += 1

    def _barrier(self) -> None:
        """Ask every ApplicationSet to reconcile, and wait until each has answered or says why it cannot."""
        waiting = {}
        for name in self.names:
            token = str(uuid.uuid4())
            status, item = self._request(
                "PATCH", f"applicationsets/{name}", {"metadata": {"annotations": {REFRESH: token}}}
            )
            if status != 200:
                raise GitopsError(f"ApplicationSet {name} cannot be refreshed: {item.get('message', status)}")
            waiting[name] = token
        while waiting:
            for name in list(waiting):
                item = self.get(name)
                annotations = item["metadata"].get("annotations") or {}
                # After an error the annotation stays.
                if REFRESH not in annotations or error_of(item)[0]:
                    del waiting[name]
            if waiting and time.monotonic() > self.deadline:
                raise GitopsError(
                    f"The ApplicationSet controller did not process a refresh of {', '.join(waiting)} in time: "
                    "is it running, and does it serve this namespace?"
                )
            if waiting:
                self._tell(f"waiting for the ApplicationSet controller ({', '.join(waiting)})")
                time.sleep(POLL_SECONDS)

    def _look(self, minimum: int, expected: list[str]) -> tuple[dict[str, list[str]], str]:
        """Return the Applications by ApplicationSet, and what is still wrong."""
        items = [self._settled(name) for name in self.names]
        children = self._children(items)
        for item in items:
            message, generated = error_of(item)
            if message:
                what = "some Applications are invalid" if generated else "no Applications were generated"
                return children, f"ApplicationSet {item['metadata']['name']}: {what}: {message}"
        names = {name for found in children.values() for name in found}
        missing = sorted(set(expected) - names)
        if missing:
            return children, (
                f"No Application was generated for {', '.join(missing)}: is the overlay in the revision and below the "
                f"path that {' or '.join(self.names)} reads?"
            )
        leaving = [item for item in self.applications if item["metadata"].get("deletionTimestamp")]
        for item in leaving:
            if item["metadata"]["name"] in expected:
                return children, f"{being_deleted(self.api, item)} It is generated again after that."
        few = [name for name, found in children.items() if len(found) < minimum]
        if few:
            return (
                children,
                f"ApplicationSet {', '.join(few)} has fewer than {minimum} Applications: check path and revision.",
            )
        return children, ""

    def _revive(self, names: set[str]) -> None:
        """Refresh Applications that were compared while their folder was missing; nothing else would."""
        for item in self.applications:
            name, status = item["metadata"]["name"], item.get("status") or {}
            if name in names and (status.get("sync") or {}).get("status") == "Unknown":
                self._request("PATCH", f"applications/{name}", {"metadata": {"annotations": {APP_REFRESH: "normal"}}})

    def _settled(self, name: str) -> dict[str, Any]:
        """Return an ApplicationSet after its error had time to clear: the condition is written after the annotation."""
        end = time.monotonic() + SETTLE_SECONDS
        item = self.get(name)
        while error_of(item)[0] and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            item = self.get(name)
        return item

    def _children(self, items: list[dict[str, Any]]) -> dict[str, list[str]]:
        status, found = self._request("GET", "applications")
        if status != 200:
            raise GitopsError(f"Applications cannot be listed: {found.get('message', status)}")
        self.applications = found["items"]
        owners = {item["metadata"]["uid"]: item["metadata"]["name"] for item in items}
        children: dict[str, list[str]] = {name: [] for name in owners.values()}
        for application in self.applications:
            for reference in application["metadata"].get("ownerReferences") or []:
                if reference["uid"] in owners:
                    children[owners[reference["uid"]]].append(application["metadata"]["name"])
        return children

    def _tell(self, text: str) -> None:
        self.progress.tell(time.monotonic(), ", ".join(self.names), text)
