# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says about the controller of the Gateway, before it waits for it."""

from __future__ import annotations

import re
import time

import pytest
import yaml

CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "cilium"},
    "spec": {"controllerName": "io.cilium/gateway-controller"},
}
CONFIG = "/api/v1/namespaces/kube-system/configmaps"
HOST_NETWORK = {"metadata": {"name": "cilium-config"}, "data": {"gateway-api-hostnetwork-enabled": "true"}}


@pytest.fixture
def check(environment, tmp_path):
    """Return a function that runs the check alone."""
    include = {"ansible.builtin.include_role": {"name": "monorepo.gitops.gateway", "tasks_from": "controller"}}
    connection = {"kubeconfig": environment.status["kubeconfig"]}
    play = {
        "name": "Check",
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/monorepo.gitops.argocd": connection},
        "tasks": [{"name": "Check the controller", **include}],
    }
    path = tmp_path / "check.yml"
    path.write_text(yaml.safe_dump([play]))

    def run():
        done = environment.playbook(str(path))
        return done.returncode, re.sub(r"\s+", " ", done.stdout)

    yield run
    environment.api().request("DELETE", f"{CLASSES}/cilium")
    environment.api().request("DELETE", f"{CONFIG}/cilium-config")


def test_a_gateway_class_is_asked_for_and_host_network_mode_is_warned_about(environment, check):
    api = environment.api()
    code, said = check()
    assert code != 0
    assert "gateway_class_name: the cluster does not have GatewayClass cilium: apply the CRDs" in said

    assert api.request("POST", CLASSES, None, CLASS, "application/json")[0] == 201
    deadline = time.monotonic() + 30
    while check()[0] != 0:  # until the simulated controller has accepted it
        assert time.monotonic() < deadline
    assert "Warning" not in check()[1]

    assert api.request("POST", CONFIG, None, HOST_NETWORK, "application/json")[0] == 201
    code, said = check()
    assert code == 0
    assert "Gateway is in host-network mode, where listener kafka may not get its port 9094" in said
