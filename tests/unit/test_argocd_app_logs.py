# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_logs: whose pods, which containers, and no more lines than are wanted."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.logs import containers_of
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_logs

from .running import run_module

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
RUNNING = {"state": {"running": {}}}
CRASHED = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}
NO_IMAGE = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}}
RESOURCES = {
    "/api/v1": [("Pod", "pods", True), ("Node", "nodes", False)],
    "/apis/apps/v1": [("ReplicaSet", "replicasets", True), ("Deployment", "deployments", True)],
    "/apis/batch/v1": [("Job", "jobs", True)],
    "/apis/example.com/v1": [("Database", "databases", True)],
}


def entry(kind, name, group):
    return {"group": group, "kind": kind, "name": name, "namespace": "shop"}


def owned(version, kind, name):
    return {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": "u"}]}


def pod(name, owner=None, statuses=None):
    statuses = {"web": RUNNING} if statuses is None else statuses
    return {
        "metadata": {"name": name, "namespace": "shop"} | (owner or {}),
        "spec": {"containers": [{"name": key} for key in statuses]},
        "status": {"phase": "Running", "containerStatuses": [{"name": key} | value for key, value in statuses.items()]},
    }


def thing(version, kind, name, **metadata):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"} | metadata}


TRACKED = {"argocd.argoproj.io/tracking-id": "shop:batch/Job:shop/migrate"}
DATABASE = owned("example.com/v1", "Database", "db")
# What is in the namespace of Application shop: its own, and what belongs to somebody else.
OWN = {
    "web-1-a": pod("web-1-a", owned("apps/v1", "ReplicaSet", "web-1")),
    "db-1": pod("db-1", DATABASE),
    "migrate-x": pod("migrate-x", owned("batch/v1", "Job", "migrate")),
}
STRANGERS = {
    "alone": pod("alone"),
    "other-1-a": pod("other-1-a", owned("apps/v1", "ReplicaSet", "other-1")),
    "gone-1-a": pod("gone-1-a", owned("apps/v1", "ReplicaSet", "gone-1")),
    "kube-proxy": pod("kube-proxy", owned("v1", "Node", "one")),
    "unknown": pod("unknown", owned("unknown.example/v1", "Thing", "x")),
}


class Cluster:
    """Answers as the API server of a cluster with the Application shop."""

    def __init__(self, pods, logs=None, destination="https://kubernetes.default.svc"):
        self.logs = logs or {}
        application = {
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"destination": {"server": destination, "namespace": "shop"}},
            "status": {"resources": [entry("Deployment", "web", "apps"), entry("Database", "db", "example.com")]},
        }
        deployed = owned("apps/v1", "Deployment", "web")
        self.objects = {
            "/apis/apps/v1/namespaces/shop/replicasets/web-1": thing("apps/v1", "ReplicaSet", "web-1", **deployed),
            "/apis/apps/v1/namespaces/shop/replicasets/other-1": thing("apps/v1", "ReplicaSet", "other-1"),
            "/apis/batch/v1/namespaces/shop/jobs/migrate": thing("batch/v1", "Job", "migrate", annotations=TRACKED),
            "/api/v1/nodes/one": {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}},
            APPLICATIONS: {"items": [application]},
            "/api/v1/namespaces/shop/pods": {"items": list(pods.values())},
        }

    def __call__(self, _method, address):
        url = urlsplit(address)
        if url.path in RESOURCES:
            keys = ("kind", "name", "namespaced")
            return 200, {"resources": [dict(zip(keys, found, strict=True)) for found in RESOURCES[url.path]]}
        if url.path.endswith("/log"):
            answer = self.logs.get((url.path.split("/")[-2], parse_qs(url.query)["container"][0]), "")
            return answer if isinstance(answer, tuple) else (200, answer, "text/plain")
        found = self.objects.get(url.path)
        return (200, found) if found else (404, {"message": "not found"})


def logs(server, **arguments):
    return run_module(argocd_app_logs, kubeconfig=server.kubeconfig, **{"name": "shop"} | arguments)


def queries(server):
    """Return the queries for logs."""
    found = [urlsplit(request.split(" ")[1]) for request in server.requests]
    return [{key: value[0] for key, value in parse_qs(url.query).items()} for url in found if url.path.endswith("/log")]


def line(second, text):
    return f"2026-11-27T11:00:{second}Z {text}\n"


def test_only_pods_of_the_application_are_read(api_server):
    server = api_server(Cluster(OWN | STRANGERS))
    result = logs(server)
    assert [found["pod"] for found in result["containers"]] == ["db-1", "migrate-x", "web-1-a"]
    assert sorted(request.split("/")[6] for request in server.requests if "/log?" in request) == sorted(OWN)
    assert (result["changed"], result["notes"], result["truncated"]) == (False, [], False)


def test_owners_that_own_each_other_lead_nowhere(api_server):
    cluster = Cluster(OWN | {"lost": pod("lost", owned("apps/v1", "ReplicaSet", "ring"))})
    path, ring = "/apis/apps/v1/namespaces/shop/replicasets", owned("apps/v1", "ReplicaSet", "ring")
    back = owned("apps/v1", "ReplicaSet", "back")
    cluster.objects |= {
        f"{path}/ring": thing("apps/v1", "ReplicaSet", "ring", **back),
        f"{path}/back": thing("apps/v1", "ReplicaSet", "back", **ring),
    }
    assert [found["pod"] for found in logs(api_server(cluster))["containers"]] == ["db-1", "migrate-x", "web-1-a"]


@pytest.mark.parametrize(
    ("resource", "pods"),
    [
        ({"kind": "Deployment", "name": "web"}, ["web-1-a"]),
        ({"group": "apps", "kind": "ReplicaSet", "name": "web-1", "namespace": "shop"}, ["web-1-a"]),
        ({"group": "", "kind": "Pod", "name": "db-1"}, ["db-1"]),
        ({"kind": "Job", "name": "migrate"}, ["migrate-x"]),
    ],
)
def test_an_object_chooses_the_pods_below_it(api_server, resource, pods):
    found = logs(api_server(Cluster(OWN | STRANGERS)), resource=resource)["containers"]
    assert [container["pod"] for container in found] == pods


def test_lines_are_in_the_order_of_their_times(api_server):
    written = {
        ("web-1-a", "web"): line("01", "one") + line("03.5", "three"),
        ("db-1", "web"): line("02.123456789", "two") + line("03", "before three"),
        ("migrate-x", "web"): "no time\n",
    }
    result = logs(api_server(Cluster(OWN, written)))
    assert result["log"] == [
        "[pod/migrate-x/web] time",
        "[pod/web-1-a/web] one",
        "[pod/db-1/web] two",
        "[pod/db-1/web] before three",
        "[pod/web-1-a/web] three",
    ]
    result = logs(api_server(Cluster(OWN, written)), timestamps=True, resource={"kind": "Pod", "name": "db-1"})
    assert result["log"][0] == "[pod/db-1/web] 2026-11-27T11:00:02.123456789Z two"


def test_the_api_server_is_asked_for_no_more_than_is_wanted(api_server):
    server = api_server(Cluster({"db-1": OWN["db-1"]}))
    logs(server)
    logs(server, tail=7, since=60, container="web")
    logs(server, grep="error")
    assert queries(server) == [
        {"container": "web", "timestamps": "true", "tailLines": "100"},
        {"container": "web", "timestamps": "true", "tailLines": "7", "sinceSeconds": "60"},
        {"container": "web", "timestamps": "true"},
    ]


def test_a_filter_finds_the_newest_lines_that_match(api_server):
    written = "".join(line(f"{number:02}", f"{'error' if number % 2 else 'info'} {number}") for number in range(20))
    server = api_server(Cluster({"db-1": OWN["db-1"]}, {("db-1", "web"): written}))
    assert logs(server, grep="err.r", tail=2)["log"] == ["[pod/db-1/web] error 17", "[pod/db-1/web] error 19"]


def test_what_is_cut_is_said(api_server):
    written = {("db-1", "web"): line("01", "a" * 50) + line("02", "b" * 50), ("web-1-a", "web"): line("03", "c" * 50)}
    server = api_server(Cluster(OWN, written))
    result = logs(server, limit_bytes=150)
    assert [text[-1] for text in result["log"]] == ["b", "c"]
    words = (
        "The log was cut to its newest 150 bytes: set resource, container, since, grep or a smaller tail to see what "
        "you look for."
    )
    assert (result["truncated"], result["warnings"]) == (True, [words])
    assert logs(server, limit_bytes=30)["log"] == [f"[pod/web-1-a/web] {'c' * 12}"]
    assert logs(server, limit_bytes=300)["truncated"] is False
    # Older lines than were asked for are not missed.
    assert logs(server, limit_bytes=150, tail=1)["truncated"] is False


@pytest.mark.parametrize(
    ("container", "phase", "reason"),
    [
        (NO_IMAGE, {}, 'has not started: ImagePullBackOff (Back-off pulling image "x")'),
        ({}, {"phase": "Pending"}, "has not started: Pending"),
        ({}, {"reason": "Evicted", "message": "low on memory"}, "has not started: Evicted (low on memory)"),
        (
            {},
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]},
            "has not started: Unschedulable (0/1)",
        ),
        (CRASHED, {}, ""),
        ({"state": {"terminated": {"exitCode": 0}}}, {}, ""),
    ],
)
def test_a_container_that_has_not_started_says_why(api_server, container, phase, reason):
    found = pod("db-1", DATABASE, {"web": container})
    found["status"] |= phase
    server = api_server(Cluster({"db-1": found}))
    assert logs(server)["notes"] == ([f"Pod shop/db-1: container web {reason}"] if reason else [])
    assert len(queries(server)) == (0 if reason else 1)


def test_the_log_of_an_earlier_run(api_server):
    server = api_server(Cluster({"db-1": pod("db-1", DATABASE, {"web": CRASHED, "proxy": RUNNING})}))
    result = logs(server, previous=True)
    assert queries(server) == [{"container": "web", "timestamps": "true", "previous": "true", "tailLines": "100"}]
    words = "has not been restarted, so there is no log of an earlier run"
    assert result["notes"] == [f"Pod shop/db-1: container proxy {words}"]


def test_init_containers_are_read_while_they_matter():
    waits = {"waiting": {"reason": "PodInitializing"}}
    found = pod("db-1", statuses={"web": {"state": waits}})
    states = {
        "done": {"terminated": {"exitCode": 0}},
        "failed": {"terminated": {"exitCode": 2}},
        "next": waits,
        "sidecar": {"running": {}},
    }
    found["spec"]["initContainers"] = [{"name": name} for name in states]
    found["status"]["initContainerStatuses"] = [{"name": name, "state": state} for name, state in states.items()]
    assert [entry.name for entry in containers_of(found, None, previous=False)] == ["failed", "sidecar", "web"]
    assert [entry.name for entry in containers_of(found, "done", previous=False)] == ["done"]


def test_what_follows_is_shown_and_returned(api_server, tmp_path):
    written = (200, [line("01", "one").encode(), line("02", "two").encode(), b""])
    server = api_server(Cluster({"db-1": OWN["db-1"]}, {("db-1", "web"): written}))
    shown = tmp_path / "progress"
    result = logs(server, follow=1, progress_file=str(shown), tail=1)
    assert result["log"] == ["[pod/db-1/web] one", "[pod/db-1/web] two"]
    assert shown.read_text().splitlines() == result["log"]
    assert queries(server)[0]["follow"] == "true"


class Busy(list):
    """Parts of a log that is written faster than any timeout, for some seconds."""

    def __iter__(self):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            yield line("01", "busy").encode()
            time.sleep(0.001)


def test_a_log_that_never_rests_is_followed_no_longer_than_wanted(api_server):
    started = time.monotonic()
    result = logs(api_server(Cluster({"db-1": OWN["db-1"]}, {("db-1", "web"): (200, Busy())})), follow=1)
    assert time.monotonic() - started < 4
    assert (result["log"][0], result["notes"]) == ("[pod/db-1/web] busy", [])


def test_a_container_that_writes_nothing_is_followed_without_an_error(api_server):
    cluster = Cluster({"db-1": OWN["db-1"]}, {("db-1", "web"): line("01", "too late")})

    def script(method, address):
        if "/log?" in address:
            time.sleep(2)  # the kubelet answers with the first line
        return cluster(method, address)

    result = logs(api_server(script), follow=1)
    assert (result["log"], result["notes"]) == ([], [])


@pytest.mark.parametrize(
    "answer",
    [
        (200, [line("01", "half").rstrip().encode(), b""]),
        (200, line("01", "half").rstrip(), "text/plain"),
        (200, line("01", "half"), "text/plain", {"Connection": "close"}),
    ],
)
def test_what_a_container_wrote_last_is_followed_without_a_line_break_too(api_server, answer):
    server = api_server(Cluster({"db-1": OWN["db-1"]}, {("db-1", "web"): answer}))
    result = logs(server, follow=1)
    assert (result["log"], result["notes"]) == (["[pod/db-1/web] half"], [])


def test_one_log_that_cannot_be_read_does_not_hide_the_others(api_server):
    refused = (500, {"message": "Get https://10.0.0.1:10250: connection refused"})
    written = {("db-1", "web"): refused, ("web-1-a", "web"): line("01", "one")}
    result = logs(api_server(Cluster(OWN, written)))
    assert result["log"] == ["[pod/web-1-a/web] one"]
    words = "cannot be read: Get https://10.0.0.1:10250: connection refused"
    assert result["notes"] == [f"Pod shop/db-1: container web {words}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "other"}, "In namespace argocd there is no Application other."),
        (
            {"resource": {"kind": "Deployment", "name": "other"}},
            "Application shop has no pod below Deployment other: check resource.",
        ),
        ({"container": "app"}, "Application shop has no container app: use one of web."),
        ({"grep": "("}, "grep is not a regular expression: missing ), unterminated subpattern at position 0."),
        ({"tail": 0}, "tail is 0: set it to 1 to 1000000."),
        ({"follow": 3601}, "follow is 3601: set it to 0 to 3600."),
        (
            {"follow": 1, "previous": True},
            "previous is the log of a run that has ended, and cannot be followed: set one of them.",
        ),
    ],
)
def test_a_choice_that_means_nothing_is_refused(api_server, arguments, message):
    assert logs(api_server(Cluster(OWN)), **arguments)["msg"] == message


def test_another_cluster_is_not_read(api_server):
    result = logs(api_server(Cluster(OWN, destination="https://other.example")))
    words = "deploys to https://other.example, and only Argo CD's own cluster can be read."
    assert result["msg"] == f"Application shop {words}"


def test_an_application_without_pods_says_so(api_server):
    result = logs(api_server(Cluster({"alone": STRANGERS["alone"]})))
    assert (result["log"], result["notes"]) == ([], ["Application shop has no pods."])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("shop/pods", "The pods in namespace shop cannot be listed: forbidden"),
        ("replicasets", "ReplicaSet shop/web-1 cannot be read: forbidden"),
    ],
)
def test_missing_rights_are_said(api_server, part, message):
    cluster = Cluster(OWN)

    def answer(method, path):
        return (403, {"message": "forbidden"}) if part in path else cluster(method, path)

    assert logs(api_server(answer))["msg"] == message
