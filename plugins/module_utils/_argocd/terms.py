# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms in which a wait judges Applications.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import NO_FAILURE, Failure
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding


class State(StrEnum):
    """Whether to wait on."""

    WAIT = "waiting"
    READY = "ready"
    FAILED = "failed"


class Code(StrEnum):
    """The rule that decided, so that the caller can act on it."""

    NOT_FOUND = "not-found"  # the Application does not exist
    REFRESHING = "refreshing"  # its status is not newer than the wait
    SKIP_RECONCILE = "skip-reconcile"  # an annotation makes the controller ignore it
    DELETING = "deleting"  # it is being deleted
    ERROR = "error"  # its manifests cannot be rendered or compared
    SYNC_WINDOW = "sync-window"  # a sync window blocks its operation, or keeps automated sync from beginning one
    SUPERSEDED = "superseded"  # its operation can only fail, or syncs an older revision
    STARTING = "starting"  # its operation has not begun
    SYNCING = "syncing"  # its operation runs
    TERMINATING = "terminating"  # its operation is being ended
    POST_SYNC = "post-sync"  # the result of its operation is not in the status yet
    REVISION = "revision"  # it was compared with another revision
    SYNC_FAILED = "sync-failed"  # its sync has finally failed
    REJECTED = "rejected"  # its sync fails again and again for a reason that no further attempt changes
    DEPENDENCY = "dependency"  # an Application that it depends on has failed
    SHARED = "shared"  # it shares an object with another Application
    MOVING = "moving"  # a shared object may be on its way to another Application
    UNKNOWN = "unknown"  # its sync status is not known
    MANUAL = "manual"  # it is OutOfSync and automated sync is off
    PRUNE = "prune"  # it has resources to prune and automated pruning is off
    OUT_OF_SYNC = "out-of-sync"  # automated sync will begin
    EMPTY = "empty"  # Git has none of its objects any more, and automated sync does not delete all
    LEAVING = "leaving"  # an object that is out of sync is being deleted
    LEFTOVER = "leftover"  # Prune=false keeps what left Git
    DRIFT = "drift"  # it was changed in the cluster
    HEALTH = "health"  # it is not healthy yet
    DEGRADED = "degraded"  # it is Degraded
    SUSPENDED = "suspended"  # one of its objects is paused or suspended
    SELF_HEAL = "self-heal"  # it has just been healed
    READY = "ready"  # nothing is missing
    SETTLING = "settling"  # it must stay ready for a while
    RESYNC = "resync"  # this wait syncs it
    REFUSED = "refused"  # Argo CD's API server would not sync it
    CONFLICT = "conflict"  # another operation runs
    REPLACED = "replaced"  # another operation took the place of ours before its result was seen
    PAUSED = "paused"  # people have switched its automated sync off for a while
    SKIPPED = "skipped"  # it is in order, and only what is not was to be synced


WAIT, READY, FAILED = State


@dataclass(frozen=True)
class Request:
    """What must be true of an Application."""

    sync: bool = True
    health: frozenset[str] | None = frozenset({"Healthy"})
    operation: bool = True
    revisions: tuple[str, ...] = ()
    allow_degraded_seconds: float = 60.0


@dataclass(frozen=True)
class Sync:
    """What a sync does. Without `prune` it prunes where automated sync does."""

    revisions: tuple[str, ...] = ()
    prune: bool | None = None
    dry_run: bool = False
    force: bool = False
    replace: bool = False
    resources: tuple[Mapping[str, str], ...] = ()
    only_out_of_sync: bool = False
    deployed: Mapping[str, Any] | None = None  # entry of the history that a rollback returns to


WHOLE = Sync()


@dataclass(frozen=True)
class Evidence:
    """What other objects say about a question; `final` tells that it stays so until somebody acts."""

    text: str = ""
    final: bool = False


@dataclass(frozen=True)
class Seen:
    """What the caller knows in addition to the object.

    `seconds` is how long the reason has lasted, and `error_rounds` how often a reconcile confirmed it. `quiet_seconds`
    is how long ago the end of the last operation was observed. `overtaking` is a revision that appeared while an
    older one was being synced, `synced` one of which the end of a sync was observed, with no correction since then but
    a first self-heal. `live` has the findings in the live objects. `others` are all Applications of the
    namespace by name; `complaining` names those that say that they share an object, `stale` those whose status is older
    than the wait, and `shared` those that failed already, because they share an object at the commit that they still
    have. `failure` is what the last attempts of the operation said, `causes` what is found below the objects that are
    not healthy, `final_seconds` how long one of these is known that cannot get better by itself, `refused_seconds` for
    how long each reconcile said that the repo-server refuses connections, and `evidence` what other objects say, by
    question (evidence.py); a question without an answer is not in it.
    """

    seconds: float = 0.0
    error_rounds: int = 0
    quiet_seconds: float = 0.0
    overtaking: tuple[str, ...] = ()
    synced: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    others: Mapping[str, Application] = field(default_factory=dict)
    complaining: Collection[str] = ()
    stale: Set[str] = frozenset()
    shared: Set[str] = frozenset()
    failure: Failure = NO_FAILURE
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    causes: tuple[Finding, ...] = ()
    final_seconds: float = 0.0
    refused_seconds: float = 0.0


NOTHING_SEEN = Seen()


@dataclass(frozen=True)
class Verdict:
    """The result. `reason` is a text for users.

    Where it is known, `since` is when that began by the clock of the controller, `cause` the lowest cause alone, and
    `next_step` the command that goes on from there; otherwise the page about the code does.
    """

    state: State
    code: Code
    reason: str = ""
    since: str = ""
    cause: str = ""
    next_step: str = ""


class Action(Enum):
    """What a wait does about an Application."""

    NONE = "wait"
    REFRESH = "request a refresh"
    SYNC = "start a sync"
    TERMINATE = "terminate the operation"


@dataclass(frozen=True)
class Decision:
    """What a wait decides about an Application. `held` tells that it depends on one that is not ready yet."""

    verdict: Verdict
    action: Action
    held: bool = False


class Order(ABC):
    """What is done about the operation of an Application before its state is judged."""

    needs_proof = False  # whether it begins with a status that is newer than the wait

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Return whether the Application is judged as without an order."""

    @property
    @abstractmethod
    def changed(self) -> bool:
        """Return whether this has changed anything."""

    @abstractmethod
    def observe(self, application: Application) -> None:
        """Record a version of the Application."""

    @abstractmethod
    def judge(self, application: Application, seconds: float) -> Decision:
        """Return what to say and what to do now; the reason has lasted so many seconds."""

    @abstractmethod
    def write(self, application: Application, action: Action) -> dict[str, Any]:
        """Return the patch that does what was decided about a version."""

    @abstractmethod
    def written(self, action: Action) -> None:
        """Record that the API server has accepted it."""

    @abstractmethod
    def record(self, found: Verdict) -> None:
        """Record what was said, where that is final."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """Return the part of the result that is about the operation."""


@dataclass
class Options:
    """How to wait. Without `request` a fresh status is enough. `done` says for people what is waited for.

    The module that waits takes its defaults from here.
    """

    request: Request | None
    refresh: str = "normal"
    timeout: float = 300.0
    refresh_timeout: float = 60
    stable_for: float = 0
    not_found_grace: float = 10
    applicationsets: Collection[str] = ()  # each of which must have an Application
    fail_fast: bool = False
    resync_failed: bool = False
    resync_limit: int = 3
    sync_manual: bool = False
    touched: Collection[str] | None = None  # names of Applications that a commit changes; None: possibly all
    untouched_timeout: float = 120
    depends_on: dict[str, list[str]] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)  # by name of the Application
    paused: Mapping[str, Any] | None = None  # records of pauses by name; without them nobody asks for pauses
    allow_paused: bool = False  # whether one that is paused may be in any state
    log_lines: int = 0  # how many lines of the log of a container that has ended are in a reason
    done: str = "ready"
