# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer ownership of the fields that kubectl applied client-side to the manager that applies server-side.

The API server removes a field that left a manifest only when nobody else holds it. So what kubectl holds would stay
forever. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import MISSING, Path, leaves, value_at

Manifest = dict[str, Any]
CLIENT_SIDE = "kubectl-client-side-apply"
# Keys of these are often added by people, and stay.
KEYED = ("ConfigMap", "Secret")
KEYS = ("f:data", "f:stringData", "f:binaryData")


def is_held(live: Manifest) -> bool:
    """Return whether kubectl holds fields of an object that are to be handed over."""
    return any(_handed(live, entry) for entry in _managers(live) if _is_client_side(entry))


def managers(live: Manifest, manager: str) -> list[dict[str, Any]]:
    """Return the managedFields of an object after its fields were handed over to a manager."""
    found = deepcopy(_managers(live))
    theirs = [entry for entry in found if _is_client_side(entry)]
    if not theirs:  # somebody else has handed them over in the meantime
        return found
    own = next((entry for entry in found if entry.get("manager") == manager and entry["operation"] == "Apply"), None)
    if own is None:
        own = theirs[0] | {"manager": manager, "operation": "Apply", "fieldsV1": {}}
        found.append(own)
    for entry in theirs:
        handed = _handed(live, entry)
        own["fieldsV1"] = _union(own.get("fieldsV1") or {}, handed)
        entry["fieldsV1"] = {key: value for key, value in entry["fieldsV1"].items() if key not in handed}
    return [entry for entry in found if entry not in theirs or entry["fieldsV1"]]


def going(live: Manifest, wanted: Manifest, manager: str) -> list[Path]:
    """Return the fields that nobody but kubectl holds and that the manifest does not have: these leave the object."""
    entries = _managers(live)
    held = {path for entry in entries if _is_client_side(entry) for path in leaves(_handed(live, entry))}
    others = {
        path
        for entry in entries
        if not _is_client_side(entry) and entry.get("manager") != manager
        for path in leaves(entry.get("fieldsV1") or {})
    }
    return sorted(
        path for path in held - others if value_at(wanted, path) is MISSING and value_at(live, path) is not MISSING
    )


def without(item: Manifest, paths: list[Path]) -> Manifest:
    """Return an object without fields, and without what is empty then."""
    item = deepcopy(item)
    for path in paths:
        for length in range(len(path), 0, -1):
            parent, value = value_at(item, path[: length - 1]), value_at(item, path[:length])
            if length < len(path) and value not in ({}, []):
                break
            if isinstance(parent, dict):
                parent.pop(path[length - 1].partition(":")[2], None)
            elif isinstance(parent, list) and value in parent:
                parent.remove(value)
    return item


def _managers(live: Manifest) -> list[dict[str, Any]]:
    return list(live["metadata"].get("managedFields") or [])


def _is_client_side(entry: dict[str, Any]) -> bool:
    return bool(
        entry.get("manager") == CLIENT_SIDE and entry.get("operation") == "Update" and not entry.get("subresource")
    )


def _handed(live: Manifest, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry that are to be handed over."""
    fields = entry.get("fieldsV1") or {}
    return {key: value for key, value in fields.items() if live.get("kind") not in KEYED or key not in KEYS}


def _union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of both."""
    return one | {key: _union(one.get(key, {}), value) for key, value in other.items()}
