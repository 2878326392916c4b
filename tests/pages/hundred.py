# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report with 100 Applications, made of a recorded one: eight teams with ten services each, three with trouble."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import timeline, words
from ansible_collections.monorepo.gitops.plugins.module_utils._report.assembly import counts
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time

TEAMS = ("billing", "catalogue", "checkout", "identity", "logistics", "notifications", "recommendations", "search")
PARTS = (
    "api",
    "database",
    "frontend",
    "worker",
    "importer",
    "cache",
    "events",
    "scheduler",
    "reports",
    "gateway-plugin",
)
TROUBLE = {
    "checkout-worker": ("failed", "Pod checkout/checkout-worker-6c9f7-x2x5v: CrashLoopBackOff, exit code 1"),
    "search-importer": ("failed", "Job search/search-importer: BackoffLimitExceeded"),
    "checkout-reports": ("waiting", "Progressing: Deployment checkout/checkout-reports: waits for checkout-worker"),
}


def hundred(recorded: dict[str, Any], seed: int = 7) -> dict[str, Any]:
    """Return a failed run with 100 Applications: those of the recorded run, all ready, and those of eight teams."""
    chance = random.Random(seed)
    known = [entry | {"state": "ready", "reason": "", "next": []} for entry in recorded["applications"]]
    entries = {entry["name"]: entry for entry in known}
    began = parse_time(recorded["started"])
    for team in TEAMS:
        for part in PARTS:
            entries[f"{team}-{part}"] = service(team, part, chance, entries, began)
    for number in range(100 - len(entries)):
        name = f"standalone-{number + 1}"
        entries[name] = service("standalone", str(number + 1), chance, {}, began)
    applications = sorted(entries.values(), key=lambda entry: (entry["layer"], entry["stage"], entry["name"]))
    message = "97 of 100 Applications are ready. The others are below."
    report = recorded | {"applications": applications, "counts": counts(applications), "environment": "prod"}
    report |= {"kind": words.RUN, "rehearsal": False, "note": "", "failure": {"task": "Wait", "message": message}}
    report |= {"seconds": 240.0, "time": written(began, 240), "changes": {"since": "", "texts": []}}
    report["verdict"] = words.verdict(report)
    report["timeline"] = timeline.of_run(report, written(began, 25))
    return report


def service(team: str, part: str, chance: random.Random, known: dict[str, Any], began: Any) -> dict[str, Any]:
    """Return one Application of a team."""
    name = f"{team}-{part}"
    own = {"database": ["cnpg-system"], "events": ["kafka"], "frontend": [f"{team}-api", "gateway"], "cache": []}
    shared = chance.choice([f"{team}-events", f"{team}-cache", "minio", "common"])
    needs = own.get(part, [f"{team}-database", shared])
    state, reason = TROUBLE.get(name, ("ready", ""))
    depends_on = [need for need in needs if need in known]
    start = 30 + chance.randrange(60)
    end = start + 3 + chance.randrange(20)
    healthy = end + chance.randrange(80) if state == "ready" else 0
    return {
        "name": name,
        "layer": "services",
        "stage": max((known[need]["stage"] + 1 for need in depends_on), default=0),
        "depends_on": depends_on,
        "state": state,
        "paused": "",
        "sync": "Synced",
        "health": {"ready": "Healthy", "waiting": "Progressing", "failed": "Degraded"}[state],
        "revision": "",
        "seconds": float(max(healthy - 30, 1)),
        "reason": reason,
        "next": [f"ansible-playbook monorepo.gitops.status -i inventories/prod -e app={name}"] if reason else [],
        "images": [f"registry.example.com/{team}/{part}:1.{chance.randrange(30)}.0"],
        "times": {
            "generated": written(began, 28),
            "sync_started": written(began, start),
            "synced": written(began, end),
            "healthy": written(began, healthy) if healthy else "",
        },
    }


def written(began: Any, seconds: float) -> str:
    """Return a moment of the run as the report has it."""
    return (began + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
