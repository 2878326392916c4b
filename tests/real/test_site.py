# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component of inventories/dev from an empty cluster, and again."""

from __future__ import annotations

import time

import pytest
from integration.conftest import words

from .node.processes import REAL

# One pod of each kind that must run for real for the other tests to say anything.
RUN_FOR_REAL = {
    "argocd": ("argocd-application-controller-0", "argocd-server-", "argocd-repo-server-", "argocd-redis-"),
    "cnpg-system": ("cnpg-controller-manager-",),
    "maildev": ("maildev-",),
    "minio": ("minio-",),
    "services": ("cnpg-cluster-1", "socat-api-", "socat-auth-", "temporal-"),
}


def test_the_first_run_brings_up_every_component(site):
    applications = site.report()["applications"]
    assert sorted(entry["name"] for entry in applications) == sorted(site.components())
    assert {(entry["sync"], entry["health"]) for entry in applications} == {("Synced", "Healthy")}


@pytest.mark.harms_node
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("namespace", RUN_FOR_REAL)
def test_what_can_run_for_real_does(node, namespace):
    pods = node.get("pods", namespace=namespace)["items"]
    found = [pod["metadata"]["name"] for pod in pods if pod["spec"].get("nodeName") == REAL]
    assert [name for name in RUN_FOR_REAL[namespace] if not any(pod.startswith(name) for pod in found)] == []


def test_a_second_run_changes_nothing(site, times):
    commit = site.report()["commit"]
    began = time.monotonic()
    assert "changed=0 " in words(site.site())
    times["second run of site.yml"] = time.monotonic() - began
    assert site.report()["commit"] == commit


def test_every_component_verifies(site):
    assert "failed=0 " in words(site.playbook("playbooks/verify.yml"))
