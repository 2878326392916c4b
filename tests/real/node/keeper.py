# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a node: its first process, and the keeper outside that removes what it leaves, however it ends.

    front   the process that a user starts, on the machine; when it ends or is killed, the keeper ends the run
    keeper  on the machine; waits for the end of the first process, then removes cgroups and state
    first   the first process in the namespaces; when it ends, the kernel ends all others, and mounts, links, firewall
            tables and sockets are gone with the last one
    main    starts the node and becomes the command that was asked for; the run ends with it

Each is forked by the one before. If the keeper is killed the kernel kills the first process, and the front removes what
both have left; if the front is killed as well, the next run does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from . import cgroups, namespaces

NODE = "real"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# How long a command may go on after Ctrl-C, which it receives as well: pytest ends its fixtures and says what it did. A
# second Ctrl-C ends the run at once.
GRACE_SECONDS = 15


class Run:
    """One run of a node, by its folder of state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def first(self) -> Path:
        """Return the file with the process id of the first process, as the machine sees it."""
        return self.folder / "first.pid"

    @contextlib.contextmanager
    def locked(self, wait: bool = False) -> Iterator[bool]:
        """Say whether nobody has this run; while this goes on, this process has it."""
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError:
                yield False
            else:
                yield True

    def goes_on(self) -> bool:
        """Return whether somebody has this run."""
        with contextlib.suppress(FileNotFoundError), self.locked() as free:
            return not free
        return False

    def remove(self) -> None:
        """Remove cgroups and state, and keep the logs as those of the last run."""
        left = cgroups.remove(self.folder.name)
        if left:
            say(f"These cgroups are still in use: {', '.join(left)}. The next run tries again to remove them.")
            return
        kept = logs(self.folder)
        if (self.folder / "logs").is_dir():
            shutil.rmtree(kept, ignore_errors=True)
            (self.folder / "logs").rename(kept)
        shutil.rmtree(self.folder)


def logs(folder: Path) -> Path:
    """Return where the logs of a run are when it has ended."""
    return folder.parent / "logs"


def say(text: str) -> None:
    """Print a line at once: several processes print to the same terminal."""
    print(text, file=sys.stderr, flush=True)


def runs(state: Path) -> list[Run]:
    """Return the runs that have state, the newest first."""
    return [Run(path.parent) for path in sorted(state.glob("*/lock"), reverse=True)]


def newest(state: Path) -> Run | None:
    """Return the newest run that goes on."""
    return next((run for run in runs(state) if run.first.exists() and run.goes_on()), None)


def remove_leftovers(state: Path) -> None:
    """Remove what runs have left whose keepers were killed."""
    for run in runs(state):
        with run.locked() as free:
            if free:
                say(f"Removing what the run {run.folder.name} has left.")
                run.remove()


def start(state: Path, main: Callable[[Path], int]) -> int:
    """Run a function in a node's namespaces and return its result when everything is gone again."""
    run = Run(state / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    (run.folder / "logs").mkdir(parents=True, mode=0o755)
    say(
        f"The node's state is {run.folder}, its cgroups are {cgroups.MOUNTED}/*/{cgroups.TOP}/{run.folder.name}: "
        "both are removed at the end. Everything else is in namespaces that end with their first process."
    )
    end, front = os.pipe()  # the keeper reads the end of this process from it
    keeper = os.fork()
    if not keeper:
        os.close(front)
        leave(lambda: keep(run, end, main))
    os.close(end)

    def stop(*_: object) -> None:
        with contextlib.suppress(OSError):  # closed before
            os.close(front)

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, stop)
        signal.alarm(GRACE_SECONDS)

    for number in (*ENDING, signal.SIGALRM):
        signal.signal(number, interrupt if number == signal.SIGINT else stop)
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    if code < 0:  # it was killed
        with run.locked(wait=True):
            run.remove()
    return code if code >= 0 else 128 - code


def leave(function: Callable[[], int]) -> None:
    """End this process, a fork of another one, with the result of a function."""
    code = 1
    try:
        code = function()
    except BaseException:  # whatever it is, this process must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if 0 <= code < 256 else 1)


def keep(run: Run, end: int, main: Callable[[Path], int]) -> int:
    """Start the first process, wait until it has ended, and remove what it leaves."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    with run.locked(wait=True):  # another run may just be looking at it
        cgroups.create(run.folder.name)
        namespaces.unshare(namespaces.NEW_PROCESSES)
        go, started = os.pipe()
        first = os.fork()
        if not first:
            os.close(started)
            leave(lambda: be_first(run.folder, go, main))
        os.close(go)
        run.first.write_text(str(first))
        os.write(started, b"1")
        process = os.pidfd_open(first)
        ready = select.select([process, end], [], [])[0]
        if process not in ready:
            os.kill(first, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        run.remove()
    return code if code >= 0 else 128 - code


def be_first(folder: Path, go: int, main: Callable[[Path], int]) -> int:
    """Start what the node is for and wait for it; take the end of every other process that lost its parent."""
    # No file of the keeper stays open here, above all not its lock.
    namespaces.become_first(folder, NODE)
    if not os.read(go, 1):  # the keeper was killed before the kernel knew what to do then
        return 1
    os.closerange(3, 256)
    main_process = os.fork()
    if not main_process:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        leave(lambda: main(folder))
    while True:
        process, status = os.waitpid(-1, 0)
        if process == main_process:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
