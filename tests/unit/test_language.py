# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read is idiomatic English: sentences of a kind that native readers stumble over do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("docs", "inventories", "playbooks", "plugins", "roles", "examples", "molecule", "changelogs/fragments")
# `There is no Application` is right.
PATTERNS = {
    "is not a": r"(?<!\bthere )\b(?:is|are|was) no (?!longer\b|more\b|other\b|later\b|less\b|sooner\b)\w+",
    "besides, or compared with": r"(?:^|[,.:(] )beside\b(?! ?[=:])|\bbeside (?:these|that|this|the pods|Git)\b",
    "say, report or show": r"\btells? (?:all|where|which|whether)\b",
    "with the right, more could be reported": r"\b(?:would|could) tell more\b",
    "ensure, or the verb of what happens": r"^- name: (?:have|take|remember|hand over)\b",
    "recreate, regenerate": r"\bma(?:ke|kes|de|king)\b(?:\s+\S+){0,3}\s+anew\b",
    "does not have": r"\b(?:has|have)\s+not\s+[\d{]",
    "is not one of": r"\b(?:is|are)\s+none\s+of\b",
    "has nothing for, or that belongs to": r"\bha(?:s|ve|d)\s+nothing\s+of\b",
    "check whether, find out what": r"(?<!\bto )\bsee\s+(?:whether|what\s+should)\b",
    "without deleting": r"\bwithout\s+one\s+\w+ed\b",
    "age from which": r"\bfrom\s+which\s+on\b",
    "did you mean": r"\bdo\s+you\s+mean\b",
}
# Made of what others wrote, or of measurements.
LEFT_OUT = {"faults.md", "performance.md"}


def files():
    """Yield what a user reads: documentation, descriptions, names of tasks, messages and comments."""
    yield from (*sorted(ROOT.glob("*.md")), ROOT / "Makefile")
    for folder in FOLDERS:
        for suffix in ("md", "py", "yml", "j2"):
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
        ("objects, beside those of Git", 1),
        ("changed in the cluster beside Git", 1),
        ("it was deleted and made anew", 1),
        ("Make a generated Secret anew", 1),
        ("5 * * has not 5 fields", 1),
        ("`namespace` is none of the component's", 1),
        ("URL, of which Git has nothing of value", 1),
        ("see whether its provisioner runs", 1),
        ("see what should make it", 1),
        ("the right to list pods would tell more", 1),
        ("rendered by roles, without one deleted object", 1),
        ("Days from which on it is rotated", 1),
        ("Do you mean app?", 1),
        ("There is no Application", 0),
        ("def name_of(identity: Identity, beside: Identity) -> str:", 0),
        ("after a conflict everything is decided anew", 0),
        ("run it to see whether backups work", 0),
        ("it has not been ready", 0),
        ("it is no longer there", 0),
        ("a Cluster beside the database", 0),
    ],
)
def test_the_patterns_find_what_they_are_for(sentence, count):
    assert len(list(stumbles(sentence))) == count
