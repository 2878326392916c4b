# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of the attempts of an operation."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import Missing, Nature
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import NO_FAILURE, Failure, Failures

from .test_verdict import INVALID, recorded

REVISION = "d4664373301aceedab721330c1b34207b5b75ccc"


def attempt(number, **state):
    """Return an Application whose operation waits to be tried again after an attempt."""
    application = recorded("retrying")
    finished = f"2026-11-24T16:20:2{number}Z"
    application["status"]["operationState"] |= {"finishedAt": finished, "retryCount": number} | state
    return application


def followed(*applications):
    failures = Failures()
    for application in applications:
        failures.observe(application)
    return failures.last


def test_the_same_failure_is_counted_once_for_each_attempt():
    # The name of the temporary file differs.
    again = attempt(2)
    entry = again["status"]["operationState"]["syncResult"]["resources"][1]
    entry["message"] = entry["message"].replace("1171595278", "838393040")
    assert followed(attempt(1), attempt(1)) == Failure((REVISION,), (INVALID,), 1)
    assert followed(attempt(1), again) == Failure((REVISION,), (INVALID,), 2)
    assert followed(attempt(1), again).nature is Nature.FINAL


def test_what_argo_cd_empties_between_two_attempts_is_remembered():
    trying = attempt(1, message="Retrying operation. Attempt #1", syncResult=None)
    del trying["status"]["operationState"]["finishedAt"]
    assert followed(attempt(1), trying) == Failure((REVISION,), (INVALID,), 1)
    assert followed(attempt(1), trying, attempt(2, phase="Failed")) == Failure((REVISION,), (INVALID,), 2)


def test_the_kind_of_what_failed_is_known_where_the_error_does_not_name_it():
    failed = attempt(1)
    entry = failed["status"]["operationState"]["syncResult"]["resources"][1]
    entry["message"] = "the server could not find the requested resource"
    found = followed(failed)
    assert (found.nature, found.missing) == (Nature.ABSENT, [Missing("apps", "Deployment", "v1")])


def test_another_failure_begins_anew():
    other = attempt(2)
    other["status"]["operationState"]["syncResult"]["resources"][1]["message"] = "no"
    assert followed(attempt(1), other) == Failure((REVISION,), ("Deployment rounds-a/rounds-a: no",), 1)
    newer = attempt(2)
    newer["status"]["operationState"]["syncResult"]["revision"] = "f" * 40
    assert followed(attempt(1), newer).attempts == 1


def test_an_operation_without_results_has_its_message():
    said = "no project. Retrying attempt #1 at 2026-11-24T16:20:22Z."
    assert followed(attempt(1, syncResult=None, message=said)) == Failure((REVISION,), ("no project",), 1)


def test_a_success_ends_it():
    assert followed(attempt(1), recorded("synced_healthy")) == NO_FAILURE


def test_before_a_dependency_is_ready_nothing_is_counted():
    failures = Failures()
    failures.observe(attempt(1))
    failures.start_over()
    failures.observe(attempt(1))
    assert failures.last.attempts == 0
    failures.observe(attempt(2))
    assert failures.last.attempts == 1
