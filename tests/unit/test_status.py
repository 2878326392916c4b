# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook status shows."""

from __future__ import annotations

from datetime import datetime

import pytest
from ansible_collections.monorepo.gitops.plugins.filter.status import (
    REASON_LENGTH,
    ago,
    noted,
    status_list,
    status_page,
    status_warnings,
    tree_table,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import details

from .test_verdict import recorded

PAUSED = "paused since 10:00 by anna"
NOW = datetime.fromisoformat("2026-11-27T12:00:00Z")


def entry(name, *reasons, **more):
    found = details(recorded("synced_healthy")) | {"name": name, "revisions": ["0123456789abcdef"]}
    return found | {"reasons": list(reasons), "paused": ""} | more


def test_the_list_reads_like_that_of_argocd_with_the_cause():
    broken = entry("web", "Degraded: Deployment\nweb", "OutOfSync", health="Degraded", state="Degraded")
    assert status_list([broken, entry("api")]) == (
        "Application  Sync    Health    Revision      Policy      Reason\n"
        "-----------  ------  --------  ------------  ----------  -------------------------------------\n"
        "web          Synced  Degraded  0123456789ab  Auto-Prune  Degraded: Deployment web (and 1 more)\n"
        "api          Synced  Healthy   0123456789ab  Auto-Prune\n"
        "\n"
        "1 of 2 Applications are Synced and Healthy."
    )


def test_a_paused_application_says_so_and_by_whom():
    text = status_list([entry("web", "OutOfSync: ConfigMap a/b"), entry("api", paused=PAUSED)])
    web, api = text.splitlines()[2:4]
    both = status_list([entry("web", "OutOfSync: ConfigMap a/b", paused=PAUSED)]).splitlines()[2]
    assert both.endswith("OutOfSync: ConfigMap a/b; automated sync is paused since 10:00 by anna")
    assert web.split()[4:6] == ["Auto-Prune", "OutOfSync:"]
    assert api.endswith("Paused      automated sync is paused since 10:00 by anna")
    page = status_page(entry("api", tree=[], events=[], paused=PAUSED), NOW)
    assert "  Policy     Paused, project rounds" in page
    assert "  - automated sync is paused since 10:00 by anna" in page


def test_one_bad_operation_does_not_count_as_fine():
    assert "0 of 1 Applications" in status_list([entry("web", "sync Failed: hook", state="Failed")])


def test_a_long_reason_stays_in_its_line():
    line = status_list([entry("web", "x" * 1000)]).splitlines()[2]
    assert line.endswith("x…")
    assert line.count("x") == REASON_LENGTH - 1


def node(kind, name, depth=0, **more):
    blank = {"sync": "" if depth else "Synced", "health": "", "info": "", "reason": ""}
    return blank | {"kind": kind, "namespace": "a", "name": name, "depth": depth} | more


def test_the_tree_leaves_out_what_has_no_state():
    nodes = [
        node("ConfigMap", "a"),
        node("ConfigMap", "changed", sync="OutOfSync"),
        node("CustomResourceDefinition", "crd", health="Healthy"),
        node("Deployment", "web", health="Degraded", reason="no image"),
        node("ReplicaSet", "web-old", 1),
        node("ReplicaSet", "web-new", 1),
        node("Pod", "web-new-a", 2, info="Pending 0/1", reason="ErrImagePull"),
        node("Secret", "b"),
    ]
    assert tree_table(nodes) == (
        "Objects\n"
        "Object                  Sync       Health    State\n"
        "----------------------  ---------  --------  -------------------------\n"
        "ConfigMap a/changed     OutOfSync\n"
        "Deployment a/web        Synced     Degraded  no image\n"
        "  ReplicaSet a/web-new\n"
        "    Pod a/web-new-a                          Pending 0/1; ErrImagePull\n"
        "and 4 more without a state, all of them Synced"
    )
    assert tree_table([]) == "Objects\n  none"
    assert tree_table([node("ConfigMap", "a")]) == "Objects\n  1 without a state, all of them Synced"


def test_the_page_has_facts_reasons_tree_history_and_events():
    history = [{"id": 1, "revision": "b" * 40, "deployedAt": "2026-11-27T11:00:00Z"}]
    history.append({"id": 0, "revision": "a" * 40, "deployedAt": "x", "initiatedBy": {"username": "anna"}})
    event = {"type": "Warning", "reason": "Failed", "message": "no", "object": "Pod a/b", "count": 3}
    page = status_page(
        entry(
            "web",
            "Degraded: x",
            health="Degraded",
            tree=[node("ConfigMap", "a")],
            history=history,
            events=[event | {"last_seen": "2026-11-27T11:57:00Z"}],
            reconciled_at="2026-11-27T11:59:30Z",
            operation={"running": False, "finished_at": "2026-11-27T09:00:00Z", "initiated_by": {"automated": True}},
        ),
        now=NOW,
    )
    parts = page.split("\n\n")
    assert [part.splitlines()[0] for part in parts] == [
        "Application web: Synced, Degraded",
        "Reasons",
        "Objects",
        "History",
        "Events",
    ]
    assert "  Compared   0123456789ab, 30s ago\n" in parts[0]
    assert parts[0].endswith("  Last sync  Succeeded, 3h ago, by automated sync")
    assert parts[1] == "Reasons\n  - Degraded: x"
    assert [line.split() for line in parts[3].splitlines()[3:]] == [
        ["1", "b" * 12, "2026-11-27T11:00:00Z", "somebody"],
        ["0", "a" * 12, "x", "anna"],
    ]
    assert parts[4].splitlines()[-1].split() == ["3m", "Warning", "Failed", "Pod", "a/b", "no", "(x3)"]


@pytest.mark.parametrize(
    ("phase", "running", "expected"),
    [
        ("", True, "about to begin"),
        ("", False, "never"),
        ("Running", True, "Running, started 3h ago, by ansible"),
        ("Failed", False, "Failed, 2h ago, by ansible"),
    ],
)
def test_the_last_sync(phase, running, expected):
    state = {"running": running, "started_at": "2026-11-27T09:00:00Z", "finished_at": "2026-11-27T10:00:00Z"}
    state["initiated_by"] = {"username": "ansible"}
    page = status_page(entry("web", tree=[], events=[], phase=phase, operation=state), now=NOW)
    assert f"  Last sync  {expected}\n" in page


def test_normal_events_do_not_push_out_warnings():
    events = [
        {
            "type": kind,
            "reason": "",
            "message": str(number),
            "object": "",
            "count": 1,
            "last_seen": "2026-11-27T11:00:00Z",
        }
        for number, kind in enumerate(["Normal"] * 20 + ["Warning"] * 20)
    ]
    found = noted(events, NOW)
    assert [item["message"] for item in found] == [*map(str, range(5)), *map(str, range(20, 30))]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27T11:59:00Z", "60s ago"),
        ("2026-11-27T11:58:00Z", "2m ago"),
        ("2026-11-27T09:59:00Z", "2h ago"),
        ("2026-11-24T12:00:00Z", "3d ago"),
        ("2026-11-27T12:00:05Z", "0s ago"),
        ("", "at no time"),
    ],
)
def test_ages_are_those_of_kubectl(moment, expected):
    assert ago(moment, NOW) == expected


def test_what_is_wrong_beyond_single_applications_is_said():
    entries = [compared("2026-11-27T11:00:00Z"), compared("2026-11-27T11:30:00Z")]
    sets = [{"name": "infra", "reasons": ["no Applications were generated: x"]}, {"name": "services", "reasons": []}]
    assert status_warnings(entries, sets, NOW) == [
        "ApplicationSet infra: no Applications were generated: x",
        "Argo CD compared an Application for the last time 30m ago, so all of this may be out of date: is its "
        "application controller running?",
    ]
    assert status_warnings([*entries, compared("2026-11-27T11:50:00Z")], [], NOW) == []
    assert status_warnings([compared("")], [], NOW) == []


def test_a_kind_that_the_project_does_not_allow_is_named_with_the_command_and_the_variable():
    job = {"group": "batch", "kind": "CronJob", "project": "services"}
    advice = (
        "AppProject services does not allow CronJob.batch yet: run ansible-playbook monorepo.gitops.site, after which "
        "it allows what Git has; gitops_project_kinds: {services: [{group: batch, kind: CronJob}]} allows it "
        "beforehand."
    )
    both = [compared("") | {"blocked_kinds": [job]}] * 2
    assert status_warnings(both, [], NOW) == [advice]
    assert f"  - {advice}" in status_page(entry("a", tree=[], events=[], blocked_kinds=[job]), NOW).splitlines()


def compared(moment):
    return {"reconciled_at": moment, "blocked_kinds": []}
