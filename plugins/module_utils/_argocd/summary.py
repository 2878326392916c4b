# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Application as the results of modules have it. A pure function.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    failed_resources,
    resource_name,
    revisions_of,
    status_of,
    warnings,
)


def summary(application: Application) -> dict[str, Any]:
    """Return the main facts about an Application."""
    status = status_of(application)
    state, health = status.get("operationState") or {}, status.get("health") or {}
    return {
        "name": application["metadata"]["name"],
        "namespace": application["metadata"]["namespace"],
        "project": (application.get("spec") or {}).get("project", ""),
        "sync": (status.get("sync") or {}).get("status", ""),
        "health": health.get("status", ""),
        "health_message": health.get("message", ""),
        "revision": (status.get("sync") or {}).get("revision", ""),
        "revisions": list(revisions_of(application)),
        "phase": state.get("phase", ""),
        "message": state.get("message", ""),
        "conditions": [
            {key: entry.get(key, "") for key in ("type", "message", "lastTransitionTime")}
            for entry in status.get("conditions") or []
        ],
        "warnings": warnings(application),
        "not_synced": [
            resource_name(entry) for entry in status.get("resources") or [] if entry.get("status") == "OutOfSync"
        ],
        "failed_resources": failed_resources(application),
    }
