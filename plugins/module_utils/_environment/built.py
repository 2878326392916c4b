# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built objects by their identity, and the fields in which two builds differ. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import identity, written

Object = dict[str, Any]
Objects = dict[Identity, Object]


class Item(NamedTuple):
    """A step into a list: the place of an entry, and its name where it has one."""

    place: int
    name: str


Step: TypeAlias = "str | Item"
Path = tuple[Step, ...]
MISSING = object()
CRD = "CustomResourceDefinition"


def scopes(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """Return group and kind of what CustomResourceDefinitions define without a namespace."""
    specs = [item.get("spec") or {} for item in objects if item.get("kind") == CRD]
    return {(spec["group"], spec["names"]["kind"]) for spec in specs if spec.get("scope") == "Cluster"}


def keyed(objects: Iterable[Object], namespace: str, cluster: set[tuple[str, str]]) -> Objects:
    """Return objects by their identity in the cluster; one without a namespace gets the Application's."""
    return {found: item for item in objects if (found := identity(written(item), namespace, cluster))}


def nodes(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Return every value in an object, with its path; the containers as well."""
    yield path, value
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from nodes(entry, (*path, str(key)))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from nodes(entry, (*path, Item(index, name_of(entry))))


def name_of(entry: Any) -> str:
    """Return the name of an entry of a list, or nothing."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def at(value: Any, path: Path) -> Any:
    """Return the value at a path of another object: in its lists by the name of an entry, else by its place."""
    for number, step in enumerate(path):
        if isinstance(step, Item):
            value = entry_of(value, step, path[number + 1 :] == ("name",)) if isinstance(value, list) else MISSING
        else:
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING:
            break
    return value


def entry_of(entries: list[Any], step: Item, of_name: bool) -> Any:
    """Return the entry of a list that a step means; where its name is what is asked for, the one at its place."""
    if step.name and not of_name:
        return next((entry for entry in entries if name_of(entry) == step.name), MISSING)
    return entries[step.place] if step.place < len(entries) else MISSING


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return the fields of an object with their paths; entries of a list by name where each has one of its own."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from flat(entry, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        names = [name_of(entry) for entry in value]
        by_name = all(names) and len(set(names)) == len(names)
        for index, entry in enumerate(value):
            # Its name is in the path.
            own = {key: entry[key] for key in entry if key != "name"} if by_name and len(entry) > 1 else entry
            yield from flat(own, f"{path}[{names[index] if by_name else index}]")
    elif value is not None:
        yield path, value


def fields(objects: Objects) -> set[tuple[Identity, str, str]]:
    """Return all fields of objects, with their values; CRDs are too large, and no variable is in them."""
    return {
        (identity, path, repr(value))
        for identity, item in objects.items()
        if identity[1] != CRD
        for path, value in flat(item)
    }


def distance(one: Objects, other: Objects) -> int:
    """Return in how many fields two builds differ."""
    return len(fields(one) ^ fields(other))


def changes(before: Object, after: Object) -> list[tuple[str, Any, Any]]:
    """Return the fields that differ, with both values; None stands for a field that is not there."""
    sides = dict(flat(before)), dict(flat(after))
    paths = sorted(sides[0].keys() | sides[1].keys())
    found = [(path, sides[0].get(path), sides[1].get(path)) for path in paths]
    return [(path, old, new) for path, old, new in found if old != new or type(old) is not type(new)]
