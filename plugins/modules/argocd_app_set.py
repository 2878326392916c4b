#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_set
short_description: Set sync policy, revision and parameters of Argo CD Applications
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Changes the specification of Applications, as C(argocd app set) does. What is not given stays as it is.
  - An ApplicationSet writes the specification of its Applications again within a second. What it would revert is
    refused, with the place where to change it; the ApplicationSets of this collection leave the sync policy alone. Then
    nothing is changed, of none of the Applications.
  - To switch automated sync off for a while use M(monorepo.gitops.argocd_app_pause), which records who did so and
    restores the policy exactly.
  - Argo CD judges the new specification after that; M(monorepo.gitops.argocd_app_wait) returns what it says.
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
  sync_policy:
    description:
      - V(automated) switches automated sync on and keeps O(auto_prune), O(self_heal) and O(allow_empty).
      - V(none) removes the policy with these, so none of them can be switched on in the same task.
    type: str
    choices: [none, automated]
  auto_prune:
    description: Whether automated sync deletes what is no longer in Git. It does not switch automated sync on.
    type: bool
  self_heal:
    description: Whether automated sync corrects changes made in the cluster. It does not switch automated sync on.
    type: bool
  allow_empty:
    description: Whether automated sync may delete all objects. It does not switch automated sync on.
    type: bool
  sync_options:
    description:
      - Sync options that are added, such as V(PruneLast=true), in the place of another value of the same one.
      - "C(!) before an option removes it: V(!PruneLast=true) only with this value, V(!PruneLast) with any."
    type: list
    elements: str
  revision:
    description: Branch, tag or commit to follow (C(targetRevision)).
    type: str
  kustomize_images:
    description: Images that Kustomize replaces, such as V(nginx=registry.example.com/nginx:1.27) or V(nginx:1.27).
    type: list
    elements: str
  kustomize_replicas:
    description: Number of replicas by the name of the Deployment or StatefulSet.
    type: dict
  name_prefix:
    description: Prefix of all names. Empty removes it.
    type: str
  name_suffix:
    description: Suffix of all names. Empty removes it.
    type: str
  helm_parameters:
    description:
      - Parameters of a Helm chart by name, which take the place of those of the same name.
      - Their values are neither in the diff nor in the result. Everybody who may read the Application reads them, and
        with C(-vvv) Ansible may show the options of the task; so do not set a password here.
    type: dict
attributes:
  check_mode:
    support: full
    details: Nothing is written; returns what would change, and refuses what would be refused.
  diff_mode:
    support: full
    details: Shows the specifications before and after, without the values of Helm, Jsonnet and plugins.
  idempotent:
    support: full
notes:
  - Needs the rights to list and patch Applications, to get ApplicationSets, and to get the ConfigMap C(gitops-paused).
  - "Error C(leave one of them out), C(write Name=value): options contradict each other, or one means nothing."
  - "Error C(ApplicationSet ... would revert): change it at the place that the message names."
  - "Error C(resume it first): the policy before the pause would come back with the next resume. Resume first."
  - "Error C(would be ambiguous): the Application has several sources; change it where they are written down."
  - "Error C(means nothing): Kustomize options for a Helm chart, or the other way round."
  - "Error C(was changed by somebody else): run the task again."
seealso:
  - module: monorepo.gitops.argocd_app_pause
  - module: monorepo.gitops.argocd_app_sync
"""

EXAMPLES = r"""
- name: Let automated sync of one Application keep what is no longer in Git
  monorepo.gitops.argocd_app_set:
    names: [maildev]
    auto_prune: false

- name: Prune last in all Applications of an ApplicationSet
  monorepo.gitops.argocd_app_set:
    applicationsets: [services]
    sync_options: [PruneLast=true]

- name: Let an Application that no ApplicationSet owns follow another branch
  monorepo.gitops.argocd_app_set:
    names: [playground]
    revision: feature-a
"""

RETURN = r"""
applications:
  description: The chosen Applications by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    changed: {description: "Whether its specification changed, or would.", type: bool}
    fields: {description: "Fields that changed, such as V(spec.syncPolicy.automated.prune).", type: list, elements: str}
    automated: {description: Whether it is synced automatically now., type: bool}
    sync_policy: {description: "C(spec.syncPolicy) after that.", type: dict}
    sources:
      description: Sources after that. Values of Helm, Jsonnet and plugins are hidden.
      type: list
      elements: dict
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import (
    changed_paths,
    read_applicationsets,
    revert_refusal,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import pause_text, paused
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import (
    CHOICE,
    SELECTION,
    pick,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.settings import (
    OF_POLICY,
    OF_SOURCE,
    contradiction,
    given,
    merge_patch,
    setting_refusal,
    wanted_spec,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    is_automated,
    sources_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.values import shown, shown_change
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.writing import without_conflict, write
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

Spec = dict[str, Any]
Change = tuple[Application, Spec]
Written = dict[str, tuple[Spec, Spec]]


def changes(api: Api, params: dict[str, Any]) -> list[Change]:
    """Return the Applications with the specifications that they get; refuse what cannot be or would not last."""
    found, namespace = pick(api, params), params["namespace"]
    records, applicationsets = paused(api, namespace), read_applicationsets(api, namespace, found)
    refused, wanted = [], []
    for item in found:
        name, spec = item["metadata"]["name"], item.get("spec") or {}
        text = setting_refusal(item, params, pause_text(records.get(name), item))
        if not text:
            spec = wanted_spec(item, params)
            text = revert_refusal(item, spec, applicationsets)
        refused += [f"Application {name}: {text}"] if text else []
        wanted.append((item, spec))
    if refused:
        raise GitopsError(f"Nothing was set. {'. '.join(refused)}.")
    return wanted


def carry_out(api: Api, params: dict[str, Any], check: bool) -> tuple[list[Change], Written]:
    """Write until every Application has its specification; return them, and what was written by name: from, and to.

    What somebody else writes between two attempts is not one of our changes, even if it is what was wanted.
    """
    written: Written = {}

    def attempt() -> list[Change] | None:
        wanted = changes(api, params)
        due = [(item, spec) for item, spec in wanted if spec != item.get("spec")]
        complete = True
        for item, spec in due:
            name, present = item["metadata"]["name"], item.get("spec") or {}
            if check or write(api, item, merge_patch(present, spec)):
                written[name] = (written.get(name, (present,))[0], spec)
            else:
                complete = False
        return wanted if complete else None

    return without_conflict(attempt, "An Application"), written


def describe(item: Application, spec: Spec, written: Written) -> dict[str, Any]:
    """Return the result about one Application."""
    name, after = item["metadata"]["name"], item | {"spec": spec}
    paths = changed_paths(*written.get(name, ({}, {})), ("spec",))
    return {
        "name": name,
        "changed": bool(paths),
        "fields": [".".join(path) for path in paths],
        "automated": is_automated(after),
        "sync_policy": spec.get("syncPolicy") or {},
        "sources": shown(sources_of(after)),
    }


def run(module: Any, client: Any) -> dict[str, Any]:
    """Set and return the result of the module."""
    params = module.params
    if not given(params, (*OF_POLICY, *OF_SOURCE)):
        raise GitopsError("Nothing to set: give at least one of " + ", ".join((*OF_POLICY, *OF_SOURCE)) + ".")
    if text := contradiction(params):
        raise GitopsError(f"Nothing was set: {text}.")
    wanted, written = carry_out(Api(client), params, module.check_mode)
    applications = [describe(item, spec, written) for item, spec in wanted]
    result = {"changed": any(entry["changed"] for entry in applications), "applications": applications}
    before, after = ({name: specs[side] for name, specs in written.items()} for side in (0, 1))
    diff = dict(zip(("before", "after"), shown_change(before, after), strict=True))
    return result | ({"diff": diff} if module._diff else {})


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **SELECTION,
            all={"type": "bool"},
            sync_policy={"type": "str", "choices": ["none", "automated"]},
            auto_prune={"type": "bool"},
            self_heal={"type": "bool"},
            allow_empty={"type": "bool"},
            sync_options={"type": "list", "elements": "str"},
            revision={"type": "str"},
            kustomize_images={"type": "list", "elements": "str"},
            kustomize_replicas={"type": "dict"},
            name_prefix={"type": "str"},
            name_suffix={"type": "str"},
            helm_parameters={"type": "dict"},
        ),
        required_one_of=[(*CHOICE, "all")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
