# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done about a sync of ours, decided on Applications that were recorded from a real Argo CD."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import ClassVar

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.decision import Moment, decide, find
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Proof
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import Operations, sync_operation
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.sync import (
    NO_REPLACE,
    SyncOrder,
    refusal,
    refusals,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Options,
    Request,
    Seen,
    Sync,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked

from .test_verdict import reconciled_late, recorded

ID = "6f0b1c9e-0000-4000-8000-000000000001"
MAIN = "8d3f9993e7ec33749746ce89bac36e1712b67100"


def order_for(on_conflict="wait", wait=True, **sync):
    return SyncOrder(Sync(**sync), on_conflict, wait, ID)


def accepted(application, order):
    """Return the Application after the API server has taken the order."""
    return deepcopy(application) | order.write(application, Action.SYNC) | {"metadata": application["metadata"]}


def in_phase(application, order, phase, message="", **state):
    """Return the Application while, or after, the controller works on the order."""
    copy = accepted(application, order)
    operation = copy["operation"]
    if phase in ("Succeeded", "Failed", "Error"):
        del copy["operation"]
    found = {"phase": phase, "message": message, "startedAt": "2026-11-24T17:00:00Z", "operation": operation}
    copy["status"] = application["status"] | {"operationState": found | state}
    return copy


def judged(order, application, seconds=0.0):
    order.observe(application)
    found = order.judge(application, seconds)
    order.record(found.verdict)
    return found.verdict.state, found.verdict.reason, found.action


# --- before the operation --------------------------------------------------------------------------------------------


def test_an_idle_application_is_synced():
    assert judged(order_for(), recorded("manual_out_of_sync")) == (WAIT, "will be synced", Action.SYNC)


def test_what_is_being_deleted_is_not_synced():
    reason = refusal(recorded("deleting"), Sync())
    assert reason.startswith("is being deleted (since ")
    assert judged(order_for(), recorded("deleting")) == (FAILED, reason, Action.NONE)


@pytest.mark.parametrize(
    ("revision", "sync", "expected"),
    [
        ("main", {}, ""),
        (MAIN, {"dry_run": True}, ""),
        (
            MAIN,
            {},
            f"Cannot sync to {MAIN}: auto-sync currently set to main; switch automated sync off first, or change the "
            "branch",
        ),
    ],
)
def test_automated_sync_goes_with_no_other_revision_than_its_own(revision, sync, expected):
    application = recorded("synced_healthy")
    assert refusal(application, Sync(revisions=(revision,), **sync)) == expected
    application["spec"]["syncPolicy"]["automated"]["enabled"] = False
    assert refusal(application, Sync(revisions=(revision,), **sync)) == ""


def test_each_source_needs_a_revision():
    application = recorded("manual_out_of_sync")
    reason = "has 1 sources, but 2 revisions are given: give one for each, in order"
    assert refusal(application, Sync(revisions=("a", "b"))) == reason


def test_all_refusals_come_together_and_before_anything_is_done():
    applications = [recorded("manual_out_of_sync"), recorded("retrying")]
    assert refusals(applications, Sync(), "wait", replace_allowed=True) == []
    assert refusals(applications, Sync(), "wait", replace_allowed=False) == []
    assert refusals(applications, Sync(replace=True), "wait", replace_allowed=False) == [
        f"Application rounds-a: {NO_REPLACE}",
        f"Application rounds-a: {NO_REPLACE}",
    ]
    applications[1]["status"]["operationState"]["message"] = "waiting"
    assert refusals(applications, Sync(), "fail", replace_allowed=True) == [
        "Application rounds-a: another operation is already in progress (of automated sync, Running since "
        "2026-11-24T16:20:21Z: waiting)"
    ]


@pytest.mark.parametrize(
    ("on_conflict", "state", "action"),
    [("wait", WAIT, Action.NONE), ("terminate", WAIT, Action.TERMINATE), ("fail", FAILED, Action.NONE)],
)
def test_another_operation_is_in_the_way(on_conflict, state, action):
    application, order = recorded("retrying"), order_for(on_conflict)
    found = judged(order, application)
    assert (found[0], found[2]) == (state, action)
    assert found[1].startswith("another operation is already in progress (of automated sync, Running since 2026-11-24T")
    if action is Action.TERMINATE:
        assert order.write(application, action)["status"] == {"operationState": {"phase": "Terminating"}}
        order.written(action)
        assert order.changed is True
    # With `fail` that is the end, even if the other one ends before the other Applications are ready.
    after = judged(order, recorded("manual_out_of_sync"))
    assert (after[0], after[2]) == ((FAILED, Action.NONE) if on_conflict == "fail" else (WAIT, Action.SYNC))


def test_only_what_is_out_of_sync_is_synced():
    out, synced = reconciled_late("manual_out_of_sync"), reconciled_late("synced_healthy")
    assert judged(order_for(only_out_of_sync=True), out) == (WAIT, "will be synced", Action.SYNC)
    order = order_for(only_out_of_sync=True)
    assert order.needs_proof is True
    assert judged(order, synced) == (WAIT, "is Synced", Action.NONE)
    assert (order.is_over, order.changed, order.plan(synced)["started"]) == (True, False, False)
    # Without a wait there is nothing more to do.
    order = order_for(wait=False, only_out_of_sync=True)
    assert [judged(order, synced)[0], judged(order, synced)[0]] == [WAIT, READY]


def test_a_failed_hook_leaves_everything_synced_and_is_synced_again():
    failed = reconciled_late("hook_failed")
    assert failed["status"]["sync"]["status"] == "Synced"
    assert judged(order_for(only_out_of_sync=True), failed) == (WAIT, "will be synced", Action.SYNC)


def test_the_result_of_a_sync_that_has_just_ended_is_awaited():
    application = recorded("synced_healthy")
    application["status"]["reconciledAt"] = application["status"]["operationState"]["finishedAt"]
    reason = "the controller has not processed the result of the sync yet"
    assert judged(order_for(only_out_of_sync=True), application) == (WAIT, reason, Action.NONE)


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_sync_has_what_was_asked_for_and_what_the_specification_says():
    application = recorded("manual_out_of_sync")
    config_map = {"kind": "ConfigMap", "name": "a"}
    sync = Sync((MAIN,), True, True, True, True, (config_map,), only_out_of_sync=True)
    assert sync_operation(application, sync, ID) == {
        "metadata": {"resourceVersion": "7370"},
        "operation": {
            "sync": {
                "prune": True,
                "revision": MAIN,
                "dryRun": True,
                "syncStrategy": {"hook": {"force": True}},
                "resources": [config_map],
                "syncOptions": ["CreateNamespace=true", "Replace=true", "ApplyOutOfSyncOnly=true"],
            },
            "initiatedBy": {"username": "ansible"},
            "info": [{"name": "ansible-request-id", "value": ID}],
            "retry": {"limit": 1, "backoff": {"duration": "1s"}, "refresh": True},
        },
        "status": {"operationState": None},
    }


def test_several_sources_have_a_list_of_revisions_and_a_sync_option_is_there_once():
    application = {"metadata": {"resourceVersion": "1"}, "spec": {"sources": [{}, {}]}}
    application["spec"]["syncPolicy"] = {"syncOptions": ["Replace=false"], "automated": {"prune": True}}
    sync = sync_operation(application, Sync(("a", "b"), replace=True))["operation"]["sync"]
    assert sync == {"prune": True, "revisions": ["a", "b"], "syncOptions": ["Replace=true"]}
    assert sync_operation(application, Sync(prune=False))["operation"]["sync"]["prune"] is False


# --- our operation ---------------------------------------------------------------------------------------------------


def test_our_operation_is_followed_until_its_result():
    application, order = recorded("manual_out_of_sync"), order_for()
    begun = accepted(application, order)
    assert judged(order, begun) == (WAIT, "syncing: the application controller has not begun", Action.NONE)
    assert order.changed is True
    assert judged(order, in_phase(application, order, "Running"))[1] == "syncing: Running"
    retrying = in_phase(application, order, "Running", "Retrying attempt #1", finishedAt="2026-11-24T17:00:01Z")
    assert judged(order, retrying) == (WAIT, "syncing: Retrying attempt #1", Action.NONE)
    order.observe(in_phase(application, order, "Succeeded", "successfully synced"))
    assert order.is_over is True
    report = order.report()
    assert (report["request_id"], report["phase"], report["message"]) == (ID, "Succeeded", "successfully synced")


def test_the_result_stays_ours_when_automated_sync_begins_right_after_it():
    application, order = recorded("retrying"), order_for()
    result = application["status"]["operationState"]["syncResult"]
    for phase in ("Running", "Succeeded"):
        order.observe(in_phase(application, order, phase, "ours", syncResult=result))
    order.observe(in_phase(application, order, "Running"))  # an older version, after a broken watch
    order.observe(application)  # with an operation of automated sync
    report = order.report()
    assert (order.is_over, report["phase"], report["message"]) == (True, "Succeeded", "ours")
    assert report["synced_revisions"] == ["d4664373301aceedab721330c1b34207b5b75ccc"]
    assert [(entry["kind"], entry["status"]) for entry in report["resources"]] == [
        ("ConfigMap", "Synced"),
        ("Deployment", "SyncFailed"),
    ]


def test_a_failure_of_ours_has_the_objects_that_were_rejected():
    application, order = recorded("retrying"), order_for()
    result = application["status"]["operationState"]["syncResult"]
    state, reason, _action = judged(order, in_phase(application, order, "Failed", "rejected", syncResult=result))
    assert state == FAILED
    words = 'sync Failed: rejected [Deployment rounds-a/rounds-a: Deployment.apps "rounds-a" is invalid: '
    assert reason.startswith(words)
    assert order.is_over is False


def test_a_rejection_is_not_waited_for_until_argo_cd_gives_up():
    application, order = recorded("retrying"), order_for()
    result = application["status"]["operationState"]["syncResult"]
    states = []
    for attempt in (0, 1):
        ended = {"finishedAt": f"2026-11-24T17:00:0{attempt}Z", "retryCount": attempt, "syncResult": result}
        again = in_phase(application, order, "Running", f"Retrying attempt #{attempt + 1} at 5:00PM.", **ended)
        states.append(judged(order, again))
    assert [(state, action) for state, _reason, action in states] == [(WAIT, Action.NONE), (FAILED, Action.NONE)]
    reason = states[1][1]
    assert reason.startswith("sync fails in the same way each time: Deployment rounds-a/rounds-a: Deployment.apps ")
    assert reason.endswith("; the retries of this operation go on, unless argocd_app_terminate ends them")
    assert order.is_over is False


@pytest.mark.parametrize(("seen", "last"), [((), "not begun"), (("Running",), "Running")])
def test_an_operation_that_was_replaced_has_no_result(seen, last):
    application, order = recorded("retrying"), order_for()
    order.observe(accepted(application, order))
    for phase in seen:
        order.observe(in_phase(application, order, phase))
    assert judged(order, application) == (
        FAILED,
        f"the result of operation {ID} is not known: it was removed or replaced by another one (last seen: {last}); "
        "look at the Application, and sync it again",
        Action.NONE,
    )


def test_a_sync_that_a_window_blocks_is_withdrawn():
    application, order = recorded("manual_out_of_sync"), order_for()
    text = "Sync operation blocked by sync window"
    blocked = in_phase(application, order, "Running", text)
    # The controller says so at first of every new operation.
    assert judged(order, blocked, 5.0) == (WAIT, text, Action.NONE)
    assert judged(order, in_phase(application, order, "Running", "waiting"), 9.0)[1] == "syncing: waiting"
    assert judged(order, blocked, 5.1) == (WAIT, text, Action.TERMINATE)
    order.written(Action.TERMINATE)
    assert judged(order, in_phase(application, order, "Terminating", text), 6.0) == (WAIT, text, Action.NONE)
    assert judged(order, in_phase(application, order, "Failed", "Operation terminated")) == (
        FAILED,
        "cannot sync: blocked by sync window; the operation was withdrawn: sync when the window is open, or change "
        "AppProject.spec.syncWindows",
        Action.NONE,
    )
    assert order.made_way is False


def test_a_dry_run_ends_with_its_operation():
    application, order = recorded("manual_out_of_sync"), order_for(dry_run=True)
    assert judged(order, in_phase(application, order, "Succeeded")) == (READY, "", Action.NONE)
    assert (order.is_over, order.changed) == (False, False)


def test_without_a_wait_it_ends_when_the_operation_is_accepted():
    application, order = recorded("manual_out_of_sync"), order_for(wait=False)
    assert judged(order, accepted(application, order)) == (READY, "", Action.NONE)
    assert order.report() == {
        "started": True,
        "request_id": ID,
        "phase": "",
        "message": "",
        "synced_revisions": [],
        "resources": [],
        "failed_resources": [],
    }


@pytest.mark.parametrize(
    ("resource", "state", "reason"),
    [
        ({"group": "apps", "kind": "Deployment", "name": "rounds-a"}, READY, ""),
        ({"kind": "ConfigMap", "name": "rounds-a", "namespace": "rounds-a"}, READY, ""),
        (
            {"kind": "ConfigMap", "name": "rounds-a", "namespace": "other"},
            FAILED,
            "has no ConfigMap other/rounds-a in revision d4664373301aceedab721330c1b34207b5b75ccc: check resources",
        ),
    ],
)
def test_a_selected_resource_must_have_been_there(resource, state, reason):
    application = recorded("retrying")
    order = order_for(resources=(resource,), dry_run=True)
    result = application["status"]["operationState"]["syncResult"]
    found = judged(order, in_phase(application, order, "Succeeded", syncResult=result))
    assert found == (state, reason, Action.NONE)


def test_a_selected_resource_that_is_synced_need_not_be_in_the_result():
    """With ApplyOutOfSyncOnly=true Argo CD leaves it out, as an option of the Application, too."""
    resources = ({"kind": "ConfigMap", "name": "rounds-a"}, {"kind": "ConfigMap", "name": "other"})
    application = recorded("synced_healthy")
    application["spec"].setdefault("syncPolicy", {})["syncOptions"] = ["ApplyOutOfSyncOnly=true"]
    order = order_for(resources=resources, dry_run=True)
    state, reason, _action = judged(order, in_phase(application, order, "Succeeded", syncResult={"revision": "a" * 40}))
    assert (state, reason) == (FAILED, f"has no ConfigMap other in revision {'a' * 40}: check resources")


# --- with the wait ---------------------------------------------------------------------------------------------------


def decided(entry, options, now=1.0):
    moment = Moment(now, 0.0)
    entry.find(find(entry, options, Seen(), moment), now)
    entry.decide(decide(entry, options, {}, moment), now)
    return entry.verdict.state, entry.verdict.code, entry.decision.action


def test_after_the_operation_the_rules_of_the_wait_count_with_a_newer_status():
    order, options = order_for(), Options(request=Request())
    entry, application = Tracked("rounds-a", 0.0, order), reconciled_late("synced_healthy")
    entry.observe(application, unbroken=True)
    entry.barrier.proof = Proof.FRESH  # from before the operation
    assert decided(entry, options) == (WAIT, "resync", Action.SYNC)
    entry.observe(in_phase(application, order, "Running"), unbroken=True)
    assert decided(entry, options) == (WAIT, "syncing", Action.NONE)
    done = in_phase(application, order, "Succeeded", finishedAt="2026-11-24T17:00:01Z")
    entry.observe(done, unbroken=True)
    assert entry.barrier.proof is Proof.NONE
    assert decided(entry, options) == (WAIT, "refreshing", Action.REFRESH)
    entry.barrier.proof = Proof.FRESH
    assert decided(entry, options) == (READY, "ready", Action.NONE)
    assert (entry.changed, entry.resyncs) == (True, 0)


def test_what_depends_on_the_status_waits_for_a_fresh_one():
    order, options = order_for(only_out_of_sync=True), Options(request=Request())
    entry = Tracked("rounds-a", 0.0, order)
    entry.observe(reconciled_late("synced_healthy"), unbroken=True)
    assert decided(entry, options) == (WAIT, "refreshing", Action.REFRESH)
    entry.barrier.proof = Proof.FRESH
    assert decided(entry, options) == (WAIT, "skipped", Action.NONE)
    # The status is fresh already.
    assert decided(entry, options) == (READY, "ready", Action.NONE)
    assert entry.changed is False


def write(operations, entry):
    """Do what was decided, and return what became of it."""
    begun = operations.begin(entry)
    written = operations.send(begun)
    operations.end(entry, begun, written)
    return written


def test_a_request_whose_answer_is_lost_is_not_a_second_operation():
    """The API server has taken the first one; the second one has the same id and the version from before."""

    class Server:
        bodies: ClassVar[list] = []

        def request(self, _method, _path, body):
            self.bodies.append(body)
            if len(self.bodies) == 1:
                raise UnavailableError("no answer")
            return 409, {}

    order, options, application = order_for(), Options(request=Request()), recorded("manual_out_of_sync")
    entry, operations = Tracked("rounds-a", 0.0, order), Operations(Server(), "/applications", options, Counter())
    entry.observe(application, unbroken=True)
    assert decided(entry, options) == (WAIT, "resync", Action.SYNC)
    assert isinstance(write(operations, entry).error, UnavailableError)
    assert decided(entry, options) == (WAIT, "resync", Action.SYNC)
    assert write(operations, entry).error is None
    assert Server.bodies[0] == Server.bodies[1]
    assert Server.bodies[0]["metadata"]["resourceVersion"] == "7370"
    entry.observe(in_phase(application, order, "Running"), unbroken=True)
    assert decided(entry, options) == (WAIT, "syncing", Action.NONE)


def test_a_controller_that_overlooks_the_end_of_an_operation_is_woken():
    """After a restart it goes on with an operation only at the next change of the Application."""
    application = recorded("retrying")
    application["status"]["operationState"]["phase"] = "Terminating"
    entry, options = Tracked("rounds-a", 0.0, order_for("terminate")), Options(request=Request())
    entry.observe(application, unbroken=True)
    assert decided(entry, options, 1.0) == (WAIT, "terminating", Action.NONE)
    assert decided(entry, options, 5.9) == (WAIT, "terminating", Action.NONE)
    assert decided(entry, options, 6.0) == (WAIT, "terminating", Action.REFRESH)
    entry.barrier.ask(6.0)
    assert decided(entry, options, 10.9) == (WAIT, "terminating", Action.NONE)
    assert decided(entry, options, 11.0) == (WAIT, "terminating", Action.REFRESH)
    # Another one that is only waited for is nobody's business.
    entry = Tracked("rounds-a", 0.0, order_for("wait"))
    entry.observe(application, unbroken=True)
    decided(entry, options, 1.0)
    assert decided(entry, options, 100.0) == (WAIT, "conflict", Action.NONE)
