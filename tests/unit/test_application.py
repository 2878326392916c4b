# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a status counts as newer than the question, and what is written."""

from __future__ import annotations

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
from ansible_collections.monorepo.gitops.plugins.module_utils.verdict import Request


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
