# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found out about something that is not ready.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """An object and why it is not ready, in one line; whether that cannot get better by itself; and what to do next."""

    text: str
    final: bool = False
    next_step: str = ""
