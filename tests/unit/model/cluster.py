# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that has the Applications, and what Git and the cluster have for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application

from .schedule import Channel, Schedule

BRANCH = "main"  # stands where a commit was not found out
MANAGER = "written by a manager"
START_SECONDS = 1.0  # until pods are ready
PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


def merged(target: Any, patch: Any) -> Any:
    """Return what a JSON merge patch (RFC 7386) makes of a value, which stays as it is."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def difference(before: Any, after: Any) -> Any:
    """Return the JSON merge patch between two objects; it is empty when they are equal."""
    return {
        key: difference(before[key], after[key])
        if isinstance(before.get(key), dict) and isinstance(after.get(key), dict)
        else after.get(key)
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


class Store:
    """The Applications with all their versions, and those who watch them."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.items: dict[str, Application] = {}
        self.version = 100
        self.log: list[tuple[float, int, str, Application]] = []  # when, version, type, object
        self.oldest = 100  # events of older versions are forgotten
        self.watchers: list[Channel] = []

    def change(self, name: str, make: Callable[[Application], Any]) -> Application | None:
        """Write what a function makes of an Application; where it makes nothing, nothing is written."""
        current = self.items.get(name)
        found = make(current) if current else None
        if found is None or found == current:
            return current
        return self._put(name, "MODIFIED", found)

    def patch(self, name: str, patch: dict[str, Any]) -> Application | None:
        """Merge a patch into an Application that exists."""
        return self.change(name, lambda current: merged(current, patch))

    def create(self, name: str, spec: dict[str, Any], **more: Any) -> Application:
        """Make an Application."""
        metadata = {"name": name, "namespace": "argocd", "uid": f"{name}-{self.version}", "annotations": {}}
        metadata["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        return self._put(name, "ADDED", {"metadata": metadata, "spec": spec} | more)

    def delete(self, name: str) -> None:
        """Delete an Application; it stays until its finalizer is removed."""
        self.patch(name, {"metadata": {"deletionTimestamp": self.schedule.utc()}})

    def remove(self, name: str) -> None:
        """Remove the finalizer of an Application that is being deleted, and with it the Application."""
        if name in self.items:
            self._put(name, "DELETED", self.items[name])

    def _put(self, name: str, kind: str, item: Application) -> Application:
        self.version += 1
        found = merged(item, {"metadata": {"resourceVersion": str(self.version)}})
        if kind == "DELETED":
            del self.items[name]
        else:
            self.items[name] = found
        self.schedule.note(f"{name}: {kind} {self.version}", found)
        self.log.append((self.schedule.now, self.version, kind, found))
        for channel in self.watchers:
            self.schedule.send(channel, (kind, found))
        return found


@dataclass(frozen=True)
class Content:
    """What a commit wants of an Application: a value, and what will be wrong with it."""

    value: str
    fault: str = ""  # nothing, manifest, rejected, hook or image


def why(content: Content | None) -> str:
    """Return why manifests cannot be had: Git does not answer, or they are wrong."""
    return "kustomize build failed" if content else "rpc error: code = Unavailable desc = connection refused"


def sha(number: int) -> str:
    """Return the name of a commit."""
    return f"{number:040d}"


class Git:
    """A repository whose branch has commits, and the repo-server that reads it."""

    def __init__(self, contents: dict[str, Content]) -> None:
        self.commits = [dict(contents)]
        self.answers = True

    @property
    def head(self) -> str:
        """Return the newest commit."""
        return sha(len(self.commits) - 1)

    def push(self, **contents: Content) -> str:
        """Add a commit and return it."""
        self.commits.append(self.commits[-1] | contents)
        return self.head

    def content(self, commit: str, name: str) -> Content:
        """Return what a commit wants of an Application."""
        return self.commits[int(commit)][name]


@dataclass(frozen=True)
class Live:
    """The object of an Application in the cluster: what it is to be, what its pods run, and whether they fail."""

    value: str | None = None
    pods: str | None = None
    degraded: bool = False

    @property
    def health(self) -> str:
        """Return the health that Argo CD computes."""
        if self.value is None:
            return "Missing"
        if self.degraded:
            return "Degraded"
        return "Healthy" if self.pods == self.value else "Progressing"


class Cluster:
    """The live objects, and what kubelet and other managers do to them."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.live: dict[str, Live] = {}
        self.watchers: list[Channel] = []
        self.start_seconds = START_SECONDS
        self.fought: set[str] = set()  # Applications of which a self-heal took back what another manager had written

    def set(self, name: str, **changes: Any) -> None:
        """Change a live object."""
        before = self.live.get(name, Live())
        after = replace(before, **changes)
        if after == before:
            return
        self.live[name] = after
        self.schedule.note(f"{name}: live", after)
        for channel in self.watchers:
            self.schedule.send(channel, (name, after))

    def apply(self, name: str, value: str | None, starts: bool = True) -> bool:
        """Change what an object is to be, and return whether that is new; its pods follow, or fail."""
        if self.live.get(name, Live()).value == value:
            return False
        if value is None or not self.start_seconds:
            self.set(name, value=value, pods=value, degraded=False)
        else:
            self.set(name, value=value, degraded=False)
            self.schedule.start(f"{name}: kubelet", self._run(name, value, starts))
        return True

    def _run(self, name: str, value: str | None, starts: bool) -> Any:
        yield self.start_seconds
        if self.live[name].value == value:
            self.set(name, pods=value) if starts else self.set(name, degraded=True)

    def heal(self, name: str) -> None:
        """Remember whether a self-heal, which is about to begin, takes back what another manager has written."""
        if str(self.live.get(name, Live()).value).startswith(MANAGER):
            self.fought.add(name)

    def rewrite(self, name: str, seconds: float) -> Any:
        """Change a field again and again."""
        number = 0
        while True:
            number += 1
            self.apply(name, f"{MANAGER} {number}")
            yield seconds
