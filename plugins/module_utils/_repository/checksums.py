# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checksum in the header of each rendered file, by which a later run sees that somebody changed it. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from ansible_collections.monorepo.gitops.plugins.module_utils._paths import KUSTOMIZATIONS, UPSTREAM
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER

MARK = "# Checksum of what follows: "
# An official file stays byte for byte, so its checksum is in the kustomization beside it.
OFFICIAL = f"# Checksum of {UPSTREAM}: "
LENGTH = 16


def digest(text: str) -> str:
    """Return the checksum of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:LENGTH]


def with_checksums(files: dict[str, str]) -> dict[str, str]:
    """Return rendered files, each with a checksum below the first line of its header; other files as they are."""
    return {name: _with_checksum(text, _official(name, files)) for name, text in files.items()}


def _with_checksum(text: str, official: str) -> str:
    header, _newline, content = text.partition("\n")
    if not header.startswith(HEADER):
        return text
    content = f"{OFFICIAL}{official}\n{content}" if official else content
    return f"{header}\n{MARK}{digest(content)}\n{content}"


def _official(name: str, files: dict[str, str]) -> str:
    """Return the checksum of the official file beside a kustomization; nothing for any other file."""
    path = PurePosixPath(name)
    text = files.get(str(path.with_name(UPSTREAM)), HEADER)
    return "" if path.name not in KUSTOMIZATIONS or text.startswith(HEADER) else digest(text)


def content_of(text: str) -> str:
    """Return what follows the header of a rendered file."""
    lines = text.split("\n")
    for mark in (HEADER, MARK, OFFICIAL):
        lines = lines[1:] if lines and lines[0].startswith(mark) else lines
    return "\n".join(lines)


def is_edited(text: str, is_checked: bool) -> bool:
    """Return whether somebody changed a rendered file; a header that is not in its place is a change as well.

    Without a checksum it was rendered before there were any, unless files of the same folder have one (`is_checked`).
    """
    header, _newline, rest = text.partition("\n")
    mark, _newline, content = rest.partition("\n")
    if not header.startswith(HEADER):
        return True
    return mark.removeprefix(MARK) != digest(content) if mark.startswith(MARK) else is_checked


def is_edited_official(text: str, kustomization: str, is_checked: bool) -> bool:
    """Return whether somebody changed an official file, or the stand-in that was rendered in its place."""
    if text.startswith(HEADER):
        return is_edited(text, is_checked)
    found = [line.removeprefix(OFFICIAL) for line in kustomization.split("\n") if line.startswith(OFFICIAL)]
    return found[0] != digest(text) if found else is_checked
