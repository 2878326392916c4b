#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: environment_decommission
short_description: Remove an environment from its cluster (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Deletes, one after the other, the ApplicationSets without their Applications, the Applications with what they
    deployed against the order of dependencies, Argo CD with the record of the environment, and what the options name.
  - What an interrupted run has left, the next one finds by the annotations of Argo CD.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  environment:
    description: Environment that is removed. Applications of others stay, and with them Argo CD.
    type: str
    required: true
  components:
    description: Components of the inventory, as returned by M(monorepo.gitops.gitops_plan).
    type: list
    elements: dict
    required: true
  argocd_managed:
    description: Whether Argo CD is removed. It also stays where somebody else installed or uses it.
    type: bool
    default: true
  volumes:
    description:
      - Whether the Namespaces of the environment go, with volumes, databases and generated passwords. One into which
        an Application of somebody else deploys stays.
    type: bool
    default: false
  crds:
    description:
      - Whether CustomResourceDefinitions go. One that still has objects stays and is an error. Those of Argo CD stay
        where another namespace has an Argo CD, too.
    type: bool
    default: false
  shown:
    description:
      - RV(removed) of a run in check mode, which somebody has confirmed. Exactly these objects are deleted, by their
        UIDs, as far as nothing else needs them by now. What has appeared since stays; it is an error in the end.
      - Without it everything goes that is there.
    type: list
    elements: dict
  wait_timeout:
    description: Seconds for each step.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    details: Returns what would be deleted.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: What is gone is not a change.
notes:
  - Needs the rights to get and list everything, so that it finds what there is and what holds it back, to patch and
    delete Applications, and to delete ApplicationSets, Namespaces, ClusterRoles, ClusterRoleBindings and, with O(crds),
    CustomResourceDefinitions. Where Argo CD stays, also to delete AppProjects and the ConfigMap C(monorepo-gitops).
  - "Error C(... was not deleted after ...): names the finalizers of the object. Start the controller that handles them,
    or remove the finalizer; then run again."
  - "Error C(still have objects): objects of a kind that the environment brought belong to somebody else. Each
    CustomResourceDefinition is looked at just before it is deleted. An object that is created in the milliseconds
    between goes with it, because the API server knows no precondition for that."
  - "Error C(appeared after the removal was shown), C(something else needs it now), C(appeared during the removal):
    somebody changed the cluster in the meantime. Everything else was removed; run again in check mode to see what is
    left."
seealso:
  - module: monorepo.gitops.argocd_app_delete
"""

EXAMPLES = r"""
- name: Show what would be deleted
  monorepo.gitops.environment_decommission:
    environment: dev
    components: "{{ gitops_plan.components }}"
  check_mode: true
"""

RETURN = r"""
removed:
  description: What was deleted, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    step: {description: Number of the step. What has the same number is deleted together., type: int}
    kind: {description: Kind., type: str}
    namespace: {description: "Namespace; empty if it has none.", type: str}
    name: {description: Name., type: str}
    note: {description: What goes with it., type: str}
    api_version: {description: API version., type: str}
    uid: {description: UID., type: str}
argocd_removed:
  description: Whether the namespace of Argo CD was deleted.
  returned: success without check mode, and where something had to stay
  type: bool
kept:
  description: A sentence for each thing that stays.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.decommission import Decommission, Scope
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.deleting import Removal
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal_order import shown_object
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def run(module: Any, client: Any) -> dict[str, Any]:
    """Remove the environment and return the result of the module."""
    params = module.params
    scope = Scope(
        environment=params["environment"],
        components=params["components"],
        argocd=params["argocd_managed"],
        volumes=params["volumes"],
        crds=params["crds"],
        shown=None if params["shown"] is None else [shown_object(entry) for entry in params["shown"]],
    )
    api = Api(client)
    decommission = Decommission(api, params["namespace"], scope)
    result: dict[str, Any] = {"removed": decommission.rows(), "kept": decommission.kept()}
    if not module.check_mode:
        removal = Removal(api, decommission, progress_to(params["progress_file"]))
        removal.run(params["wait_timeout"])
        result["argocd_removed"] = removal.argocd_removed()
    return {"changed": bool(result["removed"])} | result


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            environment={"type": "str", "required": True},
            components={"type": "list", "elements": "dict", "required": True},
            argocd_managed={"type": "bool", "default": True},
            volumes={"type": "bool", "default": False},
            crds={"type": "bool", "default": False},
            shown={"type": "list", "elements": "dict"},
            namespace={"type": "str", "default": "argocd"},
            wait_timeout={"type": "int", "default": 300},
            progress_file={"type": "path"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
