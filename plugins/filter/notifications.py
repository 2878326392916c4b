# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notifications of Argo CD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.notifications import configuration, secret
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def notifications_config(
    receivers: list[dict[str, Any]], environment: str, url: str, live: dict[str, str] | None
) -> dict[str, str]:
    """Return the data of ConfigMap argocd-notifications-cm."""
    try:
        return configuration(receivers, environment, url, live or {})
    except GitopsError as error:
        raise AnsibleFilterError(str(error)) from None


def notifications_secret(receivers: list[dict[str, Any]]) -> dict[str, str]:
    """Return the data of Secret argocd-notifications-secret, as plain text."""
    return secret(receivers)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"notifications_config": notifications_config, "notifications_secret": notifications_secret}
