# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be committed, and what the commit says."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy, secrets

# Put together here, so that no scanner takes this file for a leak.
PRIVATE_KEY = "-----BEGIN EC " + "PRIVATE KEY-----\nabc\n"
TOKEN = "ghp_" + "a1" * 18
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256"}', b'{"sub":"somebody"}', b"s" * 32)
)
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {password: c2VjcmV0}\n"
UNREADABLE = "f.yaml cannot be read (line 3), and it names a Secret"
UNREADABLE_TAG = "f.yaml cannot be read (line 3), and it names a Secret"
# Passwords that should have been encoded, and are not.
UNENCODED = ["hunter2", "hun/ter2", "hunt@er2", "hun#ter2", "h?u/n@t#er2", "h:unter2", "hunter$2"]
PUBLIC = [
    "http://localhost:8080/@scope/package",
    "http://localhost:8080/path?mail=bob@example.com",
    "https://registry:5000/image@sha256:0123",
    "https://git@example.com/x.git",
    "ssh://git@example.com:22/x.git",
    "postgresql://$(USER):$(PASSWORD)@db:5432/app",
    "postgresql://${USER}:${PASSWORD}@db:5432/app",
    "amqp://$USER:$PASSWORD@queue",
    "https://<user>:<password>@example.com",
    "http://one.example.com, mailto:bob@example.com",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PRIVATE_KEY, ["f.yaml contains a private key"]),
        (f"token: {TOKEN}", ["f.yaml contains a GitHub token"]),
        (f"token: {JWT}", ["f.yaml contains a JSON Web Token"]),
        ("url: https://bob:hunter2@git.example.com/x.git", ["f.yaml contains a password in a URL"]),
        (SECRET, ["f.yaml contains the data of Secret db"]),
        (
            "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: db}\n  stringData: {a: b}\n",
            ["f.yaml contains the data of Secret db"],
        ),
        (
            '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"a": "b"}}',
            ["f.yaml contains the data of Secret db"],
        ),
        (
            "{apiVersion: v1, kind: SecretList, items: [{metadata: {name: db}, data: {a: Yg==}}]}",
            ["f.yaml contains the data of Secret db"],
        ),
        ("kind: Secret\nmetadata: {name: db\ndata: {password: c2VjcmV0}\n", [UNREADABLE]),
        ("kind: Secret\nmetadata: {name: db}\ndata: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n", [UNREADABLE_TAG]),
        *(
            (f"url: {scheme}://bob:{password}@db.example.com:5432/x", ["f.yaml contains a password in a URL"])
            for scheme in ("https", "postgresql", "redis")
            for password in UNENCODED
        ),
        ("url: redis://:hunter2@redis:6379", ["f.yaml contains a password in a URL"]),
        *((f"url: {url}", []) for url in PUBLIC),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: empty}\n", []),
        ("kind: ExternalSecret\nspec: {target: {name: db}}\n", []),
        ('key: "' + PRIVATE_KEY.replace("\nabc\n", "\\n<private-key>\\n") + '"', []),
        ("uri: postgresql://{{ .username }}:{{ .password }}@db:5432/app", []),
    ],
)
def test_secrets_are_found_and_not_repeated(text, found):
    assert secrets.find_secrets({"f.yaml": text}) == found


@pytest.mark.parametrize("folder", ["base", "envs/dev"])
def test_an_official_file_may_hold_a_secret_object_but_no_token(folder):
    name = f"argocd/infra/cnpg-system/{folder}/upstream.yaml"
    assert secrets.find_secrets({name: SECRET}) == []
    assert secrets.find_secrets({name: f"token: {TOKEN}"}) == [f"{name} contains a GitHub token"]


@pytest.mark.parametrize(
    "name",
    [
        "upstream.yaml",
        "argocd/infra/upstream.yaml",
        "argocd/infra/minio/upstream.yaml",
        "argocd/infra/minio/base/more/upstream.yaml",
        "argocd/infra/minio/envs/upstream.yaml",
        "argocd/infra/minio/envs/dev/rehearsal/upstream.yaml",
        "docs/argocd/infra/minio/base/upstream.yaml",
    ],
)
def test_another_file_of_that_name_may_hold_none(name):
    assert secrets.find_secrets({name: SECRET}) == [f"{name} contains the data of Secret db"]


FILES = [
    "argocd/infra/kafka/base/kafka.yaml",
    "argocd/infra/kafka/envs/dev/kustomization.yaml",
    "argocd/infra/kafka/envs/prod/kustomization.yaml",
    "argocd/infra/minio/envs/prod/kustomization.yaml",
    "argocd/appsets/dev/infra.yaml",
]


def test_a_changed_base_touches_the_other_environments():
    assert policy.touched_environments({"argocd/infra/kafka/base/kafka.yaml": "M"}, FILES, "dev") == ["prod"]
    assert policy.touched_environments({"argocd/infra/kafka/envs/dev/kustomization.yaml": "M"}, FILES, "dev") == []


def test_the_touched_components_are_those_of_the_environment_and_of_a_shared_base():
    staged = [
        "argocd/infra/kafka/base/kafka.yaml",
        "argocd/infra/minio/envs/prod/x.yaml",
        "argocd/appsets/dev/infra.yaml",
    ]
    assert policy.touched_components(staged, "dev") == ["kafka"]
    assert policy.touched_components(staged, "prod") == ["kafka", "minio"]


def test_the_commit_message_counts_and_lists():
    staged = {
        "argocd/infra/kafka/base/kafka.yaml": "M",
        "argocd/infra/kafka/base/pool.yaml": "A",
        "argocd/appsets/dev/infra.yaml": "A",
    }
    assert policy.commit_message(staged, "dev", ["minio"]) == (
        "dev: update dev, kafka\n\n- appsets/dev: 1 added\n- infra/kafka: 1 added, 1 changed\n"
        "- minio: removed from dev (gitops_removals)\n"
    )
