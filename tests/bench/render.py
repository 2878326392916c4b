# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering, building and publishing all components from nothing."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from .clusters import Bench, UnmeasuredError, cluster, run, say
from .figures import Figure, Section, ratio, target
from .first import STAND_INS

TITLE = "Rendering, building, publishing"
HEADERS = ["What, per component", "Ours", "Beside it", "Ratio", "Target"]
RENDER, BUILD, PUBLISH = "Render ", "Build every overlay", "Publish to the branch main"


def measure(rounds: int) -> Section:
    """Publish to an empty repository with an empty cache, again and again, beside plain kustomize and git."""
    taken: dict[str, list[float]] = {key: [] for key in ("render", "module", "build", "kustomize", "publish", "git")}
    with cluster(**STAND_INS) as environment:
        names = environment.components()
        for number in range(rounds):
            say(f"{TITLE}: round {number + 1} of {rounds}")
            forget(environment)
            seconds = {
                line["task"]: line["seconds"]
                for line in environment.timed("site.yml", "--tags", "publish")[1]
                if "task" in line
            }
            taken["render"] += [found for task, found in seconds.items() if task.removeprefix(RENDER) in names]
            taken["build"].append(seconds[BUILD])
            taken["publish"].append(seconds[PUBLISH])
            taken["module"] += environment.module_seconds()
            taken["kustomize"].append(kustomize(environment))
            taken["git"].append(git(environment))
    if len(taken["render"]) != rounds * len(names):
        raise UnmeasuredError(f"{len(taken['render'])} tasks rendered {len(names)} components in {rounds} rounds.")
    figures = {key: Figure(values) for key, values in taken.items()}
    each = {key: figures[key].times(1 / len(names)) for key in ("build", "kustomize", "publish", "git")}
    render = figures["render"]
    rows = [
        [
            "task that renders it, beside a task that starts a module and does nothing",
            render,
            figures["module"],
            ratio(render, figures["module"]),
            target(render, 0.5),
        ],
        [
            "building all overlays with an empty cache, beside `kustomize build` of one after the other",
            each["build"],
            each["kustomize"],
            ratio(each["build"], each["kustomize"]),
            "",
        ],
        [
            "checks, commit and push, beside `git add`, `commit`, `push` of the same files",
            each["publish"],
            each["git"],
            ratio(each["publish"], each["git"]),
            "",
        ],
    ]
    return Section(TITLE, HEADERS, rows, [f"{len(names)} components, with stand-ins."])


def forget(environment: Bench) -> None:
    """Remove clone, repository and cache."""
    for name in ("clone", "monorepo.git"):
        shutil.rmtree(environment.folder / name, ignore_errors=True)
    shutil.rmtree(Path(os.environ["XDG_CACHE_HOME"]) / "monorepo.gitops" / "builds", ignore_errors=True)


def kustomize(environment: Bench) -> float:
    """Return the seconds of building every overlay, one after the other."""
    overlays = sorted((environment.folder / "clone" / "argocd").glob(f"*/*/envs/{environment.name}"))
    before = time.monotonic()
    for overlay in overlays:
        run(environment.binary("kustomize"), "build", overlay)
    return time.monotonic() - before


def git(environment: Bench) -> float:
    """Return the seconds of committing and pushing the same files to an empty repository."""
    folder = environment.inventory.parent / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    run("git", "init", "--quiet", "--bare", folder / "bare")
    run("git", "clone", "--quiet", folder / "bare", folder / "clone")
    shutil.copytree(environment.folder / "clone" / "argocd", folder / "clone" / "argocd")
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    before = time.monotonic()
    for command in (
        ["add", "--all"],
        [*identity, "commit", "--quiet", "-m", "all"],
        ["push", "--quiet", "origin", "HEAD:main"],
    ):
        run("git", *command, cwd=folder / "clone")
    return time.monotonic() - before
