#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_appset_info
short_description: List Argo CD ApplicationSets, or describe some of them
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Reads ApplicationSets as C(argocd appset list) and C(get) do, with the Applications that they generated, what is
    wrong with them, and which changes of these Applications they leave as they are.
  - The status is what the controller wrote last, also about an older commit;
    M(monorepo.gitops.argocd_appset_refresh) makes it look again.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  names:
    description: Names of ApplicationSets. Empty means all.
    type: list
    elements: str
    default: []
notes:
  - Needs the rights to list ApplicationSets and Applications.
  - A name that does not exist is not an error; it is listed in RV(missing).
seealso:
  - module: monorepo.gitops.argocd_appset_refresh
  - module: monorepo.gitops.argocd_app_info
"""

EXAMPLES = r"""
- name: List all ApplicationSets
  monorepo.gitops.argocd_appset_info:
  register: sets

- name: Show which ones do not generate what they should
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.reasons | join(', ') }}"
  loop: "{{ sets.applicationsets | selectattr('reasons') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
applicationsets:
  description: The ApplicationSets, those with an error first, then by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    health: {description: "Health by Argo CD: V(Healthy), V(Degraded), V(Progressing) or V(Unknown).", type: str}
    reasons:
      description: What is wrong with the ApplicationSet itself, a text each. Empty when all was generated.
      type: list
      elements: str
    conditions:
      description: Conditions with type, status, reason, message and lastTransitionTime.
      type: list
      elements: dict
    generators: {description: "Its generators with parameters, as C(spec.generators).", type: list, elements: dict}
    template:
      description:
        - What an Application is made from, as C(spec.template). Values of Helm, Jsonnet and plugins are hidden.
      type: dict
    applications:
      description: The Applications that it owns, the worst first.
      type: list
      elements: dict
      contains:
        name: {description: Name., type: str}
        state: {description: See M(monorepo.gitops.argocd_app_info)., type: str}
        sync: {description: Sync status., type: str}
        health: {description: Health status., type: str}
        reasons: {description: What is wrong with it., type: list, elements: str}
    policy:
      description: "What it may do to Applications: V(create-only), V(create-update), V(create-delete) or V(sync). With
        the last two a generator that finds less also deletes."
      type: str
    preserve_resources_on_deletion: {description: Whether a deleted Application leaves its objects., type: bool}
    strategy: {description: "V(AllAtOnce) or V(RollingSync).", type: str}
    rollout: {description: "Steps of RollingSync, as C(status.applicationStatus).", type: list, elements: dict}
    not_reverted:
      description: Which fields of its Applications somebody may change, because the ApplicationSet leaves them as they
        are. Everything else that the template sets is reverted.
      type: list
      elements: str
      sample: [/spec/syncPolicy, /metadata/annotations/argocd.argoproj.io~1refresh-timestamp]
    ignore_application_differences:
      description: The rules for that, as C(spec.ignoreApplicationDifferences).
      type: list
      elements: dict
missing:
  description: Names that do not exist.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.appset_overview import described, worst_first
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import list_applications, list_of


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the ApplicationSets and return the result of the module."""
    api, namespace, names = Api(client), module.params["namespace"], module.params["names"]
    found = list_of("ApplicationSets", api, namespace)
    wanted = [item for item in found if not names or item["metadata"]["name"] in names]
    applications = list_applications(api, namespace, "") if wanted else []
    present = {item["metadata"]["name"] for item in wanted}
    return {
        "changed": False,
        "applicationsets": sorted((described(item, applications) for item in wanted), key=worst_first),
        "missing": [name for name in names if name not in present],
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            names={"type": "list", "elements": "str", "default": []},
            namespace={"type": "str", "default": "argocd"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
