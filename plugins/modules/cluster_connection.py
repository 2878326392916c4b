#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_connection
short_description: Find out which cluster a kubeconfig names, and that it answers (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Used by role C(cluster). Chooses the context, connects with what the kubeconfig says and nothing else, and reads the
    UID of the namespace C(kube-system), which identifies a cluster.
extends_documentation_fragment:
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, absolute, below C(~) or relative to the folder in which ansible-playbook was started.
        Several are joined with C(:). It may be encrypted with Ansible Vault.
      - Empty means the default kubeconfig of kubectl, which is C(KUBECONFIG) or C(~/.kube/config).
    type: str
    default: ""
  context:
    description:
      - Name of the context. May be empty when the kubeconfig has only one, whether or not it is the current one.
    type: str
    default: ""
  uid:
    description: UID of the namespace C(kube-system) of the intended cluster. Empty accepts any UID.
    type: str
    default: ""
  oldest_version:
    description: Release of Kubernetes, such as V(1.34). An older cluster is refused.
    type: str
    default: "1.34"
  argocd_namespace:
    description: Namespace in which to look for the environment that the cluster serves. Empty does not look.
    type: str
    default: ""
notes:
  - Unlike the other modules it does not take options from the variables C(K8S_AUTH_*), and fails when it sees one of
    them. The playbooks of this collection unset them with C(playbooks/vars/connection.yml).
  - Everything that a kubeconfig can contain works, such as relative paths, C(tls-server-name), C(proxy-url),
    C(insecure-skip-tls-verify) and C(exec) plugins. No value of it is returned or printed except names, the address and
    paths of files.
  - "Error C(has several contexts): set O(context) to one of those that the message lists."
  - "Error C(... is Kubernetes ...): the operators do not support this release. A release newer than the tested ones
    is a warning."
  - "Error C(This is not the intended cluster): the kubeconfig or O(uid) is that of another cluster."
"""

EXAMPLES = r"""
- name: Identify the cluster
  monorepo.gitops.cluster_connection:
    kubeconfig: ~/.kube/dev.yaml
    context: dev
"""

RETURN = r"""
kubeconfig:
  description: Absolute path of the kubeconfig.
  returned: success
  type: str
context:
  description: Name of the context that was used.
  returned: success
  type: str
server:
  description: Address of the API server.
  returned: success
  type: str
uid:
  description: UID of the namespace C(kube-system).
  returned: success
  type: str
version:
  description: Version of Kubernetes.
  returned: success
  type: str
no_proxy:
  description:
    - Value of C(NO_PROXY) for modules that talk to this cluster; with the addresses of this machine, unless
      RV(names_proxy).
  returned: success
  type: str
environment:
  description:
    - Environment that the cluster serves, as C(site.yml) recorded it in the ConfigMap C(monorepo-gitops). Empty when it
      has not, or when the ConfigMap may not be read, which is a warning.
  returned: success
  type: str
unproven:
  description:
    - Why it is unknown whether this is the cluster of the inventory, in the words of the API server. Empty unless the
      ConfigMap may not be read and O(uid) is empty.
  returned: success
  type: str
names_proxy:
  description:
    - Whether the kubeconfig names a proxy for this cluster. As by kubectl, it is used whatever C(NO_PROXY) says.
  returned: success
  type: bool
"""

import os
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _connection
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import CONFIG_MAP, recorded_side
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

TEXTS = ("kubeconfig", "context", "uid", "argocd_namespace")


def connect(module: Any) -> Any:
    """Return a client of the chosen context, and keep the context's name among the options."""
    kubeconfig = module.params["kubeconfig"]
    _connection.check_environment(os.environ)
    entries = _connection.read_kubeconfig(kubeconfig.split(os.pathsep))
    context = _connection.choose_context(entries, module.params["context"], kubeconfig)
    _connection.check_complete(entries, context, kubeconfig)
    module.params["context"] = context
    client = _client.client_of(kubeconfig, context)
    plugin, configuration = _connection.plugin_of(entries, context), client.client.configuration
    # The kubernetes library continues without credentials when a plugin fails.
    if plugin and not configuration.api_key and not configuration.cert_file:
        raise GitopsError(
            f"The credential plugin {plugin} of context {context} in {kubeconfig} returned no credentials: "
            f"kubectl --kubeconfig {kubeconfig} --context {context} get namespace kube-system shows its error message."
        )
    return client


def environment_of(module: Any, api: Api, namespace: str) -> tuple[str, str]:
    """Return the environment that the cluster serves, as far as that is recorded, and why the record cannot be read."""
    if not namespace:
        return "", ""
    status, found = api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{CONFIG_MAP}")
    if status not in (200, 404):
        reason = str(found.get("message", status))
        module.warn(f"ConfigMap {namespace}/{CONFIG_MAP}, which says whose cluster this is, cannot be read: {reason}")
        return "", reason
    side = recorded_side(found) if status == 200 else None
    return side.environment if side else "", ""


def run(module: Any, client: Any) -> dict[str, Any]:
    """Identify the cluster."""
    params, api = module.params, Api(client)
    status, namespace = api.request("GET", "/api/v1/namespaces/kube-system")
    if status != 200:
        raise GitopsError(
            f"The API server {api.host} answers {status} to context {params['context']} of {params['kubeconfig']}: "
            f"{namespace.get('message', 'no reason given')}"
        )
    uid = (namespace.get("metadata") or {}).get("uid")
    if not uid:
        raise GitopsError(f"{api.host} is not a Kubernetes API server: its namespace kube-system has no UID.")
    _connection.check_uid(uid, params["uid"], api.host)
    version = api.request("GET", "/version")[1].get("gitVersion") or ""
    warning = _connection.check_version(version, params["oldest_version"], api.host)
    if warning:
        module.warn(warning)
    environment, unread = environment_of(module, api, params["argocd_namespace"])
    return {
        "changed": False,
        "kubeconfig": params["kubeconfig"],
        "context": params["context"],
        "server": api.host,
        "uid": uid,
        "version": version,
        "environment": environment,
        "unproven": "" if params["uid"] else unread,
        "no_proxy": os.environ.get("NO_PROXY", ""),
        "names_proxy": _client.names_proxy(params),
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        connect,
        argument_spec={
            name: {"type": "str", "default": ""} for name in ("kubeconfig", "context", "uid", "argocd_namespace")
        }
        | {"oldest_version": {"type": "str", "default": _connection.OLDEST}},
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
