# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the plain object of an Application: one function for each fact, and the texts for people.

Which status Argo CD's controller writes together, and in which order, is in its source (controller/appcontroller.go,
controller/sync.go and controller/state.go at v3.6.1).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import plain
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

Application = dict[str, Any]
Resource = dict[str, Any]
# Names the request of a client, so that the result of its operation can be told from that of another one.
REQUEST_ID = "ansible-request-id"
UNPROCESSED = "the controller has not processed the result of the sync yet"
RUNNING = ("Running", "Terminating")
FINISHED = ("Succeeded", "Failed", "Error")
# Annotations of an Application that request a refresh; the second one tells the requests apart.
REFRESH = "argocd.argoproj.io/refresh"
STAMP = "argocd.argoproj.io/refresh-timestamp"
SKIP = "argocd.argoproj.io/skip-reconcile"
NAMED = 5
# What is broken is named, before what is on its way; only so many that a message stays readable.
BROKEN = ("Degraded", "Missing", "Unknown")
NAMED_BROKEN = 20
# What Argo CD says of an operation whose resources failed, each with its own message, and whether it tries again.
SUMMARY = re.compile(
    r"one or more (?:objects failed to apply|synchronization tasks (?:completed unsuccessfully|are not valid))"
    r"(?:(?:, reason)?: .*?)?(?P<again> \(retried \d+ times\)|\. Retrying attempt #\d+ at \S+?)?\.?$",
    re.DOTALL,
)
AGAIN = re.compile(r"(?: \(retried \d+ times\)|\. Retrying attempt #\d+ at \S+?)\.?$")
PENDING_DELETION = "Pending deletion"


def status_of(application: Application) -> dict[str, Any]:
    """Return the status; a new Application has none."""
    return application.get("status") or {}


def conditions(application: Application, *types: str) -> list[str]:
    """Return the messages of conditions of the given types; they have no status, presence means true."""
    return [f"{entry['type']}: {plain(entry.get('message', ''))}" for entry in conditions_of(application, *types)]


def conditions_of(application: Application, *types: str) -> list[dict[str, Any]]:
    """Return the conditions of the given types."""
    return [entry for entry in status_of(application).get("conditions") or [] if entry.get("type") in types]


def warnings(application: Application) -> list[str]:
    """Return the warnings of the controller; its types of conditions end with Error, Warning or Info."""
    found = status_of(application).get("conditions") or []
    return [
        f"{entry['type']}: {plain(entry.get('message', ''))}" for entry in found if entry["type"].endswith("Warning")
    ]


def is_deleted(application: Application) -> bool:
    """Return whether somebody deleted the Application, and finalizers keep it."""
    return bool(application["metadata"].get("deletionTimestamp"))


def deletion_text(application: Application, held: list[str]) -> str:
    """Return since when an Application is being deleted, and what blocks that."""
    metadata = application["metadata"]
    parts = [f"is being deleted (since {metadata.get('deletionTimestamp', 'just now')})"]
    parts += filter(None, [finalizer_text(metadata.get("finalizers") or [])])
    parts += conditions(application, "DeletionError")
    parts += [f"held by {listed(held)}"] if held else []
    return "; ".join(parts)


def operation_state(application: Application) -> dict[str, Any]:
    """Return the state of the last operation; there may have been none."""
    return status_of(application).get("operationState") or {}


def sync_of(state: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation was asked to sync."""
    return (state.get("operation") or {}).get("sync") or {}


def results_of(state: dict[str, Any]) -> list[Resource]:
    """Return what an operation says of each resource and hook that it synced."""
    return (state.get("syncResult") or {}).get("resources") or []


def operation_revisions(state: dict[str, Any]) -> tuple[str, ...]:
    """Return the revisions that an operation synced, one for each source."""
    for found in (state.get("syncResult") or {}, sync_of(state)):
        if found.get("revisions") or found.get("revision"):
            return tuple(found.get("revisions") or [found["revision"]])
    return ()


def revisions_of(application: Application) -> tuple[str, ...]:
    """Return the revisions that the status was compared with, one for each source."""
    sync = status_of(application).get("sync") or {}
    return tuple(sync.get("revisions") or ([sync["revision"]] if sync.get("revision") else []))


def reconciled_at(application: Application) -> str:
    """Return when the controller compared it last, so that texts are in the order of time; nothing if it never did."""
    return str(status_of(application).get("reconciledAt") or "")


def reconciled_after(application: Application, moment: str | None) -> bool:
    """Return whether a reconcile began after a moment; times are in whole seconds, so the same one is not after."""
    reconciled = reconciled_at(application)
    return not moment or bool(reconciled and parse_time(reconciled) > parse_time(moment))


def is_unprocessed(application: Application) -> bool:
    """Return whether the controller has not compared since the end of the last operation; it does so by itself."""
    state = operation_state(application)
    finished = state.get("phase") in FINISHED and not sync_of(state).get("dryRun")
    return finished and not reconciled_after(application, state.get("finishedAt"))


def succeeded_here(application: Application) -> bool:
    """Return whether the last operation was a successful sync of the revision that is wanted now."""
    state = operation_state(application)
    succeeded = state.get("phase") == "Succeeded" and not sync_of(state).get("dryRun")
    return succeeded and operation_revisions(state) == revisions_of(application) and is_same_source(application)


def is_same_source(application: Application) -> bool:
    """Return whether the last operation synced the sources of the specification: path, parameters and the rest.

    Otherwise automated sync begins, also where it has synced this revision before (alreadyAttemptedSync in
    controller/appcontroller.go at v3.6.1).
    """
    synced = operation_state(application).get("syncResult") or {}
    spec = application.get("spec") or {}
    pairs = [(synced.get(key), spec.get(key)) for key in ("source", "sources")]
    return all(before == now for before, now in pairs if before and now)


def failed_here(application: Application) -> bool:
    """Return whether the sync of the revision that is wanted now has finally failed.

    A failure of an older revision does not count: automated sync starts again for the new one. Nor does one that ended
    before it resolved its revision, once everything is Synced.
    """
    state = operation_state(application)
    if state.get("phase") not in ("Failed", "Error") or sync_of(state).get("dryRun"):
        return False
    attempted = operation_revisions(state)
    if not attempted:
        return (status_of(application).get("sync") or {}).get("status") != "Synced"
    return attempted == revisions_of(application) and is_same_source(application)


def is_superseded(application: Application) -> bool:
    """Return whether an operation waits to try an old revision again, and so blocks the sync of the newer one."""
    attempted = operation_revisions(operation_state(application))
    return between_attempts(application) and bool(attempted) and attempted != revisions_of(application)


def is_partial_retry(application: Application) -> bool:
    """Return whether a self-heal waits to try again only what was out of sync when it began.

    What disappeared after that is not included: while a namespace is being deleted by hand, the self-heal of its
    objects begins without the Namespace, and no retry can succeed (autoSync in controller/appcontroller.go at v3.6.1).
    """
    return between_attempts(application) and bool(sync_of(operation_state(application)).get("resources"))


def between_attempts(application: Application) -> bool:
    """Return whether an operation has failed and waits to be tried again."""
    state = operation_state(application)
    return state.get("phase") == "Running" and bool(state.get("finishedAt"))


def is_leftover(entry: Resource, state: dict[str, Any]) -> bool:
    """Return whether a resource left Git and the last sync kept it because of its option Prune=false."""
    return bool(entry.get("requiresPruning")) and any(
        all((result.get(key) or "") == (entry.get(key) or "") for key in ("group", "kind", "namespace", "name"))
        for result in results_of(state)
        if is_kept(result)
    )


def is_kept(result: Resource) -> bool:
    """Return whether an operation did not prune an object because of its option Prune=false."""
    return result.get("status") == "PruneSkipped" and "no prune" in result.get("message", "")


def sources_of(application: Application) -> list[dict[str, Any]]:
    """Return the sources of the specification."""
    spec = application.get("spec") or {}
    return spec.get("sources") or [spec.get("source") or {}]


def sync_policy(application: Application) -> dict[str, Any]:
    """Return the policy of the specification."""
    return (application.get("spec") or {}).get("syncPolicy") or {}


def automated_policy(application: Application) -> dict[str, Any] | None:
    """Return the policy for automated sync, also where it is switched off; None where there is none."""
    policy: dict[str, Any] | None = sync_policy(application).get("automated")
    return policy


def is_automated(application: Application) -> bool:
    """Return whether automated sync is on."""
    policy = automated_policy(application)
    return policy is not None and policy.get("enabled") is not False


def sync_failure(application: Application) -> str:
    """Return what the failed operation says, without the list of resources, which follows."""
    state = operation_state(application)
    return f"sync {state.get('phase')}: {state.get('message', '')}"


def failure_texts(application: Application) -> list[str]:
    """Return what failed in the last operation: each resource with its message, or else its own message."""
    return failed_resources(application) or [plain(AGAIN.sub("", operation_state(application).get("message", "")))]


def unhealthy(resources: list[Resource], explained: Collection[str] = ()) -> str:
    """Return the resources that are not healthy and not explained, with their messages where the status has them."""
    found = [
        (
            health["status"],
            f"{name} {health['status']}" + (f" ({plain(text)})" if (text := health.get("message")) else ""),
        )
        for entry in resources
        if (health := entry.get("health") or {}).get("status") not in (None, "Healthy")
        and (name := resource_name(entry)) not in explained
    ]
    return worst_listed(found)


def broken(application: Application) -> list[tuple[str, str]]:
    """Return the resources that are broken, each with its health."""
    return [
        (resource_name(entry), health)
        for entry in status_of(application).get("resources") or []
        if (health := (entry.get("health") or {}).get("status")) in BROKEN
    ]


def failed_resources(application: Application) -> list[str]:
    """Return the resources and hooks that the last operation could not sync, with their messages."""
    return [f"{result_name(entry)}: {plain(entry.get('message', ''))}" for entry in failed_entries(application)]


def failed_entries(application: Application) -> list[Resource]:
    """Return what the last operation says of the resources and hooks that it could not sync."""
    return [
        entry
        for entry in results_of(operation_state(application))
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in ("Failed", "Error")
    ]


def result_name(entry: Resource) -> str:
    """Return the name of a resource; a hook's name starts with its type."""
    return f"{entry['hookType']} hook {resource_name(entry)}" if entry.get("hookType") else resource_name(entry)


def with_details(text: str, application: Application) -> str:
    """Return what is said of an operation, with the resources that could not be synced instead of their number."""
    failed, summary = failed_resources(application), SUMMARY.search(text)
    if not failed:
        return plain(text)
    if not summary:
        return f"{plain(text)} [{listed(failed, NAMED_BROKEN)}]"
    return f"{text[: summary.start()]}{listed(failed, NAMED_BROKEN)}{summary['again'] or ''}"


def skips_reconcile(application: Application) -> bool:
    """Return whether the annotation is there that makes the controller ignore the Application."""
    return (application["metadata"].get("annotations") or {}).get(SKIP) == "true"


def is_leaving(entry: Resource) -> bool:
    """Return whether a resource is being deleted, which its health says where the controller persists it."""
    return str((entry.get("health") or {}).get("message", "")).startswith(PENDING_DELETION)


def resource_name(entry: Resource) -> str:
    """Return kind, namespace and name for messages."""
    return f"{entry.get('kind')} {entry['namespace'] + '/' if entry.get('namespace') else ''}{entry.get('name')}"


def names_of(entries: list[Resource]) -> str:
    """Return the names of resources; where there are many, some of those that are not broken are only counted."""
    return worst_listed([((entry.get("health") or {}).get("status") or "", resource_name(entry)) for entry in entries])


def worst_listed(entries: list[tuple[str, str]]) -> str:
    """Return texts of resources, each given with its health: what is broken comes first, and is not cut away."""
    count = sum(health in BROKEN for health, _text in entries)
    texts = [text for _health, text in sorted(entries, key=lambda entry: entry[0] not in BROKEN)]
    return listed(texts, max(NAMED, min(count, NAMED_BROKEN)))


def finalizer_text(finalizers: list[str]) -> str:
    """Return `finalizer a` or `finalizers a, b`; nothing when there is none."""
    return f"finalizer{'s' * (len(finalizers) > 1)} {', '.join(finalizers)}" if finalizers else ""


def listed(entries: list[str], named: int = NAMED) -> str:
    """Return the first entries and how many more there are."""
    more = f" and {len(entries) - named} more" if len(entries) > named else ""
    return ", ".join(entries[:named]) + more
