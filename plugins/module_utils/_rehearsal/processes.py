# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a rehearsal cluster, which kwokctl starts and supervises.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import Programs

# KWOK simulates the nodes; the kubelet answers for the logs of their pods.
KUBELET = "kubelet"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller", KUBELET)
ARGOCD = (
    "argocd-redis",
    "argocd-repo-server",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-server",
)
# Runs only where its configuration has a receiver.
NOTIFICATIONS = "argocd-notifications-controller"
ALL = (*CONTROL_PLANE, *ARGOCD, NOTIFICATIONS)
LATER = (KUBELET, NOTIFICATIONS)
# PF_EXITING of include/linux/sched.h, in the field "flags" of /proc/<pid>/stat (proc(5)).
EXITING = 0x4


class Processes:
    """The components of one cluster."""

    def __init__(self, paths: Paths, programs: Programs) -> None:
        self.paths, self.programs = paths, programs

    def pid(self, component: str) -> int | None:
        """Return the process id of a component that really runs."""
        try:
            pid = int(self.paths.pid_file(component).read_text())
        except (OSError, ValueError):
            return None
        return pid if is_running(pid, component) else None

    def has(self, component: str) -> bool:
        """Return whether the cluster was made with a component; an earlier version of this collection had fewer."""
        made = self.paths.folder / "kwokctl.yaml"
        return component not in LATER or not made.exists() or f"name: {component}\n" in made.read_text()

    def status(self) -> dict[str, str]:
        """Return `running` or `stopped` for each component that should run, and for others that do."""
        found = {name: "running" if self.pid(name) else "stopped" for name in ALL if self.has(name)}
        return {name: state for name, state in found.items() if state == "running" or name != NOTIFICATIONS}

    def start_stopped(self, components: tuple[str, ...]) -> bool:
        """Start the components that do not run; return whether there were any."""
        stopped = [name for name in components if self.has(name) and not self.pid(name)]
        if not stopped:
            return False
        for name in stopped:  # kwokctl trusts stale pid files
            self.paths.pid_file(name).unlink(missing_ok=True)
        self.programs.kwokctl("start", "cluster", "--wait", "60s")
        return True

    def stop(self, component: str) -> bool:
        """End one process, by its id, and wait until it is gone."""
        if component not in ALL:
            raise GitopsError(f"A rehearsal cluster has no component {component}: use one of {', '.join(ALL)}.")
        pid = self.pid(component)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while self.pid(component) == pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        return True


def is_running(pid: int, component: str) -> bool:
    """Return whether a process runs and is this component.

    Zombies and recycled PIDs do not count. A process has no command for a moment while it becomes another program, and
    also while it ends, which the kernel tells by a flag of its own.
    """
    try:
        status, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
    is_ending = status == "Z" or int(fields[5]) & EXITING
    return not is_ending and (not command or component in command)
