# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module workload_restart, against what a real API server said, and the decisions behind it."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import workloads
from ansible_collections.monorepo.gitops.plugins.modules import workload_restart

from .running import run_module

MAILDEV = {"kind": "Deployment", "namespace": "maildev", "name": "maildev", "application": "maildev"}
PATH = "/apis/apps/v1/namespaces/maildev/deployments/maildev"


def restart(server, check=False, **arguments):
    return run_module(workload_restart, check, kubeconfig=server.kubeconfig, **arguments)


def test_the_pods_of_an_application_are_replaced(api_server):
    server = api_server("restart_application")
    result = restart(server, application="maildev")
    assert (result["workloads"], result["not_restarted"], result["changed"]) == ([MAILDEV], [], True)
    assert server.writes() == [f"PATCH {PATH}"]
    (step,) = [step for step in server.steps if step.get("request", "").startswith("PATCH")]
    assert list(step["body"]["spec"]["template"]["metadata"]["annotations"]) == ["kubectl.kubernetes.io/restartedAt"]
    # It went on until the controller had seen the newest revision and its pods were available.
    assert server.asked().count(f"GET {PATH}") > 1


def test_check_mode_says_what_would_be_restarted(api_server):
    server = api_server("restart_check")
    result = restart(server, application="maildev", names=["maildev"], check=True)
    assert (result["workloads"], result["changed"], server.writes()) == ([MAILDEV], True, [])


def test_an_application_that_does_not_exist_is_named(api_server):
    result = restart(api_server("restart_absent"), application="mailer")
    assert result["msg"] == 'Application mailer cannot be read: applications.argoproj.io "mailer" not found'


def test_an_application_on_another_cluster_restarts_nothing_here(api_server):
    resources = [{"group": "apps", "kind": "Deployment", "namespace": "maildev", "name": "maildev"}]
    spec = {"destination": {"server": "https://other.example", "namespace": "maildev"}}
    application = {"metadata": {"name": "maildev"}, "spec": spec, "status": {"resources": resources}}
    server = api_server(lambda _method, _path: (200, application))
    assert restart(server, application="maildev")["msg"] == (
        "Application maildev deploys to https://other.example, and only Argo CD's own cluster can be read."
    )
    assert server.asked() == ["GET /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/maildev"]


def container(**spec):
    return {"spec": {"template": {"spec": spec}}}


def workload(kind, namespace, name, annotations=None, **spec):
    metadata = {"namespace": namespace, "name": name, "uid": name, "annotations": annotations or {}}
    return {"kind": kind, "metadata": metadata} | container(**spec)


ENV = {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "root", "key": "password"}}}]}]}
HERE = workload("Deployment", "minio", "minio", **ENV)
COPY = workload("Deployment", "services", "api", volumes=[{"secret": {"secretName": "root"}}])
OTHER = workload("Deployment", "else", "same-name", volumes=[{"secret": {"secretName": "root"}}])
COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def job(name, annotations=None, status=None, owners=None, **more):
    tracking = {workloads.TRACKING: f"minio:batch/Job:minio/{name}"}
    found = workload("Job", "minio", name, tracking | (annotations or {}), **ENV)
    found["metadata"] |= {"ownerReferences": owners} if owners else {}
    found["spec"] |= more
    return found | (COMPLETE if status is None else {"status": status})


JOB = job("buckets")
HOOK = job("hook", {workloads.HOOKS[0]: "Sync"})
HELM_HOOK = job("helm-hook", {"helm.sh/hook": "post-upgrade"})
RUNNING = job("running", status={"active": 1, "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]})


def script(copied="new", copy_status=200):
    jobs = [JOB, HOOK, HELM_HOOK, RUNNING]
    lists = {"/apis/apps/v1/deployments": [HERE, COPY, OTHER], "/apis/batch/v1/jobs": jobs}

    def answer(method, path):
        place, name = path.split("/")[-3], path.rpartition("/")[2]
        if name == "root":
            annotations = {"services": {workloads.REFLECTS: "minio/root"}}.get(place, {})
            data = {"password": copied if place == "services" else "new"}
            status = copy_status if place == "services" else 200
            return status, {"metadata": {"annotations": annotations}, "data": data, "message": "forbidden"}
        if path.endswith(("apps/v1", "batch/v1")):
            kinds = {"Deployment": "deployments", "Job": "jobs"}
            return 200, {"resources": [{"kind": k, "name": n, "namespaced": True} for k, n in kinds.items()]}
        if path.endswith("/jobs/buckets"):
            return (404, {}) if method == "GET" else (200, {})
        if method == "GET":
            return 200, {"items": lists.get(path, [])}
        return 200, {"kind": "Deployment", "metadata": {"generation": 1}, "spec": {"replicas": 0}} | {
            "status": {"observedGeneration": 1}
        }

    return answer


SECRET = {"namespace": "minio", "name": "root"}


def test_what_uses_a_secret_is_restarted_also_where_reflector_copies_it(api_server):
    server = api_server(script())
    result = restart(server, secret=SECRET)
    found = [(entry["kind"], entry["namespace"], entry["application"]) for entry in result["workloads"]]
    assert found == [("Deployment", "minio", ""), ("Deployment", "services", ""), ("Job", "minio", "minio")]
    assert result["not_restarted"] == [
        "Job minio/hook is a hook, which only a sync runs again.",
        "Job minio/helm-hook is a hook, which only a sync runs again.",
        "Job minio/running has not ended: delete it when it has, so that Argo CD runs it with the new values.",
    ]
    assert server.writes() == [
        "PATCH /apis/apps/v1/namespaces/minio/deployments/minio",
        "PATCH /apis/apps/v1/namespaces/services/deployments/api",
        "DELETE /apis/batch/v1/namespaces/minio/jobs/buckets",
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (job("done"), ""),
        (job("done", status={"conditions": [{"type": "Failed", "status": "True"}]}), ""),
        (job("new", status={}), "has not ended: delete it when it has, so that Argo CD runs it with the new values"),
        (job("later", status={}, suspend=True), "is suspended, and reads the new values when it is resumed"),
        (
            job("nightly-1", owners=[{"kind": "CronJob", "name": "nightly"}]),
            "belongs to CronJob nightly, which makes the next one with the new values",
        ),
        (
            workload("Job", "minio", "copied", {workloads.TRACKING: "minio:batch/Job:minio/buckets"}) | COMPLETE,
            "belongs to no Application: run it again by hand if it needs the new values",
        ),
    ],
)
def test_only_a_job_that_has_ended_and_is_made_again_is_deleted(found, expected):
    assert workloads.why_left(found) == expected


def test_nothing_is_restarted_before_a_copy_has_the_new_values(api_server, monkeypatch, tmp_path):
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    server, progress = api_server(script(copied="old")), tmp_path / "progress"
    result = restart(server, secret=SECRET, wait_timeout=1, progress_file=str(progress))
    assert progress.read_text() == "   0 s: Secret services/root does not have the values of minio/root yet\n"
    assert result["msg"] == (
        "Secret services/root, which Reflector copies from minio/root, does not have its values after 1 s: check that "
        "Reflector runs."
    )
    assert server.writes() == []


def test_a_copy_that_cannot_be_read_is_not_taken_for_another_secret(api_server):
    server = api_server(script(copy_status=403))
    assert restart(server, secret=SECRET)["msg"] == "Secret services/root cannot be read: forbidden"
    assert server.writes() == []


def test_a_secret_of_the_same_name_that_is_missing_is_no_copy(api_server):
    result = restart(api_server(script(copy_status=404)), secret=SECRET)
    assert {entry["namespace"] for entry in result["workloads"]} == {"minio"}


@pytest.mark.parametrize(
    "spec",
    [
        ENV,
        {"containers": [{"envFrom": [{"secretRef": {"name": "root"}}]}]},
        {"initContainers": ENV["containers"]},
        {"volumes": [{"secret": {"secretName": "root"}}]},
        {"volumes": [{"projected": {"sources": [{"secret": {"name": "root"}}]}}]},
    ],
)
def test_every_way_in_which_a_pod_reads_a_secret(spec):
    assert workloads.uses_secret(container(**spec), "root")
    assert not workloads.uses_secret(container(**spec), "other")


def test_a_config_map_of_the_same_name_is_none():
    assert not workloads.uses_secret(container(volumes=[{"configMap": {"name": "root"}}]), "root")


def application(*names):
    resources = [{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": name} for name in names]
    return {"metadata": {"name": "shop"}, "status": {"resources": [*resources, {"kind": "Service", "name": "shop"}]}}


def test_a_workload_that_an_application_does_not_have_is_named_with_those_it_has():
    with pytest.raises(GitopsError) as error:
        workloads.chosen(application("web", "worker"), ["wbe"])
    assert str(error.value) == "Application shop has no workload wbe, only Deployment web, Deployment worker."


def test_pods_of_an_operator_are_not_restarted():
    with pytest.raises(GitopsError) as error:
        workloads.chosen(application(), [])
    assert str(error.value) == (
        "Application shop has no Deployment, StatefulSet or DaemonSet: an operator makes its pods, and restarts them "
        "as its documentation says."
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"paused": True}, "its rollout is paused: resume it first"),
        ({"updateStrategy": {"type": "OnDelete"}}, "its update strategy is OnDelete: delete its pods"),
        ({"updateStrategy": {"type": "RollingUpdate"}}, ""),
    ],
)
def test_a_restart_without_effect_is_refused(spec, expected):
    assert workloads.obstacle({"spec": spec}) == expected


def test_nothing_is_restarted_when_one_cannot_be():
    paused = workload("Deployment", "shop", "web")
    paused["spec"]["paused"] = True
    with pytest.raises(GitopsError) as error:
        workload_restart.refuse([workload("Deployment", "shop", "worker"), paused])
    assert str(error.value) == (
        "Nothing was restarted. Deployment shop/web cannot be restarted, because its rollout is paused: "
        "resume it first."
    )
