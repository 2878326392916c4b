# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in Argo CD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import people
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def rbac_policy(entries: list[dict[str, Any]], environment: str) -> str:
    """Return the value of policy.csv in ConfigMap argocd-rbac-cm."""
    try:
        return people.policy(entries, environment)
    except GitopsError as error:
        raise AnsibleFilterError(str(error)) from None


def login_settings(settings: dict[str, Any], admin_enabled: bool) -> dict[str, Any]:
    """Return the data of ConfigMap argocd-cm with `admin` switched off, unless nobody else could log in."""
    if problem := people.login_problem(admin_enabled, settings):
        raise AnsibleFilterError(problem)
    return settings if admin_enabled else {"admin.enabled": "false"} | settings


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"rbac_policy": rbac_policy, "login_settings": login_settings}
