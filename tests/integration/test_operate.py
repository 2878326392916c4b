# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh, sync and terminate with a real Argo CD, as a ServiceAccount with the documented rights only."""

from __future__ import annotations

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

from .conftest import BASE
from .test_wait import ARGO, Repository, apply, failing_hook, specification

ROUNDS = 5
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


def test_the_result_is_ours_whatever_automated_sync_does_at_the_same_time(operated):
    """All versions of the Application are recorded; the final one with our request id says what is true."""
    versions, stopped = [], threading.Event()

    def record():
        query = {"watch": "true", "fieldSelector": f"metadata.name={AUTOMATED}"}
        for event in operated.environment.api().stream(f"{ARGO}/applications", query, 60):
            versions.append(event["object"])
            if stopped.is_set():
                return

    recorder = threading.Thread(target=record, daemon=True)
    recorder.start()
    refresh = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    reports = []
    for number in range(ROUNDS):
        operated.push(AUTOMATED, f"race {number}")
        patch = ("PATCH", f"{ARGO}/applications/{AUTOMATED}", None, refresh)
        trigger = threading.Timer(number * 0.1, operated.environment.api().request, patch)
        trigger.start()
        result, entry = operated.sync(AUTOMATED)
        trigger.join()
        assert (entry["state"], entry["phase"]) == ("ready", "Succeeded"), result
        assert operated.value(AUTOMATED) == f"race {number}"
        reports.append(entry)
    stopped.set()
    operated.api.request("PATCH", f"{ARGO}/applications/{AUTOMATED}", body=refresh)
    recorder.join(20)
    states = [(version.get("status") or {}).get("operationState") or {} for version in versions]
    for report in reports:
        info = {"name": "ansible-request-id", "value": report["request_id"]}
        ours = [state for state in states if info in (state.get("operation") or {}).get("info", [])]
        last = ours[-1]
        assert (last["phase"], last["message"]) == (report["phase"], report["message"])
        assert [last["syncResult"]["revision"]] == report["synced_revisions"]
        kinds = [(item["kind"], item["message"]) for item in last["syncResult"]["resources"]]
        assert kinds == [(item["kind"], item["message"]) for item in report["resources"]]
    assert len({report["request_id"] for report in reports}) == ROUNDS
