# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of measured numbers: figures, ratios, tables and the sections of docs/performance.md. Pure functions."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

NOT_MEASURED = "not measured"
# What target() returns for a figure that was measured.
JUDGED = re.compile(r"≤ [\d.]+(?: \w+)?: (?:met|missed)")
# The Applications and ApplicationSets of Argo CD, of which a run that changes nothing patches annotations only.
REFRESHED = re.compile(r"/apis/argoproj\.io/v1alpha1/namespaces/argocd/application(set)?s/")


@dataclass(frozen=True)
class Figure:
    """Numbers of several rounds. `at_least` says that none of them is the end: what was measured took longer."""

    values: Sequence[float]
    unit: str = "s"
    at_least: bool = False

    def __str__(self) -> str:
        if not self.values:
            return NOT_MEASURED
        low, middle, high = (number(value) for value in (min(self.values), self.median, max(self.values)))
        unit = f" {self.unit}" if self.unit else ""
        more = "more than " if self.at_least else ""
        return f"{more}{middle}{unit}" + (f" ({low} to {high})" if len(self.values) > 1 else "")

    @property
    def median(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    def beside(self, other: Figure) -> Figure:
        """Return the ratio to another figure, round by round where both were measured in the same rounds."""
        if not self.values or not other.values:
            return Figure((), "")
        pairs = list(zip(self.values, other.values, strict=False))
        if len(self.values) != len(other.values):
            pairs = [(value, other.median) for value in self.values]
        return Figure([ours / theirs for ours, theirs in pairs if theirs], "")

    def minus(self, other: Figure) -> Figure:
        """Return what is left when the median of another figure is taken off each round."""
        if not self.values or not other.values:
            return Figure((), self.unit)
        return Figure([max(0.0, value - other.median) for value in self.values], self.unit, self.at_least)

    def times(self, factor: float, unit: str | None = None) -> Figure:
        """Return the figure in another measure."""
        return Figure([value * factor for value in self.values], self.unit if unit is None else unit, self.at_least)


def number(value: float) -> str:
    """Return a number with as many digits as mean something."""
    if value == int(value):
        return str(int(value))
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def ratio(ours: Figure, theirs: Figure) -> str:
    """Return the ratio as text; one to something that took longer than was waited is an upper bound."""
    found = ours.beside(theirs)
    return ("less than " if theirs.at_least and found.values else "") + str(found)


def target(found: Figure, limit: float, more: str = "") -> str:
    """Return a limit and whether the median keeps it."""
    text = f"≤ {number(limit)}{f' {found.unit}' if found.unit else ''}{more}"
    if not found.values:
        return text
    return f"{text}: {'met' if found.median <= limit else 'missed'}"


@dataclass
class Section:
    """What one part of the benchmark puts into the document."""

    title: str
    headers: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self, caption: str) -> str:
        """Return the section: heading, when and where it was measured, table, notes."""
        lines = [f"## {self.title}", "", caption, "", row(self.headers), row(["---"] * len(self.headers))]
        lines += [row(entry) for entry in self.rows] + [""]
        for note in self.notes:
            lines += [note, ""]
        return "\n".join(lines)


def row(cells: Iterable[Any]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def unmeasured(title: str, reason: str) -> str:
    """Return the section of a part that gave no figures."""
    return f"## {title}\n\nNot measured: {reason}\n"


def sections_of(document: str) -> dict[str, str]:
    """Return the sections of a document by their headings."""
    parts = re.split(r"^## ", document, flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0]: f"## {part}".rstrip("\n") + "\n" for part in parts}


def compose(head: str, titles: Sequence[str], document: str, new: dict[str, str]) -> str:
    """Return the document with new sections in the place of their old ones; the others stay as they were."""
    known = sections_of(document) | new
    found = [known.get(title, unmeasured(title, "this part has not been run yet.")) for title in titles]
    parts = [head, "\n".join(overview(dict(zip(titles, found, strict=True)))), *found]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def overview(sections: dict[str, str]) -> Iterator[str]:
    """Yield a table of all targets that the sections name, in their order."""
    yield from ("## Targets", "", row(["Part", "What", "Measured", "Target"]), row(["---"] * 4))
    for title, text in sections.items():
        anchor = re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-")
        for found in targets_of(text):
            yield row([f"[{title}](#{anchor})", *found])


def targets_of(section: str) -> Iterator[tuple[str, str, str]]:
    """Yield the targets of a section: what it is about, what was measured, and the limit with whether it is kept."""
    for line in section.split("\n"):
        if line.startswith("| ") and JUDGED.search(line):
            what, measured, *_more, found, limit = (cell.strip() for cell in line.strip("| ").split(" | "))
            yield what, measured + (f", ratio {found}" if found and _more else ""), limit
        elif not line.startswith("|"):
            for clause in line.removeprefix("Targets: ").rstrip(".").split("; "):
                if judgement := JUDGED.search(clause):
                    what, _colon, measured = clause[: judgement.start()].rstrip(", ").partition(": ")
                    yield what, measured, judgement[0]


def slowest(tasks: Iterable[tuple[str, float]], count: int = 5) -> list[tuple[str, float]]:
    """Return the tasks that took longest, several of a name together."""
    total: dict[str, float] = {}
    for name, seconds in tasks:
        total[name] = total.get(name, 0.0) + seconds
    return sorted(total.items(), key=lambda entry: -entry[1])[:count]


def runs(deployment: dict[str, Any], config_map: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether the live objects are what was pushed, and work: the truth that an answer is judged by."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    if not spec or not config_map:
        return False
    replicas = wanted["replicas"]
    return (
        config_map["data"]["value"] == wanted["value"]
        and spec["template"]["spec"]["containers"][0]["image"] == wanted["image"]
        and spec["replicas"] == replicas
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
        and (status.get("updatedReplicas", 0), status.get("availableReplicas", 0)) == (replicas, replicas)
    )


@dataclass(frozen=True)
class Answer:
    """What one way of waiting said after a push, and what was true at that moment."""

    ready: bool
    true: bool
    seconds: float
    requests: int
    late: float | None = None  # seconds after the last status that the controller wrote

    @property
    def wrong(self) -> bool:
        """Return whether it said ready although the cluster was not what was pushed."""
        return self.ready and not self.true


def judged(answers: Sequence[Answer]) -> str:
    """Return how many answers were wrong, and how many never came."""
    silent = sum(not answer.ready for answer in answers)
    text = f"{sum(answer.wrong for answer in answers)} of {len(answers)}"
    return f"{text}, {silent} without an answer" if silent else text


def seconds_of(answers: Sequence[Answer]) -> Figure:
    """Return the seconds of the right answers: a wrong one is quick."""
    return Figure([answer.seconds for answer in answers if answer.ready and answer.true])


def requests_of(entries: Iterable[dict[str, Any]], client: str) -> list[dict[str, Any]]:
    """Return what a client sent, by a part of its user agent or of its user name; each request counts once."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if client in entry.get("userAgent", "") or client in entry.get("user", {}).get("username", ""):
            found.setdefault(entry["auditID"], entry)
    return list(found.values())


def refreshes_of(writes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the writes that only ask Argo CD to look at Git again, or to forget that it was asked."""
    return [entry for entry in writes if entry["verb"] == "patch" and REFRESHED.match(entry["requestURI"])]


def writes_of(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests that changed something, dry runs left out."""
    return [
        entry
        for entry in entries
        if entry["verb"] not in ("get", "list", "watch") and "dryRun=All" not in entry["requestURI"]
    ]
