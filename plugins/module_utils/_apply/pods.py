# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of the workloads that are applied: which one blocks the update of its StatefulSet.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import blocks, may_be_blocked

Manifest = dict[str, Any]
PODS_SECONDS = 2


class Pods:
    """Reads the pods of workloads, and deletes those that block an update."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.deleted: list[str] = []
        self.warnings: list[str] = []
        self.read_at: dict[str, float] = {}

    def of(self, workload: Manifest) -> list[Manifest]:
        """Return the pods of a workload that are not being deleted, as far as they can be read."""
        labels = workload["spec"]["selector"].get("matchLabels") or {}
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        path = f"/api/v1/namespaces/{workload['metadata']['namespace']}/pods"
        status, pods = self.api.request("GET", path, query)
        items = pods.get("items") or [] if status == 200 else []
        return [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]

    def unblock(self, workload: Manifest) -> None:
        """Delete a pod of an older revision that does not start: its StatefulSet would wait for it forever.

        The Kubernetes documentation, StatefulSets, calls this a forced rollback.
        """
        name = label(workload)
        if not may_be_blocked(workload) or time.monotonic() - self.read_at.get(name, -PODS_SECONDS) < PODS_SECONDS:
            return
        self.read_at[name] = time.monotonic()
        for pod in self.of(workload):
            if not (why := blocks(workload, pod)):
                continue
            metadata = pod["metadata"]
            # Unless it changed in the meantime: it may be running now.
            body = {"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            status, _answer = self.api.request("DELETE", path, None, body, "application/json")
            if status in (200, 202):
                self.deleted.append(f"{metadata['namespace']}/{metadata['name']}")
                self.warnings.append(
                    f"Pod {self.deleted[-1]} was deleted: it belongs to an older revision of {name} and did not "
                    f"start ({why}), and a StatefulSet replaces no other pod until that one is ready."
                )
