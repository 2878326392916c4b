# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of tests/faults, how an answer is compared with one, and the page about them."""

from __future__ import annotations

from typing import Any

import pytest
from fault_page import Row, page
from integration.faults import FOLDER, READY, Answer, Case, all_cases, merged

CASES = {case.name: case for case in all_cases()}
LIKE_ANY = Case("crash", "A container exits", "waiting", 15, says=["main", "Exited with 3"], never=["changed"])


def answer(message: str, **other: Any) -> Answer:
    return Answer(**{"state": "waiting", "seconds": 15.2, "message": message, "progress": "", "described": ""} | other)


def test_there_are_enough_cases():
    healthy = [case for case in CASES.values() if case.state == READY]
    assert len(healthy) >= 15
    assert len(CASES) - len(healthy) >= 45


@pytest.mark.parametrize("name", CASES)
def test_a_case_uses_each_of_its_files_and_says_what_must_be_named(name):
    case, folder = CASES[name], FOLDER / name
    used = {value for step in case.steps for verb, value in step.items() if verb in ("push", "apply")}
    assert used == {path.name for path in folder.iterdir()} - {"case.yml"}
    assert case.says or case.state == READY


def test_an_answer_with_the_right_state_and_words_has_no_faults():
    assert answer("container MAIN exited with 3").faults(LIKE_ANY) == []


def test_each_fault_of_an_answer_is_named():
    wrong = answer("main: rpc error: EOF", state="failed", progress="it was changed in the cluster")
    assert wrong.faults(LIKE_ANY) == [
        "is failed instead of waiting",
        "does not say: Exited with 3",
        "says: changed",
        "says: rpc error",
    ]


def test_the_time_and_the_progress_of_all_answers_to_a_question_count():
    first = answer("syncing", seconds=15.2, progress="it was changed")
    both = first.followed_by(answer("container main: Exited with 3", seconds=15.1, progress="main exited"))
    assert both.faults(LIKE_ANY) == ["says: changed"]
    assert both.seconds > LIKE_ANY.seconds + 1


def test_a_patch_is_merged_as_the_api_server_does():
    spec = {"source": {"path": ".", "repoURL": "x"}, "automated": {"prune": True}}
    patch = {"source": {"path": "a"}, "automated": None, "more": {"b": [1]}}
    assert merged(spec, patch) == {"source": {"path": "a", "repoURL": "x"}, "more": {"b": [1]}}


def test_the_page_has_a_table_for_each_state():
    text = page(
        [
            Row("It exits", "waiting", 15.2, "main exited |\n  again", "Synced, Progressing"),
            Row("It is there", "ready", 0.4, "", "Synced, Healthy"),
            Row("It is wrong", "failed", 2.6, "`a` <b>", "OutOfSync, Missing"),
        ]
    )
    final, waiting, ready = text.split("\n## ")[1:]
    assert final.splitlines()[-1] == r"| It is wrong | 3 | \`a\` \<b\> | OutOfSync, Missing |"
    assert waiting.splitlines()[-1] == r"| It exits | 15 | main exited \|<br>again | Synced, Progressing |"
    assert ready.splitlines()[-1] == "| It is there | 0 | (nothing) | Synced, Healthy |"
