# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what the inventory wants, what Git has and what lives in the cluster, before anything is written.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import identity, removal
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Found, Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey, commit_of, deployed
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy, remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import (
    build_all,
    build_others,
    cluster_kinds,
    component,
    identities,
)


@dataclass
class Options:
    """What the inventory wants."""

    environment: str
    repository: str  # URL that Argo CD reads
    revision: str
    push_url: str = ""  # URL that this machine uses, if it differs
    commit: str = ""  # commit to promote; empty compares the working tree
    publish: bool = True  # whether the working tree is published; otherwise Git is compared as it is
    components: list[dict[str, Any]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    removals: list[str] = field(default_factory=list)
    volume_removals: list[dict[str, Any]] = field(default_factory=list)
    takeover: str = ""
    adopted: set[str] = field(default_factory=set)
    throwaway: bool = False
    parameters: dict[str, str] = field(default_factory=dict)  # keys of argocd-cmd-params-cm that the run will write
    version: str = ""
    kustomize: list[str] = field(default_factory=list)


class Comparison:
    """The three sides: an inventory, a clone and a cluster."""

    def __init__(self, clone: Clone, survey: Survey, options: Options) -> None:
        self.clone, self.survey, self.options = clone, survey, options
        self.history = History(clone)
        self.notes: list[str] = []
        self._listed: dict[str, dict[str, tuple[str, str]]] = {}
        self.published = clone.head()
        self.before = self.history.followed(options.revision)  # what Argo CD follows now
        if options.commit:
            options.commit = self._commit(options.commit)
        elif options.publish:
            clone.staged()
        else:
            options.commit = self.before

    def _commit(self, name: str) -> str:
        commit = self.history.commit_of(name)
        if not commit:
            raise GitopsError(f"Nothing was written. {self.clone.branch} has no commit {name}: publish first.")
        return commit

    def _overlays(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return layer and name of the components that have an overlay of this environment in a commit."""
        if commit not in self._listed:
            self._listed[commit] = policy.overlays(self.history.files(commit), self.options.environment)
        return self._listed[commit]

    def _rendered(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the components that a run rendered in a commit."""
        return policy.overlays(self.history.rendered(commit, self.options.environment), self.options.environment)

    # --- identity -----------------------------------------------------------------------------------------------------

    @cached_property
    def wanted_side(self) -> identity.Side:
        """Return what the inventory serves."""
        return identity.Side(self.options.environment, self.options.repository, self.options.revision or "HEAD")

    def check_identity(self) -> None:
        """Stop before anything of another cluster, environment or repository is changed."""
        living = self._living_sides()
        commits = sorted({commit for item in self.survey.ours.values() if (commit := commit_of(item))})
        head = self.options.commit or self.before
        facts = identity.Facts(
            uid=self.survey.uid,
            recorded_version=((self.survey.config_map or {}).get("data") or {}).get("collectionVersion", ""),
            own_version=self.options.version,
            # A rehearsal starts from a new cluster and does not change a real one.
            is_new=not living and not self.options.throwaway,
            commits=commits,
            unknown_commits=[commit for commit in commits if not self.history.has(commit, head)],
            lost_commits=[commit for commit in commits if not self.history.is_reachable(commit)],
            changed_overlays=self._changed_overlays(),
            head=self.published,
        )
        stops, notes, word = identity.compare(self.wanted_side, living, facts)
        stops += self._two_repositories()
        if stops and self.options.takeover != word:
            raise GitopsError(identity.refusal(stops, word))
        self.notes += [f"Continuing because of gitops_takeover={word}: {text}" for text in stops] + notes

    def _two_repositories(self) -> list[str]:
        """Return why Argo CD's URL is not the repository that is published to, if that URL can be reached."""
        read, pushed = self.options.repository, self.options.push_url or self.options.repository
        if identity.repository_name(read) == identity.repository_name(pushed):
            return []
        commit = remote.unknown_at(self.clone, read, self.options.revision)
        if not commit:
            return []
        return [
            f"gitops_repo_url has commit {commit[:12]} at {self.options.revision}, which gitops_repo_push_url does not "
            f"have: {public(read)} and {public(pushed)} are different repositories."
        ]

    def _living_sides(self) -> list[identity.Side]:
        """Return what the cluster serves; as a last resort, what Applications without an owner follow."""
        sides: list[identity.Side | None] = []
        sides += [identity.applicationset_side(item) for item in self.survey.applicationsets]
        sides += [identity.template_side(item) for item in self.survey.applicationsets]
        sides.append(identity.recorded_side(self.survey.config_map))
        found = [side for side in sides if side]
        return found or sorted({identity.application_side(item) for item in self.survey.ours.values()}, key=str)

    def _changed_overlays(self) -> list[str]:
        """Return the overlays of this environment in Git that the commit of this run would change or remove."""
        if self.options.commit:
            return []
        present = self._overlays(self.published).values()
        staged = self.history.changed_files(self.published)
        mark = f"/envs/{self.options.environment}/"
        changed = {policy.component_of(path) for path in staged if mark in path}
        leaving = self.found.rendered.keys() - self.wanted
        return sorted("/".join(entry) for entry in present if entry in changed or entry[1] in leaving)

    # --- removals -----------------------------------------------------------------------------------------------------

    @cached_property
    def found(self) -> Found:
        """Return the components that each side has."""
        environment = self.options.environment
        base = self.before if self.options.commit else self.published
        rendered, present = self._rendered(base), self._overlays(base)
        return Found(
            environment=environment,
            wanted=self.wanted,
            rendered={name: layer for name, (layer, _name) in rendered.items()},
            handwritten={name: layer for name, (layer, _n) in present.items() if name not in rendered},
            past=self._past(),
            living={name: deployed(item) for name, item in self.survey.ours.items()},
        )

    @cached_property
    def wanted(self) -> set[str]:
        """Return the components that are wanted: those of the inventory, or of the commit that is promoted."""
        if self.options.commit:
            return set(self._overlays(self.options.commit))
        return {entry["name"] for entry in self.options.components}

    def _past(self) -> set[str]:
        """Return the components that Git's history has had; read only when an inventory removes something."""
        if not (self.options.removals or self.options.volume_removals):
            return set()
        return set(policy.overlays(self.history.past(self.options.environment), self.options.environment))

    def check_components(self) -> list[str]:
        """Return the components to remove; stop when others would be lost."""
        if not self.options.commit:
            wanted = {entry["name"]: entry["layer"] for entry in self.options.components}
            removal.check_ownership(self.found, wanted, self.options.adopted, self._foreign_names())
        names, notes = removal.announced(self.options.removals, self.found, self.options.known)
        self.notes += notes + removal.forgotten(self.found, names)
        surprising = removal.unannounced(self.found, names)
        if surprising:
            losses = {name: self._data_of(name)[0] for name in surprising}
            raise GitopsError(removal.refusal(surprising, self.found, losses))
        for name in names:
            lost, kept = self._data_of(name)
            self.notes += [f"Removing {name} deletes {listed(lost)}."] if lost else []
            self.notes += [f"Removing {name} keeps {listed(kept)}."] if kept else []
        return names

    def _foreign_names(self) -> set[str]:
        """Return the names of Applications in Argo CD's namespace that are not ours."""
        return {
            item["metadata"]["name"]
            for item in self.survey.others
            if item["metadata"]["namespace"] == self.survey.namespace
        }

    def _data_of(self, name: str) -> tuple[list[str], list[str]]:
        """Return the objects with data that the removal of a component deletes, and those that stay."""
        objects = sorted(entry for entry in self._had(name) if removal.holds_data(entry))
        found = [(removal.label(entry), live) for entry in objects if (live := self.survey.live(entry))]
        kept = [label for label, live in found if removal.is_kept(live, "Delete")]
        return [label for label, _live in found if label not in kept], kept

    def _is_lost(self, entry: Identity, option: str) -> bool:
        live = self.survey.live(entry)
        return live is not None and not removal.is_kept(live, option)

    def check_data(self, names: list[str]) -> list[dict[str, Any]]:
        """Stop when objects that hold data would leave components that stay; return the volumes to delete."""
        entries = self.options.volume_removals
        removal.check_volumes(entries, self.found, names, self.after)
        announced = {removal.volume(entry) for entry in entries}
        self._check_moves(names)
        losses: dict[str, list[str]] = {}
        for name in sorted(self.staying):
            leaving = sorted(entry for entry in self._had(name) - self.after - announced if removal.holds_data(entry))
            lost = [removal.label(entry) for entry in leaving if self._is_lost(entry, "Prune")]
            if lost:
                losses[name] = lost
        if losses:
            raise GitopsError(removal.data_refusal(losses))
        return [entry for entry in entries if self._may_delete(entry)]

    def _check_moves(self, names: list[str]) -> None:
        """Refuse to delete an object with data that another component gets: it would be deleted before it moves."""
        for name in names:
            moving = sorted(entry for entry in self._had(name) & self.after if removal.holds_data(entry))
            lost = [removal.label(entry) for entry in moving if self._is_lost(entry, "Delete")]
            if lost:
                raise GitopsError(
                    f"Nothing was written. {listed(lost)} moves from {name}, which is removed, to another "
                    f"component, and would be deleted before that: publish the move first, then remove {name}."
                )

    def _may_delete(self, entry: dict[str, Any]) -> bool:
        """Return whether a volume may be deleted; an old entry must not delete the new volume of a component."""
        found = removal.volume(entry)
        name = removal.name_of(str(entry["component"]), self.found.handwritten | self.found.rendered)
        if name in self.wanted:
            had = found in self._had(name)
            self.notes += (
                []
                if had
                else [f"gitops_volume_removals: {removal.label(found)} is not being removed from {name}; ignored."]
            )
            # Argo CD would create again what is still in the revision that it follows.
            return had and (self.moves or found not in self.earlier.get(name, set()))
        return self.moves or name not in self._overlays(self.before)

    @property
    def moves(self) -> bool:
        """Return whether this run changes what Argo CD follows."""
        # A branch that does not exist yet is created from what is published.
        return bool(self.options.commit) or self.history.is_followed_at_once(self.options.revision)

    @cached_property
    def staying(self) -> set[str]:
        """Return the components that existed before and stay."""
        return (self.found.living.keys() | self.earlier.keys()) & self.wanted

    def _had(self, name: str) -> set[Identity]:
        """Return the objects that a component has in the cluster, or had in Git."""
        return self.found.living.get(name, set()) | self.earlier.get(name, set())

    # --- builds -------------------------------------------------------------------------------------------------------

    @cached_property
    def changed(self) -> set[str]:
        """Return the components that differ from what Argo CD follows."""
        files = self.history.changed_files(self.before, self.options.commit)
        return set(policy.touched_components(files, self.options.environment))

    @cached_property
    def earlier(self) -> dict[str, set[Identity]]:
        """Return the objects that Argo CD has from Git, for components that change or leave only."""
        present = self._overlays(self.before)
        entries = [entry for name, entry in sorted(present.items()) if name in self.changed or name not in self.wanted]
        with self._exported(self.before, entries) as tree:
            # An overlay that does not build was never deployed; the cluster shows what exists.
            summaries, _errors = self._build_each(tree, entries)
        return self._identities(summaries, summaries + self._wanted_summaries)

    @cached_property
    def after(self) -> set[Identity]:
        """Return all objects that the environment has after this run."""
        built = self._identities(self._wanted_summaries, self._wanted_summaries)
        return {entry for objects in built.values() for entry in objects}

    @cached_property
    def _wanted_summaries(self) -> list[dict[str, Any]]:
        if not self.options.commit:
            return self._build(self.clone.path, self.options.components)
        present, ours = self._overlays(self.options.commit).values(), self._rendered(self.options.commit).values()
        with self._exported(self.options.commit, sorted(present)) as tree:
            summaries = self._build(tree, [component(*entry) for entry in sorted(ours)])
            others, errors = self._build_each(tree, sorted(set(present) - set(ours)))
        self.notes += [f"A handwritten overlay does not build: {text}" for text in errors]
        return summaries + others

    @contextlib.contextmanager
    def _exported(self, commit: str, entries: list[tuple[str, str]]) -> Iterator[Path]:
        """Provide overlays, with their bases, as they are in a commit."""
        with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as folder:
            parts = ("base", f"envs/{self.options.environment}")
            folders = [f"argocd/{'/'.join(entry)}/{part}" for entry in entries for part in parts]
            self.history.export(commit, folders, Path(folder))
            yield Path(folder)

    def _build(self, tree: Path, components: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return build_all(str(tree), self.options.environment, components, self.options.kustomize)

    def _build_each(self, tree: Path, entries: list[tuple[str, str]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Build overlays of which some may be broken; return why."""
        names = ["/".join(entry) for entry in entries]
        return build_others(str(tree), self.options.environment, names, self.options.kustomize)

    def _identities(self, summaries: list[dict[str, Any]], known: list[dict[str, Any]]) -> dict[str, set[Identity]]:
        """Return the identities of the objects in the cluster; `known` name the kinds without a namespace."""
        cluster = cluster_kinds(known)
        return {
            summary["name"]: {
                (entry["group"], entry["kind"], entry["namespace"], entry["name"])
                for entry in identities(summary, cluster)
            }
            for summary in summaries
        }

    # --- result -------------------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """Run all checks and return what the run may do."""
        self.check_identity()
        self.check_policy()
        names = self.check_components()
        volumes = self.check_data(names)
        living = self.found.living.keys()
        present = self._overlays(self.before)
        gone = [name for name in names if name in living and (self.moves or name not in present)]
        stay = [name for name in self.staying if name in living]
        pruned = {entry for name in stay for entry in self._had(name) - self.after if self._is_lost(entry, "Prune")}
        counts = {
            "created": len((self.wanted | self.found.handwritten.keys()) - living),
            "changed": len(self.changed & set(stay)),
            "deleted": len([name for name in names if name in living]),
            "pruned": len(pruned) + sum(len(self.found.living[name]) for name in names if name in living),
        }
        return {
            "commit": self.options.commit,
            "notes": self.notes,
            "counts": counts,
            "removals": [f"{self.found.rendered[name]}/{name}" for name in names if name in self.found.rendered],
            "delete": gone,
            "volumes": volumes,
            "handwritten": sorted(
                f"{layer}/{name}" for name, layer in self.found.handwritten.items() if name not in self.wanted
            ),
            "leftovers": sorted(living - self.found.rendered.keys() - self.found.handwritten.keys() - self.wanted),
            "tree": "" if self.options.commit else self.clone.staged_tree(),
            "uid": self.survey.uid,
        }

    def check_policy(self) -> None:
        """Stop when the controller would delete Applications whatever the ApplicationSets say."""
        settings = self.survey.settings | self.options.parameters
        policy = identity.overriding_policy(settings, self.survey.applicationset_containers)
        if policy:
            raise GitopsError(
                f"Nothing was written. The ApplicationSet controller runs with the policy {policy!r} (key "
                "applicationsetcontroller.policy of ConfigMap argocd-cmd-params-cm, or its flag --policy), ignores "
                "applicationsSync and may delete Applications: remove the policy, or set "
                "applicationsetcontroller.enable.policy.override to true."
            )
