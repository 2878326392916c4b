# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of troubles of pods that a real kubelet has reported, and the recordings themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import recordings
import replay
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tree import reason_of
from troubles import TROUBLES

ROOT = Path(__file__).resolve().parent.parent.parent
GO_MODULES = ROOT / "roles/rehearsal_cluster/files/go.mod"


@pytest.mark.parametrize("name", TROUBLES)
def test_a_recording_has_the_signs_of_its_trouble(name):
    assert {*TROUBLES[name].signs} <= recordings.signs(recordings.read(name))


def test_recordings_are_of_the_version_of_kubernetes_that_a_rehearsal_runs():
    version = re.findall(r"(?m)^\s*k8s\.io/kubernetes (v\S+)", GO_MODULES.read_text())[0]
    assert recordings.versions() == {name: {version} for name in sorted(TROUBLES)}


def test_the_stages_are_those_of_the_recordings():
    assert replay.FILE.read_text() == replay.text()


def test_a_second_recording_would_be_the_same():
    """The names, times and identifiers of a recording are those of every one."""
    for name in TROUBLES:
        objects = recordings.read(name)
        assert recordings.normalised(objects, name, name) == objects


def pod(uid, name):
    metadata = {"name": name, "namespace": "crash-3f9a2b", "uid": uid, "creationTimestamp": "2026-11-27T09:37:42Z"}
    message = f"restarting pod={name}_crash-3f9a2b({uid}) at 10.244.0.7:80"
    status = {"podIPs": [{"ip": "10.244.0.7"}], "hostIPs": [{"ip": "172.18.0.2"}], "message": message}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeSelector": {"node-kind": "real"}}, "status": status}


def test_what_kubernetes_makes_up_is_replaced():
    owner = {"kind": "ReplicaSet", "metadata": {"name": "web-5d7", "namespace": "crash-3f9a2b"}}
    owner["spec"] = {"template": {"spec": {}}}
    found = recordings.normalised(
        [owner, pod("4f24dbb6-80ca-4c35-9cae-d25c6fb6ddfe", "web-5d7-x2x4z")], "crash-3f9a2b", "crash"
    )[0]
    assert "nodeSelector" not in found["spec"]
    assert found["metadata"]["name"] == "web-5d7-bbbbb"
    assert found["metadata"]["creationTimestamp"] == recordings.TIME
    uid = "00000000-0000-4000-8000-000000000001"
    assert found["status"]["message"] == f"restarting pod=web-5d7-bbbbb_crash({uid}) at 10.244.0.10:80"
    assert found["status"]["hostIPs"] == [{"ip": "10.88.0.1"}]


def test_equal_events_are_one():
    about = {"kind": "ReplicaSet", "name": "web", "resourceVersion": "7"}
    event = {"kind": "Event", "metadata": {"name": "web.18"}, "involvedObject": about, "reason": "FailedCreate"}
    both = [event | {"message": 'pods "x" is forbidden', "count": count} for count in (1, 5)]
    (found,) = recordings.normalised(both, "quota-1", "quota")
    assert (found["count"], found["metadata"], found["involvedObject"].keys()) == (
        1,
        {"name": "web.1"},
        {"kind", "name"},
    )


# What is said of each object that is not well. Of a workload it is mostly this; the reason is with its pod.
UNAVAILABLE = "0 of 1 pods are available, 1 of the newest revision"
SAID: dict[str, dict[str, str]] = {
    "wrong-image": {
        "Pod web-5cbd78c59b-bbbbb": (
            'ImagePullBackOff Back-off pulling image "127.0.0.1:5000/missing:1": ErrImagePull: rpc '
            "error: code = NotFound desc = failed to pull and unpack image "
            '"127.0.0.1:5000/missing:1": failed to resolve reference "127.0.0.1:5000/missing:1": '
            "127.0.0.1:5000/missing:1: not found"
        ),
    },
    "unreachable-registry": {
        "Pod web-6bbc464bf8-bbbbb": (
            'ImagePullBackOff Back-off pulling image "127.0.0.1:1/missing:1": ErrImagePull: failed to '
            'pull and unpack image "127.0.0.1:1/missing:1": failed to resolve reference '
            '"127.0.0.1:1/missing:1": failed to do request: Head '
            '"http://127.0.0.1:1/v2/missing/manifests/1": dial tcp 127.0.0.1:1: connect: connection '
            "refused"
        ),
    },
    "wrong-command": {
        "Pod web-7b8dcc444f-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-7b8dcc444f-bbbbb_wrong-command(00000000-0000-4000-8000-000000000003) (it exited "
            "with 128 (StartError))"
        ),
    },
    "missing-secret": {
        "Pod web-7567fdb79c-bbbbb": 'CreateContainerConfigError secret "missing" not found',
    },
    "missing-secret-volume": {
        "Pod web-784f65d654-bbbbb": "Pending: Ready is False: containers with unready status: [main]",
    },
    "missing-config-map": {
        "Pod web-6cd5d78b76-bbbbb": 'CreateContainerConfigError configmap "missing" not found',
    },
    "missing-config-map-volume": {
        "Pod web-5b89c6fb48-bbbbb": "Pending: Ready is False: containers with unready status: [main]",
    },
    "missing-key": {
        "Pod web-9d4f7cfbd-bbbbb": (
            "CreateContainerConfigError couldn't find key password in Secret missing-key/settings"
        ),
    },
    "missing-key-volume": {
        "Pod web-7655ff577-bbbbb": "Pending: Ready is False: containers with unready status: [main]",
    },
    "failing-init-container": {
        "Pod web-bfcf7f86c-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=first "
            "pod=web-bfcf7f86c-bbbbb_failing-init-container(00000000-0000-4000-8000-000000000003) (it "
            "exited with 4)"
        ),
    },
    "crash": {
        "Pod web-84887db558-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-84887db558-bbbbb_crash(00000000-0000-4000-8000-000000000003) (it exited with 3)"
        ),
    },
    "crash-without-log": {
        "Pod web-84cfb9d486-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-84cfb9d486-bbbbb_crash-without-log(00000000-0000-4000-8000-000000000003) (it "
            "exited with 1)"
        ),
    },
    "crash-with-message": {
        "Pod web-95cc699b5-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-95cc699b5-bbbbb_crash-with-message(00000000-0000-4000-8000-000000000003) (it "
            "exited with 3)"
        ),
    },
    "out-of-memory": {
        "Pod web-5888865f4b-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-5888865f4b-bbbbb_out-of-memory(00000000-0000-4000-8000-000000000003) (it exited "
            "with 137)"
        ),
    },
    "full-volume": {
        "Pod web-0": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-0_full-volume(00000000-0000-4000-8000-000000000003) (it exited with 1)"
        ),
    },
    "readiness-probe": {
        "Pod web-76dbd6dcd4-bbbbb": "Ready is False: containers with unready status: [main]",
    },
    "liveness-probe": {
        "Pod web-5f45d9548b-bbbbb": (
            "CrashLoopBackOff back-off 10s restarting failed container=main "
            "pod=web-5f45d9548b-bbbbb_liveness-probe(00000000-0000-4000-8000-000000000003) (it exited "
            "with 137)"
        ),
    },
    "evicted": {
        "Pod web-795b699d7d-bbbbb": (
            "Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 1Mi."
        ),
    },
    "failing-hook": {
        "Job migrate": "it failed: Job has reached the specified backoff limit",
        "Pod migrate-bbbbb": "container main exited with 1",
    },
    "no-room": {
        "Pod web-6d6776f457-bbbbb": (
            "not scheduled: 0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match "
            "Pod's node affinity/selector. preemption: 0/2 nodes are available: 2 Preemption is not "
            "helpful for scheduling."
        ),
    },
    "unbound-claim": {
        "PersistentVolumeClaim data": "its phase is Pending, not Bound",
        "Pod web-75f575948b-bbbbb": (
            "not scheduled: 0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
        ),
    },
    "unbound-claim-of-consumer": {
        "PersistentVolumeClaim data": "its phase is Pending, not Bound",
        "Pod web-75f575948b-bbbbb": "Pending: it has no node yet",
    },
    "missing-storage-class": {
        "PersistentVolumeClaim data": "its phase is Pending, not Bound",
        "Pod web-75f575948b-bbbbb": (
            "not scheduled: 0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
        ),
    },
    "quota": {
        "Deployment web": (
            '0 of 1 pods are available, 0 of the newest revision: pods "web-bb9cf49f7-zzzzz" is '
            "forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"
        ),
        "ReplicaSet web-bb9cf49f7": (
            'pods "web-bb9cf49f7-zzzzz" is forbidden: exceeded quota: none, requested: pods=1, used: '
            "pods=0, limited: pods=0"
        ),
    },
    "pod-security": {
        "Deployment web": (
            '0 of 1 pods are available, 0 of the newest revision: pods "web-bb9cf49f7-zzzzz" is '
            'forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
            '(container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted '
            'capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), '
            'runAsNonRoot != true (pod or container "main" must set '
            'securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set '
            'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
        ),
        "ReplicaSet web-bb9cf49f7": (
            'pods "web-bb9cf49f7-zzzzz" is forbidden: violates PodSecurity "restricted:latest": '
            'allowPrivilegeEscalation != false (container "main" must set '
            "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "
            '"main" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or '
            'container "main" must set securityContext.runAsNonRoot=true), seccompProfile (pod or '
            'container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
            '"Localhost")'
        ),
    },
    "stuck-finalizer": {
        "Pod web-8696d84c7f-bbbbb": (
            "it is being deleted since 2026-01-01T00:00:00Z and waits for its finalizers: example.com/keep"
        ),
    },
    "node-gone": {
        "Pod web-7fd54cfd7-bbbbb": (
            "it is being deleted since 2026-01-01T00:00:00Z (Taint manager: deleting due to NoExecute taint)"
        ),
        "Pod web-7fd54cfd7-ccccc": (
            "not scheduled: 0/2 nodes are available: 1 node(s) didn't match Pod's node "
            "affinity/selector, 1 node(s) had untolerated taint(s). preemption: 0/2 nodes are "
            "available: 2 Preemption is not helpful for scheduling."
        ),
    },
}


def said(name):
    """Return what is said of each object of a recording that is not as it should be."""
    objects = [item for item in recordings.read(name) if item["kind"] not in ("Event", "Node")]
    reasons = [(item["kind"], item["metadata"]["name"], reason_of(item)) for item in objects]
    return {f"{kind} {title}": reason for kind, title, reason in reasons if reason and reason != UNAVAILABLE}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_said_of_a_trouble(name):
    assert said(name) == SAID[name]
