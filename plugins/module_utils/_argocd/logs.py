# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the logs of containers: which ones there are, why others have none, and no more than is wanted.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pods import Pod
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

EPOCH = parse_time("1970-01-01T00:00:00Z")


@dataclass(frozen=True)
class Wanted:
    """Which lines; `limit` is in bytes."""

    tail: int
    limit: int
    since_seconds: int | None = None
    previous: bool = False
    pattern: re.Pattern[str] | None = None
    follow_seconds: float = 0.0
    timestamps: bool = False

    def query(self, container: str) -> dict[str, Any]:
        """Return the query for the log of a container; a filter needs all lines to find enough of them."""
        query: dict[str, Any] = {"container": container, "timestamps": "true"}
        if self.since_seconds is not None:
            query["sinceSeconds"] = self.since_seconds
        if self.previous:
            query["previous"] = "true"
        if self.follow_seconds:
            query["follow"] = "true"
        return query if self.pattern and not self.follow_seconds else query | {"tailLines": self.tail}


@dataclass
class Container:
    """A container of a pod; `reason` says why it has no log."""

    namespace: str
    pod: str
    name: str
    reason: str = ""
    lines: deque[tuple[str, str]] = field(default_factory=deque)  # time and line
    cut: bool = False

    @property
    def path(self) -> str:
        """Return the path of the log."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"

    def report(self) -> dict[str, Any]:
        """Return the part of the result."""
        keys = ("namespace", "pod", "reason")
        return {key: getattr(self, key) for key in keys} | {"container": self.name, "lines": len(self.lines)}

    def note(self) -> str:
        """Return why there is no log."""
        return f"Pod {self.namespace}/{self.pod}: container {self.name} {self.reason}"


def containers_of(pod: Pod, name: str | None, previous: bool) -> list[Container]:
    """Return the containers of a pod, or the named one; init containers that are done only when they are named."""
    spec, status, metadata = pod["spec"], pod.get("status") or {}, pod["metadata"]
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    statuses = {entry["name"]: entry for kind in kinds for entry in status.get(kind) or []}
    first = [entry["name"] for entry in spec.get("initContainers") or []]
    found = [entry for entry in first if name or not is_done(statuses, entry)]
    found += [entry["name"] for kind in ("containers", "ephemeralContainers") for entry in spec.get(kind) or []]
    return [
        Container(metadata["namespace"], metadata["name"], entry, no_log(status, statuses.get(entry), previous))
        for entry in found
        if name in (None, entry)
    ]


def is_done(statuses: dict[str, dict[str, Any]], name: str) -> bool:
    """Return whether an init container has succeeded, or waits for one before it; neither explains anything."""
    state = (statuses.get(name) or {}).get("state") or {}
    if "terminated" in state:
        return bool(state["terminated"].get("exitCode") == 0)
    return "running" not in state and (state.get("waiting") or {}).get("reason") in (None, "PodInitializing")


def no_log(pod: dict[str, Any], container: dict[str, Any] | None, previous: bool) -> str:
    """Return why a container has no log, from the status of its pod and its own; nothing when it has one."""
    state = (container or {}).get("state") or {}
    ended = ((container or {}).get("lastState") or {}).get("terminated")
    if previous and not ended:
        return "has not been restarted, so there is no log of an earlier run"
    if "waiting" in state and not ended:
        return f"has not started: {reason_of(state['waiting'], 'waiting')}"
    if state:
        return ""
    conditions = {entry["type"]: entry for entry in pod.get("conditions") or []}
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return f"has not started: {reason_of(scheduled, 'not scheduled')}"
    return f"has not started: {reason_of(pod, pod.get('phase') or 'Pending')}"


def reason_of(entry: dict[str, Any], default: str) -> str:
    """Return reason and message."""
    message = f" ({entry['message']})" if entry.get("message") else ""
    return f"{entry.get('reason') or default}{message}"


def read(api: Api, container: Container, wanted: Wanted, show: Callable[[str], None]) -> None:
    """Read the log of a container; `show` gets every line as it comes."""
    until = time.monotonic() + wanted.follow_seconds if wanted.follow_seconds else None
    lines, size, dropped = container.lines, 0, False
    try:
        for line in api.lines(container.path, wanted.query(container.name), until):
            moment, _space, text = line.partition(" ")
            if wanted.pattern and not wanted.pattern.search(text):
                continue
            text = f"[pod/{container.pod}/{container.name}] {line if wanted.timestamps else text}"
            if len(text.encode()) > wanted.limit:
                text, dropped = text.encode()[: wanted.limit].decode(errors="ignore"), True
            show(text)
            lines.append((moment, text))
            size += len(text.encode())
            while size > wanted.limit:
                size -= len(lines.popleft()[1].encode())
                dropped = True
    except GitopsError as error:
        container.reason = f"cannot be read: {error}"
    while not until and len(lines) > wanted.tail:
        lines.popleft()
    container.cut = dropped and (bool(until) or len(lines) < wanted.tail)


def merged(containers: list[Container], limit: int) -> tuple[list[str], bool]:
    """Return the lines of all containers by time, within a limit of bytes, and whether that left old ones out."""
    lines = sorted((entry for found in containers for entry in found.lines), key=lambda entry: moment_of(entry[0]))
    kept: deque[str] = deque()
    for _moment, text in reversed(lines):
        limit -= len(text.encode())
        if limit < 0 and kept:
            return list(kept), True
        kept.appendleft(text)
    return list(kept), any(found.cut for found in containers)


def moment_of(text: str) -> Any:
    """Return the time of a line; the kubelet writes it with any number of digits."""
    try:
        return parse_time(text)
    except ValueError:
        return EPOCH
