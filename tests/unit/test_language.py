# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read is idiomatic English: sentences of a kind that native readers stumble over do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("docs", "inventories", "playbooks", "plugins", "roles", "examples")
# `There is no Application` is right.
PATTERNS = {
    "is not a": r"(?<!\bthere )\b(?:is|are|was) no (?!longer\b|more\b|other\b|later\b|less\b|sooner\b)\w+",
    "besides, next to, or compared with": r"(?:^|[.:] )beside\b|\bbeside (?:these|that|this|the pods)\b",
    "say, report or show": r"\btells? (?:all|where|which|whether)\b",
    "ensure, or the verb of what happens": r"^- name: (?:have|take|remember|hand over)\b",
}
# Made of what others wrote, or of measurements.
LEFT_OUT = {"faults.md", "performance.md"}


def files():
    """Yield what a user reads: documentation, descriptions, names of tasks, messages and comments."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in FOLDERS:
        for suffix in ("md", "py", "yml"):
            found = [file for file in (ROOT / folder).rglob(f"*.{suffix}") if "collections" not in file.parts]
            yield from sorted(file for file in found if file.name not in LEFT_OUT)


def stumbles(text):
    """Yield the words of a text that a pattern finds, each with its line and what is meant."""
    for meant, pattern in PATTERNS.items():
        for match in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{line}: {match[0].strip()}: {meant}"


def test_nobody_stumbles():
    found = [f"{file.relative_to(ROOT)}:{words}" for file in files() for words in stumbles(file.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("shop is no host name", 1),
        ("Beside these there are others", 1),
        ("DNS servers beside the pods", 1),
        ("There is no Application", 0),
        ("it is no longer there", 0),
        ("a Cluster beside the database", 0),
    ],
)
def test_the_patterns_find_what_they_are_for(sentence, count):
    assert len(list(stumbles(sentence))) == count
