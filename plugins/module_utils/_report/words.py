# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the report: durations, numbers, lists and the verdict, in sentences for people.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

NAMED = 3
REHEARSAL = (
    "This is a rehearsal on a simulated cluster. Argo CD, the Kubernetes API and the Git repository are real; nodes, "
    "pods and operators are simulated, so no endpoint answers, and no real environment was touched."
)
# What a report is about, and what its page is called.
RUN, PROMOTION, STATUS, CHECK = KINDS = ("run", "promotion", "status", "check")


def duration(seconds: float) -> str:
    """Return a duration in the two largest units that matter."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 Application`, `2 Applications`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def names(entries: Iterable[str], named: int = NAMED) -> str:
    """Return the first names and how many more there are, as a list in a sentence."""
    found = list(entries)
    shown = found if len(found) <= named + 1 else [*found[:named], f"{len(found) - named} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def short(commit: str) -> str:
    """Return a commit by its first digits, as Git and Argo CD show it."""
    return commit[:12]


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter and ends with a full stop."""
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def verdict(report: dict[str, Any]) -> str:
    """Return the result of a report in one sentence. It needs everything of the report but this."""
    speak = {STATUS: _status, CHECK: _check}.get(report["kind"], _run)
    return speak(report, report["applications"])


def _run(report: dict[str, Any], applications: Sequence[dict[str, Any]]) -> str:
    environment, failure = report["environment"], report["failure"]
    what = "promotion" if report["kind"] == PROMOTION else "run"
    late = unready(applications)
    total = count(len(applications), "Application")
    if failure and not applications:
        return (
            f"The {what} stopped before it reached the Applications of {environment}, in the step '{failure['task']}'."
        )
    if failure and not late:
        return f"The {what} failed in the step '{failure['task']}', although all {total} of {environment} are ready."
    if late and failure:
        return f"{len(late)} of {total} of {environment} did not become ready: {names(late)}."
    paused = [entry["name"] for entry in applications if is_pending(entry)]
    if paused:
        ready = len(applications) - len(paused)
        return f"{ready} of {total} of {environment} are ready; people have paused {names(paused)}."
    at = f" run commit {short(report['commit'])} and" if report["commit"] else ""
    all_of = f"All {total} of {environment}" if len(applications) != 1 else f"The only Application of {environment}"
    are = " are healthy" if len(applications) != 1 else " is healthy"
    return all_of + (at if len(applications) != 1 else at.replace(" run ", " runs ")) + are + "."


def unready(applications: Iterable[dict[str, Any]]) -> list[str]:
    """Return the names of what is not ready, what failed first."""
    late = [entry for entry in applications if entry["state"] != "ready"]
    return [entry["name"] for entry in sorted(late, key=lambda entry: str(entry["state"]))]


def is_pending(entry: dict[str, Any]) -> bool:
    """Return whether an Application counts as ready only because people have paused it."""
    return bool(entry["paused"] and entry["reason"] not in ("", entry["paused"]))


def _status(report: dict[str, Any], applications: Sequence[dict[str, Any]]) -> str:
    environment = report["environment"]
    late = unready(applications)
    total = count(len(applications), "Application")
    if not applications:
        return f"{environment} has no Applications."
    if late:
        verb = "needs" if len(late) == 1 else "need"
        return f"{len(late)} of {total} of {environment} {verb} attention: {names(late)}."
    return f"All {total} of {environment} are in sync with Git and healthy."


def _check(report: dict[str, Any], _applications: Sequence[dict[str, Any]]) -> str:
    if report["failure"]:
        return f"The check of {report['environment']} stopped in the step '{report['failure']['task']}'."
    done = [f"{verb} {count(number, noun)}" for verb, number, noun in _plan(report["plan"]["counts"]) if number]
    would = names(done, named=4) if done else "change nothing"
    return f"This was only a check, and nothing was changed. A run would {would} in {report['environment']}."


def _plan(counts: dict[str, int]) -> list[tuple[str, int, str]]:
    return [
        ("create", counts.get("created", 0), "Application"),
        ("change", counts.get("changed", 0), "Application"),
        ("delete", counts.get("deleted", 0), "Application"),
        ("prune", counts.get("pruned", 0), "object"),
    ]
