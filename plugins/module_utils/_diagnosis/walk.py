# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow an object that is not ready down to the lowest cause.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.causes import SILENT, cause_of
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import (
    MOST_OBJECTS,
    Cause,
    Evidence,
    Found,
    Identity,
    Manifest,
    Reference,
    identity_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.pods import is_ready
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import POD, below, selector
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import blocks, may_be_blocked
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    not_ready,
    not_reconciled,
    true_condition,
)

OBJECTS = 200
# Which Secret a pod lacks its kubelet says; these are only seen by their absence.
ABSENT = Found("it does not exist", "find out what should create it, or correct its name in Git")


def diagnose(top: Manifest, evidence: Evidence) -> Cause | None:
    """Return the lowest cause of an object that is not ready, or nothing."""
    identity = identity_of(top)
    found = _causes(top, evidence, identity, {identity})
    if not found:
        return None
    first = found[0]
    same = {cause.item for cause in found if _likeness(cause) == _likeness(first)}
    return with_log(replace(first, alike=len(same) - 1), evidence)


def own_reason(item: Manifest) -> str:
    """Return why an object is not ready as far as it says so itself, or nothing."""
    found = None if is_fine(item) else cause_of(item, [])
    return found[1].why if found else ""


def with_log(cause: Cause, evidence: Evidence) -> Cause:
    """Return a cause with the end of the log that says more, where that was asked for."""
    if cause.found.log is None:
        return cause
    _group, kind, namespace, name = cause.item
    return replace(cause, log=evidence.log(Reference("v1", kind, namespace, name), *cause.found.log))


def is_fine(item: Manifest) -> bool:
    """Return whether there is nothing to look for in an object that lies below another one."""
    group, kind, _namespace, _name = identity_of(item)
    if kind == "Pod":
        return is_ready(item)
    if kind == "ReplicaSet":
        wanted, ready = (item.get("spec") or {}).get("replicas", 1), (item.get("status") or {}).get("readyReplicas", 0)
        there = (item.get("status") or {}).get("replicas", 0)
        return bool(ready >= wanted and there <= wanted) and not true_condition(item, "ReplicaFailure")
    if item["metadata"].get("deletionTimestamp"):
        return False
    return (group, kind) not in SILENT and not not_ready(item) and cause_of(item, []) is None


def _causes(item: Manifest, evidence: Evidence, top: Identity, seen: set[Identity]) -> list[Cause]:
    """Return the causes of an object, what is on its way last, and what lies below it before its own."""
    own = cause_of(item, evidence.events(item))
    children = list(below(item, evidence)) if len(seen) < OBJECTS else []
    lower: list[Cause] = []
    for reference, child in children:
        lower += _unblocking(item, child, _below(reference, child, evidence, top, seen))
    own = own or (None if children else _without_pods(item, evidence))
    if own and own[1].final:
        lower = [replace(cause, found=replace(cause.found, final=True)) for cause in lower]
    elif is_changing(item):
        lower = [replace(cause, found=replace(cause.found, final=False)) for cause in lower]
    # What has no place comes after what has one and does not run.
    lower.sort(key=lambda cause: cause.rule == "unscheduled")
    found = [*lower, *([Cause(own[0], top, identity_of(item), own[1])] if own else [])]
    return sorted(found, key=lambda cause: cause.found.mild)


def is_changing(item: Manifest) -> bool:
    """Return whether what lies below an object may be of before its last change, and give way to something else."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if not_reconciled(item):
        return True
    if item["kind"] == "StatefulSet":
        return bool(status.get("updatedReplicas", 0) < spec.get("replicas", 1))
    return item["kind"] == "DaemonSet" and bool(
        status.get("updatedNumberScheduled", 0) < status.get("desiredNumberScheduled", 0)
    )


def _unblocking(item: Manifest, child: Manifest | None, causes: list[Cause]) -> list[Cause]:
    """Return the causes of a pod that its StatefulSet never replaces, with what ends that."""
    if not child or item["kind"] != "StatefulSet" or child["kind"] != "Pod":
        return causes
    if not may_be_blocked(item) or not blocks(item, child):
        return causes
    metadata = child["metadata"]
    what = f"kubectl delete pod -n {metadata['namespace']} {metadata['name']}"
    step = f"{what} (it is of an older revision, and its StatefulSet waits for it)"
    return [replace(cause, found=replace(cause.found, next=step)) for cause in causes]


def _without_pods(item: Manifest, evidence: Evidence) -> tuple[str, Found] | None:
    """Return that a Service selects no pod, where all of them are known."""
    labels = selector(item)
    pods = evidence.listed(POD, item["metadata"].get("namespace") or "") if labels else None
    if pods is None or len(pods) >= MOST_OBJECTS:
        return None
    return "no-pods", Found(f"no pod has the labels that it selects: {labels}", "correct its selector in Git")


def _below(
    reference: Reference, child: Manifest | None, evidence: Evidence, top: Identity, seen: set[Identity]
) -> list[Cause]:
    identity = (reference.version.rpartition("/")[0], reference.kind, reference.namespace, reference.name)
    if child is None or identity in seen:
        return []
    seen.add(identity)
    if not child:
        return [Cause("absent", top, identity, ABSENT)]
    return [] if is_fine(child) else _causes(child, evidence, top, seen)


def _likeness(cause: Cause) -> tuple[str, str, str]:
    """Return what is the same of two objects that have the same cause."""
    return cause.rule, cause.item[1], cause.found.why.replace(cause.item[3], "")
