# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which reports are kept, and what the index says about them. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import words

KEPT = 10
INDEX = "index.html"
# A run and a promotion have the same page; what only looked has one of its own, and is not kept.
NAMES = {words.RUN: "report", words.PROMOTION: "report", words.STATUS: "status", words.CHECK: "check"}
OLD = re.compile(r"report-\d{8}T\d{6}Z\.(?:json|html)")
LISTED = ("kind", "time", "outcome", "verdict", "commit", "seconds", "rehearsal")


def name_of(kind: str) -> str:
    """Return the name of the newest report of a kind, without its ending."""
    return NAMES[kind]


def kept_as(report: Mapping[str, Any]) -> str:
    """Return the name under which a report is kept, without its ending; nothing when it is not."""
    if name_of(report["kind"]) != "report":
        return ""
    return f"report-{re.sub('[-:]', '', report['time'])}"


def compared_with(kind: str) -> list[str]:
    """Return the names of the reports, the newest of which a new one is compared with."""
    return sorted({"report", name_of(kind)} - {"check"})


def outdated(names: Iterable[str]) -> list[str]:
    """Return those files of a folder that are older than the reports that are kept."""
    old = sorted(name for name in names if OLD.fullmatch(name))
    stems = sorted({name.partition(".")[0] for name in old}, reverse=True)
    return [name for name in old if name.partition(".")[0] in stems[KEPT:]]


def entry_of(name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the index says about a report that is kept under a name."""
    return {"page": f"{name}.html"} | {key: report[key] for key in LISTED} | {"counts": dict(report["counts"])}
