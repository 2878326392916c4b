#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_info
short_description: Read which credentials are generated in a cluster, and how old they are (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Finds the passwords that External Secrets generates, those of the owners of CloudNativePG's databases, of Kafka's
    users with C(scram-sha-512), and of Argo CD's redis and C(admin). Not those that somebody provides, and no
    certificates.
  - The age is that of the ExternalSecret, which is recreated with its Secret; otherwise that of the annotation
    C(monorepo.gitops/rotated-at), or of the object. Argo CD itself knows when the password of C(admin) was changed.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  max_age:
    description: Age in days from which a credential is due.
    type: int
    default: 0
  secrets:
    description: Return these Secrets only, as C(<namespace>/<name>). All of them when it is empty.
    type: list
    elements: str
    default: []
notes:
  - Needs the rights to list ExternalSecrets, KafkaUsers and Clusters of CloudNativePG in all namespaces. Without one of
    them the others are returned, and RV(unreadable) names what is missing.
  - The two passwords of Argo CD are in the Secrets C(argocd-redis) and C(argocd-secret), which may be missing in the
    same way. Whoever can read them can act as its administrator, so no role of C(access.yml) has this right.
seealso:
  - module: monorepo.gitops.secret_regenerate
"""

EXAMPLES = r"""
- name: Find the passwords that are older than a year
  monorepo.gitops.secret_info:
    max_age: 365
  register: found
"""

RETURN = r"""
secrets:
  description: The credentials in the order in which they are rotated, without their values.
  returned: success
  type: list
  elements: dict
  contains:
    namespace: {description: Namespace of the Secret., type: str}
    name: {description: Name of the Secret., type: str}
    made_by: {description: "V(ExternalSecret), V(Cluster), V(KafkaUser) or V(Argo CD).", type: str}
    owner: {description: Name of the object that it is made from., type: str}
    application: {description: Application that has this object; empty if none has., type: str}
    made_at: {description: Since when it is valid., type: str}
    age: {description: Whole days since then., type: int}
    due: {description: Whether it is as old as O(max_age)., type: bool}
    restarts:
      description: Workloads that read it through the API, so that no pod names the Secret.
      type: list
      elements: dict
unreadable:
  description: Resources that may not be read, with the name of a single object.
  returned: success
  type: list
  elements: str
  sample: [externalsecrets, secrets/argocd-secret]
"""

import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import credentials, generated

Manifest = dict[str, Any]


class Reader:
    """Reads what there is and may be read."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.unreadable: list[str] = []

    def get(self, path: str) -> Manifest | None:
        """Return an object or a list; None where there is none, or where it may not be read."""
        status, found = self.api.request("GET", path)
        if status == 403:
            self.unreadable.append(re.sub(r"^/apis?/.*/(?=\w+$|secrets/)", "", path))
        elif status not in (200, 404):
            raise GitopsError(f"{path} cannot be read: {found.get('message', status)}")
        return found if status == 200 else None

    def items(self, path: str) -> list[Manifest]:
        """Return the objects of a list."""
        return list((self.get(path) or {}).get("items", []))


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read and return the result of the module."""
    params, reader = module.params, Reader(Api(client))
    secrets = f"/api/v1/namespaces/{params['namespace']}/secrets"
    found = [
        *credentials.of_external(reader.items(f"/apis/{generated.GROUP}/v1/externalsecrets")),
        *credentials.of_clusters(reader.items(credentials.OWNERS[credentials.CLUSTER].format(""))),
        *credentials.of_kafka_users(reader.items(credentials.OWNERS[credentials.KAFKA_USER].format(""))),
        *credentials.of_argocd(
            reader.get(f"{secrets}/{credentials.REDIS}"), reader.get(f"{secrets}/{credentials.ARGOCD_SECRET}")
        ),
    ]
    entries = credentials.with_ages(found, params["max_age"], datetime.now(UTC))
    chosen = credentials.only(entries, params["secrets"])
    return {"changed": False, "secrets": chosen, "unreadable": reader.unreadable}


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            max_age={"type": "int", "default": 0},
            secrets={"type": "list", "elements": "str", "default": [], "no_log": False},
            namespace={"type": "str", "default": "argocd"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
