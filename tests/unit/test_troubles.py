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
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.walk import diagnose
from evidence import Recorded
from said import OF_THE_POD, SAID, Said, top
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


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_said_of_a_trouble(name):
    objects = recordings.read(name)
    cause = diagnose(top(objects, name), Recorded(objects))
    assert Said(cause.rule, cause.text, cause.next_step, cause.final) == SAID[name]


@pytest.mark.parametrize("name", OF_THE_POD)
def test_a_workload_whose_pod_was_replaced_is_not_accused(name):
    objects = recordings.read(name)
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    assert diagnose(deployment, Recorded(objects)) is None


UNPLACED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
CREATED = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}


@pytest.mark.parametrize("status", [{"conditions": [UNPLACED]}, {"containerStatuses": [CREATED]}])
def test_a_workload_says_who_was_evicted_while_the_replacement_does_not_run(status):
    objects = recordings.read("evicted")
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    for item in objects:
        if item["kind"] == "ReplicaSet":
            item["status"]["readyReplicas"] = 0
        if item["kind"] == "Pod" and item["status"]["phase"] == "Running":
            item["status"] = {"phase": "Pending"} | status
    cause = diagnose(deployment, Recorded(objects))
    assert cause.text == (
        "Deployment evicted/web: Pod web-795b699d7d-bbbbb: Evicted: Pod ephemeral local storage usage exceeds the "
        "total limit of containers 1Mi (since 2026-01-01T00:00:00Z)"
    )
    assert not cause.final


def test_the_log_of_a_crash_is_only_shown_where_it_was_asked_for():
    """A program's last words may hold a secret, also where the kubelet takes them for its message."""
    objects = recordings.read("crash-with-message")
    crashed = top(objects, "crash-with-message")
    assert "web.conf" in str([item["status"] for item in objects if item["kind"] == "Pod"])
    assert "web.conf" not in str(diagnose(crashed, Recorded(objects)))
    asked = diagnose(crashed, Recorded(objects, {"main": "cannot read /etc/web.conf\n"}))
    assert asked.text.endswith("; its log ends with: cannot read /etc/web.conf")
