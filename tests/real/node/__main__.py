# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a node in namespaces of its own, run the tests of tests/real in it, and leave nothing behind."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from conftest import ROOT  # first: this makes the clone importable as ansible_collections.monorepo.gitops

from . import images, keeper, machine, programs, simulation, traces
from .cluster import VARIABLE, Node, Parts
from .keeper import say

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "monorepo.gitops" / "real-node"


def prepare() -> Parts:
    """Build what is missing, and find out what is real."""
    rehearsal, own, judge = programs.build(say)
    built = images.build(programs.cache_folder() / "images", say)
    operators = simulation.simulated_operators(simulation.rendered(), set(built))
    return Parts(
        rehearsal=str(rehearsal),
        programs=str(own),
        judge=str(judge),
        archives=sorted({str(path) for path in built.values()}),
        local=sorted(built),
        pause=images.PAUSE,
        coredns=images.COREDNS,
        operators=operators,
        stages=simulation.stage_objects(rehearsal, operators),
        stubs={image.name: image.stub for image in images.table() if image.stub},
    )


def run(parts: Parts, command: list[str], folder: Path) -> int:
    """Bring up the node and become the command; called in the namespaces."""
    began = time.monotonic()
    node = Node(folder)
    os.environ[VARIABLE] = str(folder)
    for name in ("http_proxy", "https_proxy", "all_proxy"):  # nothing is outside
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    os.environ["PYTHONPATH"] = str(ROOT / "tests")
    try:
        node.create(parts)
    except Exception:
        say(f"The logs are in {keeper.logs(folder)}.")
        raise
    say(f"The node is ready after {time.monotonic() - began:.0f} s.")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
    os.execvp(command[0], command)


def enter(command: list[str]) -> None:
    """Become a command in the namespaces of the newest node that runs."""
    found = keeper.newest(STATE)
    if not found:
        sys.exit("No node runs.")
    os.environ[VARIABLE] = str(found.folder)
    os.environ["PYTHONPATH"] = str(ROOT / "tests")
    namespaces = [f"--{kind}" for kind in ("mount", "uts", "ipc", "net", "pid", "cgroup")]
    here = ["env", f"--chdir={Path.cwd()}"]  # in a mount namespace that a process enters it begins at /
    os.execvp("nsenter", ["nsenter", "--target", found.first.read_text(), *namespaces, "--", *here, *command])


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m real.node", description=__doc__)
    parser.add_argument("--shell", action="store_true", help="run the arguments as a command instead of pytest")
    parser.add_argument("--enter", action="store_true", help="the same, in the node that runs already")
    parser.add_argument("--prepare", action="store_true", help="only build what is missing")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of pytest, or a command")
    given, options = parser.parse_known_args()
    arguments = options + given.arguments
    command = arguments or ["bash"]
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if given.enter:
        enter(command)
    machine.check()
    STATE.mkdir(parents=True, exist_ok=True)
    keeper.remove_leftovers(STATE)
    if not given.shell:
        named = any(Path(word.partition("::")[0]).exists() for word in arguments)
        command = [sys.executable, "-m", "pytest", *arguments, *([] if named else [str(ROOT / "tests" / "real")])]
    try:
        parts = prepare()
    except images.BuildError as error:
        sys.exit(str(error))
    if given.prepare:
        return
    before = traces.found(STATE)
    code = keeper.start(STATE, partial(run, parts, command))
    left = says_what_is_left(before)
    sys.exit(code or left)


def says_what_is_left(before: dict[str, set[str]]) -> bool:
    """Say what has come to the machine since then, from the node or from something else, and return whether it has."""
    left = traces.left(before, traces.found(STATE), others(STATE))
    if left:
        say("\n".join(["This came to the machine while the node ran, from it or from something else:", *left]))
    return bool(left)


def others(state: Path) -> list[str]:
    """Return the names of the runs that go on."""
    return [run.folder.name for run in keeper.runs(state) if run.goes_on()]


if __name__ == "__main__":
    main()
