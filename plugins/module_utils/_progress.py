# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines of a module that takes long.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

QUIET_SECONDS = 2.0  # between two lines, whatever happens
REPEAT_SECONDS = 15.0  # between two lines about the same


def progress_to(path: str | None) -> Callable[[str], None]:
    """Return a function that appends a line to a file, or does nothing without one."""

    def append(line: str) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    return append


def silent(_line: str) -> None:
    """Show nothing."""


class Progress:
    """What a task waits for: a line every 15 seconds, or sooner when it waits for something else."""

    def __init__(self, say: Callable[[str], None] = silent) -> None:
        self.say = say
        self.started = self.looked_at = self.said_at = time.monotonic()
        self.subject = ""

    def is_due(self, now: float) -> bool:
        """Return whether it is time to look what is waited for."""
        if now - self.looked_at < QUIET_SECONDS:
            return False
        self.looked_at = now
        return True

    def tell(self, now: float, subject: str, text: str = "") -> None:
        """Show what is waited for, if it is time."""
        if self.is_due(now):
            self.show(now, subject, text)

    def show(self, now: float, subject: str, text: str | Callable[[], str] = "") -> None:
        """Show a line when the subject is another one; `text` says more, and is asked for only when it is shown."""
        if subject == self.subject and now - self.said_at < REPEAT_SECONDS:
            return
        self.subject, self.said_at = subject, now
        self.say(f"{now - self.started:4.0f} s: {(text() if callable(text) else text) or subject}")
