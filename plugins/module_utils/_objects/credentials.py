# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that are generated in a cluster, and how old they are. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import generated
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

Manifest = dict[str, Any]
# What makes them, in the order of rotation: Argo CD comes last, because it is needed for the others.
CLUSTER, EXTERNAL, KAFKA_USER, ARGOCD = MAKERS = ("Cluster", generated.KIND, "KafkaUser", "Argo CD")
# Of the objects from which an operator makes a Secret. A Secret that comes again has a new password.
OWNERS = {
    CLUSTER: "/apis/postgresql.cnpg.io/v1/{}clusters",
    KAFKA_USER: "/apis/kafka.strimzi.io/v1beta2/{}kafkausers",
}
# When the credentials of an object were rotated, where its own age does not say it. Operators read the object again.
ROTATED = "monorepo.gitops/rotated-at"
REDIS, ARGOCD_SECRET = "argocd-redis", "argocd-secret"
PASSWORD, CHANGED = "admin.password", "admin.passwordMtime"
# A server has its own before its users have theirs.
FIRST = ("minio/minio-root",)
DAY = 24 * 3600


def entry(made_by: str, item: Manifest, name: str, made_at: str) -> Manifest:
    """Return a credential: its Secret, the object that it is made from, and since when it is valid."""
    metadata = item["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": name,
        "made_by": made_by,
        "owner": metadata["name"],
        "application": application_of(item),
        "made_at": made_at,
        "restarts": [],
    }


def rotated_at(item: Manifest) -> str:
    """Return when the credentials that come from an object were made."""
    metadata = item["metadata"]
    return str((metadata.get("annotations") or {}).get(ROTATED) or metadata["creationTimestamp"])


def of_external(items: Iterable[Manifest]) -> list[Manifest]:
    """Return what External Secrets has generated. Its object goes and comes with the Secret."""
    return [
        entry(EXTERNAL, item, generated.target_of(item), item["metadata"]["creationTimestamp"])
        for item in items
        if generated.is_generated(item)
    ]


def of_clusters(items: Iterable[Manifest]) -> list[Manifest]:
    """Return the passwords of the owners of databases, unless somebody else provides them."""
    found = []
    for item in items:
        bootstrap = item["spec"].get("bootstrap") or {"initdb": {}}
        if "initdb" in bootstrap and not (bootstrap["initdb"] or {}).get("secret"):
            found.append(entry(CLUSTER, item, f"{item['metadata']['name']}-app", rotated_at(item)))
    return found


def of_kafka_users(items: Iterable[Manifest]) -> list[Manifest]:
    """Return the passwords of Kafka's users; a new certificate would not end the old one."""
    return [
        entry(KAFKA_USER, item, item["metadata"]["name"], rotated_at(item))
        for item in items
        if (item["spec"].get("authentication") or {}).get("type") == "scram-sha-512"
    ]


def of_argocd(redis: Manifest | None, secret: Manifest | None) -> list[Manifest]:
    """Return Argo CD's own: the password of redis, and that of admin, unless that login is switched off."""
    found = [entry(ARGOCD, redis, REDIS, rotated_at(redis))] if redis else []
    data = (secret or {}).get("data") or {}
    if secret and PASSWORD in data:
        changed = base64.b64decode(data.get(CHANGED, "")).decode() or secret["metadata"]["creationTimestamp"]
        server = {"kind": "Deployment", "namespace": secret["metadata"]["namespace"], "name": "argocd-server"}
        found.append(entry(ARGOCD, secret, ARGOCD_SECRET, changed) | {"restarts": [server]})
    return found


def with_ages(entries: Iterable[Manifest], max_age: int, now: datetime) -> list[Manifest]:
    """Return the credentials in the order of rotation, with their age in days, and whether that is too much."""
    found = []
    for item in entries:
        seconds = max((now - parse_time(item["made_at"])).total_seconds(), 0)
        found.append(item | {"age": int(seconds // DAY), "due": seconds >= max_age * DAY})
    return sorted(found, key=place)


def place(item: Manifest) -> tuple[int, bool, str]:
    """Return the place of a credential in the order of rotation."""
    name = f"{item['namespace']}/{item['name']}"
    return MAKERS.index(item["made_by"]), name not in FIRST, name


def only(entries: list[Manifest], wanted: list[str]) -> list[Manifest]:
    """Return the credentials with these names, which are `<namespace>/<name>`; all of them without names."""
    names = [f"{item['namespace']}/{item['name']}" for item in entries]
    if missing := [name for name in wanted if name not in names]:
        others = f"only {', '.join(names)}" if names else "nor any other"
        raise GitopsError(f"No credential {' or '.join(missing)} is generated in this cluster, {others}.")
    return [item for item, name in zip(entries, names, strict=True) if not wanted or name in wanted]
