# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells Argo CD to deploy signed commits only. That it does so is in tests/real/test_signatures.py."""

from __future__ import annotations

from .environments import PROD_RELAXED, SIGNATURE_KEYS, built, pinned


def found(objects):
    """Return the signature keys of each AppProject, and the public keys that Argo CD has."""
    projects = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "AppProject"}
    (keys,) = [item for item in objects if item["metadata"]["name"] == "argocd-gpg-keys-cm"]
    return {name: spec.get("signatureKeys") for name, spec in projects.items()}, keys.get("data")


def test_a_project_asks_for_one_of_the_keys(rendered):
    objects = built(rendered, pinned(rendered))["argocd"]
    wanted = [{"keyID": "0123456789ABCDEF"}, {"keyID": "4AEE18F83AFDEB23"}]
    assert found(objects) == ({"default": None, "infra": wanted}, SIGNATURE_KEYS)


def test_the_repo_server_starts_anew_with_other_keys(rendered):
    """A volume gets the content of its ConfigMap a minute later."""
    name = "monorepo.gitops/signature-keys-sha256"

    def annotations(environment):
        items = built(rendered, environment)["argocd"]
        (server,) = [
            item
            for item in items
            if item["metadata"]["name"] == "argocd-repo-server" and "template" in item.get("spec", {})
        ]
        return server["spec"]["template"]["metadata"]["annotations"]

    assert len(annotations(pinned(rendered))[name]) == 64
    assert name not in annotations(PROD_RELAXED)


def test_without_keys_nothing_is_asked_of_a_commit(rendered):
    projects, keys = found(built(rendered, PROD_RELAXED)["argocd"])
    assert {*projects.values(), keys} == {None}
