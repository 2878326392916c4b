# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the status of an Application is newer than the question.

A status counts only once the controller has answered a refresh request that was made after the wait began. On Argo CD
3.6 the timestamp of a request proves it: the controller removes request and timestamp in one write, and only if its
reconcile began with them. Otherwise the first answer may come from an older reconcile; the second one cannot.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
import uuid
from enum import Enum

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import REFRESH, STAMP, Application

# Seconds until a request without an answer is made again. The controller can overlook one: it puts what its own writes
# return into its cache without comparing versions, also over a newer version that has the request (writeBackToInformer
# in controller/appcontroller.go at v3.6.1). The next change of the Application ends that.
ASK_AGAIN = (5, 10, 20)


class Proof(Enum):
    """What is known about the status, and whether a request is pending."""

    NONE = "nothing was asked since the Application appeared"
    ASKED = "a request is pending"
    DOUBTFUL = "a request was answered, perhaps by a reconcile that began before it"
    ASKED_AGAIN = "a second request is pending"
    FRESH = "the status is newer than the wait"
    CONFIRMING = "the status is newer than the wait, and a further request is pending"


ASK = {Proof.NONE: Proof.ASKED, Proof.DOUBTFUL: Proof.ASKED_AGAIN, Proof.FRESH: Proof.CONFIRMING}
WITHDRAW = {pending: idle for idle, pending in ASK.items()}
PENDING = tuple(WITHDRAW)  # found by identity, which takes less time than the hash of an enumeration
ANSWER = {Proof.ASKED: Proof.DOUBTFUL, Proof.ASKED_AGAIN: Proof.FRESH, Proof.CONFIRMING: Proof.FRESH}


class Barrier:
    """Follows the requests to one Application, and the versions of it that answer them."""

    def __init__(self, now: float) -> None:
        self.proof = Proof.NONE
        self.stamp = ""  # the timestamp of the last request
        self.stamped = False  # whether the latest version of the object has it
        self.floor = 0  # older versions than that of our last write are ignored
        self.asked_at = now  # when the pending request was made first
        self.repeated_at = now  # and last
        self.repeats = 0
        self.turn_at = now  # since when the controller can have got to the Application
        self.answers = 0  # how many requests were answered
        self.answered_at: float | None = None  # when the status became newer than the wait
        self.took = 0.0  # seconds from the request until that, without those in which others had their turn

    @property
    def is_fresh(self) -> bool:
        """Return whether the status counts."""
        return self.proof in (Proof.FRESH, Proof.CONFIRMING)

    @property
    def is_pending(self) -> bool:
        """Return whether a request was made and not answered yet."""
        return self.proof in PENDING

    @property
    def since(self) -> float:
        """Return from when on the Application is waited for: before that the controller was busy with others."""
        if self.is_fresh:
            return self.asked_at if self.answered_at is None else self.answered_at
        return max(self.asked_at, self.turn_at) if self.is_pending else self.turn_at

    def is_overdue(self, now: float) -> bool:
        """Return whether the pending request must be made again."""
        since = max(self.repeated_at, self.turn_at)
        return now - since >= ASK_AGAIN[min(self.repeats, len(ASK_AGAIN) - 1)]

    def reset(self) -> None:
        """Start over with an Application that was recreated."""
        self.proof, self.stamped, self.answered_at = Proof.NONE, False, None

    def new_stamp(self) -> str:
        """Return the timestamp of a new request."""
        self.stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.{uuid.uuid4().int % 10**9:09d}Z"
        return self.stamp

    def ask(self, now: float) -> None:
        """Record that a new request was made."""
        self.proof, self.asked_at, self.repeated_at, self.repeats = ASK[self.proof], now, now, 0

    def withdraw(self) -> None:
        """Record that the pending request is being taken back; what is seen of that is not an answer."""
        self.proof = WITHDRAW[self.proof]

    def repeat(self, now: float) -> None:
        """Record that the request is there again; its timestamp stayed, so an answer that is on its way counts."""
        self.proof, self.repeated_at = ASK[self.proof], now
        self.repeats += 1

    def write(self, application: Application) -> None:
        """Record the version that a write of ours returned."""
        self.floor = int(application["metadata"]["resourceVersion"])

    def is_older(self, application: Application) -> bool:
        """Return whether a version is from before our last write."""
        return int(application["metadata"]["resourceVersion"]) < self.floor

    def observe(self, application: Application, unbroken: bool) -> bool:
        """Record a version of the object; return whether it answers a request of a status that was fresh before.

        `unbroken` means that no version before it was missed.
        """
        annotations = application["metadata"].get("annotations") or {}
        before_had_stamp = self.stamped
        self.stamped = bool(self.stamp) and REFRESH in annotations and annotations.get(STAMP) == self.stamp
        if not self.is_pending or REFRESH in annotations:
            return False
        confirms = self.is_fresh
        exact = unbroken and before_had_stamp and STAMP not in annotations
        self.proof = Proof.FRESH if exact else ANSWER[self.proof]
        self.answers += 1
        if self.is_fresh and self.answered_at is None:
            self.answered_at = time.monotonic()
            self.took = self.answered_at - max(self.asked_at, self.turn_at)
        return confirms
