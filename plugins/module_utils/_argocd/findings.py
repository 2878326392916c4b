# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that the status of an Application does not contain, read from its objects in the cluster.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import holders
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import rewriters
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Code
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

READERS: dict[Code, Callable[[Api, Application], list[str]]] = {Code.DELETING: holders, Code.DRIFT: rewriters}
READ_SECONDS = 5.0


class Findings:
    """Reads the objects that a verdict is about in a thread; the next verdict includes the result."""

    def __init__(self, api: Api, requests: Counter[str]) -> None:
        self.api, self.requests = api, requests
        self.reading: set[str] = set()
        self.read_at: dict[str, float] = {}

    def read(self, entry: Tracked, now: float) -> None:
        """Begin to read where the verdict needs it, unless that was done a moment ago."""
        code, application = entry.verdict.code, entry.application
        lately = now - self.read_at.get(entry.name, now - READ_SECONDS) < READ_SECONDS
        if code not in READERS or application is None or entry.name in self.reading or lately:
            return
        self.reading.add(entry.name)
        self.read_at[entry.name] = now
        self.requests["read"] += 1
        threading.Thread(target=self._take, args=(entry, code, application), daemon=True).start()

    def _take(self, entry: Tracked, code: Code, application: Application) -> None:
        try:
            found = tuple(READERS[code](self.api, application))
            # Between two writes of another manager nothing differs; the earlier finding stays valid.
            if found or code != Code.DRIFT:
                entry.live[code] = found
        except GitopsError:
            pass  # the verdict stands without it
        finally:
            self.reading.discard(entry.name)
