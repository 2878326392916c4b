# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the built environments let Reflector copy, and where to; without namespaces it would copy to all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from rendering import run

from .environments import DEV, PROD, built

PREFIX = "reflector.v1.k8s.emberstack.com/"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
BUCKETS = ["gateway", "external-secrets", "reflector", "minio"]
PATTERN = "and Reflector takes each entry for a regular expression: write names of namespaces."


def annotations(value: Any) -> Iterator[dict[str, str]]:
    """Yield the annotations for Reflector, also those in templates of Secrets."""
    if isinstance(value, list):
        for entry in value:
            yield from annotations(entry)
    elif isinstance(value, dict):
        if own := {key.removeprefix(PREFIX): text for key, text in value.items() if key.startswith(PREFIX)}:
            yield own
        for entry in value.values():
            yield from annotations(entry)


@pytest.mark.parametrize("environment", [DEV, PROD], ids=["dev", "prod"])
def test_copies_are_made_in_named_namespaces_only(rendered, environment):
    found = list(annotations(list(built(rendered, environment).values())))
    places = sorted(entry["reflection-allowed-namespaces"] for entry in found)
    assert places == ["kafka-ui", "services", "services,kafka"]
    for entry in found:
        assert all(NAME.fullmatch(name) for name in entry["reflection-allowed-namespaces"].split(","))
        assert entry["reflection-auto-namespaces"] == entry["reflection-allowed-namespaces"]
        assert (entry["reflection-allowed"], entry["reflection-auto-enabled"]) == ("true", "true")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {
                "gitops_components": BUCKETS,
                "minio_buckets": [{"name": "backups", "credentials_namespaces": ["services", "team-.*", ""]}],
            },
            f'minio_buckets: credentials_namespaces has "team-.*", "", {PATTERN}',
        ),
        (
            {"gitops_components": ["gateway", "strimzi", "kafka"], "kafka_ca_certificate_namespaces": ["a,b"]},
            f'kafka_ca_certificate_namespaces has "a,b", {PATTERN}',
        ),
    ],
)
def test_a_pattern_is_refused(tmp_path, variables, message):
    done = run(tmp_path, "dev", variables)
    assert done.returncode != 0
    assert message in re.sub(r"\s+", " ", done.stdout.replace('\\"', '"'))
