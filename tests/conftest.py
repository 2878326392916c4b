# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this clone importable as ansible_collections.monorepo.gitops, beside the collections of the package ansible."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from rendering import Renderings

ROOT = Path(__file__).resolve().parent.parent

_AnsibleCollectionFinder(paths=[str(ROOT / "collections"), sysconfig.get_path("purelib")])._install()


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Renderings:
    """Return what builds an inventory: `rendered("prod", gitops_tls=False)["kafka"]` is a list of objects."""
    return Renderings(tmp_path_factory)
