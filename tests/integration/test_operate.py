# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh, sync and terminate with a real Argo CD, as a ServiceAccount with the documented rights only.

`make test-long PART=operate` has 200 random rounds instead of ten; SEED=7 repeats a certain sequence.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_refresh,
    argocd_app_sync,
    argocd_app_terminate,
)
from unit.api_server import write_kubeconfig
from unit.running import run_module

from .conftest import BASE, carry_out
from .test_wait import ARGO, Repository, apply, failing_hook, specification

ROUNDS, LONG_ROUNDS = 10, 200
MANUAL, AUTOMATED, CLOSED = NAMES = ("operate-manual", "operate-automated", "operate-closed")
RIGHTS = ["list", "watch", "patch"]
JSON = "application/json"


class Operated:
    """Three Applications with a folder each, and the modules that operate them."""

    def __init__(self, environment, folder):
        self.environment, self.api = environment, environment.api()
        self.repository = Repository(folder)
        state = {"image": "web:1", "replicas": 1, "broken": ""}
        self.repository.state = {name: state | {"value": "0", "more": []} for name in NAMES}
        self.kubeconfig = operator(environment, self.api, folder / "kubeconfig")

    def push(self, name, value, *more):
        self.repository.state[name] |= {"value": value, "more": list(more)}
        return self.repository.push(f"{name} {value}")

    def run(self, module, name, check=False, **options):
        """Return the result of a module, and its entry for the Application."""
        result = run_module(module, check, kubeconfig=self.kubeconfig, names=[name], **options)
        return result, (result.get("applications") or [{}])[0]

    def sync(self, name, **options):
        return self.run(argocd_app_sync, name, **{"wait_timeout": 40} | options)

    def terminate(self, name, check=False):
        return self.run(argocd_app_terminate, name, check, wait_timeout=30)

    def application(self, name):
        return self.api.request("GET", f"{ARGO}/applications/{name}")[1]

    def value(self, name):
        found = self.api.request("GET", f"/api/v1/namespaces/{name}/configmaps/{name}")[1]
        return found["data"]["value"]

    def await_phase(self, name, phase):
        end = time.monotonic() + 20
        while (self.application(name)["status"].get("operationState") or {}).get("phase") != phase:
            assert time.monotonic() < end, self.application(name)["status"]
            time.sleep(0.1)


OF_APPLICATIONS = {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": RIGHTS}


def operator(environment, api, path, name="operate", rules=(OF_APPLICATIONS,)):
    """Make a ServiceAccount that has no other rights than those of the documentation, and return its kubeconfig."""
    meta = {"name": name, "namespace": "argocd"}
    rbac, subject = "rbac.authorization.k8s.io", {"kind": "ServiceAccount"} | meta
    role = {"apiGroup": rbac, "kind": "Role", "name": name}
    base, roles = "/api/v1/namespaces/argocd/serviceaccounts", f"/apis/{rbac}/v1/namespaces/argocd"
    for where, item in (
        (base, {}),
        (f"{roles}/roles", {"rules": list(rules)}),
        (f"{roles}/rolebindings", {"roleRef": role, "subjects": [subject]}),
    ):
        assert api.request("POST", where, body={"metadata": meta} | item, content_type=JSON)[0] in (201, 409)
    status, found = api.request("POST", f"{base}/{name}/token", body={"spec": {}}, content_type=JSON)
    assert status == 201, found
    cluster = dict(yaml.safe_load(Path(environment.status["kubeconfig"]).read_text())["clusters"][0]["cluster"])
    return write_kubeconfig(path, cluster.pop("server"), {"token": found["status"]["token"]}, **cluster)


def slow_hook():
    """Return a hook that does not end: its pod never starts."""
    hook = failing_hook()
    hook["metadata"]["annotations"]["argocd.argoproj.io/hook"] = "PreSync"
    hook["spec"]["activeDeadlineSeconds"] = 120
    return hook


@pytest.fixture(scope="module")
def operated(test_environment, tmp_path_factory):
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    found = Operated(test_environment, tmp_path_factory.mktemp("operate"))
    found.repository.push("first")
    any_kind, url = [{"group": "*", "kind": "*"}], found.repository.url
    project = {"sourceRepos": [url], "clusterResourceWhitelist": any_kind}
    project["destinations"] = [{"server": "*", "namespace": "*"}]
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "24h", "applications": ["*"], "manualSync": False}
    apply(found.api, "AppProject", "appprojects", "operate", project)
    apply(found.api, "AppProject", "appprojects", CLOSED, project | {"syncWindows": [window]})
    for name in NAMES:
        spec = specification(url, name) | {"project": CLOSED if name == CLOSED else "operate"}
        if name != AUTOMATED:
            del spec["syncPolicy"]["automated"], spec["syncPolicy"]["retry"]
        apply(found.api, "Application", "applications", name, spec)
    for name in (MANUAL, AUTOMATED):
        result, entry = found.sync(name)
        assert entry.get("state") == "ready", result
    return found


def test_a_refresh_is_answered_with_the_commit_that_was_pushed_just_before(operated):
    """Argo CD itself would look for it after some minutes."""
    for refresh in ("normal", "hard"):
        commit = operated.push(MANUAL, f"refresh {refresh}")
        result, entry = operated.run(argocd_app_refresh, MANUAL, refresh=refresh)
        found = {key: entry[key] for key in ("state", "fresh", "revision", "sync")}
        assert found == {"state": "ready", "fresh": True, "revision": commit, "sync": "OutOfSync"}
        assert result["changed"] is False


def test_a_sync_returns_what_its_own_operation_did(operated):
    commit = operated.push(MANUAL, "sync")
    result, entry = operated.sync(MANUAL)
    assert (result["changed"], entry["state"], entry["phase"]) == (True, "ready", "Succeeded"), result
    assert entry["synced_revisions"] == [commit]
    done = {item["kind"]: (item["status"], item["message"]) for item in entry["resources"]}
    assert done["ConfigMap"] == ("Synced", f"configmap/{MANUAL} configured")
    assert operated.value(MANUAL) == "sync"
    operation = operated.application(MANUAL)["status"]["operationState"]["operation"]
    assert operation["info"] == [{"name": "ansible-request-id", "value": entry["request_id"]}]
    assert operation["sync"]["syncOptions"] == ["CreateNamespace=true"]
    # A second time only where something is out of sync.
    result, entry = operated.sync(MANUAL, only_out_of_sync=True)
    assert (result["changed"], entry["state"], entry["started"]) == (False, "ready", False), result
    commit = operated.push(MANUAL, "out of sync")
    result, entry = operated.sync(MANUAL, only_out_of_sync=True)
    assert (entry["state"], entry["synced_revisions"]) == ("ready", [commit]), result
    assert [item["kind"] for item in entry["resources"]] == ["ConfigMap"]


def test_the_applications_of_an_applicationset_are_refreshed_and_need_no_sync(operated):
    """The ApplicationSet takes the timestamp of the request away."""
    choice = {"kubeconfig": operated.kubeconfig, "applicationsets": ["infra"]}
    result = run_module(argocd_app_refresh, **choice)
    found = {entry["name"]: (entry["state"], entry["fresh"]) for entry in result["applications"]}
    assert found == dict.fromkeys(BASE, ("ready", True))
    result = run_module(argocd_app_sync, **choice, only_out_of_sync=True)
    found = {entry["name"]: (entry["state"], entry["started"]) for entry in result["applications"]}
    assert (result["changed"], found) == (False, dict.fromkeys(BASE, ("ready", False)))


def test_a_dry_run_changes_nothing(operated):
    before = operated.value(MANUAL)
    operated.push(MANUAL, "dry run")
    result, entry = operated.sync(MANUAL, dry_run=True)
    assert (result["changed"], entry["state"], entry["phase"]) == (False, "ready", "Succeeded"), result
    assert entry["resources"]
    assert operated.value(MANUAL) == before


def test_another_revision_only_without_automated_sync(operated):
    old = operated.push(MANUAL, "old")
    new = operated.push(MANUAL, "new")
    result, entry = operated.sync(MANUAL, revision=old)
    assert (entry["state"], entry["synced_revisions"], entry["revision"]) == ("ready", [old], new), result
    assert operated.value(MANUAL) == "old"
    result, entry = operated.sync(AUTOMATED, revision=old)
    assert result["msg"] == (
        f"Nothing was synced. Application {AUTOMATED}: Cannot sync to {old}: auto-sync currently set to main; switch "
        "automated sync off first, or change the branch."
    )


def test_selected_resources_and_no_others(operated):
    operated.repository.state[MANUAL]["replicas"] = 2
    commit = operated.push(MANUAL, "selected")
    result, entry = operated.sync(MANUAL, resources=[{"kind": "ConfigMap", "name": MANUAL}])
    assert [item["kind"] for item in entry["resources"]] == ["ConfigMap"], result
    assert (entry["state"], entry["sync"], operated.value(MANUAL)) == ("ready", "OutOfSync", "selected")
    result, entry = operated.sync(MANUAL, resources=[{"kind": "ConfigMap", "name": "nobody"}])
    reason = f"has no ConfigMap nobody in revision {commit}: check resources"
    assert (entry["state"], entry["reason"]) == ("failed", reason)


def test_an_operation_in_progress_is_waited_for_refused_or_ended(operated):
    operated.push(MANUAL, "conflict", slow_hook())
    result, first = operated.sync(MANUAL, wait=False)
    assert (result["changed"], first["state"], first["started"]) == (True, "ready", True), result
    operated.await_phase(MANUAL, "Running")
    result, entry = operated.sync(MANUAL, on_conflict="fail")
    words = "another operation is already in progress (of ansible, Running since "
    assert result["msg"].startswith(f"Nothing was synced. Application {MANUAL}: {words}")
    # It is ended, once.
    result, entry = operated.terminate(MANUAL, check=True)
    assert (result["changed"], entry["terminated"]) == (True, True)
    result, entry = operated.terminate(MANUAL)
    assert (result["changed"], entry["terminated"], entry["phase"]) == (True, True, "Failed"), result
    assert "terminated" in entry["message"]
    result, entry = operated.terminate(MANUAL)
    assert (result["changed"], entry["terminated"], entry["state"]) == (False, False, "ready")
    # Another sync makes way for it by force.
    operated.sync(MANUAL, wait=False)
    operated.await_phase(MANUAL, "Running")
    commit = operated.push(MANUAL, "made way")
    result, entry = operated.sync(MANUAL, on_conflict="terminate")
    assert (entry["state"], entry["synced_revisions"], result["changed"]) == ("ready", [commit], True), result
    # It waits for the end of another one, and the result is not that of the other one.
    operated.push(MANUAL, "hook fails", failing_hook())
    _result, first = operated.sync(MANUAL, wait=False)
    operated.await_phase(MANUAL, "Running")
    commit = operated.push(MANUAL, "waited")
    result, entry = operated.sync(MANUAL)
    assert (entry["state"], entry["phase"], entry["synced_revisions"]) == ("ready", "Succeeded", [commit]), result
    assert first["request_id"] != entry["request_id"]


def test_an_operation_that_cannot_begin_is_withdrawn(operated):
    operated.environment.rehearsal("stopped", "argocd-application-controller")
    try:
        _result, entry = operated.sync(MANUAL, wait=False)
        assert entry["started"] is True
        result, entry = operated.terminate(MANUAL)
        assert (result["changed"], entry["state"], entry["phase"]) == (True, "ready", ""), result
        assert "operation" not in operated.application(MANUAL)
    finally:
        operated.environment.rehearsal("argocd_started")


def test_a_sync_window_is_said_and_leaves_no_operation(operated):
    result, entry = operated.sync(CLOSED)
    assert entry["reason"].startswith("cannot sync: blocked by sync window; the operation was withdrawn"), result
    assert "operation" not in operated.application(CLOSED)


class Recorder:
    """Records all versions of an Application; the final one of an operation says what is true."""

    def __init__(self, operated, name):
        self.api, self.name, self.versions, self.stopped = operated.environment.api(), name, [], False
        self.thread = threading.Thread(target=self.record, daemon=True)
        self.thread.start()

    def record(self):
        query = {"watch": "true", "fieldSelector": f"metadata.name={self.name}"}
        for event in self.api.stream(f"{ARGO}/applications", query, 60):
            self.versions.append(event["object"])
            if self.stopped:
                return

    def states(self, operated):
        """Stop, and return each version of the state of an operation."""
        self.stopped = True
        operated.api.request("PATCH", f"{ARGO}/applications/{self.name}", body=REFRESH)
        self.thread.join(20)
        return [(version.get("status") or {}).get("operationState") or {} for version in self.versions]


REFRESH = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
SECOND = {
    "initiatedBy": {"username": "second"},
    "sync": {"syncOptions": ["CreateNamespace=true"]},
    "retry": {"limit": 1},
}
HONEST = ("another operation is already in progress", "is not known")


def second_client(operated, kind):
    """Do what another user does with Argo CD's API server, which refuses an operation while one is in progress."""
    api, path = operated.environment.api(), f"{ARGO}/applications/{AUTOMATED}"
    if kind == "refresh":
        api.request("PATCH", path, body=REFRESH)
    found = api.request("GET", path)[1]
    lock = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
    if kind == "sync" and "operation" not in found:
        api.request("PATCH", path, body=lock | {"operation": SECOND})
    if kind == "terminate" and "operation" in found and (found["status"].get("operationState") or {}).get("phase"):
        api.request("PATCH", path, body=lock | {"status": {"operationState": {"phase": "Terminating"}}})


def act(operated, chance):
    """Do one thing at random and return what the module reported."""
    if chance.random() < 0.2:
        _result, entry = operated.terminate(AUTOMATED)
        assert entry["state"] == "ready", entry
        return {"verb": "terminate"} | entry
    conflict = chance.choice(("wait", "wait", "fail", "terminate"))
    result, entry = operated.sync(AUTOMATED, on_conflict=conflict)
    return {"verb": "sync", "conflict": conflict, "said": result.get("msg", "")} | entry


def wrong(report, states):
    """Return why a report is not that of our operation, nor an honest conflict."""
    facts = [(state.get("phase"), state.get("message")) for state in states]
    if report["verb"] == "terminate":
        known = (report["phase"], report["message"]) in facts
        return "" if not report["terminated"] or known else "nobody ended this operation"
    honest = any(words in report["said"] for words in HONEST)
    if not report.get("started"):
        return "" if honest and report["conflict"] == "fail" else "nothing was started, and nobody knows why"
    info = {"name": "ansible-request-id", "value": report["request_id"]}
    ours = [state for state in states if info in ((state.get("operation") or {}).get("info") or [])]
    if not ours or "phase" not in report:
        return "" if honest else "its operation does not exist"
    last, done = ours[-1], ours[-1].get("syncResult") or {}
    if honest:
        return ""
    theirs = (last["phase"], last["message"], [done["revision"]] if done.get("revision") else [])
    if theirs != (report["phase"], report["message"], report["synced_revisions"]):
        return f"its operation says {theirs}"
    kinds = [(item["kind"], item["message"]) for item in done.get("resources") or []]
    return "" if kinds == [(item["kind"], item["message"]) for item in report["resources"]] else f"it did {kinds}"


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(LONG_ROUNDS, marks=pytest.mark.long("operate"))])
def test_every_answer_is_that_of_our_operation_or_an_honest_conflict(operated, rounds):
    """Automated sync and a second client work on the Application at the same time."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    chance, recorder, reports = random.Random(seed), Recorder(operated, AUTOMATED), []
    for number in range(rounds):
        operated.push(AUTOMATED, f"race {seed} {number}")
        kind = chance.choice(("refresh", "refresh", "sync", "terminate"))
        other = threading.Timer(chance.choice((0, 0, 0.1, 0.3, 0.6)), second_client, (operated, kind))
        other.start()
        time.sleep(chance.choice((0, 0, 0.1, 0.4)))
        reports.append(act(operated, chance))
        other.join()
    states = recorder.states(operated)
    found = [(reason, report) for report in reports if (reason := wrong(report, states))]
    assert found == [], f"SEED={seed}"
    requests = [report["request_id"] for report in reports if report.get("request_id")]
    assert len(set(requests)) == len(requests) > 0
    # The Application is not left behind: the last commit is deployed.
    result, entry = operated.sync(AUTOMATED)
    assert (entry["state"], operated.value(AUTOMATED)) == ("ready", f"race {seed} {rounds - 1}"), result


@pytest.mark.parametrize("page", ["sync", "refresh", "terminate", "verify"])
def test_the_commands_of_the_runbook(operated, page):
    assert all("failed=0 " in said for said in carry_out(operated.environment, page))
