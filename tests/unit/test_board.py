# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event costs what one Application costs: who is judged, and when."""

from __future__ import annotations

import copy
import functools
import json

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import board as board_module
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.board import Board
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Proof
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import FAILED, READY, WAIT, Options, Request

from .test_verdict import recorded

NOW = 1000.0
KINDS = functools.cache(recorded)


@pytest.fixture
def judged(monkeypatch):
    """Return the names of those that were judged and decided about."""
    found = {"find": [], "decide": []}
    for name, function in (("find", board_module.find), ("decide", board_module.decide)):

        def called(entry, *args, name=name, function=function):
            found[name].append(entry.name)
            return function(entry, *args)

        monkeypatch.setattr(board_module, name, called)
    return found


def version(name, number, kind="synced_healthy"):
    item = copy.deepcopy(KINDS(kind))
    item["metadata"] |= {"name": name, "uid": name, "resourceVersion": str(number)}
    item["status"]["reconciledAt"] = "2026-11-27T00:00:00Z"
    return item


def board_of(kinds, **options):
    """Return a board of Applications whose status is fresh, judged for the first time."""
    board = Board(Options(request=Request(), **options), list(kinds), bool, NOW)
    board.replace([version(name, 1, kind) for name, kind in kinds.items()])
    for entry in board.tracked.values():
        entry.barrier.proof, entry.finished_at = Proof.FRESH, NOW - 60
    board.judge(NOW, True, {})
    return board


def states(board):
    return {name: entry.verdict.state for name, entry in board.tracked.items()}


def test_only_what_has_changed_is_judged(judged):
    board = board_of(dict.fromkeys([f"a{number}" for number in range(1000)], "synced_healthy"))
    assert set(states(board).values()) == {READY}
    judged["find"].clear()
    board.observe(version("a7", 2, "progressing"), deleted=False, unbroken=True)
    board.judge(NOW + 1, True, {})
    assert judged["find"] == ["a7"]
    assert board.waiting == {"a7"}


def test_what_is_ready_is_left_alone_and_what_is_not_is_looked_at_again(judged):
    board = board_of({"ready": "synced_healthy", "waiting": "progressing"})
    judged["find"].clear()
    board.judge(NOW + 0.1, True, {})
    assert judged["find"] == []
    board.judge(NOW + 0.3, True, {})
    assert judged["find"] == ["waiting"]


def test_what_depends_on_a_failure_is_decided_with_it(judged):
    needs = {"late": ["early"], "later": ["late"], "ready": ["early"]}
    kinds = {"later": "sync_failed", "late": "sync_failed", "early": "progressing", "ready": "synced_healthy"}
    board = board_of(kinds, resync_failed=True, resync_limit=0, depends_on=needs)
    assert states(board) == {"later": WAIT, "late": WAIT, "early": WAIT, "ready": READY}
    for names in judged.values():
        names.clear()
    board.observe(version("early", 2, "sync_failed"), deleted=False, unbroken=True)
    board.judge(NOW + 0.1, True, {})
    assert judged == {"find": ["early"], "decide": ["early", "late", "later"]}
    assert states(board) == {"later": FAILED, "late": FAILED, "early": FAILED, "ready": READY}
    assert (board.waiting, board.failed) == (set(), {"early", "late", "later"})


def test_whoever_shares_an_object_is_judged_when_the_other_one_complains():
    """The owner of the object is in order by itself, and was judged before."""
    complaint = recorded("shared_b")
    board = board_of({"rounds-a": "shared_a", "rounds-b": "shared_b", "other": "synced_healthy"})
    silent = version("rounds-b", 2, "shared_b")
    silent["status"]["conditions"] = []
    board.observe(silent, deleted=False, unbroken=True)
    board.judge(NOW + 0.1, True, {})
    assert states(board)["rounds-a"] == READY
    assert board.changed == {}
    loud = silent | {"metadata": silent["metadata"] | {"resourceVersion": "3"}}
    loud["status"] = silent["status"] | {"conditions": complaint["status"]["conditions"]}
    board.observe(loud, deleted=False, unbroken=True)
    assert sorted(board.changed) == ["rounds-a", "rounds-b"]
    board.judge(NOW + 0.2, True, {})
    assert states(board)["rounds-a"] == WAIT


def test_an_application_that_is_gone_is_nowhere_any_more():
    board = board_of({"a": "progressing"})
    board.explicit = frozenset()
    board.observe(board.others["a"], deleted=True, unbroken=True)
    board.judge(NOW + 60, True, {})
    assert (board.tracked, board.others, board.waiting, board.to_refresh) == ({}, {}, set(), {})


def test_an_event_that_is_older_than_what_is_known_says_nothing():
    board = board_of({"a": "synced_healthy"})
    board.observe(version("a", 9, "synced_healthy"), deleted=False, unbroken=True)
    board.observe(version("a", 8, "progressing"), deleted=False, unbroken=True)
    board.judge(NOW + 1, True, {})
    assert states(board) == {"a": READY}
    # A list is what there is, also after etcd was restored.
    board.observe(version("a", 8, "progressing"), deleted=False, unbroken=False)
    board.judge(NOW + 1, True, {})
    assert states(board) == {"a": WAIT}


def test_what_comes_while_a_write_is_on_its_way_is_judged_after_its_answer():
    board = board_of({"a": "synced_healthy"})
    entry = board.tracked["a"]
    entry.hold()
    board.observe(version("a", 3, "progressing"), deleted=False, unbroken=True)
    board.judge(NOW + 1, True, {})
    assert states(board) == {"a": READY}
    board.update(entry, lambda: entry.release(version("a", 2)))
    board.judge(NOW + 1, True, {})
    assert states(board) == {"a": WAIT}
    assert json.loads(entry.application["metadata"]["resourceVersion"]) == 3
