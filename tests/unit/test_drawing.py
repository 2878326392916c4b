# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings of the report: the layers and the order of a graph, and that nothing lies over anything else."""

from __future__ import annotations

import itertools
import random

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._report import chart, drawing, graph

CHAIN = {"a": [], "b": ["a"], "c": ["b", "a"], "d": ["c", "a"]}


def test_a_layer_is_the_longest_path():
    assert graph.layers(CHAIN) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_what_follows_from_other_dependencies_is_not_drawn():
    assert graph.essential(CHAIN) == [("a", "b"), ("b", "c"), ("c", "d")]


def test_a_cycle_and_what_is_not_known_are_left_out():
    assert graph.without_cycles({"a": ["b", "x"], "b": ["c"], "c": ["a", "c"]}) == {"a": ["b"], "b": ["c"], "c": []}


def test_an_edge_over_several_layers_has_a_bend_in_each():
    chains, placed = graph.with_bends([("a", "d")], {"a": 0, "d": 3})
    assert chains == [["a", "a>d@1", "a>d@2", "d"]]
    assert placed == {"a": 0, "a>d@1": 1, "a>d@2": 2, "d": 3}


def test_the_order_avoids_crossings():
    chains = [["a", "z"], ["b", "y"], ["c", "x"]]
    rows = graph.ordered(chains, {"a": 0, "b": 0, "c": 0, "x": 1, "y": 1, "z": 1})
    assert graph.crossings(rows, {"a": ["z"], "b": ["y"], "c": ["x"]}) == 0
    assert graph.crossings([["a", "b", "c"], ["x", "y", "z"]], {"a": ["z"], "b": ["y"], "c": ["x"]}) == 3


@pytest.mark.parametrize(
    ("wanted", "room", "expected"),
    [([0, 0], [10, 10], [-5, 5]), ([0, 100], [10, 20], [0, 100]), ([10, 0, 5], [2, 4, 2], [2, 5, 8]), ([], [], [])],
)
def test_places_are_as_near_to_the_wanted_ones_as_their_room_allows(wanted, room, expected):
    assert graph.spread(wanted, room) == pytest.approx(expected)


def application(name, *needs, state="ready", paused=""):
    times = {"generated": "", "sync_started": "", "synced": "", "healthy": ""}
    return {"name": name, "depends_on": list(needs), "state": state, "paused": paused, "times": times}


def some(number, seed):
    """Return Applications that depend on up to three of those before them."""
    chance = random.Random(seed)
    entries = []
    for index in range(number):
        before = [entry["name"] for entry in entries]
        needs = chance.sample(before, min(len(before), chance.choice([0, 0, 1, 2, 3])))
        entries.append(application(f"app-{index}", *needs))
    return entries


@pytest.mark.parametrize("form", [drawing.wide_graph, drawing.narrow_graph])
@pytest.mark.parametrize("number", [1, 2, 14, 100])
def test_no_box_lies_over_another_and_all_are_inside(form, number):
    for seed in range(5):
        applications = some(number, seed)
        made = form(applications)
        assert sorted(box["name"] for box in made["boxes"]) == sorted(entry["name"] for entry in applications)
        for box in made["boxes"]:
            assert 0 <= box["x"] < box["x"] + box["width"] <= made["width"] + 0.1, box
            assert 0 <= box["y"] < box["y"] + box["height"] <= made["height"] + 0.1, box
        for one, other in itertools.combinations(made["boxes"], 2):
            apart_x = one["x"] + one["width"] <= other["x"] + 0.1 or other["x"] + other["width"] <= one["x"] + 0.1
            apart_y = one["y"] + one["height"] <= other["y"] + 0.1 or other["y"] + other["height"] <= one["y"] + 0.1
            assert apart_x or apart_y, (one, other)


def test_a_drawing_has_a_line_for_each_essential_dependency():
    applications = some(30, 1)
    edges = graph.essential({entry["name"]: entry["depends_on"] for entry in applications})
    for form in (drawing.wide_graph, drawing.narrow_graph):
        assert sorted((line["needed"], line["needs"]) for line in form(applications)["lines"]) == sorted(edges)


def test_of_many_applications_the_narrow_form_says_what_each_needs():
    made = drawing.narrow_graph([application("a"), application("b", "a"), *some(40, 1)])
    said = {box["name"]: box["needs"] for box in made["boxes"]}
    assert (made["lines"], said["a"], said["b"]) == ([], "", "needs a")


def test_states_are_drawn():
    entries = [application("a", state="failed"), application("b", "a", paused="since"), application("c")]
    made = drawing.wide_graph(entries)
    assert {box["name"]: box["state"] for box in made["boxes"]} == {"a": "failed", "b": "paused", "c": "ready"}
    assert [line["state"] for line in made["lines"]] == ["failed"]
    assert [heading["text"] for heading in made["headings"]] == [
        "step 1: needs nothing",
        "step 2",
        "on its own: needs nothing, and nothing needs it",
    ]


def test_the_same_applications_are_always_drawn_alike():
    entries = some(40, 3)
    assert drawing.wide_graph(entries) == drawing.wide_graph(list(reversed(entries))) | {
        "boxes": drawing.wide_graph(entries)["boxes"]
    }


def test_a_name_that_is_too_long_keeps_its_beginning_and_its_end():
    assert drawing.shortened("external-secrets", 130) == "external-secrets"
    assert drawing.shortened("recommendations-scheduler", 104) == "recomm…eduler"


def at(second):
    return f"2026-11-27T21:{10 + second // 60}:{second % 60:02d}Z"


def run(number=2, **more):
    entries = [
        application(f"app-{index}")
        | {"times": {"generated": at(5), "sync_started": at(10), "synced": at(20), "healthy": at(30 + index)}}
        for index in range(number)
    ]
    return {
        "started": at(0),
        "seconds": 100.0,
        "applications": entries,
        "timeline": {"published": at(5), "critical_path": ["app-0"]},
    } | more


def test_the_bars_of_a_timeline_are_the_parts_of_the_way():
    made = chart.chart(run(), 1174.0, label=100.0, row=24.0)  # ten units for a second
    assert [
        (part["kind"], pytest.approx(part["x"]), pytest.approx(part["width"]), part["open"])
        for part in made["rows"][0]["bars"]
    ] == [("wait", 150, 50, False), ("sync", 200, 100, False), ("health", 300, 100, False)]
    assert [(row["name"], row["critical"], row["end"]) for row in made["rows"]] == [
        ("app-0", True, "30 s"),
        ("app-1", False, "31 s"),
    ]
    assert (made["published"], made["more"]) == (150, 0)
    assert [tick["text"] for tick in made["ticks"]][:3] == ["0:00", "0:10", "0:20"]


def test_what_never_ended_goes_on_to_the_end_of_the_run():
    report = run(1)
    report["applications"][0]["times"] |= {"synced": "", "healthy": ""}
    (row,) = chart.chart(report, 1174.0, label=100.0, row=24.0)["rows"]
    assert [(part["kind"], part["open"]) for part in row["bars"]] == [("wait", False), ("sync", True)]
    assert row["bars"][-1]["x"] + row["bars"][-1]["width"] == pytest.approx(1100)
    assert row["end"] == ""


def test_of_many_applications_the_critical_path_and_the_slowest_are_drawn():
    made = chart.chart(run(100), 1174.0, label=100.0, row=24.0)
    assert (len(made["rows"]), made["more"]) == (30, 70)
    assert [row["name"] for row in made["rows"]][:2] == ["app-0", "app-71"]


@pytest.mark.parametrize(
    ("total", "expected"), [(4, [0, 1, 2, 3, 4]), (95, [0, 30, 60, 90]), (600, [0, 120, 240, 360, 480, 600])]
)
def test_the_scale_has_round_steps(total, expected):
    assert chart.ticks(total, 5) == expected
