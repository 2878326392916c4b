# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait writes: requests for a refresh, and operations as Argo CD's API server starts and ends them.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    INSTEAD_OF_SELF_HEAL,
    REFRESH,
    REQUEST_ID,
    RUNNING,
    STAMP,
    Application,
    automated_policy,
    is_automated,
    operation_state,
    status_of,
    succeeded_here,
    sync_policy,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    WHOLE,
    Action,
    Options,
    Order,
    Sync,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


class Operations:
    """Does to Applications what was decided about them."""

    def __init__(self, api: Api, path: str, options: Options, requests: Counter[str]) -> None:
        self.api, self.path, self.options, self.requests = api, path, options, requests

    def act(self, entry: Tracked) -> None:
        """Do what was decided."""
        action = entry.decision.action
        if action is Action.REFRESH:
            self._refresh(entry)
        elif entry.order and not entry.order.is_over:
            self._operate(entry, entry.order.write(entry.application or {}, action), entry.order)
        elif action is Action.SYNC:
            entry.resyncs += self._operate(entry, self._resync(entry.application or {}))
        elif action is Action.TERMINATE:
            self._operate(entry, terminate_operation(entry.application or {}))

    def _resync(self, application: Application) -> dict[str, Any]:
        """Return the patch that syncs an Application; what left Git is pruned where automated sync would, too."""
        prune = None if automated_policy(application) is not None else self.options.sync_manual
        return sync_operation(application, Sync(prune=prune))

    def _refresh(self, entry: Tracked) -> None:
        """Request a refresh, or make the request again that was not answered."""
        barrier, again = entry.barrier, entry.barrier.is_pending
        if again:
            barrier.withdraw()
            if self._annotate(entry, {REFRESH: None}) is None:
                return
        stamp = barrier.stamp if again else barrier.new_stamp()
        found = self._annotate(entry, {REFRESH: self.options.refresh, STAMP: stamp})
        if found is None:
            return
        entry.refreshed_at = time.monotonic()
        (barrier.repeat if again else barrier.ask)(entry.refreshed_at)
        entry.total_refreshes += 1
        entry.refreshes += not again
        entry.observe(found, unbroken=True)

    def _annotate(self, entry: Tracked, annotations: dict[str, str | None]) -> Application | None:
        return self._patch(entry, {"metadata": {"annotations": annotations}})

    def _operate(self, entry: Tracked, body: dict[str, Any], order: Order | None = None) -> bool:
        """Start or end an operation, unless the Application changed in the meantime."""
        found = self._patch(entry, body)
        if found is not None and order:
            order.written(entry.decision.action)
        if found is not None:
            entry.observe(found, unbroken=True)
        return found is not None

    def _patch(self, entry: Tracked, body: dict[str, Any]) -> Application | None:
        """Change an Application; None on a conflict: the watch then delivers the new state."""
        self.requests["patch"] += 1
        status, found = self.api.request("PATCH", f"{self.path}/{entry.name}", body=body)
        if status in (404, 409):
            return None
        if status != 200:
            raise GitopsError(f"Application {entry.name} cannot be changed: {found.get('message', status)}")
        entry.barrier.write(found)
        return found

    def clean_up(self, entry: Tracked) -> None:
        """Remove our timestamp where Argo CD left it: versions before 3.6 do not know it."""
        annotations = (entry.application or {}).get("metadata", {}).get("annotations") or {}
        if annotations.get(STAMP) == entry.barrier.stamp and REFRESH not in annotations and entry.barrier.stamp:
            body = {"metadata": {"annotations": {STAMP: None}}}
            with contextlib.suppress(GitopsError):  # the annotation has no effect
                self.api.request("PATCH", f"{self.path}/{entry.name}", body=body)


def sync_operation(application: Application, sync: Sync = WHOLE, request_id: str = "") -> dict[str, Any]:
    """Return the patch that starts a sync the way Argo CD's API server does: with the options of the specification."""
    policy = sync_policy(application)
    automated = automated_policy(application) or {}
    prune = bool(automated.get("prune")) if sync.prune is None else sync.prune
    operation: dict[str, Any] = {
        "sync": {"prune": prune} | _wanted(application, sync),
        "initiatedBy": {"username": "ansible"},
        "info": [{"name": REQUEST_ID, "value": request_id or str(uuid.uuid4())}],
    }
    options = sync_options(application, sync)
    if options:
        operation["sync"]["syncOptions"] = options
    synced = (status_of(application).get("sync") or {}).get("status") == "Synced"
    heals = is_automated(application) and automated.get("selfHeal")
    if heals and succeeded_here(application) and not synced:
        operation["info"].append(INSTEAD_OF_SELF_HEAL)
    if policy.get("retry") and not sync.deployed:
        operation["retry"] = policy["retry"]
    return {
        "metadata": {"resourceVersion": application["metadata"]["resourceVersion"]},
        "operation": operation,
        # Argo CD before 3.6 would merge the old state into the new one.
        "status": {"operationState": None},
    }


def _wanted(application: Application, sync: Sync) -> dict[str, Any]:
    """Return what of a sync is in an operation only where it was asked for."""
    if sync.deployed:
        return _rollback(sync.deployed) | ({"dryRun": True} if sync.dry_run else {})
    several = bool((application.get("spec") or {}).get("sources"))
    revisions = {"revisions": list(sync.revisions)} if several else {"revision": "".join(sync.revisions)}
    return {
        **(revisions if sync.revisions else {}),
        **({"dryRun": True} if sync.dry_run else {}),
        # Argo CD's default, with hooks.
        **({"syncStrategy": {"hook": {"force": True}}} if sync.force else {}),
        **({"resources": [dict(entry) for entry in sync.resources]} if sync.resources else {}),
    }


def _rollback(deployed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a sync a rollback as the API server does: revisions and sources of the history, no hooks."""
    kept = {key: deployed[key] for key in ("revision", "revisions", "sources") if deployed.get(key)}
    source = {} if deployed.get("sources") else {"source": deployed.get("source")}
    return kept | source | {"syncStrategy": {"apply": {}}}


def sync_options(application: Application, sync: Sync) -> list[str]:
    """Return the sync options of the specification, and those that were asked for in their place."""
    asked = {"Replace=true": sync.replace, "ApplyOutOfSyncOnly=true": sync.only_out_of_sync}
    wanted = [option for option, is_wanted in asked.items() if is_wanted]
    replaced = {option.partition("=")[0] for option in wanted}
    given = sync_policy(application).get("syncOptions") or []
    return [option for option in given if option.partition("=")[0] not in replaced] + wanted


def terminate_operation(application: Application) -> dict[str, Any]:
    """Return the patch that ends the running operation, as Argo CD's API server does.

    One that has not begun has no state that could be changed; it is withdrawn.
    """
    begun = operation_state(application).get("phase") in RUNNING
    end = {"status": {"operationState": {"phase": "Terminating"}}} if begun else {"operation": None}
    return {"metadata": {"resourceVersion": application["metadata"]["resourceVersion"]}} | end
