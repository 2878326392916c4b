# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operation is ended and when, decided on Applications that were recorded from a real Argo CD."""

from __future__ import annotations

from copy import deepcopy

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.termination import TerminateOrder, running
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import READY, WAIT, Action

from .test_verdict import recorded


def judged(order, application, seconds=0.0):
    order.observe(application)
    found = order.judge(application, seconds)
    return found.verdict.state, found.verdict.reason, found.action


def state_of(application, **changes):
    """Return a copy in which the state of the operation is another one."""
    copy = deepcopy(application)
    copy["status"]["operationState"] |= changes
    return copy


def test_the_running_operation_is_ended_once():
    application = recorded("retrying")
    order = TerminateOrder(application)
    state, reason, action = judged(order, application)
    assert (state, action) == (WAIT, Action.TERMINATE)
    assert reason.startswith(
        "operation of automated sync, Running since 2026-11-24T16:20:21Z: one or more synchronization tasks completed "
    )
    assert order.write(application, action) == {
        "metadata": {"resourceVersion": "7267"},
        "status": {"operationState": {"phase": "Terminating"}},
    }
    order.written(action)
    ending = state_of(application, phase="Terminating", message="")
    assert judged(order, ending) == (
        WAIT,
        "operation of automated sync, Terminating since 2026-11-24T16:20:21Z",
        Action.NONE,
    )
    ended = state_of(application, phase="Failed", message="Operation terminated")
    del ended["operation"]
    assert judged(order, ended) == (READY, "", Action.NONE)
    assert order.changed is True
    assert order.report() == {"terminated": True, "phase": "Failed", "message": "Operation terminated"}


def test_nothing_is_done_where_nothing_runs():
    application = recorded("synced_healthy")
    order = TerminateOrder(application)
    assert judged(order, application) == (READY, "", Action.NONE)
    assert order.changed is False
    assert order.plan() == order.report() == {"terminated": False, "phase": "", "message": ""}
    # One that begins later is not ours to end.
    assert judged(order, recorded("retrying")) == (READY, "", Action.NONE)


@pytest.mark.parametrize("change", ["time", "initiator", "not begun"])
def test_an_operation_that_began_after_the_order_is_left_alone(change):
    application = recorded("retrying")
    order = TerminateOrder(application)
    later = state_of(application)
    if change == "time":
        later["status"]["operationState"]["startedAt"] = "2026-11-24T16:20:22Z"
    elif change == "initiator":
        later["operation"]["initiatedBy"] = {"username": "somebody"}
    else:
        later["status"]["operationState"] = None
    assert judged(order, later) == (READY, "", Action.NONE)
    assert order.report() == {"terminated": False} | {
        key: application["status"]["operationState"][key] for key in ("phase", "message")
    }


def test_an_operation_that_is_being_ended_already_is_waited_for():
    application = state_of(recorded("retrying"), phase="Terminating")
    order = TerminateOrder(application)
    assert order.plan()["terminated"] is False
    state, _reason, action = judged(order, application)
    assert (state, action) == (WAIT, Action.NONE)


def test_what_has_not_begun_gets_five_seconds_to_begin():
    application = recorded("retrying")
    application["status"].pop("operationState")
    order = TerminateOrder(application)
    assert order.plan()["terminated"] is True
    words = "operation of automated sync, which has not begun"
    assert judged(order, application, 4.9) == (WAIT, words, Action.NONE)
    assert judged(order, application, 5.0) == (WAIT, words, Action.TERMINATE)
    assert order.write(application, Action.TERMINATE) == {"metadata": {"resourceVersion": "7267"}, "operation": None}
    # It began in the meantime: then it is ended as any other, and that is still the same one.
    assert judged(order, recorded("retrying"))[2] is Action.TERMINATE
    again = state_of(recorded("retrying"), startedAt="2026-11-24T16:30:00Z")
    assert judged(order, again) == (READY, "", Action.NONE)


def test_people_are_told_whose_operation_it_is():
    application = recorded("retrying")
    application["status"]["operationState"]["message"] = ""
    assert running(application) == "of automated sync, Running since 2026-11-24T16:20:21Z"
    application["operation"]["initiatedBy"] = {"username": "somebody"}
    assert running(application) == "of somebody, Running since 2026-11-24T16:20:21Z"
    application["operation"].pop("initiatedBy")
    assert running(application) == "of an unknown client, Running since 2026-11-24T16:20:21Z"
    assert running(recorded("synced_healthy")) == ""
