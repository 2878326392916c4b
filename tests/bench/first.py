# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on an empty cluster beside minimal.sh, a script of kubectl and the argocd CLI that does the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from integration.conftest import MIRROR
from integration.test_wait import nothing_else

from .clusters import Bench, UnmeasuredError, applications, cluster, run, say
from .figures import Figure, Section, ratio, target

SCRIPT_SECONDS = 900.0
STAND_INS_TITLE, OFFICIAL_TITLE = "First run, with stand-ins", "First run, with the official files"
TIERS = {
    "OPERATORS": ["cert-manager", "cnpg-system", "external-secrets", "gateway", "reflector", "strimzi"],
    "PLATFORM": ["kafka", "kafka-ui", "maildev", "minio"],
    "SERVICES": ["api", "auth", "common", "temporal"],
}
STAND_INS: dict[str, Any] = {"component_stand_in": "always", "gitops_upstream_mirror": ""}
OFFICIAL: dict[str, Any] = {"component_stand_in": "never", "gitops_upstream_mirror": MIRROR}


def measure_stand_ins(rounds: int) -> Section:
    """Measure with stand-ins for the official files of the operators."""
    return measure(STAND_INS_TITLE, STAND_INS, rounds, 1.25)


def measure_official(rounds: int) -> Section:
    """Measure with the official files of the operators."""
    if not MIRROR:
        raise UnmeasuredError("GITOPS_UPSTREAM_MIRROR names no folder with the official files.")
    return measure(OFFICIAL_TITLE, OFFICIAL, rounds, 0.4)


def measure(title: str, settings: dict[str, Any], rounds: int, limit: float) -> Section:
    """Bring up two empty clusters in each round, one by site.yml and one by the script."""
    ours, theirs, ended, late, failed = [], [], [], set(), []
    for number in range(rounds):
        say(f"{title}: round {number + 1} of {rounds}, site.yml")
        with cluster(**settings) as environment:
            ours.append(environment.timed("site.yml")[0])
            kept = keep(environment)
        say(f"{title}: round {number + 1} of {rounds}, the script ({ours[-1]:.0f} s for site.yml)")
        with cluster(**settings) as environment:
            try:
                seconds, done, left = run_script(environment, kept)
            except UnmeasuredError as error:  # what site.yml took is a figure all the same
                failed.append(f"The script failed in round {number + 1}: {error} {error.output.strip()[-200:]}")
                continue
            theirs.append(seconds)
            ended.append(done)
            late.update(left)
    script, play = Figure(theirs, at_least=not all(ended)), Figure(ours)
    judged = target(play.beside(script), limit)
    rows = [["14 components on an empty cluster", play, script, ratio(play, script), judged]]
    notes = [
        "The script is `tests/bench/minimal.sh`. It finds the repository rendered and the manifests built; "
        "`site.yml` renders, builds and publishes them, too.",
        *failed,
    ]
    if not all(ended):
        notes.append(f"The script was stopped after {SCRIPT_SECONDS:.0f} s.")
    if late:
        notes.append(f"Not Synced and Healthy when it ended: {', '.join(sorted(late))}.")
    return Section(title, ["What", "`site.yml`", "kubectl and argocd", "Ratio", "Target"], rows, notes)


def keep(environment: Bench) -> dict[str, Any]:
    """Return what the script starts from: the repository, and the manifests that the run built."""
    folder = environment.inventory.parent / "kept"
    folder.mkdir()
    tree = environment.folder / "clone" / "argocd" / "appsets" / environment.name
    install = next((environment.inventory.parent.parent.parent / "monorepo.gitops" / "install").iterdir())
    built = run(environment.binary("kustomize"), "build", install / "argocd/infra/argocd/envs/install")
    return {
        "objects": list(yaml.load_all(built, Loader=yaml.CSafeLoader)),
        "applicationsets": "\n---\n".join(path.read_text() for path in sorted(tree.glob("*.yaml"))),
        "url": f"file://{environment.folder}/monorepo.git",
        "bundle": bundle(environment),
    }


def bundle(environment: Bench) -> bytes:
    """Return the whole repository."""
    path = environment.inventory.parent / "monorepo.bundle"
    environment.git("bundle", "create", str(path), "main")
    return path.read_bytes()


def run_script(environment: Bench, kept: dict[str, Any]) -> tuple[float, bool, list[str]]:
    """Run the script on an empty cluster; return its seconds, whether it ended, and what is not ready then."""
    folder = environment.inventory.parent / "script"
    folder.mkdir()
    write_files(folder, environment, kept)
    ports = json.loads((environment.folder / "ports.json").read_text())
    variables = {name: " ".join(names) for name, names in TIERS.items()} | {
        "KUBECONFIG": environment.status["kubeconfig"],
        "SERVER": f"127.0.0.1:{ports['argocd-server']}",
        "TLS": "--plaintext",
        "PATH": f"{environment.binary('')}:{os.environ['PATH']}",
        "HOME": str(folder),
    }
    with (folder / "log").open("w") as log, ThreadPoolExecutor(max_workers=1) as pool:
        before = time.monotonic()
        script = subprocess.Popen(
            [Path(__file__).parent / "minimal.sh"],
            cwd=folder,
            env=os.environ | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        kubelet = pool.submit(start_argocd, environment)
        try:
            code = script.wait(SCRIPT_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(script.pid, signal.SIGKILL)
        seconds = time.monotonic() - before
    kubelet.result()
    if code:
        raise UnmeasuredError(f"minimal.sh ended with {code}.", (folder / "log").read_text())
    return seconds, code == 0, not_ready(environment)


def write_files(folder: Path, environment: Bench, kept: dict[str, Any]) -> None:
    """Write the repository and the manifests of the script, with the address that the repository has here."""
    (folder / "bundle").write_bytes(kept["bundle"])
    bare = environment.folder / "monorepo.git"
    shutil.rmtree(bare, ignore_errors=True)
    run("git", "clone", "--quiet", "--bare", "--branch", "main", folder / "bundle", bare)
    files: dict[str, list[Any]] = {"install": [], "projects": [], "route": []}
    for item in kept["objects"]:
        kind = {"AppProject": "projects", "HTTPRoute": "route", "GRPCRoute": "route"}.get(item["kind"], "install")
        files[kind].append(item)
    texts = {name: yaml.dump_all(items, Dumper=yaml.CSafeDumper) for name, items in files.items()}
    for name, text in (texts | {"applicationsets": kept["applicationsets"]}).items():
        (folder / f"{name}.yaml").write_text(text.replace(kept["url"], f"file://{bare}"))


def start_argocd(environment: Bench) -> None:
    """Start Argo CD's processes as soon as their workloads are there, as a kubelet would."""
    path = "/apis/apps/v1/namespaces/argocd/statefulsets/argocd-application-controller"
    until("the script has installed Argo CD", lambda: environment.live(path) is not None, 300)

    def started() -> bool:
        with contextlib.suppress(GitopsError):
            return bool(environment.rehearsal("argocd_started"))
        return False

    until("Argo CD runs", started, 300)


def until(what: str, true: Callable[[], bool], seconds: float) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise UnmeasuredError(f"It took more than {seconds:.0f} s until {what}.")
        time.sleep(0.2)


def not_ready(environment: Bench) -> list[str]:
    """Return the Applications that are not Synced and Healthy once Argo CD has looked at all of them again."""
    names = [name for tier in TIERS.values() for name in tier]
    missing = set(names) - {item["metadata"]["name"] for item in applications(environment.api())}
    if missing:
        return sorted(missing)
    waiter = Waiter(environment.api(), "argocd", Options(request=Request(), timeout=20), nothing_else, names)
    waiter.wait()
    return [entry["name"] for entry in waiter.results() if entry["state"] != "ready"]
