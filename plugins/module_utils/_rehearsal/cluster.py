# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal cluster, from its creation to its removal.

kwokctl starts, stops and supervises every process. This package writes its configuration, reserves the ports,
applies the KWOK Stages and restarts Argo CD's processes when their configuration changed.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.argocd import ArgoCD
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.configuration import (
    add_server,
    write_configuration,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import ask_pass_socket
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import (
    ALL,
    CONTROL_PLANE,
    Processes,
    is_running,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import Programs
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import Stages


class RehearsalCluster:
    """One named cluster with its own folder, ports and processes."""

    def __init__(self, name: str, state_dir: str, binaries: str, launcher: str, argocd_namespace: str) -> None:
        exempt_from_proxies()
        self.launcher, self.argocd_namespace = Path(launcher), argocd_namespace
        self.paths = Paths(name, Path(state_dir), Path(binaries))
        self.programs = Programs(self.paths)
        self.processes = Processes(self.paths, self.programs)
        self.argocd = ArgoCD(self.paths, self.programs, self.processes, argocd_namespace)
        self.stages = Stages(self.paths, self.programs)

    @contextlib.contextmanager
    def locked(self, what: str = "") -> Iterator[None]:
        """Keep two runs from doing the same at once; the system drops the lock when the process ends."""
        path = self.paths.lock(what)
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with path.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Whoever had the lock may have removed its file: other runs lock a new one, so this one must, too.
                if is_at(path, lock):
                    yield
                    return

    def created(self) -> bool:
        """Return whether kwokctl finished creating the cluster."""
        return (self.paths.folder / "created").exists()

    def start(self, stages: list[Path], storage_classes: list[str]) -> bool:
        """Create or start the cluster, apply Stages and StorageClasses; return whether anything was done."""
        with self.locked():
            changed = self._create() if not self.created() else self.processes.start_stopped(CONTROL_PLANE)
            return self.stages.apply(stages, storage_classes) or changed

    def start_argocd(self, timeout: int) -> bool:
        """Start Argo CD's processes, restart those whose configuration changed, and wait until all are ready."""
        with self.locked():
            return self.argocd.start(timeout)

    def restart(self, component: str) -> bool:
        """End one process and let kwokctl start it again."""
        with self.locked():
            self.processes.stop(component)
            return self.processes.start_stopped((component,))

    def stop_all(self) -> bool:
        """End all processes and keep the state."""
        with self.locked():
            if not self.created() or "running" not in self.processes.status().values():
                return False
            self.programs.kwokctl("stop", "cluster")
            return True

    def delete(self) -> bool:
        """End all processes, and remove the cluster's folder and its lock."""
        with self.locked():
            deleted = self._delete()
            self.paths.lock().unlink()
            return deleted

    def _create(self) -> bool:
        paths = self.paths
        if paths.folder.exists():  # an interrupted creation
            self._delete()
        # Two clusters that are created at the same time would choose the same free ports.
        with self.locked("any-create"):
            write_configuration(paths, self.launcher, self.argocd_namespace)
            options = ("--config", paths.folder / "kwokctl.yaml", "--kubeconfig", paths.kubeconfig, "--wait", "120s")
            self.programs.kwokctl("create", "cluster", *options)
        server = self.programs.kubectl("config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}")
        add_server(paths, server)
        keep_build(paths)
        (paths.folder / "created").touch()
        return True

    def _delete(self) -> bool:
        if not self.paths.folder.exists():
            return False
        # While it runs, the repo-server removes all permissions from its checkouts, including their owner's.
        self.processes.stop("argocd-repo-server")
        make_removable(self.paths.folder)
        processes = {name: self.processes.pid(name) for name in ALL}
        ask_pass_socket(self.paths.folder).unlink(missing_ok=True)
        if (self.paths.folder / "kwok.yaml").exists():
            self.programs.kwokctl("delete", "cluster", "--kubeconfig", self.paths.kubeconfig)
        try:
            if self.paths.folder.exists():
                shutil.rmtree(self.paths.folder)
        except OSError as error:
            reason = f"{error.strerror} ({error.filename})"
            raise GitopsError(f"{self.paths.folder} cannot be removed: {reason}.") from error
        left = [f"{name} ({pid})" for name, pid in processes.items() if pid and is_running(pid, name)]
        if left:
            running = ", ".join(left)
            raise GitopsError(
                f"The cluster {self.paths.name} was removed, but these processes are still running: {running}."
            )
        return True


def is_at(path: Path, file: TextIO) -> bool:
    """Return whether a file that is open is still the one at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def keep_build(paths: Paths) -> None:
    """Record that the cluster uses its build, so that it is not removed as an old one."""
    reference = paths.build / "clusters" / hashlib.sha256(str(paths.folder).encode()).hexdigest()[:16]
    with contextlib.suppress(OSError):  # somebody else's build; its owner does not remove it
        reference.parent.mkdir(exist_ok=True)
        reference.write_text(str(paths.folder))


def make_removable(folder: Path) -> None:
    """Give the owner all permissions for the folders below a folder."""
    for path, names, _files in os.walk(folder):  # it looks into them after this
        for child in (Path(path, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if not child.is_symlink() and child.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                    child.chmod(stat.S_IRWXU)
