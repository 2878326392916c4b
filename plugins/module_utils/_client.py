# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of the client and the authentication of kubernetes.core.

The base class of our action plugins, in plugin_utils/k8s_action.py, is made of its action plugin.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.monorepo.gitops.plugins.module_utils import _connection, _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies


def argument_spec(**own: dict[str, Any]) -> dict[str, Any]:
    """Return the authentication options of kubernetes.core together with a module's own options."""
    return {**deepcopy(AUTH_ARG_SPEC), **own}


def client_of(kubeconfig: str, context: str) -> Any:
    """Return the DynamicClient of a context."""
    return _client(f"Context {context} of {kubeconfig}", kubeconfig=kubeconfig, context=context)


def client_of_module(module: AnsibleK8SModule) -> Any:
    """Return the DynamicClient that the options and the environment describe, by the conventions of kubernetes.core."""
    return _client("The API server", module=module)


def _client(what: str, **settings: Any) -> Any:
    """Return a DynamicClient, which contacts the API server when it is created; errors contain no secrets."""
    try:
        return get_api_client(**settings).client
    except Exception as error:  # the kubernetes library does not wrap the errors of what it reads
        status, reason = getattr(error, "status", None), getattr(error, "reason", None)
        # For a missing key the library prints the whole entry of the kubeconfig, including its token.
        text = f"the answer is {status} {reason}" if status else str(error).partition("{")[0].strip()
        raise GitopsError(f"{what} cannot be used: {text}") from None


def names_proxy(params: dict[str, Any]) -> bool:
    """Return whether the kubeconfig names a proxy for this very cluster."""
    kubeconfig = params.get("kubeconfig") or os.environ.get("K8S_AUTH_KUBECONFIG", "")
    try:
        entries = _connection.read_kubeconfig(_connection.kubeconfig_files(kubeconfig, os.environ))
    except GitopsError:
        return False
    context = params.get("context") or os.environ.get("K8S_AUTH_CONTEXT", "")
    return bool(_connection.proxies_of(entries, context))


def choose_proxy(params: dict[str, Any]) -> None:
    """Let this process reach the cluster as kubectl does.

    kubectl uses the proxy that a kubeconfig names whatever NO_PROXY says, and for a cluster on this machine no other.
    """
    if params.get("proxy") or os.environ.get("K8S_AUTH_PROXY") or isinstance(params.get("kubeconfig"), dict):
        return
    if not names_proxy(params):
        exempt_from_proxies()
    elif params.get("no_proxy") is None:
        # Not NO_PROXY itself, which a credential plugin may need.
        os.environ.setdefault(_connection.NO_PROXY, "")


def run_module(
    function: Callable[[AnsibleK8SModule, Any], dict[str, Any]],
    connect: Callable[[AnsibleK8SModule], Any] = client_of_module,
    **settings: Any,
) -> None:
    """Create the module, connect to the API server, call `function(module, client)` and return its result.

    `client` is the DynamicClient of the kubernetes library.
    """
    module = AnsibleK8SModule(module_class=_run.module_class(), **settings)
    choose_proxy(module.params)
    _run.finish(module, lambda started: function(started, connect(started)))
