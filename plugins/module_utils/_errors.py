# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception of this collection."""

from __future__ import annotations

from typing import Any


class GitopsError(Exception):
    """A failure whose message is shown to the user unchanged.

    `result` is returned in addition to the message, so that a failed task still reports what it found.
    """

    def __init__(self, message: str, **result: Any) -> None:
        super().__init__(message)
        self.result = result
