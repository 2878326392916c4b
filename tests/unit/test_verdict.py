# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on Applications that were recorded from a real Argo CD."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils.verdict import (
    ERROR_ROUNDS,
    FAILED,
    READY,
    WAIT,
    Request,
    Seen,
    details,
    verdict,
)


def recorded(name):
    application = yaml.safe_load((Path(__file__).parent / "fixtures" / f"{name}.yaml").read_text())
    assert application["kind"] == "Application"
    return application


def reconciled_late(name):
    """Return an Application after one more reconcile, a later one than the second in which it was recorded."""
    application = recorded(name)
    application["status"]["reconciledAt"] = "2026-11-24T23:00:00Z"
    return application


def judged(application, request=None, **seen):
    found = verdict(application, request or Request(), Seen(**seen))
    return found.state, found.code


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


def test_details_have_what_people_ask_for():
    found = details(recorded("synced_healthy"))
    assert (found["name"], found["project"], found["automated"]) == ("rounds-a", "rounds", True)
    assert found["sources"][0]["path"] == "rounds-a"
    assert [entry["kind"] for entry in found["resources"]] == ["ConfigMap", "Deployment"]
    assert found["operation"]["running"] is False
