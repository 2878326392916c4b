# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that playbooks need, from the table in playbooks/vars/rights.yml. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

Table = dict[str, Any]
Rule = dict[str, Any]
SCOPES = ("here", "everywhere")
# Playbooks for which it is enough to ask for a refresh, and for a sync of what an Application follows. Not verify: it
# reads every Secret, also those with which one is administrator of Argo CD.
SYNC_ONLY = {"logs", "promote", "refresh", "status", "sync"}


def rules(entries: Iterable[dict[str, Any]]) -> list[Rule]:
    """Return entries of the table as rules of RBAC, each once; one right is in one rule."""
    found: dict[tuple[str, ...], set[str]] = {}
    for entry in entries:
        for resource in entry["resources"].split():
            key = (entry.get("group", ""), resource, entry.get("names", ""))
            found.setdefault(key, set()).update(entry["verbs"].split())
    for (group, resource, names), verbs in found.items():
        if names:  # what the rule for all objects of this kind has already
            verbs.difference_update(found.get((group, resource, ""), set()))
    grouped: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, names), verbs in sorted(found.items()):
        if verbs:
            grouped.setdefault((group, names, tuple(sorted(verbs))), []).append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
        | ({"resourceNames": names.split()} if names else {})
        for (group, names, verbs), resources in grouped.items()
    ]


def of_modules(modules: Table, common: Table, names: Iterable[str]) -> dict[str, list[Rule]]:
    """Return the rules for these modules, in the namespace of Argo CD and everywhere."""
    entries = [common, *(modules[name] for name in names)]
    return {scope: rules(rule for entry in entries for rule in entry.get(scope, [])) for scope in SCOPES}


def of_playbooks(
    names: list[str], modules: Table, common: Table, playbooks: Table, sync_only: bool = False
) -> dict[str, list[Rule]]:
    """Return the rules for these playbooks; `sync_only` says that an account may do no more than refresh and sync."""
    for name in names:
        if name not in playbooks:
            raise GitopsError(
                f"playbooks lists {name}, which has no predefined role: choose from {', '.join(playbooks)}. Others "
                "need cluster-admin, or rights that depend on the components."
            )
        if sync_only and name not in SYNC_ONLY:
            raise GitopsError(
                f"sync_only excludes what {name} needs: leave it out of playbooks, which may have "
                f"{', '.join(sorted(SYNC_ONLY))}, or do not set sync_only."
            )
    return of_modules(modules, common, [module for name in names for module in playbooks[name]])
