# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_diff: what a sync would change, as a dry run of the API server says it."""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._diff.comparison import (
    ignored_pointers,
    normalized,
    removed,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import changed_fields
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_diff

from .repositories import publish
from .running import run_module

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
RESOURCES = {
    "/api/v1": [("ConfigMap", "configmaps", True), ("Secret", "secrets", True)],
    "/apis/rbac.authorization.k8s.io/v1": [("ClusterRole", "clusterroles", False)],
}
# In the place of kustomize: an overlay of these tests has all objects in one file.
COMMAND = ["sh", "-c", 'cat "$0/objects.yaml"']
FOLDER = "infra/shop/envs/dev"


def thing(kind, name, version="v1", **more):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}} | more


def config(name, **data):
    return thing("ConfigMap", name, data=data)


def live_of(item, **annotations):
    """Return an object as Argo CD deployed it."""
    item, kind = deepcopy(item), item["kind"]
    group = item["apiVersion"].rpartition("/")[0]
    namespace = "" if kind.startswith("Cluster") else "shop"
    tracking = f"shop:{group}/{kind}:shop/{item['metadata']['name']}"
    item["metadata"] |= {"annotations": {"argocd.argoproj.io/tracking-id": tracking} | annotations, "uid": "1"}
    item["metadata"] |= {"namespace": namespace} if namespace else {}
    return item


def entry(item, status="OutOfSync", **more):
    group, _slash, version = item["apiVersion"].rpartition("/")
    namespace = "" if item["kind"].startswith("Cluster") else "shop"
    names = {"group": group, "version": version, "kind": item["kind"], "name": item["metadata"]["name"]}
    return {key: value for key, value in names.items() if value} | {"namespace": namespace, "status": status} | more


class Cluster:
    """Answers as an API server that has these objects; it applies a manifest by merging it, and remembers dry runs."""

    def __init__(self, *objects, resources=(), spec=None, refused=None):
        source = {"repoURL": "x", "path": f"argocd/{FOLDER}"}
        self.application = {
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"source": source, "destination": {"name": "in-cluster", "namespace": "shop"}} | (spec or {}),
            "status": {"sync": {"status": "OutOfSync"}, "resources": list(resources)},
        }
        self.objects = {self.path(item): item for item in objects}
        self.refused, self.applied = refused or {}, {}

    @staticmethod
    def path(item):
        version = item["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural, namespaced = next(found[1:] for found in RESOURCES[base] if found[0] == item["kind"])
        return f"{base}{'/namespaces/shop' if namespaced else ''}/{plural}/{item['metadata']['name']}"

    def script(self, bodies):
        def answer(method, address):
            url = urlsplit(address)
            if url.path == APPLICATIONS:
                return 200, {"items": [self.application]}
            if url.path in RESOURCES:
                keys = ("kind", "name", "namespaced")
                return 200, {"resources": [dict(zip(keys, found, strict=True)) for found in RESOURCES[url.path]]}
            if method == "PATCH" and url.path in self.refused:
                return self.refused[url.path]
            if method == "PATCH":
                assert url.query == "dryRun=All&fieldManager=argocd-controller&force=true"
                return 200, bodies(self.objects.get(url.path) or {})
            found = self.objects.get(url.path)
            return (200, found) if found else (404, {"message": "not found"})

        return answer


def merge(live, wanted):
    if not isinstance(live, dict) or not isinstance(wanted, dict):
        return wanted
    return live | {key: merge(live.get(key), value) for key, value in wanted.items()}


@pytest.fixture
def clone(tmp_path):
    found = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main", isolated=True)
    found.open(create=True)
    return found


@pytest.fixture
def diff(api_server, clone, tmp_path, monkeypatch):
    """Return a function that publishes objects and compares a cluster with them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def compare(cluster, *objects, **arguments):
        if objects:
            publish(clone, f"{FOLDER}/objects.yaml", yaml.safe_dump_all(objects))
        status = cluster.application["status"]["sync"]
        status.setdefault("revision", clone.head())
        pending = []
        server = api_server(cluster.script(lambda live: merge(live, pending[-1])))
        original = server.answer

        def answer(handler, method, path, body):
            pending.append(body)
            original(handler, method, path, body)

        server.answer = answer
        places = {"url": clone.url, "path": str(clone.path), "isolated": True, "command": COMMAND}
        compare.server = server
        return run_module(argocd_app_diff, kubeconfig=server.kubeconfig, **{"name": "shop"} | places | arguments)

    return compare


def actions(result):
    return {found["name"]: (found["action"], found["message"]) for found in result["resources"]}


def test_what_differs_is_shown_as_a_sync_would_change_it(diff, clone):
    wanted, same = config("one", a="1", b="2"), config("two", a="1")
    cluster = Cluster(
        live_of(config("one", a="drift", b="2", extra="3")),
        live_of(same),
        resources=[entry(wanted), entry(same, "Synced")],
    )
    result = diff(cluster, wanted, same)
    (found,) = result["resources"]
    assert result["report"].startswith(f"shop is OutOfSync. 1 object differs from commit {clone.head()[:12]}.\n")
    assert (found["action"], found["fields"], found["message"]) == ("update", ["data.a"], "")
    assert found["diff"].splitlines()[:3] == ["--- cluster", "+++ Git", "@@ -1,6 +1,6 @@"]
    assert [line for line in found["diff"].splitlines()[3:] if line[0] != " "] == ["-  a: drift", "+  a: '1'"]
    assert (result["changed"], result["revision"], result["sync"]) == (False, clone.head(), "OutOfSync")
    # Of what is Synced nothing is read, and nothing is written.
    assert not [request for request in diff.server.requests if "/two" in request]
    assert all("dryRun=All" in request for request in diff.server.requests if request.startswith("PATCH"))


def test_missing_objects_are_added_and_extra_ones_deleted(diff):
    missing, extra, kept = config("missing", a="1"), config("extra", a="1"), config("kept", a="1")
    cluster = Cluster(
        live_of(extra),
        live_of(kept, **{"argocd.argoproj.io/sync-options": "Delete=false, Prune=false"}),
        resources=[entry(missing), entry(extra, requiresPruning=True), entry(kept, requiresPruning=True)],
    )
    result = diff(cluster, missing)
    assert actions(result) == {
        "missing": ("create", ""),
        "extra": ("delete", "it is not in Git any more"),
        "kept": ("none", "it is not in Git any more, and stays because of Prune=false"),
    }
    assert [line for line in result["report"].splitlines() if line[:1] not in ("+", "-", "@")] == [
        f"shop is OutOfSync. 3 objects differ from commit {result['revision'][:12]}.",
        "",
        "create: ConfigMap shop/missing",
        "",
        "delete: ConfigMap shop/extra: it is not in Git any more",
        "",
        "none: ConfigMap shop/kept: it is not in Git any more, and stays because of Prune=false",
    ]
    created, deleted, kept = (found["diff"].splitlines()[3:] for found in result["resources"])
    assert {line[0] for line in created} == {"+"}
    assert {line[0] for line in deleted} == {"-"}
    assert "+    argocd.argoproj.io/tracking-id: shop:/ConfigMap:shop/missing" in created
    assert kept == []


def test_values_of_secrets_are_never_shown(diff):
    def secret(**data):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return thing("Secret", "login", data=encoded)

    present, wanted = secret(user="alice", password="hunter1"), secret(user="alice", password="hunter2")
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(present)}
    result = diff(Cluster(live_of(present, **applied), resources=[entry(wanted)]), wanted)
    (found,) = result["resources"]
    assert found["fields"] == ["data.password"]
    assert [line for line in found["diff"].splitlines()[3:] if line[0] != " "] == [
        "-  password: (not shown)",
        "+  password: (not shown, different)",
    ]
    texts = json.dumps(result)
    assert not [text for item in (present, wanted) for text in item["data"].values() if text in texts]
    # Nor those of one that is missing, or in what the API server says.
    assert "(not shown)" in diff(Cluster(resources=[entry(wanted)]))["resources"][0]["diff"]
    path = Cluster.path(wanted)
    refused = {path: (422, {"reason": "Invalid", "message": "hunter2 is too short"})}
    result = diff(Cluster(live_of(present), resources=[entry(wanted)], refused=refused))
    words = "Invalid (the rest may quote its values and is not shown)"
    assert actions(result) == {"login": ("rejected", words)}


def test_what_the_api_server_does_not_accept_is_said(diff):
    wanted = config("one", a="1")
    refused = {Cluster.path(wanted): (422, {"message": "ConfigMap is invalid: data: too long"})}
    result = diff(Cluster(live_of(wanted), resources=[entry(wanted)], refused=refused), wanted)
    assert actions(result) == {"one": ("rejected", "ConfigMap is invalid: data: too long")}
    assert result["resources"][0]["diff"] == ""


def test_what_was_applied_and_left_git_would_be_removed(diff):
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(config("one", a="1", old="x"))}
    wanted = config("one", a="1")
    cluster = Cluster(live_of(config("one", a="1", old="x", by_hand="y"), **applied), resources=[entry(wanted)])
    assert diff(cluster, wanted)["resources"][0]["fields"] == ["data.old"]


def test_a_kind_that_the_cluster_does_not_know_is_new(diff):
    wanted = thing("Widget", "one", "example.com/v1")
    result = diff(Cluster(resources=[entry(wanted)]), wanted)
    assert actions(result) == {"one": ("create", "the cluster does not know its kind yet")}


def test_objects_without_a_namespace_and_hooks(diff):
    role = thing("ClusterRole", "reader", "rbac.authorization.k8s.io/v1", rules=[])
    hook = config("hook")
    hook["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PreSync"}
    made_up = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}
    present = live_of(role) | {"rules": [1]}
    result = diff(Cluster(present, resources=[entry(role)]), role, hook, made_up)
    assert result["resources"][0]["fields"] == ["rules"]


def test_what_is_ignored_is_left_out_or_named(diff):
    wanted, role = config("one", a="1", b="2"), thing("ClusterRole", "r", "rbac.authorization.k8s.io/v1", rules=[])
    rules = [
        {"kind": "ConfigMap", "jsonPointers": ["/data/a"]},
        {"kind": "ConfigMap", "name": "other", "jsonPointers": ["/data/b"]},
        {"group": "*", "kind": "ClusterRole", "jqPathExpressions": [".rules[]"], "managedFieldsManagers": ["x"]},
    ]
    cluster = Cluster(
        live_of(config("one", a="drift", b="drift")),
        live_of(role) | {"rules": [1]},
        resources=[entry(wanted), entry(role)],
        spec={"ignoreDifferences": rules},
    )
    result = diff(cluster, wanted, role)
    assert [found["fields"] for found in result["resources"]] == [["data.b"], ["rules"]]
    words = "jqPathExpressions and managedFieldsManagers of ignoreDifferences was not evaluated."
    assert result["warnings"] == [f"ClusterRole r: {words}"]


def test_nothing_that_differs_is_said_too(diff):
    wanted, gone = config("one", a="1"), config("gone")
    result = diff(Cluster(live_of(wanted), resources=[entry(wanted), entry(gone)]), wanted)
    assert actions(result) == {
        "one": (
            "none",
            "no field differs: refresh the Application, or look for what only Argo CD evaluates, such as "
            "ignoreDifferences or resource customizations",
        ),
        "gone": ("none", "the revision does not contain it: refresh the Application"),
    }


def test_another_commit_is_compared_as_a_whole(diff, clone):
    first = [config("one", a="1"), config("leaves", a="1"), config("same", a="1")]
    publish(clone, f"{FOLDER}/objects.yaml", yaml.safe_dump_all(first))
    cluster = Cluster(*map(live_of, first), resources=[entry(item, "Synced") for item in first])
    cluster.application["status"]["sync"]["revision"] = clone.head()
    result = diff(cluster, config("one", a="2"), config("new", a="1"), config("same", a="1"), revision="main")
    assert {name: action for name, (action, _message) in actions(result).items()} == {
        "one": "update",
        "new": "create",
        "leaves": "delete",
    }
    assert result["revision"] == clone.head()


@pytest.mark.parametrize(
    ("spec", "sync", "arguments", "message"),
    [
        (
            {"source": {"path": "charts/shop"}},
            {},
            {},
            "Application shop has the path charts/shop: only an overlay of the monorepo can be built here.",
        ),
        (
            {"sources": [{}, {}]},
            {},
            {},
            "Application shop has 2 sources: only an overlay of the monorepo can be built here.",
        ),
        (
            {},
            {"revision": ""},
            {},
            "Argo CD has not compared Application shop with any commit yet: look at its conditions, or set revision.",
        ),
        (
            {},
            {"revision": "0" * 40},
            {},
            f"{'0' * 40}, with which Application shop is to be compared, is not in URL: refresh the Application, or "
            "correct url and revision.",
        ),
        (
            {"source": {"path": "argocd/infra/other/envs/dev"}},
            {},
            {},
            "Commit HEAD has no folder argocd/infra/other/envs/dev, which Application shop deploys.",
        ),
        ({}, {}, {"name": "other"}, "In namespace argocd there is no Application other."),
        (
            {"destination": {"name": "far", "namespace": "shop"}},
            {},
            {},
            "Application shop deploys to far, and only Argo CD's own cluster can be read.",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(diff, clone, spec, sync, arguments, message):
    cluster = Cluster(spec=spec)
    cluster.application["status"]["sync"] |= sync
    result = diff(cluster, config("one"), **arguments)
    assert result["msg"] == message.replace("URL", clone.url).replace("HEAD", clone.head())


def test_overrides_of_the_source_are_named(diff):
    source = {"path": f"argocd/{FOLDER}", "kustomize": {"namePrefix": "x-"}}
    result = diff(Cluster(spec={"source": source}), config("one"))
    assert result["warnings"] == ["Application shop sets kustomize in its source, which was not taken into account."]


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/spec/a~1b", {"spec": {"list": [1, {"x": 2}]}}),
        ("/spec/list/0", {"spec": {"a/b": 1, "list": [{"x": 2}]}}),
        ("/spec/list/1/x", {"spec": {"a/b": 1, "list": [1, {}]}}),
        ("/spec/list/9/x", {"spec": {"a/b": 1, "list": [1, {"x": 2}]}}),
        ("/spec/list/-", {"spec": {"a/b": 1, "list": [1, {"x": 2}]}}),
        ("/missing/x", {"spec": {"a/b": 1, "list": [1, {"x": 2}]}}),
        ("", {"spec": {"a/b": 1, "list": [1, {"x": 2}]}}),
    ],
)
def test_json_pointers(pointer, expected):
    item = {"metadata": {}, "spec": {"a/b": 1, "list": [1, {"x": 2}]}, "status": {"x": 1}}
    assert normalized(item, [pointer]) == {"metadata": {}} | expected


def test_rules_of_ignored_differences_are_chosen_as_argo_cd_does():
    rules = [
        {"group": "*", "kind": "*", "jsonPointers": ["/all"]},
        {"group": "apps", "kind": "Deploy*", "jsonPointers": ["/kind"]},
        {"group": "apps", "kind": "Deployment", "namespace": "other", "jsonPointers": ["/other"]},
        {"kind": "Deployment", "jsonPointers": ["/core"]},
    ]
    found = ignored_pointers({"spec": {"ignoreDifferences": rules}}, ("apps", "Deployment", "shop", "web"))
    assert found == ["/all", "/kind"]


def test_entries_of_lists_that_left_git_are_removed():
    def ports(*numbers):
        return {"ports": [{"containerPort": number} for number in numbers]}

    def container(name, **more):
        return {"name": name} | more

    # Server-side apply, which does not know the last manifest, has the old port beside the new one.
    assert removed(ports(80, 81, 90), ports(80, 81), ports(80)) == ports(80, 90)
    result = {"containers": [container("web", image="2", old=1), container("gone"), container("injected")]}
    applied = {"containers": [container("web", image="1", old=1), container("gone")]}
    wanted = {"containers": [container("web", image="2")]}
    assert removed(result, applied, wanted) == {"containers": [container("web", image="2"), container("injected")]}


def test_paths_of_changed_fields():
    before = {"a": {"b": [1, {"c": 2}]}, "same": 1, "list": [1]}
    after = {"a": {"b": [1, {"c": 3}]}, "same": 1, "list": [1, 2], "new": 1}
    assert list(changed_fields(before, after)) == ["a.b[1].c", "list", "new"]
