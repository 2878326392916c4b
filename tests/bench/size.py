# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for few and for thousands of Applications of a real controller: processor, memory, and when it first speaks.

Each Application has one ConfigMap, which exists with its tracking annotation before, so that nothing is to be synced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import revisions_of, status_of
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time
from integration.conftest import BASE
from integration.test_wait import Repository, apply

from .clusters import APPLICATIONS, CONTROLLER, Bench, UnmeasuredError, cluster, say
from .figures import Figure, Section, ratio, requests_of, target
from .first import STAND_INS, until

TITLE = "Few and many Applications"
HEADERS = ["Applications", "What", "Processor", "Ratio to kubectl", "Memory", "Seconds", "First line", "Requests"]
OWN, KUBECTL = "`argocd_app_wait`", "refresh and list with kubectl until all are Synced and Healthy"
SIZES = (14, 1000, 5000)
NAMESPACE = "crowd"
COMPARED_SECONDS = 1800.0
KUBECTL_SECONDS = 1200.0
# Runs a module as its own process would, without what starts it; the arguments come from a file.
RUNNER = """
import json, sys
from pathlib import Path
import conftest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.monorepo.gitops.plugins.modules import {module}
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time
with patch_module_args(json.loads(Path(sys.argv[1]).read_text())):
    {module}.main()
"""


@dataclass
class Spent:
    """What a program used."""

    processor: float
    memory: float
    seconds: float
    output: str
    first: float | None = None  # seconds until it said something


def spend(command: list[str | Path], watched: Path | None = None, **settings: Any) -> Spent:
    """Run a program; `watched` is a file whose first line is the first that it says."""
    before, first = time.monotonic(), None
    words = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(words, stdout=output, stderr=errors, **settings)
        done: list[Any] = []
        waiter = threading.Thread(target=lambda: done.append(os.wait4(process.pid, 0)))
        waiter.start()
        while waiter.is_alive():
            if first is None and watched is not None and watched.exists() and watched.stat().st_size:
                first = time.monotonic() - before
            waiter.join(0.05)
        _pid, status, used = done[0]
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - before
        output.seek(0)
        errors.seek(0)
        text = output.read()
        if process.returncode:
            raise UnmeasuredError(f"{Path(words[0]).name} failed.", said(text) + errors.read())
    return Spent(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, seconds, text, first)


def result(output: str) -> dict[str, Any]:
    """Return the result that a module printed, which may come after warnings."""
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def said(output: str) -> str:
    """Return the message of a module that failed, without the thousands of names among its arguments."""
    try:
        return str(result(output)["msg"])
    except (IndexError, KeyError, ValueError):
        return output


class Crowd:
    """The Applications, and the repository with a folder for each."""

    def __init__(self, environment: Bench) -> None:
        self.environment, self.api = environment, environment.api()
        self.repository, self.names = Repository(environment.inventory.parent), list[str]()
        self.repository.state = {}
        apply(self.api, "AppProject", "appprojects", NAMESPACE, project(self.repository.url))
        self._create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    def grow(self, count: int) -> None:
        """Add Applications until there are so many, and wait until each was compared."""
        added = [f"{NAMESPACE}-{number:04}" for number in range(len(self.names), count)]
        for name in added:
            self.write(name, "0")
        self.push(f"{count} Applications")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._add, added))
        self.names += added
        until(f"{count} Applications are Synced", self._compared, COMPARED_SECONDS)

    def write(self, name: str, value: str) -> None:
        """Write the folder of an Application."""
        folder = self.repository.work / name
        folder.mkdir(exist_ok=True)
        (folder / "objects.yaml").write_text(yaml.safe_dump(config_map(name, value)))

    def push(self, note: str) -> str:
        """Publish the folders, and return the commit."""
        return self.repository.push(note)

    def _add(self, name: str) -> None:
        tracked = config_map(name, "0")
        tracking = f"{name}:/ConfigMap:{NAMESPACE}/{name}"
        tracked["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": tracking}
        self._create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", tracked)
        apply(self.api, "Application", "applications", name, specification(self.repository.url, name))

    def _create(self, path: str, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        version = {"apiVersion": "v1", "kind": "ConfigMap" if "data" in body else "Namespace"}
        query = {"fieldManager": "test", "force": "true"}
        status, answer = self.api.request("PATCH", f"{path}/{name}", query, version | body, APPLY)
        if status not in (200, 201):
            raise UnmeasuredError(f"{name} cannot be created.", json.dumps(answer))

    def _compared(self) -> bool:
        time.sleep(3)
        found = self.api.list_all(APPLICATIONS)[1]["items"]
        ready = [
            item
            for item in found
            if item["metadata"]["name"].startswith(NAMESPACE)
            and revisions_of(item)
            and (status_of(item).get("sync") or {}).get("status") == "Synced"
            and (status_of(item).get("health") or {}).get("status") == "Healthy"
        ]
        return len(ready) >= len(self.names)


def config_map(name: str, value: str) -> dict[str, Any]:
    """Return the only object of an Application."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def project(url: str) -> dict[str, Any]:
    """Return the AppProject of all."""
    return {"sourceRepos": [url], "destinations": [{"server": "*", "namespace": NAMESPACE}]}


def specification(url: str, name: str) -> dict[str, Any]:
    """Return the specification of an Application."""
    return {
        "project": NAMESPACE,
        "source": {"repoURL": url, "targetRevision": "main", "path": name},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
        "syncPolicy": {"automated": {}},
    }


class Programs:
    """What is measured, for all Applications that there are."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.folder = crowd, crowd.environment.inventory.parent
        self.kubeconfig = crowd.environment.status["kubeconfig"]

    def module(self, module: str, **arguments: Any) -> Spent:
        """Run one of our modules."""
        progress, given = self.folder / "progress", self.folder / "arguments.json"
        progress.unlink(missing_ok=True)
        if module == "argocd_app_wait":
            arguments |= {"progress_file": str(progress)}
        arguments |= {"kubeconfig": self.kubeconfig, "names": self.crowd.names}
        given.write_text(json.dumps(arguments))
        return spend([sys.executable, "-c", RUNNER.format(module=module), given], progress)

    def kubectl(self) -> Spent:
        """Refresh all, and list until all are Synced and Healthy: what a loop of kubectl does, without any proof."""
        resource = ["-n", "argocd", "applications.argoproj.io"]
        refresh = [*resource, "--all", "argocd.argoproj.io/refresh=normal", "--overwrite"]
        kubectl, config = self.crowd.environment.binary("kubectl"), ("--kubeconfig", self.kubeconfig)
        found = spend([kubectl, *config, "annotate", *refresh])
        while True:
            listed = spend([kubectl, *config, "get", *resource, "-o", "json"])
            found = Spent(
                found.processor + listed.processor,
                max(found.memory, listed.memory),
                found.seconds + listed.seconds,
                "",
            )
            if not pending(json.loads(listed.output)["items"]):
                return found
            if found.seconds > KUBECTL_SECONDS:
                raise UnmeasuredError(f"Not all were Synced and Healthy within {KUBECTL_SECONDS:.0f} s.")
            time.sleep(1)
            found.seconds += 1

    def listing(self) -> Spent:
        """List them with Argo CD's own CLI, without its API server."""
        variables = {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder), "PATH": os.environ["PATH"]}
        argocd = self.crowd.environment.binary("argocd")
        command = [argocd, "app", "list", "--core", "-N", "argocd", "-o", "name"]
        self.crowd.environment.kubectl("config", "set-context", "--current", "--namespace", "argocd")
        return spend(command, env=os.environ | variables)


def pending(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the Applications that were not refreshed yet, or are not Synced and Healthy."""
    return [
        item
        for item in items
        if "argocd.argoproj.io/refresh" in (item["metadata"].get("annotations") or {})
        or (status_of(item).get("sync") or {}).get("status") != "Synced"
        or (status_of(item).get("health") or {}).get("status") != "Healthy"
    ]


def measure(_rounds: int) -> Section:
    """Measure all sizes once: thousands of Applications take minutes."""
    sizes = [int(size) for size in os.environ.get("SIZES", "").split()] or list(SIZES)
    found = Section(TITLE, HEADERS)
    with cluster(**STAND_INS, gitops_components=BASE) as environment:
        say(f"{TITLE}: bringing up the cluster")
        environment.timed("site.yml")
        crowd = Crowd(environment)
        for size in sizes:
            say(f"{TITLE}: {size} Applications")
            try:
                crowd.grow(size)
            except UnmeasuredError as error:
                found.notes.append(f"{size} Applications were not measured: {error}")
                break
            spent = dict(measured(crowd, found.notes))
            found.rows += rows(size, spent)
            if size == max(sizes) and OWN in spent:
                found.notes.append(targets(size, spent[OWN]))
                found.notes += attempt("The wait after one push", lambda: after_a_push(crowd), found.notes)
    return found


def attempt(what: str, does: Callable[[], Any], notes: list[str]) -> list[Any]:
    """Return what was measured, or nothing and note why: the others are measured all the same."""
    try:
        return [does()]
    except UnmeasuredError as error:
        notes.append(f"{what} was not measured: {error} {error.output.strip()[-200:]}")
        return []


def measured(crowd: Crowd, notes: list[str]) -> Iterator[tuple[str, Spent]]:
    """Yield what each way spends; what does not work is noted."""
    programs, size = Programs(crowd), len(crowd.names)
    ways: dict[str, Callable[[], Spent]] = {
        OWN: lambda: programs.module("argocd_app_wait"),
        "`argocd_app_info`": lambda: programs.module("argocd_app_info"),
        KUBECTL: programs.kubectl,
        "`argocd app list --core`": programs.listing,
    }
    for way, does in ways.items():
        for spent in attempt(f"{way} of {size} Applications", does, notes):
            say(f"{TITLE}: {way}, {spent.processor:.1f} s of CPU time, {spent.memory:.0f} MiB, {spent.seconds:.1f} s")
            yield way, spent


def rows(size: int, spent: dict[str, Spent]) -> Iterator[list[Any]]:
    """Yield the rows of one size; only the wait does what the loop of kubectl does, and more."""
    for way, one in spent.items():
        processor, first = Figure([one.processor]), "" if one.first is None else Figure([one.first])
        beside, requests = "", ""
        if way == OWN:
            beside = ratio(processor, Figure([spent[KUBECTL].processor] if KUBECTL in spent else []))
            requests = ", ".join(f"{kind} {count}" for kind, count in result(one.output)["requests"].items())
        yield [size, way, processor, beside, Figure([one.memory], "MiB"), Figure([one.seconds]), first, requests]


def targets(size: int, spent: Spent) -> str:
    """Return whether a wait for the most Applications keeps what was set for 5,000."""
    processor, memory = Figure([spent.processor]), Figure([spent.memory], "MiB")
    first = Figure([] if spent.first is None else [spent.first])
    return (
        f"Targets: processor of a wait for {size}: {processor}, {target(processor, 12)}; memory: {memory}, "
        f"{target(memory, 250)}; first line: {first}, {target(first, 5)}. They were set for 5,000."
    )


def after_a_push(crowd: Crowd) -> str:
    """Change one Application in Git and wait for all; return when the answer came."""
    crowd.write(crowd.names[0], f"{time.time()}")
    commit = crowd.push("one push")
    with crowd.environment.audited() as entries:
        spent, at = Programs(crowd).module("argocd_app_wait", revision=commit), time.time()
    written = [
        parse_time(entry["stageTimestamp"]).timestamp()
        for entry in requests_of(entries, CONTROLLER)
        if entry["verb"] == "patch" and entry["requestURI"].startswith(APPLICATIONS)
    ]
    counts = result(spent.output)["counts"]
    late = Figure([at - max(moment for moment in written if moment <= at)])
    return (
        f"After one push, with default options: {counts['ready']} ready and {counts['failed']} failed after "
        f"{Figure([spent.seconds])}, {late} after the last status that the controller wrote, {target(late, 1)}."
    )
