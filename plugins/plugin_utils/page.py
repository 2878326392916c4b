# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the pages of the report.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.monorepo.gitops.plugins.module_utils._report import chart, drawing, words
from ansible_collections.monorepo.gitops.plugins.module_utils._report.changes import split
from ansible_collections.monorepo.gitops.plugins.module_utils._report.history import INDEX
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

TEMPLATES = Path(__file__).parents[2] / "roles" / "report" / "templates"
TITLES = {
    words.RUN: "Run",
    words.PROMOTION: "Promotion",
    words.STATUS: "Status",
    words.CHECK: "Check",
}
# For readers who do not work with Argo CD.
WORDS = {
    "Argo CD": "The program that installs in the cluster what is in Git, and keeps it that way.",
    "Application": "What Argo CD installs and follows as one, such as a database or a service.",
    "Synced": "The cluster has what is in Git. OutOfSync: something differs; a change was refused, or is on its way.",
    "Healthy": "It works. Progressing: it is starting. Degraded, Missing: it does not work.",
    "Commit": "A version of the files in Git.",
    "Image": "The packaged program that a container runs.",
    "Promotion": "Lets an environment follow a newer commit, once people have decided to.",
}
LAYERS = {"infra": "Infrastructure", "services": "Services", "": "Other"}
STATES = {
    "ready": "Ready",
    "waiting": "Not ready yet",
    "failed": "Failed",
    "paused": "Paused",
}


@cache
def templates() -> jinja2.Environment:
    """Return the templates: every value in them is escaped, and one that is not there is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "duration": words.duration,
        "image_version": lambda image: split(image)[1],
        "moment": moment,
        "names": words.names,
        "sentence": words.sentence,
        "short": words.short,
        "state": drawing.state_of,
        "version": version,
        "web": is_web,
    }
    environment.globals |= {"STATES": STATES, "TITLES": TITLES, "LAYERS": LAYERS, "WORDS": WORDS, "INDEX": INDEX}
    return environment


def moment(text: str) -> str:
    """Return a time as people write it."""
    found = parse_time(text)
    return f"{found.day} {found:%B %Y, %H:%M} UTC"


def is_web(url: str) -> bool:
    """Return whether a browser can open an address."""
    return url.startswith(("http://", "https://"))


def version(text: str) -> str:
    """Return a version; of a digest its first digits."""
    return text[:19] if text.startswith("sha256:") else text


def page(report: Mapping[str, Any]) -> str:
    """Return the page of a report. Everything on it is in the report."""
    return templates().get_template("report.html.j2").render(report=report, drawings=drawings(report))


def index(environment: str, entries: Iterable[Mapping[str, Any]], pages: Iterable[str]) -> str:
    """Return the page that leads to the newest reports, and to those that are kept."""
    text: str = (
        templates()
        .get_template("index.html.j2")
        .render(environment=environment, entries=list(entries), pages=list(pages))
    )
    return text


def drawings(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drawings of a page, each in a wide and in a narrow form; None for what would say nothing."""
    applications = report["applications"]
    found: dict[str, Any] = {"graph": None, "timeline": None}
    if any(entry["depends_on"] for entry in applications) and len(applications) <= drawing.MOST:
        found["graph"] = {"wide": drawing.wide_graph(applications), "narrow": drawing.narrow_graph(applications)}
    if any(entry["times"]["sync_started"] for entry in applications):
        found["timeline"] = {
            "wide": chart.chart(report, drawing.WIDE, label=212.0, row=24.0),
            "narrow": chart.chart(report, drawing.NARROW, label=0.0, row=42.0),
        }
    return found
