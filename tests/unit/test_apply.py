# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied in which order, what counts as a change, and what is shown of it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._api import UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._apply import waiting
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.api import ApplyApi
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.applier import Applier, Settings
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.diff import (
    LAST_APPLIED,
    as_diff,
    comparable,
    contains,
    shown,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import (
    HASH,
    label,
    load,
    phases,
    with_hash,
    with_namespace,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import Applied, report
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.waiting import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import blocks, may_be_blocked
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import established, pending_rollout


def manifest(kind, name, api_version="v1", **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}} | fields


def crd(group="example.com", kind="Widget"):
    spec = {"group": group, "names": {"kind": kind}}
    return manifest("CustomResourceDefinition", f"widgets.{group}", "apiextensions.k8s.io/v1", spec=spec)


WIDGET = manifest("Widget", "w", "example.com/v1")
CONFIG = manifest("ConfigMap", "c", data={"a": "1"})
SECRET = manifest("Secret", "s", data={"password": "c2VjcmV0"})


# --- reading -------------------------------------------------------------------------------------------------------


def test_files_and_definitions_are_opened_up_and_filtered(tmp_path):
    (tmp_path / "a.yaml").write_text(f"---\n{json.dumps(CONFIG)}\n---\n# nothing\n---\n{json.dumps(WIDGET)}\n")
    (tmp_path / "b.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [crd()]}))
    paths = [str(tmp_path / "a.yaml"), str(tmp_path / "b.json")]
    assert load(paths, [SECRET], []) == [SECRET, CONFIG, WIDGET, crd()]
    assert load(paths, [], ["CustomResourceDefinition"]) == [crd()]
    assert load([], [None, {}], []) == []


def test_a_typed_list_says_what_its_items_are(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("{apiVersion: v1, kind: ConfigMapList, items: [{metadata: {name: c}, data: {a: '1'}}]}")
    assert load([str(path)], [], ["ConfigMap"]) == [CONFIG]


def test_a_date_and_a_bare_equals_sign_are_strings(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {day: 2026-01-02, operator: =}}")
    assert load([str(path)], [], [])[0]["data"] == {"day": "2026-01-02", "operator": "="}


def test_a_definition_is_not_changed():
    assert load([], [CONFIG], [])[0] is not CONFIG


@pytest.mark.parametrize(
    "document", ["text", {"kind": "ConfigMap"}, manifest("ConfigMap", ""), CONFIG | {"metadata": None}]
)
def test_what_is_no_object_is_refused_with_its_origin(tmp_path, document):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(GitopsError) as error:
        load([str(path)], [], [])
    assert str(error.value) == (
        f"{path}: a document is not a Kubernetes object: apiVersion, kind and metadata.name are required."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("a: [")
    with pytest.raises(GitopsError, match=r"a\.yaml cannot be read: "):
        load([str(tmp_path / "a.yaml")], [], [])
    with pytest.raises(GitopsError, match=r"missing\.yaml cannot be read: .*No such file"):
        load([str(tmp_path / "missing.yaml")], [], [])


def test_an_object_may_be_repeated_but_not_contradicted():
    assert load([], [CONFIG, CONFIG], []) == [CONFIG]
    with pytest.raises(GitopsError) as error:
        load([], [CONFIG, CONFIG | {"data": {"a": "2"}}], [])
    assert str(error.value) == "ConfigMap c occurs twice, with different contents."


# --- order and namespace -------------------------------------------------------------------------------------------


def test_namespaces_come_first_and_custom_resources_of_own_crds_last():
    other = manifest("Gadget", "g", "example.com/v1")
    namespace = manifest("Namespace", "n")
    assert phases([WIDGET, CONFIG, other, crd(), namespace]) == ([namespace], [crd(), CONFIG, other], [WIDGET])


def test_the_namespace_is_given_only_to_objects_without_one():
    assert with_namespace(CONFIG, "n")["metadata"] == {"name": "c", "namespace": "n"}
    own = {"metadata": {"name": "c", "namespace": "own"}}
    assert with_namespace(own, "n") == own
    assert CONFIG["metadata"] == {"name": "c"}


def test_labels():
    assert label(CONFIG) == "ConfigMap c"
    assert label(with_namespace(CONFIG, "n")) == "ConfigMap n/c"


# --- what is a change ----------------------------------------------------------------------------------------------


def test_the_hash_names_the_content_and_keeps_other_annotations():
    annotated = CONFIG | {"metadata": {"name": "c", "annotations": {"x": "y"}}}
    first, second = with_hash(annotated), with_hash(annotated | {"data": {"a": "2"}})
    assert first["metadata"]["annotations"].keys() == {"x", HASH}
    assert first["metadata"]["annotations"][HASH] != second["metadata"]["annotations"][HASH]
    assert HASH in with_hash(CONFIG | {"metadata": {"name": "c", "annotations": None}})["metadata"]["annotations"]
    assert with_hash(SECRET) == SECRET


@pytest.mark.parametrize(
    ("live", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"b": None}, True),
        ({"b": 1}, {"b": None}, False),
        ({"b": {}}, {"b": None}, False),
        ([1, 2], [1], False),
        ([2, 1], [1, 2], False),
        ([{"a": 1, "default": 1}], [{"a": 1}], True),
        ("1", 1, False),
        (1, True, False),
        (1, 1.0, True),
        ("500m", "0.5", False),
        (None, {"a": None}, False),
    ],
)
def test_contains(live, wanted, expected):
    assert contains(live, wanted) is expected


def test_bookkeeping_and_status_are_no_difference():
    def version(number, time, status):
        ours = {"manager": "monorepo.gitops", "fieldsV1": {"f:data": {}}}
        theirs = {"manager": "controller", "subresource": "status", "fieldsV1": {"f:status": {"f:x": status}}}
        fields = {"resourceVersion": number, "generation": number, "managedFields": [ours | {"time": time}, theirs]}
        return CONFIG | {"metadata": {"name": "c"} | fields, "status": {"x": status}}

    assert comparable(version(1, "t1", 1)) == comparable(version(2, "t2", 2))
    other = version(1, "t1", 1)
    other["metadata"]["managedFields"][0]["fieldsV1"] = {}
    assert comparable(version(1, "t1", 1)) != comparable(other)


# --- what is shown -------------------------------------------------------------------------------------------------


def test_no_value_of_a_secret_is_shown():
    before = SECRET | {"metadata": {"name": "s", "annotations": {LAST_APPLIED: "c2VjcmV0", "x": "y"}}}
    after = SECRET | {"data": {"password": "bmV3", "user": "YWRtaW4="}, "stringData": {"plain": "text"}}
    diff = as_diff(Applied(SECRET, "configured", before, after))
    for value in ("c2VjcmV0", "bmV3", "YWRtaW4=", "plain: text"):
        assert value not in str(diff)
    assert "  password: (not shown)\n" in diff["before"]
    assert "  password: (not shown, different)\n  user: (not shown)\n" in diff["after"]
    assert "x: y" in diff["before"]


def test_a_diff_names_the_object_and_leaves_bookkeeping_out():
    live = {"metadata": {"name": "c", "namespace": "n", "uid": "u", "managedFields": [{}]}, "data": {"a": "1"}}
    diff = as_diff(Applied(with_namespace(CONFIG, "n"), "created", {}, CONFIG | live))
    assert diff == {
        "before_header": "ConfigMap n/c",
        "after_header": "ConfigMap n/c",
        "before": "",
        "after": "apiVersion: v1\ndata:\n  a: '1'\nkind: ConfigMap\nmetadata:\n  name: c\n  namespace: n\n",
    }


def test_of_a_very_long_object_only_the_size_is_shown():
    long = CONFIG | {"data": {"a": "x" * 200_000}}
    assert as_diff(Applied(long, "created", {}, long))["after"].endswith(" characters)\n")
    assert shown(long)["data"] == long["data"]


def test_report():
    results = [Applied(with_namespace(CONFIG, "n"), "configured", {}, {}), Applied(crd(), "unchanged", {}, {})]
    assert report(results) == {
        "changed": True,
        "objects": [
            {"kind": "ConfigMap", "namespace": "n", "name": "c", "action": "configured"},
            {"kind": "CustomResourceDefinition", "namespace": "", "name": "widgets.example.com", "action": "unchanged"},
        ],
        "counts": {"configured": 1, "unchanged": 1},
    }
    assert report([Applied(CONFIG, "skipped", {}, {})])["changed"] is False


# --- readiness -----------------------------------------------------------------------------------------------------


def conditions(**states):
    return {
        "status": {"conditions": [{"type": name, "status": value, "message": "m"} for name, value in states.items()]}
    }


def test_established():
    assert established(crd()) == "not Established"
    assert established(conditions(Established="False", NamesAccepted="True")) == "not Established"
    assert established(conditions(Established="False", NamesAccepted="False")) == "m"
    assert established(conditions(Established="True")) == ""


def workload(kind="Deployment", generation=2, strategy=None, **status):
    spec = {"replicas": 2, "updateStrategy": strategy or {}}
    return {
        "kind": kind,
        "metadata": {"generation": generation},
        "spec": spec,
        "status": {"observedGeneration": 2} | status,
    }


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (workload(**DONE), ""),
        (workload(generation=3, **DONE), "its controller has not seen the newest revision"),
        (workload(**DONE | {"availableReplicas": 1}), "1 of 2 pods are available, 2 of the newest revision"),
        # The available ones may be those of the revision before.
        (
            workload(**DONE | {"replicas": 3}),
            "2 of 2 pods are available, 2 of the newest revision, 1 more than wanted",
        ),
        (
            workload("StatefulSet", **DONE | {"updatedReplicas": 0}),
            "2 of 2 pods are available, 0 of the newest revision",
        ),
        (workload("StatefulSet", strategy={"type": "OnDelete"}, **DONE | {"updatedReplicas": 0}), ""),
        (workload("StatefulSet", strategy={"rollingUpdate": {"partition": 1}}, **DONE | {"updatedReplicas": 1}), ""),
        (workload("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=3), ""),
        (workload("DaemonSet", desiredNumberScheduled=3), "0 of 3 pods are available, 0 of the newest revision"),
        ({"kind": "Deployment", "metadata": {"generation": 1}}, "its controller has not seen the newest revision"),
    ],
)
def test_rollout(live, expected):
    assert pending_rollout(live) == expected


# --- the requests --------------------------------------------------------------------------------------------------


class Server:
    """Answers like an API server; `live` is what it has, `answers` what it says to a PATCH of a path."""

    def __init__(self, live=None, answers=None, kinds=("Namespace", "ConfigMap", "Secret", "CustomResourceDefinition")):
        self.live, self.answers, self.kinds, self.log = live or {}, answers or {}, set(kinds), []

    def resource(self, item):
        """Return plural and scope."""
        cluster_scoped = item["kind"] in ("Namespace", "CustomResourceDefinition")
        return (item["kind"].lower(), not cluster_scoped) if item["kind"] in self.kinds else None

    def path(self, item):
        """Return namespace, kind and name."""
        return f"/{item['metadata'].get('namespace', '')}/{item['kind']}/{item['metadata']['name']}"

    def request(self, method, path, query=None, body=None, _content_type=None):
        """Answer and remember the request."""
        dry_run = bool(query and query.get("dryRun"))
        self.log.append(f"{'DRY ' if dry_run else ''}{method} {path}")
        if method == "GET":
            return (200, self.live[path]) if path in self.live else (404, {"message": "not found"})
        if path in self.answers:
            return self.answers[path]
        after = body | {"metadata": body["metadata"] | {"resourceVersion": "2"}}
        if body["kind"] == "CustomResourceDefinition":
            after |= conditions(Established="True")
            self.kinds.add(body["spec"]["names"]["kind"])
        if not dry_run:
            self.live[path] = after
        return 201, after


def run(server, items, namespace="n", **settings):
    defaults = {"field_manager": "m", "force": True, "only_missing": False, "check_mode": False, "concurrency": 1}
    applier = Applier(server, Settings(**defaults | settings), namespace)
    return [(label(result.item), result.action) for result in applier.apply(items)], applier.warnings


def test_a_missing_object_is_written_at_once_and_then_never_again():
    server = Server()
    assert run(server, [CONFIG]) == ([("ConfigMap n/c", "created")], [])
    assert run(server, [CONFIG]) == ([("ConfigMap n/c", "unchanged")], [])
    assert server.log == ["GET /n/ConfigMap/c", "PATCH /n/ConfigMap/c", "GET /n/ConfigMap/c"]


def test_a_difference_is_proved_by_a_dry_run():
    server = Server()
    run(server, [CONFIG])
    server.log.clear()
    assert run(server, [CONFIG | {"data": {"a": "2"}}])[0] == [("ConfigMap n/c", "configured")]
    assert server.log == ["GET /n/ConfigMap/c", "DRY PATCH /n/ConfigMap/c", "PATCH /n/ConfigMap/c"]


def test_what_the_server_writes_in_another_way_is_unchanged_after_a_dry_run():
    live = with_namespace(CONFIG, "n") | {"data": {"a": "one"}}
    server = Server({"/n/ConfigMap/c": live}, {"/n/ConfigMap/c": (200, live)})
    assert run(server, [CONFIG])[0] == [("ConfigMap n/c", "unchanged")]
    assert server.log == ["GET /n/ConfigMap/c", "DRY PATCH /n/ConfigMap/c"]


def test_a_write_of_somebody_else_in_between_is_not_our_change():
    def live(version, label_value):
        metadata = {"name": "c", "namespace": "n", "resourceVersion": version, "labels": {"x": label_value}}
        return CONFIG | {"metadata": metadata}

    server = Server({"/n/ConfigMap/c": live("1", "old")}, {"/n/ConfigMap/c": (200, live("2", "new"))})
    plain = server.request

    def request(method, path, *args):
        answer = plain(method, path, *args)
        if method == "PATCH":
            server.live[path] = live("2", "new")
        return answer

    server.request = request
    assert run(server, [CONFIG])[0] == [("ConfigMap n/c", "unchanged")]
    assert [entry for entry in server.log if entry.startswith("PATCH")] == []


def test_check_mode_only_sends_dry_runs():
    server = Server({"/n/Secret/s": SECRET})
    items = [manifest("Namespace", "new"), CONFIG, SECRET | {"data": {}}]
    assert [action for _name, action in run(server, items, check_mode=True)[0]] == ["created", "created", "configured"]
    assert [entry for entry in server.log if entry.startswith("PATCH")] == []


def test_check_mode_in_a_namespace_that_this_run_would_create():
    server = Server(answers={"/n/ConfigMap/c": (404, {"message": 'namespaces "n" not found'})})
    assert run(server, [CONFIG], check_mode=True)[0] == [("ConfigMap n/c", "created")]


def test_existing_objects_are_left_alone():
    server = Server({"/n/ConfigMap/c": CONFIG})
    assert run(server, [CONFIG | {"data": {}}, SECRET], only_missing=True)[0] == [
        ("ConfigMap n/c", "skipped"),
        ("Secret n/s", "created"),
    ]
    assert HASH not in str(server.live)


def test_custom_resources_follow_their_crd():
    server = Server()
    assert run(server, [WIDGET, crd()])[0] == [
        ("CustomResourceDefinition widgets.example.com", "created"),
        ("Widget n/w", "created"),
    ]
    assert run(Server(), [WIDGET, crd()], check_mode=True)[1] == []


def test_an_unknown_kind_is_found_before_anything_is_written():
    server = Server()
    with pytest.raises(GitopsError) as error:
        run(server, [CONFIG, WIDGET])
    assert str(error.value) == (
        "The cluster does not know Widget of example.com/v1: the CustomResourceDefinition is missing, so Widget w "
        "cannot be applied. Nothing was written."
    )
    assert server.log == []
    assert run(server, [CONFIG, WIDGET], check_mode=True) == (
        [("ConfigMap n/c", "created"), ("Widget w", "created")],
        [
            "The cluster does not know Widget of example.com/v1: the CustomResourceDefinition is missing. Its objects "
            "count as new and were not checked."
        ],
    )


def test_rejections_name_the_objects_and_the_others_are_applied():
    server = Server(answers={"/n/ConfigMap/c": (422, {"message": "data is bad"}), "/n/ConfigMap/d": (403, {})})
    with pytest.raises(GitopsError) as error:
        run(server, [CONFIG, manifest("ConfigMap", "d"), manifest("ConfigMap", "e")])
    assert str(error.value) == "ConfigMap n/c was rejected: data is bad; ConfigMap n/d was rejected: 403"
    assert error.value.result["changed"] is True
    assert error.value.result["counts"] == {"created": 1}


def test_a_rejected_secret_is_not_quoted():
    server = Server(answers={"/n/Secret/s": (422, {"message": "c2VjcmV0 is bad", "reason": "Invalid"})})
    with pytest.raises(GitopsError) as error:
        run(server, [SECRET])
    assert str(error.value) == ("Secret n/s was rejected: Invalid (the rest may quote its values and is not shown)")


SINCE = "2026-11-28T09:00:00Z"
LEAVING = {
    "name": "widgets.example.com",
    "uid": "1",
    "deletionTimestamp": SINCE,
    "finalizers": ["customresourcecleanup"],
}
HELD = f"it is being deleted (since {SINCE}; its finalizers are customresourcecleanup)"


class Leaving(Server):
    """A CRD that is being deleted is gone after so many requests."""

    def __init__(self, requests, **settings):
        super().__init__({"//CustomResourceDefinition/widgets.example.com": crd() | {"metadata": LEAVING}}, **settings)
        self.left = requests

    def request(self, method, path, *args):
        self.left -= method == "GET"
        if self.left == 0:
            self.live.pop(path, None)
        return super().request(method, path, *args)


def test_a_definition_that_is_being_deleted_is_applied_once_it_is_gone(monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    server, lines = Leaving(4), []
    settings = Settings("m", force=True, only_missing=True, check_mode=False, concurrency=1, timeout=5)
    results = Applier(server, settings, None, lines.append).apply([crd()])
    assert [result.action for result in results] == ["created"]
    assert server.log[-2:] == [f"{verb} //CustomResourceDefinition/widgets.example.com" for verb in ("GET", "PATCH")]
    assert lines == [f"   0 s: CustomResourceDefinition widgets.example.com: {HELD}; it is applied once it is gone"]


def test_a_definition_that_does_not_go_is_named_with_what_holds_it(monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    with pytest.raises(GitopsError) as error:
        run(Leaving(-1), [crd()], timeout=0.05)
    assert str(error.value) == f"CustomResourceDefinition widgets.example.com was not applied after 0 s: {HELD}"


def test_check_mode_does_not_wait_for_a_deletion():
    server = Leaving(-1)
    assert run(server, [crd()], check_mode=True) == (
        [("CustomResourceDefinition widgets.example.com", "created")],
        [],
    )


def test_of_another_object_that_is_being_deleted_it_is_said():
    live = changed(CONFIG, metadata__namespace="n", metadata__deletionTimestamp=SINCE)
    server = Server({"/n/ConfigMap/c": live})
    assert run(server, [CONFIG])[1] == [
        f"ConfigMap n/c: it is being deleted (since {SINCE}; its finalizers are none). What is written to it goes with "
        "it."
    ]


def test_a_rollout_that_does_not_come_names_its_cause(monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    deployment = manifest("Deployment", "d", "apps/v1", spec={"replicas": 1, "selector": {"matchLabels": {"x": "y"}}})
    server = Server(kinds=["Deployment"])
    owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}]
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: none"}
    metadata = {"name": "d-1", "namespace": "n", "ownerReferences": owner}
    sets = {"items": [{"metadata": metadata, "status": {"conditions": [failure]}}]}
    server.live["/apis/apps/v1/namespaces/n/replicasets"] = sets
    server.live["/apis/apps/v1/namespaces/n/deployments/d"] = changed(deployment, metadata__namespace="n")
    applier = Applier(server, Settings("m", True, False, False, 1), "n")
    results, lines = applier.apply([deployment]), []
    with pytest.raises(GitopsError) as error:
        Waiter(server, results, lines.append).await_rolled_out(0.03)
    assert lines == ["   0 s: 0 of 1 ready; Deployment n/d: its controller has not seen the newest revision"]
    assert str(error.value) == (
        "Not ready after 0 s: Deployment n/d: ReplicaSet d-1: its pods are refused: exceeded quota: none. "
        "Next: raise the ResourceQuota of its namespace, or let the pods ask for less"
    )


# --- pods that block -----------------------------------------------------------------------------------------------

# As recorded from a kubelet and its controllers, shortened: a StatefulSet with a wrong image, and then the right one.
CONTROLLER = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "controller", "namespace": "argocd", "uid": "u1", "generation": 3},
    "spec": {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "selector": {"matchLabels": {"app": "controller"}},
        "template": {"spec": {"containers": [{"name": "controller", "image": "right", "readinessProbe": {}}]}},
    },
    "status": {
        "observedGeneration": 3,
        "replicas": 1,
        "currentRevision": "controller-a",
        "updateRevision": "controller-c",
    },
}
BROKEN_POD = {
    "metadata": {
        "name": "controller-0",
        "namespace": "argocd",
        "uid": "p1",
        "resourceVersion": "41",
        "labels": {"app": "controller", "controller-revision-hash": "controller-b"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "controller", "uid": "u1"}],
    },
    "status": {
        "phase": "Pending",
        "containerStatuses": [
            {
                "name": "controller",
                "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
            }
        ],
    },
}
CONTROLLER_PATH, PODS = "/argocd/StatefulSet/controller", "/api/v1/namespaces/argocd/pods"


def changed(item, **parts):
    """Return an object with other values; a double underscore goes one level down."""
    item = json.loads(json.dumps(item))
    for path, value in parts.items():
        *parents, last = path.split("__")
        target = item
        for key in parents:
            target = target[key]
        target[last] = value
    return item


def with_state(**state):
    return changed(BROKEN_POD, status__containerStatuses=[{"name": "controller", "restartCount": 2, "state": state}])


@pytest.mark.parametrize(
    ("workload", "pod", "expected"),
    [
        (CONTROLLER, BROKEN_POD, "ImagePullBackOff"),
        # Back to the revision before: then the newest one is the current one.
        (changed(CONTROLLER, status__updateRevision="controller-a"), BROKEN_POD, "ImagePullBackOff"),
        (CONTROLLER, with_state(waiting={"reason": "CrashLoopBackOff"}), "CrashLoopBackOff"),
        (CONTROLLER, with_state(waiting={"reason": "ContainerCreating"}), ""),
        (CONTROLLER, with_state(running={"startedAt": "2026-11-26T10:00:00Z"}), ""),
        # The newest revision is as broken: a person must look.
        (changed(CONTROLLER, status__updateRevision="controller-b"), BROKEN_POD, ""),
        (CONTROLLER, changed(BROKEN_POD, metadata__deletionTimestamp="2026-11-26T10:00:00Z"), ""),
        (changed(CONTROLLER, spec__updateStrategy__rollingUpdate__partition=1), BROKEN_POD, ""),
        (CONTROLLER, changed(BROKEN_POD, metadata__ownerReferences=[{"uid": "of somebody else"}]), ""),
        (CONTROLLER, changed(BROKEN_POD, metadata__labels={}), ""),
    ],
)
def test_a_pod_of_an_older_revision_that_never_starts_blocks_its_statefulset(workload, pod, expected):
    assert blocks(workload, pod) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, True),
        ({"status__updateRevision": "controller-a"}, True),
        ({"spec__updateStrategy": {"type": "OnDelete"}}, False),
        ({"spec__podManagementPolicy": "Parallel"}, False),
        ({"status__observedGeneration": 2}, False),
        ({"status": {}}, False),
    ],
)
def test_which_statefulsets_may_be_blocked(parts, expected):
    assert may_be_blocked(changed(CONTROLLER, **parts)) == expected


class PodServer(Server):
    """Has pods, and a controller that answers to their deletion as the test says."""

    def __init__(self, live, on_delete=None):
        super().__init__(live, kinds=["StatefulSet", "Deployment"])
        self.on_delete, self.bodies = on_delete, []

    def request(self, method, path, query=None, body=None, content_type=None):
        """Delete a pod, or answer as the other one."""
        if method != "DELETE":
            return super().request(method, path, query, body, content_type)
        self.log.append(f"DELETE {path}")
        self.bodies.append(body)
        return self.on_delete(self) if self.on_delete else (409, {})


def awaiting(server, item, monkeypatch, seconds=0.2):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    waiter = Waiter(server, [Applied(item, "configured", {}, item)])
    waiter.await_rolled_out(seconds)
    return waiter.pods


def test_the_pod_that_blocks_is_deleted_and_the_run_says_so(monkeypatch):
    def controller(server):
        server.live[CONTROLLER_PATH] = changed(
            CONTROLLER, status=CONTROLLER["status"] | {"updatedReplicas": 1, "availableReplicas": 1}
        )
        return 200, {}

    server = PodServer({CONTROLLER_PATH: CONTROLLER, PODS: {"items": [BROKEN_POD]}}, controller)
    pods = awaiting(server, CONTROLLER, monkeypatch)
    assert [line for line in server.log if line.startswith("DELETE")] == [f"DELETE {PODS}/controller-0"]
    assert server.bodies == [{"preconditions": {"uid": "p1", "resourceVersion": "41"}}]
    assert pods.deleted == ["argocd/controller-0"]
    assert pods.warnings == [
        "Pod argocd/controller-0 was deleted: it belongs to an older revision of StatefulSet argocd/controller "
        "and did not start (ImagePullBackOff), and a StatefulSet replaces no other pod until that one is ready."
    ]


def test_a_pod_that_changed_meanwhile_is_not_deleted(monkeypatch):
    live = "/apis/apps/v1/namespaces/argocd/statefulsets/controller"
    server = PodServer({CONTROLLER_PATH: CONTROLLER, live: CONTROLLER, PODS: {"items": [BROKEN_POD]}})
    with pytest.raises(GitopsError) as error:
        awaiting(server, CONTROLLER, monkeypatch)
    assert str(error.value) == (
        "Not ready after 0 s: StatefulSet argocd/controller: Pod controller-0: container controller: ImagePullBackOff: "
        "its image cannot be pulled: Back-off pulling image. Next: kubectl delete pod -n argocd controller-0 "
        "(it is of an older revision, and its StatefulSet waits for it)"
    )
    assert len([line for line in server.log if line.startswith("DELETE")]) == 1


# --- the connection ------------------------------------------------------------------------------------------------


def api_of(server):
    return ApplyApi(_client.client_of(server.kubeconfig, "test"), 16)


def test_a_busy_or_restarting_api_server_is_asked_again(api_server):
    left = [(429, {}), (200, [b"{"]), (503, {}), (200, {"a": 1})]  # the second one breaks the connection
    api = api_of(api_server(lambda _method, _path: left.pop(0)))
    assert api.request("GET", "/x") == (200, {"a": 1})
    assert left == []


def test_as_many_connections_are_kept_as_objects_are_applied_at_a_time(api_server):
    server = api_server(lambda _method, _path: (200, {}))
    client = _client.client_of(server.kubeconfig, "test")
    settings = client.client.rest_client.pool_manager.connection_pool_kw
    settings["maxsize"] = 4
    ApplyApi(client, 16)
    assert settings["maxsize"] == 16


def test_an_api_server_that_stays_away_is_an_error(api_server):
    server = api_server(lambda _method, _path: (200, [b"{"]))
    with pytest.raises(UnavailableError, match=f"^The API server {server.url} does not answer: .*Connection broken"):
        api_of(server).request("GET", "/x")
    assert server.asked() == ["GET /x"] * 4


def test_other_errors_keep_their_words(api_server):
    left = [(500, {"message": "failed calling webhook"}), (502, "bad gateway\n", "text/plain")]
    api = api_of(api_server(lambda _method, _path: left.pop(0)))
    assert api.request("PATCH", "/x") == (500, {"message": "failed calling webhook"})
    assert api.request("PATCH", "/x") == (502, {"message": "bad gateway"})


def test_wrong_credentials_are_said(api_server):
    server = api_server(lambda _method, _path: (401, {}))
    with pytest.raises(GitopsError) as error:
        api_of(server).request("GET", "/x")
    assert str(error.value) == f"The API server {server.url} does not accept the credentials (401 Unauthorized)."
