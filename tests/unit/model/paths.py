# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a real controller wrote is something that the model can write, too.

A stream has what was done, and the versions of an Application that a watch delivered, in their order. It is a path of
the model when some order of the model's steps writes the same versions; the search tries one after the other.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    REFRESH,
    STAMP,
    Application,
    is_unprocessed,
    operation_state,
    status_of,
)

from .cluster import Content, sha
from .schedule import Step
from .world import Setting, World

STREAMS = Path(__file__).parent / "streams"
NAME = "a"
COURSES = 10_000  # how many are tried; with other random numbers what was recorded takes 2,200 at most
TRIES = 3  # so many from one place count as much as one more version that was written
LAST = 0.7  # how often what is last among the options, most often that time passes, is not what is tried first
Facts = dict[str, Any]


def facts(item: Application) -> Facts:
    """Return what of an Application a wait looks at; times and names of commits differ between equal courses."""
    status, annotations, state = status_of(item), item["metadata"].get("annotations") or {}, operation_state(item)
    found = {
        "deleted": bool(item["metadata"].get("deletionTimestamp")),
        "refresh": REFRESH in annotations,
        "stamp": STAMP in annotations,
        "operation": bool(item.get("operation")),
        "phase": state.get("phase"),
        "between attempts": state.get("phase") == "Running" and bool(state.get("finishedAt")),
        "retries": state.get("retryCount"),
        "unprocessed": is_unprocessed(item),
        "revision": (status.get("sync") or {}).get("revision"),
        "sync": (status.get("sync") or {}).get("status"),
        "health": (status.get("health") or {}).get("status"),
        "conditions": sorted(entry["type"] for entry in status.get("conditions") or []),
    }
    return {key: value for key, value in found.items() if value}


class Course:
    """The model after certain choices, and how much of a stream it has written."""

    def __init__(self, stream: list[Facts], setting: Setting, choices: list[int]) -> None:
        self.stream, self.choices = stream, []
        unprocessed = bool(stream[0]["version"].get("unprocessed"))
        self.world = World(replace(setting, alone=True, unprocessed=unprocessed))
        progresses = any(entry.get("version", {}).get("health") == "Progressing" for entry in stream)
        self.world.cluster.start_seconds = 0.1 if progresses else 0.0  # without that, what was changed has no pods
        self.place = self.seen = 0  # in the stream, and in the versions of the model
        self.last: Facts = {}
        self.fits = self._compare()
        for choice in choices:
            self.take(choice)

    def take(self, choice: int) -> None:
        """Let one of the options happen."""
        self.choices.append(choice)
        self.options()[choice].take()
        self.fits = self._compare()

    def _compare(self) -> bool:
        """Compare the versions that are new with the stream; one that looks like the one before does not count."""
        for _when, _version, _kind, item in self.world.store.log[self.seen :]:
            self.seen += 1
            found = facts(item)
            if found == self.last:
                continue
            self.last = found
            if self.place >= len(self.stream) or self.stream[self.place].get("version") != found:
                return False
            self.place += 1
        return True

    @property
    def is_over(self) -> bool:
        """Return whether the whole stream was written."""
        return self.place == len(self.stream)

    def options(self) -> list[Step]:
        """Return what may come next: what is next in the stream, steps of the model, or that a second passes."""
        schedule = self.world.schedule
        entry = self.stream[self.place] if not self.is_over else {}
        own = [Step(entry["do"], lambda: self._do(entry), 0.0, 0.0)] if "do" in entry else []
        found = schedule.steps()
        steps = [step for step in found if step.after <= schedule.now]
        later = [step.after for step in found if step.after > schedule.now]
        target = min([*later, schedule.now + 1.0])
        leap = Step("time", lambda: setattr(schedule, "now", target), 0.0, 0.0)
        return [*own, *steps, *([leap] if target < self._second() + 2 else [])]

    def _second(self) -> int:
        """Return when the next version was seen.

        Argo CD compares whole seconds of the clock. Those of a stream are counted from its beginning, which may have
        been late in one, so what was seen in such a second may have been written in the next one of the clock.
        """
        ahead = [entry["second"] for entry in self.stream[self.place :] if "second" in entry]
        return int(ahead[0] if ahead else max(entry.get("second", 0) for entry in self.stream))

    def _do(self, entry: Facts) -> None:
        """Do what was done when the stream was recorded."""
        world, number = self.world, len(self.world.git.commits)
        self.place += 1
        if entry["do"] == "push":
            world.git.push(a=Content(f"a {number if entry['changes'] else 0}", entry.get("fault", "")))
        elif entry["do"] == "change":
            world.cluster.apply(NAME, "changed by hand")
        elif entry["do"] == "restart":
            world.restart()
        else:
            world.refresh(NAME, {STAMP: f"asked {self.place}"} if entry["stamp"] else {})

    def key(self) -> Any:
        """Return what the future depends on."""
        schedule, controller, store = self.world.schedule, self.world.controller, self.world.store
        versions = [known(items[NAME]) for items in (controller.copies, store.items) if NAME in items]
        under_way = sorted(
            (entry.label, entry.after <= schedule.now, position(entry.process)) for entry in schedule.running
        )
        sent = [(channel.label, len(channel.items)) for channel in schedule.channels]
        own = (controller.asked, sorted(controller.again), controller.refs, controller.live)
        return repr((self.place, self.last, versions, under_way, sent, own, self.world.cluster.live, int(schedule.now)))


def known(item: Application) -> tuple[str, ...]:
    """Return what tells a version from others of this number: the times that are compared."""
    times = status_of(item).get("reconciledAt"), operation_state(item).get("finishedAt")
    return (item["metadata"]["resourceVersion"], *map(str, times))


def position(process: Any) -> list[Any]:
    """Return where a process is, and what it knows there."""
    found = []
    while process is not None and process.gi_frame:
        # What has an address instead of a text follows from the others.
        local = {
            key: value for key, value in process.gi_frame.f_locals.items() if key != "self" and not callable(value)
        }
        found.append((process.gi_frame.f_lineno, repr(local)))
        process = process.gi_yieldfrom
    return found


def reached(stream: list[Facts], setting: Setting) -> int:
    """Return how much of a stream the model can write, as far as a search finds out.

    It goes on where most was written; but each course from there that leads no farther counts against that place, so
    that an earlier choice, which may have been the wrong one, is tried otherwise, too.
    """
    farthest, seen, chance = 0, set(), random.Random(0)
    left: dict[int, list[list[int]]] = {0: [[]]}  # choices that may be tried, by how much was written before the last
    tries: Counter[int] = Counter()
    for _course in range(COURSES):
        places = [place for place, found in left.items() if found]
        if not places:
            break
        place = max(places, key=lambda one: one - tries[one] / TRIES)
        tries[place] += 1
        found = left[place]
        course = Course(stream, setting, found.pop(chance.randrange(len(found))))
        while course.fits:
            farthest = max(farthest, course.place)
            if course.is_over:
                return farthest
            key, numbers = course.key(), list(range(len(course.options())))
            if key in seen or not numbers:
                break
            seen.add(key)
            chance.shuffle(numbers)
            if chance.random() < LAST:
                numbers.sort(key=lambda number: number == len(numbers) - 1)
            left.setdefault(course.place, []).extend([*course.choices, number] for number in numbers[1:])
            course.take(numbers[0])
    return farthest


def numbered(events: list[Facts], commits: list[str]) -> list[Facts]:
    """Return recorded events with numbers in the place of commits."""
    names = {commit: sha(number) for number, commit in enumerate(commits)}
    return [
        event | {"version": event["version"] | {"revision": names.get(event["version"]["revision"], "main")}}
        if event.get("version", {}).get("revision")
        else event
        for event in events
    ]
