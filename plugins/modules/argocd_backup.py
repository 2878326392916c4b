#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_backup
short_description: Write the state of Argo CD into a file (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Keeps the Applications, ApplicationSets, AppProjects, and Argo CD's ConfigMaps and Secrets, with repositories,
    clusters and the record of the environment, without owners, UIDs, status and operations.
  - With Secrets the file is encrypted with Ansible Vault, by the password that Ansible was started with. The file
    appears under its name when it is complete, and only its owner can read it.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.attributes
options:
  folder:
    description: Folder on the controller; it is created. A file in it is named after the time in UTC.
    type: path
    required: true
  environment:
    description: Environment of the inventory. A cluster that serves another one is refused.
    type: str
    required: true
  secrets:
    description:
      - Whether Secrets are kept. Without a password of Ansible Vault, V(true) is an error.
      - With V(false) the file is plain, so Applications and ApplicationSets that hand values to Helm, Jsonnet or a
        plugin are left out, too, because these may be secrets. RV(left_out) names them.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details: Reads everything and writes no file.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run writes a file.
notes:
  - Needs the rights to list Applications, ApplicationSets, AppProjects, ConfigMaps and, with O(secrets), Secrets in
    O(namespace).
  - "Error C(there is no vault password): give one as usual, for example with C(--vault-password-file), or
    leave Secrets out."
  - Objects with values of Secrets are never part of the result.
seealso:
  - module: monorepo.gitops.server_side_apply
"""

EXAMPLES = r"""
- name: Back up the state of Argo CD
  monorepo.gitops.argocd_backup:
    folder: backups/dev
    environment: dev
"""

RETURN = r"""
path:
  description: The file; empty in check mode.
  returned: success
  type: str
counts:
  description: Number of objects by kind.
  returned: success
  type: dict
  sample: {Application: 15, ApplicationSet: 2}
left_out:
  description: Applications and ApplicationSets that a plain file does not have.
  returned: success
  type: list
  elements: str
  sample: [Application argocd/shop]
encrypted:
  description: Whether the file is encrypted.
  returned: success
  type: bool
"""

from collections import Counter
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import backup
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

PLURALS = {
    "AppProject": (backup.ARGOCD, "appprojects"),
    "Application": (backup.ARGOCD, "applications"),
    "ApplicationSet": (backup.ARGOCD, "applicationsets"),
    "ConfigMap": ("v1", "configmaps"),
    "Secret": ("v1", "secrets"),
}


def read(api: Api, namespace: str, kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind that are part of the state."""
    version, plural = PLURALS[kind]
    status, found = api.request("GET", f"{group_path(version)}/namespaces/{namespace}/{plural}")
    if status != 200:
        reason = "Argo CD is not installed" if status == 404 else found.get("message", status)
        raise GitopsError(f"The {plural} of namespace {namespace} cannot be listed: {reason}")
    items = [{"apiVersion": version, "kind": kind} | item for item in found["items"]]
    return [backup.kept(item) for item in items if version == backup.ARGOCD or backup.belongs(item)]


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the state. The action plugin takes the objects out of the result and writes them."""
    params, api = module.params, Api(client)
    kinds = [kind for kind in backup.KINDS if kind != "Secret" or params["secrets"]]
    objects = [item for kind in kinds for item in read(api, params["namespace"], kind)]
    found = backup.environment_of(objects)
    if found != params["environment"]:
        raise GitopsError(
            f"No backup was made: the cluster serves {'environment ' + found if found else 'no environment'}, and the "
            f"inventory is that of {params['environment']}."
        )
    left_out = [] if params["secrets"] else [item for item in objects if backup.needs_encryption(item)]
    objects = [item for item in objects if item not in left_out]
    counts = dict(sorted(Counter(item["kind"] for item in objects).items()))
    return {"changed": True, "counts": counts, "left_out": [label(item) for item in left_out], "objects": objects}


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            folder={"type": "path", "required": True},
            environment={"type": "str", "required": True},
            secrets={"type": "bool", "default": True, "no_log": False},
            namespace={"type": "str", "default": "argocd"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
