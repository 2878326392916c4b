# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the attempts of an operation have ended: Argo CD empties the result when it tries again.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import (
    Missing,
    Nature,
    missing_kind,
    nature_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    between_attempts,
    failed_entries,
    failure_texts,
    operation_revisions,
    operation_state,
)


@dataclass(frozen=True)
class Failure:
    """What the last attempts said, and how many in a row said exactly that."""

    revisions: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    attempts: int = 0
    kinds: tuple[Missing, ...] = field(default=(), compare=False)  # of the resources that the texts are about

    @property
    def nature(self) -> Nature:
        """Return what may become of it."""
        return nature_of(self.texts)

    @property
    def missing(self) -> list[Missing]:
        """Return the kinds that the API server does not serve."""
        pairs = zip_longest(self.texts, self.kinds)
        return [found for text, about in pairs if (found := missing_kind(text or "", about))]


NO_FAILURE = Failure()


class Failures:
    """Follows the attempts of an Application's operations."""

    def __init__(self) -> None:
        self.last = NO_FAILURE
        self.seen = ("", "", 0)  # the attempt that was counted last

    def observe(self, application: Application) -> None:
        """Record a version of the Application."""
        state = operation_state(application)
        phase = state.get("phase", "")
        if phase == "Succeeded":
            self.last = NO_FAILURE
        if phase not in ("Failed", "Error") and not between_attempts(application):
            return
        attempt = (state.get("startedAt", ""), state.get("finishedAt", ""), int(state.get("retryCount") or 0))
        if attempt == self.seen:
            return
        self.seen = attempt
        kinds = [
            Missing(entry.get("group") or "", entry["kind"], entry.get("version") or "")
            for entry in failed_entries(application)
        ]
        found = Failure(operation_revisions(state), tuple(failure_texts(application)), kinds=tuple(kinds))
        same = (found.revisions, found.texts) == (self.last.revisions, self.last.texts)
        self.last = replace(found, attempts=self.last.attempts + 1 if same else 1)

    def start_over(self) -> None:
        """Count anew: while a dependency is not ready, the same failure says nothing about the next attempt."""
        self.last = replace(self.last, attempts=0)
