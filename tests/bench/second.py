# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run that changes nothing, the status of all Applications, and the requests of a wait for all of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter
from integration.test_wait import nothing_else

from .clusters import OURS, Bench, UnmeasuredError, cluster, say
from .figures import Figure, Section, ratio, refreshes_of, requests_of, slowest, target, writes_of
from .first import STAND_INS

TITLE = "Second run, nothing changed"
COUNTED = ("modules", "requests", "refreshes", "writes")
HEADERS = ["What", "Ours", "Beside it", "Ratio", "Target"]


def measure(rounds: int) -> Section:
    """Run site.yml again and again on a cluster that is up, interleaved with a playbook that does nothing."""
    with cluster(**STAND_INS) as environment:
        say(f"{TITLE}: first run")
        first = Figure([environment.timed("site.yml")[0]])
        runs, empties, lists = [], [], []
        for number in range(rounds):
            say(f"{TITLE}: round {number + 1} of {rounds}")
            empties.append(environment.start_seconds())
            runs.append(second_run(environment))
            lists.append(environment.timed("playbooks/status.yml")[0])
        return Section(TITLE, HEADERS, rows(first, runs, Figure(empties), Figure(lists)) + waits(environment, rounds))


def second_run(environment: Bench) -> dict[str, Any]:
    """Run site.yml once more and return what it took."""
    with environment.audited() as entries:
        seconds, profile = environment.timed("site.yml")
    requests = requests_of(entries, OURS)
    writes = writes_of(requests)
    refreshes = refreshes_of(writes)
    return {
        "seconds": seconds,
        "modules": sum("module" in line for line in profile),
        "requests": len(requests),
        "refreshes": len(refreshes),
        "writes": len(writes) - len(refreshes),
        "tasks": [(line["task"], line["seconds"]) for line in profile if "task" in line],
    }


def rows(first: Figure, runs: list[dict[str, Any]], empty: Figure, status: Figure) -> list[list[Any]]:
    """Return the rows of the runs."""
    seconds = Figure([run["seconds"] for run in runs])
    beyond, listed = seconds.minus(empty), status.minus(empty)
    counts = {key: Figure([run[key] for run in runs], "") for key in COUNTED}
    found = [
        ["seconds, beside the first run", seconds, first, ratio(seconds, first), target(seconds.beside(first), 0.4)],
        [
            "beyond Ansible's own start (a playbook without a module)",
            beyond,
            empty,
            ratio(beyond, empty),
            target(beyond, 8),
        ],
        ["module starts", counts["modules"], "", "", ""],
        ["API requests", counts["requests"], "", "", ""],
        ["requests for a refresh among them", counts["refreshes"], "", "", ""],
        ["other writes among them", counts["writes"], "", "", target(counts["writes"], 0)],
    ]
    names = [name for name, _seconds in slowest([task for run in runs for task in run["tasks"]])]
    for number, name in enumerate(names, 1):
        spent = Figure([sum(took for task, took in run["tasks"] if task == name) for run in runs])
        found.append([f"slowest task {number}: {name}", spent, seconds, ratio(spent, seconds), ""])
    return [
        *found,
        [
            "status of all Applications (`status.yml`) beyond Ansible's own start",
            listed,
            empty,
            ratio(listed, empty),
            target(listed, 3),
        ],
    ]


def waits(environment: Bench, rounds: int) -> list[list[Any]]:
    """Return how many requests a wait for all Applications sends, by kind."""
    names, counts = environment.components(), []
    for _round in range(rounds):
        with environment.audited() as entries:
            settings = Options(request=Request(), timeout=60)
            if not Waiter(environment.api(), "argocd", settings, nothing_else, names).wait():
                raise UnmeasuredError("The Applications were not ready.")
        found = requests_of(entries, OURS)
        counts.append(Counter(entry["verb"] for entry in found if "/applications" in entry["requestURI"]))
    total = Figure([sum(count.values()) for count in counts], "")
    fewest = Figure([2 + len(names)] * rounds, "")
    kinds = ", ".join(f"{verb} {Figure([count[verb] for count in counts], '')}" for verb in ("list", "watch", "patch"))
    text = f"requests of a wait for {len(names)} Applications ({kinds})"
    return [
        [
            text,
            total,
            f"{2 + len(names)}: one LIST, one WATCH, one refresh each",
            ratio(total, fewest),
            target(total.beside(fewest), 1),
        ]
    ]
