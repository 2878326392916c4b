# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and official manifests of an environment in CycloneDX's JSON.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import importlib
import json
import uuid
from types import SimpleNamespace
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.images import parts

USED = (
    *("Bom", "Component", "ComponentType", "ExternalReference", "ExternalReferenceType", "HashAlgorithm", "HashType"),
    *("JsonV1Dot6", "PackageURL", "XsUri"),
)
# Namespace of the serial numbers, which depend on the content only.
SERIAL = uuid.UUID("5f4f3f0e-5a0c-5d0c-9f2b-0d6f8f0a2c11")


def library() -> Any:
    """Return what is used of cyclonedx-python-lib, or say that it is missing."""
    names = (
        "cyclonedx.model",
        "cyclonedx.model.bom",
        "cyclonedx.model.component",
        "cyclonedx.output.json",
        "packageurl",
    )
    try:
        found: dict[str, Any] = {}
        for name in names:
            found |= vars(importlib.import_module(name))
    except ImportError as error:
        raise GitopsError(
            "cyclonedx-python-lib is missing, which writes CycloneDX: install requirements-images.txt of the "
            "collection with pip, into the environment of ansible-playbook."
        ) from error
    return SimpleNamespace(**{name: value for name, value in found.items() if name in USED})


def repository_url(name: str) -> str:
    """Return the repository of an image with its registry, as container runtimes complete it."""
    first, _sep, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if rest else f"docker.io/library/{name}"


def document(environment: str, commit: str, images: list[dict[str, Any]], manifests: list[dict[str, Any]]) -> str:
    """Return the bill of materials; it is always the same for the same content, so it has no time.

    `images` have `image`, `digest` and the `components` that name it; `manifests` `component`, `url` and `sha256`.
    """
    names = library()
    bom = names.Bom(serial_number=uuid.uuid5(SERIAL, json.dumps([environment, commit, images, manifests])))
    bom.metadata.timestamp = None
    parts_of: dict[str, list[Any]] = {}
    for entry in images:
        found = _image(names, entry)
        bom.components.add(found)
        for name in entry["components"]:
            parts_of.setdefault(name, []).append(found)
    for entry in manifests:
        found = _manifest(names, entry)
        bom.components.add(found)
        parts_of.setdefault(entry["component"], []).append(found)
    application = names.ComponentType.APPLICATION
    root = names.Component(name=environment, version=commit or None, type=application, bom_ref=environment)
    bom.metadata.component = root
    for name, found in sorted(parts_of.items()):
        component = names.Component(name=name, type=application, bom_ref=f"component:{name}")
        bom.components.add(component)
        bom.register_dependency(component, found)
        bom.register_dependency(root, [component])
    return f"{names.JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _image(names: Any, entry: dict[str, Any]) -> Any:
    name, tag, digest = parts(entry["image"])
    digest = digest or entry["digest"]
    repository = repository_url(name)
    short = repository.rpartition("/")[2].lower()
    qualifiers = {"repository_url": repository} | ({"tag": tag} if tag else {})
    return names.Component(
        name=name,
        version=tag or digest or None,
        type=names.ComponentType.CONTAINER,
        bom_ref=f"image:{entry['image']}",
        purl=names.PackageURL("oci", None, short, digest or None, qualifiers),
    )


def _manifest(names: Any, entry: dict[str, Any]) -> Any:
    return names.Component(
        name=entry["url"].rpartition("/")[2],
        type=names.ComponentType.FILE,
        bom_ref=f"manifest:{entry['component']}:{entry['url']}",
        hashes=[names.HashType(alg=names.HashAlgorithm.SHA_256, content=entry["sha256"])],
        external_references=[
            names.ExternalReference(type=names.ExternalReferenceType.DISTRIBUTION, url=names.XsUri(entry["url"]))
        ],
    )
