# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it does in the cluster when a run replaces files of a component in Git: by its built objects, not by its files.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import immutable, removal
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.builds import Builds
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.losses import Losses
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import changed_fields, restricted

Manifest = dict[str, Any]
OBJECTS, FIELDS = 30, 10  # how many are named


class Effect:
    """The objects of components before and after a run."""

    def __init__(self, builds: Builds, losses: Losses, survey: Survey, rules: dict[str, list[dict[str, str]]]) -> None:
        """`rules` are the immutable fields of each component."""
        self.builds, self.losses, self.survey, self.rules = builds, losses, survey, rules

    def of(self, name: str) -> list[str]:
        """Return what is added, changed, deleted, kept, and what the API server would refuse, a line each."""
        before, after = self.builds.sides(name)
        had = self.losses.had(name)
        living = {identity: self._live(identity, before, had) for identity in {*after, *had}}
        leaving = sorted(identity for identity in had - self.builds.after if living[identity] is not None)
        kept = [identity for identity in leaving if removal.is_kept(living[identity] or {}, "Prune")]
        changed = []
        for identity in sorted(after):
            new = _unplaced(after[identity])
            old = _unplaced(before.get(identity) or restricted(living[identity] or {}, after[identity]))
            if living[identity] is not None and old != new:
                fields = listed(list(changed_fields(old, new)), FIELDS)
                changed.append(f"{removal.label(identity)} ({fields})")
        return [
            *_line("add", [removal.label(identity) for identity in sorted(after) if living[identity] is None]),
            *_line("change", changed),
            *_line("delete", [removal.label(identity) for identity in leaving if identity not in kept]),
            *_line("keep, because of Prune=false,", [removal.label(identity) for identity in kept]),
            *(f"be refused: {text}" for text in self.refused(name)),
        ]

    def refused(self, name: str) -> list[str]:
        """Return a sentence for each value of a component that its living object cannot take."""
        objects, namespace = self.builds.objects(name)
        return immutable.refused(objects, namespace, self.rules.get(name, []), self.survey.live)

    def _live(self, identity: Identity, before: dict[Identity, Manifest], had: set[Identity]) -> Manifest | None:
        """Return an object of the cluster, or what is known of it where this user may not read it."""
        try:
            return self.survey.live(identity)
        except GitopsError:
            return before.get(identity, {}) if identity in had else None


def _unplaced(item: Manifest) -> Manifest:
    """Return an object without its namespace: only one of two manifests of the same object may name it."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key != "namespace"}
    return item | {"metadata": metadata}


def _line(verb: str, labels: Iterable[str]) -> list[str]:
    found = list(labels)
    return [f"{verb} {listed(found, OBJECTS)}"] if found else []
