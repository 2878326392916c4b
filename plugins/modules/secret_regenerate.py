#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_regenerate
short_description: Let a generated credential be regenerated (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - External Secrets writes a Secret with C(refreshPolicy=CreatedOnce) and C(creationPolicy=Orphan) once in the life of
    its ExternalSecret, also when the Secret is deleted. A new ExternalSecret writes it again, if there is none.
  - So this deletes the Secret, and then the ExternalSecret. Whether that one comes back by automated sync or by
    M(monorepo.gitops.argocd_app_sync), Argo CD recreates it.
  - With O(made_by) the Secret is deleted, and its operator recreates it with a new password; the annotation
    C(monorepo.gitops/rotated-at) of O(owner) keeps the time. Argo CD's redis gets a new password at once. That of
    C(admin) is removed, and C(argocd-server) makes a new one when it starts.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  secret:
    description:
      - Secret, or its ExternalSecret, as C(<namespace>/<name>) or, if that is unique, by its name alone. Only one that
        a generator fills can be named.
      - Without it nothing is deleted, and RV(secrets) has what can be named.
    type: str
    default: ""
  made_by:
    description: What makes the Secret, as RV(monorepo.gitops.secret_info#module:secrets) has it.
    type: str
    choices: [ExternalSecret, Cluster, KafkaUser, Argo CD]
    default: ExternalSecret
  owner:
    description: Name of the object that the Secret is made from. Required with V(Cluster) and V(KafkaUser).
    type: str
  wait_timeout:
    description: Seconds to wait until both are deleted.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    details: Nothing is deleted.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run deletes them.
notes:
  - Needs the rights to list ExternalSecrets in all namespaces, to get the Application, and to get and delete the Secret
    and the ExternalSecret. With O(made_by) to get and delete the Secret and to patch Clusters of CloudNativePG or
    KafkaUsers, or to patch the Secret of Argo CD, which no role of C(access.yml) allows.
  - "Error C(belongs to no Application), C(no longer has ... in Git): nothing would recreate the ExternalSecret.
    Delete and create it by hand."
seealso:
  - module: monorepo.gitops.argocd_app_sync
  - module: monorepo.gitops.workload_restart
"""

EXAMPLES = r"""
- name: Delete a password
  monorepo.gitops.secret_regenerate:
    secret: minio/minio-root
  register: deleted

- name: Recreate it
  monorepo.gitops.argocd_app_sync:
    names: ["{{ deleted.secrets[0].application }}"]
    only_out_of_sync: true
"""

RETURN = r"""
secrets:
  description: The Secret that O(secret) names; without it, all that External Secrets generates.
  returned: success
  type: list
  elements: dict
  contains:
    namespace: {description: Namespace., type: str}
    name: {description: Name of the Secret., type: str}
    external_secret: {description: Name of its ExternalSecret., type: str}
    application: {description: Application that has the ExternalSecret., type: str}
    state: {description: "V(present), or V(missing) if the Secret did not exist.", type: str}
"""

import base64
import secrets
import string
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.deleting import delete
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP as ARGO
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import credentials, generated
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time

LETTERS = string.ascii_letters + string.digits
LENGTH = 64


def get(api: Api, path: str, what: str) -> dict[str, Any] | None:
    """Return an object, or None when it does not exist."""
    status, found = api.request("GET", path)
    if status not in (200, 404):
        raise GitopsError(f"{what} cannot be read: {found.get('message', status)}")
    return found if status == 200 else None


def run(module: Any, client: Any) -> dict[str, Any]:
    """Delete and return the result of the module."""
    params, api = module.params, Api(client)
    if params["made_by"] != credentials.EXTERNAL:
        return rotate(module, api)
    base = f"/apis/{generated.GROUP}/v1"
    found = get(api, f"{base}/externalsecrets", "The ExternalSecrets of all namespaces")
    if found is None:
        raise GitopsError("The cluster does not know the kind ExternalSecret: External Secrets is not installed.")
    items = [item for item in found["items"] if generated.is_generated(item)]
    if params["secret"]:
        items = [generated.pick(items, params["secret"])]
    entries = [generated.entry_of(item) for item in items]
    live = [get(api, secret_path(entry), f"Secret {entry['namespace']}/{entry['name']}") for entry in entries]
    states = [entry | {"state": "present" if item else "missing"} for entry, item in zip(entries, live, strict=True)]
    if not params["secret"]:
        return {"changed": False, "secrets": states}
    name = entries[0]["application"]
    path = f"{ARGO}/namespaces/{params['namespace']}/applications/{name}"
    generated.refuse(items[0], get(api, path, f"Application {name}") if name else None)
    if not module.check_mode:
        # The Secret first: a pod that starts in between must not get the old one.
        for item in filter(None, (live[0], items[0] | {"apiVersion": f"{generated.GROUP}/v1", "kind": generated.KIND})):
            delete(api, [item], params["wait_timeout"], say=progress_to(params["progress_file"]))
    return {"changed": True, "secrets": states}


def rotate(module: Any, api: Api) -> dict[str, Any]:
    """Rotate what an operator or Argo CD itself makes, and return the result of the module."""
    params = module.params
    namespace, _sep, name = params["secret"].partition("/")
    if not name:
        raise GitopsError(f"secret is {params['secret']!r}: with made_by it must be <namespace>/<name>.")
    entry = {"namespace": namespace, "name": name, "external_secret": "", "application": ""}
    secret = get(api, secret_path(entry), f"Secret {params['secret']}")
    result = {"changed": True, "secrets": [entry | {"state": "present" if secret else "missing"}]}
    if module.check_mode:
        return result
    time = {credentials.ROTATED: write_time()}
    if params["made_by"] == credentials.ARGOCD:
        patch(api, secret_path(entry), {"metadata": {"annotations": time}, "data": new_data(name)})
    else:
        say = progress_to(params["progress_file"])
        delete(api, [secret] if secret else [], params["wait_timeout"], say=say)
        path = credentials.OWNERS[params["made_by"]].format(f"namespaces/{namespace}/")
        patch(api, f"{path}/{params['owner']}", {"metadata": {"annotations": time}})
    return result


def new_data(name: str) -> dict[str, Any]:
    """Return what replaces the data of a Secret of Argo CD."""
    if name == credentials.ARGOCD_SECRET:
        return dict.fromkeys((credentials.PASSWORD, credentials.CHANGED))
    password = "".join(secrets.choice(LETTERS) for _number in range(LENGTH))
    return {"auth": base64.b64encode(password.encode()).decode()}


def patch(api: Api, path: str, body: dict[str, Any]) -> None:
    """Change an object; the message has neither what was sent nor the answer."""
    status, answer = api.request("PATCH", path, body=body)
    if status != 200:
        raise GitopsError(f"{path} cannot be changed: {answer.get('message', status)}")


def secret_path(entry: dict[str, str]) -> str:
    """Return the path of a Secret."""
    return f"/api/v1/namespaces/{entry['namespace']}/secrets/{entry['name']}"


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            secret={"type": "str", "default": "", "no_log": False},
            namespace={"type": "str", "default": "argocd"},
            made_by={"type": "str", "choices": list(credentials.MAKERS), "default": credentials.EXTERNAL},
            owner={"type": "str"},
            wait_timeout={"type": "int", "default": 60},
            progress_file={"type": "path"},
        ),
        required_if=[("made_by", maker, ("owner",)) for maker in credentials.OWNERS],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
