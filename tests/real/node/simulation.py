# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is simulated beside the real pods: pods whose images are not here, and operators that are not here."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rendering
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal import stages

ROLES = Path(__file__).resolve().parent.parent.parent.parent / "roles"
OBJECTS = Path(__file__).resolve().parent / "objects"


def rendered() -> dict[str, list[dict[str, Any]]]:
    """Return the objects of each component of inventories/dev, with the official files where they can be had.

    That puts the files into the user's cache, where a run within the node finds them.
    """
    with tempfile.TemporaryDirectory() as temporary:
        done = rendering.run(Path(temporary), "dev", {"component_stand_in": "auto"})
        if done.returncode:
            raise RuntimeError(f"inventories/dev cannot be rendered: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        builds = json.loads((Path(temporary) / "made" / "made.json").read_text())["builds"]
        return {name: rendering.load(path) for name, path in builds.items()}


def images(item: Any) -> Iterator[str]:
    """Return the images of the containers of an object, however deep they are."""
    if isinstance(item, dict):
        for key, value in item.items():
            if key in ("containers", "initContainers") and isinstance(value, list):
                yield from (container["image"] for container in value if "image" in container)
            yield from images(value)
    elif isinstance(item, list):
        for value in item:
            yield from images(value)


def stage_files(component: str) -> list[Path]:
    """Return the Stages that simulate what the operator of a component does."""
    return sorted((ROLES / component.replace("-", "_") / "files" / "stages").glob("*.yaml"))


def simulated_operators(components: dict[str, list[dict[str, Any]]], local: set[str]) -> list[str]:
    """Return the components whose operators do not run for real: without pods of their own, or without all images."""
    return sorted(
        name
        for name, objects in components.items()
        if stage_files(name) and not (set(images(objects)) or {""}) <= local
    )


def stage_objects(build: Path, operators: list[str]) -> str:
    """Return the Stages of a node: those of KWOK, except for claims, and those of the simulated operators."""
    own = [path for path in sorted((build / "stages").glob("*.yaml")) if not path.name.startswith("volume-")]
    given = [stages.adapted(path.read_text()) for path in own]
    files = stage_files("rehearsal_cluster") + [path for name in operators for path in stage_files(name)]
    given += [path.read_text() for path in files]
    found = stages.stages_in(stages.completed(given, stages.new_key()))
    return yaml.safe_dump_all(found)
