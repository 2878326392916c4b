# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds that the AppProject of an Application does not allow, and how it comes to allow them. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS

# What Argo CD says (controller/sync.go at v3.6.1), where a cause stands in an error.
BLOCKED = re.compile(r"(?:^|[:=,;] )resource ([\w.-]*):(\w+) is not permitted in project ([a-z0-9.-]*[a-z0-9])")


class Kind(NamedTuple):
    """A kind that an AppProject does not allow; the group is empty for the core group."""

    group: str
    kind: str
    project: str


def blocked(texts: Iterable[str]) -> list[Kind]:
    """Return the kinds that errors of a sync name as not permitted, in an AppProject of ours."""
    found = {Kind(*match.groups()) for text in texts for match in BLOCKED.finditer(text)}
    return sorted(kind for kind in found if kind.project in LAYERS)


def advice(kinds: Iterable[Kind], command: str = "site.yml") -> str:
    """Return how an AppProject comes to allow kinds; nothing without any."""
    projects: dict[str, list[Kind]] = {}
    for kind in kinds:
        projects.setdefault(kind.project, []).append(kind)
    sentences = []
    for project, found in projects.items():
        names = " and ".join(".".join(filter(None, [kind.kind, kind.group])) for kind in found)
        entries = ", ".join(f"{{{f'group: {kind.group}, ' if kind.group else ''}kind: {kind.kind}}}" for kind in found)
        sentences.append(
            f"AppProject {project} does not allow {names} yet: run {command}, after which it allows what Git has; "
            f"gitops_project_kinds: {{{project}: [{entries}]}} allows it beforehand"
        )
    return "; ".join(sentences)
