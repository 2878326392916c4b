#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_refresh
short_description: Let Argo CD compare Applications with Git now
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Asks the application controller to compare Applications with Git, as C(argocd app get --refresh) does, and waits
    until it has. Argo CD looks for new commits by itself every two to three minutes.
  - The status that is returned is the answer to this very request, never one that was on its way before.
  - It does not wait until an Application is synced or healthy; that is M(monorepo.gitops.argocd_app_wait). Where
    automated sync is on, a refresh that finds a new commit begins a sync.
  - An Application that cannot be rendered or compared counts as refreshed; RV(applications[].conditions) say why it
    cannot.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.argocd.selection
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  refresh:
    description:
      - V(normal) compares with the present commit of Git, V(hard) also renders the manifests again. Use V(hard) when
        something other than Git changed, such as a remote base or a Helm repository.
    type: str
    choices: [normal, hard]
    default: normal
  wait_timeout:
    description: Seconds for all Applications together.
    type: int
    default: 60
attributes:
  check_mode:
    support: partial
    details: Nothing is written, so no status counts as fresh; returns the Applications as they are.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: A refresh is not a change.
notes:
  - Needs the rights to list, watch and patch Applications. Without watch it lists every second.
  - "Error C(did not process a refresh): the application controller has no ready pod."
  - "Error C(has not answered yet): the application controller is busy, or does not serve the namespace."
  - "Error C(skip-reconcile): the annotation makes the controller ignore the Application; remove it."
  - "Error C(is being deleted): remove what blocks the deletion; M(monorepo.gitops.argocd_app_delete) names it."
seealso:
  - module: monorepo.gitops.argocd_app_wait
  - module: monorepo.gitops.argocd_app_sync
  - module: monorepo.gitops.argocd_appset_refresh
"""

EXAMPLES = r"""
- name: Compare an Application with Git now
  monorepo.gitops.argocd_app_refresh:
    names: [maildev]

- name: Render and compare again all that an ApplicationSet generated
  monorepo.gitops.argocd_app_refresh:
    applicationsets: [infra]
    refresh: hard
"""

RETURN = r"""
applications:
  description: The Applications after the refresh, also when the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    state: {description: "V(ready) when it was refreshed, V(waiting) or V(failed).", type: str}
    reason: {description: "What is pending, or why it failed.", type: str}
    fresh: {description: Whether the status is newer than the request., type: bool}
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared., type: str}
    revisions: {description: Commits of all sources., type: list, elements: str}
    phase: {description: Phase of the last operation., type: str}
    message: {description: Message of the last operation., type: str}
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
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import carry_out


def run(module: Any, client: Any) -> dict[str, Any]:
    """Refresh and return the result of the module."""
    params = module.params
    found = pick(Api(client), params)
    if module.check_mode:
        return planned([*map(unproven, found)], changed=False)
    options = Options(
        request=None,
        refresh=params["refresh"],
        timeout=params["wait_timeout"],
        refresh_timeout=params["wait_timeout"],
        done="refreshed",
    )
    names = [item["metadata"]["name"] for item in found]
    return carry_out(module, client, options, names)


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **ARGUMENTS,
            refresh={"type": "str", "choices": ["normal", "hard"], "default": "normal"},
            wait_timeout={"type": "int", "default": 60},
        ),
        required_one_of=[CHOICE],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
