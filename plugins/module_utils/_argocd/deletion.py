# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete Applications with what they deployed, and find out what blocks the deletion.

Rules: Argo CD's controller/appcontroller.go (finalizeApplicationDeletion) at v3.6.1.

Argo CD lists the objects of an Application without saying which of them are being deleted, so the objects are read.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    REFRESH,
    STAMP,
    Application,
    deletion_text,
    finalizer_text,
    operation_state,
    resource_name,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import remaining
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress

FINALIZER = "resources-finalizer.argocd.argoproj.io"
POLL_SECONDS = 0.3
# Seconds between reminders: the controller can overlook a deletion like a refresh, see ASK_AGAIN in freshness.py.
REMIND_SECONDS = 10.0

IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
APPROVED = "argocd.argoproj.io/deletion-approved"


def holders(api: Api, application: dict[str, Any]) -> list[str]:
    """Return a phrase for each object of an Application that is being deleted and is not gone yet."""
    phrases = [holder(entry, live) for entry, live in live_resources(api, application)]
    return unconfirmed(application) + [phrase for phrase in phrases if phrase]


def is_here(application: dict[str, Any]) -> bool:
    """Return whether the objects of an Application are in Argo CD's own cluster."""
    destination = (application.get("spec") or {}).get("destination") or {}
    return (destination.get("server") or destination.get("name")) in IN_CLUSTER


def require_here(application: dict[str, Any]) -> None:
    """Stop where the objects of an Application would be looked for in the wrong cluster."""
    if not is_here(application):
        destination = (application.get("spec") or {}).get("destination") or {}
        name, cluster = application["metadata"]["name"], destination.get("server") or destination.get("name") or "none"
        raise GitopsError(f"Application {name} deploys to {cluster}, and only Argo CD's own cluster can be read.")


def live_resources(
    api: Api, application: dict[str, Any], status: str = ""
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the resources in an Application's status, or those with a sync status, each with its object.

    Objects that are gone or may not be read are left out, and so are those outside Argo CD's own cluster.
    """
    if not is_here(application):
        return
    for entry in (application.get("status") or {}).get("resources") or []:
        if status and entry.get("status") != status:
            continue
        version = "/".join(filter(None, (entry.get("group"), entry.get("version"))))
        metadata = {"name": entry["name"], "namespace": entry.get("namespace", "")}
        path = api.path({"apiVersion": version, "kind": entry["kind"], "metadata": metadata})
        found, live = api.request("GET", path) if path else (404, {})
        if found == 200:
            yield entry, live


def holder(entry: dict[str, Any], live: dict[str, Any]) -> str:
    """Return kind and name of an object that is being deleted, and why it is still there; else nothing."""
    metadata = live["metadata"]
    if not metadata.get("deletionTimestamp"):
        return ""
    reasons = [finalizer_text(metadata.get("finalizers") or []), *remaining(live)]
    text = "; ".join(filter(None, reasons)) or "no finalizer"
    return f"{resource_name(entry)} ({text})"


def unconfirmed(application: dict[str, Any]) -> list[str]:
    """Return a phrase for each resource whose deletion waits for a confirmation."""
    if APPROVED in (application["metadata"].get("annotations") or {}):
        return []
    return [
        f"{resource_name(entry)} (needs the annotation {APPROVED} on the Application)"
        for entry in (application.get("status") or {}).get("resources") or []
        if entry.get("requiresDeletionConfirmation")
    ]


def being_deleted(api: Api, application: dict[str, Any]) -> str:
    """Return since when an Application is being deleted, and what blocks that."""
    return f"Application {application['metadata']['name']} {deletion_text(application, holders(api, application))}."


class Deletion:
    """Deletes Applications of one namespace with what they deployed."""

    def __init__(self, api: Api, namespace: str, say: Callable[[str], None]) -> None:
        self.api, self.say = api, say
        self.base = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"

    def present(self, names: list[str]) -> dict[str, Application]:
        """Return those of the named Applications that exist."""
        found = {name: self._get(name) for name in names}
        return {name: item for name, item in found.items() if item}

    def delete(self, applications: dict[str, Application], timeout: float) -> None:
        """Delete Applications and wait until they are gone."""
        for application in applications.values():
            self._delete(application)
        progress = Progress(self.say)
        started = reminded = progress.started
        remaining = dict(applications)
        while remaining := {name: item for name in remaining if (item := self._still(name, applications))}:
            for application in remaining.values():
                self._end_operation(application)  # a retry may have begun
            now = time.monotonic()
            if now - started > timeout:
                texts = [being_deleted(self.api, application) for application in remaining.values()]
                raise GitopsError(f"Not deleted after {timeout:g} s: {' '.join(texts)}")
            if now - reminded > REMIND_SECONDS:
                reminded = now
                for name in remaining:
                    self._remind(name)
            if progress.is_due(now):
                name, first = next(iter(remaining.items()))
                progress.show(now, name, partial(self._progress_text, first))
            time.sleep(POLL_SECONDS)

    def _progress_text(self, application: Application) -> str:
        """Return what blocks a deletion, as far as the API server answers."""
        try:
            return being_deleted(self.api, application)
        except UnavailableError as error:
            return str(error)

    def _delete(self, item: Application) -> None:
        """Request a cascading deletion; Argo CD would finish a running sync first."""
        name, metadata = item["metadata"]["name"], item["metadata"]
        if FINALIZER not in (metadata.get("finalizers") or []) and not metadata.get("deletionTimestamp"):
            self._change(name, {"metadata": {"finalizers": [*(metadata.get("finalizers") or []), FINALIZER]}})
        self._end_operation(item)
        # Exactly the object that was read.
        body = {"preconditions": {"uid": metadata["uid"]}}
        status, answer = self.api.request("DELETE", f"{self.base}/{name}", body=body, content_type="application/json")
        if status not in (200, 202, 404):
            raise GitopsError(f"Application {name} cannot be deleted: {answer.get('message', status)}")

    def _end_operation(self, item: Application) -> None:
        """Terminate a running operation; one that has not begun has no state yet."""
        phase = operation_state(item).get("phase")
        if item.get("operation") and phase != "Terminating":
            body = {"status": {"operationState": {"phase": "Terminating"}}} if phase else {"operation": None}
            with contextlib.suppress(UnavailableError):
                self._change(item["metadata"]["name"], body)

    def _remind(self, name: str) -> None:
        """Change an Application without consequence, so that the controller looks at it."""
        annotations = {REFRESH: "normal", STAMP: str(time.time_ns())}
        with contextlib.suppress(UnavailableError):
            self._change(name, {"metadata": {"annotations": annotations}})

    def _change(self, name: str, body: dict[str, Any]) -> None:
        status, answer = self.api.request("PATCH", f"{self.base}/{name}", body=body)
        if status not in (200, 404):
            raise GitopsError(f"Application {name} cannot be changed: {answer.get('message', status)}")

    def _still(self, name: str, before: dict[str, Application]) -> Application | None:
        """Return an Application while it exists; one with another UID was created in the meantime."""
        try:
            item = self._get(name)
        except UnavailableError:  # it may come back before the timeout
            return before[name]
        if item and item["metadata"]["uid"] != before[name]["metadata"]["uid"]:
            raise GitopsError(
                f"Application {name} was deleted and created again: an ApplicationSet still generates it. Remove its "
                "folder from Git first."
            )
        return item

    def _get(self, name: str) -> Application | None:
        status, item = self.api.request("GET", f"{self.base}/{name}")
        if status not in (200, 404):
            raise GitopsError(f"Application {name} cannot be read: {item.get('message', status)}")
        return item if status == 200 else None
