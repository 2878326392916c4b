# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of new_component."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import change

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "roles" / "hello"
# A DNS label from which the name of a role can be made.
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
COLLECTION = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "collection": {"type": "str", "required": True},
    "folder": {"type": "path", "default": "collections"},
}


class ActionModule(ControllerAction):
    """Make the role of a component from the example."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Write the files that are missing and return the result of the task."""
        check(args["name"], args["collection"])
        folder = Path(args["folder"]).absolute()
        collection = folder.joinpath("ansible_collections", *args["collection"].split("."))
        if (collection / "MANIFEST.json").exists():
            raise GitopsError(
                f"{collection} was installed by ansible-galaxy, whose next installation removes the component: set "
                f"new_component_folder to the folder of collections that has the sources of {args['collection']}."
            )
        role = args["name"].replace("-", "_")
        path = collection / "roles" / role
        diff = []
        if not (path / "vars" / "main.yml").exists():
            files = {collection / "galaxy.yml": galaxy(args["collection"], role)}
            files |= {path / name: text for name, text in renamed(example(), args["name"]).items()}
            try:
                changes = [change(*file, not self._task.check_mode) for file in files.items() if not file[0].exists()]
            except OSError as error:
                raise GitopsError(f"new_component_folder: {error.filename}: {error.strerror}.") from error
            diff = [entry for entry in changes if entry]
        return {
            "changed": bool(diff),
            "files": [entry["after_header"] for entry in diff],
            "diff": diff,
            "role": f"{args['collection']}.{role}",
            "path": str(path),
            "collections_path": "" if is_searched(folder) else str(folder),
        }


def check(name: str, collection: str) -> None:
    """Refuse names that a role cannot have."""
    if not NAME.fullmatch(name):
        raise GitopsError(
            f"new_component_name is {name!r}: set it to the name of the component, at most 63 lower-case letters, "
            "digits and '-', for example -e new_component_name=hello."
        )
    role = name.replace("-", "_")
    if (ROOT / "roles" / role).exists():
        raise GitopsError(
            f"new_component_name is {name!r}, which is a role of monorepo.gitops with variables {role}_*: choose "
            "another."
        )
    if not COLLECTION.fullmatch(collection):
        raise GitopsError(
            f"new_component_collection is {collection!r}: set it to the namespace and the name of a collection of your "
            "own, for example -e new_component_collection=acme.platform."
        )


def example() -> dict[str, str]:
    """Return the files of the example, vars/main.yml at the end: with it the role is complete."""
    files = sorted(path for path in EXAMPLE.rglob("*") if path.is_file())
    return {str(path.relative_to(EXAMPLE)): path.read_text() for path in files}


def renamed(files: dict[str, str], name: str) -> dict[str, str]:
    """Return the files of the example for a component of this name; its variables have `_` in place of `-`."""
    names = {"hello_": name.replace("-", "_") + "_", "hello": name}
    return {file: re.sub("hello_?", lambda found: names[found[0]], text) for file, text in files.items()}


def galaxy(collection: str, role: str) -> str:
    """Return what ansible-galaxy needs to build a collection."""
    namespace, _dot, name = collection.partition(".")
    content = {
        "namespace": namespace,
        "name": name,
        "version": "1.0.0",
        "readme": f"roles/{role}/README.md",
        "authors": [getpass.getuser()],
        "dependencies": {"monorepo.gitops": "*"},
    }
    return yaml.safe_dump(content, explicit_start=True, sort_keys=False)


def is_searched(folder: Path) -> bool:
    """Return whether Ansible finds collections in this folder."""
    return folder.resolve() in [
        Path(entry).resolve() for entry in constants.config.get_config_value("COLLECTIONS_PATHS")
    ]
