# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work with Argo CD's objects."""

from __future__ import annotations


class ModuleDocFragment:
    """The namespace of Argo CD, and progress lines of long tasks."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the Applications and ApplicationSets, which is usually that of Argo CD.
    type: str
    default: argocd
"""

    PROGRESS = r"""
options:
  progress_file:
    description: File to which progress lines are appended. Set by the action plugin on a local connection.
    type: path
"""
