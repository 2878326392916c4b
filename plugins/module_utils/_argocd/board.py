# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Applications that a wait follows: what is known of them, and what is decided about them.

An event costs what one Application costs, however many there are: judged is what changed, and what is due because time
alone may change it.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.decision import Moment, decide, find, settled_at
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.shared import is_complaining, rivals
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    reconciled_at,
    revisions_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Evidence,
    Options,
    Seen,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.turns import Turns

# Seconds after which an Application is judged again although nothing happened to it, and how many in a second at most;
# while a refresh is on its way less often, because then only a controller that stands still is news. One whose refresh
# waits for its turn is judged when the controller is found to stand still: nothing else changes what is said of it.
LOOK_AGAIN, LOOK_AGAIN_REFRESHING = 0.2, 0.6
JUDGED_PER_SECOND, JUDGED_PER_SECOND_REFRESHING = 1000, 50


class Agenda:
    """When to judge whom again although nothing happens."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.heap: list[tuple[float, str]] = []  # also has what is not valid any more

    def put(self, name: str, at: float | None) -> None:
        """Have an Application judged again, or not."""
        self.at.pop(name, None)
        if at is not None:
            self.at[name] = at
            heapq.heappush(self.heap, (at, name))

    def due(self, now: float) -> Iterator[str]:
        """Yield the names of those that are due."""
        while self.heap and self.heap[0][0] <= now:
            at, name = heapq.heappop(self.heap)
            if self.at.get(name) == at:
                del self.at[name]
                yield name

    def idle_seconds(self, least: float) -> float:
        """Return for how long nobody is due, but no less than a moment: a wait that looks more often only looks."""
        while self.heap and self.at.get(self.heap[0][1]) != self.heap[0][0]:
            heapq.heappop(self.heap)
        return min(LOOK_AGAIN, max(least, self.heap[0][0] - time.monotonic())) if self.heap else LOOK_AGAIN


class Board:
    """Keeps the Applications, judges them, and says which are waiting, which have failed, and what is to be done."""

    def __init__(
        self, options: Options, names: Iterable[str], selects: Callable[[Application], bool], now: float
    ) -> None:
        self.options, self.selects, self.started = options, selects, now
        self.tracked = {name: Tracked(name, now, options.orders.get(name)) for name in names}
        self.explicit = frozenset(self.tracked)
        self.others: dict[str, Application] = {}  # all Applications, also those that are not waited for
        self.rivals: dict[str, set[str]] = {}  # of those that complain that they share an object, with whom
        self.stale: set[str] = set()
        self.shared: set[str] = set()
        self.known = Seen(others=self.others, complaining=self.rivals, stale=self.stale, shared=self.shared)
        self.dependents: dict[str, list[str]] = {}
        for name, needs in options.depends_on.items():
            for need in needs:
                self.dependents.setdefault(need, []).append(name)
        self.turns = Turns(now)
        self.changed = dict.fromkeys(self.tracked)  # names, in order
        self.agenda = Agenda()
        self.waiting: set[str] = set()
        self.failed: set[str] = set()
        self.notable: set[str] = set()  # of both, but for those whose turn to be refreshed has not come
        self.to_write: dict[str, None] = {}  # names of those for which an operation is to be started or ended
        self.to_refresh: dict[str, None] = {}  # and of those that are to be refreshed, in order

    # --- what is seen ------------------------------------------------------------------------------------------------

    def replace(self, items: list[Application]) -> None:
        """Record a list of all Applications; versions between this one and the one before may have been missed."""
        present = {item["metadata"]["name"] for item in items}
        for name in [name for name in self.others if name not in present]:
            self.observe(self.others[name], deleted=True, unbroken=False)
        for name, entry in list(self.tracked.items()):
            if name not in present and entry.application is not None:
                self._forget(name)
        # What was compared longest ago the controller compares next by itself: asked now, it need not do that twice.
        for item in sorted(items, key=reconciled_at):
            self.changed.pop(item["metadata"]["name"], None)
            self.observe(item, deleted=False, unbroken=False)

    def observe(self, item: Application, deleted: bool, unbroken: bool) -> None:
        """Record a version of an Application."""
        name = item["metadata"]["name"]
        if not deleted:
            self.turns.see(name, reconciled_at(item), time.monotonic())
        if deleted:
            self.others.pop(name, None)
            if name in self.tracked:
                self._forget(name)
        elif name in self.tracked or self.selects(item):
            entry = self.tracked.get(name)
            if entry is None:
                entry = self.tracked[name] = Tracked(name, time.monotonic())
            self.update(entry, lambda: entry.observe(item, unbroken))
        else:
            self.others[name] = item
        self._look_at_rivals(name)

    def update(self, entry: Tracked, change: Callable[[], None]) -> None:
        """Change what is known of an Application, which may answer the request for a refresh."""
        name, barrier = entry.name, entry.barrier
        answers = barrier.answers
        change()
        if self.tracked.get(name) is not entry:
            return
        if barrier.is_pending or barrier.answers > answers:
            self.turns.ask(name, barrier.asked_at)
        if barrier.answers > answers:
            self.turns.answer(name, time.monotonic())
        elif not barrier.is_pending:
            self.turns.forget(name)
        if entry.application is None:
            self.others.pop(name, None)
        else:
            self.others[name] = entry.application
        self.changed[name] = None

    def _forget(self, name: str) -> None:
        """Drop an Application that is gone, unless it was asked for by name: then it must come back."""
        entry = self.tracked[name]
        if name in self.explicit:
            self.update(entry, lambda: entry.observe(None, unbroken=True))
            return
        del self.tracked[name]
        self.turns.forget(name)
        for names in (self.stale, self.shared, self.waiting, self.failed, self.notable):
            names.discard(name)
        for line in (self.changed, self.to_write, self.to_refresh):
            line.pop(name, None)
        self.agenda.put(name, None)

    def _look_at_rivals(self, name: str) -> None:
        """Have everybody judged again whom the new version of an Application concerns because they share an object."""
        item = self.others.get(name)
        concerned = [(one, others) for one, others in self.rivals.items() if name == one or name in others]
        self.rivals.pop(name, None)
        if item is not None and is_complaining(item):
            self.rivals[name] = rivals(item, self.others)
            concerned.append((name, self.rivals[name]))
        for one, others in concerned:
            self.changed.update(dict.fromkeys(each for each in (one, *others) if each in self.tracked))

    # --- what is decided ---------------------------------------------------------------------------------------------

    def judge(self, now: float, answering: bool, evidence: Mapping[str, Evidence]) -> list[Tracked]:
        """Judge what changed and what is due, then decide about it and about what depends on it; return that."""
        self.changed |= dict.fromkeys(self.agenda.due(now))
        moment, known = Moment(now, self.started, answering), replace(self.known, evidence=evidence)
        entries = [self.tracked[name] for name in self.changed if self.tracked[name].held is None]
        self.changed.clear()
        for entry in entries:
            self._index(entry, now)
        for entry in entries:
            entry.find(find(entry, self.options, known, moment), now)
        affected = self._with_dependents(entries)
        verdicts, decided, failed = {entry.name: entry.found for entry in affected}, set[str](), len(self.failed)
        for entry in affected:
            self._decide(entry, moment, verdicts, decided)
        if len(self.failed) > failed and any(stands_still(entry) for entry in affected):
            self.changed |= self.to_refresh
        return affected

    def unready(self) -> Iterator[Tracked]:
        """Return the Applications that are not ready, but for those whose turn has not come."""
        return (self.tracked[name] for name in sorted(self.notable))

    def look_at_all(self) -> None:
        """Have everything judged again that is not ready, so that what is said of it is true now."""
        self.changed |= dict.fromkeys(sorted(self.waiting | self.failed))

    def next_to_do(self, now: float) -> Tracked | None:
        """Return the next Application about which something is to be done now; of refreshes only some at a time."""
        line = self.to_write or (self.to_refresh if self.to_refresh and self.turns.may_ask(now) else None)
        if not line:
            return None
        name = next(iter(line))
        del line[name]
        return self.tracked[name]

    def _index(self, entry: Tracked, now: float) -> None:
        """Record what all Applications together say about each of them, as far as this one has a part in it."""
        application, barrier = entry.application, entry.barrier
        barrier.turn_at = self.turns.since(entry.name, now)
        proves = self.options.refresh != "none"
        is_stale = application is not None and proves and not barrier.is_fresh
        (self.stale.add if is_stale else self.stale.discard)(entry.name)
        is_shared = entry.shared_at is not None and entry.shared_at == revisions_of(application or {})
        (self.shared.add if is_shared else self.shared.discard)(entry.name)

    def _with_dependents(self, entries: list[Tracked]) -> list[Tracked]:
        """Return Applications with those that depend on them; what is ready does not ask what it depends on."""
        found = {entry.name: entry for entry in entries}
        line = list(found)
        while line:
            for name in self.dependents.get(line.pop(), ()):
                entry = self.tracked.get(name)
                if entry and name not in found and entry.held is None and entry.verdict.state != READY:
                    found[name] = entry
                    line.append(name)
        return list(found.values())

    def _decide(self, entry: Tracked, moment: Moment, verdicts: dict[str, Verdict], decided: set[str]) -> None:
        """Decide about the dependencies of an Application first; in a cycle of them what was found counts."""
        if entry.name in decided:
            return
        decided.add(entry.name)
        needs = [need for need in self.options.depends_on.get(entry.name, []) if need in self.tracked]
        for need in needs:
            if need in verdicts:
                self._decide(self.tracked[need], moment, verdicts, decided)
        of_needs = {need: verdicts.get(need, self.tracked[need].verdict) for need in needs}
        entry.decide(decide(entry, self.options, of_needs, moment), moment.now)
        verdicts[entry.name] = entry.verdict
        self._file(entry, moment.now)

    def _file(self, entry: Tracked, now: float) -> None:
        """Put an Application where it is found without looking at all of them."""
        name, verdict = entry.name, entry.verdict
        action = Action.NONE if entry.is_refused(now) else entry.decision.action
        (self.waiting.add if verdict.state == WAIT else self.waiting.discard)(name)
        (self.failed.add if verdict.state == FAILED else self.failed.discard)(name)
        writes = action in (Action.SYNC, Action.TERMINATE)
        for line, is_in_it in ((self.to_write, writes), (self.to_refresh, action is Action.REFRESH)):
            if is_in_it:
                line.setdefault(name)
            else:
                line.pop(name, None)
        waits = entry.found.code is Code.REFRESHING and name in self.to_refresh and name not in self.turns.pending
        (self.notable.discard if verdict.state == READY or waits else self.notable.add)(name)
        self.agenda.put(name, None if verdict.state == READY or waits else now + self._pause(entry, now))

    def _pause(self, entry: Tracked, now: float) -> float:
        """Return how long an Application need not be judged when nothing happens; of thousands only some at a time."""
        if entry.verdict.code == Code.SETTLING:
            return settled_at(entry, self.options) - now
        if entry.found.code is Code.REFRESHING:
            return max(LOOK_AGAIN_REFRESHING, len(self.turns.pending) / JUDGED_PER_SECOND_REFRESHING)
        return max(LOOK_AGAIN, len(self.notable) / JUDGED_PER_SECOND)


def stands_still(entry: Tracked) -> bool:
    """Return whether an Application has failed because the controller answers no request."""
    return (entry.found.code, entry.verdict.state) == (Code.REFRESHING, FAILED)
