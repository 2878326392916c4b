# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting after a push, in the ways that people wait, each answer judged by the live objects at that moment.

Every way waits for the one Application that the push touches, knows neither commit nor change, and has its own push.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.message import failure_message
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import REFRESH
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time
from integration.conftest import BASE
from integration.test_wait import NAMES, Repository, apply, nothing_else, objects

from .clusters import APPLICATIONS, ARGOCD_SERVER, CONTROLLER, OURS, Bench, Cli, UnmeasuredError, cluster, say
from .figures import Answer, Figure, Section, judged, ratio, requests_of, runs, seconds_of, target
from .first import STAND_INS, until

TITLE = "Wait after a push"
HEADERS = ["Way", "Wrong answers", "Seconds of right answers", "Ours to it", "API requests", "Ours to it"]
TIMEOUT = 60.0
POLL_SECONDS = 1.0
OWN = "`argocd_app_wait`"
SYNC = "`argocd app sync`, then `argocd app wait`"


class Ways:
    """The ways to wait for an Application; each returns whether it says ready."""

    def __init__(self, environment: Bench) -> None:
        self.api, self.cli = environment.api(), Cli(environment)
        # way: (what does it, whose requests count, number of processes whose start does not count)
        self.all: dict[str, tuple[Callable[[str], bool], str, int]] = {
            OWN: (self.own, OURS, 0),
            "polling sync and health": (self.poll, OURS, 0),
            "`argocd app wait`": (self.wait, ARGOCD_SERVER, 1),
            "refresh annotation, then polling": (self.refresh_and_poll, OURS, 0),
            "`argocd app get --refresh`, then `argocd app wait`": (self.get_and_wait, ARGOCD_SERVER, 2),
            SYNC: (self.sync_and_wait, ARGOCD_SERVER, 2),
        }

    def own(self, name: str) -> bool:
        return Waiter(self.api, "argocd", Options(request=Request(), timeout=TIMEOUT), nothing_else, [name]).wait()

    def poll(self, name: str) -> bool:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            status = self.api.request("GET", f"{APPLICATIONS}/{name}")[1].get("status") or {}
            found = (status.get("sync") or {}).get("status"), (status.get("health") or {}).get("status")
            if found == ("Synced", "Healthy"):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def refresh_and_poll(self, name: str) -> bool:
        body = {"metadata": {"annotations": {REFRESH: "normal"}}}
        self.api.request("PATCH", f"{APPLICATIONS}/{name}", body=body)
        return self.poll(name)

    def wait(self, name: str) -> bool:
        return self.cli.run("app", "wait", name, "--timeout", f"{TIMEOUT:.0f}")

    def get_and_wait(self, name: str) -> bool:
        self.cli.run("app", "get", name, "--refresh")
        return self.wait(name)

    def sync_and_wait(self, name: str) -> bool:
        # Automated sync may be at work already; then the sync is refused, and the wait tells.
        self.cli.run("app", "sync", name)
        return self.wait(name)


def measure(rounds: int) -> Section:
    """Push and wait in every way, in a random order in each round."""
    with cluster(**STAND_INS, gitops_components=BASE) as environment:
        say(f"{TITLE}: bringing up the cluster")
        environment.timed("site.yml")
        repository = Repository(environment.inventory.parent)
        repository.push("first")
        for kind, plural, name, spec in objects(repository.url):
            apply(environment.api(), kind, plural, name, spec)
        settle(environment.api(), repository)
        return section(*play(environment, repository, rounds))


def play(environment: Bench, repository: Repository, rounds: int) -> tuple[dict[str, list[Answer]], Figure]:
    """Return the answers of each way and the seconds that the CLI takes to start."""
    ways, chance, starts = Ways(environment), random.Random(), []
    answers: dict[str, list[Answer]] = {way: [] for way in ways.all}
    for number in range(rounds):
        starts.append(ways.cli.start_seconds())
        for way in chance.sample(list(ways.all), len(ways.all)):
            name = change(repository, chance, f"{number} {way}")
            answer = ask(environment, repository, ways, way, name)
            cost = ways.all[way][2] * starts[-1]
            answers[way].append(
                Answer(answer.ready, answer.true, max(0.0, answer.seconds - cost), answer.requests, answer.late)
            )
            settle(ways.api, repository)
        wrong = ", ".join(judged(found) for found in answers.values())
        say(f"{TITLE}: round {number + 1} of {rounds}; wrong answers of each way so far: {wrong}")
    return answers, Figure(starts)


def change(repository: Repository, chance: random.Random, note: str) -> str:
    """Push a change of one random Application and return its name."""
    name = chance.choice(NAMES)
    state = repository.state[name]
    match chance.choice(("value", "image", "replicas")):
        case "value":
            state["value"] = f"{note} {time.time()}"
        case "image":
            state["image"] = f"web:{time.time_ns()}"
        case "replicas":
            state["replicas"] = chance.choice([count for count in (1, 2, 3) if count != state["replicas"]])
    repository.push(note)
    return name


def ask(environment: Bench, repository: Repository, ways: Ways, way: str, name: str) -> Answer:
    """Wait in one way and judge the answer at once."""
    does, client, _starts = ways.all[way]
    with environment.audited() as entries:
        before = time.monotonic()
        ready = does(name)
        seconds, at = time.monotonic() - before, time.time()
    true = is_true(ways.api, repository, name)
    written = [
        parse_time(entry["stageTimestamp"]).timestamp()
        for entry in requests_of(entries, CONTROLLER)
        if entry["verb"] == "patch" and entry["requestURI"].split("?")[0] == f"{APPLICATIONS}/{name}"
    ]
    late = at - max(written) if ready and true and written else None
    return Answer(ready, true, seconds, len(requests_of(entries, client)), late)


def is_true(api: Api, repository: Repository, name: str) -> bool:
    """Return whether the live objects are what was pushed."""
    values = api.request("GET", f"/api/v1/namespaces/{name}/configmaps/{name}")[1]
    deployment = api.request("GET", f"/apis/apps/v1/namespaces/{name}/deployments/{name}")[1]
    return runs(deployment, values if "data" in values else {}, repository.state[name])


def settle(api: Api, repository: Repository) -> None:
    """Wait until everything that was pushed runs, by the live objects, and Argo CD has nothing left to do."""
    settings = Options(request=Request(), timeout=120, not_found_grace=60, resync_failed=True)
    waiter = Waiter(api, "argocd", settings, nothing_else, list(NAMES))
    if not waiter.wait():
        text = failure_message(waiter.results(), settings.timeout, "")
        raise UnmeasuredError("The Applications were not ready between two rounds.", text)
    until("what was pushed runs", lambda: all(is_true(api, repository, name) for name in NAMES), 60)
    time.sleep(1)


def section(answers: dict[str, list[Answer]], starts: Figure) -> Section:
    """Return the table and what else was measured."""
    own = answers[OWN]
    seconds, requests = seconds_of(own), requests_in(own)
    rows: list[list[Any]] = []
    for way, found in answers.items():
        right, sent = seconds_of(found), requests_in(found)
        taken = [right, ratio(seconds, right)] if right.values else ["none was right", "—"]
        rows.append([way, judged(found), *taken, sent, ratio(requests, sent)])
    late = Figure([answer.late for answer in own if answer.late is not None]).times(1000, "ms")
    beside = Figure([answer.late for answer in answers[SYNC] if answer.late is not None]).times(1000, "ms")
    wrong = Figure([sum(answer.wrong for answer in own)], "")
    to_sync = seconds.beside(seconds_of(answers[SYNC]))
    notes = [
        f"Targets: wrong answers: {wrong}, {target(wrong, 0)}; seconds to those of sync and wait: {to_sync}, "
        f"{target(to_sync, 1)}.",
        f"Return after the last status that the controller wrote: {late}, {target(late, 200)}; "
        f"sync and wait: {beside}, ratio {ratio(late, beside)}.",
        f"The starts of the CLI do not count: {starts} each. Its requests are those of argocd-server.",
    ]
    return Section(TITLE, HEADERS, rows, notes)


def requests_in(answers: list[Answer]) -> Figure:
    """Return the requests of all answers, wrong ones too."""
    return Figure([answer.requests for answer in answers], "")
