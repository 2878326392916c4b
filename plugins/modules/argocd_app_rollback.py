#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_rollback
short_description: Return an Argo CD Application to an earlier deployment of its history
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Deploys again what an Application ran before, as C(argocd app rollback) does, and waits until the operation has
    ended and the Application is healthy. It is C(OutOfSync) after that, because Git has something else.
  - Refused while automated sync is on, which would undo it at once; M(monorepo.gitops.argocd_app_pause) switches it
    off.
  - The operation has a request id. Phase, message and resources that are returned are those of this operation.
  - Hooks are not run and nothing is retried. An Application keeps its last ten deployments, or as many as
    C(spec.revisionHistoryLimit) says.
  - To make a rollback last, revert the commit in Git and resume automated sync.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the Application.
    type: str
    required: true
  id:
    description:
      - Number of the deployment in the history, which M(monorepo.gitops.argocd_app_info) returns.
      - Without O(id) and O(revision) it is the deployment before the last one.
    type: int
  revision:
    description: Commit of the deployment, or at least its first seven characters; the newest one of that commit counts.
    type: str
  prune:
    description: Whether objects are deleted that the earlier deployment did not have.
    type: bool
    default: false
  dry_run:
    description: Whether the API server only checks what would be applied.
    type: bool
    default: false
  on_conflict:
    description:
      - What to do when the Application has an operation in progress.
      - V(wait) waits until it has ended, V(fail) is an error, V(terminate) ends it.
    type: str
    choices: [wait, fail, terminate]
    default: wait
  wait:
    description:
      - Whether to wait until the operation has ended and the Application is healthy. Otherwise the task ends as soon as
        the operation was accepted.
    type: bool
    default: true
  wait_timeout:
    description: Seconds. An operation that was started goes on after that.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    details: Nothing is written; returns the deployment, and refuses what would be refused.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run is a deployment. A dry run is not a change.
notes:
  - Needs the rights to list, watch and patch Applications. Without watch it lists every second.
  - "Error C(rollback cannot be initiated when auto-sync is enabled): pause the Application first."
  - "Error C(does not have a deployment): the message lists the history."
  - "Error C(at least two successful deployments): there is nothing to return to; revert the commit in Git."
  - Other errors are those of M(monorepo.gitops.argocd_app_sync).
seealso:
  - module: monorepo.gitops.argocd_app_pause
  - module: monorepo.gitops.argocd_app_info
  - module: monorepo.gitops.argocd_app_sync
"""

EXAMPLES = r"""
- name: Pause automated sync, which would undo the rollback
  monorepo.gitops.argocd_app_pause:
    names: [maildev]
    reason: the new version loses messages

- name: Return to the deployment before the last one
  monorepo.gitops.argocd_app_rollback:
    name: maildev

- name: Return to a commit that was deployed
  monorepo.gitops.argocd_app_rollback:
    name: maildev
    revision: 4e84fb37b98a
    prune: true
"""

RETURN = r"""
deployment:
  description: The deployment of the history that was chosen.
  returned: success
  type: dict
  contains:
    id: {description: Its number., type: int}
    revisions: {description: "Its commits, one for each source.", type: list, elements: str}
    deployed_at: {description: When it was deployed., type: str}
applications:
  description: The Application, also when the task fails. Where no operation was started, what describes it is empty.
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
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.history import (
    find_deployment,
    revisions_of_deployment,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import pick, planned, unproven
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.sync import NOTHING_DONE, SyncOrder, refusals
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request, Sync
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import carry_out
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def run(module: Any, client: Any) -> dict[str, Any]:
    """Roll back and return the result of the module."""
    params = module.params
    choice = {"names": [params["name"]], "label_selectors": None, "applicationsets": None}
    application = pick(Api(client), choice | {"namespace": params["namespace"]})[0]
    deployed = find_deployment(application, params["id"], params["revision"])
    sync = Sync(prune=params["prune"], dry_run=params["dry_run"], deployed=deployed)
    refused = refusals([application], sync, params["on_conflict"], replace_allowed=True)
    if refused:
        raise GitopsError(f"Nothing was rolled back. {refused[0]}.")
    order = SyncOrder(sync, params["on_conflict"], params["wait"])
    chosen = {
        "id": deployed.get("id", 0),
        "revisions": revisions_of_deployment(deployed),
        "deployed_at": deployed.get("deployedAt", ""),
    }
    if module.check_mode:
        plan = unproven(application, NOTHING_DONE) | order.plan(application)
        return planned([plan], changed=not sync.dry_run) | {"deployment": chosen}
    # Git has something else than what is deployed now.
    options = Options(request=Request(sync=False), timeout=params["wait_timeout"], orders={params["name"]: order})
    return carry_out(module, client, options, [params["name"]]) | {"deployment": chosen}


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            name={"type": "str", "required": True},
            namespace={"type": "str", "default": "argocd"},
            progress_file={"type": "path"},
            id={"type": "int"},
            revision={"type": "str"},
            prune={"type": "bool", "default": False},
            dry_run={"type": "bool", "default": False},
            on_conflict={"type": "str", "choices": ["wait", "fail", "terminate"], "default": "wait"},
            wait={"type": "bool", "default": True},
            wait_timeout={"type": "int", "default": 300},
        ),
        mutually_exclusive=[("id", "revision")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
