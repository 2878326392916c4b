# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a rehearsal: built, and run in an environment of their own.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import git_environment
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths

# The processes of a cluster inherit it: Go collects garbage less often, which saves a third of their CPU time. Their
# memory grows, up to this limit, by an eighth. A variable of the user wins.
COLLECT_LESS = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}


class Programs:
    """kwokctl, kubectl and others, for one cluster."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def run(self, *command: str | Path, timeout: int = 180) -> str:
        """Run a program of the rehearsal; its error output becomes the error message."""
        # Argo CD's processes inherit it, and its repo-server runs git.
        environment = COLLECT_LESS | git_environment(isolated=True) | self._work_folder()
        environment["PATH"] = f"{self.paths.binaries}:{os.environ['PATH']}"
        # kwokctl would read the user's own configuration otherwise.
        environment.pop("KUBECONFIG", None)
        # kubectl keeps what the API server told it below the home folder otherwise, where nothing removes it.
        environment["KUBECACHEDIR"] = str(self.paths.folder / "kubectl")
        try:
            done = subprocess.run(
                [str(part) for part in command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GitopsError(
                f"{Path(command[0]).name} {command[1]} took longer than {timeout} s; see {self.paths.folder}/logs"
            ) from error
        if done.returncode:
            raise GitopsError(f"{Path(command[0]).name} {command[1]} failed: {last_lines(done.stderr or done.stdout)}")
        return done.stdout

    def _work_folder(self) -> dict[str, str]:
        """Return variables for kwokctl's work folder: it truncates KWOK_WORKDIR at a space, but not its default."""
        if " " not in str(self.paths.state):
            return {"KWOK_WORKDIR": str(self.paths.state)}
        with contextlib.suppress(FileExistsError):
            (self.paths.state / ".kwok").symlink_to(".")
        return {"HOME": str(self.paths.state)}

    def kwokctl(self, *args: str | Path) -> str:
        """Run kwokctl for this cluster."""
        return self.run(self.paths.binaries / "kwokctl", *args, "--name", self.paths.name)

    def kubectl(self, *args: str | Path) -> str:
        """Run kubectl as the administrator of this cluster."""
        return self.run(self.paths.binaries / "kubectl", "--kubeconfig", self.paths.kubeconfig, *args)


def last_lines(text: str, count: int = 3) -> str:
    """Return the end of a program's output as one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-count:]) or "no output"


def build(command: list[str], say: Callable[[str], None]) -> tuple[str, bool]:
    """Build the programs if there are none, and return their folder and whether they were built."""
    folder, built = "", False
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            for line in process.stdout or ():
                if line.startswith("/"):
                    folder = line.strip()
                else:
                    say(line.rstrip().removeprefix("  "))
                    built = True
        errors.seek(0)
        if process.returncode or not folder:
            raise GitopsError(errors.read().strip() or f"{shlex.join(command)} ended with {process.returncode}.")
    return folder, built
