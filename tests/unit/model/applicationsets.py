# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's ApplicationSet controller, as far as an Application shows what it does.

After createOrUpdateInCluster in applicationset/controllers/applicationset_controller.go at v3.6.1.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import STAMP, Application

from .argocd import Part
from .cluster import Store
from .schedule import Schedule


class ApplicationSets:
    """The ApplicationSet controller: it strips timestamps that it does not know, and makes again what was deleted."""

    def __init__(self, schedule: Schedule, store: Store, spec: dict[str, Any]) -> None:
        self.schedule, self.store, self.spec = schedule, store, spec
        store.watchers.append(schedule.channel("ApplicationSet controller", self._inform))

    def _inform(self, event: tuple[str, Application]) -> None:
        kind, item = event
        name = item["metadata"]["name"]
        if kind == "DELETED" or STAMP in item["metadata"]["annotations"]:
            self.schedule.start(f"{name}: ApplicationSet", self._generate(name, kind == "DELETED"))

    def _generate(self, name: str, deleted: bool) -> Part:
        yield None
        if deleted:
            self.store.create(name, self.spec)
        else:
            self.store.patch(name, {"metadata": {"annotations": {STAMP: None}}})
