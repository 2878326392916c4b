# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provokes troubles of pods on a cluster, all at once, each in a namespace of its own, and keeps what shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

import recordings
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from recordings import Manifest
from troubles import TROUBLES

APPLY = "application/apply-patch+yaml"
# A trouble shows when nothing has changed for so long: the last event has come, and the next attempt is far.
SETTLED_SECONDS = 2.0
PAUSE_SECONDS = 0.4


class Provocation:
    """The namespaces of some troubles; `change` adapts their objects to the cluster.

    `delete_when` has the sign at which the pod of a trouble is deleted, where nothing in this cluster does it.
    """

    def __init__(
        self,
        api: Api,
        names: Iterable[str],
        change: Callable[[str, Manifest], Manifest],
        delete_when: Mapping[str, str] | None = None,
    ) -> None:
        self.api, self.change, self.run = api, change, uuid4().hex[:6]
        self.delete_when = {name: trouble.delete_when for name, trouble in TROUBLES.items()} | dict(delete_when or {})
        self.names = list(names)
        self.shown: dict[str, list[Manifest]] = {}  # as they are in a recording
        self.last: dict[str, tuple[float, list[Manifest]]] = {}
        self.deleted: set[str] = set()

    def namespace(self, name: str) -> str:
        return f"{name}-{self.run}"

    def start(self) -> None:
        """Create everything, and wait for no pod."""
        for name in self.names:
            labels = dict(TROUBLES[name].namespace_labels)
            metadata = {"name": self.namespace(name), "labels": labels}
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for name in self.names:
            account = f"/api/v1/namespaces/{self.namespace(name)}/serviceaccounts/default"
            self._await(lambda account=account: self.api.request("GET", account)[0] == 200, account)
        for name in self.names:
            for item in TROUBLES[name].objects:
                self.create(name, self.change(name, item))

    def create(self, name: str, item: Manifest) -> None:
        """Create an object of a trouble."""
        placed = item | {"metadata": item["metadata"] | {"namespace": self.namespace(name)}}
        self.apply(placed)
        if item["kind"] == "ResourceQuota":  # the API server refuses pods for another reason until it is counted
            path = self.api.path(placed)
            self._await(lambda: "hard" in self.api.request("GET", path)[1].get("status", {}), "the quota")

    def apply(self, item: Manifest) -> None:
        options = {"fieldManager": "tests", "force": "true"}
        status, answer = self.api.request("PATCH", self.api.path(item), options, item, APPLY)
        assert status in (200, 201), answer

    def _await(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(PAUSE_SECONDS / 2)

    def watch(self, seconds: float) -> None:
        """Look until each trouble has shown, or until the time is over: the tests tell what was missing."""
        deadline = time.monotonic() + seconds
        while len(self.shown) < len(self.names) and time.monotonic() < deadline:
            self.look()
            time.sleep(PAUSE_SECONDS)

    def look(self) -> None:
        """Keep the objects of each trouble that shows and is as it was a moment ago."""
        found = self.objects()
        for name in [name for name in self.names if name not in self.shown]:
            objects = found[self.namespace(name)]
            self.delete_pod(name, objects)
            now = recordings.normalised(objects, self.namespace(name), name)
            since, before = self.last.get(name, (0.0, []))
            if now != before:
                since = time.monotonic()
            self.last[name] = since, now
            if time.monotonic() - since >= SETTLED_SECONDS and {*TROUBLES[name].signs} <= recordings.signs(now):
                self.shown[name] = now

    def objects(self) -> dict[str, list[Manifest]]:
        """Return the objects of each namespace."""
        found: dict[str, list[Manifest]] = {self.namespace(name): [] for name in self.names}
        for kind, path in recordings.KINDS.items():
            status, answer = self.api.request("GET", f"/{path}")
            assert status == 200, answer
            version = answer["apiVersion"]
            for item in answer["items"]:
                if item["metadata"]["namespace"] in found:
                    found[item["metadata"]["namespace"]].append({"apiVersion": version, "kind": kind} | item)
        return found

    def delete_pod(self, name: str, objects: list[Manifest]) -> None:
        """Delete the pod of a trouble that shows only when it should go."""
        pods = [item for item in objects if item["kind"] == "Pod"]
        if name not in self.deleted and self.delete_when[name] in recordings.signs(pods):
            self.deleted.add(name)
            self.api.request("DELETE", self.api.path(pods[0]))

    def missing(self, name: str) -> str:
        """Return which signs of a trouble are not there, and those that are."""
        _since, objects = self.last.get(name, (0.0, []))
        there = recordings.signs(objects)
        return f"missing: {sorted({*TROUBLES[name].signs} - there) or 'rest'}; there: {sorted(there)}"

    def end(self) -> None:
        """Remove the namespaces; finalizers of a test are nobody else's."""
        found = self.objects()
        for name in self.names:
            for item in found[self.namespace(name)]:
                if item["metadata"].get("finalizers") and item["kind"] == "Pod":
                    self.api.request("PATCH", self.api.path(item), body={"metadata": {"finalizers": None}})
            self.api.request("DELETE", f"{group_path('v1')}/namespaces/{self.namespace(name)}")
        for item in (item for name in self.names for item in TROUBLES[name].objects):
            if item["kind"] == "StorageClass":
                self.api.request("DELETE", self.api.path(item))


def with_template(item: Manifest, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Manifest:
    """Return an object whose template of a pod, if it has one, is changed."""
    template = item.get("spec", {}).get("template")
    return item | {"spec": item["spec"] | {"template": change(template)}} if template else item
