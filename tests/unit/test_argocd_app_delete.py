# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_delete, against what a real API server said while a real Argo CD deleted."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._api import UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import deletion
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_delete

from .running import run_module, unhurried

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


@pytest.fixture(autouse=True)
def short_polls(monkeypatch):
    monkeypatch.setattr(deletion, "POLL_SECONDS", 0.02)


def delete(server, *names, check=False, **arguments):
    settings = {"names": list(names), "wait_timeout": 20} | arguments
    return run_module(argocd_app_delete, check, kubeconfig=server.kubeconfig, **settings)


def test_an_application_is_deleted_with_what_it_deployed(api_server):
    server = api_server("delete")
    result = delete(server, "two", "gone")
    assert (result["changed"], result["deleted"]) == (True, ["two"])
    uid = server.steps_of("GET")[0]["answer"]["metadata"]["uid"]
    assert [step["body"] for step in server.steps if "body" in step] == [
        {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}},
        {"preconditions": {"uid": uid}},
    ]
    assert server.writes() == [f"PATCH {PATH}/two", f"DELETE {PATH}/two"]


def test_check_mode_says_what_would_be_deleted(api_server):
    server = api_server("delete_check")
    result = delete(server, "one", "gone", check=True)
    assert (result["changed"], result["deleted"]) == (True, ["one"])
    assert server.writes() == []


def test_what_is_gone_is_no_change(api_server):
    result = delete(api_server("delete_nothing"), "gone")
    assert (result["changed"], result["deleted"]) == (False, [])


def test_what_holds_a_deletion_is_named(api_server, tmp_path, monkeypatch):
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0.3)
    progress = tmp_path / "progress"
    server = api_server("delete_held")
    result = delete(server, "held", wait_timeout=1, progress_file=str(progress))
    since = result["msg"].partition("(since ")[2].partition(")")[0]
    text = (
        f"Application held is being deleted (since {since}); finalizer resources-finalizer.argocd.argoproj.io; "
        "held by ConfigMap held/held (finalizer tests/keep)."
    )
    assert unhurried(result["msg"], 1) == f"Not deleted after 1 s: {text}"
    assert progress.read_text().splitlines()[0].endswith(f" s: {text}")


def test_an_api_server_that_restarts_does_not_end_a_line_of_progress(api_server, tmp_path, monkeypatch):
    def away(*_arguments):
        raise UnavailableError("The API server does not answer: refused")

    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    monkeypatch.setattr(deletion, "being_deleted", away)
    progress = tmp_path / "progress"
    result = delete(api_server("delete_held"), "held", wait_timeout=1, progress_file=str(progress))
    # It went on until its time was up.
    assert (result["msg"], result["failed"]) == ("The API server does not answer: refused", True)
    assert progress.read_text() == "   0 s: The API server does not answer: refused\n"


def test_an_operation_that_is_tried_again_and_again_is_ended(api_server):
    server = api_server("delete_retrying")
    result = delete(server, "moved")
    assert result["deleted"] == ["moved"]
    bodies = [step["body"] for step in server.steps_of("PATCH")]
    assert {"status": {"operationState": {"phase": "Terminating"}}} in bodies


def test_an_operation_that_has_not_begun_is_taken_away(api_server):
    server = api_server("delete_before_sync")
    result = delete(server, "early", wait_timeout=0)
    assert "Not deleted after 0 s: Application early is being deleted" in unhurried(result["msg"], 0)
    assert {"operation": None} in [step["body"] for step in server.steps_of("PATCH")]


def test_an_application_that_is_generated_again_stops_the_wait(api_server):
    result = delete(api_server("delete_generated"), "generated")
    assert result["msg"] == (
        "Application generated was deleted and created again: an ApplicationSet still generates it. Remove its folder "
        "from Git first."
    )


@pytest.mark.parametrize(
    ("recording", "message", "verb"),
    [
        ("delete_forbidden_get", "cannot be read", "get"),
        ("delete_forbidden_patch", "cannot be changed", "patch"),
        ("delete_forbidden_delete", "cannot be deleted", "delete"),
    ],
)
def test_missing_rights_are_said_in_the_words_of_the_api_server(api_server, recording, message, verb):
    result = delete(api_server(recording), "drifted")
    user = {"get": "nobody", "patch": "reader", "delete": "lister"}[verb]
    assert result["msg"] == (
        f'Application drifted {message}: applications.argoproj.io "drifted" is forbidden: User "system:serviceaccount:'
        f'default:{user}" cannot {verb} resource "applications" in API group "argoproj.io" in the namespace "argocd"'
    )
