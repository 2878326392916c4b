# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the evidence of a diagnosis: a few lists, and no more requests than it is worth.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import (
    MOST_OBJECTS,
    Cause,
    Kind,
    Manifest,
    Reference,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import (
    CHILDREN,
    CLAIM,
    POD,
    SERVICE,
    WORKLOAD,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.walk import diagnose
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

REQUESTS = 12
KNOWN = {
    (kind.version, kind.kind): kind
    for kind in (POD, CLAIM, SERVICE, *WORKLOAD, *(kind for kinds in CHILDREN.values() for kind in kinds))
}
LOG_LETTERS = 300
OBJECTS_EXPLAINED = 20


class Reader:
    """Reads objects and events for a diagnosis, each list once. `lacking` has the rights that would add to it."""

    def __init__(
        self, api: Api, log_lines: int = 0, requests: int = REQUESTS, counted: Counter[str] | None = None
    ) -> None:
        self.api, self.log_lines, self.left = api, log_lines, requests
        self.counted: Counter[str] = Counter() if counted is None else counted
        self.known: dict[str, tuple[int, Manifest]] = {}
        self.lacking: dict[str, None] = {}  # in the order in which they were missed

    def diagnose(self, reference: Reference) -> Cause | None:
        """Return the lowest cause of an object that is not ready, or nothing where nobody says it."""
        item = self.named(reference)
        return diagnose(item, self) if item else None

    def listed(self, kind: Kind, namespace: str) -> list[Manifest] | None:
        """Return the objects of a kind in a namespace; None when nobody knows them."""
        path = f"{group_path(kind.version)}/namespaces/{namespace}/{kind.plural}"
        found = self._get(path, {"limit": MOST_OBJECTS}, f"list {kind.plural} in namespace {namespace}")
        if found is None:
            return None
        return [{"apiVersion": kind.version, "kind": kind.kind} | item for item in found.get("items") or []]

    def named(self, reference: Reference) -> Manifest | None:
        """Return an object; an empty one when it does not exist, None when nobody knows."""
        version, kind, namespace, name = reference
        try:
            path = self._path(reference)
        except GitopsError:
            return None
        if path is None:
            return None
        listed = self.known.get(f"{path.rpartition('/')[0]}?{ {'limit': MOST_OBJECTS} }")
        if listed and listed[0] == 200 and not (listed[1].get("metadata") or {}).get("continue"):
            found = [item for item in listed[1].get("items") or [] if item["metadata"]["name"] == name]
            return {"apiVersion": version, "kind": kind} | found[0] if found else {}
        place = f" in namespace {namespace}" if namespace else ""
        item = self._get(path, None, f"get {path.split('/')[-2]}{place}")
        return item if not item else {"apiVersion": version, "kind": kind} | item

    def _path(self, reference: Reference) -> str | None:
        """Return the path of an object; None when the cluster does not know its kind."""
        known = KNOWN.get((reference.version, reference.kind))
        if known:
            return f"{group_path(known.version)}/namespaces/{reference.namespace}/{known.plural}/{reference.name}"
        metadata = {"name": reference.name, "namespace": reference.namespace}
        return self.api.path({"apiVersion": reference.version, "kind": reference.kind, "metadata": metadata})

    def events(self, item: Manifest) -> list[Manifest]:
        """Return the warnings about an object, the newest first; of a claim also what is only said."""
        metadata, kind = item["metadata"], item["kind"]
        namespace = metadata.get("namespace") or "default"
        selector = f"involvedObject.kind={kind}" if kind == CLAIM.kind else "type=Warning"
        query = {"fieldSelector": selector, "limit": MOST_OBJECTS}
        found = self._get(f"/api/v1/namespaces/{namespace}/events", query, f"list events in namespace {namespace}")
        about = [event for event in (found or {}).get("items") or [] if concerns(event, item)]
        return sorted(about, key=last_seen, reverse=True)

    def log(self, reference: Reference, container: str, previous: bool) -> str:
        """Return the end of a container's log in one line, where that was asked for."""
        if not self.log_lines or reference.kind != POD.kind:
            return ""
        path = f"/api/v1/namespaces/{reference.namespace}/pods/{reference.name}/log"
        query = {"container": container, "tailLines": self.log_lines} | ({"previous": "true"} if previous else {})
        self.counted["read"] += 1
        try:
            lines = list(self.api.lines(path, query))
        except GitopsError as error:
            if "forbidden" in str(error):
                self.lacking[f"get pods/log in namespace {reference.namespace}"] = None
            return ""
        return " | ".join(line.strip() for line in lines if line.strip())[-LOG_LETTERS * self.log_lines :]

    def _get(self, path: str, query: dict[str, Any] | None, right: str) -> Manifest | None:
        """Return an answer; an empty one for what does not exist, None for what cannot be read."""
        key = f"{path}?{query}"
        if key not in self.known:
            if self.left <= 0:
                return None
            self.left -= 1
            self.counted["read"] += 1
            try:
                self.known[key] = self.api.request("GET", path, query)
            except GitopsError:  # the diagnosis goes on without it
                self.known[key] = (0, {})
        status, found = self.known[key]
        if status == 403:
            self.lacking[right] = None
        return found if status == 200 else {} if status == 404 else None


def concerns(event: Manifest, item: Manifest) -> bool:
    """Return whether an event is about an object, and not about an older one of the same name."""
    about, metadata = event.get("involvedObject") or {}, item["metadata"]
    same = (about.get("kind"), about.get("name")) == (item["kind"], metadata["name"])
    return same and about.get("uid", metadata.get("uid")) in (metadata.get("uid"), None, "")


def last_seen(event: Manifest) -> str:
    """Return when something happened last; there are three ways to say it."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(time) for time in times if time), "")


def lacking_text(lacking: list[str]) -> str:
    """Return with which rights more could be reported, without its full stop; nothing when none is lacking."""
    return f"with the right to {' and to '.join(lacking)}, more could be reported" if lacking else ""


def explained(api: Api, items: list[Manifest]) -> tuple[list[Cause | None], str]:
    """Return the lowest cause of each object, where its numbers do not say all, and with which rights more could be."""
    reader, found = Reader(api, requests=REQUESTS * OBJECTS_EXPLAINED), list[Cause | None]()
    for number, item in enumerate(items):
        metadata = item["metadata"]
        reference = Reference(item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"])
        cause = reader.diagnose(reference) if number < OBJECTS_EXPLAINED else None
        found.append(None if cause and cause.item == cause.top and cause.found.mild else cause)
    return found, lacking_text(list(reader.lacking))
