# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not run, by its status.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import untrue

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


def trouble(pod: Manifest) -> str:
    """Return why a pod does not run: who ended it, what a container waits for, how it exited, or why it has no node."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        return f"{status['reason']}: {status.get('message', '')}".rstrip(": ")
    for container in containers_of(pod):
        state = container.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"{waiting['reason']} {waiting.get('message', '')}".rstrip() + last_exit(container)
        if terminated.get("exitCode"):
            return f"container {container['name']} {exited(terminated)}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"not scheduled: {condition.get('message', '')}"
    return ""


def pod_trouble(pod: Manifest) -> str:
    """Return the name of a pod and why it does not run, or nothing."""
    why = trouble(pod)
    return f"pod {pod['metadata']['name']}: {why}" if why else ""


def containers_of(pod: Manifest) -> list[Manifest]:
    """Return the state of each container, those that come first at first."""
    status = pod.get("status") or {}
    return (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])


def exited(terminated: Manifest) -> str:
    """Return how a container ended; `Error` says no more than the number."""
    reason = terminated.get("reason")
    return f"exited with {terminated['exitCode']}" + (f" ({reason})" if reason not in (None, "Error") else "")


def last_exit(container: Manifest) -> str:
    """Return how a container that waits to be started again ended, or nothing."""
    terminated = (container.get("lastState") or {}).get("terminated") or {}
    return f" (it {exited(terminated)})" if "exitCode" in terminated else ""


def pod_not_ready(pod: Manifest) -> str:
    """Return why a pod is not ready, or nothing; one that has succeeded need not be."""
    phase = (pod.get("status") or {}).get("phase")
    if phase == "Succeeded":
        return ""
    if why := trouble(pod):
        return why
    conditions = (pod.get("status") or {}).get("conditions")
    # A scheduler that waits for a volume says nothing.
    waits = not conditions and not (pod.get("spec") or {}).get("nodeName")
    why = "it has no node yet" if waits else untrue(pod, "Ready")
    return why if phase == "Running" else f"{phase or 'Unknown'}: {why}"


def pod_state(pod: Manifest) -> str:
    """Return phase, ready containers and restarts, as kubectl shows them."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    wanted = len((pod.get("spec") or {}).get("containers") or containers)
    ready, restarts = (sum(int(entry.get(key) or 0) for entry in containers) for key in ("ready", "restartCount"))
    phase = (pod.get("status") or {}).get("phase") or "Unknown"
    return f"{phase} {ready}/{wanted}" + (f", {restarts} restarts" if restarts else "")
