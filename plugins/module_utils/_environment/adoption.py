# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote or changed in Git and a run would replace, and whether the inventory allows it.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import name_of
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.revisions import Revisions
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._files import read
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.checksums import (
    MARK,
    content_of,
    is_edited,
    is_edited_official,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER

Component = tuple[str, str]  # layer, name
NAMED = 20
DIGITS = 6
NOTHING = "change nothing"


@dataclass
class Theirs:
    """Files that no run wrote, in the folders that a run renders for one component."""

    replaced: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)  # those among them that no rendered file overwrites


def theirs(
    component: Component, environment: str, before: Iterable[str], headed: set[str], changed: set[str]
) -> Theirs:
    """Return what a run replaces that no run wrote; `before` are the files of the component in Git.

    `headed` have the header of a rendered file, `changed` are those that the run writes or removes. In a folder with a
    kustomization of ours, other files may lie beside it. Where the kustomization is theirs as well, so is the folder.
    """
    found, files = Theirs(), list(before)
    for part in (_paths.BASE, _paths.environment_folder(environment)):
        folder = f"{_paths.component_folder(*component)}/{part}"
        kustomizations = {f"{folder}/{name}" for name in _paths.KUSTOMIZATIONS}
        inside = [name for name in files if name.startswith(f"{folder}/") and not _paths.is_custom(name)]
        own = [name for name in inside if name not in headed and not _is_plain(name, changed)]
        if own and not kustomizations & headed and kustomizations & changed:
            found.replaced += [*own, *(name for name in inside if _is_official(name) and name in changed)]
            found.unused += [name for name in own if name not in changed]
        else:
            found.replaced += [name for name in own if name in changed]
    found.replaced.sort()
    return found


def _is_official(name: str) -> bool:
    return PurePosixPath(name).name == _paths.UPSTREAM


def _is_plain(name: str, changed: set[str]) -> bool:
    """Return whether a file says nothing about objects of its own: a text that stays, or an official manifest."""
    return _is_official(name) or (name.endswith(".md") and name not in changed)


def is_changed(name: str, before: dict[str, str], checked: set[str]) -> bool:
    """Return whether somebody changed a rendered file of Git; files of the folders `checked` have checksums."""
    is_checked = policy.rendered_folder(name) in checked
    if not _is_official(name):
        return is_edited(before[name], is_checked)
    kustomization = "\n".join(before.get(path, "") for path in sorted(_paths.kustomizations_beside(name)))
    return is_edited_official(before[name], kustomization, is_checked)


def group_of(name: str) -> str:
    """Return the component that a file belongs to, or the folder of the ApplicationSets."""
    component = policy.component_of(name)
    return component[1] if component else _paths.APPLICATIONSETS


def word(name: str, texts: dict[str, str]) -> str:
    """Return the word that allows to overwrite exactly these texts."""
    content = json.dumps(sorted(texts.items()))
    return f"{name}:{hashlib.sha256(content.encode('utf-8', 'surrogateescape')).hexdigest()[:DIGITS]}"


class Adoption:
    """What one run replaces of what people did in the published commit."""

    def __init__(self, revisions: Revisions, layers: dict[str, str]) -> None:
        """`layers` are those of the components that have a role."""
        self.revisions, self.options, self.layers = revisions, revisions.options, layers
        self.clone, self.history, self.published = revisions.clone, revisions.history, revisions.published

    @cached_property
    def changed(self) -> set[str]:
        """Return the files that differ between the published commit and the working tree."""
        return set(self.history.changed_files(self.published)) if self.published else set()

    @cached_property
    def headed(self) -> set[str]:
        """Return the files of the published commit that have our header, also where it is not in the first line."""
        return self.history.having(self.published, HEADER)

    @cached_property
    def checked(self) -> set[str]:
        """Return the folders of the published commit that were rendered with checksums."""
        names = self.history.having(self.published, MARK)
        return {policy.rendered_folder(name) for name in names if not _paths.is_custom(name)}

    @cached_property
    def theirs(self) -> dict[str, Theirs]:
        """Return what no run wrote, for the components of which the run replaces something."""
        if not self.changed:
            return {}
        files: dict[str, list[str]] = {}
        for name in self.history.files(self.published):
            files.setdefault("/".join(policy.component_of(name) or ()), []).append(name)
        found = {
            name: theirs(
                (layer, name), self.options.environment, files.get(f"{layer}/{name}", []), self.headed, self.changed
            )
            for name, layer in sorted(self.layers.items())
        }
        return {name: entry for name, entry in found.items() if entry.replaced}

    @cached_property
    def edited(self) -> dict[str, dict[str, str]]:
        """Return what somebody changed in rendered files and the run overwrites: texts by component and name."""
        groups: dict[str, dict[str, str]] = {}
        for name, text in self._changed_by_people(self.changed).items():
            path = self.clone.path / name
            if content_of(text) != (content_of(read(path)) if path.is_file() else ""):
                groups.setdefault(group_of(name), {})[name] = text
        return groups

    def _changed_by_people(self, names: Iterable[str]) -> dict[str, str]:
        """Return those of these files of the published commit that a run rendered and somebody changed, as they are."""
        present = set(self.history.files(self.published))
        ours = {name for name in names if name in present and self._is_ours(name)}
        beside = {path for name in ours if _is_official(name) for path in _paths.kustomizations_beside(name)}
        before = self.history.texts(self.published, sorted(ours | (beside & present)))
        return {name: before[name] for name in sorted(ours & before.keys()) if is_changed(name, before, self.checked)}

    def _is_ours(self, name: str) -> bool:
        """Return whether a run wrote a file; beside the ApplicationSets nobody else has one of the same name."""
        if name in self.headed or _is_official(name):
            return True
        return not policy.component_of(name) and policy.rendered_folder(name) in self.checked

    @property
    def replaced(self) -> list[str]:
        """Return all files of people, or with their changes, that the run replaces."""
        files = [name for entry in self.theirs.values() for name in entry.replaced]
        return sorted({*files, *(name for texts in self.edited.values() for name in texts)})

    def clear(self) -> None:
        """Remove from the working tree what would stay beside the rendered files, where kustomize may find it."""
        unused = [name for entry in self.theirs.values() for name in entry.unused]
        if unused:
            self.clone.remove(unused)

    def check(self, effect: Callable[[str], list[str]]) -> list[str]:
        """Stop when the inventory does not allow all of it; else return notes. `effect` is that in the cluster."""
        allowed = {name_of(entry, self.layers) for entry in self.options.adopted} | self.options.adopted
        words = {name: word(name, texts) for name, texts in self.edited.items()}
        unnamed = [name for name in self.theirs if name not in allowed]
        unsaid = [name for name in sorted(words) if words[name] not in self.options.adopted]
        texts = [self._their_stop(name, effect(name)) for name in unnamed]
        texts += [self._edited_stop(name, words[name], effect) for name in unsaid]
        if texts:
            raise GitopsError("\n".join([f"Nothing was written. {texts[0]}", *texts[1:]]))
        return list(self._notes(effect))

    def left(self, removed: dict[str, str]) -> list[str]:
        """Return notes about what people did in components that leave; `removed` has their layers."""
        environment, notes = self.options.environment, []
        files = self.history.files(self.published) if removed else []
        for name, layer in sorted(removed.items()):
            custom = _paths.custom_folder(layer, name, environment)
            if any(file.startswith(f"{custom}/") for file in files):
                notes.append(f"{custom} is the user's and stays in Git.")
            lost = sorted(self._changed_by_people(policy.leaving(files, (layer, name), environment)))
            notes += [f"Removing {name} deletes what somebody changed in {listed(lost, NAMED)}."] if lost else []
        return notes

    def _label(self, name: str) -> str:
        return f"{self.layers[name]}/{name}" if name in self.layers else name

    def _their_stop(self, name: str, effect: list[str]) -> str:
        others = policy.environments_of(self.clone.names("ls-files", _paths.ROOT), (self.layers[name], name))
        others -= {self.options.environment}
        shared = f"These environments read the same base, which changes for them, too: {listed(sorted(others))}."
        lines = [
            f"Git has files of {self._label(name)} that no run wrote, and this run would replace them. {_text(effect)}",
            f"Files that it replaces: {listed(self.theirs[name].replaced, NAMED)}.",
            *([shared] if others and any(f"/{_paths.BASE}/" in file for file in self.theirs[name].replaced) else []),
            f"Name {name} in gitops_adopt to let the collection take over, or leave it out of gitops_components.",
        ]
        return "\n".join(lines)

    def _edited_stop(self, name: str, said: str, effect: Callable[[str], list[str]]) -> str:
        files = listed(sorted(self.edited[name]), NAMED)
        text = f"Somebody changed what a run rendered of {self._label(name)}, and this run would overwrite it: {files}."
        instead = "the inventory"
        if name in self.layers:
            text += f" {_text(effect(name))}"
            custom = _paths.custom_folder(self.layers[name], name, self.options.environment)
            instead = f"the inventory, the role or {custom}"
        return f'{text}\nMove the change to {instead}, or overwrite it with gitops_adopt: ["{said}"].'

    def _notes(self, effect: Callable[[str], list[str]]) -> Iterable[str]:
        for name, entry in self.theirs.items():
            files = listed(entry.replaced, NAMED)
            yield f"Replacing files of {self._label(name)} that no run wrote (gitops_adopt): {files}."
        for name, texts in sorted(self.edited.items()):
            files = listed(sorted(texts), NAMED)
            yield f"Overwriting what somebody changed in {self._label(name)} (gitops_adopt): {files}."
        for name in sorted({*self.theirs, *self.edited} & self.layers.keys()):
            yield f"In the cluster this will, for {self._label(name)}, {'; '.join(effect(name) or [NOTHING])}."


def _text(effect: list[str]) -> str:
    """Return what would happen in the cluster, a line each."""
    if not effect:
        return f"In the cluster this would {NOTHING}."
    return "\n".join(["In the cluster this would", *(f"- {line}" for line in effect)])
