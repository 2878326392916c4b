# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a source hands to Helm, Jsonnet or a plugin. They may be secrets: only their names are shown.

What is written to the cluster never comes from here. Pure functions over plain objects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

HIDDEN = "(hidden)"
OTHER = "(hidden, another value)"  # in a diff
PROGRAMS = ("helm", "plugin", "jsonnet")
# Of parameters, of Helm's values, and of the parameters of a plugin.
FIELDS = ("value", "values", "valuesObject", "string", "array", "map")


def shown(item: Any) -> Any:
    """Return an object, or a part of one, with its values hidden."""
    return _shown(item, {}, (), inside=False)


def shown_change(before: Any, after: Any) -> tuple[Any, Any]:
    """Return two versions with their values hidden; where a value differs, so does what stands in its place."""
    first: dict[tuple[str, ...], Any] = {}
    return _shown(before, first, (), inside=False), _shown(after, first, (), inside=False)


def has_values(item: Any) -> bool:
    """Return whether an object has values that are not shown."""
    return bool(shown(item) != item)


def _shown(item: Any, first: dict[tuple[str, ...], Any], path: tuple[str, ...], inside: bool) -> Any:
    if isinstance(item, list):
        return [_shown(entry, first, (*path, _name(entry, index)), inside) for index, entry in enumerate(item)]
    if not isinstance(item, dict):
        return item
    found = {}
    for key, value in item.items():
        place = (*path, key)
        if inside and key in FIELDS and value is not None:
            found[key] = HIDDEN if first.setdefault(place, value) == value else OTHER
        else:
            found[key] = _shown(value, first, place, inside or key in PROGRAMS)
    return found


def _name(entry: Any, index: int) -> str:
    """Return what an entry of a list is called, so that it is found again in another version of the list."""
    return str(entry.get("name", index)) if isinstance(entry, dict) else str(index)
