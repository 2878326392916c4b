# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of docs/tutorial.md, in an empty folder beside a clone, and what the page says that they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tear_down import assert_gone, torn_down

from .conftest import ROOT

BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in BLOCKS if not language]
OUTPUTS = [text for language, text in BLOCKS if language == "text"]
# What make puts there, and what Git or a test does.
NOT_CLONED = shutil.ignore_patterns(".*", "collections", "reports", "__pycache__", "tests")


def clone(folder: Path) -> None:
    """Write the clone that the page begins with. Downloads would make a test depend on the network."""
    shutil.copytree(ROOT, folder, ignore=NOT_CLONED)
    (folder / ".venv").symlink_to(sys.prefix)
    variables = {"gitops_upstream_mirror": "", "component_stand_in": "always"}
    (folder / "inventories/dev/group_vars/all/zz_test.yml").write_text(yaml.safe_dump(variables))


def run(folder: Path, commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run commands one after the other in one shell, as somebody who has set nothing."""
    own = ("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG", "GITOPS_UPSTREAM")
    somebody = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["bash", "-eu", "-c", "\n".join(commands)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(own)} | somebody,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run all commands but the last, which removes the cluster."""
    folder = tmp_path_factory.mktemp("tutorial")
    clone(folder / "gitops")
    with torn_down(lambda: remove(folder / "platform")):
        yield run(folder, COMMANDS[:-1])


def remove(folder: Path) -> None:
    removed = run(folder, [". ../gitops/.venv/bin/activate", COMMANDS[-1]])
    assert removed.returncode == 0, removed.stdout[-3000:]
    assert_gone(Path((folder / "kubeconfig.path").read_text().strip()).parent)


def words(text: str) -> str:
    """Return a text without commits, seconds and the width of columns."""
    return re.sub(r"\s+", " ", re.sub(r"\b[0-9a-f]{12,40}\b|-{3,}|\b\d+\.\d\n", "", text.replace(" \n", "\n")))


def test_every_command_succeeds(done):
    assert done.returncode == 0, done.stdout[-5000:]


def test_the_page_shows_what_is_printed(done):
    assert len(OUTPUTS) == 2
    for text in OUTPUTS:
        assert words(text) in words(done.stdout)


def test_the_folder_written_by_hand_is_no_change_of_the_run(done):
    _before, _first, second = done.stdout.split("PLAY [Bring a cluster under GitOps]")
    report, recap = second.split("PLAY RECAP", 1)
    assert "changed=0 " in recap.splitlines()[1]
    assert "notes Synced Healthy" in words(report)
