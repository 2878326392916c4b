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


def test_without_keys_nothing_is_asked_of_a_commit(rendered):
    projects, keys = found(built(rendered, PROD_RELAXED)["argocd"])
    assert {*projects.values(), keys} == {None}
