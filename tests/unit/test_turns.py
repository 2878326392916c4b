# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Since when the controller can have got to an Application, and how many requests are made at a time."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.turns import RATE, STALL_SECONDS, WINDOW, Turns


def full():
    """Return turns in which as many requests were made as may be, one each millisecond, and none is answered."""
    turns = Turns(0.0)
    for number in range(WINDOW):
        assert turns.may_ask(0.0)
        turns.ask(f"a{number}", number / 1000)
    return turns


def test_one_that_nobody_is_in_front_of_has_its_turn_at_once():
    turns = Turns(0.0)
    turns.ask("a", 1.0)
    turns.ask("b", 2.0)
    assert (turns.since("a", 50.0), turns.since("b", 50.0)) == (1.0, 2.0)


def test_the_turn_comes_when_those_that_were_asked_before_are_answered():
    turns = Turns(0.0)
    for name, asked in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        turns.ask(name, asked)
    turns.answer("a", 10.0)
    assert (turns.since("b", 50.0), turns.since("c", 50.0)) == (10.0, 10.0)
    # What was asked later and is answered all the same says that b is overlooked.
    turns.answer("c", 20.0)
    assert turns.since("b", 50.0) == 10.0
    turns.ask("d", 21.0)
    assert turns.since("d", 50.0) == 21.0


def test_an_older_request_that_is_answered_later_counts_for_all_that_came_after_it():
    turns = Turns(0.0)
    for name, asked in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)):
        turns.ask(name, asked)
    turns.answer("c", 10.0)
    turns.answer("a", 11.0)
    assert (turns.since("b", 50.0), turns.since("d", 50.0)) == (11.0, 11.0)
    assert (turns.asked, turns.answered) == ([1.0], [11.0])


def test_a_request_that_is_made_again_keeps_its_turn():
    turns = Turns(0.0)
    turns.ask("a", 1.0)
    turns.ask("a", 7.0)
    assert turns.since("a", 50.0) == 1.0


def test_no_more_than_a_window_is_asked_at_a_time():
    turns = full()
    assert not turns.may_ask(1.0)
    turns.answer("a0", 1.0)
    assert turns.may_ask(1.0)


def test_no_more_than_the_rate_is_asked_for_long():
    turns, asked = Turns(0.0), 0
    for tick in range(101):
        while turns.may_ask(tick / 10):
            turns.ask(f"a{asked}", tick / 10)
            turns.answer(f"a{asked}", tick / 10)
            asked += 1
    assert round(asked, -1) == WINDOW + 10 * RATE


def test_what_is_not_answered_does_not_keep_others_from_being_asked():
    turns = full()
    assert not turns.may_ask(STALL_SECONDS)
    assert turns.may_ask(STALL_SECONDS + 1.1)
    turns.ask("b", STALL_SECONDS + 1.1)
    # As many again as there were, and not more.
    assert sum(turns.may_ask(STALL_SECONDS + 1.2 + number) for number in range(4)) == 4
    for number in range(1, WINDOW):
        turns.ask(f"b{number}", STALL_SECONDS + 2)
    turns.answer("a0", STALL_SECONDS + 4)
    turns.ask("c", STALL_SECONDS + 4)
    assert not turns.may_ask(STALL_SECONDS + 8)


def test_what_nothing_was_asked_for_waits_in_front_of_a_full_window_only():
    turns = full()
    assert turns.since("b", 50.0) == 0.0
    turns.answer("a5", 40.0)
    assert turns.since("b", 50.0) == 50.0
    turns.ask("c", 41.0)
    assert turns.since("b", 50.0) == 40.0


def test_an_application_that_is_gone_is_not_in_the_way():
    turns = full()
    turns.forget("a1")
    turns.forget("never")
    assert turns.may_ask(1.0)


def test_what_the_controller_compares_by_itself_is_in_front_of_a_request_once():
    turns = Turns(0.0)
    for name in ("a", "b", "c"):
        turns.see(name, "12:00:00", 0.0)
    turns.ask("a", 1.0)
    turns.see("b", "12:00:00", 2.0)
    assert turns.since("a", 50.0) == 1.0
    turns.see("b", "12:00:10", 10.0)
    turns.see("c", "12:00:20", 20.0)
    assert turns.since("a", 50.0) == 20.0
    # It was put into the queue again after the request: that it is compared again says that a is overlooked.
    turns.see("b", "12:00:30", 30.0)
    assert turns.since("a", 50.0) == 20.0
    turns.ask("d", 31.0)
    turns.see("c", "12:00:40", 40.0)
    assert (turns.since("a", 50.0), turns.since("d", 50.0)) == (20.0, 40.0)


def test_an_application_that_is_new_was_in_front_of_nobody():
    turns = Turns(0.0)
    turns.ask("a", 1.0)
    turns.see("new", "12:00:10", 10.0)
    assert turns.since("a", 50.0) == 1.0


def test_a_comparison_that_nobody_asked_for_allows_more_requests():
    turns = full()
    for name in ("a0", "other"):
        turns.see(name, "12:00:00", 1.0)
    assert not turns.may_ask(1.0)
    turns.see("other", "12:00:02", 2.0)
    for name in ("more", "and more"):
        assert turns.may_ask(2.0)
        turns.ask(name, 2.0)
    # This one was asked for: its answer is counted as such.
    turns.see("a0", "12:00:03", 3.0)
    assert not turns.may_ask(3.0)
    turns.answer("a0", 3.0)
    assert turns.may_ask(3.0)
