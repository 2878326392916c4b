# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules give the same answers as Argo CD's own CLI, about Applications in the same states.

What only reads is asked about the same Application. What changes one is done by the CLI to one Application, and by the
module to its twin. A verb is an entry of READS or WRITES.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_info,
    argocd_app_refresh,
    argocd_app_rollback,
    argocd_app_set,
    argocd_app_sync,
    argocd_app_terminate,
)
from unit.running import run_module

from .test_operate import slow_hook
from .test_wait import ARGO, Repository, apply, specification

Application = dict[str, Any]
# What an Application is like before it is asked about or changed: sync status, health, and phase of the last operation.
STATES = {
    "synced": ("Synced", "Healthy", "Succeeded"),
    "changed": ("OutOfSync", "Healthy", "Succeeded"),
    "rejected": ("OutOfSync", "Healthy", "Succeeded"),
    "running": ("OutOfSync", "Healthy", "Running"),
    "automated": ("Synced", "Healthy", "Succeeded"),
    "set": ("Synced", "Healthy", "Succeeded"),
    "redeployed": ("Synced", "Healthy", "Succeeded"),
    "uncomparable": ("Unknown", "Healthy", "Succeeded"),
}
TWINS = ("cli", "module")
# The message names a temporary file of the controller.
PATCHED = re.compile(r'patching "[^"]+"')


class Read(NamedTuple):
    """A verb that changes nothing: what is asked, and what must be the same in both answers."""

    command: list[str]
    module: ModuleType
    options: dict[str, Any]
    of_cli: Callable[[str], Any]
    of_module: Callable[[dict[str, Any]], Any]


class Write(NamedTuple):
    """A verb that changes an Application in some state: what it is, and what each of both must say.

    Afterwards both Applications must be the same.
    """

    state: str
    command: list[str]
    module: ModuleType
    options: dict[str, Any]
    cli_says: str = ""
    module_says: str = ""


# --- what must be the same -------------------------------------------------------------------------------------------


def status(application: Application) -> dict[str, Any]:
    """Return what `argocd app get` shows."""
    found, state = application["status"], application["status"].get("operationState") or {}
    return {
        "name": application["metadata"]["name"],
        "project": application["spec"]["project"],
        "sync": found["sync"]["status"],
        "revision": found["sync"].get("revision", ""),
        "health": found["health"]["status"],
        "phase": state.get("phase", ""),
        "message": state.get("message", ""),
        "conditions": sorted(entry["type"] for entry in found.get("conditions") or []),
        "resources": sorted(
            (entry["kind"], entry["name"], entry.get("status") or "") for entry in found.get("resources") or []
        ),
    }


def reported(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the same of an entry of argocd_app_info."""
    keys = ("name", "project", "sync", "revision", "health", "phase", "message")
    return {key: entry[key] for key in keys} | {
        "conditions": sorted(condition["type"] for condition in entry["conditions"]),
        "resources": sorted((item["kind"], item["name"], item["status"] or "") for item in entry["resources"]),
    }


def outcome(application: Application, name: str) -> Any:
    """Return what the last operation did, without what differs between twins."""
    state = application["status"]["operationState"]
    sync = state["operation"]["sync"]
    done = (state.get("syncResult") or {}).get("resources") or []
    found = {
        "status": application["status"]["sync"]["status"],
        "phase": state["phase"],
        "message": PATCHED.sub("patching …", state["message"]),
        # Only the CLI says which commit it was that could not be built.
        "revision": (state.get("syncResult") or {}).get("revision") if done else "",
        "asked": {key: sync.get(key) for key in ("syncOptions", "prune", "dryRun")},
        "resources": [(item["kind"], item["name"]) for item in sync.get("resources") or []],
        "applied only": "apply" in (sync.get("syncStrategy") or {}),
        "done": sorted(
            (item["kind"], item["status"], PATCHED.sub("patching …", item.get("message", ""))) for item in done
        ),
        "history": len(application["status"].get("history") or []),
        "policy": application["spec"].get("syncPolicy"),
    }
    return json.loads(json.dumps(found).replace(name, "…"))


def ids(text: str) -> list[int]:
    """Return the first column of the table of `argocd app history`."""
    return [int(line.split()[0]) for line in text.splitlines() if line[:1].isdigit()]


def first(result: dict[str, Any]) -> dict[str, Any]:
    assert result.get("applications"), result
    return result["applications"][0]


FRESH = ("sync", "revision", "health")
READS = {
    "get": Read(
        ["get", "NAME", "--output", "json"],
        argocd_app_info,
        {},
        lambda text: status(json.loads(text)),
        lambda result: reported(first(result)),
    ),
    "history": Read(
        ["history", "NAME"],
        argocd_app_info,
        {},
        ids,
        lambda result: [entry["id"] for entry in reversed(first(result)["history"])],  # the newest comes first
    ),
    "refresh": Read(
        ["get", "NAME", "--refresh", "--output", "json"],
        argocd_app_refresh,
        {"wait_timeout": 60},
        lambda text: {key: status(json.loads(text))[key] for key in FRESH},
        lambda result: {key: first(result)[key] for key in FRESH},
    ),
}

SYNC, QUICK = ["sync", "NAME", "--timeout", "60"], {"wait_timeout": 60, "on_conflict": "fail"}
WRITES = {
    "sync of what is synced": Write("synced", SYNC, argocd_app_sync, QUICK),
    "dry run": Write("changed", [*SYNC, "--dry-run"], argocd_app_sync, QUICK | {"dry_run": True}),
    "one resource": Write(
        "changed",
        [*SYNC, "--resource", ":ConfigMap:NAME"],
        argocd_app_sync,
        QUICK | {"resources": [{"kind": "ConfigMap", "name": "NAME"}]},
    ),
    "sync": Write("changed", SYNC, argocd_app_sync, QUICK),
    "sync of what the API server rejects": Write(
        "rejected",
        SYNC,
        argocd_app_sync,
        QUICK,
        "must be greater than or equal to 0",
        "must be greater than or equal to 0",
    ),
    "another revision where sync is automated": Write(
        "automated",
        [*SYNC, "--revision", "HEAD~1"],
        argocd_app_sync,
        QUICK | {"revision": "HEAD~1"},
        "Cannot sync to HEAD~1: auto-sync currently set to main",
        "Cannot sync to HEAD~1: auto-sync currently set to main",
    ),
    "sync of what cannot be built": Write("uncomparable", SYNC, argocd_app_sync, QUICK, "missing.yaml", "missing.yaml"),
    "sync while another one runs": Write(
        "running",
        SYNC,
        argocd_app_sync,
        QUICK,
        "another operation is already in progress",
        "another operation is already in progress",
    ),
    "the end of an operation": Write("running", ["terminate-op", "NAME"], argocd_app_terminate, {"wait_timeout": 60}),
    "a sync policy": Write(
        "set",
        ["set", "NAME", "--sync-policy", "automated", "--auto-prune", "--sync-option", "PruneLast=true"],
        argocd_app_set,
        {"sync_policy": "automated", "auto_prune": True, "sync_options": ["PruneLast=true"]},
    ),
    "no sync policy": Write("set", ["set", "NAME", "--sync-policy", "none"], argocd_app_set, {"sync_policy": "none"}),
    "a rollback": Write(
        "redeployed", ["rollback", "NAME", "--timeout", "60"], argocd_app_rollback, {"name": "NAME", "wait_timeout": 60}
    ),
    "a rollback where sync is automated": Write(
        "automated",
        ["rollback", "NAME", "0", "--timeout", "60"],
        argocd_app_rollback,
        {"name": "NAME", "id": 0, "wait_timeout": 60},
        "rollback cannot be initiated when auto-sync is enabled",
        "rollback cannot be initiated when auto-sync is enabled",
    ),
    # The module is idempotent.
    "the end of nothing": Write(
        "synced", ["terminate-op", "NAME"], argocd_app_terminate, {}, "No operation is in progress", ""
    ),
}


# --- the two clients -------------------------------------------------------------------------------------------------


class Cli:
    """The binary: with a kubeconfig alone where that is enough, else logged in."""

    # With a kubeconfig alone it would reach the repo-server through a port that is forwarded to its pod.
    WITH_SERVER = ("sync", "rollback")

    def __init__(self, environment, folder):
        self.program = environment.binary("argocd")
        kubeconfig = yaml.safe_load(Path(environment.status["kubeconfig"]).read_text())
        kubeconfig["contexts"][0]["context"]["namespace"] = "argocd"
        (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        self.env = os.environ | {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
        port = json.loads((environment.folder / "ports.json").read_text())["argocd-server"]
        secret = environment.live("/api/v1/namespaces/argocd/secrets/argocd-initial-admin-secret")
        password = base64.b64decode(secret["data"]["password"]).decode()
        login = ["login", f"127.0.0.1:{port}", "--username", "admin", "--password", password]
        settings = environment.live("/api/v1/namespaces/argocd/configmaps/argocd-cmd-params-cm")["data"]
        done = self.run(*login, "--plaintext" if settings.get("server.insecure") == "true" else "--insecure")
        assert done.returncode == 0, done.stderr

    def run(self, *words):
        return subprocess.run(
            [self.program, *words], env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def app(self, verb, *words):
        if verb in self.WITH_SERVER:
            return self.run("app", verb, *words)
        done = self.run("--core", "app", verb, *words)
        # With --core it starts a server of its own, which ends it with this error when it is quicker than the server.
        while done.returncode and "Timed out waiting for project cache to sync" in done.stderr:
            done = self.run("--core", "app", verb, *words)
        return done


class Twins:
    """Two Applications for each state, with the same content."""

    def __init__(self, environment, folder):
        self.environment, self.api = environment, environment.api()
        self.cli = Cli(environment, folder)
        self.kubeconfig = environment.status["kubeconfig"]
        self.repository = Repository(folder)
        self.names = [f"{twin}-{state}" for twin in TWINS for state in STATES]
        self.good = {"image": "web:1", "replicas": 1, "broken": "", "value": "0", "more": []}
        self.repository.state = {name: dict(self.good) for name in self.names}
        self.repository.push("first")
        any_kind = [{"group": "*", "kind": "*"}]
        project = {"sourceRepos": [self.repository.url], "clusterResourceWhitelist": any_kind}
        apply(
            self.api,
            "AppProject",
            "appprojects",
            "twins",
            project | {"destinations": [{"server": "*", "namespace": "*"}]},
        )
        for name in self.names:
            spec = specification(self.repository.url, name) | {"project": "twins"}
            if not name.endswith("automated"):
                del spec["syncPolicy"]["automated"], spec["syncPolicy"]["retry"]
            apply(self.api, "Application", "applications", name, spec)
        # A sync of what automated sync may have synced already would be a second deployment of one twin only.
        manual = [name for name in self.names if not name.endswith("automated")]
        result = run_module(argocd_app_sync, kubeconfig=self.kubeconfig, names=manual, wait_timeout=90)
        assert {entry["state"] for entry in result["applications"]} == {"ready"}, result

    def application(self, name: str) -> Application:
        return self.api.request("GET", f"{ARGO}/applications/{name}")[1]

    def bring(self, *states: str) -> None:
        """Bring both Applications of these states into them."""
        self.count = getattr(self, "count", 0) + 1
        pushed = {
            "changed": {"value": str(self.count), "replicas": 1 + self.count},
            "redeployed": {"value": str(self.count)},
            "rejected": {"broken": "rejected"},
            "running": {"value": str(self.count), "more": [slow_hook()]},
            "uncomparable": {"broken": "kustomize"},
        }
        names = [f"{twin}-{state}" for twin in TWINS for state in states]
        for name in names:
            self.repository.state[name] = self.good | pushed.get(name.partition("-")[2], {})
        self.repository.push(f"state {self.count}")
        run_module(argocd_app_refresh, kubeconfig=self.kubeconfig, names=names, wait_timeout=60)
        running = [name for name in names if name.endswith("running") and "operation" not in self.application(name)]
        if running:
            run_module(argocd_app_sync, kubeconfig=self.kubeconfig, names=running, wait=False)
        if redeployed := [name for name in names if name.endswith("redeployed")]:
            run_module(argocd_app_sync, kubeconfig=self.kubeconfig, names=redeployed, wait_timeout=60)
        for name in names:
            self.await_state(name)

    def await_state(self, name: str) -> None:
        end, found = time.monotonic() + 60, {}
        while tuple(found.get(key) for key in ("sync", "health", "phase")) != STATES[name.partition("-")[2]]:
            assert time.monotonic() < end, found
            time.sleep(0.1)
            found = status(self.application(name))

    def compared(self, name: str) -> Application:
        """Return an Application after it was compared with Git."""
        run_module(argocd_app_refresh, kubeconfig=self.kubeconfig, names=[name], wait_timeout=60)
        return self.application(name)


@pytest.fixture(scope="module")
def twins(test_environment, tmp_path_factory):
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    return Twins(test_environment, tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="module")
def asked(twins):
    """Bring all twins into their states, once."""
    twins.bring(*STATES)
    return twins


def test_both_list_the_same(asked):
    listed = json.loads(asked.cli.app("list", "--output", "json").stdout)
    result = run_module(argocd_app_info, kubeconfig=asked.kubeconfig)
    ours = {entry["name"]: reported(entry) for entry in result["applications"]}
    assert {item["metadata"]["name"]: status(item) for item in listed} == ours
    assert set(asked.names) < set(ours)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", READS)
def test_both_read_the_same(asked, verb, state):
    read, name = READS[verb], f"cli-{state}"
    done = asked.cli.app(*(word.replace("NAME", name) for word in read.command))
    assert done.returncode == 0, done.stderr
    result = run_module(read.module, kubeconfig=asked.kubeconfig, names=[name], **read.options)
    assert read.of_cli(done.stdout) == read.of_module(result)


@pytest.mark.parametrize("verb", WRITES)
def test_both_do_the_same(asked, verb):
    write = WRITES[verb]
    cli, module = (f"{twin}-{write.state}" for twin in TWINS)
    asked.bring(write.state)
    done = asked.cli.app(*(word.replace("NAME", cli) for word in write.command))
    assert (done.returncode == 0) is (not write.cli_says), done.stdout + done.stderr
    assert write.cli_says in done.stdout + done.stderr
    options = json.loads(json.dumps(write.options).replace("NAME", module))
    chosen = {} if "name" in options else {"names": [module]}
    result = run_module(write.module, kubeconfig=asked.kubeconfig, **chosen, **options)
    assert bool(result.get("failed")) is bool(write.module_says), result
    assert write.module_says in json.dumps(result)
    theirs, ours = (outcome(asked.compared(name), name) for name in (cli, module))
    assert theirs == ours


def test_what_is_not_there_is_an_error_of_the_cli_and_named_by_the_module(asked):
    done = asked.cli.app("get", "nobody")
    assert done.returncode != 0
    assert "permission denied" in done.stderr  # it does not say which, because it is made for many users
    result = run_module(argocd_app_info, kubeconfig=asked.kubeconfig, names=["nobody"])
    assert (result["applications"], result["missing"]) == ([], ["nobody"])
