# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a living object cannot take."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.immutable import GENERAL, MAY, refused
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import values_at
from rendering import ROOT


def rules_of(role):
    definition = yaml.safe_load((ROOT / "roles" / role / "vars/main.yml").read_text())
    return definition[f"{role}_component"]["immutable"]


def texts(rules, before, after):
    return refused([after], "here", rules, lambda _identity: before)


def an_object(api_version, kind, name, **spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def pool(replicas, size):
    volumes = {"volumes": [{"id": 0, "size": size}]}
    return an_object("kafka.strimzi.io/v1beta2", "KafkaNodePool", "dual-role", replicas=replicas, storage=volumes)


def database(image, size="4Gi"):
    return an_object("postgresql.cnpg.io/v1", "Cluster", "cnpg-cluster", imageName=image, storage={"size": size})


def temporal(shards, app="temporal"):
    container = {
        "name": "temporal",
        "env": [{"name": "DB", "value": "x"}, {"name": "NUM_HISTORY_SHARDS", "value": shards}],
    }
    template = {"spec": {"containers": [{"name": "other"}, container]}}
    return an_object("apps/v1", "Deployment", "temporal", template=template, selector={"matchLabels": {"app": app}})


def claim(size):
    return an_object("v1", "PersistentVolumeClaim", "minio", resources={"requests": {"storage": size}})


IMAGE = "ghcr.io/x/postgres:"
DIGEST = "@sha256:" + "0" * 64
REFUSED = [
    ("kafka", pool(3, "10Gi"), pool(5, "10Gi"), "spec.replicas of KafkaNodePool here/dual-role is 3 and would be 5."),
    ("kafka", pool(3, "10Gi"), pool(1, "10Gi"), "spec.replicas of KafkaNodePool here/dual-role is 3 and would be 1."),
    (
        "kafka",
        pool(3, "10Gi"),
        pool(3, "9Gi"),
        "spec.storage.volumes.0.size of KafkaNodePool here/dual-role is 10Gi and would be 9Gi.",
    ),
    (
        "common",
        database(f"{IMAGE}17.6"),
        database(f"{IMAGE}18.0{DIGEST}"),
        f"spec.imageName of Cluster here/cnpg-cluster is {IMAGE}17.6 and would be {IMAGE}18.0{DIGEST}.",
    ),
    (
        "common",
        database(f"{IMAGE}17", "4Gi"),
        database(f"{IMAGE}17", "4000Mi"),
        "spec.storage.size of Cluster here/cnpg-cluster is 4Gi and would be 4000Mi.",
    ),
    (
        "temporal",
        temporal("4"),
        temporal("512"),
        "spec.template.spec.containers.temporal.env.NUM_HISTORY_SHARDS.value of Deployment here/temporal is 4 and "
        "would be 512.",
    ),
    (
        "temporal",
        temporal("4"),
        temporal("4", app="other"),
        "spec.selector of Deployment here/temporal is app=temporal and would be app=other.",
    ),
    (
        "kafka",
        claim("1Gi"),
        claim("1G"),
        "spec.resources.requests.storage of PersistentVolumeClaim here/minio is 1Gi and would be 1G.",
    ),
]


@pytest.mark.parametrize(("role", "before", "after", "said"), REFUSED)
def test_what_cannot_be_taken_is_named_with_what_to_do_instead(role, before, after, said):
    (text,) = texts(rules_of(role), before, after)
    instead = {rule["instead"] for rule in (*GENERAL, *rules_of(role))}
    assert text in {f"{said} {entry}" for entry in instead}


@pytest.mark.parametrize(
    ("role", "before", "after"),
    [
        ("kafka", pool(3, "10Gi"), pool(3, "11Gi")),
        ("kafka", pool(3, "1Gi"), pool(3, "1024Mi")),
        ("common", database(f"{IMAGE}17.6"), database(f"{IMAGE}17.7")),
        ("common", database(f"{IMAGE}17.6"), database("registry:5000/postgres:latest")),
        ("common", database(f"{IMAGE}17", "4Gi"), database(f"{IMAGE}17", "?")),
        ("temporal", temporal("4"), temporal("4")),
        ("temporal", None, temporal("512")),
        ("kafka", claim("1Gi"), claim("2Gi")),
        # The API server fills in what a manifest leaves out.
        ("kafka", an_object("apps/v1", "StatefulSet", "x", serviceName="x"), an_object("apps/v1", "StatefulSet", "x")),
        ("kafka", pool(3, "1Gi"), pool(1, "1Gi") | {"metadata": {"name": "another"}}),
    ],
)
def test_what_can_be_taken_stops_nothing(role, before, after):
    assert texts(rules_of(role), before, after) == []


@pytest.mark.parametrize("role", ["kafka", "common", "temporal"])
def test_a_rule_says_what_it_needs_and_means_an_object_of_its_component(role, rendered):
    objects = rendered("prod")[role]
    for rule in rules_of(role):
        assert (
            {"api_version", "kind", "name", "field", "instead"}
            <= rule.keys()
            <= {
                *("api_version", "kind", "name", "field", "instead", "may"),
            }
        )
        assert rule.get("may", "grow") in MAY
        (found,) = [
            item for item in objects if (item["kind"], item["metadata"]["name"]) == (rule["kind"], rule["name"])
        ]
        assert found["apiVersion"] == rule["api_version"]
        assert len(values_at(found, rule["field"].split("."))) == 1
