# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that gets no connection ends with a sentence, whichever module it is."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_delete,
    argocd_app_info,
    argocd_app_refresh,
    argocd_app_sync,
    argocd_app_terminate,
    argocd_app_wait,
    argocd_appset_info,
    argocd_appset_refresh,
    cluster_connection,
    gitops_compare,
    server_side_apply,
)

from .api_server import write_kubeconfig
from .running import run_module

MODULES = {
    argocd_app_delete: {"names": ["one"]},
    argocd_app_info: {},
    argocd_app_refresh: {"names": ["one"]},
    argocd_app_sync: {"names": ["one"]},
    argocd_app_terminate: {"names": ["one"]},
    argocd_app_wait: {"names": ["one"]},
    argocd_appset_info: {},
    argocd_appset_refresh: {"names": ["tests"]},
    gitops_compare: {"tree": "/nowhere", "repo_url": "file:///r", "environment": "dev", "components": []},
    server_side_apply: {"definition": []},
}


@pytest.fixture(params=MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def module(request):
    return lambda server: run_module(request.param, kubeconfig=server.kubeconfig, **MODULES[request.param])


def test_credentials_that_are_not_accepted(api_server, module):
    assert module(api_server("unauthorized"))["msg"] == (
        "The API server cannot be used: the answer is 401 Unauthorized"
    )


def test_an_api_server_that_does_not_answer(api_server, module):
    server = api_server("start")
    server.stop()
    message = module(server)["msg"]
    assert message.startswith("The API server cannot be used: ")
    assert "Connection refused" in message


def test_a_web_server_that_is_no_api_server(api_server, module):
    server = api_server(lambda _method, _path: (200, "<html>", "text/html"))
    server.start.clear()
    assert module(server)["msg"].startswith("The API server cannot be used: ")


def test_a_kubeconfig_that_does_not_exist():
    assert run_module(argocd_app_info, kubeconfig="/nowhere")["msg"] == (
        "The API server cannot be used: Could not create API client: Invalid kube-config file. No configuration found."
    )


def test_no_value_of_a_kubeconfig_is_shown(tmp_path):
    user = {"auth-provider": {"name": "oidc", "config": {"client-secret": "hunter2"}}}
    result = run_module(argocd_app_info, kubeconfig=write_kubeconfig(tmp_path / "config", "https://h.invalid", user))
    assert "Expected key id-token" in result["msg"]
    assert "hunter2" not in str(result)


def test_credentials_of_a_context_that_are_not_accepted(api_server):
    server = api_server("unauthorized")
    assert run_module(cluster_connection, kubeconfig=server.kubeconfig)["msg"] == (
        f"Context test of {server.folder}/kubeconfig cannot be used: the answer is 401 Unauthorized"
    )
