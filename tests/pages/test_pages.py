# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page in Chromium: on a screen, on a telephone, in the dark, on paper. Pictures are in tests/output/pages/."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._report import history
from ansible_collections.monorepo.gitops.plugins.plugin_utils import page

from .browser import VIEWS
from .conftest import NAMES, OUTPUT, RECORDED, report

# axe-core looks at both sizes and at both colours, each once; a printed page has neither.
CHECKED = ("dark", "phone")
# The size of the smallest text of a drawing, in pixels; paper has four times as many of them.
SMALLEST = {"print": 6.5}
SHOWN = "filter(one => one.getBoundingClientRect().width > 0)"


def outside(browser):
    """Return what reaches beyond the right side of the window, and by how much the page can be moved sideways."""
    found = browser.run(
        f"[...document.querySelectorAll('body *')].{SHOWN}.filter(one => !one.closest('thead') &&"
        " one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
        ".map(one => one.outerHTML.slice(0, 200))"
    )
    moves = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*found, *([f"{moves} pixels"] if moves > 0 else [])]


def too_small(browser, view):
    """Return the sizes of texts of drawings that nobody can read."""
    sizes = browser.run(
        f"[...document.querySelectorAll('svg.drawing')].{SHOWN}"
        ".map(svg => 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
    )
    return [size for size in sizes if size < SMALLEST.get(view, 10)]


def too_wide(browser):
    """Return the texts of boxes that are wider than their boxes."""
    return browser.run(
        f"[...document.querySelectorAll('svg.drawing .box')].{SHOWN}.filter(box => box.querySelector('rect') &&"
        " [...box.querySelectorAll('text')].some(text => text.getBoundingClientRect().right >"
        " box.querySelector('rect').getBoundingClientRect().right)).map(box => box.textContent)"
    )


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_and_can_be_read_by_everybody(browser, written, name, view):
    browser.show(written(name), view)
    browser.picture(OUTPUT / f"{name}-{view}.png")
    assert outside(browser) == []
    assert too_small(browser, view) == []
    assert too_wide(browser) == []
    if view in CHECKED:
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.accessibility() == []


def test_a_drawing_is_there_in_one_form_only(browser, written):
    seen = {}
    for view in VIEWS:
        browser.show(written("run"), view)
        script = "[...document.querySelectorAll('svg.drawing')].filter(one => one.getBoundingClientRect().width > 0)"
        seen[view] = set(browser.run(f"{script}.map(one => one.classList[1])"))
    narrow = {view for view, forms in seen.items() if forms == {"narrow"}}
    assert narrow == {"phone"}
    assert {view for view, forms in seen.items() if forms == {"wide"}} == set(VIEWS) - narrow


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_no_network_and_no_script(browser, written, name):
    browser.driver.get_log("performance")
    browser.show(written(name), "desktop")
    events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked == [written(name).as_uri()]
    assert browser.driver.get_log("browser") == []
    assert browser.run("document.scripts.length") == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_headings_of_a_page_lead_through_it(browser, written, name):
    browser.show(written(name), "desktop")
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))")
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert browser.run("document.querySelector('h1').textContent") == report(name)["verdict"]


def test_a_page_is_printed_on_few_sheets(browser, written, tmp_path):
    browser.show(written("run"), "print")
    assert 2 <= browser.paper(tmp_path / "run.pdf") <= 5


@pytest.mark.parametrize("view", CHECKED)
def test_the_index_is_accessible_and_fits(browser, tmp_path, view):
    entries = [history.entry_of(f"report-{number}", report(name)) for number, name in enumerate(RECORDED)]
    entries = [entry for entry in entries if entry["kind"] in ("run", "promotion")]
    path = tmp_path / "index.html"
    path.write_text(page.index("dev", entries, ["report", "status", "check"]))
    browser.show(path, view)
    browser.picture(OUTPUT / f"index-{view}.png")
    assert browser.accessibility() == []
    assert browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert browser.run("document.querySelectorAll('a').length") == len(entries) + 3
