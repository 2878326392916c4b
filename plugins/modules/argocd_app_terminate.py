#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_terminate
short_description: End the running operation of Argo CD Applications
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Ends the sync that an Application has in progress, as C(argocd app terminate-op) does, and waits until it has ended.
    What was applied until then stays; hooks that are running are deleted.
  - The operation that ends is the one that runs when the task begins. One that somebody, or automated sync, starts
    after that is never touched.
  - Automated sync does not try the same commit again after that, also with C(selfHeal); it does so for the next commit.
    Sync the Application (M(monorepo.gitops.argocd_app_sync)) when what made you end the operation is mended.
  - An operation that has not begun after 5 seconds, because the controller is not running, is withdrawn.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.argocd.selection
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  wait_timeout:
    description: Seconds for all Applications together.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    details: Reports which Applications have an operation that would be ended.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: An Application without a running operation, or whose operation is being ended already, is not a change.
notes:
  - Needs the rights to list, watch and patch Applications. Without watch it lists every second.
  - "Error C(was not idle after ...): the controller has not ended the operation. Look at its pods; a hook with a
    finalizer of its own can also hold it."
seealso:
  - module: monorepo.gitops.argocd_app_sync
  - module: monorepo.gitops.argocd_app_wait
"""

EXAMPLES = r"""
- name: End a sync that waits for a hook that never completes
  monorepo.gitops.argocd_app_terminate:
    names: [temporal]

- name: End all syncs of the services
  monorepo.gitops.argocd_app_terminate:
    applicationsets: [services]
"""

RETURN = r"""
applications:
  description: The Applications, also when the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    terminated: {description: "Whether this task ended an operation, or would in check mode.", type: bool}
    phase: {description: "Phase in which the operation ended, usually V(Failed); empty without one.", type: str}
    message: {description: "Message with which it ended, such as V(Operation terminated).", type: str}
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    state: {description: "V(ready) when the operation has ended or none was running, else V(waiting).", type: str}
    reason: {description: "What is pending, or why it failed.", type: str}
    fresh: {description: Whether the status is newer than the request., type: bool}
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared., type: str}
    revisions: {description: Commits of all sources., type: list, elements: str}
    conditions: {description: Conditions with type and message., type: list, elements: dict}
    warnings: {description: "Conditions that are warnings, as texts; the task shows them.", type: list, elements: str}
    not_synced: {description: Resources that are OutOfSync., type: list, elements: str}
    failed_resources: {description: Resources that the last sync could not apply., type: list, elements: str}
    seconds: {description: "Seconds until it was done, or until the end.", type: float}
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
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import (
    ARGUMENTS,
    CHOICE,
    pick,
    planned,
    unproven,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.termination import TerminateOrder
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import carry_out

NOTHING_DONE = "check mode ends no operation"


def run(module: Any, client: Any) -> dict[str, Any]:
    """End the operations and return the result of the module."""
    params = module.params
    found = pick(Api(client), params)
    orders = {item["metadata"]["name"]: TerminateOrder(item) for item in found}
    if module.check_mode:
        plans = [unproven(item, NOTHING_DONE) | orders[item["metadata"]["name"]].plan() for item in found]
        changed = any(entry["terminated"] for entry in plans)
        return planned(plans, changed)
    options = Options(request=None, timeout=params["wait_timeout"], orders=orders, done="idle")
    return carry_out(module, client, options, list(orders))


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **ARGUMENTS,
            wait_timeout={"type": "int", "default": 60},
        ),
        required_one_of=[CHOICE],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
