# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

IN_CLUSTER = "https://kubernetes.default.svc"


def destination(namespace: str) -> dict[str, str]:
    """Return an entry of an AppProject's `destinations` for a namespace of the cluster that Argo CD runs in."""
    return {"server": IN_CLUSTER, "namespace": namespace}


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Return rows as a text table; `columns` maps keys of the rows to headings."""
    cells = [list(columns.values())] + [[str(row.get(key, "") or "") for key in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"destination": destination, "table": table}
