# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which fields two objects differ. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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
