# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_info, against what a real API server said."""

from __future__ import annotations

import json

from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_info

from .running import run_module

APPLICATIONS = "GET /apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


def info(server, check=False, **arguments):
    return run_module(argocd_app_info, check, kubeconfig=server.kubeconfig, **arguments)


def test_everything_of_all_applications(api_server):
    server = api_server("info_all")
    result = info(server)
    assert server.asked() == [APPLICATIONS]
    assert (result["changed"], result["missing"]) == (False, [])
    assert [entry["name"] for entry in result["applications"]] == ["one", "two"]
    assert (result["runbook"] != "") == any(entry["reasons"] for entry in result["applications"])


def test_names_that_do_not_exist_are_missing(api_server):
    result = info(api_server("info_all"), names=["two", "three"])
    assert [entry["name"] for entry in result["applications"]] == ["two"]
    assert result["missing"] == ["three"]


def test_labels_are_selected_by_the_api_server(api_server):
    server = api_server("info_labels")
    result = info(server, label_selectors=["team=tests", "tier!=none"])
    assert server.requests[-1] == f"{APPLICATIONS}?labelSelector=team%3Dtests%2Ctier%21%3Dnone"
    assert [entry["name"] for entry in result["applications"]] == ["one", "two"]


def test_an_argo_cd_that_is_not_there_is_said(api_server):
    result = info(api_server("info_without_argocd"))
    assert (result["failed"], result["msg"]) == (True, "Applications cannot be listed: Argo CD is not installed")


def test_missing_rights_are_said_in_the_words_of_the_api_server(api_server):
    result = info(api_server("info_forbidden"))
    assert result["msg"] == (
        'Applications cannot be listed: applications.argoproj.io is forbidden: User "system:serviceaccount:default:'
        'nobody" cannot list resource "applications" in API group "argoproj.io" in the namespace "argocd"'
    )


def test_the_tree_leads_to_the_pods_and_to_their_events(api_server):
    server = api_server("info_tree")
    result = info(server, names=["maildev"], tree=True, events=True)
    (found,) = result["applications"]
    tree = [f"{'  ' * node['depth']}{node['kind']} {node['info'] or node['name'][:12]}" for node in found["tree"]]
    assert tree == [
        "Namespace maildev",
        "Service maildev-smtp",
        "  EndpointSlice maildev-smtp",
        "Service maildev-web",
        "  EndpointSlice maildev-web-",
        "Deployment maildev",
        "  ReplicaSet maildev-6b57",
        "    Pod Running 1/1",
        "HTTPRoute maildev",
    ]
    assert (found["state"], found["reasons"], "warnings" in result) == ("Healthy", [], False)
    objects = {event["object"].split()[0] for event in found["events"]}
    assert objects == {"Application", "Deployment", "ReplicaSet", "Pod"}
    times = [event["last_seen"] for event in found["events"]]
    assert times == sorted(times, reverse=True)
    assert server.writes() == []
    # What is in Git is not read where Argo CD says that it is healthy.
    assert not [request for request in server.asked() if request.endswith(("/deployments", "/deployments/maildev"))]


def test_who_may_only_list_applications_gets_the_rest_with_warnings(api_server):
    result = info(api_server("info_tree_forbidden"), names=["maildev"], tree=True, events=True)
    (found,) = result["applications"]
    assert {node["depth"] for node in found["tree"]} == {0}
    assert found["events"] == []
    starts = [text.partition(" cannot be listed: ")[0] for text in result["warnings"]]
    assert starts == [
        "Objects of kind EndpointSlice in namespace maildev",
        "Objects of kind ReplicaSet in namespace maildev",
        "Events in namespace argocd",
        "Events in namespace default",
        "Events in namespace maildev",
    ]
    assert 'cannot list resource "replicasets" in API group "apps" in the namespace "maildev"' in result["warnings"][1]


def test_without_tree_and_events_there_are_none(api_server):
    (one, _two) = info(api_server("info_all"))["applications"]
    assert {"tree", "events"} & one.keys() == set()
    assert [entry["id"] for entry in one["history"]] == [0]


RECORD = {"uid": "u", "by": "anna", "since": "10:00", "reason": "", "applicationset": "", "automated": {}}


def off(**automated):
    metadata = {"name": "web", "namespace": "argocd", "uid": "u"}
    return {"metadata": metadata, "spec": {"syncPolicy": {"automated": automated}}, "status": {}}


def answers(application, status, config_map):
    def answer(_method, path):
        is_record = path.endswith("/configmaps/gitops-paused")
        return (status, config_map) if is_record else (200, {"items": [application]})

    return answer


def test_who_paused_an_application_is_looked_up_where_automated_sync_is_off(api_server):
    records = {"metadata": {"resourceVersion": "1"}, "data": {"web": json.dumps(RECORD)}}
    (found,) = info(api_server(answers(off(enabled=False), 200, records)))["applications"]
    assert found["paused"] == "paused since 10:00 by anna"
    server = api_server(answers(off(prune=True), 200, records))
    (found,) = info(server)["applications"]
    assert (found["paused"], server.asked()) == ("", [APPLICATIONS])


def test_a_record_of_pauses_that_may_not_be_read_is_a_warning(api_server):
    result = info(api_server(answers(off(enabled=False), 403, {"message": "forbidden"})))
    assert result["applications"][0]["paused"] == ""
    assert result["warnings"] == ["ConfigMap gitops-paused, which says what is paused, cannot be read: forbidden"]
