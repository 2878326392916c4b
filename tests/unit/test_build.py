# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of the rehearsal binaries: what a user reads when it cannot be done."""

from __future__ import annotations

import importlib.util
from collections import namedtuple
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent.parent / "roles" / "rehearsal_cluster" / "files" / "build.py"


@pytest.fixture
def build():
    spec = importlib.util.spec_from_file_location("build", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "go: reading https://proxy.invalid/x.zip: dial tcp: lookup proxy.invalid: no such host\n",
            "Go modules cannot be downloaded: check the network or set GOPROXY to a reachable proxy.",
        ),
        ("write /tmp/x: no space left on device\n", "The build ran out of disk space: free 9 GB and run again."),
        ("x.go:1: syntax error\n", "The build of the rehearsal binaries failed: x.go:1: syntax error"),
    ],
)
def test_a_failed_build_is_one_sentence(build, output, sentence):
    assert build.explain(output).startswith(sentence)
    assert "\n" not in build.explain(output)


def test_too_little_disk_is_said_before_the_build(build, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _path: usage(2_000_000_000))
    with pytest.raises(SystemExit) as error:
        build.build(tmp_path / "cache" / "abc")
    assert str(error.value) == f"The build needs 9 GB of disk space, {tmp_path / 'cache'} has 2.0 GB: free some."


def test_the_folder_depends_on_the_pinned_modules_only(build, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = build.cache_folder()
    assert first.parent == tmp_path / "monorepo.gitops" / "rehearsal"
    monkeypatch.setattr(build, "KUBERNETES", "v1.99.0")
    assert build.cache_folder() != first
