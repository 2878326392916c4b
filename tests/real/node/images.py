# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the container images of the real node, each once for its recipe, as OCI archives in a folder.

`recipes` says what they are made of. Needed are root (a Debian root file system has several owners), debootstrap, npm,
the programs of the rehearsal, and the registries of Debian, Go and npm.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import oci
from .debian import Base, layer_of
from .image_names import argocd_before_manifest, full_name
from .parts import Part
from .recipes import BUSYBOX, COREDNS, PAUSE, Image, table
from .workshop import BuildError, Workshop

# What the node and its tests take from here.
__all__ = [
    "BUSYBOX",
    "COREDNS",
    "PAUSE",
    "BuildError",
    "argocd_before_manifest",
    "build",
    "table",
]

# Changes when the same recipes make other archives.
FORMAT = 1


def build(cache: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Make the images that the folder does not have, delete those of other recipes, and return the archive of each."""
    images = table()
    groups: dict[str, list[Image]] = {}
    for image in images:
        groups.setdefault(image.archive, []).append(image)
    archives = {name: cache / f"{name}-{identity(group)}.tar" for name, group in groups.items()}
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system drops it when the process ends, however it ends
        missing = [name for name, archive in archives.items() if not archive.exists()]
        if missing:
            make(cache, {archives[name]: groups[name] for name in missing}, say)
        prune(cache, {*archives.values()})
    return {image.name: archives[image.archive] for image in images}


def make(cache: Path, archives: dict[Path, list[Image]], say: Callable[[str], None]) -> None:
    """Make archives; what is only needed meanwhile goes in the end."""
    say(f"Making {sum(map(len, archives.values()))} container images, once per recipe: up to 20 minutes.")
    mask = os.umask(0o022)  # the files are for other users
    try:
        with tempfile.TemporaryDirectory(dir=cache, prefix=".making-") as temporary:
            workshop = Workshop(cache, Path(temporary), say)
            for archive, images in archives.items():
                pack(workshop, archive, images)
                workshop.tell(f"made {', '.join(image.name for image in images)}")
    finally:
        os.umask(mask)


def pack(workshop: Workshop, archive: Path, images: list[Image]) -> None:
    """Make the images of one archive; a program is a layer of its own, made once for all images that have it."""
    programs: dict[Part, oci.Layer] = {}
    made = []
    for image in images:
        layers = [*layer_of(image.base, workshop)]
        for part in (part for part in image.parts if part.large):
            if part not in programs:
                programs[part] = oci.write_layer(workshop.scratch("layer-") / "tar", part.entries(workshop))
            layers.append(programs[part])
        if small := [part for part in image.parts if not part.large]:
            entries = (entry for part in small for entry in part.entries(workshop))
            layers.append(oci.write_layer(workshop.scratch("layer-") / "tar", entries))
        made.append(oci.Image(full_name(image.name), tuple(layers), image.configuration))
    oci.write_archive(archive, made)


def identity(images: list[Image]) -> str:
    """Return a hash of everything that determines an archive."""
    recipes = [
        (image.name, image.base.identity(), [part.identity() for part in image.parts], image.configuration)
        for image in images
    ]
    return hashlib.sha256(repr((FORMAT, recipes)).encode()).hexdigest()[:16]


def prune(cache: Path, archives: set[Path]) -> None:
    """Delete what no recipe names any more, and what interrupted runs have left."""
    layers = {base.file(cache).with_suffix(suffix) for base in Base for suffix in (".tar", ".json")}
    for path in [*cache.glob("*"), *cache.glob("layers/*")]:
        if path.is_dir() and path.name.startswith(".making-"):
            shutil.rmtree(path)
        elif path.is_file() and path.name != ".lock" and path not in archives | layers:
            path.unlink()
