# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting workloads as `kubectl rollout restart` does, and waiting for their new pods.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.deleting import delete
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import Applied
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.waiting import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import WORKLOADS
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import (
    is_copy,
    obstacle,
    uses_secret,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress, silent
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time

Manifest = dict[str, Any]
RESTARTED = "kubectl.kubernetes.io/restartedAt"
POLL_SECONDS = 0.3
# With the API version, which the entries of a list do not have.
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
VERSIONS = {"apps/v1": PLURALS, "batch/v1": {"Job": "jobs"}}


class Restart:
    """Reads and restarts workloads of one cluster."""

    def __init__(self, api: Api, say: Callable[[str], None] = silent) -> None:
        self.api, self.say = api, say

    def get(self, path: str, what: str) -> Manifest:
        """Return an object or a list that must be there."""
        status, found = self.api.request("GET", path)
        if status != 200:
            raise GitopsError(f"{what} cannot be read: {found.get('message', status)}")
        return found

    def named(self, entries: list[Manifest]) -> list[Manifest]:
        """Return the workloads with these kinds, namespaces and names."""
        return [
            self.get(
                f"/apis/apps/v1/namespaces/{entry['namespace']}/{PLURALS[entry['kind']]}/{entry['name']}",
                f"{entry['kind']} {entry['namespace']}/{entry['name']}",
            )
            for entry in entries
        ]

    def consumers(self, namespace: str, name: str, timeout: float) -> list[Manifest]:
        """Return the workloads and Jobs that read a Secret or a copy of it, once the copies have its values."""
        found = [
            {"apiVersion": version, "kind": kind} | item
            for version, kinds in VERSIONS.items()
            for kind, plural in kinds.items()
            for item in self.get(f"/apis/{version}/{plural}", f"The {plural} of all namespaces")["items"]
            if uses_secret(item, name)
        ]
        copies = {item["metadata"]["namespace"] for item in found} - {namespace}
        read = {other for other in sorted(copies) if self._has_copy(other, namespace, name, timeout)}
        return [item for item in found if item["metadata"]["namespace"] in read | {namespace}]

    def _has_copy(self, other: str, namespace: str, name: str, timeout: float) -> bool:
        """Return whether a namespace has a copy of a Secret; wait until Reflector has updated it."""
        progress = Progress(self.say)
        deadline = progress.started + timeout
        while True:
            status, copy = self.api.request("GET", f"/api/v1/namespaces/{other}/secrets/{name}")
            if status not in (200, 404):
                raise GitopsError(f"Secret {other}/{name} cannot be read: {copy.get('message', status)}")
            if status == 404 or not is_copy(copy, namespace, name):
                return False
            origin = self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", f"Secret {namespace}/{name}")
            if copy.get("data") == origin.get("data"):
                return True
            now = time.monotonic()
            if now > deadline:
                raise GitopsError(
                    f"Secret {other}/{name}, which Reflector copies from {namespace}/{name}, does not have its values "
                    f"after {timeout:.0f} s: check that Reflector runs."
                )
            progress.tell(now, f"Secret {other}/{name} does not have the values of {namespace}/{name} yet")
            time.sleep(POLL_SECONDS)

    def restart(self, items: list[Manifest], timeout: float) -> list[str]:
        """Restart workloads, delete Jobs, which Argo CD makes again, wait, and return the warnings."""
        now = write_time()
        waiter = Waiter(self.api, [self._begin(item, now) for item in items if item["kind"] in WORKLOADS], self.say)
        delete(self.api, [item for item in items if item["kind"] == "Job"], timeout, say=self.say)
        waiter.await_rolled_out(timeout)
        return waiter.pods.warnings

    def _begin(self, item: Manifest, now: str) -> Applied:
        body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}
        status, answer = self.api.request("PATCH", self.api.path(item) or "", body=body)
        if status != 200:
            raise GitopsError(f"{label(item)} cannot be restarted: {answer.get('message', status)}")
        return Applied(item, "configured", item, answer)


def refuse(items: list[Manifest]) -> None:
    """Stop before anything is restarted when one of the workloads cannot be."""
    if texts := [f"{label(item)} cannot be restarted, because {why}." for item in items if (why := obstacle(item))]:
        raise GitopsError(f"Nothing was restarted. {' '.join(texts)}")
