# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod is shown, and which one blocks the update of its StatefulSet.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]
# Reasons of a waiting container that do not resolve by themselves.
BROKEN = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}


def pod_state(pod: Manifest) -> str:
    """Return phase, ready containers and restarts, as kubectl shows them."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    wanted = len((pod.get("spec") or {}).get("containers") or containers)
    ready, restarts = (sum(int(entry.get(key) or 0) for entry in containers) for key in ("ready", "restartCount"))
    phase = (pod.get("status") or {}).get("phase") or "Unknown"
    return f"{phase} {ready}/{wanted}" + (f", {restarts} restarts" if restarts else "")


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
