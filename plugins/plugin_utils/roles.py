# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the roles of components, of this collection and of others.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.utils.collection_loader._collection_finder import _get_collection_role_path


def engine_defaults(loader: Any) -> dict[str, Any]:
    """Return the defaults of role component, which definitions and templates of components use."""
    file = Path(__file__).parents[2] / "roles" / "component" / "defaults" / "main.yml"
    defaults: dict[str, Any] = loader.load_from_file(str(file), trusted_as_template=True)
    return defaults


def definition_file(role: str) -> Path | None:
    """Return the vars/main.yml of a role's full name, in which its component is defined; None when it is not there."""
    collection, _sep, name = role.rpartition(".")
    found = _get_collection_role_path(name, [collection])
    file = Path(found[1]) / "vars" / "main.yml" if found else None
    return file if file and file.is_file() else None
