# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod is not ready: a function for each cause, over the pod and its events.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Found, Manifest, unwrapped
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    conditions_of,
    true_condition,
    untrue_of,
)

STARTING = ("ContainerCreating", "PodInitializing")
MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")


class Container(NamedTuple):
    """The state of a container and what it is called."""

    label: str
    name: str
    status: Manifest

    @property
    def waiting(self) -> Manifest:
        """Return what it waits for, with reason and message."""
        return (self.status.get("state") or {}).get("waiting") or {}


def containers(pod: Manifest) -> Iterator[Container]:
    """Yield the containers of a pod, those that come first at first."""
    status = pod.get("status") or {}
    for key, word in (("initContainerStatuses", "init container"), ("containerStatuses", "container")):
        yield from (Container(f"{word} {entry['name']}", entry["name"], entry) for entry in status.get(key) or [])


def specification(pod: Manifest, name: str) -> Manifest:
    """Return the specification of a container."""
    spec = pod.get("spec") or {}
    found = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return next((entry for entry in found if entry.get("name") == name), {})


def condition(pod: Manifest, name: str) -> Manifest:
    """Return a condition of a pod."""
    return next((entry for entry in conditions_of(pod) if entry.get("type") == name), {})


def is_ready(pod: Manifest) -> bool:
    """Return whether a pod is ready, or has done what it was for, and stays."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return (pod.get("status") or {}).get("phase") == "Succeeded" or condition(pod, "Ready").get("status") == "True"


def since(pod: Manifest) -> str:
    """Return since when a pod is not ready."""
    return str(condition(pod, "Ready").get("lastTransitionTime") or pod["metadata"].get("creationTimestamp") or "")


def command(verb: str, pod: Manifest, more: str = "") -> str:
    """Return a command of kubectl about a pod."""
    metadata = pod["metadata"]
    kind = "" if verb == "logs" else " pod"
    return f"kubectl {verb}{kind} -n {metadata.get('namespace', 'default')} {metadata['name']}{more}"


def message_about(events: list[Manifest], container: str, *reasons: str, begins: tuple[str, ...] = ("",)) -> str:
    """Return the newest message of these reasons about a container, or about the pod as a whole."""
    for event in events:
        place = (event.get("involvedObject") or {}).get("fieldPath") or ""
        mine = not container or place.endswith(f"{{{container}}}")
        if event.get("reason") in reasons and mine and (event.get("message") or "").startswith(begins):
            return str(event["message"]).strip()
    return ""


# --- who ended it, or has no place for it -----------------------------------------------------------------------------


def ended(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it was ended from outside: evicted, preempted, its node was lost, its time is up."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    why = f"{status['reason']}: {status.get('message') or ''}".strip().rstrip(":")
    return Found(why, command("describe", pod), since(pod))


def deleting(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that it is being deleted and does not go."""
    metadata = pod["metadata"]
    if not metadata.get("deletionTimestamp"):
        return None
    disruption = true_condition(pod, "DisruptionTarget")
    who = f" ({disruption.get('message') or disruption.get('reason')})" if disruption else ""
    node = message_about(events, "", "NodeNotReady")
    parts = [f"it is being deleted{who}"]
    if finalizers := metadata.get("finalizers"):
        parts.append(f"and waits for its finalizers: {', '.join(finalizers)}")
        what = "remove the finalizer when what it stands for is done"
    elif node:
        parts.append(f"and its node does not answer: {node}")
        what = f"kubectl describe node {(pod.get('spec') or {}).get('nodeName')}"
    else:
        what = ""
    return Found(" ".join(parts), what, metadata["deletionTimestamp"], mild=not what)


def unscheduled(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that the scheduler finds no node for it."""
    found = condition(pod, "PodScheduled")
    if found.get("status") != "False":
        return None
    at = str(found.get("lastTransitionTime") or "")
    if found.get("reason") == "SchedulingGated":
        gates = ", ".join(entry["name"] for entry in (pod.get("spec") or {}).get("schedulingGates") or [])
        return Found(f"it is not scheduled until its scheduling gates are removed: {gates}", "", at)
    message = str(found.get("message") or found.get("reason") or "").partition(" preemption: ")[0]
    unbound = "unbound immediate PersistentVolumeClaims" in message
    return Found(f"no node can run it: {message}", command("describe", pod), at, mild=unbound)


def unplaced(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it has no node, and the scheduler has not said why: it waits for a volume, or does not run."""
    if (pod.get("status") or {}).get("conditions") or (pod.get("spec") or {}).get("nodeName"):
        return None
    return Found("the scheduler has not given it a node", command("describe", pod), since(pod), mild=True)


# --- what it cannot be started without -------------------------------------------------------------------------------


def mount(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that a volume cannot be mounted."""
    if not any(container.waiting.get("reason") in STARTING for container in containers(pod)):
        return None
    texts = [str(event.get("message") or "") for event in events if event.get("reason") in MOUNTS]
    if not texts:
        return None
    # Which volumes are waited for says less than what one of them lacks.
    text = next((entry for entry in texts if not entry.startswith("Unable to attach or mount")), texts[0])
    text = re.sub(r'^MountVolume\.\w+ failed for volume ("[^"]*") ?: ', r"volume \1: ", text)
    missing = "not found" in text or "non-existent" in text
    what = "find out what should create it, or correct its name in Git" if missing else command("describe", pod)
    return Found(unwrapped(text), what, since(pod))


def sandbox(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that its network or its sandbox cannot be made."""
    if not any(container.waiting.get("reason") in STARTING for container in containers(pod)):
        return None
    text = message_about(events, "", "FailedCreatePodSandBox", "NetworkNotReady")
    return Found(unwrapped(text), command("describe", pod), since(pod)) if text else None


# --- what it waits for ------------------------------------------------------------------------------------------------


def initializing(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that an init container has not ended yet."""
    for container in containers(pod):
        running = (container.status.get("state") or {}).get("running")
        sidecar = specification(pod, container.name).get("restartPolicy") == "Always"
        if running is not None and container.label.startswith("init") and not sidecar:
            what = command("logs", pod, f" -c {container.name}")
            at = str(running.get("startedAt") or "")
            return Found(f"{container.label} has not ended yet", what, at, mild=True, log=(container.name, False))
    return None


def gate(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a readiness gate, such as that of a load balancer, is not open."""
    found = (pod.get("status") or {}).get("conditions") or []
    for entry in (pod.get("spec") or {}).get("readinessGates") or []:
        name = entry["conditionType"]
        if why := untrue_of(found, name):
            return Found(f"its readiness gate is not open: {why}", command("describe", pod), since(pod))
    return None


def creating(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that its containers are being created."""
    for container in containers(pod):
        reason = container.waiting.get("reason")
        if reason and reason != "PodInitializing":
            text = "is being created" if reason == "ContainerCreating" else f"waits: {reason}"
            return Found(f"{container.label} {text}", command("describe", pod), since(pod), mild=True)
    return None


def unready(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it is not ready, and nobody says why."""
    if is_ready(pod):
        return None
    status = pod.get("status") or {}
    why = untrue_of(status.get("conditions") or [], "Ready")
    phase = status.get("phase") or "Unknown"
    return Found(why if phase == "Running" else f"{phase}: {why}", command("describe", pod), since(pod), mild=True)
