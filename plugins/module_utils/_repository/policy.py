# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit touches and says. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def component_of(path: str) -> tuple[str, str] | None:
    """Return layer and name of the component that a file belongs to."""
    parts = PurePosixPath(path).parts
    return (parts[1], parts[2]) if len(parts) > 3 and parts[1] in _paths.LAYERS else None


def overlays(files: list[str], environment: str) -> dict[str, tuple[str, str]]:
    """Return the components that have an overlay of this environment in Git, by name."""
    return {entry[1]: entry for entry in sorted(layers_and_names(files, environment))}


def layers_and_names(files: list[str], environment: str) -> set[tuple[str, str]]:
    """Return layer and name of each overlay of this environment; what users add to one is none by itself."""
    found = {
        component_of(path)
        for path in files
        if PurePosixPath(path).parts[3:5] == (_paths.ENVIRONMENTS, environment) and not _paths.is_custom(path)
    }
    return {entry for entry in found if entry}


def check_one_layer(files: list[str], environment: str) -> None:
    """Refuse a component name that both layers have: there can be one Application of that name."""
    entries = layers_and_names(files, environment)
    for name in sorted({name for _layer, name in entries}):
        folders = [
            _paths.overlay_folder(layer, name, environment) for layer in _paths.LAYERS if (layer, name) in entries
        ]
        if len(folders) > 1:
            raise GitopsError(
                f"Nothing was written. Both layers have a component {name}, {' and '.join(folders)}, and there can be "
                "one Application of that name: rename or delete one of these folders in Git."
            )


def environments_of(files: list[str], component: tuple[str, str]) -> set[str]:
    """Return the environments for which Git has an overlay of a component."""
    prefix = (_paths.ROOT, *component, _paths.ENVIRONMENTS)
    paths = [PurePosixPath(path).parts for path in files if not _paths.is_custom(path)]
    return {parts[4] for parts in paths if parts[:4] == prefix and len(parts) > 5}


def leaving(files: list[str], component: tuple[str, str], environment: str) -> list[str]:
    """Return the files that leave with an overlay: with the last one, all of the component except what users added."""
    folder = f"{_paths.component_folder(*component)}/"
    if environments_of(files, component) != {environment}:
        folder += f"{_paths.environment_folder(environment)}/"
    return [path for path in files if path.startswith(folder) and not _paths.is_custom(path)]


def rendered_folder(path: str) -> str:
    """Return the folder of a file that a run writes as a whole: a base, an overlay, or that of the ApplicationSets."""
    parts = PurePosixPath(path).parent.parts
    return "/".join(parts[: 4 if parts[3:4] == (_paths.BASE,) else 5])


def touched_environments(staged: dict[str, str], all_files: list[str], environment: str) -> list[str]:
    """Return the other environments whose manifests change: those of components whose base changed."""
    bases = {component_of(path) for path in staged if PurePosixPath(path).parts[3:4] == (_paths.BASE,)}
    others = {name for component in bases if component for name in environments_of(all_files, component)}
    return sorted(others - {environment})


def touched_components(files: list[str], environment: str) -> list[str]:
    """Return the names of the components of an environment whose manifests change."""
    ours = [path for path in files if PurePosixPath(path).parts[3:4] == (_paths.BASE,)]
    ours += [path for path in files if PurePosixPath(path).parts[3:5] == (_paths.ENVIRONMENTS, environment)]
    return sorted({component[1] for path in ours if (component := component_of(path))})


def commit_message(
    staged: dict[str, str],
    environment: str,
    removals: list[str],
    replaced: Sequence[str] = (),
    headed: Collection[str] = (),
) -> str:
    """Return a commit message: a subject line, and a body that lists the changes, and what people did before.

    Of the `replaced` files, those that are `headed` were rendered, and then changed by people.
    """
    verbs = {"A": "added", "M": "changed", "D": "removed"}
    groups: dict[str, Counter[str]] = {}
    for path, status in staged.items():
        component = component_of(path)
        name = "/".join(component) if component else "/".join(PurePosixPath(path).parts[1:3])
        groups.setdefault(name, Counter())[verbs.get(status, "changed")] += 1
    names = sorted(groups)
    head = ", ".join(name.split("/")[-1] for name in names[:3]) + (
        f" and {len(names) - 3} more" if len(names) > 3 else ""
    )
    body = [
        f"- {name}: {', '.join(f'{count} {verb}' for verb, count in sorted(groups[name].items()))}" for name in names
    ]
    body += [f"- {name}: removed from {environment} (gitops_removals)" for name in removals]
    body += [f"- {path}: {_done(path, headed)} by hand before (gitops_adopt)" for path in replaced]
    return f"{environment}: update {head}\n\n" + "\n".join(body) + "\n"


def _done(path: str, headed: Collection[str]) -> str:
    """Return what people did with a file; an official one has no header, but the kustomization beside it has."""
    official = PurePosixPath(path).name == _paths.UPSTREAM
    return "changed" if (_paths.kustomizations_beside(path) if official else {path}) & set(headed) else "written"


def kinds_summary(objects: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the distinct group and kind of objects, sorted."""
    seen = {(str(item.get("apiVersion", "")).rpartition("/")[0], str(item.get("kind", ""))) for item in objects}
    return [{"group": group, "kind": kind} for group, kind in sorted(seen)]
