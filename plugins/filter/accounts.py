# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ServiceAccounts with which Argo CD syncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import accounts
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.accounts import widened


def impersonation_settings(settings: dict[str, Any], impersonation: bool, read_only: bool) -> dict[str, Any]:
    """Return the data of ConfigMap argocd-cm that let Argo CD sync with ServiceAccounts."""
    if problem := accounts.setting_problem(impersonation, read_only):
        raise AnsibleFilterError(problem)
    return {f"{accounts.SWITCH}.enabled": "true"} | settings if impersonation else settings


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "impersonation_settings": impersonation_settings,
            "surplus_rights": accounts.surplus,
            "widened_rights": widened,
        }
