# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module server_side_apply, against what a real API server said."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._apply import pods, waiting
from ansible_collections.monorepo.gitops.plugins.modules import server_side_apply

from .running import run_module, unhurried

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}
WIDGET = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "size": 1}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "applied"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}
QUERY = "fieldManager=monorepo.gitops&force=true"
CONFIG_PATH = "/api/v1/namespaces/applied/configmaps/c"


@pytest.fixture(autouse=True)
def short_polls(monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(pods, "PODS_SECONDS", 0.05)


def applied(server, *definition, check=False, **arguments):
    settings = {"definition": list(definition), "namespace": "applied", "concurrency": 1} | arguments
    return run_module(server_side_apply, check, kubeconfig=server.kubeconfig, **settings)


def actions(result):
    return {entry["kind"]: entry["action"] for entry in result["objects"]}


def workload(image):
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_everything_is_created_in_an_order_that_works(api_server):
    server = api_server("apply_create")
    result = applied(server, WIDGET, CONFIG, CRD, NAMESPACE, wait=True)
    assert server.writes() == [
        f"PATCH /api/v1/namespaces/applied?{QUERY}",
        f"PATCH /apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.org?{QUERY}",
        f"PATCH {CONFIG_PATH}?{QUERY}",
        f"PATCH /apis/example.org/v1/namespaces/applied/widgets/w?{QUERY}",
    ]
    assert (result["changed"], result["counts"], result["deleted_pods"]) == (True, {"created": 4}, [])
    assert result["objects"][-1] == {"kind": "Widget", "namespace": "applied", "name": "w", "action": "created"}


def test_a_second_time_nothing_is_written(api_server):
    server = api_server("apply_unchanged")
    result = applied(server, WIDGET, CONFIG, CRD, NAMESPACE)
    assert server.writes() == []
    assert (result["changed"], result["counts"]) == (False, {"unchanged": 4})


def test_files_are_applied_like_definitions(api_server, tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [CONFIG, NAMESPACE]}))
    (tmp_path / "b.json").write_text(json.dumps(CRD))
    src = [str(tmp_path / "a.yaml"), str(tmp_path / "b.json")]
    result = applied(api_server("apply_unchanged"), src=src, kinds=["ConfigMap"])
    assert actions(result) == {"ConfigMap": "unchanged"}


def test_a_change_is_proved_and_then_written(api_server):
    server = api_server("apply_change")
    result = applied(server, CONFIG | {"data": {"a": "2"}})
    assert server.writes() == [f"PATCH {CONFIG_PATH}?{QUERY}&dryRun=All", f"PATCH {CONFIG_PATH}?{QUERY}"]
    assert (result["changed"], actions(result)) == (True, {"ConfigMap": "configured"})
    (diff,) = result["diff"]
    assert (diff["before_header"], diff["after_header"]) == ("ConfigMap applied/c", "ConfigMap applied/c")
    assert ("a: '1'" in diff["before"], "a: '2'" in diff["after"]) == (True, True)


def test_check_mode_sends_dry_runs_only(api_server):
    server = api_server("apply_check")
    result = applied(server, CONFIG | {"data": {"a": "3"}}, SECRET, check=True)
    assert len(server.writes()) == 2
    assert all("dryRun=All" in request for request in server.writes())
    assert (result["changed"], actions(result)) == (True, {"ConfigMap": "configured", "Secret": "created"})
    assert "hunter2" not in json.dumps(result["diff"])


def test_check_mode_with_a_kind_that_this_run_would_not_bring_is_a_warning(api_server):
    gadget = {"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    result = applied(api_server("apply_unknown"), gadget, check=True)
    assert actions(result) == {"Gadget": "created"}
    assert result["warnings"] == [
        "The cluster does not know Gadget of example.org/v1: the CustomResourceDefinition is missing. Its objects "
        "count as new and were not checked."
    ]


def test_a_kind_that_the_cluster_does_not_have_stops_before_anything_is_written(api_server):
    gadget = {"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    server = api_server("apply_unknown")
    result = applied(server, gadget)
    assert result["msg"] == (
        "The cluster does not know Gadget of example.org/v1: the CustomResourceDefinition is missing, so Gadget g "
        "cannot be applied. Nothing was written."
    )
    assert server.writes() == []


def test_an_object_that_exists_may_be_left_alone(api_server):
    server = api_server("apply_only_missing")
    result = applied(server, CONFIG | {"data": {"a": "4"}}, only_missing=True)
    assert (result["changed"], actions(result), server.writes()) == (False, {"ConfigMap": "skipped"}, [])


def test_fields_of_another_manager_are_a_conflict_unless_they_are_taken_over(api_server):
    server = api_server("apply_conflict")
    result = applied(server, CONFIG | {"data": {"a": "5"}}, force_conflicts=False, field_manager="someone")
    assert server.writes() == [f"PATCH {CONFIG_PATH}?fieldManager=someone&force=false&dryRun=All"]
    assert result["msg"] == (
        'ConfigMap applied/c was rejected: Apply failed with 2 conflicts: conflicts with "monorepo.gitops":\n'
        "- .data.a\n- .metadata.annotations.monorepo.gitops/applied-sha256"
    )
    assert (result["changed"], result["objects"]) == (False, [])


def test_a_rejected_object_does_not_keep_the_others_and_no_secret_is_quoted(api_server):
    wrong = SECRET | {"metadata": {"name": "s_1"}}
    result = applied(api_server("apply_rejected"), wrong, CONFIG | {"metadata": {"name": "d"}})
    assert result["msg"] == (
        "Secret applied/s_1 was rejected: Invalid (the rest may quote its values and is not shown)"
    )
    assert (result["changed"], actions(result)) == (True, {"ConfigMap": "created"})
    assert "hunter2" not in json.dumps(result)


def test_missing_rights_are_said_in_the_words_of_the_api_server(api_server):
    result = applied(api_server("apply_forbidden"), CONFIG)
    assert result["msg"] == (
        'ConfigMap applied/c cannot be read: configmaps "c" is forbidden: User "system:serviceaccount:default:nobody" '
        'cannot get resource "configmaps" in API group "" in the namespace "applied"'
    )


def test_a_rollout_is_waited_for(api_server):
    result = applied(api_server("apply_rollout"), workload("web:1"), wait=True)
    assert (actions(result), result["deleted_pods"]) == ({"Deployment": "created"}, [])


def test_a_rollout_that_does_not_come_says_what_a_pod_waits_for(api_server):
    result = applied(api_server("apply_stuck"), workload("rehearsal-fail:1"), wait=True, wait_timeout=1)
    assert unhurried(result["msg"], 1).startswith("Not ready after 1 s: Deployment applied/web: ")
    assert ": container web: ImagePullBackOff: image rehearsal-fail:1 cannot be pulled: " in result["msg"]
    assert actions(result) == {"Deployment": "configured"}


def test_arguments_that_make_no_sense(api_server):
    server = api_server(lambda _method, _path: (500, {}))
    assert applied(server, CONFIG, concurrency=0)["msg"] == "concurrency must be at least 1."
    assert applied(server, src=["/nowhere"])["msg"].startswith("/nowhere cannot be read: ")
    assert server.asked() == []


def test_credentials_that_expire_in_the_middle_are_said(api_server):
    server = api_server(lambda _method, _path: (401, {"message": "Unauthorized"}))
    result = applied(server, CONFIG)
    assert result["msg"] == f"The API server {server.url} does not accept the credentials (401 Unauthorized)."
