# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suite of tests/real says first, and on which cluster of somebody else it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from real import elsewhere, summary
from real.node.cluster import Cluster, Parts
from real.node.processes import NodeError

ROOT = Path(__file__).resolve().parent.parent.parent
NODE = Parts(
    rehearsal="",
    programs="",
    judge="",
    archives=[],
    local=["redis:8", "argocd:v3"],
    pause="",
    coredns="",
    operators=["gateway", "strimzi"],
    stages="",
    stubs={"dex:v2": "no dex"},
)


def test_what_is_real_is_said_of_a_node_of_this_suite():
    assert summary.of_node(NODE) == [
        "real: pods of argocd:v3, redis:8",
        "stubs: dex:v2: no dex",
        "simulated: pods of all other images; the operators of gateway, strimzi",
    ]


def on(name, runtime):
    return {"metadata": {"name": name}, "status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}


def test_what_is_real_is_said_of_another_cluster_by_the_runtimes_of_its_nodes():
    nodes = [on("a", "containerd://2.1.1"), on("b", "kwok-v0.7.0"), on("c", "cri-o://1.34.0")]
    assert summary.of_cluster("test.yaml", nodes) == [
        "cluster of test.yaml: real: pods on a (containerd://2.1.1), c (cri-o://1.34.0)",
        "simulated: pods on b (kwok-v0.7.0)",
    ]
    assert summary.of_cluster("test.yaml", nodes[:1])[1] == "simulated: nothing"
    assert summary.of_cluster("test.yaml", nodes[1:2])[0] == "cluster of test.yaml: real: pods on no node"


class Marked:
    """A test with these marks."""

    def __init__(self, *marks):
        self.marks = marks

    def get_closest_marker(self, name):
        return name in self.marks


HARM = summary.HARM


@pytest.mark.parametrize(
    ("marks", "elsewhere", "on_node", "expected"),
    [
        ([], False, True, ""),
        ([], True, False, ""),
        ([], False, False, "it needs a cluster"),
        (["machine"], False, False, ""),
        (["machine"], False, True, "it runs on the machine itself"),
        (["machine"], True, False, "it runs on the machine itself"),
        (["harms_node"], False, True, ""),
        (["harms_node"], True, False, HARM),
    ],
)
def test_why_a_test_is_left_out(marks, elsewhere, on_node, expected):
    assert summary.obstacle(Marked(*marks), elsewhere, on_node) == expected


def test_the_memory_of_all_processes_is_summed():
    assert summary.memory() > 10


class Answering(Cluster):
    """A cluster that has some objects, by how they are asked for."""

    def __init__(self, folder, **there):
        super().__init__(Path("test.yaml"), folder)
        (folder / "kubectl").touch()
        self.there = {"namespace": "", "customresourcedefinition": "", elsewhere.OURS: ""} | there

    def get(self, kind, name="", namespace=""):
        assert (kind, name, namespace) == ("namespace", "kube-system", "")
        return {"metadata": {"uid": "0f3c"}}

    def kubectl(self, *args, given="", timeout=120):
        assert (args[0], given, timeout) == ("get", "", 120)
        return self.there[args[1]]


GIVEN = {"GITOPS_REAL_UID": "0f3c", "GITOPS_REPO_URL": "https://git.example.com/test.git"}


@pytest.mark.parametrize(
    ("given", "there", "expected"),
    [
        (GIVEN, {}, ""),
        (GIVEN, {"customresourcedefinition": "customresourcedefinition/applications.argoproj.io"}, ""),
        (
            {"GITOPS_REAL_UID": "0f3c"},
            {},
            "GITOPS_REAL_KUBECONFIG is set, but GITOPS_REPO_URL is not: CONTRIBUTING.md has what it needs.",
        ),
        (
            {},
            {},
            "GITOPS_REAL_KUBECONFIG is set, but GITOPS_REAL_UID and GITOPS_REPO_URL is not: "
            "CONTRIBUTING.md has what it needs.",
        ),
        (
            GIVEN | {"GITOPS_REAL_UID": "beef"},
            {},
            "GITOPS_REAL_UID is 'beef', but the cluster of test.yaml has the UID 0f3c",
        ),
        (
            GIVEN,
            {"namespace": "namespace/argocd\n"},
            "The cluster of test.yaml is in use, the tests need one without Argo CD: it has namespace/argocd",
        ),
        (
            GIVEN,
            {"customresourcedefinition": "found", elsewhere.OURS: "application/a\napplication/b\n"},
            "The cluster of test.yaml is in use, the tests need one without Argo CD: it has application/a and "
            "application/b",
        ),
    ],
)
def test_only_the_cluster_that_is_meant_is_touched_and_only_while_it_is_empty_of_ours(tmp_path, given, there, expected):
    assert elsewhere.refusal(Answering(tmp_path, **there), given) == expected


def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch):
    def fails(*_args):
        raise NodeError("kubectl get: refused")

    cluster = Answering(tmp_path)
    monkeypatch.setattr(cluster, "get", fails)
    assert elsewhere.refusal(cluster, GIVEN) == "The cluster of test.yaml does not answer: kubectl get: refused"
    (tmp_path / "kubectl").unlink()
    assert elsewhere.refusal(cluster, GIVEN) == "The programs of the rehearsal are missing: run make build"


def test_the_inventory_fits_the_cluster_by_a_file(monkeypatch, tmp_path):
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    expected = dict.fromkeys(("gitops_repo_url", "gitops_repo_push_url"), GIVEN["GITOPS_REPO_URL"])
    assert elsewhere.variables() == expected | {"cluster_uid": "0f3c"}
    (tmp_path / "own.yml").write_text("gateway_class_name: traefik\n")
    monkeypatch.setenv("GITOPS_REAL_VARIABLES", str(tmp_path / "own.yml"))
    monkeypatch.setenv("GITOPS_REPO_PUSH_URL", "ssh://git.example.com/test.git")
    found = elsewhere.variables()
    assert (found["gateway_class_name"], found["gitops_repo_push_url"]) == ("traefik", "ssh://git.example.com/test.git")


COLLECT = """
import json, pathlib, sys
import conftest as _first
import pytest
from real import conftest
from real.node.cluster import Cluster
class Empty(Cluster):
    def get(self, kind, name="", namespace=""):
        return {"items": []}
class Shown:
    def pytest_collection_finish(self, session):
        print(json.dumps({item.nodeid.rpartition("/")[2]: item.fixturenames for item in session.items}))
        print(json.dumps(session.config.stash[conftest.LEFT_OUT]))
conftest.other = lambda: Empty(pathlib.Path("x"), pathlib.Path("y"))
sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Shown()]))
"""


def test_on_another_cluster_what_needs_the_node_of_this_suite_is_left_out_and_listed():
    given = os.environ | {"GITOPS_REAL_KUBECONFIG": "test.yaml", "PYTHONPATH": str(ROOT / "tests")}
    given.pop("GITOPS_REAL_NODE", None)
    command = [sys.executable, "-c", COLLECT, ROOT / "tests" / "real"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    left, out = (json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "[")))
    assert {
        name for name, fixtures in left.items() if {"node", "real_images", "network_policies"} & {*fixtures}
    } == set()
    files = {name.partition("::")[0] for name in left}
    assert files == {f"test_{name}.py" for name in ("database", "node", "outage", "services", "site", "troubles")}
    assert "test_troubles.py::test_a_trouble_shows[wrong-image]" in left
    assert "test_node.py::test_logs_and_port_forward" in left
    assert any(f"test_a_pod_of_a_local_image_runs_on_the_real_node: {HARM}" in name for name in out)
    assert any("test_end.py" in name for name in out)
    assert "test_services.py::test_a_bucket_is_used_with_the_credentials_of_its_user_only" in left
    assert f"Left out: {out[0]}" in done.stdout
