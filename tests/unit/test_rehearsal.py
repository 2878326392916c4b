# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of rehearsal clusters: free ones, and never those of another cluster."""

from __future__ import annotations

import json
import re
import socket

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import rehearsal
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError

RANGE = {*range(20000, 32000)}


def cluster(state, name):
    found = rehearsal.RehearsalCluster(name, str(state), "/", "/launch.py", "redis-server", "argocd")
    found.folder.mkdir(parents=True)
    return found


def test_a_port_is_taken_by_a_cluster_that_does_not_listen_yet(tmp_path, monkeypatch):
    seen = []
    choose = rehearsal.free_ports
    monkeypatch.setattr(rehearsal, "free_ports", lambda count, taken: seen.append(taken) or choose(count, taken))
    first, second = cluster(tmp_path, "first"), cluster(tmp_path, "second")
    chosen = {*first.ports().values()}
    assert len(chosen) == len(rehearsal.PORTS)
    assert not chosen & {*second.ports().values()}
    assert seen == [set(), chosen]
    assert {*first.ports().values()} == chosen


def test_a_cluster_that_is_being_deleted_has_no_ports(tmp_path):
    (tmp_path / "ports.json").write_text("")
    assert rehearsal.chosen_ports(tmp_path / "ports.json") == set()
    assert rehearsal.chosen_ports(tmp_path / "gone.json") == set()
    (tmp_path / "ports.json").write_text(json.dumps({"argocd-server": 20001}))
    assert rehearsal.chosen_ports(tmp_path / "ports.json") == {20001}


def test_a_port_that_somebody_listens_on_is_passed_over():
    (port,) = rehearsal.free_ports(1, set())
    assert rehearsal.free_ports(1, RANGE - {port}) == [port]
    message = "Only 0 of 1 TCP ports are free between 20000 and 32000 on 127.0.0.1."
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
            rehearsal.free_ports(1, RANGE - {port})


def stage(name, *expressions, group="v1"):
    selector = {"matchExpressions": [{"key": ".status.phase", "operator": "In", "values": ["Pending"]}, *expressions]}
    return yaml.safe_dump(
        {
            "kind": "Stage",
            "metadata": {"name": name},
            "spec": {"resourceRef": {"apiGroup": group}, "selector": selector, "delay": {"durationMilliseconds": 1}},
        }
    )


def expressions_of(text):
    return yaml.safe_load(text)["spec"]["selector"]["matchExpressions"]


def test_a_pod_whose_image_is_told_to_fail_does_not_become_ready():
    image = '.spec.containers[] | select(.image | test("rehearsal-fail")) | .name'
    given = stage("pod-ready")
    assert expressions_of(rehearsal.adapted(given)) == [
        *expressions_of(given),
        {"key": image, "operator": "DoesNotExist"},
    ]
    assert yaml.safe_load(rehearsal.adapted(stage("pod-delete"))) == yaml.safe_load(stage("pod-delete"))


def test_volumes_of_every_class_are_provided_and_a_claim_may_fail_or_be_slow():
    own = {"cel": {"expression": "self.spec.storageClassName == 'kwok-volume'"}}
    adapted = rehearsal.adapted(stage("pvc-provision", own))
    assert expressions_of(adapted)[1:] == [{"key": rehearsal.SIMULATE, "operator": "NotIn", "values": ["fail"]}]
    delay = yaml.safe_load(adapted)["spec"]["delay"]["durationFrom"]["jq"]["expression"]
    assert delay == f'if {rehearsal.SIMULATE} == "slow" then "20s" else "200ms" end'


def test_what_is_not_a_stage_stays_but_for_a_class_that_may_be_missing():
    text = "kind: StorageClass\nmetadata: {name: kwok}\nx: '{{ .spec.storageClassName }}'\n"
    assert rehearsal.adapted(text) == text.replace("{{ .spec", '{{ default "" .spec')


def test_the_groups_of_simulated_resources_are_those_of_stages_in_lists_too():
    one, other = stage("a", group="kafka.strimzi.io/v1"), stage("b", group="apps/v1")
    lists = yaml.safe_dump({"kind": "List", "items": [yaml.safe_load(stage("c", group="cert-manager.io/v1"))]})
    assert rehearsal.simulated_groups([f"{one}---\n{other}", lists]) == ["cert-manager.io", "kafka.strimzi.io"]
    assert rehearsal.simulated_groups([other]) == ["none.invalid"]


@pytest.mark.parametrize(("text", "line"), [("", "no output"), ("a\n b\nc\nd\n", "b | c | d"), ("\n", "no output")])
def test_the_end_of_an_output_is_one_line(text, line):
    assert rehearsal.last_lines(text) == line
