# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` makes of the numbers that it measured."""

from __future__ import annotations

import pytest
from bench.__main__ import PARTS
from bench.figures import (
    Answer,
    Figure,
    Section,
    compose,
    judged,
    number,
    overview,
    ratio,
    refreshes_of,
    requests_of,
    runs,
    seconds_of,
    sections_of,
    slowest,
    target,
    targets_of,
    unmeasured,
    writes_of,
)
from bench.size import KUBECTL, OWN, Spent, rows, targets

WANTED = {"value": "2", "image": "web:2", "replicas": 2}


def deployment(image="web:2", replicas=2, observed=5, **status):
    return {
        "metadata": {"generation": 5},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"observedGeneration": observed, "updatedReplicas": 2, "availableReplicas": 2} | status,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0344, "0.034"), (0.5, "0.50"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (3.0, "3"), (0, "0")],
)
def test_a_number_has_the_digits_that_mean_something(value, text):
    assert number(value) == text


def test_a_figure_is_median_minimum_and_maximum():
    assert str(Figure([3.5, 1.25, 2.5, 40.25])) == "3 s (1.25 to 40.2)"
    assert str(Figure([7.5])) == "7.50 s"
    assert str(Figure([], "ms")) == "not measured"
    assert str(Figure([900.0], at_least=True)) == "more than 900 s"


def test_a_ratio_is_formed_round_by_round():
    ours, theirs = Figure([1.0, 30.0, 2.0]), Figure([2.0, 40.0, 8.0])
    assert ours.beside(theirs).values == [0.5, 0.75, 0.25]
    assert ratio(ours, theirs) == "0.50 (0.25 to 0.75)"


def test_a_ratio_of_different_rounds_is_one_to_the_median():
    assert Figure([1.0, 3.0]).beside(Figure([4.0, 2.0, 100.0])).values == [0.25, 0.75]


def test_a_ratio_to_something_that_never_ended_is_an_upper_bound():
    assert ratio(Figure([90.0]), Figure([900.0], at_least=True)) == "less than 0.10"


def test_what_was_not_measured_has_no_ratio_and_keeps_no_target():
    assert ratio(Figure([1.0]), Figure([])) == "not measured"
    assert ratio(Figure([]), Figure([900.0], at_least=True)) == "not measured"
    assert target(Figure([]), 0.5) == "≤ 0.50 s"
    assert Figure([1.0]).minus(Figure([])).values == ()


def test_a_target_is_judged_by_the_median():
    assert target(Figure([0.25, 0.5, 9.0]), 0.5) == "≤ 0.50 s: met"
    assert target(Figure([0.25, 0.75, 9.0]), 0.5) == "≤ 0.50 s: missed"


def test_what_a_program_takes_to_start_is_taken_off():
    assert Figure([1.5, 0.25]).minus(Figure([0.5, 0.5, 9.0])).values == [1.0, 0.0]


def test_the_document_keeps_the_sections_of_other_parts():
    section = Section("Second", ["What", "Seconds"], [["a run", Figure([2.0])]], ["A note."]).markdown("When.")
    first = compose("# Title\n", ["First", "Second"], "", {"Second": section})
    assert first == (
        "# Title\n\n## Targets\n\n| Part | What | Measured | Target |\n| --- | --- | --- | --- |\n\n"
        "## First\n\nNot measured: this part has not been run yet.\n\n"
        "## Second\n\nWhen.\n\n| What | Seconds |\n| --- | --- |\n| a run | 2 s |\n\nA note.\n"
    )
    again = compose("# Title\n", ["First", "Second"], first, {"First": unmeasured("First", "no mirror.")})
    assert sections_of(again)["Second"] == sections_of(first)["Second"]
    assert sections_of(again)["First"] == "## First\n\nNot measured: no mirror.\n"


def test_a_section_that_no_part_has_any_more_goes():
    assert "Old" not in compose("# Title\n", ["New"], "# Title\n\n## Old\n\nText.\n", {})


def test_tasks_of_one_name_count_together():
    tasks = [("render", 1.0), ("build", 1.5), ("render", 1.0), ("ping", 0.5)]
    assert slowest(tasks, 2) == [("render", 2.0), ("build", 1.5)]


@pytest.mark.parametrize(
    ("live", "value"),
    [
        (deployment(), "1"),
        (deployment(image="web:1"), "2"),
        (deployment(replicas=1), "2"),
        (deployment(observed=4), "2"),
        (deployment(updatedReplicas=1), "2"),
        (deployment(availableReplicas=1), "2"),
        ({"message": "not found"}, "2"),
    ],
)
def test_what_does_not_run_yet_is_not_the_truth(live, value):
    assert runs(deployment(), {"data": {"value": "2"}}, WANTED)
    assert not runs(live, {"data": {"value": value}}, WANTED)
    assert not runs(deployment(), {}, WANTED)


def test_an_answer_is_wrong_only_when_it_says_ready_too_early():
    right, early, none = Answer(True, True, 2.0, 4), Answer(True, False, 0.1, 1), Answer(False, False, 60.0, 60)
    late = Answer(False, True, 60.0, 60)
    assert [answer.wrong for answer in (right, early, none, late)] == [False, True, False, False]
    assert judged([right, early]) == "1 of 2"
    assert judged([right, early, none, late]) == "1 of 4, 2 without an answer"
    assert seconds_of([right, early, none]).values == [2.0]


def test_requests_are_counted_once_and_by_client():
    ours = {"userAgent": "OpenAPI-Generator/35", "user": {"username": "admin"}, "auditID": "a", "verb": "watch"}
    theirs = {"userAgent": "argocd-server", "user": {"username": "system:serviceaccount:argocd:argocd-server"}}
    theirs |= {"auditID": "b", "verb": "patch"}
    entries = [ours | {"requestURI": "/x"}, ours | {"requestURI": "/x"}, theirs | {"requestURI": "/y"}]
    assert [entry["auditID"] for entry in requests_of(entries, "OpenAPI-Generator")] == ["a"]
    assert [entry["auditID"] for entry in requests_of(entries, "argocd:argocd-server")] == ["b"]


def test_a_dry_run_is_no_write():
    dry = {"verb": "patch", "requestURI": "/x?dryRun=All&force=true"}
    write = {"verb": "patch", "requestURI": "/x?force=true"}
    assert writes_of([dry, write, {"verb": "list", "requestURI": "/x"}]) == [write]


def test_requests_for_a_refresh_are_told_from_other_writes():
    applications = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
    asks = {"verb": "patch", "requestURI": f"{applications}/api"}
    made = {"verb": "create", "requestURI": f"{applications}/api"}
    other = {"verb": "patch", "requestURI": "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/infra"}
    assert refreshes_of([asks, made, other]) == [asks]


def test_all_targets_of_a_document_are_in_one_table():
    kept, missed = Figure([0.25]), Figure([12.5, 14.0])
    rows = [
        ["first run", Figure([30.0]), Figure([120.0]), kept, target(kept, 0.4)],
        ["beyond the start", missed, "", "", target(missed, 8)],
        ["nobody set one", missed, "", "", ""],
    ]
    late = f"Return after the last status: {kept}, {target(kept, 1)}; sync and wait: 2 s, ratio 0.12."
    section = Section("Runs, all of them", ["What", "Ours", "Beside it", "Ratio", "Target"], rows, [late])
    assert list(targets_of(section.markdown("caption"))) == [
        ("first run", "30 s, ratio 0.25 s", "≤ 0.40 s: met"),
        ("beyond the start", "13.2 s (12.5 to 14)", "≤ 8 s: missed"),
        ("Return after the last status", "0.25 s", "≤ 1 s: met"),
    ]
    assert list(overview({"Runs, all of them": section.markdown("caption")}))[-1] == (
        "| [Runs, all of them](#runs-all-of-them) | Return after the last status | 0.25 s | ≤ 1 s: met |"
    )


def test_a_size_has_what_was_measured_beside_kubectl_where_that_was_measured():
    wait = Spent(3.0, 80.0, 40.0, '{"requests": {"list": 1}}', 2.5)
    kubectl = Spent(12.0, 110.0, 41.0, "")
    assert [str(cell) for cell in next(rows(14, {OWN: wait, KUBECTL: kubectl}))] == [
        *("14", "`argocd_app_wait`", "3 s", "0.25", "80 MiB", "40 s", "2.50 s", "list 1"),
    ]
    assert str(next(rows(14, {OWN: wait}))[3]) == "not measured"
    assert list(targets_of(targets(5000, wait))) == [
        ("processor of a wait for 5000", "3 s", "≤ 12 s: met"),
        ("memory", "80 MiB", "≤ 250 MiB: met"),
        ("first line", "2.50 s", "≤ 5 s: met"),
    ]


def test_every_part_has_a_heading_of_its_own():
    titles = [title for title, _measure, _rounds in PARTS.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if "\n" in title or title.startswith("#")]
