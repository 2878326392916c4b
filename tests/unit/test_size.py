# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wait for many Applications, whose controller refreshes one after the other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _api, _client, _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import evidence, turns, wait
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.watch import Watcher
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_wait

from .crowd import ARGOCD, Crowd
from .running import run_module, unhurried

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def crowd(tmp_path):
    """Start API servers with Applications: `crowd(count, rate)`."""
    servers = []

    def start(count, rate):
        servers.append(Crowd(tmp_path, count, rate))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def wait_for(server, names=None, **arguments):
    names = sorted(server.applications) if names is None else names
    return run_module(argocd_app_wait, kubeconfig=server.kubeconfig, names=names, **{"wait_timeout": 30} | arguments)


def test_many_applications_cost_one_list_in_pages_one_watch_and_one_patch_each(crowd, monkeypatch):
    monkeypatch.setattr(_api, "PAGE", 20)
    server = crowd(50, 1000)
    result = wait_for(server)
    assert result["counts"] == {"ready": 50, "waiting": 0, "failed": 0}
    assert result["requests"] == {"list": 1, "watch": 1, "patch": 50}
    lists = [request for request in server.requests if "limit=" in request and "watch=" not in request]
    assert [re.sub(r".*\?", "", request) for request in lists] == [
        "limit=20",
        "limit=20&continue=20",
        "limit=20&continue=40",
    ]


def test_nobody_fails_because_the_controller_is_busy_with_others(crowd, monkeypatch):
    """The last one is refreshed after more than three times the seconds that are given for one."""
    monkeypatch.setattr(turns, "WINDOW", 10)
    server = crowd(60, 20)
    result = wait_for(server, refresh_timeout=1)
    assert result["counts"] == {"ready": 60, "waiting": 0, "failed": 0}
    assert result["elapsed"] > 2.5
    assert server.longest_line <= 10 + wait.SENDERS
    assert result["requests"]["patch"] == 60


def test_a_controller_that_is_always_busy_with_all_compares_none_of_them_twice(crowd, monkeypatch):
    """With thousands it never ends: after two minutes the first are due again (timeout.reconciliation)."""
    monkeypatch.setattr(turns, "WINDOW", 5)
    server = crowd(60, 20)
    server.compare_again_and_again()
    result = wait_for(server)
    assert result["counts"] == {"ready": 60, "waiting": 0, "failed": 0}
    assert result["requests"]["patch"] == 60
    assert result["elapsed"] < 1.5 * 60 / 20


def test_what_was_not_touched_has_its_time_from_its_turn_on(crowd, monkeypatch):
    monkeypatch.setattr(turns, "WINDOW", 10)
    server = crowd(60, 20)
    result = wait_for(server, touched=[], untouched_timeout=1)
    assert result["counts"] == {"ready": 60, "waiting": 0, "failed": 0}
    assert result["elapsed"] > 2.5


def test_one_that_is_never_refreshed_keeps_nobody_else_from_being_ready(crowd, monkeypatch):
    monkeypatch.setattr(turns, "WINDOW", 10)
    server = crowd(40, 40)
    server.ignored = {"app-0001"}
    result = wait_for(server, refresh_timeout=1, wait_timeout=4)
    assert result["counts"] == {"ready": 39, "waiting": 1, "failed": 0}
    assert "Application app-0001 was not ready after 4 s: refresh requested " in unhurried(result["msg"], 4)


def test_a_controller_that_does_nothing_fails_all_at_about_the_same_time(crowd, monkeypatch):
    monkeypatch.setattr(turns, "WINDOW", 10)
    server = crowd(40, 20)
    server.ignored, server.replicas = set(server.applications), 0
    monkeypatch.setattr(evidence, "UNANSWERED", 0.5)
    result = wait_for(server, refresh_timeout=3)
    assert result["counts"]["failed"] == 40
    assert result["elapsed"] < 6
    assert len(result["applications"]) == 20
    assert result["msg"].count("StatefulSet argocd/argocd-application-controller has no ready pod") == 20


def test_what_the_api_server_asks_one_sender_to_wait_is_kept_by_all(crowd):
    server = crowd(60, 1000)
    server.busy = 1
    result = wait_for(server)
    assert result["counts"]["ready"] == 60
    refused = server.refused_at[0]
    # What was on its way already is not stopped.
    assert [at - refused for at in server.patched_at if 0.2 < at - refused < 0.9] == []


def test_writes_that_take_long_stop_neither_the_clock_nor_the_news(crowd, tmp_path):
    server = crowd(30, 1000)
    server.seconds = 20
    result = wait_for(server, wait_timeout=3, progress_file=str(tmp_path / "progress"))
    said = "Application app-0000 was not ready after 3 s: waits for its turn to be refreshed"
    assert said in unhurried(result["msg"], 3)
    assert result["elapsed"] < 10
    assert "0 of 30 Applications ready; app-0000: waits for its turn" in (tmp_path / "progress").read_text()


def test_writes_that_take_long_do_not_keep_a_wait_from_ending_at_the_first_failure(crowd):
    server = crowd(30, 1000)
    server.seconds, server.quick = 20, {"app-0000"}
    server.applications["app-0000"]["status"]["health"] = {"status": "Degraded"}
    result = wait_for(server, fail_fast=True, allow_degraded_seconds=0)
    assert result["counts"] == {"ready": 0, "waiting": 29, "failed": 1}
    assert result["elapsed"] < 15


def test_a_wait_goes_on_when_what_looked_final_changes_in_the_last_look(crowd, monkeypatch):
    server, looks = crowd(1, 1000), []
    server.applications["app-0000"]["status"]["health"] = {"status": "Degraded"}
    conclude_all = wait.Waiter._conclude_all

    def become(status):
        with server.lock:
            return server._change("app-0000", {"status": {"health": {"status": status}}})

    def starts_again(self, now):
        if not looks:
            self.board.observe(become("Progressing"), False, True)
            threading.Timer(0.5, become, ["Healthy"]).start()
        looks.append(now)
        conclude_all(self, now)

    monkeypatch.setattr(wait.Waiter, "_conclude_all", starts_again)
    result = wait_for(server, allow_degraded_seconds=0)
    assert result["counts"] == {"ready": 1, "waiting": 0, "failed": 0}
    assert len(looks) == 2


def test_writes_that_take_long_do_not_keep_news_from_being_received(crowd):
    server = crowd(30, 1000)
    server.seconds = 20

    def delete():
        with server.lock:
            server._change("app-0029", {"metadata": {"deletionTimestamp": "2026-11-28T00:00:00Z"}})

    news = threading.Timer(1, delete)
    news.start()
    result = wait_for(server, wait_timeout=4, details=True)
    news.join()
    (entry,) = [entry for entry in result["applications"] if entry["name"] == "app-0029"]
    assert entry["code"] == "deleting"


def test_a_list_may_be_compressed_and_only_what_is_needed_is_kept(crowd):
    server = crowd(2, 1000)
    item = server.applications["app-0000"]
    assert all(part in item["status"] for part in ("history", "summary"))
    watcher = Watcher(Api(_client.client_of(server.kubeconfig, "test"), retries=0), ARGOCD, "", Counter())
    watcher.start()
    kind, items = watcher.queue.get(timeout=10)
    with server.lock:
        server._change("app-0001", {"metadata": {"labels": {"a": "b"}}})
    event = watcher.queue.get(timeout=10)
    watcher.stopped.set()
    assert (kind, event[0], server.encodings) == ("list", "event", ["gzip"])
    for application in (*items, event[2]):
        assert "managedFields" not in application["metadata"]
        assert not {"history", "summary", "sourceHydrator"} & application["status"].keys()
        assert "comparedTo" not in application["status"]["sync"]
        assert application["status"]["resources"]


def test_what_comes_while_thousands_wait_is_gathered_for_a_moment(crowd):
    """So the two writes that answer a request are judged together; without any message nobody waits longer."""
    watcher = Watcher(Api(_client.client_of(crowd(1, 1000).kubeconfig, "test"), retries=0), ARGOCD, "", Counter())
    later = threading.Timer(0.1, watcher.queue.put, (("event", "second"),))
    watcher.queue.put(("event", "first"))
    later.start()
    assert [message[1] for message in watcher.receive(1.0, 0.3)] == ["first", "second"]
    assert list(watcher.receive(0.01, 60.0)) == []


def test_a_line_of_progress_that_differs_only_in_its_number_comes_every_15_seconds(crowd, tmp_path, monkeypatch):
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0.1)
    server = crowd(60, 20)
    server.ignored = {"app-0000"}
    wait_for(server, wait_timeout=3, progress_file=str(tmp_path / "progress"))
    lines = (tmp_path / "progress").read_text().splitlines()
    assert len(lines) == 1, lines


def test_what_is_ready_has_no_details_unless_they_are_asked_for(crowd):
    server = crowd(2, 1000)
    brief, full = wait_for(server)["applications"][0], wait_for(server, details=True)["applications"][0]
    assert set(full) - set(brief) == wait.DETAILS
    assert (brief["name"], brief["state"], brief["sync"], brief["health"]) == ("app-0000", "ready", "Synced", "Healthy")


def test_thousands_of_warnings_are_counted(crowd):
    server = crowd(25, 1000)
    for item in server.applications.values():
        item["status"]["conditions"] = [{"type": "OrphanedResourceWarning", "message": "x"}]
    warnings = wait_for(server)["warnings"]
    assert len(warnings) == 21
    assert warnings[-1] == "5 more warnings: see those of applications with details=true."


PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    converge_projects: []
    gitops_allow_paused: false
    gitops_converge_timeout: 30
    gitops_degraded_timeout: 0
    gitops_untouched_timeout: 120
    gitops_refresh_timeout: 60
    gitops_resync_limit: 3
    gitops_accepted_health: [Healthy]
    gitops_plan: {components: [], handwritten: []}
    gitops_comparison: {volumes: [], leftovers: []}
    argocd_namespace: argocd
    converge_commit: ""
  module_defaults:
    group/monorepo.gitops.argocd: {kubeconfig: "{{ kubeconfig }}"}
  tasks:
    - block:
        - import_tasks: "{{ root }}/playbooks/tasks/converge.yml"
      always:
        - ansible.builtin.copy:
            content: "{{ gitops_wait | to_json }}"
            dest: "{{ playbook_dir }}/result.json"
            mode: "0600"
"""


def test_a_run_that_fails_prints_no_more_than_people_read_and_reports_everything(crowd, tmp_path):
    server = crowd(100, 1000)
    for item in server.applications.values():
        item["status"]["health"] = {"status": "Degraded", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    (tmp_path / "play.yml").write_text(PLAY)
    names = sorted(server.applications)
    given = json.dumps({"kubeconfig": server.kubeconfig, "converge_names": names, "root": str(ROOT)})
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", tmp_path / "play.yml", "-e", given],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    # Ansible shows the message once as an error, and once as the result.
    assert len(done.stdout.splitlines()) < 80, done.stdout
    assert len(set(re.findall(r"Application (app-\d+): Degraded", done.stdout))) == 20
    assert "And 80 more." in done.stdout
    applications = json.loads((tmp_path / "result.json").read_text())["applications"]
    assert [(entry["name"], entry["state"]) for entry in applications] == [
        (f"app-{number:04}", "failed") for number in range(100)
    ]


def test_an_answer_from_before_a_change_of_the_last_moments_is_not_believed(crowd):
    """The controller answers, and sees only then that an object was changed."""

    class Late(Crowd):
        def _change(self, name, body):
            item = super()._change(name, body)
            if body == {"metadata": {"annotations": dict.fromkeys(item_annotations)}}:
                later = {"status": {"health": {"status": "Degraded"}}}
                threading.Timer(0.05, lambda: self._change_later(name, later)).start()
            return item

        def _change_later(self, name, body):
            with self.lock:
                Crowd._change(self, name, body)

    item_annotations = ("argocd.argoproj.io/refresh", "argocd.argoproj.io/refresh-timestamp")
    server = crowd(1, 1000)
    server.__class__ = Late
    result = wait_for(server, allow_degraded_seconds=0.1)
    assert result["counts"] == {"ready": 0, "waiting": 0, "failed": 1}
