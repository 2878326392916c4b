# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of restore.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._environment import backup


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "backup_problem": backup.problem,
            "restorable": backup.restorable,
            "resume_later": backup.resume_later,
        }
