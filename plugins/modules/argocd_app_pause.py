#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_pause
short_description: Pause and resume the automated sync of Argo CD Applications
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Switches automated sync off, for one Application, those of an ApplicationSet, or all, and back on. What is in the
    cluster then stays as it is, whatever is pushed to Git, and changes made by hand are not corrected.
  - The ConfigMap C(gitops-paused) in O(namespace) records who paused what since when, and the policy before, which
    V(state=resumed) restores exactly. To pause what is paused already changes nothing, and the first record stays.
  - An Application without automated sync is left alone. What an ApplicationSet generates later is not paused.
  - An operation in progress goes on; M(monorepo.gitops.argocd_app_terminate) ends it.
  - What the ApplicationSet of an Application would revert is refused; then nothing is paused.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.argocd.selection
  - monorepo.gitops.attributes
options:
  all:
    description:
      - Whether all Applications of O(namespace) are meant where O(names), O(label_selectors) and O(applicationsets) are
        not given.
    type: bool
  state:
    description:
      - V(paused) switches automated sync off.
      - V(resumed) restores the policy that was there before. Where a record does not fit any more, because the
        Application was deleted, recreated, or its automated sync was switched on by somebody else, the record is
        removed with a warning, and the Application is left alone.
    type: str
    choices: [paused, resumed]
    default: paused
  by:
    description: Who pauses, for the record. By default the user and the machine that run the task.
    type: str
  reason:
    description: Why, for the record.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: Nothing is written; returns what would be, and refuses what would be refused.
  diff_mode:
    support: full
    details: Shows C(spec.syncPolicy.automated) of the Applications that change.
  idempotent:
    support: full
    details: What is paused stays so with its first record; what is not paused is resumed by no change.
notes:
  - Needs the rights to list and patch Applications, to get ApplicationSets, and to get, create and patch ConfigMaps.
  - "Error C(ApplicationSet ... would revert): the ApplicationSet does not ignore C(/spec/syncPolicy); the message says
    where to change that."
  - "Error C(no readable record): somebody changed the ConfigMap C(gitops-paused)."
  - "Error C(was changed by somebody else): run the task again."
seealso:
  - module: monorepo.gitops.argocd_app_rollback
  - module: monorepo.gitops.argocd_app_set
  - module: monorepo.gitops.argocd_app_info
"""

EXAMPLES = r"""
- name: Pause one Application
  monorepo.gitops.argocd_app_pause:
    names: [maildev]
    reason: the database is being moved

- name: Pause a whole layer
  monorepo.gitops.argocd_app_pause:
    applicationsets: [services]

- name: Resume everything
  monorepo.gitops.argocd_app_pause:
    all: true
    state: resumed
"""

RETURN = r"""
applications:
  description: The chosen Applications by name; with O(state=resumed) also those that have only a record.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    paused: {description: "Whether it is paused now, or would be in check mode.", type: bool}
    changed: {description: "Whether the Application or its record changed, or would.", type: bool}
    message: {description: "Why nothing was done, or why the record did not fit.", type: str}
    by: {description: Who paused it., type: str}
    since: {description: "Since when, in UTC.", type: str}
    reason: {description: Why., type: str}
    automated: {description: "C(spec.syncPolicy.automated) before the pause.", type: dict}
"""

import getpass
import platform
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import (
    read_applicationsets,
    revert_refusal,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import Record, new_record, with_policy
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pausing import (
    Pauses,
    Plan,
    plan_pause,
    plan_resume,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import CHOICE, SELECTION, chosen, pick
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import automated_policy
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time


def initiator() -> str:
    """Return the user and the machine that run the task."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        user = "unknown"
    return f"{user}@{platform.node()}"


def check_reverts(api: Api, namespace: str, plan: Plan) -> None:
    """Refuse what ApplicationSets would revert."""
    applications = [item for item, _policy in plan.policies.values()]
    applicationsets = read_applicationsets(api, namespace, applications)
    refused = [
        f"Application {name}: {text}"
        for name, (item, policy) in plan.policies.items()
        if (text := revert_refusal(item, with_policy(item, policy), applicationsets))
    ]
    if refused:
        raise GitopsError(f"Nothing was paused. {'. '.join(refused)}.")


def gone_or_chosen(records: dict[str, Record], params: dict[str, Any]) -> dict[str, Record]:
    """Return the records that the options choose without a look at the Applications, which may not exist any more."""
    names, selectors, applicationsets = chosen(params)
    if selectors:
        return {}
    everything = not (names or applicationsets)
    return {
        name: record
        for name, record in records.items()
        if everything or name in names or record["applicationset"] in applicationsets
    }


def decision(api: Api, params: dict[str, Any], since: str, done: set[str], records: dict[str, Record]) -> Plan:
    """Return what to write about the Applications as they are now."""
    by, reason = params["by"] or initiator(), params["reason"]
    if params["state"] == "paused":
        plan = plan_pause(pick(api, params), records, lambda item: new_record(item, by, since, reason))
        check_reverts(api, params["namespace"], plan)
        return plan
    recorded = gone_or_chosen(records, params)
    names, _selectors, applicationsets = chosen(params)
    # What an ApplicationSet has made may have lost it as its owner; the record still names it.
    more = {"names": [*names, *recorded]} if names or applicationsets else {}
    found = pick(api, params | more, recorded)
    meant = {item["metadata"]["name"] for item in found} | recorded.keys()
    return plan_resume(found, {name: record for name, record in records.items() if name in meant}, done)


def diff_of(plan: Plan) -> dict[str, Any]:
    """Return the policies before and after."""
    return {
        "before": {name: automated_policy(item) for name, (item, _policy) in plan.policies.items()},
        "after": {name: policy for name, (_item, policy) in plan.policies.items()},
    }


def run(module: Any, client: Any) -> dict[str, Any]:
    """Pause or resume and return the result of the module."""
    params, api = module.params, Api(client)
    pauses = Pauses(api, params["namespace"])
    since = write_time()
    plan = pauses.carry_out(
        lambda records: decision(api, params, since, pauses.done, records),
        params["state"] == "paused",
        module.check_mode,
    )
    for text in plan.warnings:
        module.warn(text)
    applications = [entry for _name, entry in sorted(plan.results.items())]
    result = {"changed": any(entry["changed"] for entry in applications), "applications": applications}
    return result | ({"diff": diff_of(plan)} if module._diff else {})


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **SELECTION,
            all={"type": "bool"},
            state={"type": "str", "choices": ["paused", "resumed"], "default": "paused"},
            by={"type": "str"},
            reason={"type": "str", "default": ""},
        ),
        required_one_of=[(*CHOICE, "all")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
