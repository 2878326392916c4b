# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that are to be applied: read from files and definitions, checked, and ordered.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._lists import expanded

Manifest = dict[str, Any]
HASH = "monorepo.gitops/applied-sha256"


def load(paths: Iterable[str], definitions: Iterable[Manifest], kinds: Iterable[str]) -> list[Manifest]:
    """Read files and definitions, expand Lists, and keep the wanted kinds."""
    items = [item for document in definitions if document for item in expand(deepcopy(document), "definition")]
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
            documents = [json.loads(text)] if path.endswith(".json") else _yaml.load_all(text)
        except (OSError, ValueError) as error:
            raise GitopsError(f"{path} cannot be read: {error}") from error
        items += [item for document in documents if document for item in expand(document, path)]
    wanted = set(kinds)
    return distinct([item for item in items if not wanted or item["kind"] in wanted])


def distinct(items: list[Manifest]) -> list[Manifest]:
    """Return the objects without repetitions; two different manifests of one object are an error."""
    found: dict[tuple[str, str, str, str], Manifest] = {}
    for item in items:
        if found.setdefault(identity(item), item) != item:
            raise GitopsError(f"{label(item)} occurs twice, with different contents.")
    return list(found.values())


def expand(document: Any, origin: str) -> list[Manifest]:
    """Return the objects of a document, which may be a List."""
    items = expanded(document)
    if not all(map(is_object, items)):
        raise GitopsError(
            f"{origin}: a document is not a Kubernetes object: apiVersion, kind and metadata.name are required."
        )
    return items


def is_object(item: Any) -> bool:
    """Return whether something can be applied."""
    return (
        isinstance(item, dict)
        and bool(item.get("apiVersion") and item.get("kind"))
        and isinstance(item.get("metadata"), dict)
        and bool(item["metadata"].get("name"))
    )


def group_kind(item: Manifest) -> tuple[str, str]:
    """Return the API group and the kind of an object."""
    return item["apiVersion"].rpartition("/")[0], item["kind"]


def identity(item: Manifest) -> tuple[str, str, str, str]:
    """Return the identity of an object."""
    return *group_kind(item), item["metadata"].get("namespace") or "", item["metadata"]["name"]


def label(item: Manifest) -> str:
    """Return kind, namespace and name for messages."""
    metadata = item["metadata"]
    return f"{item['kind']} {metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']}"


def phases(items: list[Manifest]) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return three phases: Namespaces; CRDs and objects that need neither; custom resources of these CRDs."""
    crds = [item for item in items if item["kind"] == "CustomResourceDefinition"]
    defined = {(crd["spec"]["group"], crd["spec"]["names"]["kind"]) for crd in crds}
    namespaces = [item for item in items if group_kind(item) == ("", "Namespace")]
    custom = [item for item in items if group_kind(item) in defined]
    early = {id(item) for item in (*crds, *namespaces, *custom)}
    # CRDs take longest, so they start first.
    return namespaces, crds + [item for item in items if id(item) not in early], custom


def with_namespace(item: Manifest, namespace: str) -> Manifest:
    """Return a namespaced object with its namespace filled in."""
    if item["metadata"].get("namespace"):
        return item
    return item | {"metadata": item["metadata"] | {"namespace": namespace}}


def with_hash(item: Manifest) -> Manifest:
    """Return the manifest with the annotation of its hash; a Secret gets none."""
    if item["kind"] == "Secret":
        return item
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    annotations = (item["metadata"].get("annotations") or {}) | {HASH: digest}
    return item | {"metadata": item["metadata"] | {"annotations": annotations}}
