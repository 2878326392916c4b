# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on Applications that were recorded from a real Argo CD."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import details
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import INSTEAD_OF_SELF_HEAL
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import FAILED, READY, WAIT, Request, Seen
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import ERROR_ROUNDS, verdict


def recorded(name):
    text = (Path(__file__).parent / "fixtures" / f"{name}.yaml").read_text()
    application = yaml.load(text, Loader=yaml.CSafeLoader)  # called hundreds of times
    assert application["kind"] == "Application"
    return application


def reconciled_late(name):
    """Return an Application after one more reconcile, a later one than the second in which it was recorded."""
    application = recorded(name)
    application["status"]["reconciledAt"] = "2026-11-26T23:00:00Z"
    return application


def judged(application, request=None, **seen):
    found = verdict(application, request or Request(), Seen(**seen))
    return found.state, found.code


def other_applications(*names):
    return {application["metadata"]["name"]: application for application in map(recorded, names)}


def test_synced_and_healthy_is_ready():
    assert judged(reconciled_late("synced_healthy")) == (READY, "ready")


def test_a_new_application_is_waited_for():
    found = verdict(recorded("new"), Request())
    assert (found.state, found.code, found.reason) == (WAIT, "unknown", "sync status is not known yet")


def test_the_result_of_a_sync_counts_only_after_a_later_reconcile():
    application = recorded("synced_healthy")
    application["status"]["reconciledAt"] = application["status"]["operationState"]["finishedAt"]
    assert judged(application) == (WAIT, "post-sync")
    assert judged(application, Request(operation=False)) == (READY, "ready")


def test_progressing_waits_and_names_the_resource():
    found = verdict(reconciled_late("progressing"), Request())
    assert (found.state, found.code) == (WAIT, "health")
    words = "Progressing: Deployment rounds-a/rounds-a Progressing (Waiting for rollout to finish: "
    assert found.reason.startswith(words)


def test_degraded_fails_after_its_grace_only():
    application = reconciled_late("progressing")
    application["status"]["health"]["status"] = "Degraded"
    assert judged(application, seconds=9) == (WAIT, "degraded")
    assert judged(application, seconds=11) == (FAILED, "degraded")
    assert judged(application, Request(health=frozenset({"Degraded", "Healthy"}))) == (READY, "ready")


def test_a_sync_that_is_retried_is_waited_for_and_says_why():
    found = verdict(recorded("retrying"), Request())
    assert (found.state, found.code) == (WAIT, "syncing")
    assert "must be greater than or equal to 0. Retrying attempt #1 at " in found.reason


def test_an_operation_that_retries_an_older_revision_is_superseded():
    application = recorded("retrying")
    application["status"]["sync"]["revision"] = "f" * 40
    assert judged(application) == (WAIT, "superseded")


def test_a_self_heal_that_retries_some_resources_only_is_superseded():
    application = recorded("retrying")
    sync = application["status"]["operationState"]["operation"]["sync"]
    sync["resources"] = [{"kind": "Service", "name": "web"}]
    assert judged(application) == (WAIT, "superseded")


@pytest.mark.parametrize("name", ["sync_failed", "sync_error"])
def test_a_failed_sync_of_this_revision_names_resource_and_message(name):
    found = verdict(reconciled_late(name), Request())
    assert (found.state, found.code) == (FAILED, "sync-failed")
    assert found.reason.startswith("sync Failed: one or more synchronization tasks completed unsuccessfully")
    assert '[Deployment rounds-a/rounds-a: error when patching "' in found.reason
    assert found.reason.endswith("must be greater than or equal to 0]")


@pytest.mark.parametrize("name", ["sync_failed", "sync_error"])
def test_a_failed_sync_of_an_older_revision_says_nothing(name):
    application = reconciled_late(name)
    application["status"]["sync"]["revision"] = "f" * 40
    assert judged(application) == (WAIT, "out-of-sync")


@pytest.mark.parametrize(
    ("name", "words"),
    [("comparison_error", "ComparisonError: Failed to load target state:"), ("invalid_spec", "InvalidSpecError: ")],
)
def test_an_error_counts_when_it_was_confirmed(name, words):
    application = recorded(name)
    assert judged(application, error_rounds=ERROR_ROUNDS - 1) == (WAIT, "error")
    found = verdict(application, Request(), Seen(error_rounds=ERROR_ROUNDS))
    assert (found.state, found.code) == (FAILED, "error")
    assert words in found.reason


def test_an_error_of_a_starting_repo_server_never_counts():
    application = recorded("comparison_error")
    application["status"]["conditions"][0]["message"] = "rpc error: code = Unavailable desc = connection refused"
    assert judged(application, error_rounds=99) == (WAIT, "error")


def test_out_of_sync_without_automated_sync_is_named():
    application = reconciled_late("manual_out_of_sync")
    application["status"].pop("operationState", None)
    found = verdict(application, Request())
    assert (found.state, found.code) == (FAILED, "manual")
    assert found.reason == (
        "OutOfSync (ConfigMap rounds-a/rounds-a, Deployment rounds-a/rounds-a) and automated sync is off: sync it"
    )


def test_drift_counts_without_self_heal_and_after_a_while_only():
    application = reconciled_late("synced_healthy")
    application["status"]["sync"]["status"] = "OutOfSync"
    application["status"]["resources"][0]["status"] = "OutOfSync"
    assert judged(application, seconds=99) == (WAIT, "drift")
    application["spec"]["syncPolicy"]["automated"].pop("selfHeal")
    assert judged(application, seconds=1) == (WAIT, "drift")
    assert judged(application, seconds=6) == (FAILED, "drift")


def test_what_only_needs_pruning_fails_where_pruning_is_off():
    application = reconciled_late("synced_healthy")
    application["status"]["sync"]["status"] = "OutOfSync"
    application["status"]["resources"] = [
        {"kind": "ConfigMap", "name": "old", "status": "OutOfSync", "requiresPruning": True}
    ]
    application["spec"]["syncPolicy"]["automated"]["prune"] = False
    found = verdict(application, Request())
    assert (found.state, found.reason) == (
        FAILED,
        "1 resources require pruning and automated pruning is off: ConfigMap old",
    )


def test_another_revision_is_never_ready():
    application = reconciled_late("synced_healthy")
    revision = application["status"]["sync"]["revision"]
    assert judged(application, Request(revisions=(revision[:8],))) == (READY, "ready")
    assert judged(application, Request(revisions=("f" * 40,))) == (WAIT, "revision")
    assert judged(application, Request(revisions=("f" * 40,)), error_rounds=ERROR_ROUNDS) == (FAILED, "revision")


def test_a_closed_sync_window_fails_when_it_lasts():
    application = recorded("retrying")
    application["status"]["operationState"]["message"] = "Sync operation blocked by sync window"
    assert judged(application, seconds=1) == (WAIT, "sync-window")
    assert judged(application, seconds=6) == (FAILED, "sync-window")


def test_a_failed_hook_is_a_failure_although_everything_is_synced_and_healthy():
    application = reconciled_late("hook_failed")
    assert application["status"]["sync"]["status"] == "Synced"
    assert application["status"]["health"]["status"] == "Healthy"
    found = verdict(application, Request())
    assert (found.state, found.code) == (FAILED, "sync-failed")
    assert found.reason == (
        "sync Failed: one or more synchronization tasks completed unsuccessfully (retried 1 times). "
        "[PostSync hook Job rounds-b/migrate: Job was active longer than specified deadline]"
    )
    assert judged(application, Request(operation=False)) == (READY, "ready")


def test_a_failed_hook_of_an_older_revision_a_dry_run_and_a_later_sync_say_nothing():
    for path, value in (
        (("sync", "revision"), "f" * 40),
        (("operationState", "operation", "sync", "dryRun"), True),
        (("operationState", "phase"), "Succeeded"),
    ):
        application = reconciled_late("hook_failed")
        place = application["status"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert judged(application) == (READY, "ready"), path


def test_a_failed_hook_waits_for_the_reconcile_after_it():
    application = recorded("hook_failed")
    application["status"]["reconciledAt"] = application["status"]["operationState"]["finishedAt"]
    assert judged(application) == (WAIT, "post-sync")


def test_an_operation_that_ended_before_it_had_a_revision_counts_while_something_is_out_of_sync():
    application = reconciled_late("hook_failed")
    application["status"]["operationState"]["syncResult"] = None
    application["status"]["operationState"]["operation"]["sync"].pop("revision", None)
    assert judged(application) == (READY, "ready")
    application["status"]["sync"]["status"] = "OutOfSync"
    assert judged(application) == (FAILED, "sync-failed")


def test_a_failed_dry_run_is_not_a_failed_sync():
    application = reconciled_late("sync_failed")
    application["status"]["operationState"]["operation"]["sync"]["dryRun"] = True
    application["status"]["conditions"] = [{"type": "SyncError", "message": "Failed last sync attempt to x"}]
    found = verdict(application, Request())
    assert (found.state, found.code) == (WAIT, "out-of-sync")
    assert found.reason == "OutOfSync: Deployment rounds-a/rounds-a; SyncError: Failed last sync attempt to x"


def test_an_application_that_is_being_deleted_says_since_when_and_what_holds_it():
    application = recorded("deleting")
    words = "is being deleted (since 2026-11-26T17:23:31Z); finalizer resources-finalizer.argocd.argoproj.io"
    assert verdict(application, Request()).reason == words
    held = ("ConfigMap rounds-a/rounds-a (finalizer example.org/keep)",)
    found = verdict(application, Request(), Seen(live=held))
    assert (found.state, found.code, found.reason) == (WAIT, "deleting", f"{words}; held by {held[0]}")


def test_an_application_that_is_being_deleted_is_never_ready():
    application = reconciled_late("synced_healthy")
    application["metadata"]["deletionTimestamp"] = "2026-11-24T16:30:00Z"
    application["status"]["conditions"] = [{"type": "DeletionError", "message": "no access"}]
    found = verdict(application, Request(sync=False, health=None, operation=False), Seen(error_rounds=99))
    assert (found.state, found.code) == (WAIT, "deleting")
    assert found.reason == "is being deleted (since 2026-11-24T16:30:00Z); DeletionError: no access"


@pytest.mark.parametrize("name", ["shared_a", "shared_b"])
def test_an_object_in_two_applications_fails_both_when_it_was_confirmed(name):
    """Only the one complains that does not have the object in this moment."""
    seen = {"others": other_applications("shared_a", "shared_b"), "quiet_seconds": 99}
    assert judged(recorded(name), **seen, error_rounds=ERROR_ROUNDS - 1) == (WAIT, "shared")
    found = verdict(recorded(name), Request(), Seen(**seen, error_rounds=ERROR_ROUNDS))
    assert (found.state, found.code) == (FAILED, "shared")
    assert found.reason == (
        "SharedResourceWarning: ConfigMap/shared is part of applications argocd/rounds-b and rounds-a: "
        "take it out of one of them"
    )
    assert judged(recorded(name), Request(sync=False), **seen) != (WAIT, "shared")


def test_an_object_that_is_shared_with_an_unknown_application_fails_too():
    assert judged(recorded("shared_b"), error_rounds=ERROR_ROUNDS) == (FAILED, "shared")


def test_an_object_that_moves_is_progress():
    def moves(change, **seen):
        others = other_applications("shared_a", "shared_b")
        change(others["rounds-a"])
        return judged(others["rounds-b"], **{"others": others, "error_rounds": ERROR_ROUNDS} | seen)

    revision = "f" * 40
    assert moves(lambda _a: None) == (FAILED, "shared")
    assert moves(lambda _a: None, stale=frozenset({"rounds-a"})) == (WAIT, "moving")
    assert moves(lambda a: a.update(operation={"sync": {}})) == (WAIT, "moving")
    assert moves(lambda a: a["status"]["operationState"].update(phase="Running")) == (WAIT, "moving")
    assert moves(lambda a: a["status"].update(reconciledAt="2026-11-26T17:23:17Z")) == (WAIT, "moving")
    # The other one has failed, and nobody refreshes it any more; at another commit that says nothing.
    failed = frozenset({"rounds-a"})
    reconciled = "2026-11-26T17:23:17Z"
    assert moves(lambda a: a["status"].update(reconciledAt=reconciled), shared=failed) == (FAILED, "shared")
    assert moves(lambda a: a["status"]["sync"].update(revision=revision), shared=failed) == (WAIT, "moving")
    assert moves(lambda a: a["status"]["sync"].update(revision=revision)) == (WAIT, "moving")
    assert moves(lambda a: a["status"]["resources"].pop(1)) == (WAIT, "moving")
    assert moves(lambda a: a["status"]["resources"][1].update(requiresPruning=True)) == (WAIT, "moving")
    assert moves(lambda a: a["metadata"].update(deletionTimestamp="2026-11-26T17:23:31Z")) == (WAIT, "moving")


def test_an_object_that_is_shared_before_the_sync_is_progress():
    application = recorded("shared_b")
    application["status"]["sync"]["revision"] = "f" * 40
    assert judged(application, error_rounds=ERROR_ROUNDS) == (WAIT, "out-of-sync")


def test_what_self_heal_put_right_is_ready_after_ten_quiet_seconds():
    application = recorded("self_healed")
    application["status"]["operationState"]["finishedAt"] = "2026-11-26T17:23:30Z"
    application["status"]["reconciledAt"] = "2026-11-26T17:23:31Z"
    found = verdict(application, Request(), Seen(quiet_seconds=9.9, live=("data.value is written by manager x",)))
    assert (found.state, found.code) == (WAIT, "self-heal")
    assert found.reason == (
        "self-heal ran at 2026-11-26T17:23:30Z: ready when nothing changes it again within 10 s; "
        "data.value is written by manager x"
    )
    assert judged(application, quiet_seconds=10) == (READY, "ready")
    # Both are times of the controller: an old self-heal costs nothing.
    application["status"]["reconciledAt"] = "2026-11-26T17:23:40Z"
    assert judged(application) == (WAIT, "self-heal")
    application["status"]["reconciledAt"] = "2026-11-26T17:23:41Z"
    assert judged(application) == (READY, "ready")


def test_a_sync_in_the_place_of_self_heal_is_one_and_that_of_an_overtaking_revision_is_not():
    application = recorded("self_healed")
    application["status"]["reconciledAt"] = "2026-11-26T17:23:31Z"
    operation = application["status"]["operationState"]["operation"]
    operation["sync"]["autoHealAttemptsCount"] = 0
    assert judged(application) == (READY, "ready")
    operation["info"] = [INSTEAD_OF_SELF_HEAL]
    assert judged(application) == (WAIT, "self-heal")
    operation["sync"]["autoHealAttemptsCount"] = 1
    revision = (application["status"]["sync"]["revision"],)
    assert judged(application, overtaking=revision) == (READY, "ready")
    operation["sync"]["autoHealAttemptsCount"] = 2
    assert judged(application, overtaking=revision) == (WAIT, "self-heal")


def test_what_is_rewritten_while_self_heal_pauses_names_field_and_manager():
    application = reconciled_late("self_heal_pauses")
    live = ("data.value of ConfigMap rounds-a/rounds-a is written by manager rewriter",)
    found = verdict(application, Request(), Seen(live=live))
    assert (found.state, found.code) == (WAIT, "drift")
    assert found.reason == (
        "changed in the cluster (ConfigMap rounds-a/rounds-a); self-heal pauses after 2 syncs of this revision; "
        "data.value of ConfigMap rounds-a/rounds-a is written by manager rewriter"
    )


def test_what_prune_false_keeps_is_a_leftover_and_not_drift():
    application = reconciled_late("leftover")
    found = verdict(application, Request())
    assert (found.state, found.code) == (FAILED, "leftover")
    assert found.reason == (
        "Prune=false keeps ConfigMap rounds-a/kept, which left Git: delete it, or annotate it with "
        "argocd.argoproj.io/compare-options: IgnoreExtraneous"
    )
    for entry in application["status"]["resources"]:
        entry["status"] = "OutOfSync"
    found = verdict(application, Request())
    assert (found.state, found.code) == (WAIT, "drift")
    assert found.reason.startswith(
        "changed in the cluster (ConfigMap rounds-a/rounds-a, Deployment rounds-a/rounds-a); "
        "Prune=false keeps ConfigMap rounds-a/kept, which left Git; self-heal pauses after "
    )


def test_every_warning_is_in_the_result():
    application = recorded("shared_b")
    application["status"]["conditions"] += [
        {"type": "OrphanedResourceWarning", "message": "1 orphaned"},
        {"type": "SyncError", "message": "no"},
    ]
    assert details(application)["warnings"] == [
        "SharedResourceWarning: ConfigMap/shared is part of applications argocd/rounds-b and rounds-a",
        "OrphanedResourceWarning: 1 orphaned",
    ]


def test_details_have_what_people_ask_for():
    found = details(recorded("synced_healthy"))
    assert (found["name"], found["project"], found["automated"]) == ("rounds-a", "rounds", True)
    assert found["sources"][0]["path"] == "rounds-a"
    assert [entry["kind"] for entry in found["resources"]] == ["ConfigMap", "Deployment"]
    assert found["operation"]["running"] is False
