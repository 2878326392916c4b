# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files: cache, mirror, checksum, stand-in."""

from __future__ import annotations

import hashlib
import re

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import upstream
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError

URL = "https://example.invalid/releases/v1/operator.yaml"
TEXT = b"kind: List\n"
SHA = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def mirror(tmp_path):
    path = tmp_path / "mirror" / "example.invalid" / "releases" / "v1" / "operator.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)
    return path


def test_a_file_is_read_from_the_mirror_once(tmp_path, mirror):
    path = upstream.fetch(URL, SHA, str(tmp_path / "mirror"))
    assert path.read_bytes() == TEXT
    mirror.unlink()
    assert upstream.fetch(URL, SHA, str(tmp_path / "mirror")) == path


def test_a_wrong_checksum_is_refused_with_both_values(tmp_path, mirror):
    with pytest.raises(
        GitopsError,
        match=re.escape(f"{mirror} has sha256 {SHA}, expected {'0' * 64}: correct the pinned checksum or the file."),
    ):
        upstream.fetch(URL, "0" * 64, str(tmp_path / "mirror"))


def test_what_is_no_checksum_is_refused():
    with pytest.raises(
        GitopsError, match=re.escape(f"'abc' is no sha256 checksum of {URL}: expected 64 hexadecimal digits.")
    ):
        upstream.fetch(URL, "abc")


def test_a_missing_file_is_unreachable(tmp_path):
    with pytest.raises(upstream.UnreachableError, match="cannot be read"):
        upstream.fetch(URL, SHA, str(tmp_path))


def test_a_damaged_cache_is_replaced(tmp_path, mirror):
    path = upstream.fetch(URL, SHA, str(tmp_path / "mirror"))
    path.write_text("damaged")
    assert upstream.fetch(URL, SHA, str(tmp_path / "mirror")).read_bytes() == mirror.read_bytes()


def test_an_alternative_counts_only_with_the_right_checksum(tmp_path, mirror):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("other")
    with pytest.raises(upstream.UnreachableError):
        upstream.fetch(URL, SHA, str(tmp_path), [str(wrong)])
    assert upstream.fetch(URL, SHA, str(tmp_path), [str(wrong), str(mirror)]).read_bytes() == TEXT


def test_the_file_in_the_tree_is_not_read_again(tmp_path, mirror):
    file = {"url": URL, "sha256": SHA}
    assert upstream.official(file, mirror) == TEXT.decode()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("other")
    assert upstream.official(file, wrong, str(tmp_path / "mirror")) == TEXT.decode()


def test_an_empty_checksum_names_its_variable(tmp_path):
    file = {"url": URL, "sha256": "", "sha256_variable": "operator_sha256"}
    message = f"No checksum is set: pin operator_sha256 to the sha256 checksum of {URL}."
    with pytest.raises(upstream.UnreachableError, match=re.escape(message)):
        upstream.official(file, tmp_path / "missing.yaml")


def test_a_stand_in_has_the_kinds_and_deployments():
    kinds = [
        {"group": "gateway.networking.k8s.io", "versions": ["v1alpha2", "v1"], "kind": "Gateway", "plural": "gateways"}
    ]
    file = {"kinds": kinds, "stand_in_deployments": [{"name": "controller", "args": ["--a=1"]}]}
    crd, deployment = upstream.stand_in(file, "gateway")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["--a=1"]
    assert crd["metadata"]["name"] == "gateways.gateway.networking.k8s.io"
    assert "api-approved.kubernetes.io" in crd["metadata"]["annotations"]
    assert [(version["name"], version["storage"]) for version in crd["spec"]["versions"]] == [
        ("v1alpha2", False),
        ("v1", True),
    ]
    assert deployment["metadata"] == {
        "name": "controller",
        "namespace": "gateway",
        "labels": {"app.kubernetes.io/name": "controller", "app.kubernetes.io/component": "stand-in"},
    }
