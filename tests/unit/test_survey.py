# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives in a cluster, from recorded objects."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import (
    Survey,
    commit_of,
    deployed,
    is_ours,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

from .api_server import load, unpacked

GROUP = "/apis/argoproj.io"
ONE = f"{GROUP}/v1alpha1/namespaces/argocd/applications/one"


def recorded():
    """Return Application one."""
    return unpacked(load("info_all")["steps"])[0]["answer"]["items"][0]


@pytest.fixture
def survey(api_server):
    """Return the survey of a cluster that has Application one."""
    group = load("start")["steps"][1]["answer"]["groups"][0]
    kinds = {"resources": [{"name": "applications", "kind": "Application", "namespaced": True}]}
    answers = {GROUP: group, f"{GROUP}/v1alpha1": kinds, ONE: recorded()}
    server = api_server(lambda _method, path: (200, answers[path]) if path in answers else (404, "404 page not found"))
    found = Survey(Api(_client.client_of(server.kubeconfig, "test")), "argocd")
    return found, server


def test_an_object_is_read_once_in_the_preferred_version_of_its_group(survey):
    found, server = survey
    identity = ("argoproj.io", "Application", "argocd", "one")
    assert found.live(identity) == found.live(identity) == recorded()
    assert server.asked() == [f"GET {path}" for path in (GROUP, f"{GROUP}/v1alpha1", ONE)]


@pytest.mark.parametrize(
    "identity",
    [
        ("argoproj.io", "Application", "argocd", "gone"),
        ("argoproj.io", "Workflow", "argocd", "one"),
        ("example.org", "Widget", "argocd", "one"),
    ],
)
def test_what_the_cluster_does_not_have_is_nothing(survey, identity):
    assert survey[0].live(identity) is None


def test_what_is_served_has_the_names_of_custom_resource_definitions(api_server):
    # Of an API whose server is away the API server may know no resources.
    versions = [{"version": "v1", "resources": [{"resource": "kafkas"}]}, {"version": "v2", "freshness": "Stale"}]
    # Of a definition that is being deleted nothing can be created.
    leaving = {"version": "v1", "resources": [{"resource": "topics", "verbs": ["delete", "get", "list", "watch"]}]}
    groups = [{"metadata": {"name": "kafka.strimzi.io"}, "versions": [*versions, leaving]}]
    server = api_server(lambda _method, _path: (200, {"kind": "APIGroupDiscoveryList", "items": groups}))
    found = Survey(Api(_client.client_of(server.kubeconfig, "test")), "argocd")
    assert found.served == ["kafkas.kafka.strimzi.io"]
    assert server.asked() == ["GET /apis#APIGroupDiscoveryList"]


def test_whether_a_kind_is_in_a_namespace_is_said_by_the_cluster(api_server):
    kinds = [("CronJob", "Namespaced"), ("IngressClass", "Cluster")]
    resources = [{"resource": "x", "responseKind": {"kind": kind}, "scope": scope} for kind, scope in kinds]
    groups = [{"metadata": {"name": "batch"}, "versions": [{"version": "v1", "resources": resources}]}]
    core = {"resources": [{"name": "nodes", "kind": "Node", "namespaced": False}]}
    answers = {"/apis": {"kind": "APIGroupDiscoveryList", "items": groups}, "/api/v1": core}
    server = api_server(lambda _method, path: (200, answers[path.partition("#")[0]]))
    found = Survey(Api(_client.client_of(server.kubeconfig, "test")), "argocd")
    assert found.is_namespaced("batch", "CronJob") is True
    assert found.is_namespaced("batch", "IngressClass") is False
    assert found.is_namespaced("", "Node") is False
    assert found.is_namespaced("", "Nothing") is None
    assert found.is_namespaced("example.com", "CronJob") is None


def test_what_may_not_be_read_is_an_error(api_server):
    server = api_server(lambda _method, _path: (403, {"message": "it is forbidden"}))
    found = Survey(Api(_client.client_of(server.kubeconfig, "test")), "argocd")
    with pytest.raises(GitopsError, match=r"^/api/v1/namespaces/kube-system cannot be read: it is forbidden$"):
        assert found.uid


def test_an_application_without_an_owner_is_ours_when_it_has_our_layout():
    application = recorded()
    assert not is_ours(application, {"1"})
    application["spec"]["source"]["path"] = "argocd/infra/one/envs/dev"
    assert is_ours(application, {"1"})
    application["spec"]["source"]["path"] = "argocd/infra/other/envs/dev"
    assert not is_ours(application, {"1"})
    for uid, expected in (("1", True), ("2", False)):
        application["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": "infra", "uid": uid}]
        assert is_ours(application, {"1"}) == expected


def test_the_commit_of_an_application_is_in_its_history_where_its_status_does_not_have_it():
    application = recorded()
    commit = application["status"]["sync"].pop("revision")
    assert commit_of(application) == commit
    application["status"]["history"] = []
    assert commit_of(application) == ""


def test_hooks_are_no_objects_of_an_application():
    application = recorded()
    application["status"]["resources"].append({"kind": "Job", "name": "migrate", "namespace": "one", "hook": True})
    assert deployed(application) == {("", "ConfigMap", "one", "one")}
