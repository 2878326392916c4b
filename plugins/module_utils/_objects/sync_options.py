# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the annotation of an object says about how Argo CD syncs it. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"


def sync_options(item: dict[str, Any]) -> set[str]:
    """Return the sync options of an object, such as `Prune=false`; Argo CD allows blanks between them."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    return {option.strip() for option in str(annotations.get(SYNC_OPTIONS) or "").split(",")} - {""}
