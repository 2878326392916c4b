# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines of a module that takes long.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def progress_to(path: str | None) -> Callable[[str], None]:
    """Return a function that appends a line to a file, or does nothing without one."""

    def append(line: str) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    return append
