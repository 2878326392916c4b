# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_refresh, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_refresh

from .running import run_module
from .test_argocd_app_wait import PATH, states


def refresh(server, check=False, **arguments):
    return run_module(argocd_app_refresh, check, kubeconfig=server.kubeconfig, **arguments)


def test_the_status_is_the_answer_to_this_request(api_server):
    server = api_server("wait_ready")
    result = refresh(server, names=["one", "two"])
    assert states(result) == {"one": ("ready", ""), "two": ("ready", "")}
    assert [entry["fresh"] for entry in result["applications"]] == [True, True]
    assert (result["changed"], result["requests"]) == (False, {"list": 1, "watch": 1, "patch": 2})
    assert result["applications"][0]["revision"] == "4456319d4f8d46ef6cb66371cd4db81c8cb9bab5"


def test_manifests_can_be_rendered_again_and_an_error_of_that_is_no_error_of_the_refresh(api_server):
    server = api_server("refresh_hard")
    result = refresh(server, names=["manual"], refresh="hard")
    assert states(result) == {"manual": ("ready", "")}
    assert server.steps_of("PATCH")[0]["body"]["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "hard"
    found = result["applications"][0]
    assert (found["sync"], [entry["type"] for entry in found["conditions"]]) == ("Unknown", ["ComparisonError"])


def test_a_controller_that_does_not_answer_is_an_error(api_server):
    result = refresh(api_server("refresh_without_controller"), names=["manual"], wait_timeout=1)
    assert result["msg"] == (
        "0 of 1 Applications are refreshed.\n"
        "Application manual was not refreshed after 1 s: refresh requested 1 s ago; the application controller has not "
        "answered yet.\n"
        "What to do: docs/runbooks/not_healthy.md#argo-cd-itself"
    )


def test_check_mode_writes_nothing_and_says_what_is_there(api_server):
    server = api_server("info_all")
    result = refresh(server, names=["two"], check=True)
    assert server.asked() == [f"GET {PATH}"]
    assert states(result) == {"two": ("waiting", "check mode requests no refresh")}
    assert (result["changed"], result["applications"][0]["fresh"]) == (False, False)


def test_a_name_that_does_not_exist_is_an_error_before_anything_is_done(api_server):
    result = refresh(api_server("info_all"), names=["one", "three", "four"])
    assert result["msg"] == "In namespace argocd there is no Application four or three."


def test_a_choice_that_leaves_nothing_is_an_error(api_server):
    server = api_server("info_all")
    words = "No Application matches: check names, label_selectors, applicationsets and namespace."
    assert refresh(server, applicationsets=["nothing"])["msg"] == words
    words = "names, label_selectors and applicationsets are empty: name at least one Application."
    assert refresh(server, names=[])["msg"] == words


def test_missing_rights_to_list(api_server):
    assert refresh(api_server("wait_forbidden_list"), names=["one"])["msg"].startswith(
        "Applications cannot be listed: applications.argoproj.io is forbidden"
    )
