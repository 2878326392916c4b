# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation in progress of an Application, and its end. Functions without effects, and what is known.

The rules are those of Argo CD's API server (TerminateOperation in server/application/application.go at v3.6.1). A write
contains the version that was judged, so it never meets an operation that began after that.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import terminate_operation
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    RUNNING,
    Application,
    operation_state,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Order,
    Verdict,
)

# Seconds until an operation that the controller has not begun is withdrawn instead of terminated.
BEGIN_SECONDS = 5.0


def running(application: Application) -> str:
    """Return what people want to know of the operation in progress, or nothing."""
    operation, state = application.get("operation"), operation_state(application)
    if not operation:
        return ""
    initiator = operation.get("initiatedBy") or {}
    by = "automated sync" if initiator.get("automated") else initiator.get("username") or "an unknown client"
    if state.get("phase") not in RUNNING:
        return f"of {by}, which has not begun"
    return f"of {by}, {state['phase']} since {state.get('startedAt')}: {state.get('message', '')}".rstrip(": ")


def step(application: Application) -> Code:
    """Return how far the operation in progress is."""
    phase = operation_state(application).get("phase")
    if phase == "Terminating":
        return Code.TERMINATING
    return Code.SYNCING if phase == "Running" else Code.STARTING


def ending(application: Application, seconds: float) -> Action:
    """Return how to go on with the end of the operation in progress, which is wanted for so many seconds."""
    phase = operation_state(application).get("phase")
    if phase == "Terminating" or (phase != "Running" and seconds < BEGIN_SECONDS):
        return Action.NONE
    return Action.TERMINATE


class TerminateOrder(Order):
    """The end of the operation that an Application had when the order was given."""

    def __init__(self, application: Application) -> None:
        self.target = application.get("operation")
        self.begun = ""  # when it began, by the controller's clock
        self.ended = not self.target
        self.terminated = False
        self.state: dict[str, Any] = {}
        self.observe(application)

    @property
    def is_over(self) -> bool:
        """Return False: nothing but the end of the operation is wanted."""
        return False

    @property
    def changed(self) -> bool:
        """Return whether an operation was ended."""
        return self.terminated

    def observe(self, application: Application) -> None:
        """Record a version: whether the operation is still there, and what became of it."""
        if self.ended:
            return
        state = operation_state(application)
        if self._is_there(application):
            if state.get("phase") in RUNNING:
                self.begun, self.state = state.get("startedAt", ""), state
            return
        self.ended = True
        if self.begun and state.get("startedAt") == self.begun:
            self.state = state

    def _is_there(self, application: Application) -> bool:
        """Return whether a version still has this operation; a later one may be asked for in the same words."""
        operation, state, target = application.get("operation"), operation_state(application), self.target or {}
        if not operation or any(operation.get(key) != target.get(key) for key in ("info", "initiatedBy")):
            return False
        if self.begun:
            return state.get("phase") in RUNNING and state.get("startedAt") == self.begun
        return bool(operation == target)

    def judge(self, application: Application, seconds: float) -> Decision:
        """Return what is said about a version, and whether the operation in it is to be ended now."""
        if self.ended:
            return Decision(Verdict(READY, Code.READY), Action.NONE)
        text = f"operation {running(application)}"
        return Decision(Verdict(WAIT, step(application), text), ending(application, seconds))

    def write(self, application: Application, _action: Action) -> dict[str, Any]:
        """Return the patch that ends the operation."""
        return terminate_operation(application)

    def written(self, _action: Action) -> None:
        """Record that the API server has accepted it."""
        self.terminated = True

    def record(self, found: Verdict) -> None:
        """Record nothing: all that is final is in the versions."""

    def plan(self) -> dict[str, Any]:
        """Return what would be done; one that is being ended already is left alone."""
        return self.report() | {"terminated": not self.ended and self.state.get("phase") != "Terminating"}

    def report(self) -> dict[str, Any]:
        """Return what became of the operation."""
        return {
            "terminated": self.terminated,
            "phase": self.state.get("phase", ""),
            "message": self.state.get("message", ""),
        }
