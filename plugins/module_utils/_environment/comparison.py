# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what the inventory wants, what Git has and what lives in the cluster, before anything is written.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import (
    identity,
    installation,
    removal,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.adoption import Adoption
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.builds import Builds
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.effect import Effect
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.losses import Losses
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Found
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.revisions import Revisions
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey, commit_of, deployed
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone


class Comparison:
    """The three sides: an inventory, a clone and a cluster."""

    def __init__(self, clone: Clone, survey: Survey, options: Options) -> None:
        self.clone, self.survey, self.options = clone, survey, options
        self.notes: list[str] = []
        self.revisions = Revisions(clone, options)
        self.wanted_side = identity.Side(options.environment, options.repository, options.revision or "HEAD")

    @cached_property
    def wanted(self) -> set[str]:
        """Return the components that are wanted: those of the inventory, or of the commit that is promoted."""
        if self.revisions.commit:
            return set(self.revisions.overlays(self.revisions.commit))
        return {entry["name"] for entry in self.options.components}

    @cached_property
    def found(self) -> Found:
        """Return the components that each side has."""
        base = self.revisions.before if self.revisions.commit else self.revisions.published
        rendered, present = self.revisions.rendered(base), self.revisions.overlays(base)
        removes = bool(self.options.removals or self.options.volume_removals)
        return Found(
            environment=self.options.environment,
            wanted=self.wanted,
            rendered={name: layer for name, (layer, _name) in rendered.items()},
            handwritten={name: layer for name, (layer, _n) in present.items() if name not in rendered},
            past=self.revisions.past() if removes else set(),  # reading it takes long
            living={name: deployed(item) for name, item in self.survey.ours.items()},
        )

    @cached_property
    def builds(self) -> Builds:
        """Return the objects before and after the run."""
        return Builds(self.revisions, self.wanted, self.notes)

    @cached_property
    def losses(self) -> Losses:
        """Return what the run would delete."""
        return Losses(self.found, self.builds, self.survey)

    @cached_property
    def adoption(self) -> Adoption:
        """Return what of people's work in Git the run would replace."""
        return Adoption(self.revisions, {entry["name"]: entry["layer"] for entry in self.options.components})

    @cached_property
    def effect(self) -> Effect:
        """Return what the run does to the objects of components."""
        rules = {entry["name"]: entry.get("immutable") or [] for entry in self.options.components}
        return Effect(self.builds, self.losses, self.survey, rules)

    def check_identity(self) -> None:
        """Stop before anything of another cluster, environment or repository is changed."""
        living = identity.living_sides(
            self.survey.applicationsets, self.survey.config_map, list(self.survey.ours.values())
        )
        stops, notes, word = identity.compare(self.wanted_side, living, self._facts(living))
        stops += two_repositories(self.clone, self.options)
        if stops and self.options.takeover != word:
            raise GitopsError(identity.refusal(stops, word))
        self.notes += [f"Continuing because of gitops_takeover={word}: {text}" for text in stops] + notes

    def _facts(self, living: list[identity.Side]) -> identity.Facts:
        history, head = self.revisions.history, self.revisions.commit or self.revisions.before
        commits = sorted({commit for item in self.survey.ours.values() if (commit := commit_of(item))})
        return identity.Facts(
            uid=self.survey.uid,
            recorded_version=((self.survey.config_map or {}).get("data") or {}).get("collectionVersion", ""),
            own_version=self.options.version,
            # A rehearsal starts from a new cluster and does not change a real one.
            is_new=not living and not self.options.throwaway,
            commits=commits,
            unknown_commits=[commit for commit in commits if not history.has(commit, head)],
            lost_commits=[commit for commit in commits if not history.is_reachable(commit)],
            changed_overlays=self.revisions.changed_overlays(self.found.rendered.keys() - self.wanted),
            head=self.revisions.published,
        )

    def check_policy(self) -> None:
        """Stop when the controller would delete Applications whatever the ApplicationSets say."""
        settings = self.survey.settings | self.options.parameters
        policy = installation.overriding_policy(settings, self.survey.applicationset_containers)
        if policy:
            raise GitopsError(
                f"Nothing was written. The ApplicationSet controller runs with the policy {policy!r} (key "
                "applicationsetcontroller.policy of ConfigMap argocd-cmd-params-cm, or its flag --policy), ignores "
                "applicationsSync and may delete Applications: remove the policy, or set "
                "applicationsetcontroller.enable.policy.override to true."
            )

    def check_components(self) -> list[str]:
        """Return the components to remove; stop when others would be lost."""
        if self.revisions.commit:
            self.revisions.check_one_layer(self.revisions.commit)
        else:
            if self.revisions.published:
                self.revisions.check_one_layer(self.revisions.published)
            wanted = {entry["name"]: entry["layer"] for entry in self.options.components}
            removal.check_ownership(self.found, wanted, self._foreign_names())
            self.revisions.check_one_layer()
            removal.check_entries(self.found, {entry["name"]: entry["layer"] for entry in self.options.entries})
            self.adoption.clear()
            self.notes += self.adoption.check(self.effect.of)
        names, notes = removal.announced(self.options.removals, self.found, self.options.known)
        self.notes += notes + removal.forgotten(self.found, names)
        if not self.revisions.commit:
            self.notes += self.adoption.left(
                {name: layer for name, layer in self.found.rendered.items() if name in names}
            )
        surprising = removal.unannounced(self.found, names)
        if surprising:
            losses = {name: self.losses.data_of(name)[0] for name in surprising}
            raise GitopsError(removal.refusal(surprising, self.found, losses))
        for name in names:
            lost, kept = self.losses.data_of(name)
            self.notes += [f"Removing {name} deletes {listed(lost)}."] if lost else []
            self.notes += [f"Removing {name} keeps {listed(kept)}."] if kept else []
        return names

    def _foreign_names(self) -> set[str]:
        """Return the names of Applications in Argo CD's namespace that are not ours."""
        metadata = [item["metadata"] for item in self.survey.others]
        return {entry["name"] for entry in metadata if entry["namespace"] == self.survey.namespace}

    def check_data(self, names: list[str]) -> list[dict[str, Any]]:
        """Stop when objects that hold data would leave components that stay; return the volumes to delete."""
        entries = self.options.volume_removals
        removal.check_volumes(entries, self.found, names, self.builds.after)
        self.losses.check_moves(names)
        losses = self.losses.pruned_data({removal.volume(entry) for entry in entries})
        if losses:
            raise GitopsError(removal.data_refusal(losses))
        return [entry for entry in entries if self._may_delete(entry)]

    def check_immutable(self) -> None:
        """Stop when a living object cannot take what it would get: Argo CD would try it again and again."""
        names = sorted(self.revisions.changed & self.losses.staying & self.found.living.keys())
        found = [f"{name}: {text}" for name in names for text in self.effect.refused(name)]
        if found:
            raise GitopsError(f"Nothing was written. A live object cannot accept a changed value. {' '.join(found)}")

    def _may_delete(self, entry: dict[str, Any]) -> bool:
        """Return whether a volume may be deleted; an old entry must not delete the new volume of a component."""
        found = removal.volume(entry)
        name = removal.name_of(str(entry["component"]), self.found.handwritten | self.found.rendered)
        if name not in self.wanted:
            return self.revisions.moves or name not in self.revisions.overlays(self.revisions.before)
        if found not in self.losses.had(name):
            self.notes.append(
                f"gitops_volume_removals: {removal.label(found)} is not being removed from {name}; ignored."
            )
            return False
        # Argo CD would create again what is still in the revision that it follows.
        return self.revisions.moves or found not in self.builds.earlier.get(name, set())

    def result(self) -> dict[str, Any]:
        """Run all checks and return what the run may do."""
        self.check_identity()
        self.check_policy()
        names = self.check_components()
        volumes = self.check_data(names)
        self.check_immutable()
        found, living, commit = self.found, self.found.living.keys(), self.revisions.commit
        present, named = self.revisions.overlays(self.revisions.before), self._named(names)
        return {
            "commit": commit,
            "notes": [*removal.named(named), *self.notes],
            "counts": {key: len(applications) for key, applications in named.items()} | {"pruned": self._pruned(names)},
            "removals": [f"{found.rendered[name]}/{name}" for name in names if name in found.rendered],
            "delete": [name for name in names if name in living and (self.revisions.moves or name not in present)],
            "volumes": volumes,
            "handwritten": sorted(
                f"{layer}/{name}" for name, layer in found.handwritten.items() if name not in self.wanted
            ),
            "leftovers": sorted(living - found.rendered.keys() - found.handwritten.keys() - self.wanted),
            "replaced": [] if commit else self.adoption.replaced,
            "tree": "" if commit else self.clone.staged_tree(),
            "uid": self.survey.uid,
        }

    def _named(self, names: list[str]) -> dict[str, list[str]]:
        """Return the Applications that the run creates, changes and deletes."""
        living = self.found.living
        return {
            "created": sorted((self.wanted | self.found.handwritten.keys()) - living.keys()),
            "changed": sorted(self.revisions.changed & self.losses.staying & living.keys()),
            "deleted": [name for name in names if name in living],
        }

    def _pruned(self, names: list[str]) -> int:
        """Return how many objects leave the cluster."""
        return len(self.losses.pruned()) + sum(len(self.found.living.get(name, ())) for name in names)


def two_repositories(clone: Clone, options: Options) -> list[str]:
    """Return why Argo CD's URL is not the repository that is published to, if that URL can be reached."""
    read, pushed = options.repository, options.push_url or options.repository
    if identity.repository_name(read) == identity.repository_name(pushed):
        return []
    commit = remote.unknown_at(clone, read, options.revision)
    if not commit:
        return []
    return [
        f"gitops_repo_url has commit {commit[:12]} at {options.revision}, which gitops_repo_push_url does not "
        f"have: {public(read)} and {public(pushed)} are different repositories."
    ]
