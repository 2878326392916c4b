# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wait in one world, and what must be so at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import FAILED, READY, Options, Request

from .cluster import Content
from .drive import MONOTONIC, model_time, waiter
from .paths import facts
from .schedule import Choose, Step
from .world import SILENCE, Setting, World

TIMEOUT = 300.0
# Seconds after which what is true must be called ready: after the last self-heal nothing may change for ten, and what
# the controller has overlooked is asked for again after 30 at the latest.
SOON = 60.0


def brief(detail: Any) -> str:
    """Return a line about something that changed."""
    return str(facts(detail) if isinstance(detail, dict) and "spec" in detail else detail)


@dataclass(frozen=True)
class Plot:
    """What happens, in this order: some steps before the question, and the others after it or around it."""

    setting: Setting
    before: int = 0  # steps before the question
    in_flight: int = 0  # steps between the request of another client and the question
    just_now: str = ""  # what happens right before the question: "push", "named push", "change", "deletion" or nothing
    happens: tuple[str, ...] = ()
    resync: bool = False


class Play:
    """A world, and the wait that is put into it."""

    def __init__(self, plot: Plot, choose: Choose) -> None:
        self.plot, self.choose = plot, choose
        self.world = World(plot.setting)
        self.left = list(plot.happens)
        self.true_at: float | None = None
        self.ready_at: dict[str, float] = {}  # when each Application was called ready
        # Argo CD gives up soon what it cannot load, and only then a wait that syncs again helps.
        self.is_broken = bool({*plot.happens} & self.world.faults().keys()) or (
            SILENCE in plot.happens and not plot.resync
        )
        self.world.schedule.more.append(self._next)

    def _next(self) -> list[Step]:
        """Return the next of the things that happen, which may happen at any time."""
        if not self.left:
            return []
        label = self.left[0]

        def take() -> None:
            del self.left[0]
            (self.world.disturbances() | self.world.faults())[label]()

        return [Step(label, take, 0.0, float("inf"))]

    def run(self) -> list[str]:
        """Wait, and return what is wrong with the answer."""
        world, schedule = self.world, self.world.schedule
        for _step in range(self.plot.before):
            schedule.advance(self.choose, schedule.now + 1.0)
        if self.plot.in_flight:
            world.refresh("a", {})
        for _step in range(self.plot.in_flight):
            schedule.advance(self.choose, schedule.now + 1.0)
        commit = self._do_just_now()
        options = Options(
            request=Request(revisions=(commit,) if commit else ()),
            timeout=60.0 if self.is_broken else TIMEOUT,
            resync_failed=self.plot.resync,
        )
        with model_time(world, self.choose):
            wait = waiter(world, self.choose, options, world.names)
            world.ask(commit)
            look, schedule.after_step = schedule.after_step, lambda: (look(), self._clock())
            ready = wait.wait()
            self.ready_at = {name: (entry.ready_at or 0.0) - MONOTONIC for name, entry in wait.tracked.items()}
            results = {entry["name"]: entry for entry in wait.results()}
        wrong = [
            f"{name} was called ready and is not"
            for name, entry in results.items()
            if entry["state"] == READY and world.lies(name)
        ]
        seconds, patches = schedule.now - world.asked_at, wait.requests["patch"]
        if patches > 40 + 10 * seconds:
            wrong.append(f"{patches} patches in {seconds:.1f} s")
        if self.is_broken:
            return wrong
        wrong += [
            f"{name} was called {entry['state']}: {entry['reason']}"
            for name, entry in results.items()
            if entry["state"] == FAILED or (not ready and entry["state"] != READY)
        ]
        if self.true_at is not None and schedule.now - self.true_at > SOON:
            wrong.append(f"{schedule.now - self.true_at:.0f} s passed before it was called ready")
        return wrong

    def _do_just_now(self) -> str:
        """Let the last moment before the question happen, and return the commit that is asked for, if one is."""
        if self.plot.just_now == "change":
            self.world.cluster.apply("a", "changed just now")
        if self.plot.just_now == "deletion":
            self.world.store.delete("a")
        if "push" not in self.plot.just_now:
            return ""
        commit = self.world.git.push(a=Content("a pushed just now"))
        return commit if self.plot.just_now == "named push" else ""

    def story(self) -> str:
        """Return what happened, a line each."""
        return "\n".join(f"{when:8.3f} {label} {brief(detail)}" for when, label, detail in self.world.schedule.trace)

    def _clock(self) -> None:
        """Remember since when everything has been true."""
        if not all(map(self.world.is_true, self.world.names)):
            self.true_at = None
        elif self.true_at is None:
            self.true_at = self.world.schedule.now
