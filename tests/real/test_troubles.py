# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The troubles of pods, as a real kubelet and the controllers report them; `--record` writes tests/fixtures/kubelet.

Other tests use what was recorded, and Stages made of it write the same in a rehearsal.
"""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import recordings
import replay
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from provoking import Provocation, with_template
from recordings import Manifest
from troubles import IMAGE, LAST, REGISTRY, TROUBLES

from .node import images
from .node.cluster import Cluster, Node
from .node.processes import KIND, REAL, eventually

NAMES = [name for name in TROUBLES if name != LAST]
marked = [pytest.param(name, marks=[pytest.mark.harms_node] * TROUBLES[name].own_node) for name in NAMES]
# Until the kubelet has measured a container that writes too much, and the node is missed for long enough.
SECONDS, NODE_SECONDS = 180, 150


class Empty(http.server.BaseHTTPRequestHandler):
    """A registry that has no image."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 (the name that the base class calls)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def registry() -> Iterator[None]:
    """Serve a registry on the node, so that an image is not found instead of its registry."""
    host, _sep, port = REGISTRY.partition(":")
    with http.server.ThreadingHTTPServer((host, int(port)), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def on_real_node(_name: str, item: Manifest) -> Manifest:
    """Return an object whose pods run on the real node, also those of images that do not exist."""
    selector = {"nodeSelector": {KIND: REAL}}
    return with_template(item, lambda template: template | {"spec": template["spec"] | selector})


@pytest.fixture(scope="module")
def provocation(request: pytest.FixtureRequest, cluster: Cluster, api: Api) -> Iterator[Provocation]:
    """Provoke all troubles that are asked for, but not the loss of the node."""
    tests = [
        item for item in request.session.items if getattr(item, "originalname", "") == test_a_trouble_shows.__name__
    ]
    names = [item.callspec.params["name"] for item in tests]
    run = Provocation(api, names, on_real_node if isinstance(cluster, Node) else lambda _name, item: item)
    try:
        with registry() if isinstance(cluster, Node) else contextlib.nullcontext():  # another node's is not here
            run.start()
            run.watch(SECONDS)
        yield run
    finally:
        run.end()


@pytest.fixture
def record(request: pytest.FixtureRequest, cluster: Cluster) -> bool:
    """Return whether what shows is to be recorded."""
    wanted = bool(request.config.getoption("--record"))
    assert not wanted or isinstance(cluster, Node), "a recording is made on the node of this suite"
    return wanted


@pytest.mark.harms_node  # it has an image of ours
def test_the_image_is_that_of_the_node() -> None:
    assert IMAGE == images.BUSYBOX


@pytest.mark.parametrize("name", marked)
def test_a_trouble_shows(name: str, provocation: Provocation, cluster: Cluster, record: bool) -> None:
    assert name in provocation.shown, provocation.missing(name)
    if record:
        write(cluster, provocation, name)


@pytest.mark.harms_node
def test_a_node_that_is_gone_shows(node: Node, api: Api, record: bool) -> None:
    run = Provocation(api, [LAST], on_real_node)
    try:
        run.start()
        pods = f"/api/v1/namespaces/{run.namespace(LAST)}/pods"
        eventually(lambda: "pod Running" in recordings.signs(typed(api.request("GET", pods)[1])), "the pod")
        node.processes.stop("kubelet")
        run.watch(NODE_SECONDS)
        assert LAST in run.shown, run.missing(LAST)
        run.shown[LAST] += recordings.normalised([node.get("node", REAL)], run.namespace(LAST), LAST)
        if record:
            write(node, run, LAST)
    finally:
        node.processes.start("kubelet")
        eventually(lambda: node.is_ready(REAL), "the node", 120)
        run.end()


def typed(pods: Manifest) -> list[Manifest]:
    return [item | {"kind": "Pod"} for item in pods["items"]]


def write(cluster: Cluster, run: Provocation, name: str) -> None:
    """Write the recording of a trouble, and the Stages anew that are made of all recordings."""
    objects = run.shown[name]
    version = cluster.get("node", REAL)["status"]["nodeInfo"]["kubeletVersion"]
    recordings.write(name, objects, logs(cluster, run, name), version)
    replay.write()


def logs(cluster: Cluster, run: Provocation, name: str) -> dict[str, str]:
    """Return what containers said last that wait to be restarted."""
    pods = cluster.get("pod", namespace=run.namespace(name))["items"]
    found = {}
    for pod in pods:
        for entry in recordings.container_statuses(pod):
            if entry["restartCount"] and pod["status"]["phase"] != "Failed":
                where = ("-n", run.namespace(name), pod["metadata"]["name"], "-c", entry["name"])
                found[entry["name"]] = cluster.kubectl("logs", *where)
    return found
