# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What argocd_app_wait says about each case of tests/faults, on one cluster with a real Argo CD.

`make test` runs every third of them; `make test-long PART=faults` runs all, and writes docs/reference/faults.md.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY
from fault_page import FILE, Row, page

from .conftest import Environment, bring_up, temporary
from .fault_servers import GitServer, Webhook
from .faults import FOLDER, Answer, Place, all_cases, carry_out, follow, read

CASES = [case.name for case in all_cases()]
# Operators whose kinds the cases use; their Stages simulate them.
COMPONENTS = ["cert-manager", "cnpg-system", "external-secrets", "gateway", "strimzi"]
# A case mostly waits.
PROCESSES = 10
WAITED_SECONDS = 600
FORCED = {"fieldManager": "test", "force": "true"}


class Suite:
    """Cases side by side; those that disturb the others one after the other, when all others are over."""

    def __init__(self, pool: ProcessPoolExecutor, place: Place, names: Iterable[str]) -> None:
        self.pool, self.place = pool, place
        self.running: dict[str, Future[Answer]] = {
            name: pool.submit(carry_out, name, place) for name in names if not read(name).alone
        }

    def answer(self, name: str) -> Answer:
        if name not in self.running:
            wait(self.running.values())
            self.running[name] = self.pool.submit(carry_out, name, self.place)
        return self.running[name].result(WAITED_SECONDS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with temporary(Environment(tmp_path_factory.mktemp("faults"), gitops_components=COMPONENTS)) as environment:
        bring_up(environment)
        assert environment.first.returncode == 0, environment.first.stdout[-6000:]
        folder = tmp_path_factory.mktemp("served")
        repository, answers = folder / "cases.git", folder / "answers"
        subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
        answers.mkdir()
        git, webhook = GitServer(repository, answers), Webhook(folder)
        words = {
            "REPOSITORY": f"file://{repository}",
            "GIT_SERVER": git.url,
            "WEBHOOK_CA": webhook.ca,
            "WEBHOOK": webhook.url,
        }
        api = environment.api()
        found = Place(environment, repository, answers, words)
        for item in found.read(FOLDER / "cluster.yml"):
            status, answer = api.request("PATCH", api.path(item), FORCED, item, APPLY)
            assert status in (200, 201), answer
        yield found
        git.shutdown()
        webhook.shutdown()


@pytest.fixture(scope="module")
def suite(request: pytest.FixtureRequest, place: Place) -> Iterator[Suite]:
    """Start the cases of all tests that were selected."""
    selected = [item for item in request.session.items if item.path == Path(__file__)]
    names = {item.callspec.params["name"]: None for item in selected if hasattr(item, "callspec")}
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        yield Suite(pool, place, names)


def check(suite: Suite, name: str) -> Answer:
    answer = suite.answer(name)
    wrong = answer.faults(read(name))
    assert not wrong, f"{'; '.join(wrong)}\nSaid after {answer.seconds:.0f} s:\n{answer.message}\n{answer.progress}"
    return answer


@pytest.mark.parametrize("name", CASES[::3])
def test_every_third_case(suite: Suite, name: str) -> None:
    check(suite, name)


@pytest.mark.long("faults")
@pytest.mark.parametrize("name", CASES)
def test_each_case(suite: Suite, name: str) -> None:
    """Beside other tests an answer may come later; here it must not, except for the last look when the time is up."""
    assert check(suite, name).seconds <= read(name).seconds + 1


@pytest.mark.long("faults")
@pytest.mark.parametrize("name", ["changed-in-the-cluster", "deleted-in-the-cluster"])
def test_a_change_of_the_last_moments_is_seen(suite: Suite, place: Place, name: str) -> None:
    """An answered refresh may still show the state before it."""
    wait(suite.running.values())
    case = read(name)
    hurried = replace(case, steps=[step for step in case.steps if "noticed" not in step])
    assert follow(hurried, place).faults(case) == []


@pytest.mark.long("faults")
def test_the_page_is_written(request: pytest.FixtureRequest, suite: Suite) -> None:
    """A page of some cases, or of cases that failed, would be none."""
    assert len(suite.running) == len(CASES), "Only a run of all cases writes the page."
    assert not request.session.testsfailed
    rows = [(case, suite.answer(case.name)) for case in all_cases()]
    FILE.write_text(
        page([Row(case.title, case.state, found.seconds, found.message, found.described) for case, found in rows])
    )
