# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_rollback, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_rollback

from .running import run_module
from .test_argocd_app_wait import PATH, few_refreshes

__all__ = ["few_refreshes"]  # used by every test


def rollback(server, check=False, **arguments):
    return run_module(argocd_app_rollback, check, kubeconfig=server.kubeconfig, name="maildev", **arguments)


def test_it_returns_to_the_deployment_before_and_waits(api_server):
    server = api_server("rollback_previous")
    result = rollback(server, wait_timeout=30)
    found = result["applications"][0]
    assert (result["changed"], found["state"], found["phase"], found["health"]) == (
        True,
        "ready",
        "Succeeded",
        "Healthy",
    )
    assert found["synced_revisions"] == result["deployment"]["revisions"]
    assert found["revision"] not in found["synced_revisions"]
    assert found["sync"] == "OutOfSync"
    operation = server.steps_of("PATCH")[0]["body"]["operation"]
    assert operation["sync"]["syncStrategy"] == {"apply": {}}
    assert operation["sync"]["source"]["path"] == "argocd/infra/maildev/envs/hb"
    assert (operation["sync"]["prune"], "retry" in operation) == (False, False)
    assert operation["info"] == [{"name": "ansible-request-id", "value": operation["info"][0]["value"]}]


def test_check_mode_says_what_it_would_return_to(api_server):
    server = api_server("rollback_check")
    result = rollback(server, check=True, id=0)
    assert (result["changed"], result["deployment"]["id"], server.writes()) == (True, 0, [])
    assert server.asked() == [f"GET {PATH}"]


def test_it_is_refused_while_automated_sync_is_on(api_server):
    server = api_server("rollback_automated")
    assert rollback(server, id=0)["msg"] == (
        "Nothing was rolled back. Application maildev: rollback cannot be initiated when auto-sync is enabled; pause "
        "it first with argocd_app_pause."
    )
    assert server.writes() == []


def test_an_unknown_deployment_is_refused_with_the_history(api_server):
    server = api_server("rollback_unknown")
    assert rollback(server, revision="0123456789")["msg"].startswith(
        "Application maildev does not have a deployment of revision 0123456789: its history has "
    )
    assert server.writes() == []
