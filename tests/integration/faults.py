# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of tests/faults: what is done to an Application, and what argocd_app_wait then says.

A case is a folder with `case.yml` and the manifests of its steps. Its Application, its namespace and its branch have
its name. Each case runs in a process of its own, because a module has its arguments and its output for itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT  # first: this makes the collection importable, also in another process than that of pytest

# isort: split
from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_wait
from unit.model.cluster import merged
from unit.running import run_module

from .conftest import ARGO, Environment

FOLDER = ROOT / "tests" / "faults"
READY, WAITING, FAILED = "ready", "waiting", "failed"
# Argo CD's wrapping of an error.
NEVER = ("rpc error", "code = Unknown", "Manifest generation error (cached)")
# What Argo CD says of any workload that is not ready: progress may say it until the cause is looked for.
NOT_A_CAUSE = "Waiting for rollout to finish"
READY_SECONDS, CREATED_SECONDS = 90, 30
SLACK = 3


@dataclass(frozen=True)
class Case:
    """What is done, and what must be said. The answer must be `state` within `seconds`."""

    name: str
    title: str
    state: str
    seconds: int
    steps: list[dict[str, Any]] = field(default_factory=lambda: [{"push": "git"}, {"ask": {}}])
    says: list[str] = field(default_factory=list)  # words of which each must be in the answer
    never: list[str] = field(default_factory=list)  # words of which none may be in it
    applications: dict[str, Any] = field(default_factory=dict)  # by name: what differs in the specification
    alone: bool = False  # whether it disturbs the others

    def __post_init__(self) -> None:
        assert self.state in (READY, WAITING, FAILED), self.state
        assert [verb for step in self.steps for verb in step].count("ask") == 1, self.name

    @property
    def names(self) -> list[str]:
        return list(self.applications or {self.name: {}})


def read(name: str) -> Case:
    return Case(name, **yaml.safe_load((FOLDER / name / "case.yml").read_text()))


def all_cases() -> list[Case]:
    """Return all cases, those that disturb the others last."""
    cases = [read(path.parent.name) for path in sorted(FOLDER.glob("*/case.yml"))]
    return sorted(cases, key=lambda case: case.alone)


@dataclass(frozen=True)
class Answer:
    """What the wait said. `message` is what is printed; `described` is what `kubectl describe application` says."""

    state: str
    seconds: float
    message: str
    progress: str
    described: str

    def faults(self, case: Case) -> list[str]:
        """Return what is wrong with the answer."""
        found = [] if self.state == case.state else [f"is {self.state} instead of {case.state}"]
        found += [f"does not say: {text}" for text in case.says if text.lower() not in self.message.lower()]
        everything = f"{self.message}\n{self.progress}".lower()
        found += [f"says: {text}" for text in (*case.never, *NEVER) if text.lower() in everything]
        return found + ([f"says: {NOT_A_CAUSE}"] if NOT_A_CAUSE in self.message else [])

    def followed_by(self, later: Answer) -> Answer:
        """Return a later answer to the same question, after the time and with the progress of both."""
        return replace(later, seconds=self.seconds + later.seconds, progress=f"{self.progress}\n{later.progress}")


@dataclass(frozen=True)
class Place:
    """Where cases are run: a rehearsal cluster, one repository, and servers that fail when they are told to."""

    environment: Environment
    repository: Path
    answers: Path
    words: Mapping[str, str]  # words in the files of a case, and what they stand for

    def read(self, path: Path) -> list[dict[str, Any]]:
        """Return the objects of a file."""
        return [item for item in yaml.safe_load_all(self.replaced(path.read_text())) if item]

    def replaced(self, text: str) -> str:
        for word, value in self.words.items():
            text = text.replace(word, value)
        return text


class Run:
    """One case while it is carried out. A public method is a verb of the steps."""

    def __init__(self, case: Case, place: Place) -> None:
        self._case, self._place, self._api = case, place, place.environment.api()
        self._commit = ""

    def push(self, folder: str) -> None:
        """Make a folder the content of the case's branch; the first time, create the Applications."""
        tree = FOLDER / self._case.name / folder
        index = self._place.repository.with_name(f"{self._case.name}.index")
        index.unlink(missing_ok=True)
        settings = {"GIT_DIR": str(self._place.repository), "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}

        def git(*args: str) -> str:
            identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
            command = ["git", *identity, *args]
            done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
            return done.stdout.strip()

        git("add", "--all", "--force", ".")
        parent = ["-p", self._commit] if self._commit else []
        first, self._commit = not self._commit, git("commit-tree", git("write-tree"), *parent, "-m", folder)
        git("update-ref", f"refs/heads/{self._case.name}", self._commit)
        if first:
            for name in self._case.names:
                self._create(name, (self._case.applications or {}).get(name) or {})

    def _create(self, name: str, patch: dict[str, Any]) -> None:
        spec = {
            "project": "faults",
            "source": {
                "repoURL": f"file://{self._place.repository}",
                "targetRevision": self._case.name,
                "path": ".",
            },
            "destination": {"server": "https://kubernetes.default.svc", "namespace": self._case.name},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m"}, "refresh": True},
                "syncOptions": [
                    "CreateNamespace=true",
                    "ApplyOutOfSyncOnly=true",
                    "SkipDryRunOnMissingResource=true",
                ],
            },
        }
        patched = yaml.safe_load(self._place.replaced(yaml.safe_dump(merged(spec, patch))))
        metadata = {"name": name, "namespace": "argocd"}
        self._apply(
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": patched}
        )

    def apply(self, file: str) -> None:
        """Apply the objects of a file, as somebody beside Argo CD does."""
        for item in self._place.read(FOLDER / self._case.name / file):
            self._apply(self._placed(item))

    def _apply(self, item: dict[str, Any]) -> None:
        query = {"fieldManager": "somebody", "force": "true"}
        status, answer = self._api.request("PATCH", self._api.path(item) or "", query, item, APPLY)
        assert status in (200, 201), answer

    def patch(self, item: dict[str, Any]) -> None:
        """Merge fields into an object, as soon as there is one; a status by itself."""
        placed = self._placed(item)
        body = {key: value for key, value in placed.items() if key not in ("apiVersion", "kind")}
        path = f"{self._api.path(placed)}{'/status' if 'status' in item else ''}"
        deadline = time.monotonic() + CREATED_SECONDS
        while True:
            status, answer = self._api.request("PATCH", path, {"fieldManager": "somebody"}, body)
            if status != 404 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert status == 200, answer

    def delete(self, item: dict[str, Any]) -> None:
        """Delete an object."""
        status, answer = self._api.request("DELETE", self._api.path(self._placed(item)) or "")
        assert status in (200, 202), answer

    def _placed(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return an object with its namespace, which is that of the case if it names none."""
        resource = self._api.resource(item)
        assert resource, f"the cluster does not know {item['apiVersion']} {item['kind']}"
        return item | {"metadata": {"namespace": self._case.name} | item["metadata"]} if resource[1] else item

    def ready(self, names: list[str] | None = None) -> None:
        """Wait until the Applications are ready."""
        found = self._asked({"names": names or self._case.names, "wait_timeout": READY_SECONDS})
        assert not found.get("failed"), found["msg"]

    def noticed(self, status: str) -> None:
        """Wait until Argo CD's own watch has shown it what somebody changed: no refresh can say more than that."""
        deadline = time.monotonic() + READY_SECONDS
        found = ""
        while found != status and time.monotonic() < deadline:
            application = self._api.request("GET", f"{ARGO}/applications/{self._case.name}")[1]
            found = ((application.get("status") or {}).get("sync") or {}).get("status", "")
            time.sleep(0.1)
        assert found == status, found

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def git(self, order: str | int) -> None:
        """Tell the Git server what to answer; `ok` is the truth."""
        told = self._place.answers / self._case.name
        if order == "ok":
            told.unlink()
        else:
            told.write_text(str(order))

    def stop(self, component: str) -> None:
        """Stop a process of Argo CD."""
        self._place.environment.rehearsal("stopped", component)

    def start(self, _all: bool) -> None:
        """Start the processes of Argo CD that do not run."""
        self._place.environment.rehearsal("argocd_started")

    def _asked(self, options: dict[str, Any]) -> dict[str, Any]:
        kubeconfig = self._place.environment.status["kubeconfig"]
        return run_module(argocd_app_wait, kubeconfig=kubeconfig, **options)

    def ask(self, options: dict[str, Any]) -> Answer:
        """Ask as a run of site.yml does, and return what is said.

        On a busy machine it may take longer until there is something to say. So what is waited for to the end is asked
        about again until the answer is right, and another answer may come late. `seconds` tells whether it was needed.
        """
        case, answer = self._case, self._answer(options)
        last = case.seconds * (SLACK - 1)
        while answer.state == case.state == WAITING and answer.faults(case) and answer.seconds < last:
            answer = answer.followed_by(self._answer(options))
        return answer

    def _answer(self, options: dict[str, Any]) -> Answer:
        slack = 1 if self._case.state == WAITING else SLACK
        given: dict[str, Any] = {"wait_timeout": self._case.seconds * slack}
        if "applicationsets" not in options:
            given["names"] = self._case.names
        if self._commit and len(self._case.names) == 1:
            given["revision"] = self._commit
        options = {key: value for key, value in (given | options).items() if value is not None}
        progress = self._place.repository.with_name(f"{self._case.name}.progress")
        progress.unlink(missing_ok=True)
        result = self._asked(options | {"progress_file": str(progress)})
        found = result.get("applications") or []
        states = {entry["state"] for entry in found}
        state = READY if not result.get("failed") else WAITING if WAITING in states else FAILED
        said = [result["msg"]] if "msg" in result else [entry["reason"] for entry in found]
        return Answer(
            state=state,
            seconds=result.get("elapsed", 0.0),
            message="\n".join(filter(None, [*said, *result.get("warnings", [])])),
            progress=progress.read_text() if progress.exists() else "",
            described="\n".join(self._described(entry) for entry in found),
        )

    def forget(self) -> None:
        """Remove the Applications, so that the controller has less to do; their objects may stay."""
        for name in self._case.names:
            self._api.request("DELETE", f"{ARGO}/applications/{name}")

    def _described(self, entry: dict[str, Any]) -> str:
        """Return what `kubectl describe application` alone says about the state."""
        settings = {
            "KUBECONFIG": self._place.environment.status["kubeconfig"],
            "KUBECACHEDIR": str(self._place.environment.folder / "kubectl"),
        }
        command = [self._place.environment.binary("kubectl"), "-n", "argocd", "describe", "application", entry["name"]]
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
        messages = dict.fromkeys(re.findall(r"^ *Message: +(\S.*)$", done.stdout, re.MULTILINE))
        return "; ".join([f"{entry['sync'] or 'no sync status'}, {entry['health'] or 'no health status'}", *messages])


def carry_out(name: str, place: Place) -> Answer:
    """Carry out a case and return the answer."""
    return follow(read(name), place)


def follow(case: Case, place: Place) -> Answer:
    """Take the steps of a case and return the answer; what follows the question is done while it is being answered."""
    run = Run(case, place)
    position = next(number for number, step in enumerate(case.steps) if "ask" in step)
    for step in case.steps[:position]:
        do(run, step)
    failures: list[BaseException] = []

    def meanwhile() -> None:
        try:
            for step in case.steps[position + 1 :]:
                do(run, step)
        except BaseException as error:  # the case fails with it
            failures.append(error)

    thread = threading.Thread(target=meanwhile)
    thread.start()
    answer = run.ask(case.steps[position]["ask"] or {})
    thread.join()
    if failures:
        raise failures[0]
    run.forget()
    return answer


def do(run: Run, step: dict[str, Any]) -> None:
    for verb, value in step.items():
        getattr(run, verb)(value)
