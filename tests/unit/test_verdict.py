# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on Applications that were recorded from a real Argo CD."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import Missing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import (
    REPO_SERVER,
    kind_question,
    project_question,
    suspended_question,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import Failure
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import INSTEAD_OF_SELF_HEAL
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import details
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Evidence,
    Request,
    Seen,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.verdict import ERROR_ROUNDS, verdict
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding


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
    assert judged(application, seconds=59) == (WAIT, "degraded")
    assert judged(application, seconds=61) == (FAILED, "degraded")
    assert judged(application, Request(health=frozenset({"Degraded", "Healthy"}))) == (READY, "ready")


@pytest.mark.parametrize("health", ["Degraded", "Progressing"])
def test_a_cause_that_is_final_needs_no_grace_and_is_what_is_said(health):
    application = reconciled_late("progressing")
    application["status"]["health"]["status"] = health
    final = Finding("Deployment a/b: Pod b-1: InvalidImageName", final=True, next_step="kubectl describe pod/b-1 -n a")
    assert judged(application, seconds=9, causes=(final,), final_seconds=4)[0] == WAIT
    found = verdict(application, Request(), Seen(seconds=9, causes=(final,), final_seconds=6))
    assert (found.state, found.reason) == (FAILED, f"{health}: {final.text}")
    assert (found.cause, found.next_step, found.since) == (final.text, final.next_step, "2026-11-24T16:19:21Z")
    passing = Finding("Deployment a/b: Pod b-1: Unhealthy")
    assert judged(application, seconds=6, causes=(passing,))[0] == WAIT


@pytest.mark.parametrize(("hook", "seconds"), [({}, 5), ({"hookType": "Sync", "hookPhase": "Running"}, 60)])
def test_while_argo_cd_syncs_a_cause_in_a_hook_is_final_later_than_one_in_a_wave(hook, seconds):
    """Argo CD notices late that a hook has failed, and may make it again."""
    syncing = recorded("retrying")
    entry = {"group": "batch", "kind": "Job", "namespace": "a", "name": "b", "hookPhase": "Running"}
    syncing["status"]["operationState"]["syncResult"]["resources"] = [entry | hook]
    final = Finding("Job a/b (and 1 alike): Pod b-1: InvalidImageName", final=True)
    assert judged(syncing, causes=(final,), final_seconds=seconds - 1) == (WAIT, "syncing")
    assert judged(syncing, causes=(final,), final_seconds=seconds + 1) == (FAILED, "syncing")
    # What is beside the hook is no part of it.
    other = Finding("Deployment a/b: Pod b-1: InvalidImageName", final=True)
    assert judged(syncing, causes=(final, other), final_seconds=6) == (FAILED, "syncing")


def test_what_argo_cd_has_said_of_a_hook_is_not_said_again():
    application = reconciled_late("hook_failed")
    result = application["status"]["operationState"]["syncResult"]
    result["resources"] = [
        {
            "kind": "Job",
            "namespace": "a",
            "name": "b",
            "hookType": "Sync",
            "hookPhase": "Failed",
            "message": "no more time",
        }
    ]
    same = Finding("Job a/b: no more time (since 2026-01-01T00:00:00Z)", next_step="kubectl describe job -n a b")
    lower = Finding("Job a/b: Pod b-1: exited with 1")
    found = verdict(application, Request(), Seen(causes=(same, lower)))
    assert (
        found.reason
        == "sync Failed: Sync hook Job a/b: no more time (retried 1 times); Job a/b: Pod b-1: exited with 1"
    )
    assert (found.cause, found.next_step) == (same.text, same.next_step)


def test_what_is_broken_is_named_before_what_is_on_its_way():
    application = reconciled_late("progressing")
    entries = [("Progressing", name) for name in "abcdef"] + [("Missing", "x"), ("Degraded", "y"), ("Healthy", "z")]
    application["status"]["resources"] = [
        {"kind": "Deployment", "name": name, "status": "Synced", "health": {"status": status}}
        for status, name in entries
    ]
    assert verdict(application, Request()).reason == (
        "Progressing: Deployment x Missing, Deployment y Degraded, Deployment a Progressing, "
        "Deployment b Progressing, Deployment c Progressing and 3 more"
    )
    for entry in application["status"]["resources"]:
        entry["health"]["status"] = "Degraded"
    assert verdict(application, Request()).reason.endswith("Deployment z Degraded")


def test_what_is_broken_is_named_also_where_no_cause_is_known():
    application = reconciled_late("progressing")
    application["status"]["health"]["status"] = "Degraded"
    application["status"]["resources"] = [
        {"kind": "Deployment", "namespace": "a", "name": name, "status": "Synced", "health": {"status": status}}
        for name, status in (("xy", "Degraded"), ("x", "Degraded"), ("z", "Progressing"))
    ]
    cause = Finding("Deployment a/xy: Pod xy-1: ErrImagePull")
    right = Finding("with the right to list pods, more could be reported")
    assert verdict(application, Request(), Seen(causes=(cause, right))).reason == (
        f"Degraded: {cause.text}; Deployment a/x is Degraded; {right.text}"
    )
    found = verdict(application, Request(), Seen(causes=(right,)))
    assert found.reason == (
        "Degraded: Deployment a/xy Degraded, Deployment a/x Degraded, Deployment a/z Progressing; "
        "with the right to list pods, more could be reported"
    )
    assert found.cause == ""


def suspended(kind, group="", name="web"):
    application = reconciled_late("progressing")
    health = {"status": "Suspended", "message": f"{kind} is paused"}
    application["status"]["health"]["status"] = "Suspended"
    application["status"]["resources"] = [
        {"group": group, "kind": kind, "namespace": "a", "name": name, "status": "Synced", "health": health}
    ]
    return application


def test_what_is_suspended_by_its_specification_fails_at_once_and_says_what_accepts_it():
    found = verdict(suspended("CronJob", "batch"), Request())
    assert (found.state, found.code) == (FAILED, "suspended")
    assert found.reason == (
        "Suspended: CronJob a/web Suspended (CronJob is paused); health: [Healthy, Suspended] accepts it "
        "(gitops_accepted_health in an inventory)"
    )
    assert judged(suspended("Deployment", "apps"), Request(health=frozenset({"Healthy", "Suspended"})))[0] == READY


def test_what_is_suspended_by_its_controller_may_go_on():
    application = suspended("Rollout", "argoproj.io")
    assert judged(application) == (WAIT, "suspended")
    question = suspended_question("rounds-a")
    assert judged(application, evidence={question: Evidence()}) == (WAIT, "suspended")
    assert judged(application, evidence={question: Evidence("spec.paused", final=True)}) == (FAILED, "suspended")


INVALID = (
    'Deployment rounds-a/rounds-a: Deployment.apps "rounds-a" is invalid: spec.replicas: Invalid value: -1: '
    "must be greater than or equal to 0"
)


def test_a_sync_that_is_retried_is_waited_for_and_says_why():
    found = verdict(recorded("retrying"), Request())
    assert (found.state, found.code) == (WAIT, "syncing")
    assert found.reason == f"syncing: {INVALID}. Retrying attempt #1 at 2026-11-24T16:20:22Z"
    assert found.cause == INVALID


def failure_of(application, *texts, attempts=2):
    return Failure((application["status"]["sync"]["revision"],), texts or (INVALID,), attempts)


def test_an_attempt_that_ended_as_the_one_before_is_the_last_one_where_nothing_can_change():
    application = recorded("retrying")
    assert judged(application, failure=failure_of(application, attempts=1)) == (WAIT, "syncing")
    found = verdict(application, Request(), Seen(failure=failure_of(application)))
    assert (found.state, found.code) == (FAILED, "rejected")
    assert found.reason == f"sync fails in the same way each time: {INVALID}"
    webhook = 'Deployment a/b: Internal error occurred: failed calling webhook "c": no endpoints available'
    assert judged(application, failure=failure_of(application, webhook)) == (WAIT, "syncing")
    older = Failure(("f" * 40,), (INVALID,), 2)
    assert judged(application, failure=older) == (WAIT, "syncing")
    assert judged(reconciled_late("sync_failed"), failure=failure_of(application)) == (FAILED, "rejected")


def test_a_kind_that_the_project_does_not_allow_is_named_with_what_allows_it():
    blocked = "CronJob a/b: resource batch:CronJob is not permitted in project services"
    step = (
        "AppProject services does not allow CronJob.batch yet: run site.yml, after which it allows what Git has; "
        "gitops_project_kinds: {services: [{group: batch, kind: CronJob}]} allows it beforehand"
    )
    found = verdict(recorded("retrying"), Request(), Seen(failure=failure_of(recorded("retrying"), blocked)))
    assert (found.code, found.next_step) == ("rejected", step)
    failed = reconciled_late("sync_failed")
    failed["status"]["operationState"]["syncResult"]["resources"] = [
        {"kind": "CronJob", "namespace": "a", "name": "b", "status": "SyncFailed", "message": f"{blocked[13:]}."}
    ]
    found = verdict(failed, Request(), Seen())
    assert (found.code, found.next_step) == ("sync-failed", step)


def test_what_the_attempt_before_said_is_not_forgotten():
    application = recorded("retrying")
    state = application["status"]["operationState"]
    state["message"], state["syncResult"] = "Retrying operation. Attempt #1", None
    del state["finishedAt"]
    found = verdict(application, Request(), Seen(failure=failure_of(application, attempts=1)))
    assert (found.state, found.reason) == (
        WAIT,
        f"syncing: Retrying operation. Attempt #1; the previous attempt failed: {INVALID}",
    )


NO_CRD = (
    "Certificate a/b: The Kubernetes API could not find cert-manager.io/Certificate for requested resource a/b. Make "
    'sure the "Certificate" CRD is installed on the destination cluster'
)


def test_a_kind_that_nothing_brings_is_final_and_the_versions_that_are_served_are_named():
    application, question = recorded("retrying"), kind_question(Missing("cert-manager.io", "Certificate"))
    failure = failure_of(application, NO_CRD)
    assert judged(application, failure=failure) == (WAIT, "syncing")
    assert judged(application, failure=failure, evidence={question: Evidence()}) == (WAIT, "syncing")
    served = Evidence("the cluster serves Certificate.cert-manager.io in v1", final=True)
    found = verdict(application, Request(), Seen(failure=failure, evidence={question: served}))
    assert (found.state, found.code) == (FAILED, "rejected")
    assert found.reason == f"sync fails in the same way each time: {NO_CRD}; {served.text}"


def test_a_kind_that_only_the_entry_of_the_resource_names_is_final_when_nothing_serves_it():
    application, missing = recorded("retrying"), Missing("example.com", "Widget", "v1")
    text = "Widget a/b: the server could not find the requested resource"
    failure = replace(failure_of(application, text), kinds=(missing,))
    assert judged(application, failure=failure) == (WAIT, "syncing")
    nothing = {kind_question(missing): Evidence("no CustomResourceDefinition in the cluster defines it", final=True)}
    assert judged(application, failure=failure, evidence=nothing) == (FAILED, "rejected")


def test_a_comparison_that_lacks_a_kind_is_final_when_nothing_brings_it():
    application, question = recorded("comparison_error"), kind_question(Missing("cert-manager.io", "Certificate"))
    application["status"]["conditions"][0]["message"] = f"Failed to load live state: {NO_CRD}"
    assert judged(application, error_rounds=1) == (WAIT, "error")
    nothing = {question: Evidence("nothing brings it", final=True)}
    found = verdict(application, Request(), Seen(error_rounds=1, evidence=nothing))
    assert (found.state, found.reason) == (FAILED, f"ComparisonError: {NO_CRD}; nothing brings it")
    others = {"b": {"status": {}}}
    assert judged(application, error_rounds=9, evidence=nothing, others=others) == (WAIT, "error")


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
    assert found.reason == f"sync Failed: {INVALID} (retried 1 times)"
    assert found.since == "2026-11-24T16:20:23Z"


@pytest.mark.parametrize("name", ["sync_failed", "sync_error"])
def test_a_failed_sync_of_an_older_revision_is_said_to_be_one(name):
    application = reconciled_late(name)
    application["status"]["sync"]["revision"] = "f" * 40
    found = verdict(application, Request())
    assert (found.state, found.code) == (WAIT, "out-of-sync")
    assert found.reason == (f"OutOfSync: Deployment rounds-a/rounds-a; the last sync, of d4664373, failed: {INVALID}")


NO_FILE = (
    "ComparisonError: `kustomize build rounds-a` failed exit status 1: Error: accumulating resources from "
    "'missing.yaml': evalsymlink failure on 'rounds-a/missing.yaml' : lstat rounds-a/missing.yaml: no such file or "
    "directory"
)


@pytest.mark.parametrize(
    ("name", "rounds", "words", "since"),
    [
        ("comparison_error", 1, NO_FILE, "2026-11-24T16:21:21Z"),
        (
            "invalid_spec",
            ERROR_ROUNDS,
            "InvalidSpecError: Application referencing project nobody which does not exist",
            "2026-11-24T16:21:22Z",
        ),
    ],
)
def test_an_error_counts_when_it_was_confirmed_sooner_where_it_is_final(name, rounds, words, since):
    application = recorded(name)
    assert judged(application, error_rounds=rounds - 1) == (WAIT, "error")
    found = verdict(application, Request(), Seen(error_rounds=rounds))
    assert (found.state, found.code) == (FAILED, "error")
    assert (found.reason, found.since) == (words, since)


def test_an_error_about_a_kind_that_another_application_brings_is_waited_for():
    application = recorded("comparison_error")
    application["status"]["conditions"][0]["message"] = 'no matches for kind "Kafka" in version "kafka.strimzi.io/v1"'
    assert judged(application, error_rounds=ERROR_ROUNDS) == (FAILED, "error")
    entry = {"kind": "CustomResourceDefinition", "name": "kafkas.kafka.strimzi.io", "status": "OutOfSync"}
    others = {"strimzi": {"status": {"sync": {"status": "OutOfSync"}, "resources": [entry]}}}
    assert judged(application, error_rounds=ERROR_ROUNDS, others=others) == (WAIT, "error")
    entry["status"] = others["strimzi"]["status"]["sync"]["status"] = "Synced"
    assert judged(application, error_rounds=ERROR_ROUNDS, others=others) == (FAILED, "error")


UNAVAILABLE = "rpc error: code = Unavailable desc = connection error"


def test_a_repo_server_that_does_not_answer_fails_only_where_it_has_no_pod_for_a_while():
    application = recorded("comparison_error")
    application["status"]["conditions"][0]["message"] = UNAVAILABLE
    assert judged(application, error_rounds=99, seconds=9999) == (WAIT, "error")

    def judged_with(text, **seen):
        evidence = {REPO_SERVER: Evidence(text, final="scaled" in text)}
        return judged(application, error_rounds=99, evidence=evidence, **seen)

    assert judged_with("", seconds=9999) == (WAIT, "error")
    assert judged_with("Deployment argocd/argocd-repo-server has no ready pod", seconds=59) == (WAIT, "error")
    assert judged_with("Deployment argocd/argocd-repo-server has no ready pod", seconds=61) == (FAILED, "error")
    assert judged_with("Deployment argocd/argocd-repo-server is scaled to 0", seconds=4) == (WAIT, "error")
    assert judged_with("Deployment argocd/argocd-repo-server is scaled to 0", seconds=6) == (FAILED, "error")


def test_a_file_with_the_name_of_an_error_is_no_error_of_a_connection():
    application = recorded("comparison_error")
    condition = application["status"]["conditions"][0]
    condition["message"] = condition["message"].replace("missing", "maxUnavailable")
    assert judged(application, error_rounds=1) == (FAILED, "error")
    condition["message"] = 'rpc error: code = FailedPrecondition desc = Failed to unmarshal "a.json": unexpected EOF'
    assert judged(application, error_rounds=1) == (FAILED, "error")


def test_an_error_at_another_commit_says_so():
    application = recorded("comparison_error")
    application["status"]["sync"]["revision"] = "a" * 40
    found = verdict(application, Request(revisions=("b" * 40,)))
    assert found.reason == f"{NO_FILE} (at {'a' * 40}, not at {'b' * 40})"
    assert verdict(application, Request(revisions=("a" * 8,))).reason == NO_FILE


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


def test_the_name_of_a_branch_is_answered_with_what_is_needed():
    application = reconciled_late("synced_healthy")
    revision = application["status"]["sync"]["revision"]
    found = verdict(application, Request(revisions=("main",)))
    assert (found.state, found.code) == (FAILED, "revision")
    assert found.reason == (
        f"main is its targetRevision, but the status records only the commit (now {revision}): pass a commit"
    )
    assert judged(application, Request(revisions=("develop",))) == (WAIT, "revision")


@pytest.mark.parametrize(
    ("source", "status", "wanted", "found"),
    [
        ({"chart": "web", "targetRevision": "1.2.x"}, "1.2.30", "1.2.30", (READY, "")),
        ({"chart": "web", "targetRevision": "1.2.x"}, "1.2.30", "1.2.3", (WAIT, "names another one")),
        ({"chart": "web", "targetRevision": "1.2.x"}, "1.2.30", "1.2.x", (FAILED, "pass a version")),
        ({"repoURL": "oci://a/b", "targetRevision": "1"}, "sha256:ab12cd", "sha256:ab12", (READY, "")),
        ({"repoURL": "oci://a/b", "targetRevision": "1"}, "sha256:ab12cd", "1", (FAILED, "pass a digest")),
        ({"repoURL": "https://a/b", "targetRevision": ""}, "ab12cd", "HEAD", (FAILED, "pass a commit")),
        ({"repoURL": "https://a/b", "targetRevision": "ab12"}, "ab12cd", "AB12", (READY, "")),
    ],
)
def test_versions_and_digests_are_not_hashes(source, status, wanted, found):
    application = reconciled_late("synced_healthy")
    application["spec"]["source"], application["status"]["sync"]["revision"] = source, status
    del application["status"]["operationState"]
    told = verdict(application, Request(revisions=(wanted,)))
    assert told.state == found[0]
    assert told.reason.endswith(found[1])


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
        "sync Failed: PostSync hook Job rounds-b/migrate: Job was active longer than specified deadline "
        "(retried 1 times)"
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
    others = other_applications("shared_a", "shared_b")
    seen = {"others": others, "complaining": list(others), "quiet_seconds": 99}
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


@pytest.mark.parametrize(
    ("heals", "retries", "said", "follows", "state"),
    [
        (1, 0, ["unchanged", "unchanged"], True, READY),
        (1, 0, ["unchanged", "unchanged"], False, WAIT),
        (1, 0, ["unchanged", "configured"], True, WAIT),
        (1, 0, ["serverside-applied"], True, WAIT),
        (1, 0, [], True, WAIT),
        (1, 1, ["unchanged"], True, WAIT),  # the attempt before may have changed something
        (2, 0, ["unchanged"], True, WAIT),
    ],
)
def test_a_self_heal_that_follows_a_sync_and_changes_nothing_is_none(heals, retries, said, follows, state):
    """It comes from a comparison with objects that the controller had not seen anew since the sync."""
    application = recorded("self_healed")
    application["status"]["reconciledAt"] = "2026-11-26T17:23:31Z"
    ended = application["status"]["operationState"]
    ended["operation"]["sync"]["autoHealAttemptsCount"] = heals
    ended["retryCount"] = retries
    ended["syncResult"]["resources"] = [{"message": f"configmap/rounds-a {word}"} for word in said]
    synced = (application["status"]["sync"]["revision"],) if follows else ()
    assert judged(application, synced=synced)[0] == state


def test_what_is_rewritten_while_self_heal_pauses_names_field_and_manager():
    application = reconciled_late("self_heal_pauses")
    live = ("data.value of ConfigMap rounds-a/rounds-a is written by manager rewriter",)
    found = verdict(application, Request(), Seen(live=live))
    assert (found.state, found.code) == (WAIT, "drift")
    assert found.reason == (
        "changed in the cluster (ConfigMap rounds-a/rounds-a); self-heal pauses after 2 syncs of this revision; "
        "data.value of ConfigMap rounds-a/rounds-a is written by manager rewriter"
    )


KEPT = "Prune=false keeps ConfigMap rounds-a/kept, which left Git"


def test_what_prune_false_keeps_is_ready_and_named_with_the_command_that_removes_it():
    application = reconciled_late("leftover")
    found = verdict(application, Request())
    assert (found.state, found.code) == (READY, "leftover")
    assert found.reason == f"{KEPT}; to remove: kubectl delete configmap/kept -n rounds-a"
    # Argo CD tries to prune it again and again, which is no self-heal that somebody could undo.
    application["status"]["reconciledAt"] = "2026-11-26T17:23:03Z"
    assert judged(application) == (READY, "leftover")
    application["status"]["health"]["status"] = "Progressing"
    assert judged(application) == (WAIT, "health")
    application["status"]["sync"]["revision"] = "f" * 40
    assert judged(application) == (WAIT, "out-of-sync")


def test_what_prune_false_keeps_is_told_from_what_was_changed():
    application = reconciled_late("leftover")
    for entry in application["status"]["resources"]:
        entry["status"] = "OutOfSync"
    found = verdict(application, Request())
    assert (found.state, found.code) == (WAIT, "drift")
    assert found.reason.startswith(
        "changed in the cluster (ConfigMap rounds-a/rounds-a, Deployment rounds-a/rounds-a); "
        f"{KEPT}; self-heal pauses after "
    )


def drifted(**entry):
    application = reconciled_late("self_heal_pauses")
    application["status"]["resources"][0] |= entry
    return application


DRIFTED = "ConfigMap rounds-a/rounds-a"


def test_what_is_being_deleted_is_not_called_changed():
    health = {"status": "Progressing", "message": "Pending deletion; blocked by finalizers: example.org/keep"}
    found = verdict(drifted(health=health), Request())
    assert (found.state, found.code) == (WAIT, "leaving")
    assert found.reason == f"is being deleted: {DRIFTED} (blocked by finalizers: example.org/keep)"
    # Where the controller does not keep the health of each object, it was read.
    read = Seen(live=(f"{DRIFTED} is being deleted (blocked by finalizer example.org/keep)",))
    found = verdict(drifted(), Request(), read)
    assert (found.state, found.code) == (WAIT, "leaving")
    assert found.reason == f"is being deleted: {DRIFTED} (blocked by finalizer example.org/keep)"


def test_what_is_missing_and_what_the_last_sync_left_out_are_not_called_changed():
    found = verdict(drifted(health={"status": "Missing"}), Request())
    assert found.reason.startswith(f"missing in the cluster ({DRIFTED}); self-heal pauses after ")
    application = drifted()
    application["status"]["operationState"]["operation"]["sync"] = {"resources": [{"kind": "Service", "name": "a"}]}
    found = verdict(application, Request())
    assert found.reason == f"left out by the last sync ({DRIFTED}); self-heal pauses after 0 syncs of this revision"


def test_another_source_is_synced_although_the_revision_is_the_same():
    application = drifted()
    application["spec"]["source"]["path"] = "another"
    assert judged(application) == (WAIT, "out-of-sync")
    failed = reconciled_late("sync_failed")
    failed["spec"]["source"]["path"] = "another"
    assert judged(failed) == (WAIT, "out-of-sync")


def idle(name="manual_out_of_sync"):
    application = reconciled_late(name)
    application["status"].pop("operationState", None)
    application["spec"]["syncPolicy"]["automated"] = {"prune": True, "selfHeal": True}
    return application


def many(*healths):
    return [
        {
            "kind": "ConfigMap",
            "namespace": "a",
            "name": f"b-{number}",
            "status": "OutOfSync",
            "health": {"status": health},
        }
        for number, health in enumerate(healths)
    ]


def names(*numbers):
    return ", ".join(f"ConfigMap a/b-{number}" for number in numbers)


def test_what_is_missing_is_never_cut_away():
    application = idle()
    application["status"]["resources"] = many(*["Healthy"] * 6, *["Missing"] * 7)
    assert verdict(application, Request()).reason == f"OutOfSync: {names(*range(6, 13))} and 6 more"
    application = drifted()
    application["status"]["resources"] = many(*["Missing"] * 7, *["Healthy"] * 6)
    found = verdict(application, Request()).reason.partition("; self-heal")[0]
    assert (
        found
        == f"missing in the cluster ({names(*range(7))}); changed in the cluster ({names(*range(7, 12))} and 1 more)"
    )


def test_what_failed_is_never_cut_away():
    application = reconciled_late("sync_failed")
    results = [
        {"kind": "ConfigMap", "namespace": "a", "name": f"b-{number}", "status": "SyncFailed", "message": "no"}
        for number in range(7)
    ]
    application["status"]["operationState"]["syncResult"]["resources"] = results
    found = verdict(application, Request()).reason
    assert found.partition(" (retried")[0] == "sync Failed: " + ", ".join(f"ConfigMap a/b-{n}: no" for n in range(7))


def test_a_sync_that_would_delete_everything_is_named():
    application = idle()
    for entry in application["status"]["resources"]:
        entry["requiresPruning"] = True
    assert judged(application, error_rounds=1) == (WAIT, "out-of-sync")
    message = "Skipping sync attempt to [4e84fb37]: auto-sync will wipe out all resources"
    application["status"]["conditions"] = [{"type": "SyncError", "message": message}]
    assert judged(application) == (WAIT, "empty")
    found = verdict(application, Request(), Seen(error_rounds=1))
    assert (found.state, found.reason) == (
        FAILED,
        "auto-sync will wipe out all resources, so it does not begin: Git has none of them any more "
        "(ConfigMap rounds-a/rounds-a, Deployment rounds-a/rounds-a); bring them back, or sync it with pruning",
    )
    # Said of an earlier commit.
    application["status"]["resources"][0]["requiresPruning"] = False
    assert judged(application, error_rounds=1) == (WAIT, "out-of-sync")


def test_a_sync_window_that_keeps_automated_sync_from_beginning_is_named():
    application, question = idle(), project_question("rounds")
    assert judged(application, error_rounds=9, evidence={question: Evidence()}) == (WAIT, "out-of-sync")
    closed = {question: Evidence("deny 0 22 * * * for 8h, UTC")}
    assert judged(application, evidence=closed) == (WAIT, "sync-window")
    found = verdict(application, Request(), Seen(error_rounds=1, evidence=closed))
    assert (found.state, found.code) == (FAILED, "sync-window")
    assert found.reason == (
        "OutOfSync: ConfigMap rounds-a/rounds-a, Deployment rounds-a/rounds-a; automated sync does not begin while a "
        "sync window of AppProject rounds is closed (deny 0 22 * * * for 8h, UTC)"
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
