# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which living objects a run would delete, and which of them hold data.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from functools import cached_property

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import removal
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.builds import Builds
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Found, Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


class Losses:
    """What the components had, compared with what they will have."""

    def __init__(self, found: Found, builds: Builds, survey: Survey) -> None:
        self.found, self.builds, self.survey = found, builds, survey

    def had(self, name: str) -> set[Identity]:
        """Return the objects that a component has in the cluster, or had in Git."""
        return self.found.living.get(name, set()) | self.builds.earlier.get(name, set())

    @cached_property
    def staying(self) -> set[str]:
        """Return the components that existed before and stay."""
        return (self.found.living.keys() | self.builds.earlier.keys()) & self.found.wanted

    def data_of(self, name: str) -> tuple[list[str], list[str]]:
        """Return the objects with data that the removal of a component deletes, and those that stay."""
        objects = sorted(entry for entry in self.had(name) if removal.holds_data(entry))
        found = [(removal.label(entry), live) for entry in objects if (live := self.survey.live(entry))]
        kept = [label for label, live in found if removal.is_kept(live, "Delete")]
        return [label for label, _live in found if label not in kept], kept

    def pruned(self) -> set[Identity]:
        """Return the objects that Argo CD prunes from the living components that stay."""
        names = self.staying & self.found.living.keys()
        return {entry for name in names for entry in self.had(name) - self.builds.after if self._lost(entry, "Prune")}

    def pruned_data(self, announced: set[Identity]) -> dict[str, list[str]]:
        """Return the objects with data that would leave components that stay, without those that are announced."""
        losses: dict[str, list[str]] = {}
        for name in sorted(self.staying):
            leaving = sorted(self.had(name) - self.builds.after - announced)
            lost = [removal.label(entry) for entry in leaving if self._lost_data(entry, "Prune")]
            if lost:
                losses[name] = lost
        return losses

    def check_moves(self, names: list[str]) -> None:
        """Refuse to delete an object with data that another component gets: it would be deleted before it moves."""
        for name in names:
            moving = sorted(self.had(name) & self.builds.after)
            lost = [removal.label(entry) for entry in moving if self._lost_data(entry, "Delete")]
            if lost:
                raise GitopsError(
                    f"Nothing was written. {listed(lost)} moves from {name}, which is removed, to another "
                    f"component, and would be deleted before that: publish the move first, then remove {name}."
                )

    def _lost(self, entry: Identity, option: str) -> bool:
        live = self.survey.live(entry)
        return live is not None and not removal.is_kept(live, option)

    def _lost_data(self, entry: Identity, option: str) -> bool:
        return removal.holds_data(entry) and self._lost(entry, option)
