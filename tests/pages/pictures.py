# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pictures of the README from a recorded run: what its terminal shows, and the page of its report.

`make pictures` runs it.
"""

from __future__ import annotations

import html
import tempfile
from pathlib import Path

from conftest import ROOT  # first: this makes the clone importable as ansible_collections.monorepo.gitops

from .browser import Browser
from .conftest import FIXTURES, page, report

PICTURES = ROOT / "docs" / "pictures"
DOWN_TO_THE_TIMELINE = 2270
TERMINAL = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><style>
body {{ margin: 0; padding: 18px 22px; background: #0d1117; color: #e6edf3; width: max-content; }}
pre {{ margin: 0; font: 13px/1.45 "DejaVu Sans Mono", monospace; }} b {{ color: #56d364; }}
</style></head><body><pre><b>$</b> make up
{text}</pre></body></html>
"""


def main() -> None:
    """Write docs/pictures/."""
    browser = Browser()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.html"
            path.write_text(TERMINAL.format(text=html.escape((FIXTURES / "terminal.txt").read_text())))
            browser.show(path, "desktop")
            browser.picture(PICTURES / "terminal.png", browser.run("document.body.offsetHeight"), scale=0.75)
            path.write_text(page(report("run")))
            browser.show(path, "desktop")
            browser.picture(PICTURES / "report.png", height=DOWN_TO_THE_TIMELINE, scale=0.75)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
