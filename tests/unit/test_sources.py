# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every program says whose it is and under which licence, and imports only what stands below it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = [
    "Copyright (c) 2026, the monorepo.gitops authors",
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
]


def programs():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    files = [ROOT / name for name in names if (ROOT / name).is_file()]
    return [path for path in files if path.suffix in (".py", ".go", ".sh") or path.read_bytes()[:2] == b"#!"]


@pytest.mark.parametrize("path", programs(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_has_the_licence_in_its_header(path):
    text = path.read_text()
    lines = [line.lstrip("#/ ") for line in text.splitlines()[:5]]
    assert text == "" or [line for line in lines if line in HEADER] == HEADER


# From the bottom: what all need, readiness of objects, the four subjects, the environment that a run is about.
LAYERS = [{""}, {"_objects"}, {"_apply", "_argocd", "_rehearsal", "_repository"}, {"_environment"}]
UTILS = ROOT / "plugins" / "module_utils"
IMPORT = re.compile(r"monorepo\.gitops\.plugins\.module_utils\.(?:(_\w+)\.\w+ |(_\w+) import \w|_\w+ )")


def layer(package):
    return next(number for number, packages in enumerate(LAYERS) if package in packages)


@pytest.mark.parametrize("path", UTILS.rglob("*.py"), ids=lambda path: str(path.relative_to(UTILS)))
def test_a_package_imports_only_what_stands_below_it(path):
    own = path.relative_to(UTILS).parts[0] if path.parent != UTILS else ""
    found = [pair[0] or pair[1] for pair in IMPORT.findall(path.read_text())]
    used = {name if (UTILS / name).is_dir() else "" for name in found}
    assert {name for name in used - {own} if layer(name) >= layer(own)} == set()
