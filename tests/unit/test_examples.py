# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of examples/ fit what is rendered with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
KIND = ROOT / "examples" / "kind"
NAMES = ["cert-manager", "gateway"]


def load(name: str) -> dict:
    return yaml.safe_load((KIND / name).read_text())


@pytest.fixture
def built(rendered):
    variables = load("vars.yml") | {"gitops_components": NAMES, "gitops_tls": True}
    return rendered("dev", **variables)


def test_every_listener_is_a_port_of_this_machine(built):
    (gateway,) = [item for item in built["gateway"] if item["kind"] == "Gateway"]
    (node,) = load("kind.yaml")["nodes"]
    forwarded = {(entry["containerPort"], entry["hostPort"]) for entry in node["extraPortMappings"]}
    assert forwarded == {(one["port"], one["port"]) for one in gateway["spec"]["listeners"]}
    values = load("cilium-values.yaml")
    assert values["gatewayAPI"]["hostNetwork"]["enabled"] is True
    assert values["envoy"]["securityContext"]["capabilities"]["keepCapNetBindService"] is True
    assert "NET_BIND_SERVICE" in values["envoy"]["securityContext"]["capabilities"]["envoy"]


def test_argo_cd_finds_the_repository_of_the_node(built):
    (node,) = load("kind.yaml")["nodes"]
    (mount,) = node["extraMounts"]
    pods = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in built["argocd"]
        if item["kind"] in ("Deployment", "StatefulSet")
    }
    volumes = {volume["name"]: volume for volume in pods["argocd-repo-server"]["volumes"]}
    assert volumes["repository"]["hostPath"] == {"path": mount["containerPath"], "type": "Directory"}
    mounts = {one["name"]: one for one in pods["argocd-repo-server"]["containers"][0]["volumeMounts"]}
    assert load("vars.yml")["gitops_repo_url"] == f"file://{mounts['repository']['mountPath']}"


def test_the_cluster_is_the_one_that_kind_makes():
    cluster = load("kind.yaml")
    assert load("vars.yml")["cluster_context"] == f"kind-{cluster['name']}"
    assert load("cilium-values.yaml")["k8sServiceHost"] == f"{cluster['name']}-control-plane"
    assert load("cilium-values.yaml")["gatewayAPI"]["gatewayClass"]["create"] == "true"


def test_a_git_server_of_ones_own_is_known_to_argo_cd(rendered):
    keys, certificates = "git.example.com ssh-ed25519 AAAA\n", {"git.example.com": "-----BEGIN CERTIFICATE-----\n"}
    variables = {"argocd_ssh_known_hosts": keys, "argocd_tls_certs": certificates, "gitops_components": NAMES}
    maps = {
        item["metadata"]["name"]: item.get("data")
        for item in rendered("dev", **variables)["argocd"]
        if item["kind"] == "ConfigMap"
    }
    assert maps["argocd-ssh-known-hosts-cm"] == {"ssh_known_hosts": keys}
    assert maps["argocd-tls-certs-cm"] == certificates
