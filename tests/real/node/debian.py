# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lowest layers of images: a Debian root file system with the packages of all images, and busybox alone.

All images on Debian share one root file system, so that it is made, kept and imported once. It is as old as the day on
which it was made, until its recipe changes.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from . import oci
from .workshop import Workshop

# The one with PostgreSQL 17.
SUITE = "trixie"
PACKAGES = (
    *("busybox-static", "ca-certificates", "git", "gpg", "gpg-agent", "openssh-client", "tini", "tzdata"),
    *("nodejs", "postgresql-17", "redis-server", "redis-tools", "socat"),
)
# Users and groups with the numbers that the official images have, before Debian's packages choose others. Debian has
# another group 26, which no program here uses.
USERS = {"postgres": 26, "argocd": 999, "node": 1000}
# What no program reads: it would be half of the layer.
EMPTY = frozenset(
    (
        *("dev", "proc", "run", "sys", "tmp", "usr/include", "var/cache", "var/lib/apt/lists", "var/lib/postgresql"),
        *("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/log"),
    )
)
# Packages neither start their servers nor create a database in a folder.
SETTINGS = {
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n",
    "etc/apt/apt.conf.d/90images": 'APT::Install-Recommends "false";\nDpkg::Use-Pty "false";\n',
}
# Changes when the same recipe makes something else.
FORMAT = 1
# Temporal's server does not start as a user without a name.
BUSYBOX_USERS = """\
root:x:0:0:root:/root:/bin/sh
temporal:x:1000:1000:temporal:/etc/temporal:/bin/sh
temporal-ui:x:5000:5000:temporal-ui:/home/ui-server:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
"""
BUSYBOX_GROUPS = "root:x:0:\ntemporal:x:1000:\ntemporal-ui:x:5000:\nnobody:x:65534:\n"


class Base(Enum):
    """What is below the parts of an image."""

    NOTHING = "nothing"
    BUSYBOX = "busybox"
    DEBIAN = "debian"

    def identity(self) -> str:
        """Return what determines the layer."""
        recipe = {Base.NOTHING: (), Base.BUSYBOX: (BUSYBOX_USERS, BUSYBOX_GROUPS), Base.DEBIAN: ()}[self]
        return repr((self.value, recipe, FORMAT, SUITE, PACKAGES, USERS, sorted(EMPTY), SETTINGS))

    def file(self, cache: Path) -> Path:
        """Return where the layer is kept, for images of several archives and for the next recipe."""
        return cache / "layers" / f"{self.value}-{hashlib.sha256(self.identity().encode()).hexdigest()[:16]}.tar"


def layer_of(base: Base, workshop: Workshop) -> tuple[oci.Layer, ...]:
    """Return the lowest layer of an image, which is made once."""
    if base is Base.NOTHING:
        return ()
    target = base.file(workshop.folder)
    layer = oci.saved(target)
    if layer is None:
        target.parent.mkdir(parents=True, exist_ok=True)
        layer = oci.write_layer(target, busybox(workshop) if base is Base.BUSYBOX else debian(workshop))
        oci.save(layer)
    return (layer,)


def debian(workshop: Workshop) -> Iterator[oci.Entry]:
    """Yield a Debian root file system.

    Mounts and processes of its making are in namespaces that end with each command.
    """
    root = workshop.scratch("debian-")
    alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    workshop.run(
        f"making a root file system of Debian {SUITE}", *alone, "debootstrap", "--variant=minbase", SUITE, root
    )
    for name, text in SETTINGS.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    inside = (*alone, f"--mount-proc={root}/proc", "chroot", root)
    for name, number in USERS.items():
        workshop.run(f"adding user {name}", *inside, "groupadd", "--non-unique", "--gid", str(number), name)
        workshop.run(
            f"adding user {name}", *inside, "useradd", "-u", str(number), "-g", name, "-d", f"/home/{name}", name
        )
    install = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", *PACKAGES)
    workshop.run("installing Debian packages", *inside, *install)
    yield from oci.tree(root, empty=EMPTY)


def content(path: str, workshop: Workshop) -> bytes:
    """Return a file of the Debian root file system."""
    (layer,) = layer_of(Base.DEBIAN, workshop)
    with tarfile.open(layer.path) as tar:
        file = tar.extractfile(path.lstrip("/"))
        assert file is not None
        return file.read()


def busybox(workshop: Workshop) -> Iterator[oci.Entry]:
    """Yield a root file system with busybox under all of its names."""
    program = workshop.scratch("busybox-") / "busybox"
    program.write_bytes(content("usr/bin/busybox", workshop))
    program.chmod(0o755)
    names = subprocess.run([program, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    for folder in (
        "bin",
        "etc",
        "home",
        "sbin",
        "usr",
        "usr/bin",
        "usr/local",
        "usr/local/bin",
        "usr/sbin",
        "root",
        "var",
    ):
        yield oci.Entry(folder)
    yield oci.Entry("tmp", 0o1777)
    yield oci.Entry("etc/passwd", 0o644, content=BUSYBOX_USERS.encode())
    yield oci.Entry("etc/group", 0o644, content=BUSYBOX_GROUPS.encode())
    yield oci.Entry("bin/busybox", source=program)
    for name in sorted(names):
        if name != "bin/busybox":
            yield oci.Entry(name, 0o777, link="/bin/busybox")
