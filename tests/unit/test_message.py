# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait says when it fails, and in between."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.message import (
    failure_message,
    progress_text,
    worst_first,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import WAIT, Code, Verdict
from ansible_collections.monorepo.gitops.plugins.plugin_utils.showing import fitting

PAGE = "docs/runbooks/not_healthy.md"


def entry(name, state="failed", reason="sync Failed", **more):
    return {"name": name, "state": state, "reason": reason, "next_step": PAGE} | more


def test_each_application_has_a_line_failures_first():
    entries = [
        entry("slow", "waiting", "Progressing: Deployment x"),
        entry("bad", since="2026-11-27T10:00:00Z"),
        entry("good", "ready", "", next_step=""),
    ]
    assert failure_message(entries, 20.04, "") == (
        "1 of 3 Applications are ready.\n"
        "Application bad: sync Failed (since 2026-11-27T10:00:00Z).\n"
        "Application slow was not ready after 20 s: Progressing: Deployment x.\n"
        f"What to do: {PAGE}"
    )


def test_a_step_that_not_all_share_is_named_with_its_application():
    entries = [entry("a", next_step="docs/runbooks/pause.md"), entry("b"), entry("c", reason="Does it run?")]
    assert failure_message(entries, 20, "") == (
        "0 of 3 Applications are ready.\n"
        "Application a: sync Failed. What to do: docs/runbooks/pause.md\n"
        f"Application b: sync Failed. What to do: {PAGE}\n"
        f"Application c: Does it run? What to do: {PAGE}"
    )


def test_a_time_that_the_reason_has_is_not_said_twice():
    since = "2026-11-27T10:00:00Z"
    later = "2026-11-27T10:00:07Z"
    found = failure_message([entry("a", reason=f"is being deleted (since {since})", since=later)], 3, "", "idle")
    assert found == (
        f"0 of 1 Applications are idle.\nApplication a: is being deleted (since {since}).\nWhat to do: {PAGE}"
    )


@pytest.mark.parametrize(
    "reason",
    [
        "paused since 2026-11-27T10:00:00Z by anna; OutOfSync",
        "refresh requested 9 s ago; the application controller has not answered yet",
        "the application controller did not process a refresh within 61 s: it has no ready pod",
    ],
)
def test_a_reason_that_says_for_how_long_needs_no_time(reason):
    found = failure_message([entry("a", reason=reason, since="2026-11-27T10:00:07Z")], 3, "")
    assert found == f"0 of 1 Applications are ready.\nApplication a: {reason}.\nWhat to do: {PAGE}"


def test_the_worst_are_described_and_the_others_counted():
    entries = [entry(f"a{number:02}") for number in range(30)]
    lines = failure_message(entries, 20, "").splitlines()
    assert len(lines) == 23
    assert lines[1] == "Application a00: sync Failed."
    assert lines[-3:] == ["Application a19: sync Failed.", "And 10 more.", f"What to do: {PAGE}"]


def test_what_only_follows_from_another_failure_comes_after_it():
    entries = [
        entry("a", code="dependency", health="Degraded"),
        entry("b", "waiting", health="Degraded"),
        entry("c", "ready", health="Healthy"),
        entry("d", health="Progressing"),
        entry("e", health="Degraded"),
        entry("f", health="Missing"),
        entry("g"),
    ]
    assert [found["name"] for found in worst_first(entries)] == ["e", "f", "d", "g", "a", "b", "c"]


def test_without_applications_and_without_an_api_server():
    assert failure_message([], 20, "") == (
        "No Application matches: check names, label_selectors, applicationsets and namespace."
    )
    assert failure_message([entry("bad")], 20, "The API server x does not answer: refused") == (
        "The API server x does not answer: refused (after 20 s)"
    )


def test_a_progress_line_has_the_cause():
    found = Verdict(WAIT, Code.HEALTH, "Progressing: Deployment a/b: Pod b-1: ErrImagePull")
    assert progress_text("web", found) == "web: Progressing: Deployment a/b: Pod b-1: ErrImagePull"
    found = Verdict(WAIT, Code.HEALTH, "Progressing: long", cause="Deployment a/b: Pod b-1: ErrImagePull")
    assert progress_text("web", found) == "web: Deployment a/b: Pod b-1: ErrImagePull"


@pytest.mark.parametrize(
    ("columns", "line"),
    [(0, "  12 s: 1 of 3 Applications"), (27, "  12 s: 1 of 3 Applications"), (20, "  12 s: 1 of 3 Appl…")],
)
def test_a_progress_line_is_as_wide_as_the_terminal(columns, line):
    assert fitting("  12 s: 1 of 3 Applications", columns) == line


def test_a_progress_line_that_is_too_long_keeps_the_cause():
    line = (
        "  12 s: 1 of 3 Applications ready; web: ComparisonError: `kustomize build web`: lstat web/a.yaml: no such file"
    )
    assert fitting(line, 80) == "  12 s: 1 of 3 Applications ready; web: …ld web`: lstat web/a.yaml: no such file"
    assert len(fitting(line, 80)) == 80
    assert fitting(line, 50) == "  12 s: 1 of 3 Applications ready; web: Compariso…"
    line = (
        "   2 s: 0 of 1 ready; Deployment argocd/server: 0 of 1 updated Pods are available; the image cannot be pulled"
    )
    assert fitting(line, 80) == "   2 s: 0 of 1 ready; Deployment argocd/server: …ble; the image cannot be pulled"
