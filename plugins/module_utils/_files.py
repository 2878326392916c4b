# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a file is read and written.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from pathlib import Path


def read(path: Path) -> str:
    """Return a text as it is, whatever the locale; no run writes anything that is not UTF-8."""
    return path.read_bytes().decode("utf-8", "replace")


def replace(path: Path, content: str) -> None:
    """Write a file as a whole: an interrupted run leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
