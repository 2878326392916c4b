# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's processes: started with their newest configuration, and ready.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time

from ansible.module_utils.urls import open_url
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import ports_of
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import (
    ARGOCD,
    NOTIFICATIONS,
    Processes,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import Programs, last_lines

# Readiness endpoint of each process.
HEALTH = {
    "argocd-repo-server": ("argocd-repo-server-metrics", "/healthz"),
    "argocd-application-controller": ("argocd-application-controller", "/healthz"),
    "argocd-applicationset-controller": ("argocd-applicationset-controller", "/metrics"),
    "argocd-server": ("argocd-server", "/healthz"),
    NOTIFICATIONS: (NOTIFICATIONS, "/metrics"),
}


class ArgoCD:
    """Argo CD of one cluster."""

    def __init__(self, paths: Paths, programs: Programs, processes: Processes, namespace: str) -> None:
        self.paths, self.programs, self.processes, self.namespace = paths, programs, processes, namespace

    def start(self, timeout: int) -> bool:
        """Start Argo CD's processes, restart those whose configuration changed, and wait until all are ready."""
        launcher = self.paths.folder / "launch" / "launch.py"
        outdated = self.programs.run(sys.executable, launcher, "--outdated", self.paths.folder)
        for component in json.loads(outdated):
            self.processes.stop(component)
        wanted = (*ARGOCD, NOTIFICATIONS) if self._notifies() else ARGOCD
        changed = self.processes.start_stopped(wanted)
        if NOTIFICATIONS not in wanted:
            changed = self.processes.stop(NOTIFICATIONS) or changed
        self._await(wanted, timeout)
        return changed

    def _notifies(self) -> bool:
        """Return whether the notifications controller has a receiver."""
        found = self.programs.kubectl(
            "get", "configmap", "argocd-notifications-cm", "-n", self.namespace, "--ignore-not-found", "-o", "json"
        )
        data = json.loads(found or "{}").get("data") or {}
        return any(key.startswith("service.") for key in data)

    def _await(self, wanted: tuple[str, ...], timeout: int) -> None:
        deadline = time.monotonic() + timeout
        ports = ports_of(self.paths.folder)
        for component in (name for name in wanted if name in HEALTH):
            port, path = HEALTH[component]
            log = self.paths.log(component)
            while not answers(f"127.0.0.1:{ports[port]}{path}"):
                if not self.processes.pid(component):
                    text = log.read_text(errors="replace") if log.exists() else ""
                    raise GitopsError(f"{component} exited: {last_lines(text)} (in {log})")
                if time.monotonic() > deadline:
                    raise GitopsError(f"{component} was not ready after {timeout} s; see {log}")
                time.sleep(0.2)


def answers(address: str) -> bool:
    """Return whether an HTTP server on this machine answers 200.

    argocd-server speaks HTTP or HTTPS, depending on its configuration; its certificate is self-signed.
    """
    for scheme in ("http", "https"):
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            open_url(f"{scheme}://{address}", timeout=2, validate_certs=False, use_proxy=False) as response,
        ):
            return bool(response.status == 200)
    return False
