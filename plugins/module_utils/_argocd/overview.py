# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe an Application by the status that it has, what is wrong with it, and which one is the worst.

Pure functions over the plain object. Without a refresh this does not prove that an Application is ready.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import plain
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.permission import Kind, blocked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.runbooks import (
    ARGOCD_ITSELF,
    FIRST,
    SYNC_FAILURES,
    common_page,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    RUNNING,
    Application,
    automated_policy,
    deletion_text,
    failed_here,
    failure_texts,
    is_automated,
    is_deleted,
    names_of,
    operation_state,
    reconciled_at,
    results_of,
    sources_of,
    status_of,
    sync_failure,
    sync_of,
    unhealthy,
    warnings,
    with_details,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.summary import summary
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.values import shown
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Cause, name_of

RESOURCE_KEYS = ("group", "version", "kind", "namespace", "name", "status", "health", "syncWave", "hook")
# From the worst to the best. What cannot be synced stands between what is missing and what is on its way.
STATES = ("Degraded", "Missing", "Failed", "OutOfSync", "Progressing", "Unknown", "Suspended", "Healthy")
NO_STATUS = "has no status yet: the application controller has not compared it"


def state_of(application: Application) -> str:
    """Return the worst that is true of an Application, in one word of STATES."""
    status = status_of(application)
    health, sync = ((status.get(key) or {}).get("status") for key in ("health", "sync"))
    if health in ("Degraded", "Missing"):
        return str(health)
    if errors(application) or failure(application):
        return "Failed"
    if sync == "OutOfSync":
        return "OutOfSync"
    if health == "Progressing" or is_running(application) or is_deleted(application):
        return "Progressing"
    return str(health) if health in STATES and sync == "Synced" else "Unknown"


def order(entry: dict[str, Any]) -> tuple[int, str]:
    """Return the place of a described Application in a list: worst first, then by name."""
    return STATES.index(entry["state"]), entry["name"]


def errors(application: Application) -> list[str]:
    """Return the errors among the conditions, whose types end with Error."""
    found = [entry for entry in status_of(application).get("conditions") or [] if entry["type"].endswith("Error")]
    # SyncError repeats what the operation says, which names the objects, too.
    said = bool(failure(application))
    return [
        f"{entry['type']}: {plain(entry.get('message', ''))}"
        for entry in found
        if entry["type"] != "SyncError" or not said
    ]


def is_running(application: Application) -> bool:
    """Return whether an operation is running or about to begin."""
    return bool(application.get("operation")) or operation_state(application).get("phase") in RUNNING


def failure(application: Application) -> str:
    """Return why the last sync failed, unless another revision has been synced since."""
    state = operation_state(application)
    if state.get("phase") not in ("Failed", "Error") or sync_of(state).get("dryRun") or is_running(application):
        return ""
    synced = (status_of(application).get("sync") or {}).get("status") == "Synced"
    return with_details(sync_failure(application), application) if failed_here(application) or not synced else ""


def _blocked(application: Application) -> list[Kind]:
    """Return the kinds that the AppProject has not let the last sync write."""
    return blocked(failure_texts(application)) if failure(application) or is_running(application) else []


def reasons(application: Application) -> list[str]:
    """Return what is wrong with an Application, and what it is doing, in one text each; worst first."""
    if not (status_of(application).get("sync") or {}).get("status"):
        return [*_deletion(application), *errors(application), NO_STATUS]
    found = [
        *_deletion(application),
        *errors(application),
        failure(application),
        _operation(application),
        _health(application),
        _out_of_sync(application),
        *warnings(application),
    ]
    return [text for text in found if text]


def page_for(applications: list[Application]) -> str:
    """Return the page about all that is wrong with Applications; nothing when nothing is."""
    return common_page(page for item in applications if (page := _page(item)))


def _page(application: Application) -> str:
    """Return the page about the worst reason."""
    found = reasons(application)
    if not found or is_deleted(application):
        return FIRST if found else ""
    if errors(application) or failure(application):
        return SYNC_FAILURES
    return ARGOCD_ITSELF if found == [NO_STATUS] else FIRST


def _deletion(application: Application) -> list[str]:
    return [deletion_text(application, [])] if is_deleted(application) else []


def _health(application: Application) -> str:
    status = status_of(application)
    health, resources = status.get("health") or {}, status.get("resources") or []
    word = health.get("status") or "Unknown"
    if word == "Healthy":
        return ""
    return f"{word}: {unhealthy(resources) or health.get('message') or 'no resource says why'}"


def _out_of_sync(application: Application) -> str:
    status = status_of(application)
    sync = (status.get("sync") or {}).get("status")
    if sync != "OutOfSync":
        return "" if sync == "Synced" or errors(application) else f"sync status is {sync}"
    out = [entry for entry in status.get("resources") or [] if entry.get("status") == "OutOfSync"]
    surplus = [entry for entry in out if entry.get("requiresPruning")]
    parts = [f"OutOfSync: {names_of(out)}" if out else "OutOfSync"]
    if surplus:
        parts.append(f"no longer in Git: {names_of(surplus)}")
    if not is_automated(application):
        parts.append("automated sync is off")
    return "; ".join(parts)


def _operation(application: Application) -> str:
    if not is_running(application):
        return ""
    state = operation_state(application)
    retries = state.get("retryCount")
    text = f"syncing{f' (retry {retries})' if retries else ''}: {state.get('message') or 'about to begin'}"
    return with_details(text, application)


def with_causes(entry: dict[str, Any], causes: list[Cause]) -> list[str]:
    """Return the reasons of a described Application, with the causes in the place of the health that they explain."""
    said, health = entry["reasons"], entry["health"]
    at = next((index for index, text in enumerate(said) if text.startswith(f"{health}: ")), len(said))
    # Objects that are not healthy, and of which nothing else is known.
    rest = unhealthy(entry["resources"], {name_of(cause.top) for cause in causes})
    left = [f"{health}: {rest}"] if rest else []
    return [*said[:at], *(cause.sentence for cause in causes), *left, *said[at + 1 :]] if causes else said


def synced_images(state: dict[str, Any]) -> list[str]:
    """Return the images of what the last operation synced: the controller sees the pods only at its next refresh."""
    return sorted({image for entry in results_of(state) for image in entry.get("images") or []})


def policy_of(application: Application) -> str:
    """Return the sync policy in the words of `argocd app list`."""
    if not is_automated(application):
        return "Manual"
    return "Auto-Prune" if (automated_policy(application) or {}).get("prune") else "Auto"


def details(application: Application) -> dict[str, Any]:
    """Return all details of an Application."""
    spec, status = application.get("spec") or {}, status_of(application)
    state, seen = status.get("operationState") or {}, status.get("summary") or {}
    return summary(application) | {
        "state": state_of(application),
        "reasons": reasons(application),
        "blocked_kinds": [kind._asdict() for kind in _blocked(application)],
        "sources": shown(sources_of(application)),
        "destination": spec.get("destination") or {},
        "automated": is_automated(application),
        "sync_policy": policy_of(application),
        "created_at": application["metadata"].get("creationTimestamp", ""),
        "health_changed_at": (status.get("health") or {}).get("lastTransitionTime", ""),
        "reconciled_at": reconciled_at(application),
        "operation": {
            "running": is_running(application),
            "started_at": state.get("startedAt", ""),
            "finished_at": state.get("finishedAt", ""),
            "retries": state.get("retryCount", 0),
            "initiated_by": (state.get("operation") or {}).get("initiatedBy") or {},
        },
        "resources": [{key: entry.get(key) for key in RESOURCE_KEYS} for entry in status.get("resources") or []],
        "images": seen.get("images") or synced_images(state),
        "urls": seen.get("externalURLs") or [],
        "history": shown(list(reversed(status.get("history") or []))),
    }
