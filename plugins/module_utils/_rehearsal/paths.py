# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one rehearsal cluster and its programs are.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Folders and files of a named cluster."""

    name: str
    state: Path  # of all clusters
    build: Path  # of the compiled binaries

    @property
    def folder(self) -> Path:
        """Return the folder of the cluster."""
        return self.state / "clusters" / self.name

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig of the administrator."""
        return self.folder / "admin.kubeconfig"

    @property
    def binaries(self) -> Path:
        """Return the folder of the programs."""
        return self.build / "bin"

    def pid_file(self, component: str) -> Path:
        """Return the file in which kwokctl keeps the process id of a component."""
        return self.folder / "pids" / f"{component}.pid"

    def lock(self, what: str = "") -> Path:
        """Return the lock of the cluster, or of something that all clusters share."""
        return self.state / f".{what or self.name}.lock"

    def log(self, component: str) -> Path:
        """Return the log of a component."""
        return self.folder / "logs" / f"{component}.log"
