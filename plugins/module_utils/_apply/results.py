# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to each object.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass
class Applied:
    """The result for one object."""

    item: Manifest
    action: str  # created, configured, unchanged or skipped
    before: Manifest
    after: Manifest


def report(results: list[Applied]) -> dict[str, Any]:
    """Return the module's result."""
    counts = Counter(result.action for result in results)
    objects = [
        {
            "kind": result.item["kind"],
            "namespace": result.item["metadata"].get("namespace") or "",
            "name": result.item["metadata"]["name"],
            "action": result.action,
        }
        for result in results
    ]
    return {
        "changed": bool(counts["created"] or counts["configured"]),
        "objects": objects,
        "counts": dict(sorted(counts.items())),
    }
