# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time, and what happens in it: processes whose steps interleave in any order, and channels that are late.

A step happens at the latest when it is due, so nothing starves. Which of the possible steps comes next is chosen by the
test; the first choice is always what has been waiting longest, and after that that time passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

BEGIN = datetime(2026, 11, 26, tzinfo=UTC)
# Seconds that may pass at once, as far as nothing is due before.
LEAPS = (60.0, 1.0, 0.2, 0.02, 0.005)
OFTEN = 3
Choose = Callable[[int], int]
# The steps of a process; each tells how many seconds the next one waits at least.
Process = Generator[float | None, None, None]


@dataclass
class Step:
    """Something that may happen now: its name, when it may happen, and when it must have happened."""

    label: str
    take: Callable[[], None]
    after: float
    due: float


@dataclass
class Running:
    """A process, and when its next step may and must come."""

    label: str
    process: Process
    after: float
    due: float
    owner: str


@dataclass
class Channel:
    """Hands over what was sent, in this order, each at the latest so many seconds after it was sent."""

    label: str
    take: Callable[[Any], None]
    lag: float
    owner: str
    items: deque[tuple[float, Any]] = field(default_factory=deque)


class Schedule:
    """The clock, and everything that is under way."""

    def __init__(self, pace: float, laggard: str = "") -> None:
        self.now, self.pace = 0.0, pace
        self.laggard = laggard  # what is always as late as it can be
        self.running: list[Running] = []
        self.channels: list[Channel] = []
        self.more: list[Callable[[], list[Step]]] = []  # further steps
        self.trace: list[tuple[float, str, Any]] = []  # what happened when
        self.taken = 0
        self.after_step: Callable[[], None] = lambda: None

    def utc(self) -> str:
        """Return the time of the controllers, in whole seconds."""
        return f"{BEGIN + timedelta(seconds=int(self.now)):%Y-%m-%dT%H:%M:%SZ}"

    def start(self, label: str, process: Process, owner: str = "", after: float = 0.0) -> None:
        """Begin a process; its first step comes after so many seconds."""
        due = self.now + after + self.pace
        self.running.append(Running(label, process, self.earliest(label, due - self.pace, due), due, owner))

    def channel(self, label: str, take: Callable[[Any], None], owner: str = "") -> Channel:
        """Return a new channel."""
        self.channels.append(Channel(label, take, self.pace, owner))
        return self.channels[-1]

    def send(self, channel: Channel, item: Any) -> None:
        """Send something."""
        channel.items.append((self.now + channel.lag, item))

    def earliest(self, label: str, after: float, due: float) -> float:
        """Return when something may happen that may happen between two times."""
        return due if label == self.laggard else after

    def end(self, owner: str) -> None:
        """End the processes of an owner where they are, and lose what is on its way to it."""
        self.running = [entry for entry in self.running if entry.owner != owner]
        for channel in self.channels:
            if channel.owner == owner:
                channel.items.clear()

    def steps(self) -> list[Step]:
        """Return what is under way, what has been waiting longest first."""
        found = [
            Step(entry.label, partial(self._resume, entry), entry.after, entry.due)
            for entry in self.running
            if not entry.process.gi_running
        ]
        found += [self._hand_over(channel) for channel in self.channels if channel.items]
        for more in self.more:
            found += more()
        return sorted(found, key=lambda step: step.due)

    def _hand_over(self, channel: Channel) -> Step:
        due = channel.items[0][0]
        return Step(
            channel.label, lambda: channel.take(channel.items.popleft()[1]), self.earliest(channel.label, 0.0, due), due
        )

    def _resume(self, entry: Running) -> None:
        try:
            pause = next(entry.process) or 0.0
        except StopIteration:
            if entry in self.running:
                self.running.remove(entry)
            return
        entry.due = self.now + pause + self.pace
        entry.after = self.earliest(entry.label, self.now + pause, entry.due)

    def note(self, label: str, detail: Any = "") -> None:
        """Remember what happened, for whoever looks for the cause of a wrong answer."""
        self.trace.append((self.now, label, detail))

    def take(self, step: Step) -> None:
        """Let a step happen."""
        self.taken += 1
        self.note(step.label)
        step.take()
        self.after_step()

    def advance(self, choose: Choose, limit: float) -> None:
        """Let one step happen, or time pass until the limit at most."""
        found = self.steps()
        possible = [step for step in found if step.after <= self.now]
        overdue = [step for step in possible if step.due <= self.now]
        options = overdue or possible
        # That time passes is chosen less often than each of the steps.
        chosen = choose(OFTEN * len(options) + (not overdue)) // OFTEN if options else 0
        if chosen < len(options):
            self.take(options[chosen])
            return
        self.taken += 1
        ends = [limit, *(step.due if step.after <= self.now else step.after for step in found)]
        self.now = min(self.now + LEAPS[choose(len(LEAPS))], *(end for end in ends if end > self.now))

    def until(self, choose: Choose, limit: float, is_over: Callable[[], object]) -> None:
        """Let things happen until something is so, or until a time."""
        while self.now < limit and not is_over():
            self.advance(choose, limit)
