#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service_account_kubeconfig
short_description: Write a kubeconfig with a short-lived token of a ServiceAccount (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Requests a token (C(TokenRequest)), which ends by itself, and writes it into a kubeconfig for the same API server.
    Only its owner can read the file; it is replaced as a whole.
  - A file whose token is that of the same ServiceAccount and still valid for more than half of O(seconds) stays.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the ServiceAccount.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  file:
    description: The file. Folders that are missing are made.
    type: path
    required: true
  seconds:
    description: For how long the token is valid, at least 600. The API server may have a limit of its own.
    type: int
    default: 3600
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The file is a secret.
  idempotent:
    support: full
    details: Within the first half of the life of a token.
notes:
  - "Needs the rights to get the ServiceAccount, and to create its C(serviceaccounts/token)."
"""

EXAMPLES = r"""
- name: Write a kubeconfig for CI
  monorepo.gitops.service_account_kubeconfig:
    name: gitops-ci
    namespace: argocd
    file: ci.kubeconfig
"""

RETURN = r"""
file:
  description: Absolute path of the file.
  returned: success
  type: str
expires:
  description: When the token ends, in UTC. Empty in check mode, where none is requested.
  returned: success
  type: str
  sample: "2026-11-28T12:00:00Z"
"""

import base64
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time

LEAST = 600  # what the API server accepts


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says about itself; nothing when it is none."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def kubeconfig(configuration: Any, namespace: str, name: str, token: str) -> dict[str, Any]:
    """Return a kubeconfig for the API server of a client's configuration."""
    cluster: dict[str, Any] = {"server": configuration.host}
    if not configuration.verify_ssl:
        cluster["insecure-skip-tls-verify"] = True
    elif configuration.ssl_ca_cert:
        cluster["certificate-authority-data"] = base64.b64encode(Path(configuration.ssl_ca_cert).read_bytes()).decode()
    if getattr(configuration, "tls_server_name", None):
        cluster["tls-server-name"] = configuration.tls_server_name
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "users": [{"name": name, "user": {"token": token}}],
    }


def present_token(path: Path, server: str) -> str:
    """Return the token of a file for the same API server; nothing when there is none."""
    try:
        content = _yaml.load(path.read_text())
        same = content["clusters"][0]["cluster"]["server"] == server
        return str(content["users"][0]["user"]["token"]) if same else ""
    except (OSError, _yaml.YamlError, LookupError, TypeError):
        return ""


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file that only its owner can read, as a whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def answered(answer: tuple[int, dict[str, Any]], what: str, missing: str) -> dict[str, Any]:
    """Return what the API server answered, or fail in its words."""
    status, found = answer
    if status not in (200, 201):
        raise GitopsError(f"{what}: {missing if status == 404 else found.get('message', status)}")
    return found


def run(module: Any, client: Any) -> dict[str, Any]:
    """Write the kubeconfig, unless the one that is there is good for some time."""
    params, api = module.params, Api(client)
    name, namespace, seconds = params["name"], params["namespace"], params["seconds"]
    if seconds < LEAST:
        raise GitopsError(f"seconds is {seconds}: set it to {LEAST} or more, because the API server accepts no less.")
    path = Path(params["file"]).absolute()
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
    what = f"ServiceAccount {namespace}/{name} cannot be used"
    status, found = api.request("GET", account)
    if status == 404 and module.check_mode:  # an earlier task would have made it
        return {"changed": True, "file": str(path), "expires": ""}
    uid = answered((status, found), what, "it does not exist")["metadata"]["uid"]
    configuration = client.client.configuration
    claims = claims_of(present_token(path, configuration.host))
    owner = ((claims.get("kubernetes.io") or {}).get("serviceaccount") or {}).get("uid")
    private = path.exists() and path.stat().st_mode & 0o077 == 0
    if private and owner == uid and claims.get("exp", 0) - time.time() > seconds / 2:
        return {"changed": False, "file": str(path), "expires": moment(claims["exp"])}
    if module.check_mode:
        return {"changed": True, "file": str(path), "expires": ""}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
    answer = answered(
        api.request("POST", f"{account}/token", body=body, content_type="application/json"),
        what,
        "it does not exist",
    )
    token = answer["status"]["token"]
    write(path, kubeconfig(configuration, namespace, name, token))
    return {"changed": True, "file": str(path), "expires": moment(claims_of(token)["exp"])}


def moment(seconds: float) -> str:
    """Return a time as Kubernetes writes it."""
    return write_time(datetime.fromtimestamp(seconds, UTC))


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            name={"type": "str", "required": True},
            namespace={"type": "str", "required": True},
            file={"type": "path", "required": True},
            seconds={"type": "int", "default": 3600},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
