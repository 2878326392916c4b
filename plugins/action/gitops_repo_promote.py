# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of gitops_repo_promote."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.modules import gitops_repo_promote
from ansible_collections.monorepo.gitops.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    """See ModuleAction."""

    module = gitops_repo_promote
