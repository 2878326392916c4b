# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Meaning of the attributes of the modules."""

from __future__ import annotations


class ModuleDocFragment:
    """A module adds `support` and `details`, or takes them from a variant. Only some of them run in the background."""

    DOCUMENTATION = r"""
attributes:
  async:
    description: Supports C(async), which runs the module in the background.
    support: none
  check_mode:
    description: With C(--check) the module reports what would change and changes nothing.
  diff_mode:
    description: With C(--diff) the module returns what changes.
  idempotent:
    description: A second run with the same options reports no change, if nothing else has changed in the meantime.
"""

    # The module only reads.
    READ_ONLY = r"""
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Only reads.
  idempotent:
    support: full
    details: Only reads.
"""
