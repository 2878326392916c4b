# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site keeps: over a loss of power, and while components are removed."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from integration.conftest import DEPLOY, words

from .clients import NAMESPACE
from .node.cluster import Cluster

# Kept when the component is removed. Without its certificate the database would not start again.
KEPT = [
    ("clusters.postgresql.cnpg.io", "cnpg-cluster", NAMESPACE),
    ("certificates.cert-manager.io", "cnpg-cluster-tls", NAMESPACE),
]
REMOVED = ["maildev", "common", "temporal"]


@pytest.mark.harms_node
def test_everything_comes_back_after_a_loss_of_power(site, node, database):
    row = database.keep("power")
    node.crash()
    node.start()
    words(site.site("--tags", "converge"))
    assert "failed=0 " in words(site.playbook("playbooks/verify.yml"))
    database.await_sql(row, "kept", seconds=30)  # the client's pod starts again, too


def test_components_that_are_removed_come_back_with_their_data(site, cluster, database, temporal):
    name = f"test-{uuid4().hex[:8]}"
    temporal.namespace("create", "--namespace", name, "--retention", "24h")
    row = database.keep("removal")
    before = uids(cluster)
    rest = [component for component in site.components() if component not in REMOVED]
    words(site.site(*DEPLOY, "-e", json.dumps({"gitops_components": rest, "gitops_removals": REMOVED})))
    deployments = {
        item["metadata"]["name"]
        for item in json.loads(cluster.kubectl("get", "deployments", "-A", "-o", "json"))["items"]
    }
    assert not deployments & {"maildev", "temporal", "drizzle-gateway"}
    assert uids(cluster) == before
    assert database.sql(row) == "kept"

    words(site.site(*DEPLOY))
    assert uids(cluster) == before
    assert database.sql(row) == "kept"
    assert name in {entry["namespaceInfo"]["name"] for entry in temporal.namespaces()}
    assert "failed=0 " in words(site.playbook("playbooks/verify.yml"))


def uids(cluster: Cluster) -> list[str]:
    """Return the UIDs of what is kept."""
    return [cluster.get(*name)["metadata"]["uid"] for name in KEPT]
