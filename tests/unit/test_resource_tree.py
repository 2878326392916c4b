# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource tree of an Application, its events, and what must not be read for it."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tree import Trees, event_of


class Answers:
    """An API server that has these lists and objects; all other kinds are unknown to it."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def request(self, _method, path, _query=None):
        self.asked.append(path)
        found = self.answers.get(path, (404, {"message": "not found"}))
        return found if isinstance(found, tuple) else (200, {"items": found})

    def resource(self, item):
        return {"Deployment": ("deployments", True), "Pod": ("pods", True)}.get(item["kind"])

    def path(self, item):
        metadata = item["metadata"]
        return f"/{item['apiVersion']}/{item['kind']}/{metadata['namespace']}/{metadata['name']}"


def application(*resources, server="https://kubernetes.default.svc"):
    return {
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {"destination": {"server": server}},
        "status": {"resources": list(resources)},
    }


def resource(kind, name="web", group="apps", status="Healthy", **more):
    entry = {"group": group, "version": "v1", "kind": kind, "namespace": "shop", "name": name, "status": "Synced"}
    return entry | ({"health": {"status": status} | more} if status else {})


def owned(name, kind, owner, version="apps/v1", **status):
    reference = {"apiVersion": version, "kind": kind, "name": owner, "uid": "1"}
    return {"metadata": {"name": name, "namespace": "shop", "ownerReferences": [reference]}, "status": status}


def pod(name, owner, reason="", kind="ReplicaSet", version="apps/v1"):
    waiting = {"name": "web", "state": {"waiting": {"reason": reason}}}
    ready = {"type": "Ready", "status": "False" if reason else "True"}
    found = owned(name, kind, owner, version, phase="Pending" if reason else "Running", conditions=[ready])
    found["status"]["containerStatuses"] = [waiting if reason else {"name": "web", "ready": True, "restartCount": 1}]
    return found | {"spec": {"containers": [{"name": "web"}]}}


LISTS = {
    "/apis/apps/v1/namespaces/shop/replicasets": [
        owned("web-1", "Deployment", "web"),
        owned("web-2", "Deployment", "web"),
        owned("other-1", "Deployment", "other"),
    ],
    "/api/v1/namespaces/shop/pods": [pod("web-1-a", "web-1"), pod("web-2-a", "web-2", "ErrImagePull"), pod("x", "o")],
}


def lines(nodes):
    return [f"{'  ' * node['depth']}{node['kind']} {node['name']} {node['info']}".rstrip() for node in nodes]


def test_a_deployment_leads_to_its_pods_and_to_no_others():
    trees = Trees(Answers(LISTS))
    nodes = trees.of(application(resource("ConfigMap", group="", status=None), resource("Deployment")))
    assert lines(nodes) == [
        "ConfigMap web",
        "Deployment web",
        "  ReplicaSet web-1",
        "    Pod web-1-a Running 1/1, 1 restarts",
        "  ReplicaSet web-2",
        "    Pod web-2-a Pending 0/1",
    ]
    assert [node["owner"] for node in nodes[-2:]] == ["Deployment shop/web", "ReplicaSet shop/web-2"]
    assert [node["reason"] for node in nodes if node["reason"]] == [
        "container web: ImagePullBackOff: its image cannot be pulled"
    ]
    assert trees.unreadable == {}


def test_each_list_is_read_once_for_all_applications_and_objects():
    answers = Answers(LISTS)
    trees = Trees(answers)
    for _round in range(2):
        trees.of(application(resource("Deployment"), resource("Deployment", "other")))
    assert sorted(answers.asked) == sorted(LISTS)


def test_a_kind_that_may_not_be_listed_is_named_and_the_rest_is_there():
    forbidden = {"/api/v1/namespaces/shop/pods": (403, {"message": "pods is forbidden"})}
    trees = Trees(Answers(LISTS | forbidden))
    assert lines(trees.of(application(resource("Deployment")))) == [
        "Deployment web",
        "  ReplicaSet web-1",
        "  ReplicaSet web-2",
    ]
    assert list(trees.unreadable.values()) == [
        "Objects of kind Pod in namespace shop cannot be listed: pods is forbidden"
    ]


def test_a_kind_that_the_cluster_does_not_have_is_no_warning():
    trees = Trees(Answers({}))
    assert lines(trees.of(application(resource("Kafka", group="kafka.strimzi.io")))) == ["Kafka web"]
    assert trees.unreadable == {}


def test_a_claim_belongs_to_its_stateful_set_by_name():
    claims = [{"metadata": {"name": name, "namespace": "shop"}} for name in ("data-web-0", "data-web-x", "web-0")]
    lists = {"/api/v1/namespaces/shop/persistentvolumeclaims": [claim | {"status": {}} for claim in claims]}
    nodes = Trees(Answers(lists)).of(application(resource("StatefulSet")))
    assert lines(nodes) == ["StatefulSet web", "  PersistentVolumeClaim data-web-0"]
    assert nodes[1]["reason"] == "its phase is not known, not Bound"


def test_an_object_that_is_in_git_is_not_a_child_too():
    lists = {"/api/v1/namespaces/shop/pods": [pod("web", "web")]}
    nodes = Trees(Answers(lists)).of(application(resource("ReplicaSet"), resource("Pod", group="")))
    assert lines(nodes) == ["ReplicaSet web", "Pod web"]


def test_only_what_argo_cd_does_not_explain_is_read():
    live = {"metadata": {"name": "web", "generation": 1}, "spec": {}, "status": {"observedGeneration": 1}}
    answers = Answers({"/apps/v1/Deployment/shop/web": (200, live)})
    explained = resource("Deployment", "told", status="Degraded", message="exceeded its progress deadline")
    missing = resource("Deployment", "gone", status="Missing")
    unsaid = resource("Deployment", status=None)
    nodes = Trees(answers).of(application(explained, missing, unsaid))
    assert [node["reason"] for node in nodes] == [
        "exceeded its progress deadline",
        "it does not exist",
        "0 of 1 pods are available, 0 of the newest revision",
    ]
    assert [path for path in answers.asked if "/Deployment/" in path] == ["/apps/v1/Deployment/shop/web"]


def test_another_cluster_is_not_looked_at():
    answers = Answers(LISTS)
    trees = Trees(answers)
    found = application(resource("Deployment"), resource("Pod", group="", status=None), server="https://elsewhere")
    assert lines(trees.of(found)) == ["Deployment web", "Pod web"]
    assert trees.events(found, trees.of(found)) == []
    assert answers.asked == ["/api/v1/namespaces/argocd/events"]
    assert list(trees.unreadable.values()) == [
        "Application web is on another cluster: its tree shows only what Argo CD reports"
    ]


def event(kind, name, at, namespace="shop"):
    about = {"kind": kind, "namespace": namespace, "name": name}
    return {"metadata": {"creationTimestamp": at}, "involvedObject": about, "type": "Warning", "lastTimestamp": at}


def test_events_are_those_of_the_tree_and_of_the_application_newest_first():
    lists = {
        "/api/v1/namespaces/shop/events": [event("Pod", "web-1-a", "1"), event("Pod", "x", "4")],
        "/api/v1/namespaces/argocd/events": [
            event("Application", "web", "3", "argocd"),
            event("Application", "other", "2", "argocd"),
        ],
    }
    trees = Trees(Answers(LISTS | lists))
    found = application(resource("Deployment"))
    events = trees.events(found, trees.of(found))
    assert [item["object"] for item in events] == ["Application argocd/web", "Pod shop/web-1-a"]


def test_both_ways_to_write_an_event_are_read():
    series = {"count": 7, "lastObservedTime": "2026-11-27T11:00:00Z"}
    new = event("Pod", "a", None) | {"eventTime": "2026-11-27T10:00:00Z", "series": series, "reportingComponent": "k"}
    found = event_of(new)
    assert [found[key] for key in ("count", "first_seen", "last_seen", "source")] == [
        7,
        "2026-11-27T10:00:00Z",
        "2026-11-27T11:00:00Z",
        "k",
    ]
    old = event_of(event("Pod", "a", "2026-11-27T10:00:00Z") | {"count": 3, "source": {"component": "kubelet"}})
    assert (old["count"], old["last_seen"], old["source"]) == (3, "2026-11-27T10:00:00Z", "kubelet")
