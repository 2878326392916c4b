# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser that the tests of pages share, and the reports that they show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monorepo.gitops.plugins.plugin_utils.page import page

from .browser import AXE, MISSING, PROGRAMS, Browser
from .hundred import hundred

FIXTURES = Path(__file__).parent / "fixtures"
OUTPUT = Path(__file__).parent.parent / "output" / "pages"
# Recorded by `python -m pages.record`, except for the one with 100 Applications.
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.json"))
NAMES = [*RECORDED, "hundred"]


def report(name: str) -> dict[str, Any]:
    """Return a recorded report, or the one with 100 Applications."""
    recorded: dict[str, Any] = json.loads((FIXTURES / f"{name if name in RECORDED else 'failed'}.json").read_text())
    return recorded if name in RECORDED else hundred(recorded)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not all(map(shutil.which, PROGRAMS)):
        pytest.fail(MISSING, pytrace=False)
    if not AXE.exists():
        pytest.fail("axe-core is missing. Install it: npm install --no-package-lock --prefix tests/pages", False)
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the page of a report to a folder of its own and return its path."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(page(report(name)))
        return path

    return write
