# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operations are self-heals, or in the place of one, and what they say about changes in the cluster.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    is_kept,
    operation_revisions,
    results_of,
    sync_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Seen

# Marks a sync that this wait started in place of a self-heal.
INSTEAD_OF_SELF_HEAL = {"name": "ansible-reason", "value": "drift"}


def healed(state: dict[str, Any]) -> bool:
    """Return whether an operation corrected a change made in the cluster."""
    info = (state.get("operation") or {}).get("info") or []
    return bool(sync_of(state).get("autoHealAttemptsCount")) or INSTEAD_OF_SELF_HEAL in info


def is_first_self_heal(state: dict[str, Any]) -> bool:
    """Return whether an operation is the self-heal that Argo CD begins without a pause after a sync."""
    return sync_of(state).get("autoHealAttemptsCount") == 1


def _keeps_only(state: dict[str, Any]) -> bool:
    """Return whether an operation had nothing to do but to prune what Prune=false keeps: it tries that for ever."""
    results = results_of(state)
    return bool(results) and all(is_kept(entry) for entry in results)


def _changed_nothing(state: dict[str, Any]) -> bool:
    """Return whether an operation found every object as it was wanted, at its first attempt.

    A client-side apply says so (pkg/cmd/apply/apply.go of kubectl), a server-side one does not.
    """
    results = results_of(state)
    unchanged = bool(results) and all(entry.get("message", "").endswith(" unchanged") for entry in results)
    return unchanged and not state.get("retryCount")


def corrected(state: dict[str, Any], seen: Seen) -> bool:
    """Return whether an operation took back what another manager may write again.

    Argo CD 3.6 calls it self-heal, too, when it syncs a revision that appeared while an older one was being synced, and
    when it syncs again right after a sync, because the objects in its cache are still those from before: then nothing
    is changed. After a correction, also one that a wait made in its place, that would say nothing about the cause.
    """
    if not healed(state) or _keeps_only(state):
        return False
    revisions = operation_revisions(state)
    follows = revisions == seen.synced and _changed_nothing(state)
    return not (is_first_self_heal(state) and (follows or revisions == seen.overtaking))
