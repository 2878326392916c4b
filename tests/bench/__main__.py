# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure one part or all, print the tables, and write docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import version

from conftest import ROOT  # first: this makes the clone importable as ansible_collections.monorepo.gitops
from rendering import programs

from . import apply, first, render, second, size, wait
from .clusters import UnmeasuredError, run
from .figures import Section, compose, unmeasured

DOCUMENT = ROOT / "docs" / "performance.md"
# part: (title, what measures it, rounds unless ROUNDS says otherwise)
PARTS: dict[str, tuple[str, Callable[[int], Section], int]] = {
    "first": (first.STAND_INS_TITLE, first.measure_stand_ins, 1),
    "official": (first.OFFICIAL_TITLE, first.measure_official, 1),
    "second": (second.TITLE, second.measure, 5),
    "wait": (wait.TITLE, wait.measure, 8),
    "size": (size.TITLE, size.measure, 1),
    "render": (render.TITLE, render.measure, 5),
    "apply": (apply.TITLE, apply.measure, 5),
}
HEAD = """
# Performance

Written by `make bench`, which measures this collection side by side with what else does the same. A figure is the
median of its rounds, followed by the smallest and the largest. A ratio is ours to the other, formed round by round
where both were measured in the same rounds: below 1 is better for us. Targets are judged by the median.

Seconds depend on the machine and on what else it does, ratios much less. Each section says when and where it was
measured.

Repeat it: `make bench` measures everything, `make bench PART=wait ROUNDS=20` one part. The parts are
{parts}.
Each brings up rehearsal clusters of its own and removes them. `official` needs the official files of the operators
below `GITOPS_UPSTREAM_MIRROR`.
"""


def machine() -> str:
    """Return what kind of machine this is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


@cache
def versions() -> str:
    """Return the versions that were measured, once: the document that is written must not make the clone dirty."""
    argocd = run(programs() / "bin" / "argocd", "version", "--client", "--short").split()[-1]
    kubernetes = run(programs() / "bin" / "kubectl", "version", "--client").split("\n")[0].split()[-1]
    commit = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    )
    return (
        f"Python {platform.python_version()}, ansible-core {version('ansible-core')}, Kubernetes {kubernetes}, "
        f"Argo CD {argocd.partition('+')[0]}, this collection at {commit.stdout.strip()}"
    )


def load() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def measured(part: str, rounds: int | None) -> str:
    """Return the section of a part, or why it has none."""
    title, measure, usual = PARTS[part]
    rounds, before, since = rounds or usual, load(), time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    try:
        found = measure(rounds)
    except UnmeasuredError as error:
        print(error.output[-4000:], file=sys.stderr)
        return unmeasured(title, str(error))
    except Exception as error:  # the other parts are measured all the same
        traceback.print_exception(error)
        return unmeasured(title, f"the benchmark failed with {type(error).__name__}.")
    caption = (
        f"{since} UTC, {rounds} round{'s' * (rounds > 1)}; {machine()}; load average {before} before, {load()} after."
    )
    return found.markdown(f"{caption} {versions()}.")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="measure only this part")
    parser.add_argument("--rounds", type=int, help="how often; each part has its own number otherwise")
    arguments = parser.parse_args()
    # A run that is ended removes its clusters, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    head = HEAD.lstrip().format(parts=", ".join(f"`{part}`" for part in PARTS))
    for part in [arguments.part] if arguments.part else PARTS:
        section = measured(part, arguments.rounds)
        print(f"\n{section}", flush=True)
        present = DOCUMENT.read_text() if DOCUMENT.exists() else ""
        titles = [title for title, _measure, _rounds in PARTS.values()]
        DOCUMENT.write_text(compose(head, titles, present, {PARTS[part][0]: section}))
    if "\nNot measured: " in DOCUMENT.read_text():
        print("Not everything was measured; docs/performance.md says why.", file=sys.stderr)


if __name__ == "__main__":
    main()
