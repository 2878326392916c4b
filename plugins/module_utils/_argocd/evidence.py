# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other objects say about an Application that does not go on, read while it stands still.

Without the right to read them the wait goes on without an answer: it then fails when the time is up, not earlier.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import (
    Missing,
    Nature,
    is_unreachable,
    missing_kind,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    Resource,
    conditions_of,
    is_automated,
    resource_name,
    status_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Code, Evidence, Seen
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.windows import UnknownZoneError, closing
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

SETTINGS = "argocd-cm"
CONTROLLER, REPO_SERVER = "argocd-application-controller", "argocd-repo-server"
LOOK_SECONDS, READ_SECONDS = 1.0, 5.0
LOOKED_AT_PER_SECOND = 500  # Applications, at most
# How long a verdict or a request must have lasted before anything is read for it.
STANDS_STILL = 2.0
UNANSWERED = 5.0
# Kinds that are Suspended only because of a field of their specification.
BY_SPECIFICATION = {("apps", "Deployment"): "paused", ("batch", "Job"): "suspend", ("batch", "CronJob"): "suspend"}
CAUSED_BY = re.compile(r"(?:(?P<group>[\w.-]+)/)?(?P<kind>\w+):(?:(?P<namespace>[\w.-]+)/)?(?P<name>[\w.:-]+)")
CORE = {"versions": [{"version": "v1", "groupVersion": "v1"}]}
Question = str
Reader = Callable[[Api], "Evidence | None"]


def project_question(project: str) -> Question:
    """Return the question whether an AppProject has sync windows."""
    return f"sync windows of {project}"


def kind_question(missing: Missing) -> Question:
    """Return the question whether the cluster serves a kind."""
    return " ".join(("versions of", *missing))


def suspended_question(name: str) -> Question:
    """Return the question whether what is Suspended in an Application can go on by itself."""
    return f"suspended in {name}"


class Inquiry:
    """Reads what answers the open questions, each at most every few seconds."""

    def __init__(self, api: Api, namespace: str, requests: Counter[str]) -> None:
        self.api, self.namespace, self.requests = api, namespace, requests
        self.known: dict[Question, Evidence] = {}
        self.reading: set[Question] = set()
        self.read_at: dict[Question, float] = {}
        self.look_at = 0.0
        self.told: dict[Question, Evidence] = {}

    def has_news(self) -> bool:
        """Return whether something else explains now why nothing happens than when this was asked last."""
        before, self.told = self.told, {question: found for question, found in dict(self.known).items() if found.text}
        return self.told != before

    def look(self, entries: Iterable[Tracked], others: Mapping[str, Application], now: float) -> None:
        """Begin to read what the verdicts need, and forget what nobody asks any more."""
        if now < self.look_at:
            return
        entries = list(entries)
        self.look_at = now + max(LOOK_SECONDS, len(entries) / LOOKED_AT_PER_SECOND)
        asked = questions(entries, others, self.namespace, now)
        self.known = {question: found for question, found in self.known.items() if question in asked}
        for question, reader in asked.items():
            if question in self.reading or now - self.read_at.get(question, now - READ_SECONDS) < READ_SECONDS:
                continue
            self.reading.add(question)
            self.read_at[question] = now
            self.requests["read"] += 1
            threading.Thread(target=self._take, args=(question, reader), daemon=True).start()

    def _take(self, question: Question, reader: Reader) -> None:
        try:
            found = reader(self.api)
            if found is not None:
                self.known[question] = found
        except GitopsError:
            pass  # the verdict stands without it
        finally:
            self.reading.discard(question)


def questions(
    entries: Iterable[Tracked], others: Mapping[str, Application], namespace: str, now: float
) -> dict[Question, Reader]:
    """Return what the verdicts need to know, and how to read it."""
    found: dict[Question, Reader] = {}
    for entry in entries:
        if entry.application is not None:
            found.update(_questions_of(entry, entry.application, others, namespace, now))
    return found


def _questions_of(
    entry: Tracked, application: Application, others: Mapping[str, Application], namespace: str, now: float
) -> Iterator[tuple[Question, Reader]]:
    code, stands_still = entry.found.code, now - entry.since > STANDS_STILL
    if code == Code.REFRESHING:
        if entry.barrier.is_pending and now - entry.barrier.since > UNANSWERED:
            yield CONTROLLER, lambda api: workload(api, namespace, CONTROLLER)
        return
    if code == Code.ERROR and stands_still and without_repo_server(application):
        yield REPO_SERVER, lambda api: workload(api, namespace, REPO_SERVER)
    idle = (code == Code.OUT_OF_SYNC and stands_still) or code == Code.SYNC_WINDOW
    if idle and is_automated(application) and not application.get("operation"):
        project = (application.get("spec") or {}).get("project", "")
        yield project_question(project), lambda api: sync_windows(api, namespace, project, application)
    if code == Code.SUSPENDED:
        yield suspended_question(entry.name), lambda api: suspended_by(api, application)
    failure = entry.failures.last
    absent = failure.missing if failure.nature is Nature.ABSENT else []
    absent += missing_kinds(application) if code == Code.ERROR and stands_still else []
    for missing in absent:
        if not missing.group or not is_brought(missing.group, entry.name, others):
            yield kind_question(missing), partial(served, missing=missing)


def without_repo_server(application: Application) -> bool:
    """Return whether the controller does not reach the repo-server."""
    return any(is_unreachable(entry.get("message", "")) for entry in conditions_of(application, "ComparisonError"))


def missing_kinds(application: Application) -> list[Missing]:
    """Return the kinds that the comparison could not find."""
    found = conditions_of(application, "ComparisonError")
    return [missing for entry in found if (missing := missing_kind(entry.get("message", "")))]


def absence(missing: Missing, seen: Seen) -> Evidence:
    """Return what is known about a kind that the API server does not serve."""
    return seen.evidence.get(kind_question(missing), Evidence())


def is_brought(group: str, name: str, others: Mapping[str, Application]) -> bool:
    """Return whether another Application may still bring a CustomResourceDefinition of an API group."""
    for other, application in others.items():
        status = status_of(application)
        if other == name:
            continue
        if (status.get("sync") or {}).get("status") in (None, "", "Unknown"):
            return True
        if any(
            entry.get("kind") == "CustomResourceDefinition"
            and entry["name"].endswith(f".{group}")
            and entry.get("status") != "Synced"
            for entry in status.get("resources") or []
        ):
            return True
    return False


# --- answers ---------------------------------------------------------------------------------------------------------


def workload(api: Api, namespace: str, name: str) -> Evidence | None:
    """Return whether a component of Argo CD has no ready pod; None where it is not found or may not be read."""
    found: list[tuple[str, dict[str, Any]]] = []
    for kind in ("StatefulSet", "Deployment"):
        query = {"labelSelector": f"app.kubernetes.io/name={name}"}
        status, answer = api.request("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s", query)
        found += [(kind, item) for item in answer.get("items") or []] if status == 200 else []
    if not found:
        return None
    if any((item.get("status") or {}).get("readyReplicas") for _kind, item in found):
        return Evidence()
    kind, item = found[0]
    named = f"{kind} {namespace}/{item['metadata']['name']}"
    if all((item.get("spec") or {}).get("replicas", 1) == 0 for _kind, item in found):
        return Evidence(f"{named} is scaled to 0", final=True)
    return Evidence(f"{named} has no ready pod")


def sync_windows(api: Api, namespace: str, project: str, application: Application) -> Evidence | None:
    """Return the sync windows that keep automated sync from beginning; None where nobody knows."""
    status, found = api.request("GET", f"{GROUP}/namespaces/{namespace}/appprojects/{project}")
    if status != 200:
        return None
    try:
        text = closing((found.get("spec") or {}).get("syncWindows") or [], application, datetime.now(UTC))
    except UnknownZoneError:
        return None
    if text:
        # A global project may have windows for others, too.
        status, settings = api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{SETTINGS}")
        if status == 200 and (settings.get("data") or {}).get("globalProjects"):
            return None
    return Evidence(text)


def suspended_entries(application: Application) -> list[Resource]:
    """Return the resources that are Suspended, by their own health, or by what the Application's health names."""
    status = status_of(application)
    resources, health = status.get("resources") or [], status.get("health") or {}
    found = [entry for entry in resources if (entry.get("health") or {}).get("status") == "Suspended"]
    if found or health.get("status") != "Suspended":
        return found
    named = {
        (match["group"] or "", match["kind"], match["namespace"] or "", match["name"])
        for match in CAUSED_BY.finditer(health.get("message", "").removeprefix("Caused by "))
    }
    return [
        entry
        for entry in resources
        if (entry.get("group") or "", entry["kind"], entry.get("namespace") or "", entry["name"]) in named
    ]


def suspended_by(api: Api, application: Application) -> Evidence:
    """Return which field of a specification suspends an object of an Application; such a one stays as it is."""
    for entry in suspended_entries(application):
        version = "/".join(filter(None, (entry.get("group"), entry.get("version"))))
        metadata = {"name": entry["name"], "namespace": entry.get("namespace", "")}
        path = api.path({"apiVersion": version, "kind": entry["kind"], "metadata": metadata})
        status, live = api.request("GET", path) if path else (404, {})
        spec = live.get("spec") or {} if status == 200 else {}
        for field in ("paused", "suspend"):
            if spec.get(field) is True:
                return Evidence(f"spec.{field} of {resource_name(entry)} is true", final=True)
    return Evidence()


def served(api: Api, missing: Missing) -> Evidence | None:
    """Return in which versions the cluster serves a kind, where it is not the one that an error is about."""
    group, kind, wanted = missing
    named = f"{kind}.{group}" if group else f"{kind} of its core API"
    status, found = api.request("GET", f"/apis/{group}") if group else (200, CORE)
    if status not in (200, 404):
        return None
    versions = [
        entry["version"]
        for entry in (found.get("versions") or [] if status == 200 else [])
        if any(each["kind"] == kind for each in _resources(api, entry["groupVersion"]))
    ]
    if not versions and not group:
        return Evidence(f"the API server has no {named}", final=True)
    if not versions:
        return Evidence(f"no CustomResourceDefinition in the cluster defines {named}", final=True)
    if not wanted or wanted in versions:
        return Evidence()
    return Evidence(f"the cluster serves {named} in {', '.join(versions)}", final=True)


def _resources(api: Api, version: str) -> list[dict[str, Any]]:
    return list(api.request("GET", group_path(version))[1].get("resources") or [])
