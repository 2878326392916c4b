# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of objects: in which ones two of them differ, and which ones a manager holds. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# A field as managedFields names it: `f:spec`, `f:containers`, `k:{"name":"web"}`, `f:image`.
Path = tuple[str, ...]
MISSING = object()


def changed_fields(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the fields in which two values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                yield from changed_fields(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            if pair[0] != pair[1]:
                yield from changed_fields(*pair, f"{path}[{index}]")
    else:
        yield path


def restricted(live: Any, wanted: Any) -> Any:
    """Return a living value with only the fields of a wanted one: the others are defaults, or of somebody else."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: restricted(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [restricted(*pair) for pair in zip(live, wanted, strict=True)]
    return live


def leaves(fields: dict[str, Any], prefix: Path = ()) -> Iterator[Path]:
    """Yield the leaf fields of a fieldsV1."""
    for key, inner in fields.items():
        if key == ".":
            continue
        if any(name != "." for name in inner):
            yield from leaves(inner, (*prefix, key))
        else:
            yield (*prefix, key)


def value_at(item: Any, path: Path) -> Any:
    """Return the value of a field."""
    for step in path:
        kind, _sep, name = step.partition(":")
        if kind == "f" and isinstance(item, dict):
            item = item.get(name, MISSING)
        elif kind == "k" and isinstance(item, list):
            keys = json.loads(name).items()
            found = [entry for entry in item if all(entry.get(key) == value for key, value in keys)]
            # A manifest may leave out a key that has a default, such as `protocol`.
            found += [entry for entry in item if all(entry.get(key, value) == value for key, value in keys)]
            item = found[0] if found else MISSING
        elif kind == "v" and isinstance(item, list):
            item = json.loads(name) if json.loads(name) in item else MISSING
        else:
            return MISSING
    return item


def path_text(path: Path) -> str:
    """Return a field in path notation: `spec.template.spec.containers[web].image`."""
    text = ""
    for step in path:
        kind, _sep, name = step.partition(":")
        if kind == "f":
            text += f".{name}"
        else:
            inner = json.loads(name)
            text += f"[{','.join(map(str, inner.values())) if isinstance(inner, dict) else inner}]"
    return text.removeprefix(".")
