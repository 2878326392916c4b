# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run prints at its end is what its environment has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rendering import ROOT

APPLICATION = {"revision": "", "sync": "Synced", "health": "Healthy", "seconds": 1, "reason": "", "state": "ready"}
PROMOTION = {"behind": 2, "files": ["a", "b", "c"], "revision": "prod", "branch": "main", "difference": ""}


def component(name):
    endpoint = {"name": name, "url": f"http://{name}.example.com", "protocol": "HTTP", "purpose": "a page"}
    return {"name": name, "layer": "infra", "endpoints": [endpoint], "warnings": [], "depends_on": []}


def reported(folder, *options, **variables):
    """Let role report print two components, of which the environment serves one."""
    given = {
        "report_environment": "prod",
        "report_components": [component("served"), component("new")],
        "report_applications": [APPLICATION | {"name": "served", "namespace": "argocd"}],
        "report_started": "2026-11-27T21:00:00Z",
    }
    tasks = [{"name": "Report", "ansible.builtin.include_role": {"name": "monorepo.gitops.report"}}]
    play = {"name": "Report", "hosts": "localhost", "gather_facts": False, "vars": given | variables, "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "hosts").write_text("localhost ansible_connection=local\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "play.yml", "-i", "hosts", *options],
        cwd=folder,
        env=os.environ
        | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
        | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    report = folder / "reports/prod" / ("check.json" if "--check" in options else "report.json")
    return done.stdout, json.loads(report.read_text()) if report.exists() else {}


def test_what_waits_for_promotion_is_not_among_what_is_served(tmp_path):
    text, report = reported(tmp_path, "-e", "cluster_kind=rehearsal", report_promotion=PROMOTION)
    assert "http://served.example.com" in text
    assert "http://new.example.com" not in text
    assert [entry["application"] for entry in report["endpoints"]] == ["served"]
    assert "Waiting for promotion to prod: 2 commits, 3 files, new: new" in text
    # The command is for the cluster of this run.
    assert "Promote: ansible-playbook monorepo.gitops.promote -i hosts -e cluster_kind=rehearsal" in text


def test_the_endpoints_of_a_rehearsal_are_marked_as_simulated(tmp_path):
    (tmp_path / "real").mkdir()
    assert "HTTP (simulated)" in reported(tmp_path, "-e", "cluster_kind=rehearsal")[0]
    assert "simulated" not in reported(tmp_path / "real", "-e", "cluster_kind=existing")[0]


CLUSTER = {"server": "https://1.2.3.4", "uid": "u", "context": "c", "kubeconfig": "/k"}
KUBECTL = "KUBECONFIG=/k kubectl --context c"


@pytest.mark.parametrize(
    ("kind", "url", "where"),
    [
        ("existing", "https://argocd.example.com", "https://argocd.example.com"),
        (
            "existing",
            "",
            f"http://127.0.0.1:8080 during {KUBECTL} port-forward -n argocd service/argocd-server 8080:80",
        ),
        ("rehearsal", "http://argocd.example.com", None),
    ],
)
def test_a_run_ends_with_the_way_to_argo_cd_and_no_more_than_people_read(tmp_path, kind, url, where):
    text, _report = reported(tmp_path, "-e", f"cluster_kind={kind}", report_argocd_ui=url, report_cluster=CLUSTER)
    assert f"Argo CD: {KUBECTL} get applications -n argocd\n" in text
    assert [line.strip() for line in text.splitlines() if "UI of" in line] == (
        [f"UI of Argo CD: {where}"] if where else []
    )
    assert len(text.splitlines()) < 50


def test_a_check_names_no_report_that_it_did_not_write(tmp_path):
    text, report = reported(tmp_path, "--check", "-e", "cluster_kind=rehearsal")
    assert report["kind"] == "check"
    assert f"Report: {tmp_path}/reports/prod/check.html" in text
    (tmp_path / "file").write_text("")
    text, _report = reported(tmp_path, "--check", "-e", "cluster_kind=rehearsal", report_folder="file")
    assert "Report: " not in text
