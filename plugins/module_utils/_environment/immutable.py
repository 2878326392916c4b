# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a living object cannot take, by the rules of its component. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import values_at
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import written

Manifest = dict[str, Any]
Rule = dict[str, str]

AGAIN = "Keep it, or remove the component in one run (gitops_removals) and add it in the next."
SHRINK = (
    "Volumes only grow: keep the size, or back up the data, remove the volume (gitops_volume_removals) and restore."
)
# What the API server refuses in any component.
GENERAL: list[Rule] = [
    {"api_version": "apps/v1", "kind": "Deployment", "field": "spec.selector", "instead": AGAIN},
    {"api_version": "apps/v1", "kind": "StatefulSet", "field": "spec.selector", "instead": AGAIN},
    {"api_version": "apps/v1", "kind": "StatefulSet", "field": "spec.serviceName", "instead": AGAIN},
    {
        "api_version": "v1",
        "kind": "PersistentVolumeClaim",
        "field": "spec.resources.requests.storage",
        "may": "grow",
        "instead": SHRINK,
    },
]
QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
UNITS = {unit: Decimal(1000) ** power for power, unit in enumerate(("", "k", "M", "G", "T", "P", "E"))}
UNITS |= {unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
# The tag's number, with or without a digest.
MAJOR = re.compile(r"[^@]*:v?([0-9]+)[^/@]*(?:@.*)?")


def quantity(text: Any) -> Decimal | None:
    """Return the number behind a quantity of Kubernetes; None for what is none."""
    found = QUANTITY.fullmatch(str(text).strip())
    if not found or found[2] not in UNITS:
        return None
    try:
        return Decimal(found[1]) * UNITS[found[2]]
    except InvalidOperation:
        return None


def grows(before: Any, after: Any) -> bool:
    """Return whether a quantity stays or grows; what cannot be compared is left to the API server."""
    sizes = quantity(before), quantity(after)
    return sizes[0] is None or sizes[1] is None or sizes[1] >= sizes[0]


def same_major(before: Any, after: Any) -> bool:
    """Return whether two images have one major version; what has no number is left to its operator."""
    found = MAJOR.fullmatch(str(before)), MAJOR.fullmatch(str(after))
    return not (found[0] and found[1]) or found[0][1] == found[1][1]


MAY: dict[str, Callable[[Any, Any], bool]] = {"grow": grows, "change within its major version": same_major}


def refused(
    objects: Iterable[Manifest], namespace: str, rules: list[Rule], live: Callable[..., Manifest | None]
) -> list[str]:
    """Return a sentence for each value that the living object cannot take; `live` finds that by its identity."""
    found = []
    for item in objects:
        group, kind, written_namespace, name = written(item)
        own = [rule for rule in (*GENERAL, *rules) if _is_about(rule, group, kind, name)]
        place = written_namespace or namespace
        living = live((group, kind, place, name)) if own else None
        if living:
            found += [text for rule in own if (text := _refusal(rule, item, living, place))]
    return found


def _is_about(rule: Rule, group: str, kind: str, name: str) -> bool:
    wanted = rule["api_version"].rpartition("/")[0], rule["kind"], rule.get("name", name)
    return wanted == (group, kind, name)


def _refusal(rule: Rule, item: Manifest, living: Manifest, namespace: str) -> str:
    path = rule["field"].split(".")
    before, after = values_at(living, path), values_at(item, path)
    # What a manifest leaves out gets a default, which the living object has already.
    if not before or not after or before == after:
        return ""
    may = MAY.get(rule.get("may", ""))
    if may and may(before[0], after[0]):
        return ""
    label = f"{item['kind']} {namespace}/{item['metadata']['name']}"
    return f"{rule['field']} of {label} is {_short(before[0])} and would be {_short(after[0])}. {rule['instead']}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        labels = value.get("matchLabels") or value
        return ", ".join(f"{key}={labels[key]}" for key in sorted(labels))
    return str(value)
