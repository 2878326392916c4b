# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says, without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT

OPEN = "Kafka lets everybody do everything & more: set kafka_users."
APPLICATION = {"name": "kafka", "revision": "4e84fb37b98a", "sync": "Synced", "health": "Healthy", "seconds": 1}
VARIABLES = {
    "gitops_environment": "test",
    "report_components": [{"name": "kafka", "endpoints": [], "warnings": [OPEN]}, {"name": "api", "endpoints": []}],
    "report_applications": [APPLICATION | {"state": "ready", "reason": ""}],
    "report_cluster": {"server": "https://h", "uid": "u", "version": "v1.36.1", "context": "c", "kubeconfig": "/k"},
}


def report(folder, **variables):
    """Run the role and return what it printed, wrote as JSON and wrote as a page."""
    play = {
        "name": "Report",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Report", "ansible.builtin.import_role": {"name": "monorepo.gitops.report"}}],
    }
    (folder / "playbook.yml").write_text(yaml.safe_dump([play]))
    settings = VARIABLES | {"report_folder": str(folder)} | variables
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            "playbook.yml",
            "-i",
            "localhost,",
            "-e",
            json.dumps(settings),
        ],
        cwd=folder,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = folder / "test"
    return done.stdout, json.loads((written / "report.json").read_text()), (written / "report.html").read_text()


@pytest.mark.parametrize(("kind", "expected"), [("existing", [OPEN]), ("rehearsal", [])])
def test_an_existing_cluster_is_warned_of_what_it_should_not_have(tmp_path, kind, expected):
    printed, written, page = report(tmp_path, cluster_kind=kind)
    assert (f"Warning: {OPEN}" in printed) == bool(expected)
    assert written["warnings"] == expected
    assert ("<h2>Warnings</h2>" in page) == bool(expected)
    assert (OPEN.replace("&", "&amp;") in page) == bool(expected)


def test_the_report_says_which_kubernetes_it_was(tmp_path):
    printed, written, page = report(tmp_path, cluster_kind="existing")
    assert "https://h, UID u, Kubernetes v1.36.1" in " ".join(printed.split())
    assert written["cluster"]["version"] == "v1.36.1"
    assert "Kubernetes v1.36.1" in page
