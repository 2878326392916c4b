# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the playbooks run from, and how long they wait: pods of a real cluster pull images, its databases restart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(("kind", "expected"), [("rehearsal", [600, 10]), ("existing", [1800, 300])])
def test_the_time_limits_of_a_run(kind, expected):
    defaults = yaml.safe_load((ROOT / "roles" / "gitops" / "defaults" / "main.yml").read_text())
    limits = [trust_as_template(defaults[f"gitops_{name}_timeout"]) for name in ("converge", "degraded")]
    templar = Templar(DataLoader(), {"cluster_kind": kind})
    assert [templar.template(text) for text in limits] == expected


def test_the_time_limit_of_the_rollout():
    defaults = yaml.safe_load((ROOT / "roles" / "argocd" / "defaults" / "main.yml").read_text())
    text = trust_as_template(defaults["argocd_rollout_timeout"])
    found = [Templar(DataLoader(), {"cluster_kind": kind}).template(text) for kind in ("rehearsal", "existing")]
    assert found == [300, 600]


def test_every_playbook_runs_from_every_folder(tmp_path):
    # site.yml lies beside the collections; together with it all others would run, too.
    playbooks = sorted((ROOT / "playbooks").glob("*.yml"))
    assert len(playbooks) > 4
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", *playbooks, "-i", ROOT / "inventories/dev", "--list-tasks"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
