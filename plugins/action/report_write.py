# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of report_write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.utils.display import Display
from ansible_collections.monorepo.gitops.plugins.module_utils._files import replace
from ansible_collections.monorepo.gitops.plugins.module_utils._report import history
from ansible_collections.monorepo.gitops.plugins.module_utils._report.assembly import VERSION, assemble
from ansible_collections.monorepo.gitops.plugins.module_utils._report.words import KINDS
from ansible_collections.monorepo.gitops.plugins.plugin_utils import page
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction

FACTS: dict[str, Any] = {
    "kind": {"type": "str", "choices": list(KINDS), "required": True},
    "environment": {"type": "str", "required": True},
    "rehearsal": {"type": "bool", "default": False},
    "simulated": {"type": "bool", "default": False},
    "started": {"type": "str", "default": ""},
    "time": {"type": "str", "required": True},
    "published": {"type": "str", "default": ""},
    "commit": {"type": "str", "default": ""},
    "repository": {"type": "dict", "default": {}},
    "cluster": {"type": "dict", "default": {}},
    "plan": {"type": "dict", "default": {}},
    "failure": {"type": "dict", "default": {}},
    "components": {"type": "list", "elements": "dict", "default": []},
    "waited": {"type": "list", "elements": "dict", "default": []},
    "found": {"type": "list", "elements": "dict", "default": []},
    "promotion": {"type": "dict", "default": {}},
    "warnings": {"type": "list", "elements": "str", "default": []},
    "versions": {"type": "dict", "default": {}},
    "commands": {"type": "dict", "default": {}},
}
ARGUMENTS: dict[str, Any] = {
    "folder": {"type": "path", "required": True},
    "facts": {"type": "dict", "required": True, "options": FACTS},
}


class ActionModule(ControllerAction):
    """Write the report and its page, keep the last ones, and write their index."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        """Write the report and return the result of the task."""
        folder = Path(args["folder"])
        try:
            files = write(folder, args["facts"])
        except OSError as error:
            Display().warning(f"{folder} cannot be written: {error}")
            files = []
        except Exception as error:  # a run does not fail because of its report
            Display().warning(f"The report cannot be put together: {type(error).__name__}: {error}")
            files = []
        return {"changed": False, "files": files}


def write(folder: Path, facts: dict[str, Any]) -> list[str]:
    """Write a report and return the paths of its files, the page first. Each file is replaced as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = facts["kind"]
    known = [report for name in history.compared_with(kind) if (report := read(folder / f"{name}.json"))]
    report = assemble(facts, max(known, key=lambda entry: str(entry["time"]), default=None))
    data, html = f"{json.dumps(report, indent=2, ensure_ascii=False)}\n", page.page(report)
    names = [name for name in (history.kept_as(report), history.name_of(kind)) if name]
    for name in names:
        replace(folder / f"{name}.json", data)
        replace(folder / f"{name}.html", html)
    for name in history.outdated(path.name for path in folder.iterdir()):
        (folder / name).unlink(missing_ok=True)
    replace(folder / history.INDEX, index(folder, facts["environment"]))
    return [str(folder / f"{names[-1]}.{suffix}") for suffix in ("html", "json")]


def read(path: Path) -> dict[str, Any] | None:
    """Return a report, or None if there is none, or none of this version."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report if report["version"] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def index(folder: Path, environment: str) -> str:
    """Return the index of a folder."""
    names = sorted({path.name for path in folder.iterdir()}, reverse=True)
    stems = [name.removesuffix(".json") for name in names if history.OLD.fullmatch(name) and name.endswith(".json")]
    found = [(stem, report) for stem in stems if (report := read(folder / f"{stem}.json"))]
    newest = [name for name in dict.fromkeys(history.NAMES.values()) if f"{name}.html" in names]
    return page.index(environment, [history.entry_of(stem, report) for stem, report in found], newest)
