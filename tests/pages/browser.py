# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in Debian's Chromium without a window: how it looks, and what axe-core finds."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PROGRAMS = ("chromium", "chromedriver")
MISSING = "Chromium is missing. Install it, for example: sudo apt-get install chromium chromium-driver"
# Width and height of the window, medium, and colours.
VIEWS = {
    "desktop": (1280, 900, "screen", "light"),
    "dark": (1280, 900, "screen", "dark"),
    "phone": (390, 844, "screen", "light"),
    "print": (718, 1000, "print", "light"),
}


class Browser:
    """One process of Chromium, which shows one page after the other."""

    def __init__(self) -> None:
        exempt_from_proxies(os.environ)
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which(PROGRAMS[0]))
        # As root it has no sandbox, and /dev/shm is small in a container. It opens only what the tests have written.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which(PROGRAMS[1])))

    def show(self, page: Path, view: str) -> None:
        """Open a page as it is seen on a screen, or on paper."""
        width, height, medium, colours = VIEWS[view]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": colours}]
        self.devtools("Emulation.setEmulatedMedia", media=medium, features=features)
        self.driver.get(page.as_uri())

    def devtools(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, arguments)
        return answer

    def run(self, script: str) -> Any:
        """Return what a script says about the page."""
        return self.driver.execute_script(f"return {script}")

    def picture(self, file: Path, height: int | None = None, scale: float = 1) -> None:
        """Write a picture of the whole page, or of its upper part."""
        width, total = self.run("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height or total, total), "scale": scale}
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(taken["data"]))

    def paper(self, file: Path) -> int:
        """Write the page as a PDF on A4, and return its number of pages."""
        printed = self.devtools("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        content = base64.b64decode(printed["data"])
        file.write_bytes(content)
        return content.count(b"/Type /Page\n") + content.count(b"/Type /Page ")

    def accessibility(self) -> list[str]:
        """Return what axe-core finds: rule, help and element of each violation."""
        self.driver.execute_script(AXE.read_text())
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations))"
        )
        return [f"{entry['id']}: {entry['help']}: {node['html']}" for entry in found for node in entry["nodes"]]

    def close(self) -> None:
        """End the process."""
        self.driver.quit()
