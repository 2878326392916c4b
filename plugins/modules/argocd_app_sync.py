#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_sync
short_description: Sync Argo CD Applications and return the result of this very operation
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Starts a sync of Applications, as C(argocd app sync) does, and waits until it has ended and they are ready.
  - Each operation has a request id. Phase, message and resources that are returned are those of this operation, also
    when automated sync or somebody else starts another one right after it.
  - Sync options and retries are those of the Application's C(spec.syncPolicy).
  - What Argo CD's API server would refuse is refused; then nothing is started, of none of the Applications.
  - An Application is ready by the rules of M(monorepo.gitops.argocd_app_wait), by a status that is newer than the
    operation. With O(revision), O(revisions) or O(resources) it need not be C(Synced), because only a part of it is, or
    another commit than its branch has.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.argocd.selection
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  all:
    description:
      - Whether to sync all Applications of O(namespace) where O(names), O(label_selectors) and O(applicationsets) are
        not given.
    type: bool
  revision:
    description:
      - Commit, tag or branch to sync instead of the Application's C(targetRevision). Refused while automated sync is
        on, unless it is the same or O(dry_run) is set, because automated sync would return to C(targetRevision).
    type: str
  revisions:
    description: The same for an Application with several sources, one for each, in their order.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Whether objects that are no longer in Git are deleted. Without it that is so where automated sync prunes.
    type: bool
  dry_run:
    description:
      - Whether the API server only checks what would be applied. The task waits for the end of the operation, and not
        for the Application.
    type: bool
    default: false
  force:
    description:
      - Whether an object that cannot be changed is deleted and created again, with a loss of what it holds. Not
        together with the sync option C(ServerSideApply=true).
    type: bool
    default: false
  replace:
    description:
      - Whether objects are replaced instead of applied (sync option C(Replace=true)). Refused where
        C(server.sync.replace.allowed) in the ConfigMap C(argocd-cmd-params-cm) is C(false).
    type: bool
    default: false
  resources:
    description:
      - Only these objects are synced, and no hooks. One that the revision does not contain is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: API group; empty for the core group.
        type: str
        default: ""
      kind:
        description: Kind.
        type: str
        required: true
      name:
        description: Name.
        type: str
        required: true
      namespace:
        description: Namespace. Without it an object of that name in any namespace.
        type: str
  only_out_of_sync:
    description:
      - Whether only what is out of sync is synced. The Applications are compared with Git first. One that is C(Synced),
        and whose last sync of this commit has not failed, is left alone; of the others only the objects that are
        C(OutOfSync) are applied (sync option C(ApplyOutOfSyncOnly=true)).
    type: bool
    default: false
  on_conflict:
    description:
      - What to do when an Application has an operation in progress, for example one of automated sync.
      - V(wait) waits until it has ended, V(fail) is an error, V(terminate) ends it.
    type: str
    choices: [wait, fail, terminate]
    default: wait
  wait:
    description:
      - Whether to wait until the operation has ended and the Application is ready. Otherwise the task ends as soon as
        the operation was accepted; M(monorepo.gitops.argocd_app_wait) waits later.
    type: bool
    default: true
  wait_timeout:
    description: Seconds for all Applications together. An operation that was started goes on after that.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written; returns which Applications would be synced, and refuses what would be refused. With
        O(only_out_of_sync) the status that Argo CD has counts, which may be older than Git.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(only_out_of_sync); otherwise each run is a sync. A dry run is not a change.
notes:
  - Needs the rights to list, watch and patch Applications. Without watch it lists every second. With the sync option
    C(Replace=true), also to get ConfigMaps.
  - The right to patch Applications includes what RBAC of Argo CD knows as C(sync) and C(override).
  - "Error C(auto-sync currently set to): automated sync would return to its branch. Change the branch in Git, or switch
    automated sync off."
  - "Error C(another operation is already in progress): only with V(on_conflict=fail); the message says whose it is."
  - "Error C(blocked by sync window): the operation was withdrawn, because it would begin whenever the window opens."
  - "Error C(the result of operation ... is not known): somebody removed the operation, or another one began while the
    connection to the API server was broken. Look at the Application and sync it again."
  - "Error C(sync Failed ...): each rejected resource follows in brackets with the API server's message."
  - "Error C(sync fails in the same way each time): two attempts ended alike, and a third one would. The operation goes
    on with the retries of C(spec.syncPolicy). Mend the cause, and sync again."
  - "Error C(require pruning): set O(prune), or delete the objects."
  - "Error C(sync with replace was disabled): set C(server.sync.replace.allowed), or sync without O(replace)."
  - Other errors are those of M(monorepo.gitops.argocd_app_wait).
seealso:
  - module: monorepo.gitops.argocd_app_wait
  - module: monorepo.gitops.argocd_app_terminate
  - module: monorepo.gitops.argocd_app_refresh
"""

EXAMPLES = r"""
- name: Sync one Application, and delete what is no longer in Git
  monorepo.gitops.argocd_app_sync:
    names: [maildev]
    prune: true

- name: Sync of all Applications only what is out of sync
  monorepo.gitops.argocd_app_sync:
    all: true
    only_out_of_sync: true
    wait_timeout: 900

- name: Apply one Deployment of an Application again
  monorepo.gitops.argocd_app_sync:
    names: [maildev]
    resources:
      - group: apps
        kind: Deployment
        name: maildev

- name: Check what a commit would do
  monorepo.gitops.argocd_app_sync:
    names: [maildev]
    revision: 4e84fb37b98a12648247bccdf05e926d0e5636bc
    dry_run: true
"""

RETURN = r"""
applications:
  description: The Applications, also when the task fails. Where no operation was started, what describes it is empty.
  returned: always
  type: list
  elements: dict
  contains:
    started: {description: "Whether an operation was started, or would be in check mode.", type: bool}
    request_id: {description: "Value of C(ansible-request-id) in the operation's C(info).", type: str}
    phase: {description: "Phase of this operation: V(Succeeded), V(Failed), V(Error) or V(Running).", type: str}
    message: {description: Message of this operation., type: str}
    synced_revisions: {description: "Commits that it synced, one for each source.", type: list, elements: str}
    resources:
      description: What it did to each object, hooks included.
      type: list
      elements: dict
      contains:
        group: {description: API group., type: str}
        kind: {description: Kind., type: str}
        namespace: {description: Namespace., type: str}
        name: {description: Name., type: str}
        status: {description: "V(Synced), V(SyncFailed), V(Pruned) or V(PruneSkipped).", type: str}
        message: {description: "What the API server said, such as V(configmap/a unchanged).", type: str}
        hookType: {description: Type of a hook., type: str}
        hookPhase: {description: Phase of a hook., type: str}
        syncPhase: {description: "V(PreSync), V(Sync) or V(PostSync).", type: str}
    failed_resources: {description: Resources that it could not apply., type: list, elements: str}
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    state: {description: "V(ready), V(waiting) or V(failed).", type: str}
    reason: {description: "What is pending, or why it failed.", type: str}
    fresh: {description: Whether the status is newer than the operation., type: bool}
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared last., type: str}
    revisions: {description: "Commits of all sources, that were compared last.", type: list, elements: str}
    conditions: {description: Conditions with type and message., type: list, elements: dict}
    warnings: {description: "Conditions that are warnings, as texts; the task shows them.", type: list, elements: str}
    not_synced: {description: Resources that are OutOfSync., type: list, elements: str}
    seconds: {description: "Seconds until it was ready, or until the end.", type: float}
    refreshes: {description: Number of refresh requests., type: int}
    resyncs: {description: "Always 0; see M(monorepo.gitops.argocd_app_wait).", type: int}
requests:
  description: Number of LIST, WATCH and PATCH requests while the module waited.
  returned: always
  type: dict
elapsed:
  description: Seconds.
  returned: always
  type: float
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import sync_options
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import (
    ARGUMENTS,
    CHOICE,
    pick,
    planned,
    unproven,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.sync import (
    NOTHING_DONE,
    REPLACE,
    SyncOrder,
    refusals,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request, Sync
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import carry_out
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

PARAMETERS = "argocd-cmd-params-cm"


def wanted(params: dict[str, Any]) -> Sync:
    """Return the sync that the options describe."""
    revisions = [params["revision"]] if params["revision"] else params["revisions"]
    resources = [{key: value for key, value in entry.items() if value} for entry in params["resources"]]
    switches = {key: params[key] for key in ("prune", "dry_run", "force", "replace", "only_out_of_sync")}
    return Sync(revisions=tuple(revisions), resources=tuple(resources), **switches)


def replace_allowed(api: Api, namespace: str, applications: list[Application], sync: Sync) -> bool:
    """Return whether a sync may replace objects; that is only looked up where one would."""
    if not any(REPLACE in sync_options(item, sync) for item in applications):
        return True
    status, found = api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{PARAMETERS}")
    if status not in (200, 404):
        raise GitopsError(
            f"ConfigMap {PARAMETERS}, which says whether objects may be replaced, cannot be read: "
            f"{found.get('message', status)}"
        )
    return (found.get("data") or {}).get("server.sync.replace.allowed") != "false"


def run(module: Any, client: Any) -> dict[str, Any]:
    """Sync and return the result of the module."""
    params = module.params
    api, namespace, sync = Api(client), params["namespace"], wanted(params)
    found = pick(api, params)
    allowed = replace_allowed(api, namespace, found, sync)
    refused = refusals(found, sync, params["on_conflict"], allowed)
    if refused:
        raise GitopsError(f"Nothing was synced. {'. '.join(refused)}.")
    orders = {item["metadata"]["name"]: SyncOrder(sync, params["on_conflict"], params["wait"]) for item in found}
    if module.check_mode:
        plans = [unproven(item, NOTHING_DONE) | orders[item["metadata"]["name"]].plan(item) for item in found]
        changed = any(entry["started"] for entry in plans) and not sync.dry_run
        return planned(plans, changed)
    # A part of an Application, or another commit than that of its branch, leaves the rest OutOfSync.
    request = Request(sync=not (sync.revisions or sync.resources))
    options = Options(request=request, timeout=params["wait_timeout"], orders=orders)
    return carry_out(module, client, options, list(orders))


def main() -> None:
    """Run the module."""
    resource = {
        "group": {"type": "str", "default": ""},
        "kind": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
    }
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **ARGUMENTS,
            all={"type": "bool"},
            revision={"type": "str"},
            revisions={"type": "list", "elements": "str", "default": []},
            prune={"type": "bool"},
            dry_run={"type": "bool", "default": False},
            force={"type": "bool", "default": False},
            replace={"type": "bool", "default": False},
            resources={"type": "list", "elements": "dict", "default": [], "options": resource},
            only_out_of_sync={"type": "bool", "default": False},
            on_conflict={"type": "str", "choices": ["wait", "fail", "terminate"], "default": "wait"},
            wait={"type": "bool", "default": True},
            wait_timeout={"type": "int", "default": 300},
        ),
        mutually_exclusive=[("revision", "revisions")],
        required_one_of=[(*CHOICE, "all")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
