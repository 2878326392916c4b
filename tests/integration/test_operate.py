# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh, sync, terminate, set and rollback with a real Argo CD, as ServiceAccounts with the documented rights only.

`make test-long PART=operate` has 200 random rounds instead of ten; SEED=7 repeats a certain sequence.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import changed_paths
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_refresh,
    argocd_app_rollback,
    argocd_app_set,
    argocd_app_sync,
    argocd_app_terminate,
)
from unit.running import run_module

from .conftest import BASE, acting, carry_out, limited
from .test_wait import ARGO, Repository, apply, failing_hook, specification

ROUNDS, LONG_ROUNDS = 10, 200
MANUAL, AUTOMATED, CLOSED = NAMES = ("operate-manual", "operate-automated", "operate-closed")
JSON = "application/json"


class Operated:
    """Three Applications with a folder each, and the modules that operate them."""

    def __init__(self, environment, folder):
        self.environment, self.api = environment, environment.api()
        self.repository = Repository(folder)
        state = {"image": "web:1", "replicas": 1, "broken": ""}
        self.repository.state = {name: state | {"value": "0", "more": []} for name in NAMES}
        self.kubeconfig = limited(environment, folder, "argocd_app_terminate")
        self.setting = limited(environment, folder, "argocd_app_set")

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

    def set(self, name, **options):
        result = run_module(argocd_app_set, kubeconfig=self.setting, names=[name], **options)
        return result, (result.get("applications") or [{}])[0]

    def rollback(self, name, **options):
        result = run_module(argocd_app_rollback, kubeconfig=self.kubeconfig, name=name, wait_timeout=40, **options)
        return result, (result.get("applications") or [{}])[0]

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

    def stop(self):
        """Stop with a last version, and return all of them."""
        self.stopped = True
        self.api.request("PATCH", f"{ARGO}/applications/{self.name}", body=REFRESH)
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.versions


REFRESH = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
SECOND = {
    "initiatedBy": {"username": "second"},
    "sync": {"syncOptions": ["CreateNamespace=true"]},
    "retry": {"limit": 1},
}
HONEST = (
    "another operation is already in progress",
    "is not known",
    "rollback cannot be initiated when auto-sync is enabled",
    "does not have a deployment with id",
)
ON, OFF = {"sync_policy": "automated", "auto_prune": True, "self_heal": True}, {"sync_policy": "none"}
AUTOMATIC = {"prune": True, "selfHeal": True}
VERBS = ("sync",) * 5 + ("rollback",) * 2 + ("set",) * 2 + ("terminate",)
KINDS = ("refresh", "refresh", "sync", "terminate", "set")


def second_client(operated, kind):
    """Do what another user does with Argo CD's API server, which refuses an operation while one is in progress."""
    api, path = operated.environment.api(), f"{ARGO}/applications/{AUTOMATED}"
    if kind == "refresh":
        api.request("PATCH", path, body=REFRESH)
    found = api.request("GET", path)[1]
    lock = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
    if kind == "set":
        policy = found["spec"]["syncPolicy"]
        policy = {"retry": {"limit": 1 + policy["retry"]["limit"] % 3}, "automated": policy.get("automated", AUTOMATIC)}
        api.request("PATCH", path, body=lock | {"spec": {"syncPolicy": policy}})
    if kind == "sync" and "operation" not in found:
        api.request("PATCH", path, body=lock | {"operation": SECOND})
    if kind == "terminate" and "operation" in found and (found["status"].get("operationState") or {}).get("phase"):
        api.request("PATCH", path, body=lock | {"status": {"operationState": {"phase": "Terminating"}}})


def act(operated, chance, verb):
    """Do one thing at random and return what the modules reported."""
    if verb == "set":
        return [set_at_random(operated, chance, auto_prune=chance.random() < 0.5)]
    if verb == "rollback":
        # Argo CD rolls back only without automated sync, which the second client may switch on again at any time.
        off = set_at_random(operated, chance, **OFF)
        history = [entry["id"] for entry in operated.application(AUTOMATED)["status"]["history"]]
        conflict = chance.choice(("wait", "fail", "terminate"))
        result, entry = operated.rollback(AUTOMATED, id=chance.choice(history), on_conflict=conflict)
        done = {"verb": verb, "said": result.get("msg", ""), "deployment": result.get("deployment")} | entry
        return [off, done, set_at_random(operated, chance, **ON)]
    if verb == "terminate":
        _result, entry = operated.terminate(AUTOMATED)
        assert entry["state"] == "ready", entry
        return [{"verb": verb} | entry]
    conflict = chance.choice(("wait", "wait", "fail", "terminate"))
    result, entry = operated.sync(AUTOMATED, on_conflict=conflict)
    return [{"verb": verb, "said": result.get("msg", "")} | entry]


def set_at_random(operated, chance, **options):
    """Set what was asked for, at some moment."""
    time.sleep(chance.choice((0, 0, 0.1)))
    result, entry = operated.set(AUTOMATED, **options)
    return {"verb": "set", "said": result.get("msg", ""), "options": options} | entry


def wrong(report, versions):
    """Return why a report is not that of our operation, nor an honest conflict."""
    if report["verb"] == "set":
        return wrongly_set(report, [version["spec"] for version in versions])
    states = [(version.get("status") or {}).get("operationState") or {} for version in versions]
    if report["verb"] == "terminate":
        facts = [(state.get("phase"), state.get("message")) for state in states]
        known = (report["phase"], report["message"]) in facts
        return "" if not report["terminated"] or known else "nobody ended this operation"
    return wrongly_synced(report, states)


def wrongly_set(report, specs):
    """Return why nobody wrote what a setting reports; a setting that changes nothing was there before."""
    if report["said"]:
        return "it failed"
    if not report["changed"]:
        return "" if report["sync_policy"] in [spec["syncPolicy"] for spec in specs] else "this was never its policy"
    for before, after in itertools.pairwise(specs):
        fields = [".".join(path) for path in changed_paths(before, after, ("spec",))]
        if (fields, after["syncPolicy"]) == (report["fields"], report["sync_policy"]):
            return ""
    return "nobody wrote this"


def wrongly_synced(report, states):
    """Return why a sync or rollback does not report its own operation, and no conflict either."""
    honest = any(words in report["said"] for words in HONEST)
    if not report.get("started"):
        return "" if honest else "nothing was started, and nobody knows why"
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
    if report.get("deployment") and report["deployment"]["revisions"] != report["synced_revisions"]:
        return "it is not the deployment that was chosen"
    kinds = [(item["kind"], item["message"]) for item in done.get("resources") or []]
    return "" if kinds == [(item["kind"], item["message"]) for item in report["resources"]] else f"it did {kinds}"


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(LONG_ROUNDS, marks=pytest.mark.long("operate"))])
def test_every_answer_is_that_of_our_operation_or_an_honest_conflict(operated, rounds):
    """Automated sync and a second client work on the Application at the same time."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    chance, recorder, reports = random.Random(seed), Recorder(operated, AUTOMATED), []
    # In every ten rounds each of them, in another order.
    verbs = [verb for _ten in range(0, rounds, len(VERBS)) for verb in chance.sample(VERBS, len(VERBS))]
    for number, verb in enumerate(verbs):
        operated.push(AUTOMATED, f"race {seed} {number}")
        kind = chance.choice(KINDS)
        other = threading.Timer(chance.choice((0, 0, 0.1, 0.3, 0.6)), second_client, (operated, kind))
        other.start()
        time.sleep(chance.choice((0, 0, 0.1, 0.4)))
        reports += act(operated, chance, verb)
        other.join()
    versions = recorder.stop()
    found = [(reason, report) for report in reports if (reason := wrong(report, versions))]
    assert found == [], f"SEED={seed}"
    requests = [report["request_id"] for report in reports if report.get("request_id")]
    assert len(set(requests)) == len(requests) > 0
    # The Application is not left behind: the last commit is deployed.
    result, entry = operated.sync(AUTOMATED)
    assert (entry["state"], operated.value(AUTOMATED)) == ("ready", f"race {seed} {rounds - 1}"), result


@pytest.mark.parametrize("page", ["sync", "refresh", "terminate", "verify"])
def test_the_commands_of_the_runbook_need_the_documented_rights_only(operated, page):
    module = {"verify": "objects_ready"}.get(page, f"argocd_app_{page}")
    with acting(operated.environment, f"page-{page}", module):
        assert all("failed=0 " in said for said in carry_out(operated.environment, page))
