# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository has in the layout of this collection, and what leads there from others. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import DNS_LABEL

Folder = tuple[str, ...]
Component = tuple[str, str]  # layer and name

# Folders whose subfolders are environments.
OVERLAYS = {"overlays", "overlay", "environments", "envs", "env"}
# Folders between a component and its `base` that say what is in them, and not what it is called.
GENERIC = {"config", "deploy", "deployment", "deployments", "gitops", "k8s", "kubernetes", "kustomize", "manifests"}
INFRA = {"addons", "cluster", "core", "infra", "infrastructure", "operators", "platform", "system"}
# What may be in a command that somebody copies.
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Where a kustomization names files and folders.
LISTS = (
    *("resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators"),
    *("patches", "patchesStrategicMerge", "patchesJson6902", "replacements"),
)


@dataclass(frozen=True)
class Moves:
    """What leads to the layout: folders with their new places, and references that change with them."""

    folders: tuple[tuple[str, str], ...] = ()
    components: tuple[Component, ...] = ()
    left: tuple[tuple[str, str], ...] = ()  # folders that cannot be moved, and why

    def place(self, path: str) -> str:
        """Return where a path is afterwards."""
        for source, target in self.folders:
            if path == source or path.startswith(f"{source}/"):
                return target + path[len(source) :]
        return path


@dataclass(frozen=True)
class Edit:
    """A reference in a file, by its place after the moves, that has to be another one."""

    file: str
    old: str
    new: str


def environments(files: Iterable[str]) -> dict[Component, set[str]]:
    """Return the components below argocd/<layer>/ with the environments for which they have an overlay.

    What users add to one is none by itself.
    """
    found: dict[Component, set[str]] = {}
    for file in files:
        parts = file.split("/")
        if len(parts) > 3 and parts[0] == _paths.ROOT and parts[1] in _paths.LAYERS:
            own = found.setdefault((parts[1], parts[2]), set())
            if len(parts) > 5 and parts[3] == _paths.ENVIRONMENTS and not _paths.is_custom(file):
                own.add(parts[4])
    return found


def kustomized(files: Iterable[str]) -> set[Folder]:
    """Return the folders that have a kustomization."""
    parts = (tuple(file.split("/")) for file in files)
    return {entry[:-1] for entry in parts if entry[-1] in _paths.KUSTOMIZATIONS}


def lists(files: Iterable[str], read: Callable[[str], Any]) -> set[Folder]:
    """Return the folders whose kustomization only names components of the layout, as it is left after the moves."""
    found = set()
    for file in files:
        folder, name = posixpath.split(file)
        content = read(file) if name in _paths.KUSTOMIZATIONS else None
        if not isinstance(content, dict):
            continue
        named = list(references(content))
        if named and content.keys() <= {"apiVersion", "kind", "metadata", "resources"}:
            meant = [posixpath.normpath(posixpath.join(folder, entry)) for entry in named]
            own = folder.split("/")[:3]  # an overlay names the base of its own component
            if all(entry.startswith(f"{_paths.ROOT}/") and entry.split("/")[:3] != own for entry in meant):
                found.add(tuple(folder.split("/")))
    return found


def moves(files: list[str], layers: dict[str, str], repository: str, left_out: Iterable[Folder] = ()) -> Moves:
    """Return what leads from `base` and `overlays` to the layout; `layers` are those of components that have a role.

    `repository` is the name of a component that is all of a repository.
    """
    folders = kustomized(files) - {*left_out}
    taken, present = set(environments(files)), existing(files)
    done, left = Moves(), []
    for owner, name, sources in components(folders):
        label, others = "/".join((*owner, name) if name else owner) or ".", taken
        if owner[:1] == (_paths.ROOT,) and len(owner) == 3 and owner[1] in _paths.LAYERS and not name:
            component: Component = (owner[1], owner[2])
            others = taken - {component}
        else:
            title = name or own_name(owner, repository)
            component = (layers.get(title) or layer_of(owner), title)
        target = _paths.component_folder(*component)
        pairs = [("/".join(source), f"{target}/{place}") for source, place in sources]
        pairs = [pair for pair in pairs if pair[0] != pair[1]]
        if problem := refusal(component, owner, sources, others) or obstacle(pairs, done.folders, files, present):
            left.append((label, problem))
            continue
        taken.add(component)
        done = Moves((*done.folders, *pairs), (*done.components, component))
    return Moves(done.folders, done.components, tuple(left))


def components(folders: set[Folder]) -> Iterator[tuple[Folder, str, list[tuple[Folder, str]]]]:
    """Return for each component its folder, its name if that is not its own, and its parts with their new places."""
    found: dict[tuple[Folder, str], dict[Folder, str]] = {}
    for folder in sorted(folders):
        index = max((number for number, part in enumerate(folder) if part in OVERLAYS), default=-1)
        if index < 0 or index + 1 == len(folder) or is_ours(folder):
            continue
        owner, (environment, *rest) = folder[:index], folder[index + 1 :]
        shared = {entry[-1] for entry in folders if entry[:-1] == (*owner, _paths.BASE)}
        alone = (*owner, folder[index], environment) not in folders
        if len(rest) == 1 and (rest[0] in shared or alone):  # base/<name>, overlays/<environment>/<name>
            parts = found.setdefault((owner, rest[0]), {})
            if rest[0] in shared:
                parts[(*owner, _paths.BASE, rest[0])] = _paths.BASE
            parts[folder] = _paths.environment_folder(environment)
        elif not rest and not any((*folder, name) in folders for name in shared):
            parts = found.setdefault((owner, ""), {})
            if (*owner, _paths.BASE) in folders:
                parts[(*owner, _paths.BASE)] = _paths.BASE
            parts[folder[: index + 1]] = _paths.ENVIRONMENTS
    for (owner, name), parts in sorted(found.items()):
        yield owner, name, list(parts.items())


def is_ours(folder: Folder) -> bool:
    """Return whether a folder is an overlay in the layout."""
    return (
        folder[:1] == (_paths.ROOT,)
        and folder[1:2] in [(layer,) for layer in _paths.LAYERS]
        and (folder[3:4] == (_paths.ENVIRONMENTS,))
    )


def own_name(owner: Folder, repository: str) -> str:
    """Return what the component in a folder is called."""
    names = [part for part in owner if part.lower() not in GENERIC]
    return names[-1] if names else repository


def layer_of(owner: Folder) -> str:
    """Return the layer of a component that has no role, by the folders that it lies in."""
    words = {word for part in owner for word in re.split(r"[^a-z]+", part.lower())}
    return _paths.INFRA if words & INFRA else _paths.SERVICES


def refusal(component: Component, owner: Folder, sources: list[tuple[Folder, str]], taken: set[Component]) -> str:
    """Return why a component cannot be moved."""
    if not all(is_plain("/".join(folder)) for folder in (owner, *(source for source, _place in sources))):
        return "a name in its path has characters that no command in this list may contain: move it by hand"
    if not DNS_LABEL.fullmatch(component[1]):
        return f"{component[1]} cannot be the name of an Application: rename the folder"
    clash = next((entry for entry in sorted(taken) if entry[1] == component[1]), None)
    if clash:
        return f"{_paths.component_folder(*clash)} has that name: rename one of them"
    places = [place for _source, place in sources]
    return "it has several folders with overlays: move it by hand" if len(places) != len(set(places)) else ""


def obstacle(
    pairs: list[tuple[str, str]], earlier: Iterable[tuple[str, str]], files: list[str], present: set[str]
) -> str:
    """Return why folders cannot get to their new places after earlier ones got to theirs."""
    outer = {folder for folder, _place in earlier}
    for source, target in pairs:
        if folder := next((path for path in parents(source) if path in outer), ""):
            return f"{source} lies in {folder}, which moves as well: move it by hand"
        # git mv would move it into a folder that exists, and below a file there can be none.
        taken = [target] if target in present else [path for path in parents(target) if path in files]
        if taken:
            return f"{taken[0]} exists already: move it by hand"
    return ""


def existing(files: list[str]) -> set[str]:
    """Return the files, and the folders that they are in."""
    return {*files, *(folder for file in files for folder in parents(file))}


def edits(files: list[str], read: Callable[[str], Any], moved: Moves) -> tuple[list[Edit], list[tuple[str, str]]]:
    """Return the references of kustomizations that lead elsewhere after the moves, and those that no command changes.

    `read` returns a kustomization.
    """
    known = existing(files)
    found: list[Edit] = []
    left: list[tuple[str, str]] = []
    for file in [file for file in files if posixpath.basename(file) in _paths.KUSTOMIZATIONS]:
        folder, place = posixpath.dirname(file), moved.place(file)
        own = []
        for entry in dict.fromkeys(references(read(file))):
            meant = posixpath.normpath(posixpath.join(folder, entry))
            after = posixpath.normpath(posixpath.join(posixpath.dirname(place), entry))
            if meant in known and after != moved.place(meant):
                own.append(Edit(place, entry, posixpath.relpath(moved.place(meant), posixpath.dirname(place))))
        possible = in_order([edit for edit in own if is_plain(edit.file) and is_plain(edit.old)])
        found += possible
        left += [
            (place, f"its reference {edit.old} has to be {edit.new}: change it by hand")
            for edit in own
            if edit not in possible
        ]
    return found, left


def in_order(changed: list[Edit]) -> list[Edit]:
    """Return the edits of a file so that none changes what another one has written; without those that trade places."""
    rest, done = [*changed], []
    while ready := next((edit for edit in rest if edit.new not in {other.old for other in rest}), None):
        rest.remove(ready)
        done.append(ready)
    return done


def parents(file: str) -> Iterator[str]:
    """Return the folders that a file is in."""
    while file := posixpath.dirname(file):
        yield file


def is_plain(path: str) -> bool:
    """Return whether a path has no character that means something else in a command."""
    return all(PLAIN.fullmatch(part) for part in path.split("/") if part not in ("", ".", ".."))


def references(kustomization: Any) -> Iterator[str]:
    """Return the files and folders that a kustomization names."""
    if not isinstance(kustomization, dict):
        return
    for key in LISTS:
        for entry in kustomization.get(key) or []:
            path = entry.get("path") if isinstance(entry, dict) else entry
            if isinstance(path, str) and "\n" not in path and "://" not in path:
                yield path
    for key in ("configMapGenerator", "secretGenerator"):
        for generator in kustomization.get(key) or []:
            if isinstance(generator, dict):
                names = [*(generator.get("files") or []), *(generator.get("envs") or []), generator.get("env")]
                yield from (name.rpartition("=")[2] for name in names if isinstance(name, str))


def edited(text: str, edit: Edit) -> str:
    """Return a kustomization with another reference, as the command does it."""
    pattern = rf"(^|[ \t\"'\[,=]){re.escape(edit.old)}($|[ \t\r\"',\]])"
    return re.sub(pattern, lambda found: f"{found[1]}{edit.new}{found[2]}", text, flags=re.MULTILINE)


def commands(moved: Moves, changed: list[Edit]) -> list[str]:
    """Return the commands that lead to the layout, for a shell in a clone of the repository."""
    targets = sorted({posixpath.dirname(target) for _source, target in moved.folders})
    lines = [f"mkdir -p {' '.join(targets)}"] if targets else []
    lines += [f"git mv {source} {target}" for source, target in moved.folders]
    lines += [f"sed -i {shlex.quote(script(edit))} {edit.file}" for edit in changed]
    edited = sorted({edit.file for edit in changed})
    return lines + ([f"git add {' '.join(edited)}"] if edited else [])


def script(edit: Edit) -> str:
    """Return what sed needs to change a reference: the whole of it, quoted or not, in a list of either style."""
    old = edit.old.replace(".", r"\.")
    return rf"""s#\(^\|[[:blank:]"'[,=]\){old}\($\|[[:space:]"',]\|]\)#\1{edit.new}\2#g"""
