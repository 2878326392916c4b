# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that send what a wait writes, while the wait goes on.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Workers:
    """Calls functions in threads, which do not keep the program from ending as those of an executor would."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.started = 0
        self.jobs: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = queue.SimpleQueue()

    def submit(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function soon; it must not raise."""
        if self.started < self.count:
            self.started += 1
            threading.Thread(target=self._work, daemon=True).start()
        self.jobs.put((function, args))

    def close(self) -> None:
        """Let the threads end when they have done everything."""
        for _thread in range(self.started):
            self.jobs.put(None)

    def _work(self) -> None:
        while job := self.jobs.get():
            function, args = job
            function(*args)
