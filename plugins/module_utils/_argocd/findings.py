# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that the status of an Application does not contain, read from its objects in the cluster.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.causes import APPLICATIONS, findings_of
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import holders
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import rewriters
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import FAILED, READY, Code
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding

READERS: dict[Code, Callable[[Api, Application], Sequence[str | Finding]]] = {
    Code.DELETING: holders,
    Code.DRIFT: rewriters,
}
READ_SECONDS = 5.0
# Of these the lowest cause is looked for. What is on its way has a moment for it first.
CAUSES = (Code.DEGRADED, Code.SYNC_FAILED, Code.HEALTH, Code.SYNCING)
WORST = (Code.DEGRADED, Code.SYNC_FAILED)
LOOK_SECONDS = 3.0
MOST_READ_SECONDS = 30.0
FORGET_SECONDS = 60.0
FINISH_SECONDS = 5.0


class Findings:
    """Reads the objects that a verdict is about in a thread; the next verdict includes the result."""

    def __init__(self, api: Api, requests: Counter[str], log_lines: int = 0) -> None:
        self.api, self.requests, self.log_lines = api, requests, log_lines
        self.reading: set[str] = set()
        self.read_at: dict[str, float] = {}
        self.looked: dict[str, tuple[float, Code]] = {}  # when and about what the causes were looked for last

    def read(self, entry: Tracked, now: float) -> None:
        """Begin to read where the verdict needs it, unless that was done a moment ago."""
        if entry.name in self.reading:
            return
        code = entry.found.code
        if code in CAUSES:
            self._forget(entry, now)
            if self._looks(entry, now):
                self._start(entry, code, now)
        elif self._reads(entry, now):
            self._start(entry, entry.verdict.code, now)

    def _reads(self, entry: Tracked, now: float) -> bool:
        lately = now - self.read_at.get(entry.name, now - READ_SECONDS) < READ_SECONDS
        return entry.verdict.code in READERS and not lately

    def _looks(self, entry: Tracked, now: float) -> bool:
        """Return whether the causes are to be looked for: less often the longer it lasts, and only of the worst."""
        lasted = now - entry.since
        last = self.looked.get(entry.name)
        if last is None:
            return (lasted >= LOOK_SECONDS or entry.found.state == FAILED) and self._has_place(entry)
        return now - last[0] >= min(max(READ_SECONDS, lasted / 4), MOST_READ_SECONDS)

    def _has_place(self, entry: Tracked) -> bool:
        """Return whether an Application is among those that are looked at; a worse one takes the place of another."""
        if len(self.looked) < APPLICATIONS:
            return True
        better = next((name for name, (_at, code) in self.looked.items() if code not in WORST), None)
        if entry.found.code not in WORST or better is None:
            return False
        del self.looked[better]
        return True

    def _forget(self, entry: Tracked, now: float) -> None:
        """Forget what was found before the reason began, and who is not looked at any more."""
        self.looked = {name: last for name, last in self.looked.items() if now - last[0] < FORGET_SECONDS}
        if entry.name in self.looked and self.looked[entry.name][0] < entry.since:
            del self.looked[entry.name]
        if entry.name not in self.looked:
            entry.live.pop(entry.found.code, None)

    def finish(self, entries: Iterable[Tracked]) -> None:
        """Look once more for the causes of the worst, before a wait ends, and wait for the answers."""
        now = time.monotonic()
        left = [
            entry
            for entry in entries
            if entry.verdict.state != READY
            and entry.found.code in CAUSES
            and entry.application is not None
            and now - self.looked.get(entry.name, (0.0, Code.HEALTH))[0] >= LOOK_SECONDS
        ]
        left.sort(key=lambda entry: (entry.verdict.state != FAILED, entry.found.code not in WORST, entry.since))
        worst = [entry for entry in left[:APPLICATIONS] if entry.name not in self.reading]
        threads = [self._start(entry, entry.found.code, now) for entry in worst]
        for thread in threads:
            thread.join(max(0.0, now + FINISH_SECONDS - time.monotonic()))

    def _start(self, entry: Tracked, code: Code, now: float) -> threading.Thread:
        self.reading.add(entry.name)
        if code in CAUSES:
            self.looked[entry.name] = now, code
        else:
            self.read_at[entry.name] = now
            self.requests["read"] += 1
        thread = threading.Thread(target=self._take, args=(entry, code, entry.application), daemon=True)
        thread.start()
        return thread

    def _take(self, entry: Tracked, code: Code, application: Application | None) -> None:
        try:
            found = tuple(self._found(code, application) if application else ())
            # Between two writes of another manager nothing differs; the earlier finding stays valid.
            if found or code != Code.DRIFT:
                entry.live[code] = found
        except GitopsError:
            pass  # the verdict stands without it
        finally:
            self.reading.discard(entry.name)

    def _found(self, code: Code, application: Application) -> Sequence[str | Finding]:
        if code in CAUSES:
            return findings_of(self.api, application, self.requests, self.log_lines)
        return READERS[code](self.api, application)
