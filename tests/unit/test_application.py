# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a status counts as newer than the question, and what is written."""

from __future__ import annotations

import copy
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.decision import (
    Moment,
    find,
    is_untouched,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import CONTROLLER
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import Failure
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Proof
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import INSTEAD_OF_SELF_HEAL
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import (
    Operations,
    sync_operation,
    terminate_operation,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import selection
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    REFRESH,
    SKIP,
    STAMP,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Evidence,
    Options,
    Request,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked, version_of
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import ERROR_ROUNDS
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter, result
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding

from .test_verdict import recorded


def version(number, **annotations):
    return {"metadata": {"name": "a", "resourceVersion": str(number), "annotations": annotations}}


def asked(number=10):
    """Return an Application right after our refresh request, as the answer of the API server shows it."""
    entry = Tracked("a", 0.0)
    ask(entry, "U", number)
    return entry


def ask(entry, stamp, number):
    """Request a refresh with a certain timestamp."""
    answer = version(number, **{REFRESH: "normal", STAMP: stamp})
    entry.barrier.stamp = stamp
    entry.barrier.write(answer)
    entry.barrier.ask(0.0)
    entry.observe(answer, unbroken=True)


def test_both_annotations_gone_in_one_event_prove_a_fresh_status():
    entry = asked()
    assert not entry.barrier.is_fresh
    entry.observe(version(11, **{REFRESH: "normal", STAMP: "U"}), unbroken=True)
    assert not entry.barrier.is_fresh
    entry.observe(version(12), unbroken=True)
    assert entry.barrier.is_fresh


def test_a_version_from_before_the_request_says_nothing():
    entry = asked(10)
    entry.observe(version(9), unbroken=True)
    assert entry.barrier.proof is Proof.ASKED


def test_a_timestamp_that_stays_proves_nothing():
    """An older reconcile, or Argo CD before 3.6, took the request away."""
    entry = asked()
    entry.observe(version(11, **{STAMP: "U"}), unbroken=True)
    assert entry.barrier.proof is Proof.DOUBTFUL


def test_a_timestamp_that_was_stripped_proves_nothing():
    """An ApplicationSet controller may remove the timestamp before the reconcile."""
    entry = asked()
    entry.observe(version(11, **{REFRESH: "normal"}), unbroken=True)
    entry.observe(version(12), unbroken=True)
    assert entry.barrier.proof is Proof.DOUBTFUL


def test_a_list_after_a_gap_proves_nothing():
    entry = asked()
    entry.observe(version(12), unbroken=False)
    assert entry.barrier.proof is Proof.DOUBTFUL


def test_the_answer_to_a_second_request_is_fresh_without_a_timestamp():
    entry = asked()
    entry.observe(version(11, **{REFRESH: "normal"}), unbroken=True)
    entry.observe(version(12), unbroken=True)
    ask(entry, "V", 13)
    entry.observe(version(14, **{REFRESH: "normal"}), unbroken=True)
    assert not entry.barrier.is_fresh
    entry.observe(version(15), unbroken=False)
    assert entry.barrier.is_fresh


def test_an_application_that_is_made_anew_starts_over():
    entry = asked()
    entry.observe(version(11), unbroken=True)
    assert entry.barrier.is_fresh
    entry.observe(None, unbroken=True)
    assert entry.barrier.proof is Proof.NONE


def test_an_application_that_was_made_anew_in_a_gap_starts_over():
    entry = asked()
    entry.observe(version(11), unbroken=True)
    entry.live["deleting"] = ("Cluster a (finalizer b)",)
    made_anew = version(20)
    made_anew["metadata"]["uid"] = "another"
    entry.observe(made_anew, unbroken=False)
    assert (entry.barrier.proof, entry.live) == (Proof.NONE, {})


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
        # Argo CD removes the state of the last operation when it begins another one.
        with_operation(1, "new", running=True) | {"status": {"sync": {"revision": "new"}}},
    ):
        entry = Tracked("a", 0.0)
        entry.observe(item, unbroken=True)
        assert entry.overtaking == ()


def test_a_sync_is_remembered_until_something_is_corrected():
    def ended(number, heals=0, instead=False):
        item = with_operation(number, "new", heals, finished=f"2026-11-26T17:00:0{number}Z")
        if instead:
            item["status"]["operationState"]["operation"]["info"] = [INSTEAD_OF_SELF_HEAL]
        return item

    entry = Tracked("a", 0.0)
    entry.observe(ended(1), unbroken=False)
    assert entry.synced == ("new",)
    # Argo CD removes the state of the last operation when it begins another one.
    entry.observe(version(2) | {"status": {"sync": {"revision": "new"}}, "operation": {"sync": {}}}, unbroken=True)
    entry.observe(ended(3, heals=1), unbroken=True)
    assert entry.synced == ("new",)
    for correction in (ended(4, heals=2), ended(4, instead=True)):
        other = copy.deepcopy(entry)
        other.observe(correction, unbroken=True)
        assert other.synced == ()
        other.observe(ended(5, heals=1), unbroken=True)
        assert other.synced == ()
    entry.observe(ended(4, heals=1), unbroken=False)
    assert entry.synced == ()


def test_the_quiet_time_begins_when_the_end_of_an_operation_is_seen():
    entry = Tracked("a", 0.0)
    entry.observe(with_operation(1, "new", heals=1, finished="2026-11-26T17:00:00Z"), unbroken=True)
    seen_at = entry.finished_at
    assert seen_at > 0
    entry.observe(with_operation(2, "new", heals=1, finished="2026-11-26T17:00:00Z"), unbroken=True)
    assert entry.finished_at == seen_at
    entry.observe(with_operation(3, "new", heals=2, finished="2026-11-26T17:00:05Z"), unbroken=True)
    assert entry.finished_at > seen_at


def judge(waiter, now):
    """Have everything judged: these tests change what has been observed."""
    waiter.board.changed = dict.fromkeys(waiter.tracked)
    waiter._judge(now)


def waiter_of(application, **options):
    waiter = Waiter(None, "argocd", Options(request=Request(allow_degraded_seconds=5), **options), bool, ["a"])
    entry = waiter.tracked["a"]
    entry.application, entry.barrier.proof = application, Proof.FRESH
    return waiter, entry


def test_a_shared_object_stays_a_failure_until_the_application_is_ready_or_at_another_revision():
    def shared():
        application = yaml.safe_load((Path(__file__).parent / "fixtures" / "shared_b.yaml").read_text())
        application["metadata"]["name"] = "a"
        waiter, entry = waiter_of(application)
        judge(waiter, 100.0)
        entry.error_rounds = ERROR_ROUNDS
        judge(waiter, 101.0)
        assert (entry.verdict.state, entry.verdict.code) == (FAILED, "shared")
        application["operation"] = {"sync": {}}
        return waiter, entry, application

    waiter, entry, _application = shared()
    judge(waiter, 102.0)
    assert (entry.verdict.state, entry.verdict.code) == (FAILED, "shared")
    waiter, entry, application = shared()
    application["status"]["sync"]["revision"] = "f" * 40
    judge(waiter, 102.0)
    assert (entry.verdict.state, entry.verdict.code) == (WAIT, "starting")
    waiter, entry, application = shared()
    del application["operation"], application["status"]["conditions"]
    application["status"]["sync"]["status"] = "Synced"
    entry.finished_at = 0.0
    judge(waiter, 102.0)
    assert entry.verdict.state == READY


def test_a_reason_that_is_new_has_not_lasted_as_long_as_the_one_before():
    status = {"sync": {"status": "Synced"}, "health": {"status": "Progressing"}}
    waiter, entry = waiter_of(version(1) | {"status": status})
    judge(waiter, 100.0)
    assert entry.verdict.code == "health"
    status["health"]["status"] = "Degraded"
    judge(waiter, 200.0)
    assert (entry.verdict.state, entry.verdict.code) == (WAIT, "degraded")
    judge(waiter, 204.0)
    assert entry.verdict.state == WAIT
    judge(waiter, 206.0)
    assert entry.verdict.state == FAILED


def test_an_application_that_is_being_deleted_is_neither_refreshed_nor_synced():
    application = with_operation(1, "new") | {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    application["metadata"]["deletionTimestamp"] = "2026-11-26T17:00:00Z"
    application["status"]["operationState"]["phase"] = "Succeeded"
    application["status"]["sync"]["status"] = "OutOfSync"
    waiter, entry = waiter_of(application, resync_failed=True, sync_manual=True)
    for now in (100.0, 200.0):
        for entry.barrier.proof in (Proof.FRESH, Proof.NONE):
            judge(waiter, now)
            assert (entry.verdict.code, entry.decision.action) == ("deleting", Action.NONE)


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
    waiter.findings.api = Objects()
    for now in (waiter.started, waiter.started + 4, waiter.started + 6):
        judge(waiter, now)
        waiter.findings.read(entry, now)
        while waiter.findings.reading:
            time.sleep(0.01)
    assert waiter.requests["read"] == 2
    words = "is being deleted (since 2026-11-26T17:00:00Z); held by ConfigMap b/c (finalizer example.org/keep)"
    judge(waiter, waiter.started + 7)
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
    operations = Operations(None, "", Options(request=Request(), sync_manual=True), Counter())
    assert operations._resync(automated)["operation"]["sync"] == {"prune": False}
    assert operations._resync(version(7) | {"spec": {}})["operation"]["sync"] == {"prune": True}


def test_what_a_change_does_not_touch_is_not_waited_for_as_long():
    depends_on = {"kafka-ui": ["kafka"], "kafka": ["strimzi"], "maildev": ["gateway"], "strimzi": [], "gateway": []}
    options = Options(request=Request(), touched=["strimzi"], depends_on=depends_on)
    assert [name for name in depends_on if is_untouched(name, options)] == ["maildev", "gateway"]
    options.touched = None
    assert [name for name in depends_on if is_untouched(name, options)] == []


def status_of_kind(health="Healthy", sync="Synced", phase="Succeeded", revision="new"):
    """Return an Application that automated sync with self-heal last synced to `revision`."""
    application = with_operation(1, revision)
    application["status"]["operationState"]["phase"] = phase
    application["status"]["sync"]["status"] = sync
    application["status"]["health"] = {"status": health}
    application["spec"] = {"syncPolicy": {"automated": {"selfHeal": True}}}
    return application


class Nothing:
    """An API server without objects."""

    def request(self, *_args):
        return 404, {}


def waiter_of_several(applications, **options):
    waiter = Waiter(Nothing(), "argocd", Options(request=Request(), **options), bool, list(applications))
    for name, application in applications.items():
        application["metadata"]["name"] = name
        waiter.tracked[name].application, waiter.tracked[name].barrier.proof = application, Proof.FRESH
    return waiter


def states(waiter):
    return {name: (entry.verdict.state, entry.verdict.code) for name, entry in waiter.tracked.items()}


def test_a_wait_for_stable_applications_ends_although_they_become_ready_at_different_moments():
    late = status_of_kind("Progressing")
    waiter = waiter_of_several({"a": status_of_kind(), "b": late}, stable_for=3)
    judge(waiter, 100.0)
    assert states(waiter) == {"a": (WAIT, "settling"), "b": (WAIT, "health")}
    late["status"]["health"]["status"] = "Healthy"
    for now in (101.1, 102.9):
        judge(waiter, now)
        assert states(waiter) == {"a": (WAIT, "settling"), "b": (WAIT, "settling")}
    judge(waiter, 103.0)
    assert states(waiter) == {"a": (READY, "ready"), "b": (WAIT, "settling")}
    for now in (103.2, 104.0):
        judge(waiter, now)
        assert states(waiter) == {"a": (READY, "ready"), "b": (WAIT, "settling")}
    judge(waiter, 104.2)
    assert states(waiter) == {"a": (READY, "ready"), "b": (READY, "ready")}
    assert [entry.ready_at for entry in waiter.tracked.values()] == [103.0, 104.2]


def test_an_application_that_does_not_stay_ready_settles_again():
    application = status_of_kind()
    waiter = waiter_of_several({"a": application}, stable_for=3)
    for now, health, state in ((100, "Healthy", WAIT), (102, "Progressing", WAIT), (103.5, "Healthy", WAIT)):
        application["status"]["health"]["status"] = health
        judge(waiter, now)
        assert waiter.tracked["a"].verdict.state == state
    judge(waiter, 106.4)
    assert states(waiter) == {"a": (WAIT, "settling")}
    judge(waiter, 106.6)
    assert states(waiter) == {"a": (READY, "ready")}


@pytest.mark.parametrize(("took", "held"), [(0.1, 0.3), (2.0, 2.0), (60.0, 5.0)])
def test_an_answer_must_stay_true_for_as_long_as_the_controller_took(took, held):
    """A busy controller sees a change as late as it answers."""
    application = status_of_kind()
    waiter, entry = waiter_of(application)
    entry.barrier.reset()
    asked = time.monotonic() - took
    entry.barrier.proof, entry.barrier.turn_at = Proof.NONE, asked - 1
    entry.barrier.ask(asked)
    entry.barrier.proof = Proof.ASKED_AGAIN
    entry.observe(application, unbroken=True)
    answered = entry.barrier.answered_at
    judge(waiter, answered)
    assert states(waiter) == {"a": (WAIT, "settling")}
    judge(waiter, answered + held - 0.05)
    assert states(waiter) == {"a": (WAIT, "settling")}
    judge(waiter, answered + held + 0.05)
    assert states(waiter) == {"a": (READY, "ready")}


class Refusing:
    """An API server on which somebody else always changes an Application first."""

    def __init__(self):
        self.requests = []

    def request(self, method, path, body=None):
        self.requests.append((method, path, body))
        return 409, {"message": "the object has been modified"}


class Annotated:
    """An API server with one Application, which answers every change with the next version; some get no answer."""

    def __init__(self, lost=()):
        self.application, self.lost, self.requests, self.versions = status_of_kind(), lost, [], []

    def annotate(self, _path, body):
        self.requests.append(body["metadata"]["annotations"])
        if len(self.requests) in self.lost:
            raise UnavailableError("the API server does not answer")
        metadata = self.application["metadata"]
        given = metadata["annotations"] | self.requests[-1]
        annotations = {key: value for key, value in given.items() if value is not None}
        number = str(int(metadata["resourceVersion"]) + 1)
        self.application = self.application | {
            "metadata": metadata | {"annotations": annotations, "resourceVersion": number}
        }
        self.versions.append(self.application)
        return 200, {"metadata": self.application["metadata"]}


def waiter_that_asked(lost=(), name="a"):
    """Return a wait that has requested a refresh, and its API server."""
    waiter, api = waiter_of_several({name: status_of_kind()}), Annotated(lost)
    waiter.operations.api, entry = api, waiter.tracked[name]
    entry.barrier.reset()
    act(waiter, waiter.started)
    return waiter, api, entry


def act(waiter, now):
    """Decide, do what was decided, and see what became of it."""
    judge(waiter, now)
    waiter._act(now)
    while waiter.in_flight:
        waiter._receive()


def test_a_request_that_is_not_answered_is_made_again_and_keeps_its_timestamp():
    waiter, api, entry = waiter_that_asked()
    stamp, asked_at = entry.barrier.stamp, entry.barrier.asked_at
    act(waiter, asked_at + 4.9)
    assert api.requests == [{REFRESH: "normal", STAMP: stamp}]
    act(waiter, asked_at + 5.1)
    assert api.requests[1:] == [{REFRESH: None}, {REFRESH: "normal", STAMP: stamp}]
    assert (entry.barrier.is_pending, entry.barrier.stamp, entry.barrier.asked_at) == (True, stamp, asked_at)
    act(waiter, entry.refreshed_at + 9.9)
    assert len(api.requests) == 3
    act(waiter, entry.refreshed_at + 10.1)
    assert api.requests[3:] == [{REFRESH: None}, {REFRESH: "normal", STAMP: stamp}]
    assert (entry.total_refreshes, entry.refreshes) == (3, 1)


def test_taking_a_request_back_is_not_an_answer():
    waiter, api, entry = waiter_that_asked()
    act(waiter, entry.barrier.asked_at + 6)
    for item in api.versions:
        entry.observe(item, unbroken=True)
    assert entry.barrier.proof is Proof.ASKED


def test_a_request_that_was_taken_back_and_could_not_be_made_again_proves_nothing():
    waiter, api, entry = waiter_that_asked(lost=(3,))
    stamp = entry.barrier.stamp
    act(waiter, entry.barrier.asked_at + 6)
    for item in api.versions:
        entry.observe(item, unbroken=True)
    assert entry.barrier.proof is Proof.NONE
    waiter.unavailable = ""
    act(waiter, entry.barrier.asked_at + 7)
    assert entry.barrier.proof is Proof.ASKED
    assert api.requests[-1] == {REFRESH: "normal", STAMP: entry.barrier.stamp}
    assert entry.barrier.stamp != stamp


def test_an_operation_that_does_not_start_is_brought_to_mind():
    """The controller overlooks an operation for the same reason as a refresh; any change of the Application helps."""
    application = status_of_kind(phase="")
    application["operation"] = {"sync": {}}
    waiter = waiter_of_several({"a": application})
    waiter.operations.api, entry = Annotated(), waiter.tracked["a"]
    judge(waiter, 100.0)
    assert (entry.verdict.code, entry.verdict.reason) == ("starting", "syncing: starting")
    for now, requests in ((104.9, 0), (105.1, 1)):
        act(waiter, now)
        assert len(waiter.operations.api.requests) == requests
    application["status"]["operationState"]["phase"] = "Running"
    entry.application, entry.barrier.proof = application, Proof.FRESH
    act(waiter, 300.0)
    act(waiter, 400.0)
    assert (entry.verdict.code, len(waiter.operations.api.requests)) == ("syncing", 1)


def test_a_refused_sync_is_tried_again_without_waiting_for_the_drift_to_last_anew():
    waiter = waiter_of_several({"a": status_of_kind(sync="OutOfSync")}, resync_failed=True)
    waiter.operations.api, entry = Refusing(), waiter.tracked["a"]
    judge(waiter, 100.0)
    entry.refreshed_at = 200.0  # no refresh in between
    assert states(waiter) == {"a": (WAIT, "drift")}
    for attempts, now in enumerate((105.5, 106.6, 107.7), start=1):
        act(waiter, now)
        entry.refused = (version_of(entry.application), now)  # by the clock of this test
        act(waiter, now + 0.9)  # the same version would be refused again
        assert states(waiter) == {"a": (WAIT, "resync")}
        assert (len(waiter.operations.api.requests), entry.since, entry.resyncs) == (attempts, 100.0, 0)


def test_after_a_conflict_a_newer_version_is_written_at_once():
    waiter = waiter_of_several({"a": status_of_kind(sync="OutOfSync")}, resync_failed=True)
    waiter.operations.api, entry = Refusing(), waiter.tracked["a"]
    judge(waiter, 100.0)
    entry.refreshed_at = 200.0  # no refresh in between
    act(waiter, 105.5)
    entry.refused = ("older", 105.5)
    act(waiter, 105.7)
    assert len(waiter.operations.api.requests) == 2


def test_what_a_dependency_needs_is_decided_before_what_depends_on_it():
    """The dependency is synced again, so its failure is none yet, in whatever order the two are known."""
    failed = {"kafka-ui": status_of_kind(phase="Failed"), "kafka": status_of_kind(phase="Failed")}
    for order in (failed, dict(reversed(failed.items()))):
        waiter = waiter_of_several(order, resync_failed=True, fail_fast=True, depends_on={"kafka-ui": ["kafka"]})
        judge(waiter, 100.0)
        assert states(waiter) == {"kafka-ui": (WAIT, "sync-failed"), "kafka": (WAIT, "resync")}
        assert not waiter._done(100.0)
        waiter.tracked["kafka"].resyncs = waiter.options.resync_limit
        judge(waiter, 101.0)
        assert states(waiter) == {"kafka-ui": (FAILED, "dependency"), "kafka": (FAILED, "sync-failed")}
        assert waiter._done(101.0)


def test_a_cycle_of_dependencies_is_decided_too():
    failed = {"a": status_of_kind(phase="Failed"), "b": status_of_kind(phase="Failed")}
    waiter = waiter_of_several(failed, resync_failed=True, depends_on={"a": ["b"], "b": ["a"]})
    judge(waiter, 100.0)
    assert {state for state, _code in states(waiter).values()} == {FAILED}


def test_an_application_that_vanishes_has_the_whole_grace_to_come_back():
    waiter = waiter_of_several({"a": status_of_kind()}, fail_fast=True)
    judge(waiter, 100.0)
    waiter.tracked["a"].observe(None, unbroken=True)
    for now, state in ((200.0, WAIT), (209.0, WAIT), (210.5, FAILED)):
        judge(waiter, now)
        assert states(waiter) == {"a": (state, "not-found")}


def test_what_was_not_touched_says_so_and_keeps_its_reason():
    application = status_of_kind("Progressing")
    waiter = waiter_of_several({"a": application}, touched=["b"], untouched_timeout=20)
    for late in (0, 21, 22):
        judge(waiter, waiter.started + late)
    reason = "Progressing: no resource says why (not touched by this commit; gave up after 20 s)"
    assert (waiter.tracked["a"].verdict.state, waiter.tracked["a"].verdict.reason) == (FAILED, reason)
    application["status"]["health"]["status"] = "Healthy"
    judge(waiter, waiter.started + 23)
    assert states(waiter) == {"a": (READY, "ready")}


def test_a_termination_is_locked_to_the_version_that_was_judged():
    begun = version(7) | {"operation": {}, "status": {"operationState": {"phase": "Running"}}}
    assert terminate_operation(begun) == {
        "metadata": {"resourceVersion": "7"},
        "status": {"operationState": {"phase": "Terminating"}},
    }


def test_an_operation_that_has_not_begun_is_withdrawn():
    finished = version(7) | {"operation": {}, "status": {"operationState": {"phase": "Succeeded"}}}
    assert terminate_operation(finished) == {"metadata": {"resourceVersion": "7"}, "operation": None}


def test_selection_by_name_by_owner_and_by_label():
    child = version(1)
    child["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": "infra"}]
    assert selection(["a"], [], labelled=False)(version(1))
    assert not selection(["b"], [], labelled=True)(version(1))
    assert selection([], ["infra"], labelled=False)(child)
    assert not selection([], ["services"], labelled=False)(child)
    assert selection([], [], labelled=True)(version(1))


def decided(**options):
    """Return a wait for one Application whose refresh nobody answers."""
    waiter = waiter_of_several({"a": status_of_kind()}, refresh_timeout=60, **options)
    entry = waiter.tracked["a"]
    entry.barrier.reset()
    waiter.board.update(entry, lambda: entry.barrier.ask(100.0))
    return waiter, entry


SILENT = "refresh requested 61 s ago; the application controller has not answered yet"


def test_a_silent_controller_is_a_failure_only_where_it_has_no_pod():
    waiter, entry = decided()

    def told(now, *evidence):
        waiter.inquiry.known = dict.fromkeys([CONTROLLER], *evidence) if evidence else {}
        judge(waiter, now)
        return entry.verdict.state, entry.verdict.reason

    stopped = "StatefulSet argocd/argocd-application-controller"
    unknown = "for no known reason: is it running, and does it serve this namespace and shard?"
    assert told(161.0) == (WAIT, f"{SILENT}, {unknown}")
    assert told(161.0, Evidence()) == (
        WAIT,
        f"{SILENT}, although its pod is ready: it is busy, or does not serve this namespace or shard",
    )
    gone = Evidence(f"{stopped} has no ready pod")
    assert told(159.0, gone) == (WAIT, f"{SILENT.replace('61', '59')}: {gone.text}")
    assert told(161.0, gone) == (
        FAILED,
        f"the application controller did not process a refresh within 61 s: {gone.text}",
    )
    scaled = Evidence(f"{stopped} is scaled to 0", final=True)
    assert told(104.0, scaled)[0] == WAIT
    assert told(106.0, scaled) == (
        FAILED,
        f"the application controller did not process a refresh within 6 s: {scaled.text}",
    )


def test_an_application_that_the_controller_ignores_is_named_at_once():
    waiter, entry = decided()
    entry.application["metadata"] |= {"annotations": {SKIP: "true"}, "namespace": "argocd"}
    entry.barrier.reset()
    judge(waiter, 100.0)
    assert (entry.verdict.state, entry.verdict.code, entry.decision.action) == (FAILED, "skip-reconcile", Action.NONE)
    assert entry.verdict.reason == (
        "has the annotation argocd.argoproj.io/skip-reconcile, so the application controller ignores it: remove the "
        "annotation"
    )
    assert entry.verdict.next_step == ("kubectl annotate application a -n argocd argocd.argoproj.io/skip-reconcile-")
    waiter.options.refresh = "none"
    judge(waiter, 101.0)
    assert entry.verdict.state == READY


def test_what_depends_on_a_failed_application_fails_with_it_at_once():
    late = status_of_kind("Progressing")
    waiter = waiter_of_several(
        {"a": status_of_kind(phase="Failed"), "b": late, "c": status_of_kind(), "d": status_of_kind("Progressing")},
        depends_on={"b": ["a"], "c": ["a"], "d": ["b"]},
    )
    judge(waiter, 100.0)
    assert states(waiter) == {
        "a": (FAILED, "sync-failed"),
        "b": (FAILED, "dependency"),
        "c": (READY, "ready"),
        "d": (FAILED, "dependency"),
    }
    assert waiter._done(100.0)
    assert waiter.tracked["b"].verdict.reason == "its dependency a failed; Progressing: no resource says why"
    # It may become ready in the next moment.
    waiter.tracked["b"].barrier.reset()
    judge(waiter, 101.0)
    assert states(waiter)["b"] == (WAIT, "refreshing")


def with_error(message):
    application = status_of_kind(sync="Unknown")
    application["status"]["conditions"] = [{"type": "ComparisonError", "message": message}]
    return application


def test_an_error_is_not_final_while_a_dependency_is_outstanding():
    late = status_of_kind("Progressing")
    final = "application repo x is not permitted in project 'y'"
    waiter = waiter_of_several({"a": late, "b": with_error(final)}, depends_on={"b": ["a"]})
    entry = waiter.tracked["b"]
    for now in (100.0, 101.0):
        entry.error_rounds = 9
        judge(waiter, now)
        assert states(waiter)["b"] == (WAIT, "error")
    assert entry.verdict.reason == f"waits for a; ComparisonError: {final}"
    late["status"]["health"]["status"] = "Healthy"
    judge(waiter, 102.0)
    # What was confirmed before says nothing.
    assert (states(waiter)["b"], entry.error_rounds) == ((WAIT, "error"), 0)
    entry.error_rounds = 1
    judge(waiter, 103.0)
    assert states(waiter)["b"] == (FAILED, "error")


def test_another_error_was_not_confirmed_by_the_one_before():
    application = with_error("rpc error: code = Unavailable desc = connection error")
    waiter = waiter_of_several({"a": application})
    judge(waiter, 100.0)
    entry = waiter.tracked["a"]
    entry.error_rounds = 9
    application["status"]["conditions"][0]["message"] = "resource :Secret is not permitted in project a"
    judge(waiter, 101.0)
    assert (states(waiter)["a"], entry.error_rounds, entry.since) == ((WAIT, "error"), 0, 100.0)
    entry.error_rounds = 1
    judge(waiter, 102.0)
    assert states(waiter)["a"] == (FAILED, "error")


THERE = {"metadata": {"name": "a", "namespace": "argocd"}}


@pytest.mark.parametrize("code", [code for code in Code if code != Code.NOT_FOUND])
def test_all_that_is_not_ready_says_since_when(code):
    entry = Tracked("a", time.monotonic() - 60)
    entry.application, entry.decision = THERE, Decision(Verdict(FAILED, code, "no"), Action.NONE)
    seen = datetime.fromisoformat(result(entry, "argocd", 0.0)["since"])
    assert abs((datetime.now(UTC) - seen).total_seconds() - 60) < 30
    # The clock of the cluster knows better.
    entry.decision = Decision(Verdict(FAILED, code, "no", "2026-11-27T10:00:00Z"), Action.NONE)
    assert result(entry, "argocd", 0.0)["since"] == "2026-11-27T10:00:00Z"


def test_what_is_ready_or_not_there_says_no_time():
    entry = Tracked("a", time.monotonic())
    assert result(entry, "argocd", 0.0)["since"] == ""
    entry.application, entry.decision = THERE, Decision(Verdict(READY, Code.READY), Action.NONE)
    assert result(entry, "argocd", 0.0)["since"] == ""


REFUSED = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unavailable desc = "
    'connection error: desc = "transport: Error while dialing: dial tcp 10.96.41.7:8081: connect: connection refused"'
)
GIT_REFUSED = "rpc error: code = Unknown desc = failed to list refs: dial tcp 10.0.0.1:443: connect: connection refused"


@pytest.mark.parametrize(("message", "state"), [(REFUSED, FAILED), (GIT_REFUSED, WAIT)])
def test_a_repo_server_that_refuses_connections_for_a_minute_is_a_failure_also_without_evidence(message, state):
    application = with_error(message)
    waiter = waiter_of_several({"a": application})
    entry = waiter.tracked["a"]
    judge(waiter, 100.0)
    for now, confirmed in ((159.0, 159.0), (175.0, 159.0)):  # nobody has asked again since
        entry.confirmed_at = confirmed
        judge(waiter, now)
        assert states(waiter)["a"] == (WAIT, "error")
    entry.confirmed_at = 175.0
    judge(waiter, 175.0)
    assert states(waiter)["a"] == (state, "error")
    application["status"]["conditions"] = []
    judge(waiter, 176.0)
    application["status"]["conditions"] = [{"type": "ComparisonError", "message": message}]
    judge(waiter, 177.0)
    entry.confirmed_at = 180.0
    judge(waiter, 180.0)
    assert states(waiter)["a"] == (WAIT, "error")


def test_a_cause_is_final_since_it_is_known():
    application = status_of_kind("Progressing")
    waiter = waiter_of_several({"a": application})
    entry = waiter.tracked["a"]
    waiter._judge(100.0)
    entry.live[Code.HEALTH] = (Finding("Deployment a/b: InvalidImageName", final=True),)
    for now, state in ((200.0, WAIT), (204.0, WAIT), (205.5, FAILED)):
        entry.find(find(entry, waiter.options, Seen(), Moment(now, 0.0)), now)
        assert entry.found.state == state
    entry.live[Code.HEALTH] = ()
    entry.find(find(entry, waiter.options, Seen(), Moment(206.0, 0.0)), 206.0)
    assert (entry.found.state, entry.final_since) == (WAIT, None)


def test_a_sync_that_can_only_fail_is_not_started_again():
    application = status_of_kind(phase="Failed")
    waiter = waiter_of_several({"a": application}, resync_failed=True)
    entry = waiter.tracked["a"]
    judge(waiter, 100.0)
    assert states(waiter)["a"] == (WAIT, "resync")
    entry.failures.last = Failure(("new",), ('Service a/b: Service "b" is invalid: no',), 2)
    judge(waiter, 101.0)
    assert (states(waiter)["a"], entry.decision.action) == ((FAILED, "rejected"), Action.NONE)


def test_a_refresh_is_content_with_a_fresh_status_of_any_kind():
    waiter = Waiter(None, "argocd", Options(request=None), bool, ["rounds-a"])
    entry, started = waiter.tracked["rounds-a"], waiter.started
    entry.observe(recorded("comparison_error"), unbroken=True)
    judge(waiter, started)
    assert (states(waiter), entry.decision.action) == ({"rounds-a": (WAIT, "refreshing")}, Action.REFRESH)
    entry.barrier.proof = Proof.FRESH
    judge(waiter, started)
    assert states(waiter) == {"rounds-a": (READY, "ready")}
    entry.observe(recorded("deleting"), unbroken=True)
    judge(waiter, started)
    assert states(waiter) == {"rounds-a": (FAILED, "deleting")}
