# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded objects as the evidence of a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import (
    Kind,
    Manifest,
    Reference,
    identity_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import concerns, last_seen


class Recorded:
    """All that there is: what is not among these objects does not exist."""

    def __init__(self, objects: Iterable[Manifest], logs: dict[str, str] | None = None) -> None:
        found = list(objects)
        self.objects = [item for item in found if item["kind"] != "Event"]
        # The warnings, and what is said about claims: what a reader asks for.
        self.said = [
            item
            for item in found
            if item["kind"] == "Event"
            and (item["type"] == "Warning" or item["involvedObject"]["kind"] == "PersistentVolumeClaim")
        ]
        self.logs = logs or {}

    def listed(self, kind: Kind, namespace: str) -> list[Manifest] | None:
        """Return the objects of a kind in a namespace; the API server has none in another version."""
        wanted = (kind.version, kind.kind, namespace)
        return [item for item in self.objects if (item["apiVersion"], *identity_of(item)[1:3]) == wanted]

    def named(self, reference: Reference) -> Manifest | None:
        """Return an object, or an empty one."""
        return next((item for item in self.objects if (item["apiVersion"], *identity_of(item)[1:]) == reference), {})

    def events(self, item: Manifest) -> list[Manifest]:
        """Return the events of an object."""
        return sorted((event for event in self.said if concerns(event, item)), key=last_seen, reverse=True)

    def log(self, _reference: Reference, container: str, _previous: bool) -> str:
        """Return the end of a container's log."""
        return self.logs.get(container, "").strip()
