# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the playbooks."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.filter.argocd import project, table, widened

KAFKA = {"group": "kafka.strimzi.io", "kind": "Kafka"}
CONNECT = {"group": "kafka.strimzi.io", "kind": "KafkaConnect"}
FOUND = {"infra": {"namespaces": ["kafka"], "cluster_kinds": [], "namespaced_kinds": [KAFKA]}}
WANTED = project("infra", "dev", "https://git.example.com/x.git", FOUND)


def test_a_project_allows_what_the_overlays_have():
    assert WANTED == {
        "name": "infra",
        "description": "Infrastructure of the environment dev",
        "source_repos": ["https://git.example.com/x.git"],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "kafka"}],
        "cluster_kinds": [],
        "namespaced_kinds": [KAFKA],
    }


def test_a_project_keeps_what_it_allows_until_that_is_pruned():
    live = {"metadata": {"name": "infra"}, "spec": {"namespaceResourceWhitelist": [CONNECT, KAFKA]}}
    assert widened([WANTED], [live]) == [WANTED | {"namespaced_kinds": [KAFKA, CONNECT]}]
    assert widened([WANTED], []) == [WANTED]
    assert widened([WANTED], [live | {"metadata": {"name": "other"}}]) == [WANTED]


def test_a_table_has_a_heading_and_a_row_for_each():
    rows = [{"name": "kafka", "sync": "Synced"}, {"name": "maildev", "sync": None}]
    assert table(rows, {"name": "Application", "sync": "Sync"}) == (
        "Application  Sync\n-----------  ------\nkafka        Synced\nmaildev"
    )
