# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about an Application as it is, without a wait; the objects were recorded from a real Argo CD."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import (
    NO_STATUS,
    details,
    order,
    policy_of,
    reasons,
    state_of,
    with_causes,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Cause, Found

from .test_verdict import recorded


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("synced_healthy", "Healthy"),
        ("new", "Unknown"),
        ("progressing", "Progressing"),
        ("comparison_error", "Failed"),
        ("invalid_spec", "Failed"),
        ("sync_failed", "Failed"),
        ("hook_failed", "Failed"),
        ("sync_error", "Failed"),
        ("manual_out_of_sync", "Failed"),
        ("retrying", "OutOfSync"),
        ("deleting", "OutOfSync"),
        ("leftover", "OutOfSync"),
    ],
)
def test_the_state_is_the_worst_that_is_true(name, state):
    assert state_of(recorded(name)) == state


def described(**status):
    """Return an Application that is synced and healthy but for this."""
    application = recorded("synced_healthy")
    application["status"] |= status
    return application


@pytest.mark.parametrize("health", ["Degraded", "Missing"])
def test_what_is_broken_stays_the_worst_whatever_else_is_true(health):
    application = described(health={"status": health}, sync={"status": "OutOfSync"})
    assert state_of(application | {"operation": {"sync": {}}}) == health


@pytest.mark.parametrize(
    ("health", "sync", "state"),
    [
        ("Suspended", "Synced", "Suspended"),
        ("Healthy", "Unknown", "Unknown"),
        ("Progressing", "OutOfSync", "OutOfSync"),
        ("Unknown", "Synced", "Unknown"),
        ("New word", "Synced", "Unknown"),
    ],
)
def test_health_and_sync_make_the_state(health, sync, state):
    assert state_of(described(health={"status": health}, sync={"status": sync})) == state


def test_the_worst_comes_first_and_then_the_name():
    names = [
        "Healthy b",
        "Healthy a",
        "Degraded z",
        "Progressing a",
        "Failed m",
        "Missing a",
        "Unknown a",
        "OutOfSync a",
    ]
    entries = [{"state": name.split()[0], "name": name.split()[1]} for name in names]
    assert [f"{entry['state']} {entry['name']}" for entry in sorted(entries, key=order)] == [
        "Degraded z",
        "Missing a",
        "Failed m",
        "OutOfSync a",
        "Progressing a",
        "Unknown a",
        "Healthy a",
        "Healthy b",
    ]


def test_what_is_synced_and_healthy_has_no_reason():
    assert reasons(recorded("synced_healthy")) == []


def test_a_new_application_says_that_nobody_has_compared_it():
    assert reasons(recorded("new")) == [NO_STATUS]


def test_a_sync_that_failed_names_the_object_and_what_the_api_server_said():
    found = reasons(recorded("sync_failed"))
    words = 'sync Failed: Deployment rounds-a/rounds-a: Deployment.apps "rounds-a" is invalid: '
    assert found[0].startswith(words), found
    assert not [text for text in found if text.startswith("SyncError")], "it is the same once more"
    assert found[-1].startswith("OutOfSync: "), found


def test_a_hook_that_failed_is_not_hidden_by_synced_and_healthy():
    (found,) = reasons(recorded("hook_failed"))
    assert found.startswith("sync Failed: ")
    assert "hook" in found


def test_an_error_of_the_comparison_is_said_once():
    found = reasons(recorded("comparison_error"))
    # In the words of kustomize, without those that Argo CD and kustomize itself put around them.
    assert found[0] == (
        "ComparisonError: `kustomize build rounds-a` failed exit status 1: Error: accumulating resources from "
        "'missing.yaml': evalsymlink failure on 'rounds-a/missing.yaml' : lstat rounds-a/missing.yaml: no such file or "
        "directory"
    )
    assert not [text for text in found if "sync status is" in text]


def test_a_failure_of_an_older_revision_is_no_reason_once_another_one_is_synced():
    old = {"phase": "Failed", "message": "no", "syncResult": {"revision": "old"}}
    assert reasons(described(operationState=old)) == []
    out = {"status": "OutOfSync", "revision": "new"}
    assert reasons(described(operationState=old, sync=out)) == ["sync Failed: no", "OutOfSync"]


def test_the_kinds_that_the_last_sync_was_not_let_write_are_named():
    said = (
        "one or more synchronization tasks are not valid: resource batch:CronJob is not permitted in project services; "
        "resource :Secret is not permitted in project services; resource :Secret is not permitted in project theirs"
    )
    failed = {"phase": "Failed", "message": said, "syncResult": {"revision": "new"}}
    out = {"status": "OutOfSync", "revision": "new"}
    assert details(described(operationState=failed, sync=out))["blocked_kinds"] == [
        {"group": "", "kind": "Secret", "project": "services"},
        {"group": "batch", "kind": "CronJob", "project": "services"},
    ]
    old = failed | {"syncResult": {"revision": "old"}}
    assert details(described(operationState=old))["blocked_kinds"] == []


def test_a_running_sync_says_how_often_it_was_tried():
    found = reasons(recorded("retrying"))
    assert [text for text in found if text.startswith("syncing (retry ")], found


def test_an_unhealthy_object_is_named_or_the_lack_of_one():
    unhealthy = {"kind": "Deployment", "namespace": "a", "name": "b", "status": "Synced"}
    unhealthy["health"] = {"status": "Degraded", "message": "exceeded its progress deadline"}
    application = described(health={"status": "Degraded"}, resources=[unhealthy])
    assert reasons(application) == ["Degraded: Deployment a/b Degraded (exceeded its progress deadline)"]
    assert reasons(described(health={"status": "Degraded"}, resources=[])) == ["Degraded: no resource says why"]


def test_what_argo_cd_and_others_put_around_a_message_is_left_out():
    message = "rpc error: code = NotFound desc = web:2: not found"
    sick = {"kind": "Pod", "namespace": "a", "name": "b", "health": {"status": "Degraded", "message": message}}
    warning = {"type": "RepeatedResourceWarning", "message": "rpc error: code = Unknown desc = twice"}
    application = described(health={"status": "Degraded"}, resources=[sick], conditions=[warning])
    assert reasons(application) == ["Degraded: Pod a/b Degraded (web:2: not found)", "RepeatedResourceWarning: twice"]


def test_what_is_missing_is_never_cut_away_by_what_is_on_its_way():
    def resource(number, health):
        return {"kind": "Deployment", "namespace": "a", "name": f"b-{number}", "health": {"status": health}}

    resources = [*(resource(number, "Progressing") for number in range(6)), resource(6, "Missing")]
    entry = {"health": "Missing", "reasons": ["Missing: many"], "resources": resources}
    cause = Cause("crash", ("", "Pod", "a", "x"), ("", "Pod", "a", "x"), Found("exited with 1"))
    named = ", ".join(f"Deployment a/b-{number} Progressing" for number in range(4))
    left = f"Missing: Deployment a/b-6 Missing, {named} and 2 more"
    assert with_causes(entry, [cause]) == ["Pod a/x: exited with 1", left]


def test_manual_sync_and_what_left_git_are_said():
    application = described(sync={"status": "OutOfSync"})
    application["spec"]["syncPolicy"] = {}
    application["status"]["resources"] = [
        {"kind": "ConfigMap", "namespace": "a", "name": "b", "status": "OutOfSync", "requiresPruning": True}
    ]
    assert reasons(application) == ["OutOfSync: ConfigMap a/b; no longer in Git: ConfigMap a/b; automated sync is off"]


def test_a_deletion_comes_first():
    assert reasons(recorded("deleting"))[0].startswith("is being deleted (since ")


def test_warnings_come_last():
    assert reasons(recorded("shared_b"))[-1].startswith("SharedResourceWarning: ")


def test_causes_take_the_place_of_the_health_that_they_explain():
    top = ("apps", "Deployment", "a", "b")
    cause = Cause("crash", top, ("", "Pod", "a", "b-1"), Found("exited with 1", "look"))
    sick = {"kind": "Deployment", "namespace": "a", "name": "b", "health": {"status": "Degraded", "message": "bad"}}
    other = {"kind": "Ingress", "namespace": "a", "name": "c", "health": {"status": "Progressing"}}
    said = ["sync Failed: no", "Degraded: Deployment a/b (bad)", "OutOfSync"]
    entry = {"health": "Degraded", "reasons": said, "resources": [sick, other]}
    text = "Deployment a/b: Pod b-1: exited with 1. Next: look"
    assert with_causes(entry, [cause]) == [
        said[0],
        text,
        "Degraded: Ingress a/c Progressing",
        said[2],
    ]
    assert with_causes(entry, []) == said
    hook = {"health": "Healthy", "reasons": ["sync Failed: hook"], "resources": []}
    assert with_causes(hook, [cause]) == ["sync Failed: hook", text]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, "Manual"),
        ({"automated": {"enabled": False, "prune": True}}, "Manual"),
        ({"automated": {}}, "Auto"),
        ({"automated": {"prune": True}}, "Auto-Prune"),
    ],
)
def test_the_policy_has_the_words_of_argocd(policy, expected):
    assert policy_of({"spec": {"syncPolicy": policy}}) == expected


def test_the_history_is_as_it_is_newest_first():
    entries = [{"id": 0, "revision": "a", "initiatedBy": {"automated": True}}, {"id": 1, "revision": "b"}]
    assert details(described(history=entries))["history"] == entries[::-1]


def test_the_images_are_those_of_the_last_sync_until_the_controller_has_seen_the_pods():
    assert details(recorded("synced_healthy"))["images"] == ["web:1"]
    application = described(summary={})
    application["status"]["operationState"]["syncResult"]["resources"] += [{"images": ["side:2", "web:1"]}]
    assert details(application)["images"] == ["side:2", "web:1"]
    assert details(recorded("new"))["images"] == []
