# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of the modules that tell how far they are."""

from __future__ import annotations


class ModuleDocFragment:
    """Lines of progress."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - File to which lines of progress are appended. The action plugin sets it and shows them, unless the module runs
        on another machine, as another user or in the background.
    type: path
"""
