# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which page of docs/runbooks a message names."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import overview
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.runbooks import page_for
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Code

from .test_documentation import ROOT, anchors
from .test_verdict import recorded

FIRST = "docs/runbooks/not_healthy.md"


@pytest.mark.parametrize("code", Code)
def test_every_page_that_is_named_exists(code):
    page, _sep, anchor = page_for([code]).partition("#")
    assert not anchor or anchor in anchors((ROOT / page).read_text())
    assert (ROOT / page).is_file()


@pytest.mark.parametrize(
    ("codes", "page"),
    [
        ([Code.PAUSED], "docs/runbooks/pause.md"),
        ([Code.MANUAL, Code.PRUNE], "docs/runbooks/sync.md"),
        ([Code.SYNC_FAILED, Code.ERROR], f"{FIRST}#sync-failures"),
        ([Code.SYNC_FAILED, Code.PAUSED], FIRST),
        ([Code.DEGRADED], FIRST),
        ([], ""),
    ],
)
def test_several_applications_have_one_page(codes, page):
    assert page_for(codes) == page


@pytest.mark.parametrize(
    ("names", "page"),
    [
        (["synced_healthy"], ""),
        (["sync_failed", "synced_healthy"], f"{FIRST}#sync-failures"),
        (["comparison_error"], f"{FIRST}#sync-failures"),
        (["new"], f"{FIRST}#argo-cd-itself"),
        (["deleting"], FIRST),
        (["progressing"], FIRST),
        (["sync_failed", "new"], FIRST),
        ([], ""),
    ],
)
def test_what_is_wrong_without_a_wait_has_a_page_too(names, page):
    assert overview.page_for([recorded(name) for name in names]) == page
    path, _sep, anchor = page.partition("#")
    assert (ROOT / path).exists()
    assert not anchor or anchor in anchors((ROOT / path).read_text())
