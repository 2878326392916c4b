# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an Application is OutOfSync while nothing runs. Pure functions over the plain object.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import WIPES_OUT
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import project_question
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import healed
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    NAMED_BROKEN,
    Application,
    Resource,
    automated_policy,
    conditions,
    conditions_of,
    failure_texts,
    is_automated,
    is_leaving,
    is_leftover,
    listed,
    names_of,
    operation_revisions,
    operation_state,
    resource_name,
    revisions_of,
    status_of,
    succeeded_here,
    sync_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    WAIT,
    Code,
    Seen,
    Verdict,
)

OFF_ADVICE = " and automated sync is off: sync it"
# How long an idle OutOfSync must last before it counts as drift: the controller's cache may lag behind its own sync.
DRIFT_SECONDS = 5.0
# How many reconciles must say again what is final.
CONFIRMED = 1


def out_of_sync(application: Application) -> list[Resource]:
    """Return the resources that are OutOfSync."""
    return [entry for entry in status_of(application).get("resources") or [] if entry.get("status") == "OutOfSync"]


def leftovers(application: Application) -> str:
    """Return which objects left Git and are kept by Prune=false, where nothing else is OutOfSync; else nothing."""
    if (status_of(application).get("sync") or {}).get("status") != "OutOfSync":
        return ""
    out, state = out_of_sync(application), operation_state(application)
    kept = [entry for entry in out if is_leftover(entry, state)]
    if not out or len(kept) < len(out) or not succeeded_here(application):
        return ""
    commands = [f"kubectl delete {command_name(entry)}" for entry in kept]
    return f"Prune=false keeps {names_of(kept)}, which left Git; to remove: {listed(commands)}"


def command_name(entry: Resource) -> str:
    """Return a resource as an argument of kubectl."""
    kind = ".".join(filter(None, (entry["kind"].lower(), entry.get("group"))))
    return f"{kind}/{entry['name']}" + (f" -n {entry['namespace']}" if entry.get("namespace") else "")


def judge(application: Application, seen: Seen) -> Verdict:
    """Judge an Application that is OutOfSync; a failed sync of this revision was looked for before."""
    out = out_of_sync(application)
    names = names_of(out)
    automated = automated_policy(application) or {}
    if not is_automated(application):
        return Verdict(FAILED, Code.MANUAL, f"OutOfSync ({names}){OFF_ADVICE}")
    if out and all(entry.get("requiresPruning") for entry in out) and not automated.get("prune"):
        return Verdict(
            FAILED, Code.PRUNE, f"{len(out)} resources require pruning and automated pruning is off: {names}"
        )
    if succeeded_here(application):
        return _drift(application, automated, out, seen)
    return _idle(application, names, seen)


def _idle(application: Application, names: str, seen: Seen) -> Verdict:
    """Judge an Application whose automated sync has not begun: it does so in the reconcile that finds a difference."""
    confirmed = FAILED if seen.error_rounds >= CONFIRMED else WAIT
    if wipes_out(application):
        text = f"auto-sync will wipe out all resources, so it does not begin: Git has none of them any more ({names})"
        return Verdict(confirmed, Code.EMPTY, f"{text}; bring them back, or sync it with pruning")
    project = (application.get("spec") or {}).get("project", "")
    windows = seen.evidence.get(project_question(project))
    if windows and windows.text:
        text = f"automated sync does not begin while a sync window of AppProject {project} is closed ({windows.text})"
        return Verdict(confirmed, Code.SYNC_WINDOW, f"OutOfSync: {names}; {text}")
    older = older_failure(application)
    errors = [] if older else conditions(application, "SyncError")
    return Verdict(WAIT, Code.OUT_OF_SYNC, "; ".join([f"OutOfSync: {names}", *filter(None, [older, *errors])]))


def wipes_out(application: Application) -> bool:
    """Return whether automated sync has stopped because it would delete everything."""
    resources = status_of(application).get("resources") or []
    refused = any(WIPES_OUT.match(entry.get("message", "")) for entry in conditions_of(application, "SyncError"))
    return refused and all(entry.get("requiresPruning") for entry in resources)


def older_failure(application: Application) -> str:
    """Return what the last sync said, where it failed and was one of another commit; else nothing."""
    state = operation_state(application)
    attempted = operation_revisions(state)
    if state.get("phase") not in ("Failed", "Error") or not attempted or attempted == revisions_of(application):
        return ""
    of = ", ".join(name[:8] for name in attempted)
    return f"the last sync, of {of}, failed: {listed(failure_texts(application), NAMED_BROKEN)}"


def _drift(application: Application, automated: dict[str, Any], out: list[Resource], seen: Seen) -> Verdict:
    """Judge what is OutOfSync although the last sync of its revision succeeded."""
    state = operation_state(application)
    kept = [entry for entry in out if is_leftover(entry, state)]
    leaving = [entry for entry in out if entry not in kept and is_gone_soon(entry, seen)]
    changed = [entry for entry in out if entry not in kept and entry not in leaving]
    texts = [
        changes(changed, state),
        f"is being deleted: {listed([leaving_text(entry, seen) for entry in leaving])}" if leaving else "",
        f"Prune=false keeps {names_of(kept)}, which left Git" if kept else "",
    ]
    reason = "; ".join(filter(None, texts))
    if leaving and not changed:
        return Verdict(WAIT, Code.LEAVING, reason)
    if automated.get("selfHeal"):
        heals = sync_of(state).get("autoHealAttemptsCount", 0)
        return Verdict(WAIT, Code.DRIFT, f"{reason}; self-heal pauses after {heals} syncs of this revision")
    return Verdict(
        FAILED if seen.seconds > DRIFT_SECONDS else WAIT, Code.DRIFT, f"{reason} and selfHeal is off: sync it"
    )


def changes(changed: list[Resource], state: dict[str, Any]) -> str:
    """Return what happened to resources that were synced, or that they were not."""
    only = sync_of(state).get("resources") or []
    synced = [(entry.get("group") or "", entry["kind"], entry["name"]) for entry in only]
    is_partial = bool(only) and not healed(state)
    left_out = [
        entry
        for entry in changed
        if is_partial and (entry.get("group") or "", entry["kind"], entry["name"]) not in synced
    ]
    missing = [entry for entry in changed if (entry.get("health") or {}).get("status") == "Missing"]
    groups = (
        ("left out by the last sync", left_out),
        ("missing in the cluster", [entry for entry in missing if entry not in left_out]),
        ("changed in the cluster", [entry for entry in changed if entry not in left_out and entry not in missing]),
    )
    return "; ".join(f"{what} ({names_of(entries)})" for what, entries in groups if entries)


def is_gone_soon(entry: Resource, seen: Seen) -> bool:
    """Return whether a resource is being deleted, by its health or by what was read of the object."""
    return is_leaving(entry) or any(text.startswith(f"{resource_name(entry)} is being deleted") for text in seen.live)


def leaving_text(entry: Resource, seen: Seen) -> str:
    """Return a resource that is being deleted, and what blocks that."""
    name = resource_name(entry)
    blocked = str((entry.get("health") or {}).get("message", "")).partition("; ")[2]
    read = [text.removeprefix(f"{name} is being deleted") for text in seen.live if text.startswith(f"{name} is being ")]
    return name + (f" ({blocked})" if blocked else "".join(read[:1]))
