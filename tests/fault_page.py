# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page docs/reference/faults.md: what is said about each case of tests/faults."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "faults.md"
HEAD = """# What a wait says

What `argocd_app_wait` said about each case of `tests/faults` on a rehearsal cluster, how many seconds after the
question, and what `kubectl describe application` said at that moment. Written by `make test-long PART=faults`.
"""
TABLE = "| Case | Seconds | What is said | What `kubectl describe application` says |\n|---|---|---|---|\n"
NOTHING = "(nothing)"


@dataclass(frozen=True)
class Row:
    """A case and what was said about it."""

    title: str
    state: str
    seconds: float
    message: str
    described: str

    def line(self) -> str:
        cells = (self.title, f"{self.seconds:.0f}", cell(self.message), cell(self.described))
        return f"| {' | '.join(cells)} |\n"


def cell(text: str) -> str:
    """Return a text for a cell of a table; where the repository was is of no interest."""
    text = re.sub(r"file:///\S*/cases\.git", "file:///srv/cases.git", text)
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    for special in "\\|<>*_`[]":
        lines = [line.replace(special, f"\\{special}") for line in lines]
    return "<br>".join(filter(None, lines)) or NOTHING


def page(rows: Iterable[Row]) -> str:
    """Return the page: faults that are final, those that were waited for to the end, and what is no fault."""
    parts = {
        "failed": "## Final: the wait ends at once",
        "waiting": "## Not final: the wait ends when its time is up",
        "ready": "## Ready, and no fault",
    }
    rows = list(rows)
    texts = [
        f"{title}\n\n{TABLE}" + "".join(row.line() for row in rows if row.state == state)
        for state, title in parts.items()
    ]
    return "\n".join([HEAD, *texts])
