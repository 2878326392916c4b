# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put on the lowest layer of an image: Go modules, npm packages, programs of the rehearsal, files of our own.

A part is plain data. Its `identity` names everything that determines what it becomes, so that an image is made again
when one of its parts changes, and not otherwise.
"""

from __future__ import annotations

import hashlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .debian import content
from .oci import Entry, tree
from .workshop import FILES, Workshop, compile_program, go_module, go_version, rehearsal

ARGOCD = "github.com/argoproj/argo-cd/v3"
ARGOCD_ENGINE = "github.com/argoproj/argo-cd/gitops-engine/v3"


class Part(ABC):
    """Something that an image contains."""

    # It is a layer of its own, which images can share.
    large: ClassVar[bool] = False

    def identity(self) -> str:
        """Return what determines the entries."""
        return repr(self)

    @abstractmethod
    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        """Make it and yield it."""


@dataclass(frozen=True)
class Text(Part):
    """A small file."""

    path: str
    text: str
    mode: int = 0o644

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, self.mode, content=self.text.encode())


@dataclass(frozen=True)
class Folder(Part):
    """An empty folder, or the owner and mode of one that has something in it."""

    path: str
    mode: int = 0o755
    owner: int = 0
    group: int = 0

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, self.mode, self.owner, self.group)


@dataclass(frozen=True)
class Link(Part):
    """A symbolic link."""

    path: str
    target: str

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, 0o777, link=self.target)


@dataclass(frozen=True)
class Script(Part):
    """An executable file of ours, of the folder `image_files`."""

    path: str
    name: str

    def identity(self) -> str:
        return f"{self!r} {digest(FILES / self.name)}"

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, source=FILES / self.name)


@dataclass(frozen=True)
class Copied(Part):
    """A file of the Debian root file system under another name."""

    path: str
    source: str
    mode: int = 0o644

    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, self.mode, content=content(self.source, workshop))


@dataclass(frozen=True)
class Rehearsed(Part):
    """A program that `make build` compiles for the rehearsal cluster."""

    large: ClassVar[bool] = True
    path: str
    program: str

    def identity(self) -> str:
        return f"{self!r} {rehearsal().cache_folder().name}"

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, source=(rehearsal().cache_folder() / "bin" / self.program).resolve(strict=True))


@dataclass(frozen=True)
class GoProgram(Part):
    """A program of a published Go module, in exactly this version."""

    large: ClassVar[bool] = True
    path: str
    package: str
    module: str
    version: str
    # A replacement of the module's own go.mod, which Go follows in the main module only.
    replace: str = ""
    # A variable that is set by the linker.
    setting: str = ""

    def identity(self) -> str:
        return f"{self!r} {go_version()}"

    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        folder = workshop.scratch("module-")
        lines = ["module images.invalid/program", f"go {go_version()}", f"require {self.module} {self.version}"]
        lines += [f"replace {self.replace}"] if self.replace else []
        (folder / "go.mod").write_text("\n".join(lines) + "\n")
        flags = "-s -w" + (f" -X {self.setting}" if self.setting else "")
        yield Entry(self.path, source=compile_program(workshop, folder, self.package, flags, "mod"))


@dataclass(frozen=True)
class OtherArgocd(Part):
    """Argo CD's program in another version than the rehearsal's, with the libraries of the rehearsal."""

    large: ClassVar[bool] = True
    path: str
    version: str

    def identity(self) -> str:
        return f"{self!r} {rehearsal().cache_folder().name}"

    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        script, folder = rehearsal(), workshop.scratch("argocd-")
        module = (script.HERE / "go.mod").read_text()
        for name in (ARGOCD, ARGOCD_ENGINE):
            module = module.replace(f"{name} v{script.ARGOCD}", f"{name} {self.version}")
        (folder / "go.mod").write_text(module)
        shutil.copyfile(script.HERE / "go.sum", folder / "go.sum")
        setting = f"{ARGOCD}/common.version="
        flags = script.ldflags().replace(setting + script.ARGOCD, setting + self.version.removeprefix("v"))
        yield Entry(self.path, source=compile_program(workshop, folder, f"{ARGOCD}/cmd", flags, "mod"))


@dataclass(frozen=True)
class OwnProgram(Part):
    """A Go program of ours, of the folder `image_files`."""

    large: ClassVar[bool] = True
    path: str
    name: str

    def identity(self) -> str:
        sources = [FILES / "go.mod", FILES / "go.sum", *sorted((FILES / self.name).glob("*.go"))]
        return f"{self!r} {go_version()} {[digest(source) for source in sources]}"

    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        yield Entry(self.path, source=compile_program(workshop, FILES, f"./{self.name}", "-s -w", "readonly"))


@dataclass(frozen=True)
class GoFiles(Part):
    """A file or folder that a published Go module has beside its code."""

    path: str
    module: str
    version: str
    name: str
    mode: int = 0o644

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        source = go_module(self.module, self.version) / self.name
        if not source.is_dir():
            yield Entry(self.path, self.mode, source=source)
            return
        yield Entry(self.path)
        for entry in tree(source, self.path):
            # The Go tool takes away everybody's right to write.
            yield Entry(entry.path, self.mode if entry.source else 0o755, source=entry.source)


@dataclass(frozen=True)
class NpmPackage(Part):
    """A package of npm with what it needs, below `<path>/node_modules`."""

    large: ClassVar[bool] = True
    path: str
    name: str
    version: str

    def entries(self, workshop: Workshop) -> Iterator[Entry]:
        folder = workshop.scratch("npm-")
        workshop.run(
            f"installing {self.name} {self.version} by npm",
            *("npm", "install", "--prefix", folder, "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"),
            f"{self.name}@{self.version}",
        )
        yield from tree(folder / "node_modules", f"{self.path}/node_modules")


def digest(file: Path) -> str:
    """Return the digest of a file of ours."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
