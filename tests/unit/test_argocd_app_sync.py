# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_sync, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_sync

from .running import run_module
from .test_argocd_app_wait import PATH, few_refreshes, states

__all__ = ["few_refreshes"]  # used by every test


def sync(server, check=False, **arguments):
    return run_module(argocd_app_sync, check, kubeconfig=server.kubeconfig, **{"wait_timeout": 20} | arguments)


def operation(server):
    """Return the operation that was written."""
    return next(step["body"]["operation"] for step in server.steps_of("PATCH") if "operation" in step["body"])


def test_the_result_is_that_of_the_operation_and_the_application_is_ready(api_server):
    server = api_server("sync_manual")
    result = sync(server, names=["manual"], prune=True)
    found = result["applications"][0]
    assert (states(result), found["phase"]) == ({"manual": ("ready", "")}, "Succeeded")
    assert found["message"] == "successfully synced (all tasks run)"
    assert [(entry["kind"], entry["name"], entry["message"]) for entry in found["resources"]] == [
        ("ConfigMap", "manual", "configmap/manual configured")
    ]
    assert found["synced_revisions"] == [found["revision"]]
    assert (result["changed"], found["started"], len(found["request_id"])) == (True, True, 36)
    assert operation(server)["sync"] == {"prune": True, "syncOptions": ["CreateNamespace=true"]}


def test_a_failed_sync_names_the_object_and_what_the_api_server_said(api_server):
    result = sync(api_server("sync_failed"), names=["manual"])
    assert result["msg"].startswith(
        '0 of 1 Applications are ready.\nApplication manual: sync Failed: ConfigMap manual/manual: ConfigMap "'
    )
    assert result["msg"].endswith("\nWhat to do: docs/runbooks/not_healthy.md#sync-failures")
    assert result["msg"].count("docs/runbooks") == 1
    assert (result["changed"], result["applications"][0]["phase"]) == (True, "Failed")


def test_a_dry_run_is_no_change(api_server):
    result = sync(api_server("sync_dry_run"), names=["manual"], dry_run=True)
    found = result["applications"][0]
    assert (result["changed"], found["state"], found["phase"]) == (False, "ready", "Succeeded")
    assert found["sync"] == "OutOfSync"


def test_without_a_wait_it_ends_when_the_operation_is_accepted(api_server):
    server = api_server("sync_without_wait")
    result = sync(server, names=["manual"], wait=False)
    found = result["applications"][0]
    assert (result["changed"], found["state"], found["started"]) == (True, "ready", True)
    assert operation(server)["info"][0]["name"] == "ansible-request-id"


def test_what_is_synced_is_left_alone(api_server):
    server = api_server("sync_only_out_of_sync")
    result = sync(server, names=["manual", "one"], only_out_of_sync=True)
    assert states(result) == {"manual": ("ready", ""), "one": ("ready", "")}
    assert {entry["name"]: entry["started"] for entry in result["applications"]} == {"manual": True, "one": False}
    assert operation(server)["sync"]["syncOptions"] == ["CreateNamespace=true", "ApplyOutOfSyncOnly=true"]


def test_another_operation_is_ended(api_server):
    server = api_server("sync_terminates")
    result = sync(server, names=["manual"], on_conflict="terminate")
    assert (states(result), result["applications"][0]["phase"]) == ({"manual": ("ready", "")}, "Succeeded")
    assert server.steps_of("PATCH")[0]["body"]["status"] == {"operationState": {"phase": "Terminating"}}


def test_another_operation_is_a_reason_to_refuse(api_server):
    server = api_server("terminate_check")
    result = sync(server, names=["manual", "one"], on_conflict="fail")
    assert result["msg"].startswith(
        "Nothing was synced. Application manual: another operation is already in progress (of ansible, Running since "
    )
    assert server.writes() == []


def test_another_revision_is_refused_while_automated_sync_is_on(api_server):
    server = api_server("info_all")
    result = sync(server, names=["one", "two"], revision="v1")
    words = "Cannot sync to v1: auto-sync currently set to main; switch automated sync off first, or change the branch"
    assert result["msg"] == f"Nothing was synced. Application one: {words}. Application two: {words}."
    assert server.writes() == []


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (
            "sync_replace_forbidden",
            "Nothing was synced. Application one: sync with replace was disabled on the API Server level via the "
            "server configuration.",
        ),
        (
            "sync_replace_unreadable",
            "ConfigMap argocd-cmd-params-cm, which says whether objects may be replaced, cannot be read: configmaps "
            '"argocd-cmd-params-cm" is forbidden: User "system:serviceaccount:argocd:operate" cannot get resource '
            '"configmaps" in API group "" in the namespace "argocd"',
        ),
    ],
)
def test_replace_can_be_forbidden(api_server, recording, expected):
    server = api_server(recording)
    assert sync(server, names=["one"], replace=True)["msg"] == expected
    assert server.writes() == []


@pytest.mark.parametrize(("choice", "names"), [({"all": True}, ["one", "two"]), ({"names": ["two"]}, ["two"])])
def test_check_mode_says_what_would_be_synced(api_server, choice, names):
    server = api_server("info_all")
    result = sync(server, check=True, **choice)
    assert [entry["name"] for entry in result["applications"]] == names
    assert {entry["started"] for entry in result["applications"]} == {True}
    assert (result["changed"], server.asked()) == (True, [f"GET {PATH}"])
    # Only of what is out of sync, as far as that is known without a refresh; a dry run is never a change.
    assert sync(server, check=True, only_out_of_sync=True, **choice)["changed"] is False
    assert sync(server, check=True, dry_run=True, **choice)["changed"] is False


def test_all_or_some_must_be_chosen(api_server):
    words = "names, label_selectors and applicationsets are empty: name at least one Application."
    assert sync(api_server("info_all"), all=False)["msg"] == words
