# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds the deletion of an Application."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import deletion
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import (
    APPROVED,
    Deletion,
    holder,
    holders,
    live_resources,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

CLUSTER = {
    "group": "postgresql.cnpg.io",
    "version": "v1",
    "kind": "Cluster",
    "namespace": "services",
    "name": "cnpg-cluster",
}
SINCE = "2026-11-26T17:00:00Z"
LOCAL = {"server": "https://kubernetes.default.svc", "namespace": "services"}


class FakeApi:
    """Answers with objects by path; an object that is not there is a 404."""

    def __init__(self, objects):
        self.objects, self.asked = objects, []

    def path(self, item):
        return f"{item['apiVersion']}/{item['kind']}/{item['metadata']['namespace']}/{item['metadata']['name']}"

    def request(self, _method, path):
        self.asked.append(path)
        return (200, self.objects[path]) if path in self.objects else (404, {})


def application(*resources, destination=None, **annotations):
    return {
        "metadata": {"name": "services-db", "annotations": annotations},
        "spec": {"destination": destination or LOCAL},
        "status": {"resources": list(resources)},
    }


def deleted(*finalizers, **status):
    return {"metadata": {"deletionTimestamp": SINCE, "finalizers": list(finalizers)}, "status": status}


def test_an_object_that_is_being_deleted_is_named_with_its_finalizers():
    assert holder(CLUSTER, deleted("example.org/one")) == "Cluster services/cnpg-cluster (finalizer example.org/one)"
    assert holder(CLUSTER, deleted("a/b", "c/d")) == "Cluster services/cnpg-cluster (finalizers a/b, c/d)"
    assert holder(CLUSTER, deleted()) == "Cluster services/cnpg-cluster (no finalizer)"


def test_an_object_that_stays_holds_nothing():
    assert holder(CLUSTER, {"metadata": {"finalizers": ["example.org/one"]}}) == ""


def test_a_namespace_says_what_is_left_in_it():
    message = "Some content in the namespace has finalizers remaining: example.org/one in 1 resource instances"
    conditions = [
        {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources were discovered"},
        {"type": "NamespaceFinalizersRemaining", "status": "True", "message": message},
    ]
    found = holder({"kind": "Namespace", "name": "services"}, deleted(conditions=conditions))
    assert found == f"Namespace services ({message})"


def test_only_objects_that_are_still_there_are_held():
    gone = CLUSTER | {"name": "gone"}
    api = FakeApi({"postgresql.cnpg.io/v1/Cluster/services/cnpg-cluster": deleted("example.org/one")})
    assert holders(api, application(CLUSTER, gone)) == ["Cluster services/cnpg-cluster (finalizer example.org/one)"]
    assert len(api.asked) == 2


def test_objects_of_another_cluster_are_not_looked_for_in_this_one():
    api = FakeApi({})
    assert holders(api, application(CLUSTER, destination={"server": "https://other:6443"})) == []
    assert api.asked == []


def test_only_resources_with_the_asked_status_are_read():
    api = FakeApi({"v1/ConfigMap/a/out": {"metadata": {}}})
    config = {"version": "v1", "kind": "ConfigMap", "namespace": "a"}
    out, synced = config | {"name": "out", "status": "OutOfSync"}, config | {"name": "in", "status": "Synced"}
    assert [entry for entry, _live in live_resources(api, application(out, synced), "OutOfSync")] == [out]
    assert api.asked == ["v1/ConfigMap/a/out"]


def test_a_deletion_that_must_be_confirmed_says_so():
    resource = CLUSTER | {"requiresDeletionConfirmation": True}
    words = f"Cluster services/cnpg-cluster (needs the annotation {APPROVED} on the Application)"
    assert holders(FakeApi({}), application(resource)) == [words]
    assert holders(FakeApi({}), application(resource, **{APPROVED: SINCE})) == []


class Overlooking:
    """An Argo CD that sees a deletion only when the Application is changed afterwards."""

    def __init__(self):
        self.item = {"metadata": {"name": "a", "uid": "1", "finalizers": [deletion.FINALIZER]}}
        self.changes = []

    def request(self, method, _path, body=None, content_type=""):
        del content_type
        if method == "DELETE":
            self.item["metadata"]["deletionTimestamp"] = SINCE
        if method == "PATCH":
            self.changes.append(body["metadata"]["annotations"])
            self.item = None
        return (200, self.item) if self.item else (404, {})


def test_a_deletion_that_the_controller_overlooked_is_brought_to_mind(monkeypatch):
    monkeypatch.setattr(deletion, "POLL_SECONDS", 0.01)
    api = Overlooking()
    with pytest.raises(GitopsError, match="Not deleted after"):
        Deletion(api, "argocd", str).delete({"a": api.item}, 0.1)
    assert api.changes == []
    monkeypatch.setattr(deletion, "REMIND_SECONDS", 0.05)
    Deletion(api, "argocd", str).delete({"a": api.item}, 5)
    assert [(found[deletion.REFRESH], found[deletion.STAMP].isdigit()) for found in api.changes] == [("normal", True)]
