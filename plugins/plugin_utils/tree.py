# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render folders of templates into the working tree of the GitOps repository.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible.template import trust_as_template
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._files import replace
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import UPSTREAM
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.checksums import with_checksums

HEADER = "# Rendered by monorepo.gitops. Changes made here are overwritten: change the inventory or the role instead.\n"
DIFF_LIMIT = 100_000

Render = Callable[[str], str]


def templates(folder: Path) -> dict[str, str]:
    """Return the templates below a folder: relative path without `.j2`, and text."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)).removesuffix(".j2"): path.read_text() for path in files}


def render_folder(folder: Path, render: Render, manifests: bool = True) -> dict[str, str]:
    """Render all templates of a folder; an empty result makes no file. Manifests are checked and get the header."""
    rendered = {}
    for name, text in templates(folder).items():
        try:
            content = render(text).strip()
        except Exception as error:
            raise GitopsError(f"{folder / name}: {error}") from error
        if content in ("", "---"):
            continue
        if not manifests:
            rendered[name] = f"{content}\n"
            continue
        try:
            _yaml.load_all(content)
        except _yaml.YamlError as error:
            raise GitopsError(f"{folder / name} does not render to YAML: {error}") from error
        rendered[name] = f"{HEADER}{content}\n"
    return rendered


def renderer(templar: Any, task_vars: dict[str, Any], folder: Path) -> Render:
    """Return a function that renders a template's text the way ansible.builtin.template does it in that folder."""
    if not folder.is_dir():  # nothing would be rendered, and all that was rendered before removed
        raise GitopsError(f"{folder} is not a folder: name the one that has the templates.")
    # What a template includes may lie next to the folder: what is inside becomes a file.
    searchpath = [str(folder), str(folder.parent)]
    own = templar.copy_with_new_env(searchpath=searchpath, available_variables=task_vars)
    settings = {"trim_blocks": True, "lstrip_blocks": True}

    def render(text: str) -> str:
        result = own.template(trust_as_template(text), escape_backslashes=False, overrides=settings)
        return "" if result is None else str(result)

    return render


def is_ours(path: Path) -> bool:
    """Return whether an earlier run wrote this file."""
    if path.name == UPSTREAM:  # identical to the released file
        return True
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline() == HEADER


def check_inside(dest: Path, names: Iterable[str]) -> None:
    """Refuse to write or read through a symbolic link, which Git may contain and which may lead anywhere.

    Above the clone links are the user's own.
    """
    root = next((parent for parent in dest.parents if (parent / ".git").exists()), dest)
    paths = {path for name in names for path in ((dest / name), *(dest / name).parents) if path.is_relative_to(root)}
    links = sorted(str(path) for path in paths - {root} if path.is_symlink())
    if links:
        raise GitopsError(f"{links[0]} is a symbolic link, and nothing is written there: delete it in Git.")


def write_tree(dest: Path, files: dict[str, str], write: bool, users: str = "") -> list[dict[str, str]]:
    """Write these files to `dest` and remove other files of ours; return the changes as Ansible diffs.

    Files of others stay, and so does the folder `users` below it, which is theirs. Rendered files get a checksum.
    """
    files = with_checksums(files)
    check_inside(dest, ["", *files])
    present = [path for path in sorted(dest.rglob("*")) if path.is_file() and not path.is_symlink()]
    present = [path for path in present if not users or path.relative_to(dest).parts[0] != users]
    stale = [path for path in present if str(path.relative_to(dest)) not in files and is_ours(path)]
    changes = [change(path, None, write) for path in stale]
    changes += [change(dest / name, content, write) for name, content in sorted(files.items())]
    if write:
        for folder in sorted({path.parent for path in stale}, reverse=True):
            if folder != dest and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    return [entry for entry in changes if entry]


def change(path: Path, content: str | None, write: bool) -> dict[str, str] | None:
    """Write one file, or remove it if the content is None; return the difference, if any."""
    before = path.read_text() if path.is_file() else None
    if before == content:
        return None
    if write and content is None:
        path.unlink()
    elif write:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content or "")
    return {
        "before_header": str(path),
        "after_header": str(path),
        "before": shortened(before),
        "after": shortened(content),
    }


def shortened(text: str | None) -> str:
    """Return a text for a diff; a very long one, such as CRDs, as its size only."""
    if text is None:
        return ""
    return text if len(text) <= DIFF_LIMIT else f"({len(text)} characters, {text.count(chr(10))} lines)\n"
