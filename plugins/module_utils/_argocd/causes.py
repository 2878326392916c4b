# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an Application is not ready: which of its objects keep it from it, and the lowest cause of each.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import is_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    RUNNING,
    Application,
    Resource,
    failed_here,
    operation_state,
    results_of,
    status_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Cause, Reference
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import Reader, lacking_text
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import WEBHOOK_SERVICE
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import WORKLOADS

# How many objects of an Application are looked at, and of how many Applications, the worst ones.
SUSPECTS = 5
APPLICATIONS = 20
# From the worst to the best; an object that is Missing is not there to be looked at.
WORST = ("Degraded", "Progressing", "Unknown", "Suspended")
# Their health in an Application may be missing, because Argo CD was told not to persist it.
JUDGED = (*WORKLOADS, "Job", "PersistentVolumeClaim", "Pod")


def suspects(application: Application) -> list[Reference]:
    """Return the objects that keep an Application from being ready, as far as its status says it, worst first.

    While a sync runs, only those that it waits for: it may be about to mend the others.
    """
    runs = operation_state(application).get("phase") in RUNNING
    found = [*_of_operation(application), *(() if runs else _unhealthy(application))]
    return list(dict.fromkeys(found))[:SUSPECTS]


def _of_operation(application: Application) -> Iterator[Reference]:
    """Yield the hooks that have failed, and what the last sync waits for: hooks, and the objects of a wave."""
    state = operation_state(application)
    if state.get("phase") not in RUNNING and not failed_here(application):
        return
    results = results_of(state)
    failed = [entry for entry in results if entry.get("hookType") and entry.get("hookPhase") in ("Failed", "Error")]
    # An object that is not a hook has a phase, too: while the sync runs, it is running until the object is healthy.
    awaited = [entry for entry in results if entry.get("hookPhase") == "Running" and state["phase"] in RUNNING]
    for entry in [*failed, *awaited]:
        yield reference_of(entry)
    for entry in results:
        if entry.get("status") == "SyncFailed" and (found := WEBHOOK_SERVICE.search(entry.get("message") or "")):
            yield Reference("v1", "Service", found[2], found[1])


def _unhealthy(application: Application) -> Iterator[Reference]:
    """Yield the objects that are not healthy, worst first; where health is not persisted, those that may be."""
    status = status_of(application)
    healthy = (status.get("health") or {}).get("status") in ("Healthy", None)
    found: list[tuple[str, Resource]] = []
    for entry in status.get("resources") or []:
        health = (entry.get("health") or {}).get("status")
        if health in WORST:
            found.append((health, entry))
        elif health is None and not healthy and entry.get("kind") in JUDGED:
            found.append(("Unknown", entry))
    for _health, entry in sorted(found, key=lambda pair: WORST.index(pair[0])):
        yield reference_of(entry)


def reference_of(entry: Resource) -> Reference:
    """Return a reference to an entry of an Application's status."""
    version = "/".join(filter(None, (entry.get("group"), entry.get("version"))))
    return Reference(version, entry["kind"], entry.get("namespace") or "", entry["name"])


def causes_of(application: Application, reader: Reader) -> list[Cause]:
    """Return the lowest causes of what keeps an Application from being ready: each once, worst first."""
    if not is_here(application):
        return []
    found: dict[tuple[object, str], Cause] = {}
    for reference in suspects(application):
        if cause := reader.diagnose(reference):
            found.setdefault((cause.item, cause.rule), cause)
    return sorted(found.values(), key=lambda cause: cause.found.mild)


def findings_of(api: Api, application: Application, counted: Counter[str], log_lines: int = 0) -> list[Finding]:
    """Return the causes for a verdict, and last with which rights more could be reported."""
    reader = Reader(api, log_lines, counted=counted)
    found = [cause.finding for cause in causes_of(application, reader)]
    lacking = lacking_text(list(reader.lacking))
    return [*found, Finding(lacking)] if lacking else found
