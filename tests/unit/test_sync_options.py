# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annotation that says how Argo CD syncs an object, as Argo CD and people write it."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import is_kept
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal_order import is_kept_by_argocd
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.sync_options import sync_options


@pytest.mark.parametrize("metadata", [None, {}, {"annotations": None}, {"annotations": {"a": "Prune=false"}}])
def test_an_object_without_the_annotation_has_none(metadata):
    assert sync_options({"metadata": metadata}) == set()
    assert sync_options({}) == set()


@pytest.mark.parametrize(
    "text", ["Prune=false,Delete=false", " Delete=false , Prune=false ", "Prune=false,Delete=false,"]
)
def test_blanks_and_order_do_not_matter(text):
    crd = {
        "metadata": {
            "annotations": {"argocd.argoproj.io/sync-options": text},
            "managedFields": [{"manager": "argocd-controller"}],
        }
    }
    assert sync_options(crd) == {"Prune=false", "Delete=false"}
    assert is_kept(crd, "Prune")
    assert is_kept(crd, "Delete")
    assert is_kept_by_argocd(crd)
