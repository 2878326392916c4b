# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the objects of an Application differ from what Git wants, as its next sync would change them.

Argo CD says which objects differ; a dry run of the API server says how. What Argo CD leaves out of a comparison is in
its gitops-engine/pkg/diff/diff.go and util/argo/normalizers/diff_normalizer.go at v3.6.1.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from difflib import unified_diff
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY, Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.diff import LAST_APPLIED, as_text, contains, shown
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import ARGOCD
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pods import (
    Identity,
    identity_of,
    identity_of_entry,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    Resource,
    resource_name,
    status_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import changed_fields
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.sync_options import sync_options
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import HOOKS, TRACKING

Manifest = dict[str, Any]
INSTALLATION = "argocd.argoproj.io/installation-id"
FORCE = {"dryRun": "All", "fieldManager": ARGOCD, "force": "true"}
CHANGES = ("create", "update", "delete")
# Fields of ignoreDifferences that only Argo CD can evaluate.
NOT_EVALUATED = ("jqPathExpressions", "managedFieldsManagers")


@dataclass
class Difference:
    """One object; `action` is what a sync would do: create, update, delete, none, or rejected when it cannot."""

    identity: Identity
    action: str
    message: str = ""
    before: Manifest | None = None
    after: Manifest | None = None

    def report(self) -> dict[str, Any]:
        """Return the part of the result; of a Secret the names of its keys only."""
        before, after = self.before or {}, self.after or {}
        fields = []
        if before and after:
            fields = list(changed_fields(shown(before), shown(after, before)))
        names = ("group", "kind", "namespace", "name")
        return dict(zip(names, self.identity, strict=True)) | {
            "action": self.action,
            "message": self.message,
            "fields": fields,
            "diff": self.diff(),
        }

    def diff(self) -> str:
        """Return the unified diff from the cluster to Git; what is created is all new, what is deleted all old."""
        if self.action not in CHANGES:
            return ""
        before = as_text(shown(self.before)).splitlines() if self.before else []
        after = as_text(shown(self.after, self.before)).splitlines() if self.after else []
        return "\n".join(unified_diff(before, after, "cluster", "Git", lineterm=""))


def report_of(application: Application, commit: str, found: list[Difference]) -> str:
    """Return all differences as a text for people."""
    name, sync = application["metadata"]["name"], (status_of(application).get("sync") or {}).get("status")
    count = f"{len(found) or 'No'} object{'' if len(found) == 1 else 's'}"
    lines = [
        f"{name} is {sync or 'not compared yet'}. {count} differ{'s' * (len(found) == 1)} from commit {commit[:12]}."
    ]
    for entry in found:
        _group, kind, namespace, item = entry.identity
        title = f"{entry.action}: {resource_name({'kind': kind, 'namespace': namespace, 'name': item})}"
        lines += ["", f"{title}: {entry.message}" if entry.message else title, *entry.diff().splitlines()]
    return "\n".join(lines)


class Comparison:
    """Compares the objects of one Application in the cluster with those built from Git."""

    def __init__(self, api: Api, application: Application, built: list[Manifest]) -> None:
        self.api, self.application, self.name = api, application, application["metadata"]["name"]
        self.resources = status_of(application).get("resources") or []
        self.namespace = ((application.get("spec") or {}).get("destination") or {}).get("namespace") or ""
        wanted = [self._placed(item) for item in built if is_compared(item)]
        self.wanted = {identity_of(item): item for item in wanted}

    def out_of_sync(self) -> list[Difference]:
        """Return how the objects differ that Argo CD calls OutOfSync."""
        return [self._one(entry) for entry in self.resources if entry.get("status") == "OutOfSync"]

    def everything(self) -> list[Difference]:
        """Return what differs when the objects were built from another commit than the one that was compared."""
        own = {identity_of_entry(entry) for entry in self.resources}
        found = [self._wanted(identity, item) for identity, item in self.wanted.items()]
        found += [self._extra(identity) for identity in sorted(own - self.wanted.keys())]
        return [entry for entry in found if entry.action != "none"]

    def _placed(self, item: Manifest) -> Manifest:
        """Return an object with the namespace that Argo CD gives it."""
        resource = self.api.resource(item)
        if resource and not resource[1]:
            return item | {"metadata": {key: value for key, value in item["metadata"].items() if key != "namespace"}}
        return item | {"metadata": {"namespace": self.namespace} | item["metadata"]}

    def _one(self, entry: Resource) -> Difference:
        identity = identity_of_entry(entry)
        if entry.get("requiresPruning"):
            return self._extra(identity, entry.get("version") or "")
        item = self.wanted.get(identity)
        if item is None:
            return Difference(identity, "none", "the revision does not contain it: refresh the Application")
        found = self._wanted(identity, item)
        if found.action == "none":
            found.message = (
                "no field differs: refresh the Application, or look for what only Argo CD evaluates, such as "
                "ignoreDifferences or resource customizations"
            )
        return found

    def _extra(self, identity: Identity, version: str = "") -> Difference:
        """Return an object that is not in Git any more."""
        group, kind, namespace, name = identity
        if not version:
            version = next((e.get("version") or "" for e in self.resources if identity_of_entry(e) == identity), "")
        item = {"apiVersion": f"{group}/{version}".lstrip("/"), "kind": kind}
        live = self._read(item | {"metadata": {"name": name, "namespace": namespace}})
        if live is None:
            return Difference(identity, "none", "it is neither in Git nor in the cluster: refresh the Application")
        if "Prune=false" in sync_options(live):
            return Difference(identity, "none", "it is not in Git any more, and stays because of Prune=false")
        return Difference(identity, "delete", "it is not in Git any more", normalized(live, []))

    def _wanted(self, identity: Identity, item: Manifest) -> Difference:
        """Return how an object differs from the one in Git."""
        if self.api.resource(item) is None:
            return Difference(identity, "create", "the cluster does not know its kind yet", None, item)
        live = self._read(item)
        tracked = with_tracking(item, live, self.name)
        status, result = self.api.request("PATCH", self.api.path(item) or "", FORCE, tracked, APPLY)
        pointers = ignored_pointers(self.application, identity)
        if status not in (200, 201, 404) or (status == 404 and live):
            before = normalized(live, pointers) if live else None
            return Difference(identity, "rejected", rejection(item, status, result), before)
        if live is None:  # 404: its namespace does not exist yet
            return Difference(identity, "create", "", None, normalized(tracked, pointers))
        before, after = normalized(live, pointers), normalized(without_removed(result, live, tracked), pointers)
        return Difference(identity, "none" if before == after else "update", "", before, after)

    def _read(self, item: Manifest) -> Manifest | None:
        path = self.api.path(item)
        if path is None:
            return None
        status, live = self.api.request("GET", path)
        if status not in (200, 404):
            raise GitopsError(f"{label(item)} cannot be read: {live.get('message') or status}")
        return live if status == 200 else None


def is_compared(item: Manifest) -> bool:
    """Return whether Argo CD compares an object: hooks, and objects whose name the API server makes up, are not."""
    return bool(item["metadata"].get("name")) and not any(hook in annotations_of(item) for hook in HOOKS)


def annotations_of(item: Manifest) -> dict[str, str]:
    """Return the annotations of an object."""
    return item["metadata"].get("annotations") or {}


def with_tracking(item: Manifest, live: Manifest | None, application: str) -> Manifest:
    """Return an object with the annotations that Argo CD adds to it."""
    group, kind, namespace, name = identity_of(item)
    present = annotations_of(live) if live else {}
    own = present.get(TRACKING, "")
    if not own.startswith(f"{application}:"):
        own = f"{application}:{group}/{kind}:{namespace}/{name}"
    added = {TRACKING: own} | ({INSTALLATION: present[INSTALLATION]} if INSTALLATION in present else {})
    return item | {"metadata": item["metadata"] | {"annotations": annotations_of(item) | added}}


def rejection(item: Manifest, status: int, result: dict[str, Any]) -> str:
    """Return why the API server does not accept an object; of a Secret without what may quote its values."""
    if item["kind"] == "Secret":
        return f"{result.get('reason') or status} (the rest may quote its values and is not shown)"
    return str(result.get("message") or status)


def without_removed(result: Manifest, live: Manifest, wanted: Manifest) -> Manifest:
    """Return the result of a dry run without what was applied and has left Git.

    Argo CD applies client-side unless the sync option ServerSideApply is set; then it removes what is only in its last
    manifest, which server-side apply does not know.
    """
    applied = annotations_of(live).get(LAST_APPLIED)
    return removed(result, json.loads(applied), wanted) if applied else result


def removed(result: Any, applied: Any, wanted: Any) -> Any:
    """Return a value without what is in the manifest that was applied and not in the wanted one."""
    if isinstance(result, dict) and isinstance(applied, dict) and isinstance(wanted, dict):
        gone = {key for key, value in applied.items() if value is not None and key not in wanted}
        kept = {key: value for key, value in result.items() if key not in gone}
        return {key: removed(value, applied.get(key), wanted.get(key)) for key, value in kept.items()}
    if isinstance(result, list) and isinstance(applied, list) and isinstance(wanted, list):
        left = [entry for entry in result if matching(entry, wanted) is not None or matching(entry, applied) is None]
        return [removed(entry, matching(entry, applied), matching(entry, wanted)) for entry in left]
    return result


def matching(entry: Any, others: list[Any]) -> Any:
    """Return the entry of a list that is the same one: of the same name, or with the same values."""
    name = entry.get("name") if isinstance(entry, dict) else None
    for other in others:
        if (name and isinstance(other, dict) and other.get("name") == name) or contains(entry, other):
            return other
    return None


def ignored_pointers(application: Application, identity: Identity) -> list[str]:
    """Return the JSON pointers that the Application's ignoreDifferences has for an object."""
    return [pointer for rule in rules_for(application, identity) for pointer in rule.get("jsonPointers") or []]


def not_evaluated(application: Application, identity: Identity) -> list[str]:
    """Return the rules of ignoreDifferences for an object that only Argo CD evaluates."""
    return [key for key in NOT_EVALUATED if any(rule.get(key) for rule in rules_for(application, identity))]


def rules_for(application: Application, identity: Identity) -> Iterator[dict[str, Any]]:
    """Yield the entries of ignoreDifferences that mean an object."""
    group, kind, namespace, name = identity
    for rule in (application.get("spec") or {}).get("ignoreDifferences") or []:
        meant = fnmatchcase(group, rule.get("group") or "") and fnmatchcase(kind, rule.get("kind") or "")
        if meant and rule.get("name") in (None, "", name) and rule.get("namespace") in (None, "", namespace):
            yield rule


def normalized(item: Manifest, pointers: list[str]) -> Manifest:
    """Return an object without what a comparison leaves out."""
    item = deepcopy(item)
    item.pop("status", None)
    metadata = item["metadata"]
    for key in ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"):
        metadata.pop(key, None)
    (metadata.get("annotations") or {}).pop(LAST_APPLIED, None)
    for pointer in pointers:
        remove(item, pointer)
    return item


def remove(item: Any, pointer: str) -> None:
    """Remove the value at a JSON pointer (RFC 6901), if there is one."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]] or [""]
    for part in parents:
        item = child(item, part)
    if isinstance(item, dict):
        item.pop(last, None)
    elif isinstance(item, list) and last.isdecimal() and int(last) < len(item):
        del item[int(last)]


def child(item: Any, part: str) -> Any:
    """Return the value of a key or an index, or None."""
    if isinstance(item, dict):
        return item.get(part)
    return item[int(part)] if isinstance(item, list) and part.isdecimal() and int(part) < len(item) else None
