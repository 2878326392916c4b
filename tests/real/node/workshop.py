# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images are made: a folder for what lasts, one for what does not, commands that take minutes, the Go tool."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .programs import builder

FILES = Path(__file__).resolve().parent / "image_files"
PROGRESS_SECONDS = 15


class BuildError(Exception):
    """An image cannot be made; the message is for the user."""


@dataclass
class Workshop:
    """The folder of the images, a folder that goes when they are made, and whom to tell what happens."""

    folder: Path
    temporary: Path
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)

    def tell(self, what: str) -> None:
        """Say what happens now, and since when."""
        self.say(f"  {time.monotonic() - self.started:4.0f} s: {what}")

    def scratch(self, prefix: str) -> Path:
        """Return a new folder that goes when the work is done."""
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self.temporary))

    def run(self, what: str, *command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        """Run a command that may take minutes."""
        self.tell(what)
        with tempfile.TemporaryFile("w+") as output:
            with subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True
            ) as process:
                self.wait(process, what)
            if process.returncode:
                output.seek(0)
                tail = "\n".join(output.read().strip().splitlines()[-8:])
                raise BuildError(f"{what} failed: {' '.join(map(str, command))}\n{tail}")

    def wait(self, process: subprocess.Popen[str], what: str) -> None:
        """Wait for the end of a command, and say that it goes on."""
        while True:
            try:
                process.wait(PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                self.tell(what)
            else:
                return


# The script that builds the programs of a rehearsal.
rehearsal = cache(builder)


@cache
def go_version() -> str:
    """Return the version of the Go tool, for example 1.27.3."""
    return str(rehearsal().run_go(rehearsal().find_go(), "env", "GOVERSION")).removeprefix("go")


@cache
def go_module(module: str, version: str) -> Path:
    """Return the folder of a published Go module."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [rehearsal().find_go(), "mod", "download", "-json", f"{module}@{version}"],
            cwd=folder,
            env=rehearsal().go_environment() | {"GOFLAGS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BuildError(f"The Go module {module} {version} cannot be downloaded: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


def compile_program(workshop: Workshop, module: Path, package: str, flags: str, mode: str) -> Path:
    """Compile a program without C libraries, so that it runs in any image."""
    output = workshop.scratch("go-") / "program"
    workshop.run(
        f"compiling {package}",
        *(rehearsal().find_go(), "build", "-trimpath", "-ldflags", flags, "-o", output, package),
        env=rehearsal().go_environment() | {"GOFLAGS": f"-mod={mode} -buildvcs=false"},
        cwd=module,
    )
    return output
