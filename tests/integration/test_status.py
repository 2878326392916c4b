# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of Applications with faults: an image that cannot be pulled, and a rejected manifest."""

from __future__ import annotations

import json
import re
import time

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_info, argocd_appset_info
from unit.running import run_module

from .conftest import ARGO, BASE, carry_out
from .test_wait import Repository, apply, specification

IMAGE, REJECTED = NAMES = ("status-image", "status-rejected")


@pytest.fixture(scope="module")
def faulty(test_environment, tmp_path_factory):
    """Two Applications that cannot become Healthy, beside those of the environment."""
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    api, repository = test_environment.api(), Repository(tmp_path_factory.mktemp("status"))
    state = {"value": "0", "image": "web:1", "replicas": 1, "more": []}
    repository.state = {IMAGE: state | {"broken": "image"}, REJECTED: state | {"broken": "rejected"}}
    repository.push("faults")
    project = {"sourceRepos": [repository.url], "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}
    apply(api, "AppProject", "appprojects", "status", project | {"destinations": [{"server": "*", "namespace": "*"}]})
    for name in NAMES:
        apply(api, "Application", "applications", name, specification(repository.url, name) | {"project": "status"})
    end = time.monotonic() + 60
    while not has_failed(test_environment):
        assert time.monotonic() < end, info(test_environment, names=list(NAMES))
        time.sleep(0.5)
    yield test_environment
    for name in NAMES:
        api.request("DELETE", f"{ARGO}/applications/{name}")
    api.request("DELETE", f"{ARGO}/appprojects/status")


def info(environment, module=argocd_app_info, **options):
    """Return the Applications, or what else a module reads, by name."""
    result = run_module(module, kubeconfig=environment.status["kubeconfig"], **options)
    assert result["changed"] is False, result
    return {entry["name"]: entry for entry in result.get("applications", result.get("applicationsets"))}


def has_failed(environment):
    found = info(environment, names=list(NAMES), tree=True)
    return found[REJECTED]["state"] == "Failed" and "cannot be pulled" in str(found[IMAGE]["reasons"])


def test_the_worst_comes_first_with_its_cause(faulty):
    before = faulty.writes()
    done = faulty.playbook("playbooks/status.yml")
    assert done.returncode == 0, done.stdout[-3000:]
    assert faulty.writes() == before
    lines = [line.split() for line in done.stdout.splitlines()]
    names = [line[0] for line in lines if line and line[0] in {*NAMES, *BASE}]
    assert names[:2] == [REJECTED, IMAGE]
    assert names[2:] == sorted(names[2:])
    (rejected,) = re.findall(rf"^ *{REJECTED} +(.*)$", done.stdout, re.MULTILINE)
    assert "spec.replicas: Invalid value: -1" in rejected
    image = rf"^ *{IMAGE} +Synced +Progressing .* Deployment {IMAGE}/{IMAGE}: Pod {IMAGE}-\S+: container "
    assert re.search(image, done.stdout, re.MULTILINE)
    # Other tests of this session may have left Applications, too.
    fine, total = map(int, re.search(r"(\d+) of (\d+) Applications are Synced and Healthy", done.stdout).groups())
    assert len(BASE) <= fine <= total - len(NAMES)
    report = json.loads((faulty.reports / "status.json").read_text())
    assert (report["kind"], report["counts"]["ready"], report["counts"]["applications"]) == ("status", fine, total)
    page = (faulty.reports / "status.html").read_text()
    assert report["verdict"] in page
    assert "ImagePullBackOff: image rehearsal-fail:1 cannot be pulled" in page


def test_one_application_with_tree_history_and_events(faulty):
    done = faulty.playbook("playbooks/status.yml", "-e", f"app={IMAGE}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"Application {IMAGE}: Synced, Progressing" in done.stdout
    pod = r"Pod \S+ +Pending 0/1; container \S+: ImagePullBackOff: image \S+ cannot be pulled: "
    pattern = rf"^ *Deployment {IMAGE}/{IMAGE} .*\n +ReplicaSet \S+\n +{pod}"
    assert re.search(pattern, done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^ *0 +[0-9a-f]{12} +\S+Z +automated sync$", done.stdout, re.MULTILINE)
    assert re.search(r'Warning +Failed +Pod \S+ +Failed to pull image "rehearsal-fail:1": ', done.stdout)
    assert "maildev" not in done.stdout
    assert done.stdout.count("What to do: docs/runbooks/not_healthy.md\n") == 1


def test_an_application_that_does_not_exist(faulty):
    done = faulty.playbook("playbooks/status.yml", "-e", "app=nobody")
    assert done.returncode == 2
    assert "there is no Application nobody" in re.sub(r"\s+", " ", done.stdout)


def test_a_layer_has_only_its_own_applications(faulty):
    done = faulty.playbook("playbooks/status.yml", "-e", "layer=infra")
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(BASE)} of {len(BASE)} Applications are Synced and Healthy." in done.stdout
    assert NAMES[0] not in done.stdout


def test_applicationsets_say_what_they_leave_alone(faulty):
    found = info(faulty, argocd_appset_info)
    assert [entry["name"] for entry in found["infra"]["applications"]] == sorted(BASE)
    assert (found["infra"]["reasons"], found["infra"]["policy"]) == ([], "create-update")
    assert "/spec/syncPolicy" in found["infra"]["not_reverted"]


@pytest.mark.parametrize("page", ["status", "not_healthy"])
def test_the_commands_of_the_runbooks_run(faulty, page):
    carry_out(faulty, page)
