# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose refresh is requested when, and since when the controller can have got to it.

The controller writes twice for each refresh, at most 50 times a second with its defaults, and takes one Application
after the other. What is requested faster only waits in its queue, in front of what others want of it. It puts every
Application into this queue by itself from time to time (timeout.reconciliation): of thousands, most are there already
when a wait begins. The queue has each of them once, in the order in which they came (util/workqueue of client-go).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import bisect

WINDOW = 100  # requests without an answer; some 40 keep a controller with its defaults busy
RATE = 50.0  # requests per second
STALL_SECONDS = 5.0  # after so long without any answer the window opens as wide again


class Turns:
    """Follows the requests to all Applications, and the answers."""

    def __init__(self, now: float) -> None:
        self.pending: dict[str, float] = {}  # when a request without an answer was made first, in this order
        # When requests were made and answered, as far as it matters: both grow, and what was asked later than one that
        # was answered later has been left out.
        self.asked: list[float] = []
        self.answered: list[float] = []
        self.compared: dict[str, tuple[str, float]] = {}  # by Application: its reconciledAt, and when that was seen
        self.wanted: set[str] = set()  # whose next comparison was asked for here
        self.allowance, self.counted_at = float(WINDOW), now
        self.window = WINDOW  # requests that may be without an answer
        self.moved_at = now  # when the last answer came, or the window was opened wider

    def may_ask(self, now: float) -> bool:
        """Return whether one more request may be made now, and count it."""
        self.allowance = min(float(WINDOW), self.allowance + max(0.0, now - self.counted_at) * RATE)
        self.counted_at = now
        if self._is_full and now - self.moved_at > STALL_SECONDS:
            self.moved_at, self.window = now, len(self.pending) + WINDOW
        if self.allowance < 1 or self._is_full:
            return False
        self.allowance -= 1
        return True

    def ask(self, name: str, now: float) -> None:
        """Record that a request was made; one that is made again keeps its turn."""
        if name not in self.pending:
            self.wanted.add(name)
            self.pending[name] = now

    def answer(self, name: str, now: float) -> None:
        """Record that the controller answered a request."""
        began = self.pending.pop(name, None)
        if began is not None:
            self.moved_at = now
            self._record(began, now)

    def see(self, name: str, reconciled: str, now: float) -> None:
        """Record that the controller has compared an Application, whoever wanted it to: others waited so long.

        An Application is in front of a request only once: what comes into the queue later comes behind it. While the
        controller is busy with a queue of its own, most requests are for what is in it anyway: more may be made.
        """
        before, since = self.compared.setdefault(name, (reconciled, now))
        if reconciled == before:
            return
        self.compared[name] = (reconciled, now)
        if name in self.wanted:
            self.wanted.remove(name)
        else:
            self.window += 2
        self._record(since, now)

    def _record(self, began: float, now: float) -> None:
        index = bisect.bisect_left(self.asked, began)
        del self.asked[index:], self.answered[index:]
        self.asked.append(began)
        self.answered.append(now)

    def forget(self, name: str) -> None:
        """Drop a request that nobody will answer."""
        self.pending.pop(name, None)

    def since(self, name: str, now: float) -> float:
        """Return since when the controller can have got to an Application.

        Before that it was busy with those whose requests are as old or older. An Application for which nothing was
        requested yet has its turn when others are answered.
        """
        began = self.pending.get(name)
        if began is None:
            return self._silent_since(now)
        index = bisect.bisect_right(self.asked, began)
        return max(began, self.answered[index - 1]) if index else began

    @property
    def _is_full(self) -> bool:
        return len(self.pending) >= self.window

    def _silent_since(self, now: float) -> float:
        """Return since when there are many requests and no answers; now, when one more can be made."""
        if not self._is_full:
            return now
        first = next(iter(self.pending.values()))
        return max(first, self.answered[-1]) if self.answered else first
