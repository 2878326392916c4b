# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that objects name, their digests in the cluster, and patches that pin them. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

Objects = Iterable[Mapping[str, Any]]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
# As Kubernetes writes it: a registry is optional, and so are tag and digest.
IMAGE = re.compile(
    rf"(?P<name>(?:[A-Za-z0-9.-]+(?::\d+)?/)?{PART}(?:/{PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>{DIGEST.pattern}))?"
)
# Fields of pods, and of the objects of operators.
FIELDS = ("image", "imageName")


class Field(NamedTuple):
    """A place in an object that names images; without a pointer a patch cannot change it."""

    pointer: str
    value: str
    images: tuple[str, ...]


def parts(image: str) -> tuple[str, str, str]:
    """Return name, tag and digest of an image, empty where it has none."""
    found = IMAGE.fullmatch(image)
    return (found["name"], found["tag"] or "", found["digest"] or "") if found else (image, "", "")


def tagged(image: str) -> str:
    """Return an image without its digest."""
    return image.partition("@")[0]


def fields(item: Mapping[str, Any]) -> list[Field]:
    """Return where an object names images: fields, variables, arguments, and keys of a ConfigMap or Secret."""
    kind = item.get("kind")
    if kind == "CustomResourceDefinition":
        return []
    if kind in ("ConfigMap", "Secret"):
        return list(_data(item))
    return [field for field in (_field(*found) for found in _strings(item, "", "")) if field.images]


def _data(item: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the keys of a ConfigMap or Secret that are called after an image; the other ones may be anything."""
    for part in ("data", "stringData"):
        for key, text in (item.get(part) or {}).items():
            if "IMAGE" not in str(key).upper() or not isinstance(text, str):
                continue
            coded = item["kind"] == "Secret" and part == "data"
            value = _decoded(text) if coded else text
            if images := _images(value):
                yield Field("" if coded else f"/{part}/{escaped(str(key))}", value, images)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _strings(value: Any, pointer: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, key and text of all texts; the key of a variable's value is the name of the variable."""
    if isinstance(value, str):
        yield pointer, key, value
    elif isinstance(value, Mapping):
        named = isinstance(value.get("name"), str) and isinstance(value.get("value"), str)
        for name, inner in value.items():
            variable = f"${value['name']}" if named and name == "value" else str(name)
            yield from _strings(inner, f"{pointer}/{escaped(str(name))}", variable)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _strings(inner, f"{pointer}/{place}", f"{key}[]")


def _field(pointer: str, key: str, text: str) -> Field:
    if key in FIELDS:
        return Field(pointer, text, (text,) if IMAGE.fullmatch(text) else ())
    if (key.startswith("$") and "IMAGE" in key.upper()) or (
        key in ("args[]", "command[]") and re.match(r"--?[\w-]*image[\w-]*=", text)
    ):
        return Field(pointer, text, _images(text))
    return Field(pointer, text, ())


def _images(text: str) -> tuple[str, ...]:
    """Return what is an image with a tag or a digest in a text, such as one of several lines `3.9.0=image`."""
    words = re.split(r"[\s=,]+", text)
    return tuple(word for word in words if IMAGE.fullmatch(word) and any(parts(word)[1:]))


def escaped(name: str) -> str:
    """Return a key as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def named(objects: Objects) -> list[str]:
    """Return the images that objects name."""
    return sorted({image for item in objects for field in fields(item) for image in field.images})


def running(pods: Objects) -> tuple[dict[str, str], list[str]]:
    """Return the digest of each image that runs, and the images of which several run.

    An image that was not pulled from a registry has only the digest of its configuration, which no registry knows.
    """
    found: dict[str, set[str]] = {}
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        for group in ("container", "initContainer"):
            asked = {entry["name"]: entry.get("image", "") for entry in spec.get(f"{group}s") or []}
            for entry in status.get(f"{group}Statuses") or []:
                _name, _at, digest = str(entry.get("imageID") or "").rpartition("@")
                image = tagged(asked.get(entry.get("name"), ""))
                if image and _name and DIGEST.fullmatch(digest):
                    found.setdefault(image, set()).add(digest)
    single = {image: next(iter(digests)) for image, digests in sorted(found.items()) if len(digests) == 1}
    return single, sorted(set(found) - set(single))


def check_digests(digests: Mapping[str, Any]) -> None:
    """Refuse digests that are none, or whose image already has one."""
    for image, digest in digests.items():
        if not IMAGE.fullmatch(str(image)) or "@" in str(image) or not DIGEST.fullmatch(str(digest)):
            raise GitopsError(
                f"gitops_image_digests: {image}: {digest} is not an image with its tag, and sha256: with 64 "
                "hexadecimal digits."
            )


def transformers(objects: Objects, digests: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the configuration of kustomize that pins the images of built objects, one entry for each object.

    Each patch tests what it replaces, so an object that has changed in the meantime fails the build.
    """
    entries = []
    for item in objects:
        operations = []
        for field in fields(item):
            value = pinned(field, digests)
            if field.pointer and value != field.value:
                operations.append({"op": "test", "path": field.pointer, "value": field.value})
                operations.append({"op": "replace", "path": field.pointer, "value": value})
        metadata = item.get("metadata") or {}
        if operations and metadata.get("name"):
            group, _sep, version = str(item["apiVersion"]).rpartition("/")
            target = {"group": group, "version": version, "kind": item["kind"], "name": metadata["name"]}
            target |= {"namespace": metadata["namespace"]} if metadata.get("namespace") else {}
            name = "-".join(("digests", *(part for part in target.values() if part))).lower()
            entries.append({"name": name, "target": target, "operations": operations})
    return entries


def pinned(field: Field, digests: Mapping[str, str]) -> str:
    """Return the text of a field in which each image with a known digest has it."""
    value = field.value
    for image in sorted(set(field.images), key=len, reverse=True):
        if image in digests:
            # Not where it is only the beginning of another tag.
            whole = rf"(?<![\w./:-]){re.escape(image)}(?![\w.@:/-])"
            value = re.sub(whole, f"{image}@{digests[image]}", value)
    return value
