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
WAIT = "monorepo.gitops.argocd_app_wait"


def tasks(node):
    """Return all mappings of a playbook."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return ([node] if isinstance(node, dict) else []) + [found for child in children for found in tasks(child)]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"cluster_kind": "rehearsal"}, [600, 10]),
        ({"cluster_kind": "existing"}, [1800, 300]),
        (
            {"cluster_kind": "existing", "gitops_converge_timeout": 60, "gitops_degraded_timeout": 20},
            [60, 20],
        ),
    ],
)
def test_the_time_limits_of_a_run(variables, expected):
    (wait,) = [
        task[WAIT]
        for task in tasks(yaml.safe_load((ROOT / "playbooks" / "tasks" / "converge.yml").read_text()))
        if WAIT in task
    ]
    templar = Templar(DataLoader(), variables)
    limits = [wait["wait_timeout"], wait["allow_degraded_seconds"]]
    assert [templar.template(trust_as_template(text)) for text in limits] == expected


def test_only_builds_with_missing_definitions_are_applied_before_argo_cd():
    (task,) = [
        task
        for task in tasks(yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text()))
        if "argocd_crd_sources" in task.get("vars", {})
    ]
    names = {"none": [], "there": ["widgets.x"], "missing": ["widgets.x", "gadgets.x"]}
    builds = [{"crds": name, "crd_names": found} for name, found in names.items()]
    variables = {
        "gitops_repo_builds": {"builds": builds},
        "gitops_comparison": {"served": ["deployments.apps", "widgets.x"]},
    }
    expression = trust_as_template(task["vars"]["argocd_crd_sources"])
    assert Templar(DataLoader(), variables).template(expression) == ["missing"]


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
