# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply of many objects over one client.

An object is read before it is written. A hash of the manifest is kept as an annotation: if the hash matches and the
live object already contains every value of the manifest, no request is sent. Otherwise a dry run of the API server
decides whether there is a difference.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import (
    APPLY,
    MERGE,
    REQUEST_SECONDS,
    Api,
    UnavailableError,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    WORKLOADS,
    established,
    pending_rollout,
)

Manifest = dict[str, Any]
HASH = "monorepo.gitops/applied-sha256"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
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
HIDDEN = "(not shown)"
HIDDEN_CHANGED = "(not shown, different)"
DIFF_LIMIT = 100_000
ERRORS_SHOWN = 5
POLL_SECONDS = 0.3
ESTABLISHED_SECONDS = 60
PODS_SECONDS = 2
BUSY_RETRIES = 4
RACE_RETRIES = 5


class PatientApi(Api):
    """Retries while the API server is busy or restarting, and passes on its other errors unchanged."""

    def __init__(self, client: Any, concurrency: int) -> None:
        super().__init__(client)
        settings = self.client.rest_client.pool_manager.connection_pool_kw
        settings["maxsize"] = max(concurrency, settings.get("maxsize") or 1)

    def request(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, content_type: str = MERGE
    ) -> tuple[int, Manifest]:
        """Send one request, with retries where they can help, and return status code and body."""
        for tries_left in reversed(range(BUSY_RETRIES)):
            try:
                response = self._send(method, path, query, body, content_type, timeout=REQUEST_SECONDS)
            except UnavailableError:
                if not tries_left:
                    raise
                time.sleep(1)
                continue
            if response.status not in (429, 503) or not tries_left:
                break
            time.sleep(retry_after(response.headers.get("Retry-After")))
        if response.status == 401:
            raise GitopsError(f"The API server {self.host} does not accept the credentials (401 Unauthorized).")
        try:
            return response.status, json.loads(response.data or b"{}")
        except ValueError:
            return response.status, {"message": response.data.decode(errors="replace").strip()[:500]}


def retry_after(header: str | None) -> float:
    """Return the delay in seconds that a busy API server asks for, at most ten."""
    return min(float(header), 10.0) if header and header.isdigit() else 1.0


@dataclass
class Applied:
    """The result for one object."""

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
    """Read files and definitions, expand Lists, and keep the wanted kinds."""
    items = [item for document in definitions if document for item in expand(deepcopy(document), "definition")]
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
            documents = [json.loads(text)] if path.endswith(".json") else _yaml.load_all(text)
        except (OSError, ValueError) as error:
            raise GitopsError(f"{path} cannot be read: {error}") from error
        items += [item for document in documents if document for item in expand(document, path)]
    wanted = set(kinds)
    return distinct([item for item in items if not wanted or item["kind"] in wanted])


def distinct(items: list[Manifest]) -> list[Manifest]:
    """Return the objects without repetitions; two different manifests of one object are an error."""
    found: dict[tuple[str, str, str, str], Manifest] = {}
    for item in items:
        if found.setdefault(identity(item), item) != item:
            raise GitopsError(f"{label(item)} occurs twice, with different contents.")
    return list(found.values())


def expand(document: Any, origin: str) -> list[Manifest]:
    """Return the objects of a document, which may be a List."""
    if isinstance(document, dict) and document.get("kind") == "List" and "items" in document:
        return [item for entry in document["items"] or [] for item in expand(entry, origin)]
    if (
        not isinstance(document, dict)
        or not (document.get("apiVersion") and document.get("kind"))
        or not isinstance(document.get("metadata"), dict)
        or not document["metadata"].get("name")
    ):
        raise GitopsError(
            f"{origin}: a document is not a Kubernetes object: apiVersion, kind and metadata.name are required."
        )
    return [document]


def group_kind(item: Manifest) -> tuple[str, str]:
    """Return the API group and the kind of an object."""
    return item["apiVersion"].rpartition("/")[0], item["kind"]


def identity(item: Manifest) -> tuple[str, str, str, str]:
    """Return the identity of an object."""
    return *group_kind(item), item["metadata"].get("namespace") or "", item["metadata"]["name"]


def label(item: Manifest) -> str:
    """Return kind, namespace and name for messages."""
    metadata = item["metadata"]
    return f"{item['kind']} {metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']}"


def phases(items: list[Manifest]) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return three phases: Namespaces; CRDs and objects that need neither; custom resources of these CRDs."""
    crds = [item for item in items if item["kind"] == "CustomResourceDefinition"]
    defined = {(crd["spec"]["group"], crd["spec"]["names"]["kind"]) for crd in crds}
    namespaces = [item for item in items if group_kind(item) == ("", "Namespace")]
    custom = [item for item in items if group_kind(item) in defined]
    early = {id(item) for item in (*crds, *namespaces, *custom)}
    # CRDs take longest, so they start first.
    return namespaces, crds + [item for item in items if id(item) not in early], custom


def with_namespace(item: Manifest, namespace: str) -> Manifest:
    """Return a namespaced object with its namespace filled in."""
    if item["metadata"].get("namespace"):
        return item
    return item | {"metadata": item["metadata"] | {"namespace": namespace}}


def with_hash(item: Manifest) -> Manifest:
    """Return the manifest with the annotation of its hash; a Secret gets none."""
    if item["kind"] == "Secret":
        return item
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    annotations = (item["metadata"].get("annotations") or {}) | {HASH: digest}
    return item | {"metadata": item["metadata"] | {"annotations": annotations}}


def contains(live: Any, wanted: Any) -> bool:
    """Return whether a live value contains a wanted one; lists must have the same length and order."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            contains(live.get(key), value) if value is not None else live.get(key) is None
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return live == wanted and isinstance(live, bool) == isinstance(wanted, bool)


def comparable(item: Manifest) -> Manifest:
    """Return an object without the fields that the API server and controllers set."""
    item = {key: value for key, value in item.items() if key != "status"}
    ignored = ("resourceVersion", "generation", "creationTimestamp", "uid")
    item["metadata"] = {key: value for key, value in item.get("metadata", {}).items() if key not in ignored}
    if "managedFields" in item["metadata"]:
        item["metadata"]["managedFields"] = [
            {key: value for key, value in entry.items() if key != "time"}
            for entry in item["metadata"]["managedFields"]
            if entry.get("subresource") != "status"
        ]
    return item


def shown(item: Manifest, other: Manifest | None = None) -> Manifest:
    """Return an object for a diff: without bookkeeping, and for a Secret without values."""
    item = comparable(item)
    metadata = item["metadata"] = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    if item.get("kind") != "Secret":
        return item
    if metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED}
    for field in ("data", "stringData"):
        if item.get(field):
            others = (other or item).get(field) or {}
            item[field] = {
                key: HIDDEN if others.get(key, value) == value else HIDDEN_CHANGED for key, value in item[field].items()
            }
    return item


def as_diff(result: Applied) -> dict[str, str]:
    """Return one changed object as an Ansible diff; for a very long one only the size."""
    header = label(result.item)
    before = as_text(shown(result.before)) if result.before else ""
    after = as_text(shown(result.after, result.before or None))
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def as_text(item: Manifest) -> str:
    """Return an object as YAML, or its size."""
    size = len(json.dumps(item))
    if size > DIFF_LIMIT:
        return f"({size} characters)\n"
    return _yaml.dump(item)


def report(results: list[Applied]) -> dict[str, Any]:
    """Return the module's result."""
    counts = Counter(result.action for result in results)
    objects = [
        {
            "kind": result.item["kind"],
            "namespace": result.item["metadata"].get("namespace") or "",
            "name": result.item["metadata"]["name"],
            "action": result.action,
        }
        for result in results
    ]
    return {
        "changed": bool(counts["created"] or counts["configured"]),
        "objects": objects,
        "counts": dict(sorted(counts.items())),
    }


class Applier:
    """Applies objects in an order in which each finds what it needs."""

    def __init__(self, api: Api, settings: Settings, namespace: str | None) -> None:
        self.api, self.settings, self.namespace = api, settings, namespace or "default"
        self.results: list[Applied] = []
        self.warnings: list[str] = []
        self.defined: set[tuple[str, str]] = set()
        self.deleted_pods: list[str] = []
        self.pods_read: dict[str, float] = {}

    def apply(self, items: list[Manifest]) -> list[Applied]:
        """Apply all objects and return the results; a rejected object does not hold back the others."""
        namespaces, others, custom = phases(items)
        self.defined = {group_kind(item) for item in custom}
        self._check_kinds([*namespaces, *others])
        with ThreadPoolExecutor(max_workers=self.settings.concurrency) as pool:
            self._phase(pool, namespaces)
            self._phase(pool, others)
            if custom and not self.settings.check_mode:
                self._await_served(custom)
            self._phase(pool, custom)
        return self.results

    def _check_kinds(self, items: list[Manifest]) -> None:
        """Find kinds that the cluster does not serve before anything is written, with one discovery per API version."""
        unknown = {f"{item['kind']} of {item['apiVersion']}": item for item in items if not self.api.resource(item)}
        if not unknown:
            return
        message = f"The cluster does not know {', '.join(unknown)}: the CustomResourceDefinition is missing"
        if not self.settings.check_mode:
            names = ", ".join(label(item) for item in unknown.values())
            raise GitopsError(f"{message}, so {names} cannot be applied. Nothing was written.")
        self.warnings.append(f"{message}. Its objects count as new and were not checked.")

    def _phase(self, pool: ThreadPoolExecutor, items: list[Manifest]) -> None:
        errors = []
        for outcome in pool.map(self._try, items):
            if isinstance(outcome, GitopsError):
                errors.append(str(outcome))
            else:
                self.results.append(outcome)
        if errors:
            more = f"; and {len(errors) - ERRORS_SHOWN} more" if len(errors) > ERRORS_SHOWN else ""
            texts = list(dict.fromkeys(errors))[:ERRORS_SHOWN]
            raise GitopsError("; ".join(texts) + more, **report(self.results))

    def _try(self, item: Manifest) -> Applied | GitopsError:
        try:
            return self._one(item)
        except GitopsError as error:
            return error

    def _one(self, item: Manifest) -> Applied:
        resource = self.api.resource(item)
        if resource is None:  # only in check mode
            return Applied(item, "created", {}, item)
        if resource[1]:
            item = with_namespace(item, self.namespace)
        path = self.api.path(item) or ""
        live = self._read(item, path)
        if live is None:
            return self._create(item, path)
        if self.settings.only_missing:
            return Applied(item, "skipped", live, live)
        return self._update(item, path, live)

    def _read(self, item: Manifest, path: str) -> Manifest | None:
        status, live = self.api.request("GET", path)
        if status not in (200, 404):
            raise GitopsError(f"{label(item)} cannot be read: {live.get('message') or status}")
        return live if status == 200 else None

    def _create(self, item: Manifest, path: str) -> Applied:
        wanted = item if self.settings.only_missing else with_hash(item)
        status, result = self._patch(path, wanted, self.settings.check_mode)
        if status == 404 and self.settings.check_mode:  # this run would create its namespace, too
            return Applied(item, "created", {}, item)
        self._check(item, status, result)
        return Applied(item, "created", {}, result)

    def _update(self, item: Manifest, path: str, live: Manifest) -> Applied:
        wanted = with_hash(item)
        if item["kind"] != "Secret" and contains(live, wanted):
            return Applied(item, "unchanged", live, live)
        for _attempt in range(RACE_RETRIES):
            status, result = self._patch(path, wanted, dry_run=True)
            self._check(item, status, result)
            if comparable(result) == comparable(live):
                return Applied(item, "unchanged", live, live)
            if result["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion"):
                break
            # Somebody else wrote between the two requests; that difference is not part of this run.
            live = self._read(item, path) or live
        if not self.settings.check_mode:
            status, result = self._patch(path, wanted, dry_run=False)
            self._check(item, status, result)
        return Applied(item, "configured", live, result)

    def _patch(self, path: str, item: Manifest, dry_run: bool) -> tuple[int, Manifest]:
        query = {"fieldManager": self.settings.field_manager, "force": str(self.settings.force).lower()}
        return self.api.request("PATCH", path, query | ({"dryRun": "All"} if dry_run else {}), item, APPLY)

    def _check(self, item: Manifest, status: int, result: Manifest) -> None:
        if status in (200, 201):
            return
        message = str(result.get("message") or status)
        if item["kind"] == "Secret":
            message = f"{result.get('reason') or status} (the rest may quote its values and is not shown)"
        raise GitopsError(f"{label(item)} was rejected: {message}")

    def _await_served(self, custom: list[Manifest]) -> None:
        """Wait until CRDs of this run are Established and, slightly later, served by discovery."""
        crds = [result for result in self.results if result.item["kind"] == "CustomResourceDefinition"]
        self._await(crds, ESTABLISHED_SECONDS, established)
        deadline = time.monotonic() + ESTABLISHED_SECONDS
        for item in custom:
            while self.api.resource(item) is None:
                if time.monotonic() > deadline:
                    raise GitopsError(
                        f"The API server does not serve {item['apiVersion']} {item['kind']}, though its "
                        "CustomResourceDefinition is Established: compare the version with those it serves.",
                        **report(self.results),
                    )
                time.sleep(POLL_SECONDS / 3)

    def await_rolled_out(self, timeout: float) -> None:
        """Wait until CRDs are Established and all pods of workloads run the newest revision."""
        started = time.monotonic()
        crds = [result for result in self.results if result.item["kind"] == "CustomResourceDefinition"]
        self._await(crds, timeout, established)
        workloads = [result for result in self.results if result.item["kind"] in WORKLOADS]
        self._await(workloads, timeout - (time.monotonic() - started), pending_rollout)

    def _unblock(self, workload: Manifest) -> None:
        """Delete a pod of an older revision that does not start: its StatefulSet would wait for it forever.

        The Kubernetes documentation, StatefulSets, calls this a forced rollback.
        """
        name = label(workload)
        if not may_be_blocked(workload) or time.monotonic() - self.pods_read.get(name, -PODS_SECONDS) < PODS_SECONDS:
            return
        self.pods_read[name] = time.monotonic()
        for pod in self._pods(workload):
            if not (why := blocks(workload, pod)):
                continue
            metadata = pod["metadata"]
            # Unless it changed in the meantime: it may be running now.
            body = {"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            status, _answer = self.api.request("DELETE", path, None, body, "application/json")
            if status in (200, 202):
                self.deleted_pods.append(f"{metadata['namespace']}/{metadata['name']}")
                self.warnings.append(
                    f"Pod {self.deleted_pods[-1]} was deleted: it belongs to an older revision of {name} and did not "
                    f"start ({why}), and a StatefulSet replaces no other pod until that one is ready."
                )

    def _pods(self, workload: Manifest) -> list[Manifest]:
        """Return the pods of a workload that are not being deleted, as far as they can be read."""
        labels = workload["spec"]["selector"].get("matchLabels") or {}
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        path = f"/api/v1/namespaces/{workload['metadata']['namespace']}/pods"
        status, pods = self.api.request("GET", path, query)
        items = pods.get("items") or [] if status == 200 else []
        return [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]

    def _await(self, results: list[Applied], timeout: float, reason: Callable[[Manifest], str]) -> None:
        started = time.monotonic()
        waiting = {label(result.item): (result.item, reason(result.after)) for result in results}
        while waiting := {name: entry for name, entry in waiting.items() if entry[1]}:
            if time.monotonic() - started > timeout:
                texts = "; ".join(f"{name}: {why}{self._trouble(item)}" for name, (item, why) in waiting.items())
                raise GitopsError(f"Not ready after {timeout:.0f} s: {texts}", **report(self.results))
            time.sleep(POLL_SECONDS)
            waiting = {name: (item, self._reason(item, why, reason)) for name, (item, why) in waiting.items()}

    def _reason(self, item: Manifest, last: str, reason: Callable[[Manifest], str]) -> str:
        try:
            status, live = self.api.request("GET", self.api.path(item) or "")
            if status == 404:
                return "it was deleted in the meantime"
            if status != 200:
                return str(live.get("message") or status)
            why = reason(live)
            if why and live.get("kind") == "StatefulSet":
                self._unblock(live)
        except UnavailableError:  # it may come back before the timeout
            return last
        return why

    def _trouble(self, item: Manifest) -> str:
        """Return why pods of a workload do not run, as far as the cluster reports it."""
        if item["kind"] not in WORKLOADS:
            return ""
        troubles = [text for pod in self._pods(item) if (text := pod_trouble(pod))]
        return f" ({troubles[0]})" if troubles else ""


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


def pod_trouble(pod: Manifest) -> str:
    """Return why a pod does not run: what a container waits for, how it exited, or why it is not scheduled."""
    status = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        state = container.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"pod {pod['metadata']['name']}: {waiting['reason']} {waiting.get('message', '')}".rstrip()
        if terminated.get("exitCode"):
            return f"pod {pod['metadata']['name']}: container {container['name']} exited with {terminated['exitCode']}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"pod {pod['metadata']['name']} is not scheduled: {condition.get('message', '')}"
    return ""
