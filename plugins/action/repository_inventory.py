# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of repository_inventory."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inventory, layout
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.inventory import Found
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import snapshot
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import find_command
from ansible_collections.monorepo.gitops.plugins.plugin_utils.adopting import (
    DOMAIN,
    Adopting,
    layers,
    without_options,
)
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction, plain
from ansible_collections.monorepo.gitops.plugins.plugin_utils.role_rendering import RoleRendering, build
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import is_ours

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "revision": {"type": "str", "default": "HEAD"},
    "environment": {"type": "str", "default": ""},
    "file": {"type": "path"},
    "command": {"type": "list", "elements": "str", "default": []},
    "ssh_command": {"type": "str", "default": ""},
}

LOCAL = (
    "gitops_repo_url is a folder on this machine: set what Argo CD reads, and gitops_repo_push_url for this machine."
)
MOVED = "An Application or ApplicationSet that names a folder that is moved must follow it in the same commit."


class ActionModule(ControllerAction):
    """Describe a repository."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Read the repository, and return the inventory that describes it."""
        file = Path(args["file"]) if args["file"] else None
        if file and file.exists():
            raise GitopsError(f"Nothing was written: {file} exists already. Name a file that does not exist yet.")
        command = args["command"] or find_command()
        with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as folder:
            scratch = Path(folder)
            url = local(args["url"])
            taken = snapshot.take(url, args["revision"], scratch, args["ssh_command"])
            rendering = RoleRendering(self, without_options(task_vars), scratch, command)
            result = Description(rendering, taken, url, args["environment"]).result()
        written = bool(file) and not self._task.check_mode
        if file and written:
            write(file, result["inventory"])
        return result | {"changed": bool(file), "file": str(file or "")}


class Description:
    """One environment of a repository."""

    def __init__(self, rendering: RoleRendering, taken: snapshot.Snapshot, url: str, environment: str) -> None:
        self.rendering, self.taken, self.url = rendering, taken, url
        self.tree, self.layers = taken.folder, layers(rendering)
        self.notes: list[str] = []
        name = PurePosixPath(url).name.removesuffix(".git")
        left_out = layout.lists(taken.files, self._kustomization)
        self.moves = layout.moves(taken.files, self.layers, name, left_out)
        self.edits, references = layout.edits(taken.files, self._kustomization, self.moves)
        self.left = [inventory.one_line(f"{path}: {why}") for path, why in (*self.moves.left, *references)]
        self.files = sorted(map(self.moves.place, taken.files))
        self.environment = chosen(environment, layout.environments(self.files), public(url))

    def result(self) -> dict[str, Any]:
        """Return the result of the task."""
        self._move()
        if self.moves.folders:
            self.notes.append(MOVED)
        found = layout.environments(self.files)
        present = sorted(entry for entry, own in found.items() if self.environment in own)
        adopting = Adopting(self.rendering, self.tree, self.environment)
        components = adopting.describe(present, self.layers)
        for entry in components:
            entry.rendered, entry.values = self._is_ours(entry), plain(entry.values)
        components += [
            Found(*entry, reason=f"it has no overlay of {self.environment}")
            for entry in sorted(found.keys() - {*present})
        ]
        roles = [entry for entry in components if not entry.reason]
        settings = plain(self._settings(adopting))
        return {
            "commit": self.taken.commit,
            "environment": self.environment,
            "inventory": inventory.inventory(settings, components, [*self._heading(), *self.notes]),
            "components": [entry.name for entry in roles],
            "handwritten": [entry.label for entry in components if entry.reason],
            "adopt": [entry.name for entry in roles if not entry.rendered],
            "moves": layout.commands(self.moves, self.edits),
            "left": self.left,
            "notes": self.notes,
            "summary": inventory.summary(public(self.url), self.taken.commit, self.environment, components),
            "differences": inventory.differences(components),
        }

    def _heading(self) -> list[str]:
        text = f"The environment {self.environment} of {public(self.url)} at {self.taken.commit[:12]}"
        return [f"{text}, after the commands that move its folders." if self.moves.folders else f"{text}."]

    def _settings(self, adopting: Adopting) -> dict[str, Any]:
        """Return the variables of the inventory that belong to no component."""
        folder = f"{_paths.applicationset_folder(self.environment)}/"
        documents = [item for file in self.files if file.startswith(folder) for item in self._documents(file)]
        described = inventory.described([item for item in documents if item.get("kind") == "ApplicationSet"])
        settings = {"gitops_environment": self.environment, "gitops_repo_url": public(self.url)} | described
        if settings["gitops_repo_url"] != public(self.url):
            settings["gitops_repo_push_url"] = public(self.url)
        elif public(self.url).startswith("file://"):
            self.notes.append(LOCAL)
        if settings.get("gitops_repo_revision") == "HEAD":
            del settings["gitops_repo_revision"]
        common = adopting.settings()
        if common.get("gitops_domain") == DOMAIN:
            self.notes.append(f"gitops_domain is {DOMAIN}, because nothing in the repository says it: correct it.")
        return settings | common

    def _kustomization(self, file: str) -> Any:
        documents = self._documents(file)
        return documents[0] if documents else None

    def _documents(self, file: str) -> list[Any]:
        """Return the mappings in a file of the repository; nothing where it cannot be read."""
        path = self.tree / file
        if path.is_symlink() or not path.is_file():
            return []
        with contextlib.suppress(_yaml.YamlError, ValueError):
            return [item for item in _yaml.load_all(path.read_text(encoding="utf-8")) if isinstance(item, dict)]
        return []

    def _is_ours(self, entry: Found) -> bool:
        folder = self.tree / _paths.overlay_folder(entry.layer, entry.name, self.environment)
        names = [folder / name for name in _paths.KUSTOMIZATIONS]
        return any(name.is_file() and is_ours(name) for name in names)

    def _move(self) -> None:
        """Do in the copy of the repository what the commands do, and see that it builds the same objects."""
        overlays = {
            entry: self._before(_paths.overlay_folder(*entry, self.environment)) for entry in self.moves.components
        }
        before = {entry: self._built(folder) for entry, folder in overlays.items() if (self.tree / folder).is_dir()}
        for source, target in self.moves.folders:
            (self.tree / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.tree / source, self.tree / target)
        for edit in self.edits:
            file = self.tree / edit.file
            if not file.is_symlink():
                file.write_text(layout.edited(file.read_text(encoding="utf-8"), edit), encoding="utf-8")
        for entry, objects in before.items():
            if objects != self._built(_paths.overlay_folder(*entry, self.environment)):
                self.notes.append(f"{'/'.join(entry)} builds other objects after the commands: correct its references.")

    def _before(self, path: str) -> str:
        for source, target in self.moves.folders:
            if path == target or path.startswith(f"{target}/"):
                return source + path[len(target) :]
        return path

    def _built(self, folder: str) -> list[dict[str, Any]] | None:
        with contextlib.suppress(GitopsError):
            return build(self.tree / folder, self.rendering.command)
        return None


def local(url: str) -> str:
    """Return the URL of a repository; a folder on this machine by its full path."""
    folder = Path(url).expanduser()
    return f"file://{folder.resolve()}" if "://" not in url and folder.is_dir() else url


def chosen(environment: str, found: dict[layout.Component, set[str]], url: str) -> str:
    """Return the environment that is described; with several it must be named."""
    names = sorted({name for own in found.values() for name in own if layout.PLAIN.fullmatch(name)})
    if not names:
        raise GitopsError(
            f"{url} has neither {_paths.overlay_folder('<layer>', '<component>', '<environment>')} nor folders base "
            "and overlays: there is nothing to describe."
        )
    if environment and environment not in names:
        raise GitopsError(f"{url} has no overlay named {environment!r}; it has {', '.join(names)}.")
    if not environment and len(names) > 1:
        raise GitopsError(f"{url} has overlays of {', '.join(names)}: choose one, such as -e overlay={names[0]}.")
    return environment or names[0]


def write(file: Path, text: str) -> None:
    """Write a file that does not exist yet."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        text = f"Nothing was written: {file} cannot be written ({error.strerror}). Name a file in a folder of yours."
        raise GitopsError(text) from error
