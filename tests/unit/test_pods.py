# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not run, and how it is described."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import (
    pod_not_ready,
    pod_state,
    pod_trouble,
)


def test_why_a_pod_does_not_run():
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"state": {"running": {}}}, waiting]}}
    assert pod_trouble(pod) == "pod p: ImagePullBackOff no such image"
    ended = {"name": "c", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    done = {"name": "i", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    crashed = {"metadata": {"name": "p"}, "status": {"initContainerStatuses": [done], "containerStatuses": [ended]}}
    assert pod_trouble(crashed) == "pod p: container c exited with 1"
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    assert pod_trouble({"metadata": {"name": "p"}, "status": {"conditions": [unscheduled]}}) == (
        "pod p: not scheduled: 0/3 nodes are available"
    )
    assert pod_trouble({"metadata": {"name": "p"}}) == ""
    waiting |= {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    assert pod_trouble(pod) == "pod p: ImagePullBackOff no such image (it exited with 137 (OOMKilled))"


def test_a_pod_that_runs_but_is_not_ready_says_so():
    ready = {"type": "Ready", "status": "False", "message": "containers with unready status: [web]"}
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Running", "conditions": [ready]}}
    assert pod_not_ready(pod) == "Ready is False: containers with unready status: [web]"
    pod["status"]["phase"] = "Pending"
    assert pod_not_ready(pod) == "Pending: Ready is False: containers with unready status: [web]"
    pod["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": "ErrImagePull"}}}]
    assert pod_not_ready(pod) == "ErrImagePull"


def test_a_pod_that_has_succeeded_or_is_ready_is_no_trouble():
    done = {"type": "Ready", "status": "False", "reason": "PodCompleted"}
    assert pod_not_ready({"metadata": {"name": "p"}, "status": {"phase": "Succeeded", "conditions": [done]}}) == ""
    ready = {"type": "Ready", "status": "True"}
    assert pod_not_ready({"metadata": {"name": "p"}, "status": {"phase": "Running", "conditions": [ready]}}) == ""


def test_the_state_of_a_pod_is_that_of_kubectl():
    statuses = [{"ready": True, "restartCount": 2}, {"ready": False, "restartCount": 1}]
    pod = {"spec": {"containers": [{}, {}]}, "status": {"phase": "Running", "containerStatuses": statuses}}
    assert pod_state(pod) == "Running 1/2, 3 restarts"
    assert pod_state({"spec": {"containers": [{}]}, "status": {"phase": "Pending"}}) == "Pending 0/1"


def test_a_pod_that_somebody_ended_says_who_and_why():
    ended = {"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}
    status = {"phase": "Failed", "reason": "Evicted", "message": "too much", "containerStatuses": [ended]}
    assert pod_trouble({"metadata": {"name": "p"}, "status": status}) == "pod p: Evicted: too much"
    assert pod_trouble({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "NodeLost"}}) == (
        "pod p: NodeLost"
    )


def test_a_pod_without_a_word_of_anybody_says_whether_it_has_a_node():
    assert pod_not_ready({"metadata": {"name": "p"}, "status": {"phase": "Pending"}}) == "Pending: it has no node yet"
    placed = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending"}}
    assert pod_not_ready(placed) == "Pending: condition Ready is missing, no controller has answered"
