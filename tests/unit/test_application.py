# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a status counts as newer than the question, and what is written."""

from __future__ import annotations

import time
from pathlib import Path

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils.application import (
    REFRESH,
    STAMP,
    Options,
    Tracked,
    Waiter,
    failure_message,
    selection,
    sync_operation,
    terminate_operation,
)
from ansible_collections.monorepo.gitops.plugins.module_utils.verdict import (
    ERROR_ROUNDS,
    FAILED,
    INSTEAD_OF_SELF_HEAL,
    READY,
    WAIT,
    Request,
)


def version(number, **annotations):
    return {"metadata": {"name": "a", "resourceVersion": str(number), "annotations": annotations}}


def asked(number=10):
    """Return an Application right after our refresh request, as the answer of the API server shows it."""
    entry = Tracked("a", 0.0)
    entry.stamp, entry.sent, entry.rounds, entry.floor = "U", True, 1, number
    entry.observe(version(number, **{REFRESH: "normal", STAMP: "U"}), unbroken=True)
    return entry


def test_both_annotations_gone_in_one_event_prove_a_fresh_status():
    entry = asked()
    assert not entry.fresh
    entry.observe(version(11, **{REFRESH: "normal", STAMP: "U"}), unbroken=True)
    assert not entry.fresh
    entry.observe(version(12), unbroken=True)
    assert entry.fresh


def test_a_version_from_before_the_request_says_nothing():
    entry = asked(10)
    entry.observe(version(9), unbroken=True)
    assert entry.sent
    assert not entry.fresh


def test_a_timestamp_that_stays_proves_nothing():
    """An older reconcile, or Argo CD before 3.6, took the request away."""
    entry = asked()
    entry.observe(version(11, **{STAMP: "U"}), unbroken=True)
    assert (entry.sent, entry.fresh) == (False, False)


def test_a_timestamp_that_was_stripped_proves_nothing():
    """An ApplicationSet controller may remove the timestamp before the reconcile."""
    entry = asked()
    entry.observe(version(11, **{REFRESH: "normal"}), unbroken=True)
    entry.observe(version(12), unbroken=True)
    assert (entry.sent, entry.fresh) == (False, False)


def test_a_list_after_a_gap_proves_nothing():
    entry = asked()
    entry.observe(version(12), unbroken=False)
    assert (entry.sent, entry.fresh) == (False, False)


def test_the_answer_to_a_second_request_is_fresh_without_a_timestamp():
    entry = asked()
    entry.observe(version(11, **{REFRESH: "normal"}), unbroken=True)
    entry.observe(version(12), unbroken=True)
    entry.stamp, entry.sent, entry.rounds, entry.floor = "V", True, 2, 13
    entry.observe(version(13, **{REFRESH: "normal", STAMP: "V"}), unbroken=True)
    entry.observe(version(14, **{REFRESH: "normal"}), unbroken=True)
    assert not entry.fresh
    entry.observe(version(15), unbroken=False)
    assert entry.fresh


def test_an_application_that_is_made_anew_starts_over():
    entry = asked()
    entry.observe(version(11), unbroken=True)
    assert entry.fresh
    entry.observe(None, unbroken=True)
    assert (entry.fresh, entry.rounds) == (False, 0)


def test_an_application_that_was_made_anew_in_a_gap_starts_over():
    entry = asked()
    entry.observe(version(11), unbroken=True)
    entry.live["deleting"] = ("Cluster a (finalizer b)",)
    made_anew = version(20)
    made_anew["metadata"]["uid"] = "another"
    entry.observe(made_anew, unbroken=False)
    assert (entry.fresh, entry.rounds, entry.live) == (False, 0, {})


def with_operation(number, revision, heals=0, running=False, finished="", status_revision="new"):
    state = {"operation": {"sync": {"revision": revision, "autoHealAttemptsCount": heals}}, "finishedAt": finished}
    item = version(number) | {"status": {"operationState": state, "sync": {"revision": status_revision}}}
    return item | ({"operation": {"sync": {}}} if running else {})


def test_a_revision_that_overtakes_a_running_sync_is_remembered():
    entry = Tracked("a", 0.0)
    entry.observe(with_operation(1, "old", running=True), unbroken=True)
    assert entry.overtaking == ("new",)
    for item in (
        with_operation(1, "old"),
        with_operation(1, "old", heals=1, running=True),
        with_operation(1, "new", running=True),
    ):
        entry = Tracked("a", 0.0)
        entry.observe(item, unbroken=True)
        assert entry.overtaking == ()


def test_the_quiet_time_begins_when_the_end_of_an_operation_is_seen():
    entry = Tracked("a", 0.0)
    entry.observe(with_operation(1, "new", heals=1, finished="2026-11-26T17:00:00Z"), unbroken=True)
    seen_at = entry.finished_at
    assert seen_at > 0
    entry.observe(with_operation(2, "new", heals=1, finished="2026-11-26T17:00:00Z"), unbroken=True)
    assert entry.finished_at == seen_at
    entry.observe(with_operation(3, "new", heals=2, finished="2026-11-26T17:00:05Z"), unbroken=True)
    assert entry.finished_at > seen_at


def waiter_of(application, **options):
    waiter = Waiter(None, "argocd", Options(request=Request(allow_degraded_seconds=5), **options), bool, ["a"])
    entry = waiter.tracked["a"]
    entry.application, entry.fresh = application, True
    return waiter, entry


def test_a_shared_object_stays_a_failure_until_the_application_is_ready_or_at_another_revision():
    def shared():
        application = yaml.safe_load((Path(__file__).parent / "fixtures" / "shared_b.yaml").read_text())
        application["metadata"]["name"] = "a"
        waiter, entry = waiter_of(application)
        waiter._judge(100.0)
        entry.error_rounds = ERROR_ROUNDS
        waiter._judge(101.0)
        assert (entry.verdict.state, entry.verdict.code) == (FAILED, "shared")
        application["operation"] = {"sync": {}}
        return waiter, entry, application

    waiter, entry, _application = shared()
    waiter._judge(102.0)
    assert (entry.verdict.state, entry.verdict.code) == (FAILED, "shared")
    waiter, entry, application = shared()
    application["status"]["sync"]["revision"] = "f" * 40
    waiter._judge(102.0)
    assert (entry.verdict.state, entry.verdict.code) == (WAIT, "syncing")
    waiter, entry, application = shared()
    del application["operation"], application["status"]["conditions"]
    application["status"]["sync"]["status"] = "Synced"
    entry.finished_at = 0.0
    waiter._judge(102.0)
    assert entry.verdict.state == READY


def test_a_reason_that_is_new_has_not_lasted_as_long_as_the_one_before():
    status = {"sync": {"status": "Synced"}, "health": {"status": "Progressing"}}
    waiter, entry = waiter_of(version(1) | {"status": status})
    waiter._judge(100.0)
    assert entry.verdict.code == "health"
    status["health"]["status"] = "Degraded"
    waiter._judge(200.0)
    assert (entry.verdict.state, entry.verdict.code) == (WAIT, "degraded")
    waiter._judge(204.0)
    assert entry.verdict.state == WAIT
    waiter._judge(206.0)
    assert entry.verdict.state == FAILED


def test_an_application_that_is_being_deleted_is_neither_refreshed_nor_synced():
    application = with_operation(1, "new") | {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    application["metadata"]["deletionTimestamp"] = "2026-11-26T17:00:00Z"
    application["status"]["operationState"]["phase"] = "Succeeded"
    application["status"]["sync"]["status"] = "OutOfSync"
    waiter, entry = waiter_of(application, resync_failed=True, sync_manual=True)
    for now in (100.0, 200.0):
        for entry.fresh in (True, False):
            waiter._judge(now)
            assert entry.verdict.code == "deleting"
            assert not waiter._needs_refresh(entry, now)


def test_a_sync_in_the_place_of_self_heal_says_so():
    application = with_operation(7, "new") | {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    application["status"]["operationState"]["phase"] = "Succeeded"
    assert INSTEAD_OF_SELF_HEAL in sync_operation(application)["operation"]["info"]
    application["status"]["operationState"]["phase"] = "Failed"
    assert INSTEAD_OF_SELF_HEAL not in sync_operation(application)["operation"]["info"]


class Objects:
    """An API server with one object that is being deleted."""

    def path(self, _item):
        return "/path"

    def request(self, _method, _path):
        return 200, {"metadata": {"deletionTimestamp": "2026-11-26T17:00:00Z", "finalizers": ["example.org/keep"]}}


def test_what_holds_a_deletion_is_read_now_and_then():
    application = version(1)
    application["metadata"]["deletionTimestamp"] = "2026-11-26T17:00:00Z"
    application["spec"] = {"destination": {"server": "https://kubernetes.default.svc"}}
    application["status"] = {"resources": [{"kind": "ConfigMap", "version": "v1", "namespace": "b", "name": "c"}]}
    waiter, entry = waiter_of(application)
    waiter.api = Objects()
    for now in (waiter.started, waiter.started + 4, waiter.started + 6):
        waiter._judge(now)
        waiter._read_live(entry, now)
        while entry.reading:
            time.sleep(0.01)
    assert waiter.requests["read"] == 2
    words = "is being deleted (since 2026-11-26T17:00:00Z); held by ConfigMap b/c (finalizer example.org/keep)"
    waiter._judge(waiter.started + 7)
    assert entry.verdict.reason == words


def test_a_sync_takes_its_options_from_the_specification():
    policy = {
        "automated": {"prune": True},
        "syncOptions": ["CreateNamespace=true"],
        "retry": {"limit": 5},
    }
    application = version(7) | {"spec": {"syncPolicy": policy}}
    patch = sync_operation(application)
    assert patch["metadata"] == {"resourceVersion": "7"}
    assert patch["operation"]["sync"] == {"prune": True, "syncOptions": ["CreateNamespace=true"]}
    assert patch["operation"]["retry"] == {"limit": 5}
    assert patch["operation"]["initiatedBy"] == {"username": "ansible"}
    assert patch["status"] == {"operationState": None}


def test_a_sync_by_hand_prunes_only_where_nothing_says_otherwise():
    automated = version(7) | {"spec": {"syncPolicy": {"automated": {"prune": False}}}}
    assert sync_operation(automated, prune=True)["operation"]["sync"] == {"prune": False}
    assert sync_operation(version(7) | {"spec": {}}, prune=True)["operation"]["sync"] == {"prune": True}


def test_what_a_change_does_not_touch_is_not_waited_for_as_long():
    depends_on = {"kafka-ui": ["kafka"], "kafka": ["strimzi"], "maildev": ["gateway"], "strimzi": [], "gateway": []}
    waiter = Waiter(None, "argocd", Options(request=Request(), touched=["strimzi"], depends_on=depends_on), bool, [])
    assert [name for name in depends_on if waiter._is_untouched(name)] == ["maildev", "gateway"]
    waiter.options.touched = None
    assert [name for name in depends_on if waiter._is_untouched(name)] == []


def test_a_termination_is_locked_to_the_version_that_was_judged():
    assert terminate_operation(version(7)) == {
        "metadata": {"resourceVersion": "7"},
        "status": {"operationState": {"phase": "Terminating"}},
    }


def test_selection_by_name_by_owner_and_by_label():
    child = version(1)
    child["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": "infra"}]
    assert selection(["a"], [], labelled=False)(version(1))
    assert not selection(["b"], [], labelled=True)(version(1))
    assert selection([], ["infra"], labelled=False)(child)
    assert not selection([], ["services"], labelled=False)(child)
    assert selection([], [], labelled=True)(version(1))


def test_the_message_names_failures_first_and_then_what_is_waited_for():
    entries = [
        {"name": "slow", "state": "waiting", "reason": "Progressing: Deployment x"},
        {"name": "bad", "state": "failed", "reason": "sync Failed"},
        {"name": "good", "state": "ready", "reason": ""},
    ]
    assert failure_message(entries, 20, "") == (
        "1 of 3 Applications are ready. Application bad failed: sync Failed. "
        "Application slow was not ready after 20 s: Progressing: Deployment x."
    )
    assert failure_message([], 20, "") == (
        "No Application matches: check names, label_selectors, applicationsets and namespace."
    )
    assert failure_message(entries, 20, "The API server x does not answer: refused") == (
        "The API server x does not answer: refused (after 20 s)"
    )
