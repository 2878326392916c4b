# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pause, resume, settings and rollback with a real Argo CD, as ServiceAccounts with the documented rights only."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest
import rights
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_pause,
    argocd_app_rollback,
    argocd_app_set,
    argocd_app_wait,
)
from unit.running import run_module

from .conftest import acting, carry_out, limited
from .test_wait import ARGO, Repository, apply, specification

OWN, OWNED = "pause-own", "maildev"  # without an owner, and of ApplicationSet infra
POLICY = {"prune": True, "selfHeal": True}
OFF = POLICY | {"enabled": False}
CONFIG_MAP = "/api/v1/namespaces/argocd/configmaps/gitops-paused"
MODULES = (argocd_app_pause, argocd_app_rollback, argocd_app_set, argocd_app_wait)


class Operated:
    """An Application of its own, and the modules that operate it and those of the environment."""

    def __init__(self, environment, folder):
        self.api = environment.api()
        self.repository = Repository(folder)
        self.repository.state = {OWN: {"image": "web:1", "replicas": 1, "broken": "", "value": "0", "more": []}}
        self.kubeconfigs = {
            module: limited(environment, folder, module.__name__.rpartition(".")[2]) for module in MODULES
        }

    def push(self, value):
        self.repository.state[OWN] |= {"value": value}
        return self.repository.push(value)

    def run(self, module, check=False, **options):
        return run_module(module, check, kubeconfig=self.kubeconfigs[module], **options)

    def pause(self, *names, **options):
        return self.run(argocd_app_pause, names=list(names), by="anna", **options)

    def resume(self, *names):
        return self.pause(*names, state="resumed")

    def wait(self, *names, **options):
        return self.run(argocd_app_wait, names=list(names), **{"wait_timeout": 40} | options)

    def application(self, name):
        return self.api.request("GET", f"{ARGO}/applications/{name}")[1]

    def automated(self, name):
        return self.application(name)["spec"]["syncPolicy"].get("automated")

    def records(self):
        return json_of(self.api.request("GET", CONFIG_MAP)[1])

    def value(self):
        return self.api.request("GET", f"/api/v1/namespaces/{OWN}/configmaps/{OWN}")[1]["data"]["value"]


def json_of(config_map):
    return {name: json.loads(text) for name, text in (config_map.get("data") or {}).items()}


@pytest.fixture(scope="module")
def operated(test_environment, tmp_path_factory):
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    found = Operated(test_environment, tmp_path_factory.mktemp("pause"))
    found.push("first")
    project = {"sourceRepos": [found.repository.url], "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}
    project["destinations"] = [{"server": "*", "namespace": "*"}]
    apply(found.api, "AppProject", "appprojects", "operate-pause", project)
    spec = specification(found.repository.url, OWN) | {"project": "operate-pause"}
    spec["syncPolicy"]["automated"] = POLICY
    apply(found.api, "Application", "applications", OWN, spec)
    assert found.wait(OWN)["applications"][0]["state"] == "ready"
    return found


def test_a_pause_lasts_until_a_resume_also_in_an_applicationset(operated):
    result = operated.pause(OWN, OWNED, reason="test")
    assert (result.get("msg"), result["changed"]) == (None, True)
    refreshed = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}}
    operated.api.request("PATCH", f"{ARGO}/applicationsets/infra", body=refreshed)
    operated.push("paused")
    result = operated.wait(OWN, OWNED, on_paused="fail", resync_failed=True)
    found = {entry["name"]: (entry["state"], entry["sync"]) for entry in result["applications"]}
    assert found == {OWN: ("failed", "OutOfSync"), OWNED: ("ready", "Synced")}
    assert f"Application {OWN}: paused since " in result["msg"]
    assert (operated.automated(OWN), operated.automated(OWNED)) == (OFF, OFF)
    first = operated.records()
    assert (sorted(first), first[OWNED]["applicationset"], first[OWN]["automated"]) == ([OWNED, OWN], "infra", POLICY)
    # A second pause keeps the first record.
    result = operated.pause(OWN, OWNED, reason="other")
    assert (result["changed"], operated.records()) == (False, first)
    assert operated.wait(OWN, on_paused="allow")["applications"][0]["state"] == "ready"
    assert operated.value() == "first"
    # A resume deploys what was pushed.
    result = operated.resume(OWN, OWNED)
    assert (result["changed"], operated.automated(OWN), operated.automated(OWNED)) == (True, POLICY, POLICY)
    assert (operated.records(), operated.resume(OWN, OWNED)["changed"]) == ({}, False)
    assert operated.wait(OWN)["applications"][0]["state"] == "ready"
    assert operated.value() == "paused"


def test_what_somebody_else_resumed_is_said(operated):
    operated.pause(OWN)
    body = {"spec": {"syncPolicy": {"automated": {"enabled": True}}}}
    operated.api.request("PATCH", f"{ARGO}/applications/{OWN}", body=body)
    words = "anna, but its automated sync was switched on again"
    warnings = operated.wait(OWN, on_paused="fail")["warnings"]
    assert any(text.endswith(f"{words}: resume it, which removes the record") for text in warnings)
    result = operated.resume(OWN)
    assert [text for text in result["warnings"] if text.endswith(words)]
    assert (operated.automated(OWN), operated.records()) == (POLICY | {"enabled": True}, {})


def test_a_rollback_needs_a_pause_and_lasts(operated):
    old = operated.push("old")
    operated.wait(OWN, revision=old)
    new = operated.push("new")
    operated.wait(OWN, revision=new)
    result = operated.run(argocd_app_rollback, name=OWN)
    assert result["msg"].startswith(f"Nothing was rolled back. Application {OWN}: rollback cannot be initiated when")
    operated.pause(OWN)
    result = operated.run(argocd_app_rollback, name=OWN, wait_timeout=40)
    entry = result["applications"][0]
    assert (entry["state"], entry["synced_revisions"], result["deployment"]["revisions"]) == ("ready", [old], [old])
    assert (entry["sync"], entry["revision"], operated.value()) == ("OutOfSync", new, "old")
    operation = operated.application(OWN)["status"]["operationState"]["operation"]
    assert {"name": "ansible-request-id", "value": entry["request_id"]} in operation["info"]
    # By commit, to the newest again.
    result = operated.run(argocd_app_rollback, name=OWN, revision=new[:10], wait_timeout=40)
    assert (result["applications"][0]["state"], operated.value()) == ("ready", "new"), result
    operated.resume(OWN)


def test_settings_last_or_are_refused(operated):
    result = operated.run(argocd_app_set, names=[OWNED, OWN], auto_prune=False, sync_options=["PruneLast=true"])
    assert (result.get("msg"), result["changed"]) == (None, True)
    refreshed = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}}
    operated.api.request("PATCH", f"{ARGO}/applicationsets/infra", body=refreshed)
    time.sleep(2)  # in which an ApplicationSet would have reverted it
    assert operated.automated(OWNED)["prune"] is False
    result = operated.run(argocd_app_set, names=[OWNED, OWN], auto_prune=False, sync_options=["PruneLast=true"])
    assert result["changed"] is False
    result = operated.run(argocd_app_set, names=[OWNED, OWN], auto_prune=True, sync_options=["!PruneLast=true"])
    assert (result["changed"], operated.automated(OWNED)) == (True, POLICY)
    result = operated.run(argocd_app_set, names=[OWNED, OWN], revision="other")
    assert result["msg"] == (
        f"Nothing was set. Application {OWNED}: ApplicationSet infra would revert spec.source.targetRevision: set "
        "gitops_repo_revision in the inventory and run site.yml."
    )
    # That is true: the ApplicationSet reverts it.
    body = {"spec": {"source": {"targetRevision": "other"}}}
    operated.api.request("PATCH", f"{ARGO}/applications/{OWNED}", body=body)
    end = time.monotonic() + 20
    while operated.application(OWNED)["spec"]["source"]["targetRevision"] == "other":
        assert time.monotonic() < end
        time.sleep(0.1)


def test_pause_and_resume_and_set_against_a_second_client(operated):
    """Somebody else changes the Applications all the time: every answer is true, and nothing is lost."""
    stopped = threading.Event()

    def disturb():
        api, number = operated.api, 0
        while not stopped.is_set():
            number += 1
            for path in (f"{ARGO}/applications/{OWN}", CONFIG_MAP):
                api.request("PATCH", path, body={"metadata": {"annotations": {"x": str(number)}}})
            time.sleep(0.05)

    operated.pause(OWN)
    operated.resume(OWN)
    before = operated.automated(OWN)
    other = threading.Thread(target=disturb, daemon=True)
    other.start()
    try:
        for _round in range(5):
            assert operated.pause(OWN)["changed"] is True
            assert operated.automated(OWN) == before | {"enabled": False}
            assert operated.records()[OWN]["automated"] == before
            assert operated.resume(OWN)["changed"] is True
            assert (operated.automated(OWN), operated.records()) == (before, {})
    finally:
        stopped.set()
        other.join()


def test_a_run_accepts_the_health_that_the_inventory_accepts(environment, operated):
    deployment = "/apis/apps/v1/namespaces/maildev/deployments/maildev"

    def hold(value):
        assert operated.api.request("PATCH", deployment, body={"spec": {"paused": value}})[0] == 200

    assert operated.wait(OWNED)["applications"][0]["state"] == "ready"
    hold(True)
    refused = environment.site("--tags", "converge")
    accepted = environment.site("--tags", "converge", "-e", '{"gitops_accepted_health": ["Healthy", "Suspended"]}')
    hold(None)
    assert refused.returncode == 2, refused.stdout[-3000:]
    said = r"Application maildev: Suspended: Deployment maildev/maildev .*\(gitops_accepted_health in an inventory\)"
    assert re.search(said, refused.stdout), refused.stdout[-3000:]
    assert accepted.returncode == 0, accepted.stdout[-3000:]


@pytest.fixture
def redeployed(environment, operated):
    """Deploy a change of maildev, and the former state at the end."""
    environment.set(maildev_replicas=2)
    assert environment.site().returncode == 0
    yield environment
    environment.set(maildev_replicas=1)
    operated.resume(OWNED)
    done = environment.site()
    assert done.returncode == 0, done.stdout[-3000:]


def replicas(operated):
    return operated.api.request("GET", "/apis/apps/v1/namespaces/maildev/deployments/maildev")[1]["spec"]["replicas"]


def test_the_runbooks_are_true(redeployed, operated):
    with acting(redeployed, "page-set", *rights.PLAYBOOKS["set"]):
        assert "Sync options" in "".join(carry_out(redeployed, "set"))
    operated.run(argocd_app_set, names=[OWNED], auto_prune=True)
    with acting(redeployed, "page-rollback", *rights.PLAYBOOKS["rollback"]):
        assert "Automated sync is paused, so it stays." in "".join(carry_out(redeployed, "rollback"))
    assert operated.automated(OWNED) == POLICY
    # While it is paused a run neither syncs nor resumes it.
    assert operated.wait(OWNED)["applications"][0]["state"] == "ready"
    operated.pause(OWNED, reason="drill")
    redeployed.set(maildev_replicas=3)
    done = redeployed.site()
    assert done.returncode == 2, done.stdout[-3000:]
    assert re.search(r"Application maildev: paused since \S+ by anna \(drill\); OutOfSync", done.stdout), done.stdout
    assert re.search(
        r"Paused: maildev\n\s+Resume: ansible-playbook monorepo.gitops.resume .* -e app=maildev", done.stdout
    )
    found = {entry["name"]: entry["paused"].partition(" since")[0] for entry in redeployed.report()["applications"]}
    assert found == {"cert-manager": "", "gateway": "", "maildev": "paused"}
    assert "(drill)" in (redeployed.reports / "report.html").read_text()
    assert (operated.automated(OWNED), replicas(operated)) == (OFF, 2)
    shown = redeployed.playbook("playbooks/status.yml").stdout
    assert re.search(r"^ *maildev .* Paused .*automated sync is paused since \S+ by anna \(drill\)", shown, re.M), shown
    # The commands of the runbook: a pause that is there, a run that may pass, and the end of it.
    said = "".join(carry_out(redeployed, "pause"))
    assert "drill" in said
    assert "2 of 3 Applications are ready." in said
    assert operated.wait(OWNED)["applications"][0]["state"] == "ready"
    assert (operated.automated(OWNED), replicas(operated)) == (POLICY, 3)


def test_pause_and_resume_need_the_documented_rights_only(environment, operated):
    for playbook, expected in (("pause", OFF), ("resume", POLICY)):
        with acting(environment, f"playbook-{playbook}", *rights.PLAYBOOKS[playbook]):
            done = environment.playbook(f"playbooks/{playbook}.yml", "-e", f"app={OWNED}")
        assert done.returncode == 0, done.stdout[-3000:]
        assert "cannot" not in done.stdout
        assert operated.automated(OWNED) == expected


def test_a_rollback_that_is_refused_leaves_nothing_paused(environment, operated):
    done = environment.playbook("playbooks/rollback.yml", "-e", "app=maildev", "-e", "id=99")
    assert done.returncode == 2
    assert "Application maildev does not have a deployment with id 99: its history has " in done.stdout
    assert (operated.automated(OWNED), operated.records()) == (POLICY, {})
