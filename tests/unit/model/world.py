# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of the model together: what it is made of, what disturbs it, and what is true in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.healing import healed
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    REFRESH,
    STAMP,
    Application,
    operation_revisions,
    operation_state,
)

from .applicationsets import ApplicationSets
from .argocd import BAD, Controller
from .cluster import Cluster, Content, Git, Live, Store, sha
from .schedule import Schedule

NAMES = ("a", "b")
# Seconds within which every step of a controller that is not busy happens: what is late by more of them than its
# answer to a refresh and one more comparison take, no wait can know.
PACE = 0.02
LATE = (
    "",
    "controller: cache",
    "controller: informer",
    "ApplicationSet controller",
    "watch",
    "a: refresh",
    "a: operation",
)
FAULTS = frozenset(("manifest", "rejected", "hook", "image", "rewritten", "stop", "change that nobody heals"))
# Within this time what happens is known to the wait, while the controller works.
KNOWN_SECONDS = 0.5
SILENCE = "Git does not answer for 5 s"


@dataclass(frozen=True)
class Setting:
    """What is chosen once."""

    stamps: bool = True  # whether the controller knows the timestamps of requests, as 3.6 does
    generated: bool = False  # whether an ApplicationSet generates the Applications
    heals: bool = True  # whether self-heal is on
    pace: float = PACE
    fresh: bool = False  # whether the Applications have just been made
    alone: bool = False  # whether there is only one
    unprocessed: bool = False  # whether the last comparison began in the second in which the last sync ended
    laggard: str = ""  # which of LATE is always as late as it can be


class World:
    """Git, the cluster, Argo CD and the API server."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.names = setting, NAMES[:1] if setting.alone else NAMES
        self.schedule = Schedule(setting.pace, setting.laggard)
        self.git = Git({name: Content(f"{name} 0") for name in NAMES})
        self.store, self.cluster = Store(self.schedule), Cluster(self.schedule)
        for name in self.names:
            self._make(name)
        self.controller = Controller(self.schedule, self.store, self.cluster, self.git, setting.stamps)
        if setting.generated:
            ApplicationSets(self.schedule, self.store, self.spec("generated"))
        self.required = ""  # the commit that is waited for
        self.asked_at = 0.0  # when the question was put, and which commit was the newest then
        self.asked_of = 0
        self.true_at: dict[str, float] = {}  # when each Application was last what is wanted, since the question
        self.is_late = False  # whether the controller may know of a change for longer than its steps take
        self.hidden = ""  # what the API server does with the next request: nothing, refuses or loses
        self.breaks = False  # whether the next watch breaks
        self.replays = 0  # how many events the next watch begins with again
        self.unanswered = False
        self.schedule.after_step = self.look

    def spec(self, name: str) -> dict[str, Any]:
        """Return the specification of an Application."""
        source = {"repoURL": "file:///git", "targetRevision": "main", "path": name}
        automated = {"prune": True, "selfHeal": self.setting.heals}
        return {"project": "p", "source": source, "syncPolicy": {"automated": automated, "retry": {"limit": 1}}}

    def _make(self, name: str) -> None:
        """Make an Application, and unless it is new what a sync of the first commit has left."""
        if self.setting.fresh:
            self.store.create(name, self.spec(name))
            return
        value, head, then = f"{name} 0", self.git.head, "2026-11-25T00:00:00Z"
        self.cluster.live[name] = Live(value, value)
        operation = {"sync": {"revision": head}, "initiatedBy": {"automated": True}}
        state = {"phase": "Succeeded", "operation": operation, "startedAt": then, "finishedAt": then}
        state["syncResult"] = {"revision": head, "resources": []}
        status = {"sync": {"status": "Synced", "revision": head}, "health": {"status": "Healthy"}, "conditions": []}
        reconciled = then if self.setting.unprocessed else "2026-11-25T00:00:01Z"
        status |= {"operationState": state, "reconciledAt": reconciled, "resources": []}
        self.store.create(name, self.spec(name), status=status)

    # --- what is true ------------------------------------------------------------------------------------------------

    def is_true(self, name: str) -> bool:
        """Return whether an Application is what is wanted of it, and nothing is being done about it.

        Wanted is the required commit, or any that was the newest one at some time since the question.
        """
        app = self.store.items.get(name)
        if app is None or app["metadata"].get("deletionTimestamp") or app.get("operation"):
            return False
        newest = range(self.asked_of, len(self.git.commits))
        return any(
            self._is_at(commit, name, app) for commit in ([self.required] if self.required else map(sha, newest))
        )

    def _is_at(self, commit: str, name: str, app: Application) -> bool:
        content, live, state = self.git.content(commit, name), self.cluster.live.get(name, Live()), operation_state(app)
        failed = state.get("phase") in BAD and operation_revisions(state) in ((commit,), ())
        wanted = content.fault != "manifest" and (live.value, live.health) == (content.value, "Healthy")
        # What was rewritten and healed once will be rewritten again; before that nobody can know.
        fought = name in self.cluster.fought and healed(state)
        return wanted and not failed and not fought

    def look(self) -> None:
        """Remember what is true now."""
        self.true_at |= {name: self.schedule.now for name in self.names if self.is_true(name)}

    def ask(self, required: str) -> None:
        """Begin anew to remember what is true; perhaps only of one commit."""
        self.required, self.asked_at, self.asked_of = required, self.schedule.now, len(self.git.commits) - 1
        self.true_at = {}
        self.look()

    def lies(self, name: str) -> bool:
        """Return whether it would be wrong to call an Application ready now."""
        self.look()
        since = self.asked_at if self.is_late else max(self.asked_at, self.schedule.now - KNOWN_SECONDS)
        return self.true_at.get(name, -1.0) < since

    # --- what disturbs it --------------------------------------------------------------------------------------------

    def disturbances(self) -> dict[str, Callable[[], None]]:
        """Return what may happen at any time and harms nothing for long."""
        changes: dict[str, Callable[[], None]] = {
            "restart": self.restart,
            "stop for 10 s": self.stop,
            "controller overlooks a change": self.overlook,
            SILENCE: self.silence,
            "watch breaks": lambda: setattr(self, "breaks", True),
            "history is dropped": lambda: setattr(self.store, "oldest", self.store.version),
            "events are replayed": lambda: setattr(self, "replays", 4),
            "request is refused": lambda: setattr(self, "hidden", "refused"),
            "answer is lost": lambda: setattr(self, "hidden", "lost"),
            "push": lambda: self.push("a", Content(f"a {len(self.git.commits)}")),
            "push for the other one": lambda: self.push("b", Content(f"b {len(self.git.commits)}")),
            "refresh by a person": lambda: self.refresh("a", {}),
            "refresh by the CLI": lambda: self.refresh("a", {STAMP: f"cli {self.store.version}"}),
            "sync by a person": self.sync,
            "pods fail for 5 s": self.degrade,
        }
        if self.setting.heals:
            changes["change in the cluster"] = lambda: self.cluster.apply("a", "changed by hand")
        if self.setting.generated:
            changes["deletion"] = lambda: self.store.delete("a") if "a" in self.store.items else None
        return changes

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what stays wrong."""
        number = len(self.git.commits)
        found: dict[str, Callable[[], None]] = {
            fault: lambda fault=fault: self.push("a", Content(f"a {number}", fault))
            for fault in ("manifest", "rejected", "hook", "image")
        }
        found["stop"] = self.end
        if not self.setting.heals:
            found["change that nobody heals"] = lambda: self.cluster.apply("a", "changed by hand")
        found["rewritten"] = lambda: self.schedule.start("manager", self.cluster.rewrite("a", 3.0))
        return found

    def push(self, name: str, content: Content) -> None:
        """Push a commit."""
        self.git.push(**{name: content})

    def overlook(self) -> None:
        """Let the controller miss the next change of a live object."""
        self.controller.overlooks = self.is_late = True

    def restart(self) -> None:
        """Restart the controller."""
        self.is_late = True
        self.controller.stop()
        self.controller.begin()

    def stop(self) -> None:
        """Stop the controller for a while."""
        self.is_late = True
        self.controller.stop()
        self.schedule.start("start of the controller", self._begin(), after=10.0)

    def end(self) -> None:
        """Stop the controller for good."""
        self.is_late = True
        self.controller.stop()

    def _begin(self) -> Any:
        self.controller.begin()
        yield None

    def silence(self) -> None:
        """Let Git be silent for a while."""
        self.git.answers = False
        self.schedule.start("Git answers again", self._answer(), after=5.0)

    def _answer(self) -> Any:
        self.git.answers = True
        yield None

    def degrade(self) -> None:
        """Let the pods fail for a while."""
        self.cluster.set("a", degraded=True)
        self.schedule.start("pods recover", self._recover(), after=5.0)

    def _recover(self) -> Any:
        self.cluster.set("a", degraded=False)
        yield None

    def sync(self) -> None:
        """Start a sync as argocd-server does, unless an operation runs."""
        if not self.store.items.get("a", {"operation": True}).get("operation"):
            operation = {"sync": {"prune": True}, "initiatedBy": {"username": "admin"}, "retry": {"limit": 1}}
            self.store.patch("a", {"operation": operation, "status": {"operationState": None}})

    def refresh(self, name: str, more: dict[str, str]) -> None:
        """Request a refresh as another client does."""
        self.store.patch(name, {"metadata": {"annotations": {REFRESH: "normal"} | more}})
