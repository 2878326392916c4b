# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows of a task while it works.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from ansible import constants as C  # noqa: N812, as everywhere in Ansible
from ansible.utils.display import Display

ANNOUNCE_SECONDS = 1.0
TAIL_SECONDS = 0.3
# The beginning of a progress line: time, numbers and the name of an Application or of an object.
SUBJECT = re.compile(r" *\d+ s: [^;]*; [\w./ -]+: ")
ROOM = 20
# A worker of Ansible has no terminal any more. This is imported before, when Ansible looks at the task.
ON_TERMINAL = sys.stdout.isatty()


@contextlib.contextmanager
def announced(title: str) -> Iterator[None]:
    """Show the title of a task that takes long while it works.

    With display_skipped_hosts=false Ansible shows a title only with the first result. Else it has shown it already.
    """
    if C.DISPLAY_SKIPPED_HOSTS:
        yield
        return
    timer = threading.Timer(ANNOUNCE_SECONDS, Display().display, [f"{title} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # a worker that ends while it hands a line to Ansible would block all that follow


class Tail:
    """Shows lines appended to a file while a module runs, because a module can only print at its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Tail:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self.thread.join()

    def _follow(self) -> None:
        # The title comes first.
        seconds = ANNOUNCE_SECONDS + TAIL_SECONDS
        while not self.ended.wait(seconds):
            self._show()
            seconds = TAIL_SECONDS
        self._show()

    def _show(self) -> None:
        text = self.path.read_bytes()[self.offset :]
        end = text.rfind(b"\n") + 1
        self.offset += end
        display = Display()
        columns = display.columns if ON_TERMINAL else 0
        for line in text[:end].decode(errors="replace").splitlines():
            display.display(fitting(f"  {line}", columns))


def fitting(line: str, columns: int) -> str:
    """Return a line that is not wrapped where it is shown; 0 columns are as many as it has.

    What an Application waits for ends with the cause, so the beginning of that is left out.
    """
    if not columns or len(line) <= columns:
        return line
    found = SUBJECT.match(line)
    room = columns - len(found[0]) - 1 if found else 0
    return f"{found[0]}…{line[-room:]}" if found and room >= ROOM else f"{line[: columns - 1]}…"
