# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs and differences of an Application, with the documented rights, beside the argocd CLI, and as runbooks say."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_diff, argocd_app_logs, argocd_app_refresh
from unit.running import run_module

from .conftest import ARGO, carry_out, limited

JSON_PATCH = "application/json-patch+json"
DEPLOYMENT = "/apis/apps/v1/namespaces/maildev/deployments/maildev"
SERVICE = "/api/v1/namespaces/maildev/services/maildev-web"
SIMULATED = "This pod is simulated by KWOK: no container runs, so there is no log."


@pytest.fixture(scope="module")
def kubeconfigs(test_environment, tmp_path_factory):
    """Return the kubeconfig of a ServiceAccount for each module, which has the documented rights and no others."""
    folder = tmp_path_factory.mktemp("limited")
    return {name: limited(test_environment, folder, f"argocd_app_{name}") for name in ("logs", "diff")}


def policy(environment, automated):
    body = {"spec": {"syncPolicy": {"automated": automated}}}
    assert environment.api().request("PATCH", f"{ARGO}/applications/maildev", body=body)[0] == 200


@pytest.fixture(scope="module")
def drifted(test_environment):
    """Change and remove what Argo CD deployed, while it does not repair it."""
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    api = test_environment.api()
    policy(test_environment, None)
    assert api.request("PATCH", DEPLOYMENT, body={"spec": {"replicas": 2}})[0] == 200
    assert api.request("DELETE", SERVICE)[0] == 200
    yield test_environment
    policy(test_environment, {"prune": True, "selfHeal": True})
    end = time.monotonic() + 60
    while api.request("GET", SERVICE)[0] != 200 or api.request("GET", DEPLOYMENT)[1]["spec"]["replicas"] != 1:
        assert time.monotonic() < end
        time.sleep(0.2)


@contextlib.contextmanager
def pods_in_the_tree(environment):
    """Let Argo CD show pods: in its tree is only what the AppProject allows, which is what Git has."""
    path, key = f"{ARGO}/appprojects/infra", "/spec/namespaceResourceWhitelist"
    api, admin = environment.api(), environment.status["kubeconfig"]
    before = api.request("GET", path)[1]["spec"]["namespaceResourceWhitelist"]
    for kinds in ([{"group": "apps", "kind": "ReplicaSet"}, {"group": "", "kind": "Pod"}], []):
        patch = [{"op": "replace", "path": key, "value": before + kinds}]
        assert api.request("PATCH", path, body=patch, content_type=JSON_PATCH)[0] == 200
        run_module(argocd_app_refresh, kubeconfig=admin, names=["maildev"])
        if kinds:
            yield


def logs(kubeconfig, **options):
    return run_module(argocd_app_logs, kubeconfig=kubeconfig, **{"name": "maildev"} | options)


def argocd(environment, tmp_path, *args):
    """Run the argocd CLI without a server."""
    config = tmp_path / "config"
    text = yaml.safe_load((environment.folder / "admin.kubeconfig").read_text())
    text["contexts"][0]["context"]["namespace"] = "argocd"
    config.write_text(yaml.safe_dump(text))
    command = [environment.binary("argocd"), "--core", *args]
    settings = os.environ | {"KUBECONFIG": str(config)}
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False)


def test_the_logs_are_those_that_the_cli_reads(environment, kubeconfigs, tmp_path):
    result = logs(kubeconfigs["logs"])
    pods = [found["pod"] for found in result["containers"]]
    assert (result["log"], result["notes"]) == ([f"[pod/{pod}/maildev] {SIMULATED}" for pod in pods], []), result
    with pods_in_the_tree(environment):
        done = argocd(environment, tmp_path, "app", "logs", "maildev")
    assert (done.returncode, done.stdout.splitlines()) == (0, [SIMULATED] * len(pods)), done.stderr
    assert logs(kubeconfigs["logs"], resource={"kind": "Deployment", "name": "maildev"})["log"] == result["log"]
    assert logs(kubeconfigs["logs"], grep="real")["log"] == []
    started = time.monotonic()
    assert logs(kubeconfigs["logs"], follow=2)["log"] == result["log"]
    assert time.monotonic() - started < 6
    words = f"Pod maildev/{pods[0]}: container maildev has not been restarted, so there is no log of an earlier run"
    assert logs(kubeconfigs["logs"], previous=True)["notes"] == [words]


@pytest.mark.usefixtures("drifted")
def test_a_pod_that_cannot_start_says_why(environment, kubeconfigs):
    api = environment.api()
    image = [{"name": "maildev", "image": "rehearsal-fail/maildev:1"}]
    body = {"spec": {"template": {"spec": {"containers": image}}}}
    path, patch = DEPLOYMENT, "application/strategic-merge-patch+json"
    before = api.request("GET", path)[1]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert api.request("PATCH", path, body=body, content_type=patch)[0] == 200
    words = (
        r"Pod maildev/\S+: container maildev has not started: "
        r'ImagePullBackOff \(Back-off pulling image "rehearsal-fail/maildev:1": ErrImagePull: .+ not found\)'
    )
    end = time.monotonic() + 20
    while not [note for note in logs(kubeconfigs["logs"])["notes"] if re.fullmatch(words, note)]:
        assert time.monotonic() < end, logs(kubeconfigs["logs"])
        time.sleep(0.2)
    image[0]["image"] = before
    assert api.request("PATCH", path, body=body, content_type=patch)[0] == 200


@pytest.mark.usefixtures("drifted")
def test_the_differences_are_those_that_the_cli_sees(environment, kubeconfigs, tmp_path):
    admin = environment.status["kubeconfig"]
    run_module(argocd_app_refresh, kubeconfig=admin, names=["maildev"])
    places = {"url": f"file://{environment.folder}/monorepo.git", "path": str(environment.folder / "clone")}
    options = places | {"isolated": True, "command": [str(environment.binary("kustomize")), "build"], "name": "maildev"}
    before = environment.writes()
    result = run_module(argocd_app_diff, kubeconfig=kubeconfigs["diff"], **options)
    found = {entry["kind"]: (entry["action"], entry["fields"]) for entry in result["resources"]}
    assert found == {"Service": ("create", []), "Deployment": ("update", ["spec.replicas"])}, result
    assert environment.writes() == before
    assert environment.live(SERVICE) is None
    done = argocd(environment, tmp_path, "app", "diff", "maildev", "--exit-code=false")
    titles = re.findall(r"^===== (\S*)/(\S+) (\S+)/(\S+) ======$", done.stdout, re.M)
    keys = ("group", "kind", "namespace", "name")
    assert titles == [tuple(entry[key] for key in keys) for entry in result["resources"]], done.stdout + done.stderr
    theirs = [line[2:] for line in done.stdout.splitlines() if line.startswith("> ")]
    ours = [line[1:] for entry in result["resources"] for line in entry["diff"].splitlines()[3:] if line[0] == "+"]
    assert ours == theirs


@pytest.mark.usefixtures("drifted")
@pytest.mark.parametrize("page", ["logs", "diff"])
def test_the_commands_of_the_runbook(environment, page):
    said = carry_out(environment, page)
    if page == "diff":
        assert "-  replicas: 2" in said[-1]
        assert "create: Service maildev/maildev-web" in said[-1]
