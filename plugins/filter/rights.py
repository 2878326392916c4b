# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of playbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import rights
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def access_rights(
    names: list[str],
    modules: dict[str, Any],
    common: dict[str, Any],
    playbooks: dict[str, Any],
    sync_only: bool = False,
) -> dict[str, Any]:
    """Return the rules that playbooks need, in the namespace of Argo CD and everywhere."""
    try:
        return rights.of_playbooks(names, modules, common, playbooks, sync_only)
    except GitopsError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"access_rights": access_rights}
