# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster itself: pods, names, Services, volumes, and what kubectl asks a kubelet for."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from typing import Any

import pytest
from troubles import IMAGE

from .conftest import ready
from .node.cluster import Cluster, Node
from .node.processes import REAL, SIMULATED, NodeError, eventually


def pod(name: str, *command: str, image: str = IMAGE, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    container |= {"command": list(command)} if command else {}
    container |= spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0} | spec,
    }


def within(namespace: str, *objects: dict[str, Any]) -> list[dict[str, Any]]:
    return [item | {"metadata": item["metadata"] | {"namespace": namespace}} for item in objects]


def start(cluster: Cluster, namespace: str, *objects: dict[str, Any]) -> None:
    """Create objects and wait until the pods are ready."""
    cluster.apply(*within(namespace, *objects))
    for item in objects:
        if item["kind"] == "Pod":
            name = item["metadata"]["name"]
            eventually(lambda name=name: ready(cluster, namespace, name), f"pod {name}")


def address(cluster: Cluster, namespace: str, name: str) -> str:
    """Return the address that the pod `client` finds for a name: busybox's own resolver, its wget and nc have none."""
    said = cluster.run_in_pod(namespace, "client", "nslookup", name)
    return re.findall(r"^Address:\s+([0-9.]+)$", said, re.MULTILINE)[-1]


WEB = pod("web", "sh", "-c", "mkdir /www && echo hello > /www/index.html && echo started && httpd -f -p 8080 -h /www")
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}


@pytest.mark.harms_node  # it has an image of ours
def test_a_pod_of_a_local_image_runs_on_the_real_node(node, namespace):
    start(node, namespace, pod("one", "sleep", "1000"))
    assert node.get("pod", "one", namespace)["spec"]["nodeName"] == REAL
    assert "Linux" in node.run_in_pod(namespace, "one", "uname", "-a")


@pytest.mark.harms_node
def test_a_pod_of_another_image_runs_on_the_simulated_node(node: Node, namespace: str) -> None:
    """One image that is not here is enough, also that of an init container."""
    mixed = pod("mixed", "sleep", "1", initContainers=[{"name": "first", "image": "nowhere.invalid/any:1"}])
    start(node, namespace, pod("other", image="nowhere.invalid/any:1"), mixed)
    for name in ("other", "mixed"):
        assert node.get("pod", name, namespace)["spec"]["nodeName"] == SIMULATED


@pytest.mark.harms_node
def test_a_pod_keeps_the_node_that_it_has_chosen(real_images: Node, namespace: str) -> None:
    wrong = "nowhere.invalid/any:1"
    chosen = pod("chosen", image=wrong, nodeSelector={"node-kind": REAL, "kubernetes.io/os": "linux"})
    real_images.apply(*within(namespace, chosen))
    real_images.set_real_images([*real_images.real_images(), "nowhere.invalid/named:1"])

    def waiting(name: str) -> str:
        status = real_images.get("pod", name, namespace)["status"]
        states = [entry["state"] for entry in status.get("containerStatuses", [])]
        return states[0].get("waiting", {}).get("reason", "") if states else ""

    eventually(lambda: waiting("chosen") in ("ErrImagePull", "ImagePullBackOff"), "the failure to pull")

    def named_is_real() -> bool:
        done = real_images.try_kubectl("delete", "pod", "named", "-n", namespace, "--ignore-not-found")
        assert done.returncode == 0, done.stderr
        real_images.apply(*within(namespace, pod("named", image="nowhere.invalid/named:1")))
        return "real" in real_images.get("pod", "named", namespace)["spec"]["nodeSelector"]["node-kind"]

    eventually(named_is_real, "the new list of images", pause=0.5)
    eventually(lambda: waiting("named") in ("ErrImagePull", "ImagePullBackOff"), "the failure to pull")


def test_a_service_is_found_by_its_name_and_answers(cluster, namespace):
    start(cluster, namespace, WEB, SERVICE, pod("client", "sleep", "1000"))
    found = address(cluster, namespace, f"web.{namespace}.svc.cluster.local")
    assert found == cluster.get("service", "web", namespace)["spec"]["clusterIP"]

    def answer() -> str:
        with contextlib.suppress(NodeError):
            return cluster.run_in_pod(namespace, "client", "wget", "-q", "-O", "-", "-T", "5", f"http://{found}/")
        return ""

    eventually(lambda: answer() == "hello\n", "an answer of the Service", 20)


def test_logs_and_port_forward(cluster, namespace):
    start(cluster, namespace, WEB)
    assert cluster.kubectl("logs", "-n", namespace, "web") == "started\n"
    command = cluster.command("port-forward", "-n", namespace, "pod/web", ":8080")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout
        port = int(forward.stdout.readline().split()[2].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        forward.terminate()
    assert answer.endswith(b"hello\n")


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
MOUNTED = {
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
}


def test_a_claim_is_bound_and_keeps_its_data(cluster, namespace):
    """Also for a user other than root, whose group the volume gets."""
    owner = {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000}}
    writer = pod("writer", "sh", "-c", "echo kept > /data/file && sleep 1000", **MOUNTED | owner)
    start(cluster, namespace, CLAIM, writer)
    eventually(lambda: cluster.run_in_pod(namespace, "writer", "ls", "/data") == "file\n", "the file")
    assert cluster.run_in_pod(namespace, "writer", "stat", "-c", "%g", "/data/file") == "2000\n"
    cluster.kubectl("delete", "pod", "writer", "-n", namespace)
    start(cluster, namespace, pod("reader", "sleep", "1000", **MOUNTED))
    assert cluster.run_in_pod(namespace, "reader", "cat", "/data/file") == "kept\n"


@pytest.mark.harms_node
def test_a_claim_waits_while_no_provisioner_runs(node: Node, namespace: str) -> None:
    node.processes.stop("volumes")
    try:
        node.apply(*within(namespace, CLAIM, pod("waiting", "sleep", "1000", **MOUNTED)))
        time.sleep(3)
        assert node.get("persistentvolumeclaim", "data", namespace)["status"]["phase"] == "Pending"
    finally:
        node.processes.start("volumes")
    eventually(lambda: ready(node, namespace, "waiting"), "the pod")
    volume = node.get("persistentvolumeclaim", "data", namespace)["spec"]["volumeName"]
    node.kubectl("delete", "pod", "waiting", "-n", namespace)
    node.kubectl("delete", "persistentvolumeclaim", "data", "-n", namespace)
    eventually(lambda: node.try_kubectl("get", "persistentvolume", volume).returncode, "the end of the volume")


@pytest.mark.harms_node
def test_a_node_that_lost_power_comes_back(node: Node, namespace: str) -> None:
    start(node, namespace, WEB, SERVICE)
    node.crash()
    assert node.processes.pid("kubelet") is None
    node.start()
    eventually(lambda: node.get("pod", "web", namespace)["status"]["containerStatuses"][0]["restartCount"], "restart")
    eventually(lambda: ready(node, namespace, "web"), "the pod")
    assert node.kubectl("logs", "-n", namespace, "web") == "started\n"


@pytest.mark.harms_node
def test_the_host_is_reached_by_its_name(node: Node, namespace: str) -> None:
    """As with Docker Desktop; the name is that of the node."""
    start(node, namespace, pod("client", "sleep", "1000"))
    host = address(node, namespace, "host.docker.internal")
    with socket.create_server((host, 0)) as server:
        port = str(server.getsockname()[1])
        ask = node.command("exec", "-n", namespace, "client", "--", "nc", "-w", "5", host, port)
        with subprocess.Popen(ask, stdout=subprocess.PIPE, text=True) as asking:
            connection, _address = server.accept()
            with connection:
                connection.sendall(b"the host\n")
            assert asking.communicate(timeout=20)[0] == "the host\n"
