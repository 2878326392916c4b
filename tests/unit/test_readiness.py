# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an object is not ready, for each kind."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import not_ready

CLUSTER = ("postgresql.cnpg.io/v1", "Cluster")
WEBHOOKS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
ISSUER = ("cert-manager.io/v1", "ClusterIssuer")
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")


def item(kind, generation=2, /, **parts):
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "x", "generation": generation}, **parts}


def conditions(**types):
    return {
        "conditions": [{"type": name, "status": status, "message": f"about {name}"} for name, status in types.items()]
    }


def parents(**types):
    return {"parents": [{"parentRef": {"name": "cilium-gateway"}, **conditions(**types)}]}


LEAVING = {"name": "one", "deletionTimestamp": "2026-11-28T09:00:00Z", "finalizers": ["example.com/keep"]}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (item(("v1", "ConfigMap")), ""),
        (item(ISSUER), ""),
        (item(ISSUER, status=conditions(Ready="True")), ""),
        (item(ISSUER, status=conditions(Ready="False")), "Ready is False: about Ready"),
        (item(ISSUER, status={"conditions": [{"type": "Ready", "status": "Unknown"}]}), "Ready is Unknown"),
        (item(ISSUER, status={"observedGeneration": 1}), "its controller has not seen the newest generation"),
        (item(ISSUER, status={"observedGeneration": 2}), ""),
        (item(("v1", "Namespace"), status={"phase": "Terminating"}), "its phase is Terminating, not Active"),
        (item(("v1", "PersistentVolumeClaim")), "its phase is not known, not Bound"),
        (item(("v1", "PersistentVolumeClaim"), status={"phase": "Bound"}), ""),
        (item(("batch/v1", "Job"), status={"succeeded": 1}), ""),
        (item(("batch/v1", "Job"), spec={"completions": 2}, status={"succeeded": 1}), "1 of 2 pods have succeeded"),
        (item(("batch/v1", "Job"), status=conditions(Failed="True")), "it failed: about Failed"),
        (item(ROUTE), "no Gateway has accepted it"),
        (item(ROUTE, status=parents(Accepted="True", ResolvedRefs="True")), ""),
        (
            item(ROUTE, status=parents(Accepted="True", ResolvedRefs="False")),
            "ResolvedRefs is False: about ResolvedRefs (parent cilium-gateway)",
        ),
        (
            item(("gateway.networking.k8s.io/v1", "Gateway")),
            "condition Programmed is missing: no controller has reported it",
        ),
        (item(("gateway.networking.k8s.io/v1", "Gateway"), status=conditions(Programmed="True")), ""),
        (
            item(
                WEBHOOKS,
                webhooks=[
                    {"name": "a.example.com", "clientConfig": {"service": {"name": "a"}}},
                    {"name": "b.example.com", "clientConfig": {"service": {"name": "b"}, "caBundle": "x"}},
                    {"name": "c.example.com", "clientConfig": {"url": "https://c.example.com"}},
                ],
            ),
            "no CA certificate in a.example.com, so the API server rejects the requests that they check",
        ),
        (
            item(CLUSTER, spec={"instances": 3}, status={"phase": "Waiting", "phaseReason": "a replica joins"}),
            "0 of 3 instances are ready, its phase is Waiting (a replica joins)",
        ),
        (item(CLUSTER, status={"phase": "Cluster in healthy state", "readyInstances": 1}), ""),
        (
            item(
                CLUSTER,
                status={"phase": "Cluster in healthy state", "readyInstances": 1}
                | conditions(ContinuousArchiving="False"),
            ),
            "ContinuousArchiving is False: about ContinuousArchiving",
        ),
        (item(("postgresql.cnpg.io/v1", "Database"), status={"applied": True}), ""),
        (
            item(("postgresql.cnpg.io/v1", "Database"), status={"applied": False, "message": "no such role"}),
            "it is not applied: no such role",
        ),
        (item(("kafka.strimzi.io/v1beta2", "KafkaNodePool"), spec={"replicas": 2}), "it has 0 of 2 nodes"),
        (
            item(("kafka.strimzi.io/v1beta2", "KafkaNodePool"), spec={"replicas": 1}, status={"nodeIds": [0]}),
            "",
        ),
        (
            item(("apps/v1", "Deployment"), 1, spec={"replicas": 1}, status={"observedGeneration": 1}),
            "0 of 1 pods are available, 0 of the newest revision",
        ),
        (
            item(
                ("apps/v1", "Deployment"),
                1,
                spec={"replicas": 1},
                status={"observedGeneration": 1} | conditions(ReplicaFailure="True"),
            ),
            "0 of 1 pods are available, 0 of the newest revision: about ReplicaFailure",
        ),
        (item(("apiextensions.k8s.io/v1", "CustomResourceDefinition")), "not Established"),
        (
            {**item(("example.com/v1", "Widget")), "metadata": LEAVING},
            "it is being deleted (since 2026-11-28T09:00:00Z; its finalizers are example.com/keep)",
        ),
    ],
)
def test_why_an_object_is_not_ready(live, expected):
    assert not_ready(live) == expected
