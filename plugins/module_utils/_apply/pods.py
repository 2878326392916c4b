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
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import BROKEN

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


def may_be_blocked(workload: Manifest) -> bool:
    """Return whether a StatefulSet replaces its pods one after the other and its controller knows the newest one."""
    spec, status = workload["spec"], workload.get("status") or {}
    return (
        (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        and status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 1)
        and bool(status.get("updateRevision"))
    )


def blocks(workload: Manifest, pod: Manifest) -> str:
    """Return why a pod of an older revision of a StatefulSet never becomes ready, or nothing.

    A pod that runs, is being scheduled or is still starting is left alone, and so is one below the update's partition.
    """
    metadata, spec = pod["metadata"], workload["spec"]
    owners = {owner.get("uid") for owner in metadata.get("ownerReferences") or []}
    revision = (metadata.get("labels") or {}).get("controller-revision-hash")
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
    ordinal = metadata["name"].rpartition("-")[2]
    if (
        workload["metadata"].get("uid") not in owners
        or revision in (None, workload["status"]["updateRevision"])
        or metadata.get("deletionTimestamp")
        or not ordinal.isdigit()
        or int(ordinal) < partition
    ):
        return ""
    status = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in BROKEN:
            return str(waiting["reason"])
    return ""
