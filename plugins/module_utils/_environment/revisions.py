# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git has of an environment: where Argo CD is, what is published, and what this run brings.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History


class Revisions:
    """The revisions of one environment that are compared."""

    def __init__(self, clone: Clone, options: Options) -> None:
        self.clone, self.options, self.environment = clone, options, options.environment
        self.history = History(clone)
        self._listed: dict[str, dict[str, tuple[str, str]]] = {}
        self.published = clone.head()
        self.before = self.history.followed(options.revision)  # what Argo CD follows now
        self.commit = self._commit()  # what it will follow; empty stands for the working tree

    def _commit(self) -> str:
        if not self.options.commit:
            if not self.options.publish:
                return self.before
            self.clone.staged()
            return ""
        commit = self.history.commit_of(self.options.commit)
        if not commit:
            raise GitopsError(
                f"Nothing was written. {self.clone.branch} has no commit {self.options.commit}: publish first."
            )
        return commit

    def overlays(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return layer and name of the components that have an overlay of this environment in a commit."""
        if commit not in self._listed:
            self._listed[commit] = policy.overlays(self.history.files(commit), self.environment)
        return self._listed[commit]

    def rendered(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the components that a run rendered in a commit."""
        return policy.overlays(self.history.rendered(commit, self.environment), self.environment)

    def check_one_layer(self, commit: str = "") -> None:
        """Refuse a name that both layers have in a commit, or in the working tree."""
        files = self.history.files(commit) if commit else self.clone.names("ls-files", _paths.ROOT)
        policy.check_one_layer(files, self.environment)

    def past(self) -> set[str]:
        """Return the components that the history has had."""
        return set(policy.overlays(self.history.past(self.environment), self.environment))

    @property
    def moves(self) -> bool:
        """Return whether this run changes what Argo CD follows."""
        # A branch that does not exist yet is created from what is published.
        return bool(self.commit) or self.history.is_followed_at_once(self.options.revision)

    @cached_property
    def changed(self) -> set[str]:
        """Return the components that differ from what Argo CD follows."""
        return set(policy.touched_components(self.history.changed_files(self.before, self.commit), self.environment))

    def changed_overlays(self, leaving: set[str]) -> list[str]:
        """Return the overlays in Git that the working tree changes, and those of the components that leave."""
        if self.commit:
            return []
        mark = f"/{_paths.environment_folder(self.environment)}/"
        changed = {policy.component_of(path) for path in self.history.changed_files(self.published) if mark in path}
        present = self.overlays(self.published).values()
        return sorted("/".join(entry) for entry in present if entry in changed or entry[1] in leaving)

    def exported(self, commit: str, entries: list[tuple[str, str]]) -> AbstractContextManager[Path]:
        """Provide overlays, with their bases, as they are in a commit."""
        return self.history.exported(commit, self.environment, entries)
