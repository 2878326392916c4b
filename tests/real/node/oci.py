# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write container images as OCI archives, which containerd imports without a registry.

A layer is a plain tar, so that its digest is its diff ID as well, and is written once, block by block. The same entries
make the same layer: nothing in it says when or by whom it was made. Images of one archive share equal layers.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

BLOCK = 1 << 20
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
# The machine type in the words of Go and of the OCI.
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


@dataclass(frozen=True)
class Entry:
    """A file, folder or link of a layer: content, source or link says what is in it; a folder has none of them."""

    path: str
    mode: int = 0o755
    owner: int = 0
    group: int = 0
    content: bytes | None = None
    source: Path | None = None
    link: str = ""
    # The link is a second name of an earlier path of this layer.
    hard: bool = False


@dataclass(frozen=True)
class Layer:
    """A layer that was written."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Image:
    """What becomes an image: its full name, its layers from the lowest on, and how it starts in the OCI's terms."""

    name: str
    layers: tuple[Layer, ...]
    configuration: dict[str, Any] = field(default_factory=dict)


class Hashing(io.RawIOBase):
    """Write to a file, and know the digest of what was written without reading it again."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self.target.write(data)


def digest_of(data: bytes) -> str:
    """Return the digest of a small blob."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def member(entry: Entry) -> tarfile.TarInfo:
    """Return the header of an entry in a tar."""
    info = tarfile.TarInfo(entry.path.strip("/"))
    info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.group
    if entry.link:
        info.type = tarfile.LNKTYPE if entry.hard else tarfile.SYMTYPE
        info.linkname = entry.link.lstrip("/") if entry.hard else entry.link
    elif entry.source is not None:
        info.size = entry.source.stat().st_size
    elif entry.content is not None:
        info.size = len(entry.content)
    else:
        info.type = tarfile.DIRTYPE
    return info


def write_layer(target: Path, entries: Iterable[Entry]) -> Layer:
    """Write a layer to a file; folders come before what is in them, and those of lower layers need not come again."""
    with target.open("wb") as file:
        hashing = Hashing(file)
        with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT, bufsize=BLOCK) as tar:
            for entry in entries:
                info = member(entry)
                if entry.source is not None and not entry.link:
                    with entry.source.open("rb") as source:
                        tar.addfile(info, source)
                else:
                    tar.addfile(info, io.BytesIO(entry.content or b""))
    return Layer(target, "sha256:" + hashing.hash.hexdigest(), hashing.size)


def save(layer: Layer) -> None:
    """Write down a layer's digest beside it."""
    layer.path.with_suffix(".json").write_text(json.dumps(asdict(layer) | {"path": layer.path.name}))


def saved(path: Path) -> Layer | None:
    """Return a layer that was written before, or None."""
    try:
        description = json.loads(path.with_suffix(".json").read_text())
    except FileNotFoundError:
        return None
    return Layer(path, description["digest"], description["size"])


def tree(folder: Path, prefix: str = "", empty: frozenset[str] = frozenset()) -> Iterator[Entry]:
    """Yield what is in a folder, in order of its names, with owners and modes; devices are left out.

    What is in the folders `empty` (paths below `folder`) is left out as well.
    """
    names: dict[tuple[int, int], str] = {}
    for path, status in walk(folder, empty):
        name = str(Path(prefix) / path.relative_to(folder))
        entry = Entry(name, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        if stat.S_ISLNK(status.st_mode):
            yield replace(entry, link=str(path.readlink()))
        elif stat.S_ISDIR(status.st_mode):
            yield entry
        elif stat.S_ISREG(status.st_mode):
            first = names.setdefault((status.st_dev, status.st_ino), name)
            yield replace(entry, source=path) if first == name else replace(entry, link=first, hard=True)


def walk(folder: Path, empty: frozenset[str]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every path below a folder, a folder before what is in it."""
    pending = sorted(folder.iterdir(), reverse=True)
    while pending:
        path = pending.pop()
        status = path.lstat()
        yield path, status
        if stat.S_ISDIR(status.st_mode) and str(path.relative_to(folder)) not in empty:
            pending += sorted(path.iterdir(), reverse=True)


def write_archive(target: Path, images: Iterable[Image]) -> None:
    """Write images into one archive; it is complete when it has its name."""
    small: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    machine = {"architecture": MACHINE, "os": "linux"}
    manifests = []
    for image in images:
        layers |= {layer.digest: layer for layer in image.layers}
        manifests.append(describe(image, machine, small))
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT, bufsize=BLOCK) as tar:
        add_blob(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add_blob(tar, "index.json", compact(index))
        for digest, data in small.items():
            add_blob(tar, blob_path(digest), data)
        for digest, layer in layers.items():
            info = tarfile.TarInfo(blob_path(digest))
            info.size = layer.size
            with layer.path.open("rb") as source:
                tar.addfile(info, source)
    partial.rename(target)


def describe(image: Image, machine: dict[str, str], blobs: dict[str, bytes]) -> dict[str, Any]:
    """Return an image's entry in the index, and add its configuration and its manifest to the blobs."""
    configuration = machine | {
        "config": image.configuration,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIGURATION, **put(blobs, compact(configuration))},
        "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in image.layers],
    }
    return {
        "mediaType": MANIFEST,
        **put(blobs, compact(manifest)),
        "platform": machine,
        # containerd takes the first as the whole name; the second is the standard's.
        "annotations": {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name},
    }


def put(blobs: dict[str, bytes], data: bytes) -> dict[str, Any]:
    """Add a blob and return what refers to it."""
    digest = digest_of(data)
    blobs[digest] = data
    return {"digest": digest, "size": len(data)}


def compact(value: Any) -> bytes:
    """Return JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def blob_path(digest: str) -> str:
    """Return where a blob is in an archive."""
    return "blobs/" + digest.replace(":", "/")


def add_blob(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a small file to an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
