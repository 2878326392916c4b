#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_info
short_description: List Argo CD Applications, or describe some of them
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Reads Applications through the Kubernetes API and returns their status.
  - The status is what the controller wrote last; M(monorepo.gitops.argocd_app_wait) returns one that is fresh.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  names:
    description: Names of Applications. Empty means all.
    type: list
    elements: str
    default: []
  label_selectors:
    description: Label selectors, all of which must match.
    type: list
    elements: str
    default: []
notes:
  - A name that does not exist is not an error; it is listed in RV(missing).
  - Health of single resources is only there when Argo CD persists it (C(controller.resource.health.persist), which the
    role C(argocd) switches on).
"""

EXAMPLES = r"""
- name: List all Applications
  monorepo.gitops.argocd_app_info:
  register: all
"""

RETURN = r"""
applications:
  description: The Applications, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    sources: {description: "Sources with repoURL, path and targetRevision.", type: list, elements: dict}
    destination: {description: Cluster and namespace., type: dict}
    automated: {description: Whether it is synced automatically., type: bool}
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared., type: str}
    revisions: {description: Commits of all sources., type: list, elements: str}
    reconciled_at: {description: When the controller last compared with Git., type: str}
    phase: {description: Phase of the last operation., type: str}
    message: {description: Message of the last operation., type: str}
    operation: {description: "The last operation with started_at, finished_at, retries and running.", type: dict}
    conditions: {description: Conditions with type and message., type: list, elements: dict}
    warnings: {description: Conditions that are warnings as texts., type: list, elements: str}
    not_synced: {description: Resources that are OutOfSync., type: list, elements: str}
    failed_resources: {description: Resources that the last sync could not apply., type: list, elements: str}
    resources: {description: "Resources with kind, namespace, name, status and health.", type: list, elements: dict}
    history: {description: "Deployed revisions with id, revision and deployedAt.", type: list, elements: dict}
missing:
  description: Names that do not exist.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import list_applications
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import details


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the Applications and return the result of the module."""
    params = module.params
    found = list_applications(Api(client), params["namespace"], ",".join(params["label_selectors"]))
    wanted = [item for item in found if not params["names"] or item["metadata"]["name"] in params["names"]]
    applications = sorted(map(details, wanted), key=lambda entry: entry["name"])
    present = {entry["name"] for entry in applications}
    return {
        "changed": False,
        "applications": applications,
        "missing": [name for name in params["names"] if name not in present],
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            names={"type": "list", "elements": "str", "default": []},
            label_selectors={"type": "list", "elements": "str", "default": []},
            namespace={"type": "str", "default": "argocd"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
