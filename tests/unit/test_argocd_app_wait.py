# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_wait, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import decision, differences, evidence, watch
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import wait as wait_module
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Code
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_wait

from .api_server import write_kubeconfig
from .running import run_module, unhurried

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


@pytest.fixture(autouse=True)
def few_refreshes(monkeypatch):
    """Refresh only where Argo CD would not go on without it, however long this machine takes for an answer."""
    delays = {Code.POST_SYNC: decision.BACK_OFF[Code.POST_SYNC], Code.ERROR: (0.05,), Code.REVISION: (0.05,)}
    monkeypatch.setattr(decision, "BACK_OFF", delays)
    monkeypatch.setattr(decision, "BACK_OFF_OTHERS", (600,))


def wait(server, check=False, **arguments):
    return run_module(argocd_app_wait, check, kubeconfig=server.kubeconfig, **{"wait_timeout": 20} | arguments)


def states(result):
    return {entry["name"]: (entry["state"], entry["reason"]) for entry in result["applications"]}


def test_a_ready_application_is_believed_after_a_refresh(api_server, tmp_path):
    server = api_server("wait_ready")
    result = wait(server, names=["one", "two"], progress_file=str(tmp_path / "progress"))
    assert states(result) == {"one": ("ready", ""), "two": ("ready", "")}
    assert [entry["fresh"] for entry in result["applications"]] == [True, True]
    assert (result["changed"], result["requests"]) == (False, {"list": 1, "watch": 1, "patch": 2})


def test_a_status_may_be_believed_as_it_is(api_server):
    server = api_server("wait_unrefreshed")
    result = wait(server, label_selectors=["name=one"], refresh="none")
    assert states(result) == {"one": ("ready", "")}
    assert result["applications"][0]["fresh"] is False
    assert server.writes() == []


def test_check_mode_writes_nothing_and_says_what_is_there(api_server):
    server = api_server("info_all")
    result = wait(server, names=["two"], check=True)
    assert server.asked() == [f"GET {PATH}"]
    assert states(result) == {"two": ("waiting", "check mode requests no refresh")}
    assert (result["changed"], result["requests"]) == (False, {"list": 1})


def test_check_mode_of_a_first_run_finds_no_argo_cd(api_server):
    result = wait(api_server("info_without_argocd"), names=["two"], check=True)
    assert (result["changed"], result["applications"]) == (False, [])


def test_an_application_that_does_not_exist_is_named(api_server):
    result = wait(api_server("wait_not_found"), names=["three"], not_found_grace=0)
    assert result["msg"] == (
        "0 of 1 Applications are ready.\nApplication three: does not exist.\nWhat to do: docs/runbooks/status.md"
    )


BROKEN = {"type": "ErrorOccurred", "status": "True", "message": "rpc error: code = Unknown desc = no such branch"}


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (404, {}, "does not exist in namespace argocd"),
        (200, {"status": {}}, "generates no Applications: check its generators and its revision"),
        (200, {"status": {"conditions": [BROKEN]}}, "generates no Applications: no such branch"),
    ],
)
def test_an_applicationset_without_applications_is_named(api_server, status, answer, words):
    server = api_server("wait_nothing_selected")
    path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets/three"
    server.insert(len(server.steps), {"request": f"GET {path}", "status": status, "answer": answer})
    result = wait(server, applicationsets=["three"], not_found_grace=0)
    assert result["msg"] == f"ApplicationSet three {words}."


def test_missing_rights_to_list(api_server):
    result = wait(api_server("wait_forbidden_list"), names=["one"])
    assert result["msg"] == (
        'Applications cannot be listed: applications.argoproj.io is forbidden: User "system:serviceaccount:default:'
        'nobody" cannot list resource "applications" in API group "argoproj.io" in the namespace "argocd"'
    )


def test_missing_rights_to_refresh(api_server):
    result = wait(api_server("wait_forbidden_patch"), label_selectors=["name=one"])
    assert result["msg"] == (
        'Application one cannot be changed: applications.argoproj.io "one" is forbidden: User "system:serviceaccount:'
        'default:reader" cannot patch resource "applications" in API group "argoproj.io" in the namespace "argocd"'
    )


def test_without_the_right_to_watch_it_lists(api_server, monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    result = wait(api_server("wait_forbidden_watch"), label_selectors=["name=one"])
    assert states(result) == {"one": ("ready", "")}
    # A list says nothing of the versions in between, so that only the second refresh proves anything.
    assert result["applications"][0]["refreshes"] == 2


def test_a_sync_that_failed_names_the_object_and_what_the_api_server_said(api_server):
    result = wait(api_server("wait_sync_failed"), label_selectors=["team=broken"])
    words = 'Application broken: sync Failed: ConfigMap broken/broken: ConfigMap "broken" is invalid: '
    assert words in result["msg"]
    assert result["changed"] is False


def test_what_failed_is_synced_again_as_often_as_it_may_be(api_server):
    server = api_server("wait_resync_in_vain")
    result = wait(server, label_selectors=["team=broken"], resync_failed=True)
    # The second attempt says the same, and nothing of it can change.
    assert "Application broken: sync fails in the same way each time: ConfigMap broken/broken: " in result["msg"]
    assert (result["changed"], result["applications"][0]["resyncs"]) == (True, 1)


def test_a_sync_that_failed_is_started_again_when_its_dependency_is_ready(api_server):
    """Application late lives in the Namespace that early brings, and nobody but the module syncs early."""
    server = api_server("wait_dependency")
    settings = {"resync_failed": True, "sync_manual": True, "depends_on": {"late": ["early"]}}
    result = wait(server, label_selectors=["team in (early, late)"], **settings)
    assert states(result) == {"early": ("ready", ""), "late": ("ready", "")}
    assert result["changed"] is True
    assert [entry["resyncs"] for entry in result["applications"]] == [1, 1]
    assert server.writes()[-1] == f"PATCH {PATH}/late"


def test_a_failed_dependency_fails_what_depends_on_it(api_server):
    settings = {"resync_failed": True, "resync_limit": 0, "depends_on": {"late": ["broken"]}}
    result = wait(api_server("wait_failed_dependency"), label_selectors=["team in (broken, late)"], **settings)
    assert "Application late: its dependency broken failed; sync Failed: " in result["msg"]


def test_the_first_failure_may_end_the_wait(api_server):
    settings = {"label_selectors": ["team in (broken, held)"], "refresh": "none", "fail_fast": True}
    result = wait(api_server("wait_fail_fast"), **settings)
    assert "Application broken: sync Failed" in result["msg"]
    assert "Application held was not ready after 0 s: is being deleted (since " in unhurried(result["msg"], 0)
    assert result["elapsed"] < 20


def test_what_holds_a_deletion_is_named(api_server):
    result = wait(api_server("wait_held"), label_selectors=["team=held"], wait_timeout=2)
    since = result["msg"].partition("(since ")[2].partition(")")[0]
    assert result["msg"] == (
        f"0 of 1 Applications are ready.\nApplication held was not ready after 2 s: is being deleted (since {since}); "
        "finalizer resources-finalizer.argocd.argoproj.io; held by ConfigMap held/held (finalizer tests/keep).\n"
        "What to do: docs/runbooks/not_healthy.md"
    )


def test_who_changed_an_object_is_named(api_server, monkeypatch):
    for module in (decision, differences):
        monkeypatch.setattr(module, "DRIFT_SECONDS", 0.6)
    result = wait(api_server("wait_drift"), label_selectors=["team=drifted"])
    since = result["applications"][0]["since"]
    assert result["msg"] == (
        "0 of 1 Applications are ready.\nApplication drifted: changed in the cluster (ConfigMap drifted/drifted) "
        "and selfHeal is off: sync it; data.value of ConfigMap drifted/drifted is written by manager rewriter "
        f"(since {since}).\n"
        "What to do: docs/runbooks/not_healthy.md"
    )
    assert result["requests"]["read"] == 1


def test_an_operation_that_retries_an_older_revision_is_ended(api_server):
    server = api_server("wait_superseded")
    result = wait(server, label_selectors=["team=moved"], resync_failed=True)
    assert states(result) == {"moved": ("ready", "")}
    assert (result["changed"], result["applications"][0]["resyncs"]) == (False, 0)
    assert server.steps_of("PATCH")[1]["body"]["status"] == {"operationState": {"phase": "Terminating"}}


def test_a_controller_that_does_not_answer_is_named(api_server, monkeypatch):
    server = api_server("wait_without_controller")
    controller = {"metadata": {"name": "argocd-application-controller"}, "spec": {"replicas": 1}, "status": {}}
    for kind, items in (("deployments", []), ("statefulsets", [controller])):
        path = f"/apis/apps/v1/namespaces/argocd/{kind}?labelSelector=app.kubernetes.io%2Fname%3D{evidence.CONTROLLER}"
        server.insert(len(server.steps), {"request": f"GET {path}", "status": 200, "answer": {"items": items}})
    monkeypatch.setattr(evidence, "UNANSWERED", 0.0)
    result = wait(server, label_selectors=["name=one"], refresh_timeout=1)
    said = "Application one: the application controller did not process a refresh within 1 s: "
    assert said in unhurried(result["msg"], 1)
    assert "StatefulSet argocd/argocd-application-controller has no ready pod" in result["msg"]


def test_a_timestamp_that_an_older_argo_cd_leaves_is_taken_away(api_server):
    server = api_server("wait_timestamp_stays")
    result = wait(server, label_selectors=["name=one"], operation=False)
    assert states(result) == {"one": ("ready", "")}
    assert result["applications"][0]["refreshes"] == 2
    assert server.steps_of("PATCH")[-1]["body"] == {
        "metadata": {"annotations": {"argocd.argoproj.io/refresh-timestamp": None}}
    }


def test_an_application_that_was_asked_for_by_name_must_come_back(api_server):
    """It is deleted while it is Healthy, and made again without automated sync, so that its object is missing."""
    server = api_server("wait_comes_back")
    settings = {"names": ["moved"], "label_selectors": ["team=moved"], "sync": False, "health": ["Missing"]}
    result = wait(server, **settings)
    assert states(result) == {"moved": ("ready", "")}
    assert [step["event"]["type"] for step in server.steps if "event" in step].count("DELETED") == 1


def test_a_selected_application_that_is_deleted_is_not_waited_for(api_server):
    server = api_server("wait_vanishes")
    result = wait(server, label_selectors=["team=moved"], sync=False, health=["Suspended"], not_found_grace=0)
    assert [step["event"]["type"] for step in server.steps if "event" in step][-1] == "DELETED"
    assert result["msg"] == "No Application matches: check names, label_selectors, applicationsets and namespace."


def test_another_revision_is_named_when_it_was_confirmed(api_server):
    result = wait(api_server("wait_other_revision"), label_selectors=["name=one"], revision="0000")
    found = result["applications"][0]
    assert result["msg"] == (
        f"0 of 1 Applications are ready.\nApplication one: is at revision {found['revision']} instead of 0000: "
        f"its branch has moved on, or its targetRevision names another one (since {found['since']}).\n"
        "What to do: docs/runbooks/not_healthy.md"
    )


def test_an_api_server_that_goes_away_is_named_when_the_time_is_over(api_server):
    server = api_server(lambda _method, _path: (503, {}))
    result = wait(server, names=["one"], wait_timeout=1)
    assert unhurried(result["msg"], 1) == f"The API server {server.url} answers 503 to GET {PATH}. (after 1 s)"


def test_a_version_that_is_too_old_for_a_watch_is_listed_anew(api_server):
    server = api_server("wait_unrefreshed")
    watch = server.steps[1]
    server.insert(2, {"event": {"type": "ERROR", "object": {"code": 410}}}, {"ended": True}, dict(watch))
    result = wait(server, label_selectors=["name=one"], refresh="none", health=["Suspended"], wait_timeout=1)
    assert "Application one was not ready after 1 s: Healthy: no resource says why" in unhurried(result["msg"], 1)
    assert result["requests"] == {"list": 2, "watch": 2}


@pytest.mark.parametrize("status", [404, 409, 503])
def test_a_sync_for_which_somebody_else_was_quicker_is_tried_again(api_server, monkeypatch, status):
    """The Application changed or is gone, or the API server is away: what comes next tells."""
    monkeypatch.setattr(wait_module, "RETRY_SECONDS", 0.1)
    server = api_server("wait_resync_in_vain")
    sync = server.steps_of("PATCH")[1]
    server.insert(server.steps.index(sync), sync | {"status": status, "answer": {}})
    result = wait(server, label_selectors=["team=broken"], resync_failed=True, resync_limit=1)
    assert (result["changed"], result["applications"][0]["resyncs"]) == (True, 1)
    assert "Application broken: sync fails in the same way each time: " in result["msg"]


PAUSED = "paused since 2026-11-27T"


def test_what_people_have_paused_is_named_and_not_waited_for(api_server):
    result = wait(api_server("wait_paused"), names=["gateway", "maildev"], on_paused="fail", resync_failed=True)
    found = {entry["name"]: entry for entry in result["applications"]}
    assert result["msg"].startswith(f"1 of 2 Applications are ready.\nApplication maildev: {PAUSED}")
    assert result["msg"].endswith(
        "OutOfSync (Deployment maildev/maildev): resume it, or allow it to be paused (on_paused).\n"
        "What to do: docs/runbooks/pause.md"
    )
    assert (found["gateway"]["paused"], found["gateway"]["state"]) == ("", "ready")
    assert found["maildev"]["paused"].startswith(PAUSED)
    assert result["elapsed"] < 10


def test_what_is_paused_may_be_in_any_state(api_server):
    server = api_server("wait_paused_allowed")
    result = wait(server, names=["gateway", "maildev"], on_paused="allow", resync_failed=True, sync_manual=True)
    assert ({entry["state"] for entry in result["applications"]}, result["changed"]) == ({"ready"}, False)
    assert [request for request in server.writes() if "configmaps" in request] == []


def test_check_mode_also_says_what_is_paused(api_server):
    result = wait(api_server("wait_paused_check"), True, names=["gateway", "maildev"], on_paused="fail")
    assert [entry["paused"][: len(PAUSED)] for entry in result["applications"]] == ["", PAUSED]


def test_a_record_that_does_not_fit_is_a_warning(api_server):
    # Somebody has resumed gateway by hand.
    result = wait(api_server("wait_paused_misfit"), names=["gateway"], on_paused="fail")
    assert (result["applications"][0]["paused"], result["applications"][0]["state"]) == ("", "ready")
    assert [text.partition(" by ")[2] for text in result["warnings"]] == [
        "anna, but its automated sync was switched on again: resume it, which removes the record"
    ]


def credentials(tmp_path, expires):
    """Return the user of a kubeconfig whose plugin counts its calls and gives another token each time."""
    program = tmp_path / "plugin"
    status = rf"{{\"token\": \"$(wc -l < $0.calls)\", \"expirationTimestamp\": \"{expires}\"}}"
    kind = r"\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\""
    program.write_text(f'#!/bin/sh\necho >> $0.calls\necho "{{{kind}, \\"status\\": {status}}}"\n')
    program.chmod(0o700)
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    return {"exec": how}


@pytest.mark.parametrize(("expires", "renewed"), [("2999-01-01T00:00:00Z", False), ("2020-01-01T00:00:00Z", True)])
def test_a_credential_plugin_is_called_again_only_when_its_token_has_expired(api_server, tmp_path, expires, renewed):
    """A wait with a watch that is broken off, and begins again."""
    server = api_server("wait_unrefreshed")
    watch = server.steps[1]
    server.insert(2, {"event": {"type": "ERROR", "object": {"code": 410}}}, {"ended": True}, dict(watch))
    kubeconfig = write_kubeconfig(tmp_path / "config", server.url, credentials(tmp_path, expires))
    given = {"label_selectors": ["name=one"], "refresh": "none", "health": ["Suspended"], "wait_timeout": 2}
    result = run_module(argocd_app_wait, kubeconfig=kubeconfig, **given)
    assert result["requests"] == {"list": 2, "watch": 2}
    tokens = [int(text.removeprefix("Bearer ")) for text in server.authorizations]
    calls = (tmp_path / "plugin.calls").read_text().count("\n")
    if renewed:
        assert tokens == sorted(set(tokens))
        assert (tokens[-1], len(tokens)) == (calls, len(server.requests))
    else:
        assert (calls, set(tokens)) == (1, {1})
