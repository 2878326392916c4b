# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_terminate, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_terminate

from .running import run_module
from .test_argocd_app_wait import PATH


def terminate(server, check=False, **arguments):
    return run_module(argocd_app_terminate, check, kubeconfig=server.kubeconfig, **arguments)


def test_the_running_operation_is_ended_and_the_idle_application_left_alone(api_server):
    server = api_server("terminate_running")
    result = terminate(server, names=["manual", "one"])
    found = {entry["name"]: (entry["state"], entry["terminated"], entry["phase"]) for entry in result["applications"]}
    assert found == {"manual": ("ready", True, "Failed"), "one": ("ready", False, "")}
    assert (result["changed"], server.writes()) == (True, [f"PATCH {PATH}/manual"])
    assert result["applications"][0]["message"] == "Operation terminated"


def test_nothing_is_done_where_nothing_runs(api_server):
    server = api_server("terminate_nothing")
    result = terminate(server, names=["one"])
    assert (result["changed"], server.writes()) == (False, [])
    assert result["requests"]["list"] == 1


def test_check_mode_says_what_would_be_ended(api_server):
    server = api_server("terminate_check")
    result = terminate(server, names=["manual", "one"], check=True)
    found = {entry["name"]: entry["terminated"] for entry in result["applications"]}
    assert (found, result["changed"]) == ({"manual": True, "one": False}, True)
    assert server.asked() == [f"GET {PATH}"]


def test_a_controller_that_does_not_end_it_is_an_error(api_server):
    result = terminate(api_server("terminate_without_controller"), names=["manual"], wait_timeout=2)
    assert result["msg"].startswith(
        "0 of 1 Applications are idle.\nApplication manual was not idle after 2 s: operation of ansible, Terminating "
    )
    assert result["changed"] is True
