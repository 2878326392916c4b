# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsal clusters to measure on: profiled runs, every request in the audit log, Argo CD's own CLI."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.configuration import AUDIT_POLICY
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time
from integration.conftest import Environment, temporary
from rendering import ROOT, programs
from tear_down import cluster_folder

# Names of our modules at the API server; those of Argo CD's server are in the name of its ServiceAccount.
OURS, ARGOCD_SERVER = "OpenAPI-Generator", "system:serviceaccount:argocd:argocd-server"
CONTROLLER = "system:serviceaccount:argocd:argocd-application-controller"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
# Playbooks that do nothing, and a module that does nothing.
HEAD = """
- name: Nothing
  hosts: localhost
  gather_facts: false
  tasks:
"""
NOTHING = HEAD + "    - ansible.builtin.debug:\n        msg: Nothing\n"
MODULE = HEAD + "    - ansible.builtin.ping:\n" * 4


class UnmeasuredError(Exception):
    """What was to be measured did not work. The document gets the reason, the terminal the output, too."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


class Bench(Environment):
    """An environment of `make bench`."""

    def command(self, playbook: str, *args: str) -> dict[str, Any]:
        """Return what subprocess needs; every task and module is written to the profile."""
        command = super().command(playbook, *args)
        folder = Path(__file__).parent / "callback"
        profile = {"ANSIBLE_CALLBACK_PLUGINS": str(folder), "ANSIBLE_CALLBACKS_ENABLED": "bench_profile"}
        command["env"] |= profile | {"BENCH_PROFILE": str(self.profile)}
        return command

    @property
    def profile(self) -> Path:
        """Return the file with the lines of the last run."""
        return self.inventory.parent / "profile.jsonl"

    def timed(self, playbook: str, *args: str) -> tuple[float, list[dict[str, Any]]]:
        """Run a playbook that must succeed; return its seconds and its profile."""
        self.profile.unlink(missing_ok=True)
        before = time.monotonic()
        done = self.playbook(playbook, *args)
        seconds = time.monotonic() - before
        if done.returncode:
            raise UnmeasuredError(f"{Path(playbook).name} failed.", done.stdout + done.stderr)
        return seconds, [json.loads(line) for line in self.profile.read_text().splitlines()]

    def start_seconds(self) -> float:
        """Return what Ansible itself takes for a playbook that starts no module."""
        return self.written(NOTHING)[0]

    def module_seconds(self) -> list[float]:
        """Return what tasks take that start a module and do nothing; the first one finds Python, too."""
        return [line["seconds"] for line in self.written(MODULE)[1] if "task" in line][1:]

    def written(self, playbook: str) -> tuple[float, list[dict[str, Any]]]:
        """Run a playbook that is given as text."""
        path = self.inventory.parent / "nothing.yml"
        path.write_text(playbook)
        return self.timed(str(path))

    def create(self) -> None:
        """Create the cluster as the playbook would, but with reads in its audit log, too."""
        folder = cluster_folder(self.inventory.name, self.inventory)
        launcher = ROOT / "roles" / "rehearsal_cluster" / "files" / "launch.py"
        created = RehearsalCluster(folder.name, str(folder.parents[1]), str(programs()), str(launcher), "argocd")
        rules = [rule for rule in AUDIT_POLICY["rules"] if "verbs" not in rule]
        with mock.patch.dict(AUDIT_POLICY, rules=rules):
            created.start(sorted(ROOT.glob("roles/*/files/stages/*.yaml")), [])
        self.timed("playbooks/rehearsal.yml")
        self.find_cluster()

    @contextlib.contextmanager
    def audited(self) -> Iterator[list[dict[str, Any]]]:
        """Yield a list that has the requests of this time when it ends; not the end of a watch that began before."""
        path, found = self.folder / "logs" / "audit.log", []
        start, began = path.stat().st_size, time.time()
        yield found
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().splitlines()
        entries = (json.loads(line) for line in lines if line.endswith(b"}"))
        found += [entry for entry in entries if parse_time(entry["requestReceivedTimestamp"]).timestamp() >= began]

    def kubectl(self, *args: str | Path) -> str:
        """Run kubectl as the administrator."""
        return run(self.binary("kubectl"), "--kubeconfig", self.status["kubeconfig"], *args)


class Cli:
    """Argo CD's own CLI, logged in."""

    def __init__(self, environment: Bench) -> None:
        self.program = environment.binary("argocd")
        port = json.loads((environment.folder / "ports.json").read_text())["argocd-server"]
        secret = environment.live("/api/v1/namespaces/argocd/secrets/argocd-initial-admin-secret")
        if not secret:
            raise UnmeasuredError("Argo CD has no initial password.")
        self.home = environment.inventory.parent / "argocd-cli"
        password = base64.b64decode(secret["data"]["password"]).decode()
        login = ("login", f"127.0.0.1:{port}", "--username", "admin", "--password", password)
        insecure = environment.live("/api/v1/namespaces/argocd/configmaps/argocd-cmd-params-cm")["data"]
        self.run(*login, "--plaintext" if insecure.get("server.insecure") == "true" else "--insecure", check=True)

    def run(self, *args: str, check: bool = False) -> bool:
        """Run the CLI and return whether it succeeded."""
        command = [self.program, "--config", self.home / "config", *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise UnmeasuredError(f"argocd {args[0]} failed.", done.stderr)
        return done.returncode == 0

    def start_seconds(self) -> float:
        """Return how long the program takes to start."""
        before = time.monotonic()
        self.run("version", "--client", check=True)
        return time.monotonic() - before


def run(*command: str | Path, **settings: Any) -> str:
    """Run a program that must succeed and return its output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **settings)
    if done.returncode:
        raise UnmeasuredError(f"{Path(command[0]).name} failed.", done.stdout + done.stderr)
    return done.stdout


def applications(api: Api) -> list[dict[str, Any]]:
    """Return all Applications."""
    return api.request("GET", APPLICATIONS)[1]["items"]


@contextlib.contextmanager
def cold_cache() -> Iterator[Path]:
    """Give the runs in this block a cache of their own, empty but for the binaries of the rehearsal."""
    built = programs()
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        link = Path(folder) / "monorepo.gitops" / "rehearsal"
        link.mkdir(parents=True)
        (link / built.name).symlink_to(built)
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


@contextlib.contextmanager
def cluster(**variables: Any) -> Iterator[Bench]:
    """Yield an environment of inventories/dev whose rehearsal cluster runs and is empty; remove it afterwards."""
    settings = {"gitops_environment": "bench"} | variables
    with cold_cache() as cache, temporary(Bench(cache / "environment", **settings)) as environment:
        environment.create()
        yield environment


def say(text: str) -> None:
    """Tell what is measured now."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
