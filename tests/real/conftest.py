# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that the tests of this folder use: a node of this suite, or another one that is empty of ours."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from kubernetes import config, dynamic

from . import elsewhere, summary
from .clients import Database, Temporal
from .environment import RealEnvironment
from .field import enforce, field
from .node import network, programs
from .node.cluster import VARIABLE, Cluster, Node
from .node.policies import Enforcement
from .node.processes import eventually
from .node.refusals import Refusal

__all__ = ["enforce", "field"]  # fixtures

OTHER = os.environ.get(elsewhere.KUBECONFIG, "")
CLUSTER = pytest.StashKey[Cluster]()
LEFT_OUT = pytest.StashKey[list[str]]()
TIMES = pytest.StashKey[dict[str, float]]()
MEMORY = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write tests/fixtures/kubelet anew")


def pytest_configure(config: pytest.Config) -> None:
    """Say first what is real and what is simulated."""
    if OTHER:
        config.stash[CLUSTER] = found = other()
        print("\n".join(summary.of_cluster(OTHER, found.get("nodes")["items"])), flush=True)
    elif VARIABLE in os.environ:
        config.stash[CLUSTER] = node = Node.here()
        print("\n".join(summary.of_node(node.parts)), flush=True)
        config.stash[MEMORY] = {"before the first test": summary.memory()}


def other() -> Cluster:
    """Return the cluster of somebody else, or end the run: the tests need one that is meant, and empty of ours."""
    found = Cluster(Path(OTHER), programs.builder().cache_folder() / "bin")
    if refusal := elsewhere.refusal(found, os.environ):
        pytest.exit(refusal, returncode=pytest.ExitCode.USAGE_ERROR)
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here: tests of the machine in a node, all others outside, harm on other clusters."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    on_node = VARIABLE in os.environ and not OTHER
    left_out = {item: reason for item in ours if (reason := summary.obstacle(item, bool(OTHER), on_node))}
    items[:] = sorted((item for item in items if item not in left_out), key=place)
    config.hook.pytest_deselected(items=list(left_out))
    config.stash[LEFT_OUT] = [f"{item.nodeid}: {reason}" for item, reason in left_out.items()]


def place(item: pytest.Item) -> int:
    """Return when a test runs: first those of an empty cluster, then the first runs of site.yml, then all others."""
    uses_site = "first_run" in getattr(item, "fixturenames", ())
    return uses_site + (uses_site and item.path.stem != "test_site")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List how long the site took, and what was left out."""
    if times := config.stash.get(TIMES, {}):
        terminalreporter.section("seconds")
    for what, seconds in times.items():
        terminalreporter.write_line(f"{seconds:7.0f}  {what}")
    if memory := config.stash.get(MEMORY, {}):
        terminalreporter.section("MiB of all processes of the node and its tests (PSS)")
        for when, mebibytes in (memory | {"after the last test": summary.memory()}).items():
            terminalreporter.write_line(f"{mebibytes:7}  {when}")
    for test in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(f"Left out: {test}")


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """Return the cluster that the tests use."""
    return pytestconfig.stash[CLUSTER]


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
def network_policies(node: Node, api: Api) -> Iterator[Enforcement]:  # noqa: ARG001  (a node of this suite)
    """Let the node enforce NetworkPolicies until the end of a test: all of them are in force when `apply` returns."""
    with enforcement(api) as found:
        yield found


def enforcement(api: Api) -> Enforcement:
    """Return what enforces NetworkPolicies as long as its context is open."""
    return Enforcement(api, {network.NODE: "the node", network.CONTROL_PLANE: "the API server"})


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


@pytest.fixture(scope="session")
def times(pytestconfig: pytest.Config) -> dict[str, float]:
    """Return the seconds that are listed in the end."""
    return pytestconfig.stash.setdefault(TIMES, {})


@pytest.fixture(scope="session")
def refused() -> list[Refusal]:
    """Return what NetworkPolicies refused during the first run of site.yml, once that has been."""
    return []


@pytest.fixture(scope="session")
def first_run(
    cluster: Cluster,
    api: Api,
    environment: RealEnvironment,
    times: dict[str, float],
    refused: list[Refusal],
    pytestconfig: pytest.Config,
) -> subprocess.CompletedProcess[str]:
    """Run site.yml on the empty cluster, with NetworkPolicies in force."""
    began = time.monotonic()
    with enforcement(api) if isinstance(cluster, Node) else contextlib.nullcontext() as enforced:
        done = environment.site()
        refused += enforced.refused.seen() if enforced else []
    times["first run of site.yml"] = time.monotonic() - began
    for entry in sorted(environment.report()["applications"], key=lambda entry: float(entry["seconds"])):
        times[f"  until {entry['name']} was {entry['sync']} and {entry['health']}"] = float(entry["seconds"])
    if memory := pytestconfig.stash.get(MEMORY, {}):
        memory["after the first run of site.yml"] = summary.memory()
    return done


@pytest.fixture
def site(environment: RealEnvironment, first_run: subprocess.CompletedProcess[str]) -> RealEnvironment:
    """Return the environment after a first run that succeeded."""
    assert first_run.returncode == 0, first_run.stdout[-6000:]
    return environment


@pytest.fixture(scope="session")
def database(cluster: Cluster, first_run: subprocess.CompletedProcess[str]) -> Iterator[Database]:
    """Return a client of the database."""
    assert first_run.returncode == 0, "there is no database"
    client = Database(cluster)
    yield client
    client.remove()


@pytest.fixture(scope="session")
def temporal(cluster: Cluster, first_run: subprocess.CompletedProcess[str]) -> Iterator[Temporal]:
    """Return a client of Temporal."""
    assert first_run.returncode == 0, "there is no Temporal"
    client = Temporal(cluster)
    yield client
    client.remove()


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
