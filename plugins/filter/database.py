# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of database_backup.yml and database_restore.yml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import database

Objects = list[dict[str, Any]]


def now() -> datetime:
    """Return the time at which a filter is used."""
    return datetime.now(UTC)


def database_backups(items: Objects, cluster: str) -> list[dict[str, str]]:
    """Return the Backups of a Cluster for a table, the newest first."""
    return database.rows(items, cluster, now())


def database_restore(
    cluster: dict[str, Any], backups: Objects, clusters: Objects, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return the Cluster that begins from the backups of another one, or why there is none."""
    names = ("new_cluster", "backup", "time", "server_name")
    request = database.Request(**{name: arguments[name] for name in names})
    try:
        found = database.restored(request, cluster, backups, clusters, now())
    except GitopsError as error:
        return {"problem": str(error)}
    return {"problem": "", "cluster": found, "variables": database.variables(cluster, found, now())}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "database_backups": database_backups,
            "database_oldest_state": database.oldest_state,
            "database_restore": database_restore,
        }
