# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply of many objects over one client.

An object is read before it is written. A hash of the manifest is kept as an annotation: when it is still the same and
the live object has all values of the manifest, applying it could change nothing and no request is sent. Otherwise a
dry run of the API server decides whether there is a difference.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils.api import APPLY, Api
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError

Manifest = dict[str, Any]
HASH = "monorepo.gitops/applied-sha256"
FIRST = ("Namespace", "CustomResourceDefinition")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
POLL_SECONDS = 0.3


@dataclass
class Applied:
    """What happened to one object."""

    item: Manifest
    action: str  # created, configured, unchanged or skipped
    before: Manifest
    after: Manifest


@dataclass
class Settings:
    """How to apply."""

    field_manager: str
    force: bool
    only_missing: bool
    check_mode: bool
    concurrency: int


def load(paths: Iterable[str], definitions: Iterable[Manifest], kinds: Iterable[str]) -> list[Manifest]:
    """Read files and definitions, open up Lists, and keep the wanted kinds."""
    documents: list[Any] = list(definitions)
    for path in paths:
        try:
            text = Path(path).read_text()
            documents += [json.loads(text)] if path.endswith(".json") else list(yaml.load_all(text, Loader=loader()))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise GitopsError(f"{path} cannot be read: {error}") from error
    items = [item for document in documents if document for item in expand(document)]
    wanted = set(kinds)
    return [deepcopy(item) for item in items if not wanted or item["kind"] in wanted]


def loader() -> Any:
    """Return PyYAML's C loader, which reads megabytes ten times as fast, where it was built."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def expand(document: Any) -> list[Manifest]:
    """Return the objects of a document, which may be a List."""
    if isinstance(document, dict) and document.get("kind") == "List" and "items" in document:
        return [item for entry in document["items"] for item in expand(entry)]
    if (
        not isinstance(document, dict)
        or not {"apiVersion", "kind"} <= document.keys()
        or not (document.get("metadata") or {}).get("name")
    ):
        raise GitopsError("A document is no Kubernetes object: it needs apiVersion, kind and metadata.name.")
    return [document]


def label(item: Manifest) -> str:
    """Return kind, namespace and name as people write them."""
    metadata = item["metadata"]
    return f"{item['kind']} {metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']}"


def with_hash(item: Manifest) -> Manifest:
    """Return the manifest with the annotation that names its content; that of a Secret stays unnamed."""
    if item["kind"] == "Secret":
        return item
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    item = deepcopy(item)
    item["metadata"].setdefault("annotations", {})
    item["metadata"]["annotations"] = (item["metadata"]["annotations"] or {}) | {HASH: digest}
    return item


def contains(live: Any, wanted: Any) -> bool:
    """Return whether a live value has everything of a wanted one; lists must have the same length and order."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            contains(live.get(key), value) if value is not None else live.get(key) is None
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return live == wanted


def comparable(item: Manifest) -> Manifest:
    """Return an object without what the API server changes by itself."""
    item = deepcopy(item)
    metadata = item.get("metadata", {})
    for key in ("resourceVersion", "generation", "creationTimestamp", "uid"):
        metadata.pop(key, None)
    for entry in metadata.get("managedFields", []):
        entry.pop("time", None)
    item.pop("status", None)
    return item


def shown(item: Manifest) -> Manifest:
    """Return an object for a diff: without bookkeeping and without the values of a Secret."""
    item = comparable(item)
    item.get("metadata", {}).pop("managedFields", None)
    if item.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if item.get(key):
                item[key] = dict.fromkeys(item[key], "(not shown)")
    return item


class Applier:
    """Applies objects in two phases: what others live in, then all others."""

    def __init__(self, api: Api, settings: Settings, namespace: str | None) -> None:
        self.api, self.settings, self.namespace = api, settings, namespace
        self.warnings: list[str] = []

    def apply(self, items: list[Manifest]) -> list[Applied]:
        """Apply all objects and return what happened, in the given order."""
        first = [item for item in items if item["kind"] in FIRST]
        others = [item for item in items if item["kind"] not in FIRST]
        with ThreadPoolExecutor(max_workers=self.settings.concurrency) as pool:
            results = list(pool.map(self._one, first))
            created = [result.item for result in results if result.action == "created"]
            if others and not self.settings.check_mode:
                self.await_established([item for item in created if item["kind"] == "CustomResourceDefinition"], 60)
            for item in others:  # one discovery request for each API version, not one for each object
                self.api.resource(item)
            results += list(pool.map(self._one, others))
        return results

    def _one(self, item: Manifest) -> Applied:
        resource = self.api.resource(item)
        if resource is None:
            return self._unknown_kind(item)
        if resource[1] and not item["metadata"].get("namespace"):
            item["metadata"]["namespace"] = self.namespace or "default"
        path = self.api.path(item)
        status, live = self.api.request("GET", path or "")
        if status == 404:
            return self._create(item, path or "")
        if status != 200:
            raise GitopsError(f"{label(item)} cannot be read: {live.get('message', status)}")
        if self.settings.only_missing:
            return Applied(item, "skipped", live, live)
        return self._update(item, path or "", live)

    def _unknown_kind(self, item: Manifest) -> Applied:
        message = f"{label(item)}: the cluster has no kind {item['kind']} in {item['apiVersion']}, its CRD is missing"
        if not self.settings.check_mode:
            raise GitopsError(f"{message}.")
        self.warnings.append(f"{message}, so it was not checked.")
        return Applied(item, "created", {}, item)

    def _create(self, item: Manifest, path: str) -> Applied:
        wanted = item if self.settings.only_missing else with_hash(item)
        status, result = self._patch(path, wanted, self.settings.check_mode)
        if status == 404 and self.settings.check_mode:  # its namespace would be created by this run, too
            return Applied(item, "created", {}, item)
        self._check(item, status, result)
        return Applied(item, "created", {}, result)

    def _update(self, item: Manifest, path: str, live: Manifest) -> Applied:
        wanted = with_hash(item)
        if item["kind"] != "Secret" and contains(live, wanted):
            return Applied(item, "unchanged", live, live)
        status, result = self._patch(path, wanted, dry_run=True)
        self._check(item, status, result)
        if comparable(result) == comparable(live):
            return Applied(item, "unchanged", live, live)
        if not self.settings.check_mode:
            status, result = self._patch(path, wanted, dry_run=False)
            self._check(item, status, result)
        return Applied(item, "configured", live, result)

    def _patch(self, path: str, item: Manifest, dry_run: bool) -> tuple[int, Manifest]:
        query = {"fieldManager": self.settings.field_manager, "force": str(self.settings.force).lower()}
        return self.api.request("PATCH", path, query | ({"dryRun": "All"} if dry_run else {}), item, APPLY)

    def _check(self, item: Manifest, status: int, result: Manifest) -> None:
        if status not in (200, 201):
            # The API server quotes rejected values, and those of a Secret are nobody's business.
            message = result.get("reason") if item["kind"] == "Secret" else result.get("message")
            raise GitopsError(f"{label(item)} was rejected: {message or status}")

    def await_established(self, items: list[Manifest], timeout: float) -> None:
        """Wait until CRDs serve their kinds."""
        self._await(items, timeout, established)

    def await_rolled_out(self, items: list[Manifest], timeout: float) -> None:
        """Wait until CRDs are Established and workloads run their newest revision everywhere."""
        crds = [item for item in items if item["kind"] == "CustomResourceDefinition"]
        self._await(crds, timeout, established)
        self._await([item for item in items if item["kind"] in WORKLOADS], timeout, pending_rollout)

    def _await(self, items: list[Manifest], timeout: float, reason: Callable[[Manifest], str]) -> None:
        deadline = time.monotonic() + timeout
        waiting = {label(item): item for item in items}
        while waiting:
            reasons = {
                name: reason(self.api.request("GET", self.api.path(item) or "")[1]) for name, item in waiting.items()
            }
            waiting = {name: item for name, item in waiting.items() if reasons[name]}
            if waiting and time.monotonic() > deadline:
                texts = "; ".join(f"{name}: {reasons[name]}" for name in waiting)
                raise GitopsError(f"Not ready after {timeout:.0f} s: {texts}")
            if waiting:
                time.sleep(POLL_SECONDS)


def established(crd: Manifest) -> str:
    """Return why a CRD does not serve its kind yet, or nothing."""
    conditions = {entry["type"]: entry for entry in (crd.get("status") or {}).get("conditions") or []}
    if conditions.get("Established", {}).get("status") == "True":
        return ""
    return conditions.get("NamesAccepted", {}).get("message") or "not Established"


def pending_rollout(workload: Manifest) -> str:
    """Return why a Deployment, StatefulSet or DaemonSet is not rolled out, or nothing."""
    spec, status = workload.get("spec", {}), workload.get("status", {})
    if status.get("observedGeneration", 0) < workload.get("metadata", {}).get("generation", 1):
        return "its controller has not seen the newest revision"
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted = spec.get("replicas", 1)
        updated, ready = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted or ready < wanted or status.get("replicas", wanted) > wanted:
        return f"{ready} of {wanted} pods are available, {updated} of the newest revision"
    return ""
