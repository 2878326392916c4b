# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says, without a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT

OPEN = "Kafka lets everybody do everything & more: set kafka_users."
NO_POLICIES = (
    "Every pod of the cluster may connect to every component: set gitops_network_policies to kubernetes or cilium "
    "(docs/security.md)."
)
NOT_ENFORCED = (
    "The namespaces of the components refuse no pod that may do more than theirs do: set gitops_pod_security to "
    "enforce (docs/security.md)."
)
APPLICATION = {
    "name": "kafka",
    "namespace": "argocd",
    "revision": "4e84fb37b98a",
    "sync": "Synced",
    "health": "Healthy",
}
APPLICATION |= {"seconds": 1}
VARIABLES = {
    "gitops_environment": "test",
    "report_components": [{"name": "kafka", "endpoints": [], "warnings": [OPEN]}, {"name": "api", "endpoints": []}],
    "report_applications": [APPLICATION | {"state": "ready", "reason": ""}],
    "report_cluster": {"server": "https://h", "uid": "u", "version": "v1.36.1", "context": "c", "kubeconfig": "/k"},
}


def run(folder, *args, **variables):
    """Run the role in a folder and return how it ended."""
    play = {
        "name": "Report",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Report", "ansible.builtin.import_role": {"name": "monorepo.gitops.report"}}],
    }
    (folder / "playbook.yml").write_text(yaml.safe_dump([play]))
    inventory = folder / "elsewhere" / "inventories" / "test"
    inventory.mkdir(parents=True, exist_ok=True)
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": {}}}}))
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            "playbook.yml",
            "-i",
            inventory,
            "-c",
            "local",
            "-e",
            json.dumps(VARIABLES | variables),
            *args,
        ],
        cwd=folder,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def report(folder, **variables):
    """Run the role and return what it printed, wrote as JSON and wrote as a page."""
    done = run(folder, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    written = folder / variables.get("report_folder", "reports") / "test"
    return done.stdout, json.loads((written / "report.json").read_text()), (written / "report.html").read_text()


@pytest.mark.parametrize(
    ("kind", "policies", "expected"),
    [
        ("existing", {}, [OPEN, NO_POLICIES, NOT_ENFORCED]),
        ("existing", {"gitops_network_policies": "cilium"}, [OPEN, NOT_ENFORCED]),
        ("existing", {"gitops_network_policies": "cilium", "gitops_pod_security": "enforce"}, [OPEN]),
        ("rehearsal", {}, []),
    ],
)
def test_an_existing_cluster_is_warned_of_what_it_should_not_have(tmp_path, kind, policies, expected):
    printed, written, page = report(tmp_path, cluster_kind=kind, **policies)
    assert (f"Warning: {OPEN}" in printed) == bool(expected)
    assert written["warnings"] == expected
    assert (">Warnings</h2>" in page) == bool(expected)
    assert (OPEN.replace("&", "&amp;") in page) == bool(expected)


def test_the_report_says_which_kubernetes_it_was(tmp_path):
    printed, written, page = report(tmp_path, cluster_kind="existing")
    assert "https://h, UID u, Kubernetes v1.36.1" in " ".join(printed.split())
    assert written["cluster"]["version"] == "v1.36.1"
    assert "Kubernetes v1.36.1" in page


def test_the_last_words_of_a_run_are_what_it_achieved_and_commands_that_can_be_copied(tmp_path):
    printed, _written, _page = report(tmp_path)
    assert "1 of 1 Applications are ready.\n" in printed
    assert "Argo CD: KUBECONFIG=/k kubectl --context c get applications -n argocd\n" in printed
    assert "Check everything: ansible-playbook monorepo.gitops.verify -i elsewhere/inventories/test\n" in printed


def test_the_report_lies_where_the_run_was_started(tmp_path):
    printed, _written, _page = report(tmp_path)
    assert f"Report: {tmp_path}/reports/test/report.html" in printed
    assert list((tmp_path / "elsewhere").rglob("report.*")) == []


def test_a_folder_of_reports_that_does_not_exist_is_created(tmp_path):
    printed, _written, _page = report(tmp_path, report_folder=str(tmp_path / "a" / "b"))
    assert f"Report: {tmp_path}/a/b/test/report.html" in printed


def file_in_the_way(folder):
    (folder / "reports").write_text("a file")
    return "reports"


def folder_in_the_way(folder):
    (folder / "reports" / "test" / "report.html").mkdir(parents=True)
    return "reports"


def not_writable(_folder):
    return "/proc/reports"  # also for root


def loop_of_links(folder):
    (folder / "loop").symlink_to("loop")
    return "loop/reports"


@pytest.mark.parametrize("obstacle", [file_in_the_way, folder_in_the_way, not_writable, loop_of_links])
def test_a_report_that_cannot_be_written_is_a_warning(tmp_path, obstacle):
    folder = obstacle(tmp_path)
    done = run(tmp_path, report_folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"\[WARNING\]: {folder}/test cannot be written: ", done.stdout + done.stderr)
    assert "No report was written: set report_folder to a writable folder." in done.stdout
    assert re.search(r"failed=0 .* rescued=0 ", done.stdout)
    assert "Synced" in done.stdout
    assert "Report: " not in done.stdout
    assert "ERROR" not in done.stdout + done.stderr


def test_check_mode_names_the_report_that_it_wrote_and_no_other(tmp_path):
    done = run(tmp_path, "--check", report_kind="check")
    assert f"Report: {tmp_path}/reports/test/check.html" in done.stdout
    assert (tmp_path / "reports/test/check.html").exists()
    assert not (tmp_path / "reports/test/report.html").exists()
    done = run(tmp_path, "--check", report_kind="check", report_folder=not_writable(tmp_path))
    assert "Report: " not in done.stdout
    assert "No report was written: set report_folder to a writable folder." in done.stdout


def test_a_run_that_failed_fails_with_its_own_message_although_the_report_cannot_be_written(tmp_path):
    failure = {"task": "Push", "message": "no route to host"}
    done = run(tmp_path, report_folder=file_in_the_way(tmp_path), report_failure=failure)
    assert done.returncode == 2
    assert "reports/test cannot be written: " in done.stdout + done.stderr
    assert "Push: no route to host" in done.stdout
