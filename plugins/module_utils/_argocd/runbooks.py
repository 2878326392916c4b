# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the page of docs/runbooks that says what to do about Applications.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Code

# Leads from a reason to all others.
FIRST = "not_healthy.md"
ARGOCD_ITSELF = f"{FIRST}#argo-cd-itself"
DEPENDENCIES = f"{FIRST}#dependencies"
SYNC_FAILURES = f"{FIRST}#sync-failures"
# Where a rule alone says which page it is.
PAGES = {
    Code.CONFLICT: "terminate.md",
    Code.DEPENDENCY: DEPENDENCIES,
    Code.EMPTY: "sync.md",
    Code.ERROR: SYNC_FAILURES,
    Code.MANUAL: "sync.md",
    Code.NOT_FOUND: "status.md",
    Code.PAUSED: "pause.md",
    Code.PRUNE: "sync.md",
    Code.REFRESHING: ARGOCD_ITSELF,
    Code.REJECTED: SYNC_FAILURES,
    Code.SYNC_FAILED: SYNC_FAILURES,
    Code.SYNC_WINDOW: "sync.md",
}


def page_for(codes: Iterable[Code]) -> str:
    """Return the page about all Applications that are not as they should be, by the rules that decided about them."""
    return common_page(PAGES.get(code, FIRST) for code in codes)


def common_page(pages: Iterable[str]) -> str:
    """Return the path of the one page that is meant, below the folder of the collection; nothing without a page."""
    found = set(pages)
    page = found.pop() if len(found) == 1 else FIRST if found else ""
    return page and f"docs/runbooks/{page}"
