# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make sanity` keeps in the user's cache: the virtual environments of ansible-test, and pip's cache."""

from __future__ import annotations

import os
import subprocess
import time
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import sanity


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Run the program, and return the environment in which ansible-test would have run."""
    seen = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sanity, "copy_clone", lambda target: target.mkdir(parents=True))
    monkeypatch.setattr(sanity, "write_pip_configuration", lambda _file: None)
    monkeypatch.setattr(
        sanity,
        "subprocess",
        SimpleNamespace(run=lambda *_args, env, **_more: seen.append(env) or subprocess.CompletedProcess([], 3)),
    )

    def run():
        assert sanity.main() == 3
        return seen.pop()

    return run


def test_only_what_this_version_of_ansible_core_needs_is_kept(started, tmp_path):
    folder = tmp_path / "monorepo.gitops" / "sanity"
    for name, age in (
        ("2.18.0", sanity.DAY + 60),
        ("2.20.0", sanity.DAY - 60),
        (version("ansible-core"), 2 * sanity.DAY),
    ):
        (folder / name / ".ansible" / "test" / "venv").mkdir(parents=True)
        os.utime(folder / name, (time.time() - age,) * 2)
    (folder / version("ansible-core") / "own").touch()
    home = folder / version("ansible-core")
    assert started()["HOME"] == str(home)
    assert {path.name for path in folder.iterdir()} == {"2.20.0", home.name}
    assert {path.name for path in home.iterdir()} == {".ansible", "own"}
    assert time.time() - home.stat().st_mtime < 60


def test_a_first_run_has_nothing_to_remove(started, tmp_path):
    started()
    assert [path.name for path in (tmp_path / "monorepo.gitops" / "sanity").iterdir()] == [version("ansible-core")]
