# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_appset_refresh, against what a real API server said while a real Argo CD generated."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import applicationset
from ansible_collections.monorepo.gitops.plugins.modules import argocd_appset_refresh

from .running import run_module

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch):
    """Poll often, and do not ask again within the time limits of these tests."""
    monkeypatch.setattr(applicationset, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(applicationset, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(applicationset, "RETRY_SECONDS", (60,))


def refresh(server, *names, check=False, **arguments):
    settings = {"names": list(names), "wait_timeout": 20} | arguments
    return run_module(argocd_appset_refresh, check, kubeconfig=server.kubeconfig, **settings)


def test_the_second_answer_of_the_controller_counts(api_server):
    server = api_server("appset_refresh")
    result = refresh(server, "tests", expected=["generated"])
    assert (result["changed"], result["applications"]) == (False, {"tests": ["generated"]})
    assert server.writes() == [f"PATCH {PATH}/applicationsets/tests"] * 2
    tokens = [step["body"]["metadata"]["annotations"] for step in server.steps_of("PATCH")]
    assert [list(token) for token in tokens] == [["argocd.argoproj.io/application-set-refresh"]] * 2
    assert tokens[0] != tokens[1]


def test_check_mode_asks_for_nothing(api_server):
    server = api_server("appset_check")
    result = refresh(server, "tests", "absent", check=True)
    assert result["applications"] == {"tests": ["generated"], "absent": []}
    assert server.writes() == []


def test_an_expected_application_that_is_missing_is_named(api_server):
    result = refresh(api_server("appset_missing"), "tests", expected=["generated", "other"])
    assert result["msg"] == (
        "No Application was generated for other: is the overlay in the revision and below the path that tests reads?"
    )
    assert result["applications"] == {"tests": ["generated"]}


def test_fewer_applications_than_there_must_be(api_server):
    result = refresh(api_server("appset_few"), "tests", min_applications=2)
    assert result["msg"] == "ApplicationSet tests has fewer than 2 Applications: check path and revision."


def test_what_the_generator_says_is_passed_on(api_server):
    result = refresh(api_server("appset_error"), "unreadable")
    assert result["msg"].startswith(
        "ApplicationSet unreadable: no Applications were generated: error generating params"
    )
    assert result["msg"].endswith("failed to list refs: repository not found")


def test_an_application_that_is_being_deleted_is_waited_for(api_server):
    result = refresh(api_server("appset_leaving"), "tests", expected=["generated"])
    assert result["msg"].startswith("Application generated is being deleted (since ")
    assert result["msg"].endswith(
        "held by ConfigMap generated/one (finalizer tests/keep). It is generated again after that."
    )


def test_an_application_that_was_judged_without_its_folder_is_refreshed(api_server):
    server = api_server("appset_unknown")
    refresh(server, "tests")
    assert server.writes()[2:] == [f"PATCH {PATH}/applications/nowhere"]
    assert server.steps_of("PATCH")[2]["body"] == {
        "metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}
    }


def test_a_controller_that_does_not_answer_is_named(api_server, tmp_path, monkeypatch):
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0.3)
    progress = tmp_path / "progress"
    result = refresh(api_server("appset_silent"), "tests", wait_timeout=1, progress_file=str(progress))
    assert result["msg"] == (
        "The ApplicationSet controller did not process a refresh of tests in time: is it running, and does it serve "
        "this namespace?"
    )
    assert progress.read_text().splitlines()[0].endswith(" s: waiting for the ApplicationSet controller (tests)")


def test_an_applicationset_that_does_not_exist_is_named(api_server):
    result = refresh(api_server("appset_absent"), "absent")
    assert result["msg"] == (
        'ApplicationSet absent cannot be refreshed: applicationsets.argoproj.io "absent" not found'
    )


def test_missing_rights_are_said_in_the_words_of_the_api_server(api_server):
    result = refresh(api_server("appset_forbidden"), "tests")
    assert result["msg"] == (
        'ApplicationSet tests cannot be refreshed: applicationsets.argoproj.io "tests" is forbidden: User '
        '"system:serviceaccount:default:reader" cannot patch resource "applicationsets" in API group "argoproj.io" in '
        'the namespace "argocd"'
    )


def test_an_api_server_that_stays_away_is_an_error_when_the_time_is_over(api_server):
    server = api_server(lambda _method, _path: (503, {}))
    result = refresh(server, "tests", wait_timeout=0)
    assert result["msg"] == f"The API server {server.url} answers 503 to PATCH {PATH}/applicationsets/tests."
