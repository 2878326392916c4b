# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an object differs from its manifest, and what is shown of a difference.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import Applied

Manifest = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HIDDEN = "(not shown)"
HIDDEN_CHANGED = "(not shown, different)"
DIFF_LIMIT = 100_000


def contains(live: Any, wanted: Any) -> bool:
    """Return whether a live value contains a wanted one; lists must have the same length and order."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            contains(live.get(key), value) if value is not None else live.get(key) is None
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return live == wanted and isinstance(live, bool) == isinstance(wanted, bool)


def comparable(item: Manifest) -> Manifest:
    """Return an object without the fields that the API server and controllers set."""
    item = {key: value for key, value in item.items() if key != "status"}
    ignored = ("resourceVersion", "generation", "creationTimestamp", "uid")
    item["metadata"] = {key: value for key, value in item.get("metadata", {}).items() if key not in ignored}
    if "managedFields" in item["metadata"]:
        item["metadata"]["managedFields"] = [
            {key: value for key, value in entry.items() if key != "time"}
            for entry in item["metadata"]["managedFields"]
            if entry.get("subresource") != "status"
        ]
    return item


def shown(item: Manifest, other: Manifest | None = None) -> Manifest:
    """Return an object for a diff: without bookkeeping, and for a Secret without values."""
    item = comparable(item)
    metadata = item["metadata"] = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    if item.get("kind") != "Secret":
        return item
    if metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED}
    for field in ("data", "stringData"):
        if item.get(field):
            others = (other or item).get(field) or {}
            item[field] = {
                key: HIDDEN if others.get(key, value) == value else HIDDEN_CHANGED for key, value in item[field].items()
            }
    return item


def as_diff(result: Applied) -> dict[str, str]:
    """Return one changed object as an Ansible diff; for a very long one only the size."""
    header = label(result.item)
    before = as_text(shown(result.before)) if result.before else ""
    after = as_text(shown(result.after, result.before or None))
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def as_text(item: Manifest) -> str:
    """Return an object as YAML, or its size."""
    size = len(json.dumps(item))
    if size > DIFF_LIMIT:
        return f"({size} characters)\n"
    return _yaml.dump(item)
