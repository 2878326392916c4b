# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying the objects of Argo CD's manifest beside `kubectl apply --server-side`."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._apply.api import ApplyApi
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.applier import Applier, Settings
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import load
from kubernetes import config, dynamic
from rendering import programs

from .clusters import OURS, Bench, cluster, say
from .figures import Figure, Section, ratio, requests_of
from .first import STAND_INS

TITLE = "Applying objects"
HEADERS = ["What", "`server_side_apply`", "`kubectl apply --server-side`", "Ratio", "Target"]


def measure(rounds: int) -> Section:
    """Apply the manifest to a namespace that has nothing of it, and once more, in turns."""
    manifest = next((programs() / "argocd").glob("*/install.yaml"))
    count = len(load([str(manifest)], [], []))
    taken: dict[str, list[float]] = {
        f"{who} {what}": [] for who in ("ours", "kubectl") for what in ("new", "again", "requests")
    }
    starts = []
    with cluster(**STAND_INS) as environment:
        for number in range(rounds):
            say(f"{TITLE}: round {number + 1} of {rounds}")
            starts.append(seconds_of_kubectl(environment, "version", "--client"))
            # Who begins has no advantage.
            for who in ("ours", "kubectl") if number % 2 else ("kubectl", "ours"):
                environment.kubectl("create", "namespace", "argocd")
                taken[f"{who} new"].append(once(environment, who, manifest))
                with environment.audited() as entries:
                    taken[f"{who} again"].append(once(environment, who, manifest))
                taken[f"{who} requests"].append(len(requests_of(entries, OURS if who == "ours" else "kubectl")))
                environment.kubectl("delete", "--namespace", "argocd", "--wait", "-f", manifest)
                environment.kubectl("delete", "namespace", "argocd", "--wait")
    start = Figure(starts)
    rows = []
    for what, text in (
        ("new", f"{count} objects, none of them there"),
        ("again", f"{count} objects, all of them there"),
    ):
        ours, theirs = Figure(taken[f"ours {what}"]), Figure(taken[f"kubectl {what}"]).minus(start)
        rows.append([text, ours, theirs, ratio(ours, theirs), ""])
    ours, theirs = Figure(taken["ours requests"], ""), Figure(taken["kubectl requests"], "")
    rows.append(["API requests when all are there", ours, theirs, ratio(ours, theirs), ""])
    return Section(
        TITLE, HEADERS, rows, [f"The start of kubectl does not count ({start}), nor does that of the module."]
    )


def once(environment: Bench, who: str, manifest: Path) -> float:
    """Apply the manifest in one of the ways and return the seconds."""
    if who == "kubectl":
        args = ("apply", "--namespace", "argocd", "--server-side", "--force-conflicts", "-f", manifest)
        return seconds_of_kubectl(environment, *args)
    client = dynamic.DynamicClient(config.new_client_from_config(environment.status["kubeconfig"]))
    settings = Settings("monorepo.gitops", force=True, only_missing=False, check_mode=False, concurrency=8)
    before = time.monotonic()
    Applier(ApplyApi(client, settings.concurrency), settings, "argocd").apply(load([str(manifest)], [], []))
    return time.monotonic() - before


def seconds_of_kubectl(environment: Bench, *args: str | Path) -> float:
    """Return how long kubectl takes."""
    before = time.monotonic()
    environment.kubectl(*args)
    return time.monotonic() - before
