# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component of inventories/dev in one run from an empty cluster, without a download."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from urllib.parse import urlsplit

from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import CLUSTER_NAMESPACES
from pod_standards import CONTAINER_CONTEXT, POD_CONTEXT

from .conftest import DEPLOY

CLAIM = "/api/v1/namespaces/minio/persistentvolumeclaims/minio"
SECRET = "/api/v1/namespaces/minio/secrets/minio-root"
APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/minio"
KAFKA_UI = "/apis/apps/v1/namespaces/kafka-ui/deployments/kafka-ui"
LOGIN = "/api/v1/namespaces/kafka-ui/secrets/kafka-ui-login"
MAILDEV = "/apis/apps/v1/namespaces/maildev/deployments/maildev"
SERVICE = "/api/v1/namespaces/maildev/services/maildev-web"
TRACKING, SYNC_OPTIONS = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/sync-options"
ROUTES = ("v1/httproutes", "v1/grpcroutes", "v1alpha2/tlsroutes")


def run(environment, *args, **variables):
    done = environment.site(*args, "-e", json.dumps(variables))
    assert done.returncode == 0, done.stdout[-4000:]
    return re.sub(r"\s+", " ", done.stdout)


def test_one_run_brings_up_every_component(complete):
    applications = complete.report()["applications"]
    assert sorted(entry["name"] for entry in applications) == sorted(complete.components())
    assert {(entry["sync"], entry["health"]) for entry in applications} == {("Synced", "Healthy")}


def test_every_endpoint_has_a_route_with_its_host_name(complete):
    endpoints = complete.report()["endpoints"]
    hosts = {urlsplit(entry["url"] if "//" in entry["url"] else f"//{entry['url']}").hostname for entry in endpoints}
    found = {
        host
        for kind in ROUTES
        for route in complete.live(f"/apis/gateway.networking.k8s.io/{kind}")["items"]
        for host in route["spec"]["hostnames"]
    }
    assert endpoints
    assert hosts - found == set()
    for entry in endpoints:
        assert entry["url"] in complete.first.stdout


def test_every_namespace_belongs_to_an_application_and_outlives_it(complete):
    items = [item["metadata"] for item in complete.live("/api/v1/namespaces")["items"]]
    annotations = {item["name"]: item.get("annotations", {}) for item in items}
    owners = {name: found.get(TRACKING, "").partition(":")[0] for name, found in annotations.items()}
    assert {name for name, owner in owners.items() if not owner} == CLUSTER_NAMESPACES | {"argocd"}
    # Strimzi needs its rights there before Kafka comes; api is the first of those in namespace services.
    assert {name: owner for name, owner in owners.items() if owner not in ("", name)} == {
        "kafka": "strimzi",
        "services": "api",
    }
    options = {name: annotations[name][SYNC_OPTIONS] for name, owner in owners.items() if owner}
    assert set(options.values()) == {"Prune=false,Delete=false"}


def try_pod(environment, namespace, name="own", query=None, **spec):
    """Create a pod, unless it is a dry run, and return the status of the answer and the answer."""
    container = {"name": "main", "image": "own:1", "securityContext": CONTAINER_CONTEXT}
    pod = {"containers": [container], "securityContext": POD_CONTEXT} | spec
    body = {"metadata": {"name": name}, "spec": pod}
    return environment.api().request("POST", f"/api/v1/namespaces/{namespace}/pods", query, body, "application/json")


def warned_of(environment):
    """Return what the API server has against pods that run, were every namespace as strict as that of a component."""
    labels = [f"pod-security.kubernetes.io/{key}" for key in ("enforce=restricted", "enforce-version=v1.34")]
    words = ["label", "namespace", "--all", "--overwrite", "--dry-run=server", *labels]
    command = [environment.binary("kubectl"), "--kubeconfig", environment.status["kubeconfig"], *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 15
    return re.findall(r'existing pods in namespace "(\S+)" violate the new PodSecurity enforce level', done.stderr)


def test_the_api_server_refuses_pods_that_may_do_more(complete):
    found = {item["metadata"]["name"]: item["metadata"] for item in complete.live("/api/v1/namespaces")["items"]}
    key = "pod-security.kubernetes.io/enforce"
    levels = {name: entry["labels"].get(key) for name, entry in found.items() if name not in CLUSTER_NAMESPACES}
    assert set(levels.values()) == {"restricted"}, levels
    assert len(levels) > 10
    for name in levels:
        status, answer = try_pod(complete, name, query={"dryRun": "All"}, hostNetwork=True)
        assert (status, answer["reason"]) == (403, "Forbidden"), answer
        assert 'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)' in answer["message"]
        assert try_pod(complete, name, query={"dryRun": "All"})[0] == 201

    # It has nothing against those that run; where nothing is enforced a pod shows that it would have said so.
    assert warned_of(complete) == []
    path = "/api/v1/namespaces/default/pods/violator"
    assert try_pod(complete, "default", "violator", hostNetwork=True)[0] == 201
    assert warned_of(complete) == ["default"]
    assert complete.api().request("DELETE", path, {"gracePeriodSeconds": "0"})[0] == 200


def test_the_storage_class_that_the_inventory_names_exists(complete):
    assert complete.live(CLAIM)["spec"]["storageClassName"] == "fast-ssd"
    assert complete.live("/apis/storage.k8s.io/v1/storageclasses/fast-ssd")["metadata"]["name"] == "fast-ssd"


def test_a_second_run_of_everything_changes_nothing(complete):
    head = complete.git("rev-parse", "main")
    assert "changed=0 " in run(complete)
    assert complete.git("rev-parse", "main") == head


def test_every_component_verifies(complete):
    done = complete.playbook("playbooks/verify.yml")
    assert "failed=0 " in done.stdout, done.stdout[-3000:]
    assert done.returncode == 0


def test_a_run_stops_before_the_commit_at_what_lives_and_cannot_change(complete):
    head = complete.git("rev-parse", "main")
    done = complete.site(
        "-e", json.dumps({"kafka_replicas": 3, "temporal_history_shards": 8, "common_storage_size": "1Gi"})
    )
    assert done.returncode != 0
    said = re.sub(r"\s+", " ", done.stdout)
    assert "Nothing was written. A live object cannot accept a changed value. common: " in said
    assert "spec.storage.size of Cluster services/cnpg-cluster is 4Gi and would be 1Gi. Volumes only grow: " in said
    assert "kafka: spec.replicas of KafkaNodePool kafka/dual-role is 1 and would be 3. The brokers are " in said
    assert "NUM_HISTORY_SHARDS.value of Deployment services/temporal is 4 and would be 8. Temporal has written " in said
    assert complete.git("rev-parse", "main") == head


def test_what_leaves_git_is_pruned_and_comes_back_and_edits_by_hand_are_repaired(complete):
    """A kind leaves the AppProject after its objects have left the cluster; a password outlives a login.

    Components that are removed and restored keep their data.
    """
    path = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkaconnects/kafka-cluster"
    project = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/infra"
    kind = {"group": "kafka.strimzi.io", "kind": "KafkaConnect"}
    changes = {"kafka_connect_enabled": False, "kafka_ui_auth_type": "DISABLED"} | without_minio(complete)
    password, claim, secret = complete.live(LOGIN)["data"], complete.live(CLAIM), complete.live(SECRET)
    assert kind in complete.live(project)["spec"]["namespaceResourceWhitelist"]
    output = run(complete, **changes)
    assert complete.live(APPLICATION) is None
    assert "Removing minio keeps Namespace minio, PersistentVolumeClaim minio/minio." in output
    assert complete.live(CLAIM)["metadata"]["uid"] == claim["metadata"]["uid"]
    assert complete.live("/apis/apps/v1/namespaces/minio/deployments/minio") is None
    assert complete.live(path) is None
    assert kind not in complete.live(project)["spec"]["namespaceResourceWhitelist"]
    assert {"name": "AUTH_TYPE", "value": "DISABLED"} in environment_of(complete.live(KAFKA_UI))
    assert "changed=0 " in run(complete, *DEPLOY, **changes)

    api = complete.api()
    assert complete.live(KAFKA_UI)["spec"]["replicas"] == 1
    assert api.request("PATCH", KAFKA_UI, None, {"spec": {"replicas": 3}})[0] == 200
    assert api.request("DELETE", SERVICE)[0] == 200
    run(complete)
    assert complete.live(path) is not None
    assert {"name": "AUTH_TYPE", "value": "LOGIN_FORM"} in environment_of(complete.live(KAFKA_UI))
    assert complete.live(LOGIN)["data"] == password
    assert complete.live(KAFKA_UI)["spec"]["replicas"] == 1
    assert complete.live(SERVICE)
    assert complete.live(CLAIM)["metadata"]["uid"] == claim["metadata"]["uid"]
    assert complete.live(SECRET)["data"] == secret["data"]


def without_minio(environment):
    """Return the variables with which minio is removed, and what depends on it."""
    removed = ["minio", "common", "temporal"]
    rest = [name for name in environment.components() if name not in removed]
    return {"gitops_components": rest, "gitops_removals": removed}


def environment_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]["env"]


def test_a_run_that_was_killed_after_the_push_is_finished_by_the_next(complete):
    head = complete.git("rev-parse", "main")
    complete.set(maildev_replicas=2)
    try:
        killed = subprocess.Popen(**complete.command("site.yml"), start_new_session=True, stdout=subprocess.DEVNULL)
        while complete.git("rev-parse", "main") == head and killed.poll() is None:
            time.sleep(0.1)
        os.killpg(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        pushed = complete.git("rev-parse", "main")
        assert pushed != head

        run(complete, *DEPLOY)
        assert complete.git("rev-parse", "main") == pushed
        assert {entry["revision"] for entry in complete.report()["applications"]} == {pushed}
        assert complete.live(MAILDEV)["status"]["availableReplicas"] == 2
        assert "changed=0 " in run(complete, *DEPLOY)
    finally:
        complete.set(maildev_replicas=1)  # for the next run


def test_a_volume_is_deleted_only_when_it_is_named(complete):
    claim = complete.live(CLAIM)
    volume = {"api_version": "v1", "kind": "PersistentVolumeClaim", "namespace": "minio", "name": "minio"}
    volumes = [volume | {"component": "minio"}]
    run(complete, *DEPLOY, **without_minio(complete), gitops_volume_removals=volumes)
    assert complete.live(CLAIM) is None
    run(complete, *DEPLOY)
    assert complete.live(CLAIM)["metadata"]["uid"] != claim["metadata"]["uid"]
