# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of workload_restart."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.modules import workload_restart
from ansible_collections.monorepo.gitops.plugins.plugin_utils.k8s_action import K8sAction


class ActionModule(K8sAction):
    """See K8sAction."""

    module = workload_restart
    progress = True
