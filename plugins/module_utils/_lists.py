# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects in a List.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any


def expanded(document: Any) -> list[Any]:
    """Return what a document contains: itself, or what is in a List.

    The items of a typed one, such as RoleList, may leave out kind and API version.
    """
    if not isinstance(document, dict) or not isinstance(items := document.get("items", 0), list | None):
        return [document]
    kind = str(document.get("kind") or "")
    if not kind.endswith("List"):
        return [document]
    single = kind.removesuffix("List")
    known = {"apiVersion": document.get("apiVersion"), "kind": single} if single else {}
    return [item for entry in items or [] for item in expanded(known | entry if isinstance(entry, dict) else entry)]
