# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out who changes what Argo CD applied: managedFields record which manager wrote each field last.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import live_resources
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    finalizer_text,
    listed,
    resource_name,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import (
    MISSING,
    Path,
    leaves,
    path_text,
    value_at,
)

ARGOCD = "argocd-controller"
# Argo CD's last manifest, where it applies client-side.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def rewriters(api: Api, application: dict[str, Any]) -> list[str]:
    """Return a phrase for each object of an Application that is OutOfSync: who changed it, or that it is going."""
    return [
        text
        for entry, live in live_resources(api, application, "OutOfSync")
        for text in ([going(entry, live)] if live["metadata"].get("deletionTimestamp") else rewrites(entry, live))
    ]


def going(entry: dict[str, Any], live: dict[str, Any]) -> str:
    """Return that an object is being deleted, and what blocks that."""
    blocked = finalizer_text(live["metadata"].get("finalizers") or [])
    return f"{resource_name(entry)} is being deleted" + (f" (blocked by {blocked})" if blocked else "")


def rewrites(entry: dict[str, Any], live: dict[str, Any]) -> list[str]:
    """Return which manager wrote which fields that Argo CD wants to have other values."""
    managers = [found for found in live["metadata"].get("managedFields") or [] if found.get("subresource") != "status"]
    applied = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    wanted = json.loads(applied) if applied else None
    fields = {path for found in managers for path in leaves(found.get("fieldsV1") or {})}
    outer = {path[:length] for path in fields for length in range(1, len(path))}
    phrases = []
    for found in managers:
        paths = [path for path in leaves(found.get("fieldsV1") or {}) if path not in outer]
        if wanted is not None:
            paths = [path for path in paths if differs(wanted, live, path)]
        elif found["manager"] == ARGOCD or is_older(found, managers):
            continue
        if paths:
            text = f"{listed([path_text(path) for path in paths])} of {resource_name(entry)}"
            by = "an admission webhook" if found["manager"] == ARGOCD else f"manager {found['manager']}"
            phrases.append(f"{text} is written by {by}")
    return phrases


def is_older(found: dict[str, Any], managers: list[dict[str, Any]]) -> bool:
    """Return whether a manager's last write precedes Argo CD's; writes to the subresource `scale` have no time."""
    own = max((other.get("time", "") for other in managers if other["manager"] == ARGOCD), default="")
    return bool(found.get("time", own) < own)


def differs(wanted: dict[str, Any], live: dict[str, Any], path: Path) -> bool:
    """Return whether a field's value differs from the one that was applied."""
    value = value_at(wanted, path)
    return value is not MISSING and value != value_at(live, path)
