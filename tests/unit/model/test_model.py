# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wait in a model of Argo CD, in which everything may happen in any order, is never wrong and never waits for ever.

`make test-long PART=model` takes more steps; SEED=7 repeats a certain sequence of worlds. A failure ends with the
shortest course of events that Hypothesis found.
"""

from __future__ import annotations

import os
import random

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import board, decision, freshness
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import verdict as verdict_module
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Proof
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .play import Play, Plot
from .world import FAULTS, LATE, Setting, World

PLAYS = 50  # worlds of which a failure is shortened together
CHOICES = 120  # steps of a world that are chosen; after them everything happens as soon as it can
SETTING = {
    **dict.fromkeys(("stamps", "generated", "heals", "fresh", "alone", "unprocessed"), st.booleans()),
    "laggard": st.sampled_from(LATE),
}
NUMBERS = [st.integers(0, count) for count in range(100)]


@st.composite
def plots(draw, faults, moment, fixed):
    """Return what happens in a world; one of the faults stays, if there are any. Some of it may be given."""
    setting = draw(st.builds(Setting, **SETTING | {key: st.just(value) for key, value in fixed.items()}))
    world = World(setting)
    happens = draw(st.lists(st.sampled_from(sorted(world.disturbances())), max_size=3))
    lasting = sorted(world.faults().keys() & faults)
    happens += [draw(st.sampled_from(lasting))] if lasting else []
    moments = ["", "push", *(["change"] if setting.heals else []), *(["deletion"] if setting.generated else [])]
    if not any("push" in label for label in happens):  # what somebody else pushes is a new question
        moments.append("named push")
    just_now = draw(st.sampled_from([one for one in moments if one == moment] or moments))
    before, in_flight = draw(st.integers(0, 40)), draw(st.sampled_from([0, 0, 2, 4, 6, 8, 10, 12]))
    return Plot(setting, before, in_flight, just_now, tuple(happens), draw(st.booleans()))


def play_rounds(number, steps, faults, phases=(Phase.generate, Phase.shrink), moment=None, **fixed):
    """Let waits happen in one world after the other until so many steps were taken."""
    taken = 0

    @settings(
        max_examples=PLAYS,
        phases=phases,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), plots(faults, moment, fixed))
    def one(data, plot):
        nonlocal taken
        left = CHOICES

        def choose(count):
            nonlocal left
            left -= 1
            return data.draw(NUMBERS[count - 1]) if count > 1 and left > 0 else 0

        play = Play(plot, choose)
        wrong = play.run()
        taken += play.world.schedule.taken
        assert wrong == [], f"{wrong}\n{plot}\n{play.story()}"

    while taken < steps:
        seed(number)(one)()
        number += 1


@pytest.mark.parametrize("faults", [frozenset(), FAULTS], ids=["passing", "lasting"])
@pytest.mark.parametrize("steps", [10_000, pytest.param(500_000, marks=pytest.mark.long("model"))])
def test_no_course_of_events_makes_a_wait_wrong(steps, faults):
    """What passes must end as ready, and soon; what lasts must never be called ready."""
    first = int(os.environ.get("SEED", random.randrange(10**6) if steps > 100_000 else 0))
    print(f"SEED={first}")
    play_rounds(first, steps, faults)


def late(just_now, **setting):
    """Return how long after its last news an Application is called ready, when everything happens as soon as it can."""
    play = Play(Plot(Setting(alone=True, heals=False, **setting), before=40, just_now=just_now), lambda _count: 0)
    assert play.run() == []
    news = [when for when, label, _detail in play.world.schedule.trace if label.startswith("wait: gets ")]
    return play.ready_at["a"] - news[-1]


AFTER_AN_OPERATION = pytest.mark.parametrize(
    ("just_now", "setting"),
    [("push", {}), ("named push", {}), ("push", {"stamps": False}), ("push", {"unprocessed": True})],
)


@AFTER_AN_OPERATION
def test_what_was_synced_is_called_ready_with_its_decisive_status(just_now, setting):
    assert late(just_now, **setting) < 0.2


@AFTER_AN_OPERATION
def test_a_pause_after_an_operation_is_found(monkeypatch, just_now, setting):
    for module in (decision, board):
        monkeypatch.setattr(module, "settled_at", lambda entry, _options: entry.since + 0.8)
    assert late(just_now, **setting) > 0.7


def test_what_needed_no_change_holds_for_a_moment():
    assert 0.29 < late("") < 0.35


def finds(*faults, moment=None, **fixed):
    """Let waits happen until one is wrong, and return what was wrong with it."""
    with pytest.raises(AssertionError) as found:
        play_rounds(0, 40_000, frozenset(faults), (Phase.generate,), moment, **fixed)
    return str(found.value)


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        ("_operation", ("hook",)),
        ("_failed", ("hook",)),
        ("_sync", ("change that nobody heals",)),
        ("_health", ("image",)),
        ("_self_heal", ("rewritten",)),
    ],
)
def test_a_verdict_without_one_of_its_rules_is_found(monkeypatch, rule, faults):
    monkeypatch.setattr(verdict_module, rule, lambda *_args: None)
    assert "was called ready and is not" in finds(*faults)


def test_a_wait_that_does_not_look_at_deletions_is_found(monkeypatch):
    monkeypatch.setattr(verdict_module, "_deletion", lambda *_args: None)
    assert "was called ready and is not" in finds(moment="deletion", generated=True, alone=True)


def test_a_barrier_that_believes_the_first_answer_is_found(monkeypatch):
    monkeypatch.setitem(freshness.ANSWER, Proof.ASKED, Proof.FRESH)
    assert "was called ready and is not" in finds(
        moment="push", stamps=False, generated=False, fresh=False, alone=True, laggard="a: refresh"
    )


def test_a_wait_without_a_barrier_is_found(monkeypatch):
    monkeypatch.setattr(freshness.Barrier, "is_fresh", property(lambda _self: True))
    assert "was called ready and is not" in finds()


def test_a_change_of_the_last_moments_is_found(monkeypatch):
    for limit in ("LAST_MOMENTS_SECONDS", "LAST_MOMENTS_AT_MOST"):
        monkeypatch.setattr(decision, limit, 0.0)
    assert "was called ready and is not" in finds(moment="change", alone=True, laggard="controller: cache")


def test_a_wait_that_never_asks_again_is_found(monkeypatch):
    monkeypatch.setattr(freshness, "ASK_AGAIN", (1000,))
    monkeypatch.setattr(decision, "BACK_OFF", {})
    monkeypatch.setattr(decision, "BACK_OFF_OTHERS", (1000,))
    assert "passed before it was called ready" in finds()
