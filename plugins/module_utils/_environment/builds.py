# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that an environment has in Git before and after a run.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.revisions import Revisions
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import (
    build_all,
    build_others,
    cluster_kinds,
    component,
    identities,
    identity,
    written,
)


class Builds:
    """Builds of the overlays of one environment."""

    def __init__(self, revisions: Revisions, wanted: set[str], notes: list[str]) -> None:
        self.revisions, self.wanted, self.notes = revisions, wanted, notes
        self.options = revisions.options

    @cached_property
    def earlier(self) -> dict[str, set[Identity]]:
        """Return the objects that Argo CD has from Git, for components that change or leave only."""
        return objects_of(self._earlier_summaries, self._earlier_summaries + self._wanted_summaries)

    @cached_property
    def _earlier_summaries(self) -> list[dict[str, Any]]:
        present, changed = self.revisions.overlays(self.revisions.before), self.revisions.changed
        entries = [entry for name, entry in sorted(present.items()) if name in changed or name not in self.wanted]
        with self.revisions.exported(self.revisions.before, entries) as tree:
            # An overlay that does not build was never deployed; the cluster shows what exists.
            summaries, _errors = self._build_each(tree, entries)
        return summaries

    @cached_property
    def after(self) -> set[Identity]:
        """Return all objects that the environment has after this run."""
        built = objects_of(self._wanted_summaries, self._wanted_summaries)
        return {entry for objects in built.values() for entry in objects}

    def objects(self, name: str) -> tuple[list[dict[str, Any]], str]:
        """Return the objects that a component has after this run, and its namespace."""
        for summary in self._wanted_summaries:
            if summary["name"] == name:
                return json.loads(Path(summary["path"]).read_text(encoding="utf-8"))["items"], summary["namespace"]
        return [], ""

    def sides(self, name: str) -> tuple[dict[Identity, dict[str, Any]], dict[Identity, dict[str, Any]]]:
        """Return the objects of a component before and after this run; none where its overlay does not build."""
        cluster = cluster_kinds(self._earlier_summaries + self._wanted_summaries)
        before, after = (
            {
                identity: item
                for summary in summaries
                if summary["name"] == name
                for identity, item in placed(summary, cluster)
            }
            for summaries in (self._earlier_summaries, self._wanted_summaries)
        )
        return before, after

    @cached_property
    def _wanted_summaries(self) -> list[dict[str, Any]]:
        commit = self.revisions.commit
        if not commit:
            return self._build(self.revisions.clone.path, self.options.components)
        present, ours = self.revisions.overlays(commit).values(), self.revisions.rendered(commit).values()
        with self.revisions.exported(commit, sorted(present)) as tree:
            summaries = self._build(tree, [component(*entry) for entry in sorted(ours)])
            others, errors = self._build_each(tree, sorted(set(present) - set(ours)))
        self.notes.extend(f"A handwritten overlay does not build: {text}" for text in errors)
        return summaries + others

    def _build(self, tree: Path, components: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return build_all(str(tree), self.options.environment, components, self.options.kustomize)

    def _build_each(self, tree: Path, entries: list[tuple[str, str]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Build overlays of which some may be broken; return why."""
        names = ["/".join(entry) for entry in entries]
        return build_others(str(tree), self.options.environment, names, self.options.kustomize)


def placed(summary: dict[str, Any], cluster: set[tuple[str, str]]) -> Iterator[tuple[Identity, dict[str, Any]]]:
    """Yield the built objects of a component, each with what it is in the cluster."""
    for item in json.loads(Path(summary["path"]).read_text(encoding="utf-8"))["items"]:
        if found := identity(written(item), summary["namespace"], cluster):
            yield found, item


def objects_of(summaries: list[dict[str, Any]], known: list[dict[str, Any]]) -> dict[str, set[Identity]]:
    """Return the objects in the cluster for each component; `known` name the kinds without a namespace."""
    cluster = cluster_kinds(known)
    return {
        summary["name"]: {
            (entry["group"], entry["kind"], entry["namespace"], entry["name"]) for entry in identities(summary, cluster)
        }
        for summary in summaries
    }
