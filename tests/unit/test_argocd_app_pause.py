# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_pause, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

import json

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_pause

from .running import run_module
from .test_argocd_app_wait import PATH

POLICY = {"prune": True, "selfHeal": True}
MAPS = "/api/v1/namespaces/argocd/configmaps"


def pause(server, check=False, **arguments):
    return run_module(argocd_app_pause, check, kubeconfig=server.kubeconfig, **arguments)


def test_a_pause_is_recorded_and_then_made(api_server):
    server = api_server("pause_first")
    result = pause(server, names=["maildev"], by="anna", reason="moving the database")
    found = result["applications"][0]
    since = found.pop("since")
    assert (len(since), since[-1]) == (20, "Z")
    assert found == {
        "name": "maildev",
        "paused": True,
        "changed": True,
        "message": "",
        "by": "anna",
        "reason": "moving the database",
        "automated": POLICY,
    }
    assert server.writes() == [f"POST {MAPS}", f"PATCH {PATH}/maildev"]
    record = json.loads(server.steps_of("POST")[0]["body"]["data"]["maildev"])
    assert (record["automated"], record["by"], record["applicationset"]) == (POLICY, "anna", "infra")
    assert server.steps_of("PATCH")[0]["body"]["spec"] == {"syncPolicy": {"automated": POLICY | {"enabled": False}}}
    assert (result["changed"], result["diff"]) == (
        True,
        {"before": {"maildev": POLICY}, "after": {"maildev": POLICY | {"enabled": False}}},
    )


def test_a_second_pause_changes_nothing(api_server):
    server = api_server("pause_again")
    result = pause(server, names=["maildev"], by="berta", reason="other")
    found = result["applications"][0]
    assert (result["changed"], found["by"], found["reason"]) == (False, "anna", "moving the database")
    assert server.writes() == []


def test_check_mode_says_what_would_be_paused(api_server):
    server = api_server("pause_check")
    result = pause(server, all=True, check=True)
    assert {entry["name"]: (entry["paused"], entry["changed"]) for entry in result["applications"]} == {
        "cert-manager": (True, True),
        "gateway": (True, True),
        "maildev": (True, False),
    }
    assert (result["changed"], server.writes()) == (True, [])


def test_what_the_applicationset_would_revert_is_refused(api_server):
    server = api_server("pause_reverted")
    assert pause(server, names=["gateway"])["msg"] == (
        "Nothing was paused. Application gateway: ApplicationSet infra would revert spec.syncPolicy.automated.enabled: "
        "run site.yml, which applies the ApplicationSet of this version."
    )
    assert server.writes() == []


def test_a_resume_restores_the_policy_and_removes_the_records_that_do_not_fit(api_server):
    # maildev is paused, gateway was resumed by hand, hello was deleted while it was paused.
    server = api_server("pause_resume")
    result = pause(server, all=True, state="resumed")
    assert {entry["name"]: (entry["changed"], entry["message"]) for entry in result["applications"]} == {
        "cert-manager": (False, "was not paused"),
        "gateway": (True, "its automated sync was switched on again"),
        "hello": (True, "it does not exist any more"),
        "maildev": (True, ""),
    }
    assert [text.partition(" by ")[2] for text in result["warnings"]] == [
        "anna, but its automated sync was switched on again",
        "anna, but it does not exist any more",
    ]
    assert server.writes() == [f"PATCH {PATH}/maildev", f"PATCH {MAPS}/gitops-paused"]
    application, records = server.steps_of("PATCH")
    assert application["body"]["spec"] == {"syncPolicy": {"automated": POLICY | {"enabled": None}}}
    assert records["body"]["data"] == {"gateway": None, "hello": None, "maildev": None}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"names": ["maildev"]}, [False]),
        ({"applicationsets": ["infra"]}, [False, False, False]),
        ({"names": ["missing"]}, "In namespace argocd there is no Application missing."),
        (
            {"label_selectors": ["a=b"]},
            "No Application matches: check names, label_selectors, applicationsets and namespace.",
        ),
    ],
)
def test_what_is_not_paused_is_resumed_by_no_change(api_server, choice, expected):
    server = api_server(f"pause_nothing_{'_'.join(choice)}_{choice.get('names', ['all'])[0]}")
    result = pause(server, state="resumed", **choice)
    found = [entry["changed"] for entry in result["applications"]] if "applications" in result else result["msg"]
    assert (found, server.writes()) == (expected, [])


def test_what_has_lost_its_applicationset_is_resumed_with_it(api_server):
    spec = {"syncPolicy": {"automated": POLICY | {"enabled": False}}}
    metadata = {"name": "maildev", "namespace": "argocd", "uid": "1", "resourceVersion": "7"}
    record = {"uid": "1", "by": "anna", "since": "2026-11-27T11:00:00Z", "reason": ""}
    data = {"maildev": json.dumps(record | {"applicationset": "infra", "automated": POLICY})}

    def script(method, path):
        if method == "PATCH":
            return 200, {}
        if path.endswith("/gitops-paused"):
            return 200, {"metadata": {"resourceVersion": "1"}, "data": data}
        return 200, {"items": [{"metadata": metadata, "spec": spec}]}

    server = api_server(script)
    result = pause(server, applicationsets=["infra"], state="resumed")
    assert [(entry["name"], entry["changed"], entry["message"]) for entry in result["applications"]] == [
        ("maildev", True, "")
    ]
    assert server.writes() == [f"PATCH {PATH}/maildev", f"PATCH {MAPS}/gitops-paused"]
