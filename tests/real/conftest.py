# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that the tests of this folder use: a node of this suite, or another one that is empty of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from kubernetes import config, dynamic

from .environment import RealEnvironment
from .node import programs
from .node.cluster import VARIABLE, Cluster, Node
from .node.processes import eventually

OTHER, OTHER_UID = os.environ.get("GITOPS_REAL_KUBECONFIG", ""), os.environ.get("GITOPS_REAL_UID", "")
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_report_header() -> list[str]:
    """Say what is real and what is simulated."""
    if VARIABLE not in os.environ:
        return [f"cluster of {OTHER}: everything is real" if OTHER else "no node"]
    parts = Node.here().parts
    return [
        f"real: pods of {', '.join(sorted(parts.local))}",
        f"stubs: {'; '.join(f'{name}: {what}' for name, what in sorted(parts.stubs.items())) or 'none'}",
        f"simulated: pods of all other images; the operators of {', '.join(parts.operators) or 'no component'}",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here: tests of the machine in a node, all others outside, harm on other clusters."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    inside = VARIABLE in os.environ or bool(OTHER)

    def runs(item: pytest.Item) -> bool:
        if item.get_closest_marker("machine"):
            return not inside
        return inside and not (OTHER and item.get_closest_marker("harms_node"))

    left_out = [item for item in ours if not runs(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = [item.nodeid for item in left_out]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List what was left out."""
    for test in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(f"Left out: {test}")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the cluster that the tests use."""
    if not OTHER:
        return Node.here()
    found = Cluster(Path(OTHER), programs.builder().cache_folder() / "bin")
    uid = found.get("namespace", "kube-system")["metadata"]["uid"]
    assert uid == OTHER_UID, f"GITOPS_REAL_UID is {OTHER_UID!r}, the cluster of {OTHER} has the UID {uid}"
    return found


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Node:
    """Return the node of this suite, for tests that only it can bear: they have the marker harms_node."""
    assert isinstance(cluster, Node), "this test needs the marker harms_node"
    return cluster


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    """Return plain requests to the API server."""
    return Api(dynamic.DynamicClient(config.new_client_from_config(str(cluster.kubeconfig))))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Return a new namespace in which pods can be created; it is deleted afterwards."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    eventually(lambda: cluster.try_kubectl("get", "serviceaccount", "default", "-n", name).returncode == 0, "account")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def environment(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> RealEnvironment:
    """Return an inventory for the cluster; nothing has run yet."""
    return RealEnvironment(tmp_path_factory.mktemp("environment"), cluster)


@pytest.fixture
def real_images(node: Node) -> Iterator[Node]:
    """Return the node; what a test does by `set_real_images` is undone."""
    before = node.real_images()
    yield node
    node.set_real_images(before)


def ready(cluster: Cluster, namespace: str, pod: str) -> bool:
    """Return whether a pod is ready."""
    done = cluster.try_kubectl("get", "pod", pod, "-n", namespace, "-o", "json")
    conditions = json.loads(done.stdout)["status"].get("conditions", []) if done.returncode == 0 else []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
