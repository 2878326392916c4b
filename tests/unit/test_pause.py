# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written when Applications are paused and resumed, and when a record does not fit any more."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import writing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.decision import Moment, decide, find
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.freshness import Proof
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import (
    new_record,
    pause_text,
    policy_patch,
    records_of,
    standing,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pausing import Pauses, plan_pause, plan_resume
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Options,
    Request,
    Seen,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

from .model.cluster import merged
from .test_verdict import reconciled_late

SINCE = "2026-11-27T03:00:00Z"
BEFORE = {"prune": True, "selfHeal": True}
OFF = BEFORE | {"enabled": False}
TEXT = f"paused since {SINCE} by anna (moving)"


def application(name="web", automated=(), uid="1"):
    policy = BEFORE if automated == () else automated
    spec = {"syncPolicy": {"automated": policy} if policy is not None else {}}
    return {"metadata": {"name": name, "namespace": "argocd", "uid": uid, "resourceVersion": "7"}, "spec": spec}


def record(item=None, **other):
    return new_record(item or application(), "anna", SINCE, "moving") | other


def pausing(*items, **records):
    return plan_pause(list(items), records, record)


def test_a_pause_keeps_the_policy_and_switches_it_off():
    plan = pausing(application())
    assert policy_patch(*plan.policies["web"]) == {"syncPolicy": {"automated": OFF}}
    assert plan.records == {
        "web": {
            "uid": "1",
            "by": "anna",
            "since": SINCE,
            "reason": "moving",
            "applicationset": "",
            "automated": BEFORE,
        }
    }
    assert (plan.results["web"]["paused"], plan.results["web"]["changed"]) == (True, True)


def test_a_second_pause_changes_nothing_and_keeps_the_first_record():
    plan = pausing(application(automated=OFF), web=record(by="berta"))
    assert (plan.policies, plan.records) == ({}, {})
    assert (plan.results["web"]["by"], plan.results["web"]["changed"]) == ("berta", False)


def test_what_somebody_resumed_by_hand_is_paused_anew():
    plan = pausing(application(automated={"prune": False}), web=record(by="berta"))
    assert (plan.records["web"]["by"], plan.records["web"]["automated"]) == ("anna", {"prune": False})


@pytest.mark.parametrize("automated", [None, OFF])
def test_without_automated_sync_there_is_nothing_to_pause(automated):
    plan = pausing(application(automated=automated))
    assert (plan.policies, plan.records) == ({}, {})
    found = plan.results["web"]
    assert (found["paused"], found["changed"], found["message"]) == (False, False, "automated sync was off before")


def test_the_record_of_an_earlier_application_goes():
    plan = pausing(application(automated=None, uid="2"), web=record())
    assert (plan.policies, plan.records, plan.results["web"]["paused"]) == ({}, {"web": None}, False)


def test_what_is_being_deleted_is_left_alone():
    item = application()
    item["metadata"]["deletionTimestamp"] = SINCE
    plan = pausing(item)
    assert (plan.policies, plan.records, plan.results["web"]["message"]) == ({}, {}, "is being deleted")


@pytest.mark.parametrize(
    ("before", "now", "written"),
    [
        (BEFORE, OFF, BEFORE | {"enabled": None}),
        (BEFORE, None, BEFORE),
        ({}, {"enabled": False}, {"enabled": None}),
        ({"enabled": True}, {"enabled": False, "prune": True}, {"enabled": True, "prune": None}),
    ],
)
def test_a_resume_restores_exactly_the_policy_before(before, now, written):
    item = application(automated=now)
    plan = plan_resume([item], {"web": record(automated=before)}, set())
    assert policy_patch(*plan.policies["web"]) == {"syncPolicy": {"automated": written}}
    assert (plan.records, plan.warnings) == ({"web": None}, [])


RECORDED = f"Application web is recorded as paused since {SINCE} by anna, but "


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (application(), "its automated sync was switched on again"),
        (application(automated=OFF, uid="2"), "it was deleted and recreated"),
        (None, "it does not exist any more"),
    ],
)
def test_a_record_that_does_not_fit_is_removed_with_a_warning(item, why):
    plan = plan_resume([item] if item else [], {"web": record()}, set())
    assert (plan.policies, plan.records, plan.warnings) == ({}, {"web": None}, [RECORDED + why])
    assert (plan.results["web"]["changed"], plan.results["web"]["message"]) == (True, why)
    assert standing({"web": record()}, [item] if item else []) == (
        {},
        [f"{RECORDED}{why}: resume it, which removes the record"],
    )


def test_what_was_not_paused_is_resumed_by_no_change():
    plan = plan_resume([application()], {}, set())
    assert (plan.policies, plan.records, plan.warnings) == ({}, {}, [])
    assert (plan.results["web"]["changed"], plan.results["web"]["message"]) == (False, "was not paused")


def test_a_pause_that_fits_is_described():
    paused = application(automated=OFF)
    assert standing({"web": record()}, [paused]) == ({"web": TEXT}, [])
    assert pause_text(record(reason=""), paused) == f"paused since {SINCE} by anna"
    assert pause_text(None, paused) == ""


def test_a_record_that_somebody_spoilt_is_named():
    with pytest.raises(GitopsError, match="ConfigMap gitops-paused has no readable record of Application web: remove"):
        records_of({"data": {"web": "{}"}})


class Cluster:
    """An API server with one Application and the ConfigMap; others may write in between."""

    def __init__(self, item, conflicts=()):
        self.item, self.config_map, self.conflicts, self.writes = item, None, list(conflicts), []

    def request(self, method, path, _query=None, body=None, **_more):
        if method == "GET":
            return (200, deepcopy(self.config_map)) if self.config_map else (404, {})
        self.writes.append(path.rpartition("/")[2])
        if self.writes[-1] in self.conflicts:
            self.conflicts.remove(self.writes[-1])
            return 409, {"message": "conflict"}
        if "applications" in path:
            self.item["spec"] = merged(self.item["spec"], body["spec"])
            return 200, self.item
        data = (self.config_map or {}).get("data", {}) | body["data"]
        kept = {name: text for name, text in data.items() if text is not None}
        self.config_map = {"metadata": {"resourceVersion": "1"}, "data": kept}
        return (200 if method == "PATCH" else 201), self.config_map


def pause(cluster, check=False, **who):
    pauses = Pauses(cluster, "argocd")

    def decide(records):
        return plan_pause([cluster.item], records, lambda item: record(item, **who))

    return pauses.carry_out(decide, True, check)


def resume(cluster):
    pauses = Pauses(cluster, "argocd")
    return pauses.carry_out(lambda records: plan_resume([cluster.item], records, pauses.done), False, False)


@pytest.mark.parametrize("conflicts", [[], ["configmaps"], ["web"], ["web", "web"]])
def test_the_record_is_there_before_the_pause(conflicts):
    cluster = Cluster(application(), conflicts)
    plan = pause(cluster)
    assert cluster.writes[0] == "configmaps"
    assert cluster.item["spec"]["syncPolicy"]["automated"] == OFF
    assert json.loads(cluster.config_map["data"]["web"])["automated"] == BEFORE
    assert (plan.results["web"]["changed"], plan.results["web"]["by"]) == (True, "anna")


@pytest.mark.parametrize("conflicts", [[], ["web"], ["gitops-paused"], ["gitops-paused", "gitops-paused"]])
def test_the_record_stays_until_the_application_is_resumed(conflicts):
    cluster = Cluster(application())
    pause(cluster)
    cluster.writes, cluster.conflicts = [], conflicts
    plan = resume(cluster)
    assert (cluster.writes[0], cluster.writes[-1]) == ("web", "gitops-paused")
    assert (cluster.item["spec"]["syncPolicy"]["automated"], cluster.config_map["data"]) == (BEFORE, {})
    assert (plan.warnings, plan.results["web"]["changed"], plan.results["web"]["message"]) == ([], True, "")


def test_check_mode_writes_nothing():
    cluster = Cluster(application())
    assert pause(cluster, check=True).results["web"]["changed"] is True
    assert cluster.writes == []


def test_what_somebody_else_paused_in_between_is_no_change_of_ours():
    cluster = Cluster(application(), ["configmaps"])
    answer = cluster.request

    def request(method, path, *args, **more):
        found = answer(method, path, *args, **more)
        if found[0] == 409:
            cluster.request = answer
            pause(cluster, by="berta")
        return found

    cluster.request = request
    result = pause(cluster).results["web"]
    assert (result["changed"], result["paused"], result["by"]) == (False, True, "berta")
    assert json.loads(cluster.config_map["data"]["web"])["by"] == "berta"


def test_an_endless_conflict_ends(monkeypatch):
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    cluster = Cluster(application(), ["configmaps"] * 9999)
    with pytest.raises(GitopsError) as caught:
        pause(cluster)
    assert str(caught.value) == (
        "ConfigMap gitops-paused or an Application was changed by somebody else at each attempt in 0.1 s: try again."
    )


def decided(item, allow=False, fresh=True, finished_at=0.0, **options):
    entry = Tracked(item["metadata"]["name"], 0.0)
    entry.finished_at = finished_at
    entry.application = item
    entry.barrier.proof = Proof.FRESH if fresh else Proof.ASKED
    records = {entry.name: record(uid=item["metadata"]["uid"])}
    found = Options(
        request=Request(), paused=records, allow_paused=allow, resync_failed=True, sync_manual=True, **options
    )
    moment = Moment(20.0, 0.0)
    entry.find(find(entry, found, Seen(), moment), 20.0)
    return decide(entry, found, {}, moment)


def paused_like(name):
    item = reconciled_late(name)
    item["spec"]["syncPolicy"] = {"automated": OFF}
    return item


def test_a_run_neither_waits_for_what_is_paused_nor_syncs_it():
    found = decided(paused_like("manual_out_of_sync"))
    assert (found.verdict.state, found.verdict.code, found.action) == (FAILED, "paused", Action.NONE)
    assert found.verdict.reason.startswith(f"{TEXT}; OutOfSync (")
    assert found.verdict.reason.endswith("): resume it, or allow it to be paused (on_paused)")


def test_what_cannot_go_on_without_automated_sync_is_neither_waited_for_nor_mended():
    found = decided(paused_like("sync_failed"))
    assert (found.verdict.state, found.verdict.code, found.action) == (FAILED, "paused", Action.NONE)


def test_a_rollout_goes_on_and_so_does_an_operation():
    found = decided(paused_like("progressing"))
    assert (found.verdict.state, found.verdict.code) == (WAIT, "paused")
    assert found.verdict.reason.startswith(f"{TEXT}; Progressing: Deployment rounds-a/rounds-a Progressing")
    assert decided(paused_like("progressing"), allow=True).verdict.state == READY
    found = decided(paused_like("retrying"))
    assert (found.verdict.state, found.verdict.code) == (WAIT, "paused")
    superseded = paused_like("retrying")
    superseded["status"]["sync"]["revision"] = "f" * 40
    found = decided(superseded)
    assert (found.verdict.state, found.action in (Action.SYNC, Action.TERMINATE)) == (WAIT, False)


def test_it_may_be_in_any_state_where_that_is_allowed():
    found = decided(paused_like("manual_out_of_sync"), allow=True)
    assert (found.verdict.state, found.action) == (READY, Action.NONE)
    assert found.verdict.reason.startswith(f"{TEXT}; OutOfSync (")
    assert "automated sync is off" not in found.verdict.reason


def test_what_is_paused_and_in_order_is_ready():
    found = decided(paused_like("synced_healthy"))
    assert (found.verdict.state, found.verdict.reason) == (READY, "")


def test_its_state_must_be_known_first():
    assert decided(paused_like("manual_out_of_sync"), fresh=False).verdict.state == WAIT


def test_what_self_heal_put_right_before_the_pause_must_stay_so():
    item = paused_like("self_healed")
    status = item["status"]
    status["operationState"]["finishedAt"], status["reconciledAt"] = "2026-11-26T17:23:30Z", "2026-11-26T17:23:31Z"
    found = decided(item, finished_at=15.0).verdict
    assert (found.state, found.code) == (WAIT, "self-heal")
    assert decided(item, finished_at=10.0).verdict.state == READY


def test_a_record_that_does_not_fit_changes_nothing():
    assert decided(reconciled_late("sync_failed")).action is Action.SYNC
