# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells Argo CD to deploy signed commits only. That it does so is Argo CD's work, and runs in no test."""

from __future__ import annotations

KEYS = {
    "4AEE18F83AFDEB23": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "0123456789ABCDEF": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBG\n-----END PGP PUBLIC KEY BLOCK-----\n",
}
PROJECT = {
    "name": "infra",
    "description": "Infrastructure",
    "source_repos": ["https://git.example.com/monorepo.git"],
    "destinations": [],
    "cluster_kinds": [],
    "namespaced_kinds": [{"group": "", "kind": "Service"}],
}


def found(objects):
    """Return the signature keys of each AppProject, and the public keys that Argo CD has."""
    projects = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "AppProject"}
    (keys,) = [item for item in objects if item["metadata"]["name"] == "argocd-gpg-keys-cm"]
    return {name: spec.get("signatureKeys") for name, spec in projects.items()}, keys.get("data")


def test_only_commits_with_one_of_the_keys_are_deployed(rendered):
    objects = rendered("prod", argocd_signature_keys=KEYS, argocd_projects=[PROJECT])["argocd"]
    wanted = [{"keyID": "0123456789ABCDEF"}, {"keyID": "4AEE18F83AFDEB23"}]
    assert found(objects) == ({"default": None, "infra": wanted}, KEYS)


def test_without_keys_nothing_is_asked_of_a_commit(rendered):
    assert found(rendered("prod", argocd_projects=[PROJECT])["argocd"]) == ({"default": None, "infra": None}, None)
