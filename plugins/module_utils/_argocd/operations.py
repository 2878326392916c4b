# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait writes: requests for a refresh, and operations as Argo CD's API server starts and ends them.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Barrier
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import INSTEAD_OF_SELF_HEAL
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
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
    Sync,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


@dataclass(frozen=True, eq=False)
class Write:
    """Changes of an Application, one after the other. Of the answers to a request for a refresh, metadata is enough."""

    name: str
    bodies: tuple[dict[str, Any], ...]
    metadata_only: bool = False

    @property
    def again(self) -> bool:
        """Return whether this is a request that was made before and not answered."""
        return len(self.bodies) > 1


@dataclass
class Written:
    """What became of a write: the answer to the last change that was accepted, and whether that was the last of all."""

    answer: Application | None = None
    complete: bool = False
    error: GitopsError | None = None


class Operations:
    """Does to Applications what was decided about them.

    A write has three parts, so that nothing waits for an answer: `begin` says what is to be sent, `send` does that in
    any thread, and `end` records the result. In between the Application is held.
    """

    def __init__(self, api: Api, path: str, options: Options, requests: Counter[str]) -> None:
        self.api, self.path, self.options, self.requests = api, path, options, requests

    def begin(self, entry: Tracked) -> Write:
        """Return what is to be sent to do what was decided."""
        action, application = entry.decision.action, entry.application or {}
        write = self._write(entry, action, application)
        self.requests["patch"] += len(write.bodies)
        entry.hold()
        return write

    def _write(self, entry: Tracked, action: Action, application: Application) -> Write:
        if action is Action.REFRESH:
            return Write(entry.name, self._refresh(entry.barrier), metadata_only=True)
        if entry.order and not entry.order.is_over:
            return Write(entry.name, (entry.order.write(application, action),))
        if action is Action.SYNC:
            return Write(entry.name, (self._resync(application),))
        return Write(entry.name, (terminate_operation(application),))

    def _resync(self, application: Application) -> dict[str, Any]:
        """Return the patch that syncs an Application; what left Git is pruned where automated sync would, too."""
        prune = None if automated_policy(application) is not None else self.options.sync_manual
        return sync_operation(application, Sync(prune=prune))

    def _refresh(self, barrier: Barrier) -> tuple[dict[str, Any], ...]:
        """Return the request for a refresh; one that was not answered is taken back and made again."""
        again = barrier.is_pending
        if again:
            barrier.withdraw()
        stamp = barrier.stamp if again else barrier.new_stamp()
        taken_back = (annotated({REFRESH: None}),) if again else ()
        return (*taken_back, annotated({REFRESH: self.options.refresh, STAMP: stamp}))

    def send(self, write: Write) -> Written:
        """Change an Application. A conflict is not an error: the watch then delivers the new state."""
        written = Written()
        try:
            for body in write.bodies:
                path = f"{self.path}/{write.name}"
                if write.metadata_only:
                    status, found = self.api.annotate(path, body)
                else:
                    status, found = self.api.request("PATCH", path, body=body)
                if status in (404, 409):
                    return written
                if status != 200:
                    raise GitopsError(f"Application {write.name} cannot be changed: {found.get('message', status)}")
                written.answer = found
            written.complete = True
        except GitopsError as error:
            written.error = error
        return written

    def end(self, entry: Tracked, write: Write, written: Written) -> None:
        """Record what became of a write, and what was seen meanwhile."""
        action, answer = entry.decision.action, written.answer
        if answer is not None:
            entry.barrier.write(answer)
        if not written.complete:
            if written.error is None:
                entry.refuse(time.monotonic())
            entry.release(None)
        elif action is Action.REFRESH:
            self._asked(entry, write.again)
            entry.release((entry.application or {}) | {"metadata": (answer or {})["metadata"]})
        else:
            if entry.order and not entry.order.is_over:
                entry.order.written(action)
            elif action is Action.SYNC:
                entry.resyncs += 1
            entry.release(answer)

    def _asked(self, entry: Tracked, again: bool) -> None:
        entry.refreshed_at = time.monotonic()
        (entry.barrier.repeat if again else entry.barrier.ask)(entry.refreshed_at)
        entry.total_refreshes += 1
        entry.refreshes += not again

    def clean_up(self, entry: Tracked) -> Write | None:
        """Return what removes our timestamp where Argo CD left it: versions before 3.6 do not know it."""
        annotations = (entry.application or {}).get("metadata", {}).get("annotations") or {}
        if annotations.get(STAMP) == entry.barrier.stamp and REFRESH not in annotations and entry.barrier.stamp:
            return Write(entry.name, (annotated({STAMP: None}),), metadata_only=True)
        return None


def annotated(annotations: dict[str, str | None]) -> dict[str, Any]:
    """Return the patch that sets and removes annotations."""
    return {"metadata": {"annotations": annotations}}


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
