# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of role common, and what all components have in common."""

from __future__ import annotations

from .environments import DEV, built


def test_a_restart_of_the_database_does_not_wait_for_the_connections_of_the_services(rendered):
    """Without the field CloudNativePG waits three minutes, and PostgreSQL refuses new connections meanwhile."""
    (cluster,) = [item for item in built(rendered, DEV)["common"] if item["kind"] == "Cluster"]
    assert cluster["spec"]["smartShutdownTimeout"] == 10


def test_nothing_is_restarted_because_it_starts_slowly(rendered):
    """On a busy node a start took longer than a liveness probe waits, and the kubelet ended it again and again."""
    found = [
        f"{item['kind']} {item['metadata']['name']}: {container['name']}"
        for component, items in built(rendered, DEV).items()
        if component != "argocd"  # its manifest is the official one
        for item in items
        for container in item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
        if "livenessProbe" in container and "startupProbe" not in container
    ]
    assert found == []
