# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files of upstream projects: downloaded once, checked, kept in the user's cache; and the stand-ins for them.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url
from ansible_collections.monorepo.gitops.plugins.module_utils import _cache, _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies

CONNECT_SECONDS = 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class UnreachableError(GitopsError):
    """The file could not be downloaded."""


def cache_folder() -> Path:
    """Return the folder of checked files."""
    return _paths.cache_folder(_paths.DOWNLOADS)


def fetch(url: str, sha256: str, mirror: str = "", alternatives: list[str] | None = None) -> Path:
    """Return the path of a file with exactly this checksum: from the cache, `alternatives`, the mirror or its URL."""
    if not SHA256.fullmatch(sha256):
        raise GitopsError(f"{sha256!r} is not a SHA-256 checksum for {url}: expected 64 hexadecimal digits.")
    cached = cache_folder() / f"{sha256}-{Path(urlsplit(url).path).name}"
    if cached.exists() and digest(cached.read_bytes()) == sha256:
        _cache.use(cached)
        return cached
    for candidate in map(Path, alternatives or []):
        if candidate.is_file() and digest(content := candidate.read_bytes()) == sha256:
            return keep(cached, content)
    source = mirrored(url, mirror) if mirror else url
    content = read(source)
    if (found := digest(content)) != sha256:
        raise GitopsError(f"{source} has sha256 {found}, expected {sha256}: correct the pinned checksum or the file.")
    return keep(cached, content)


def official(upstream: dict[str, Any], present: Path, mirror: str = "") -> str:
    """Return the text of an official file: from `present` if that is the file already, else from `fetch`."""
    if not upstream["sha256"]:
        variable = upstream.get("sha256_variable") or "its sha256"
        raise UnreachableError(f"No checksum is set: pin {variable} to the sha256 checksum of {upstream['url']}.")
    if present.is_file() and digest(content := present.read_bytes()) == upstream["sha256"]:
        return content.decode()
    return fetch(upstream["url"], upstream["sha256"], mirror, upstream.get("alternatives")).read_text()


def mirrored(url: str, mirror: str) -> str:
    """Return where a URL lies in a mirror: `<mirror>/<host>/<path of the URL>`."""
    parts = urlsplit(url)
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"


def read(source: str) -> bytes:
    """Read a URL or a file."""
    exempt_from_proxies()
    try:
        if "://" in source:
            with open_url(source, timeout=CONNECT_SECONDS, follow_redirects="safe") as response:
                return bytes(response.read())
        return Path(source).expanduser().read_bytes()
    except Exception as error:  # open_url raises whatever its layers raise
        raise UnreachableError(
            f"{source} cannot be read ({error}). Set gitops_upstream_mirror to a mirror that has it."
        ) from error


def keep(path: Path, content: bytes) -> Path:
    """Put verified content into the cache atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
        temporary.write(content)
    Path(temporary.name).replace(path)
    _cache.prune(_paths.DOWNLOADS)
    return path


def digest(content: bytes) -> str:
    """Return the sha256 checksum."""
    return hashlib.sha256(content).hexdigest()


def stand_in(upstream: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """Return objects that take the place of an official manifest in a rehearsal: permissive CRDs and Deployments.

    An entry of `stand_in_deployments` has a name, and the `args` and `env` that patches of the component expect. An
    entry of `kinds` is C({group, versions, kind, plural, scope}); the last version is the stored one.
    """
    objects = [custom_resource_definition(kind) for kind in upstream.get("kinds") or []]
    return objects + [deployment(entry, namespace) for entry in upstream.get("stand_in_deployments") or []]


def custom_resource_definition(kind: dict[str, Any]) -> dict[str, Any]:
    """Return a CRD that accepts any content."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    metadata: dict[str, Any] = {"name": f"{kind['plural']}.{kind['group']}"}
    if kind["group"].endswith((".k8s.io", ".kubernetes.io")):  # the API server protects these groups
        metadata["annotations"] = {"api-approved.kubernetes.io": "unapproved, stand-in of a rehearsal"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": kind["group"],
            "scope": kind.get("scope", "Namespaced"),
            "names": {
                "kind": kind["kind"],
                "listKind": f"{kind['kind']}List",
                "plural": kind["plural"],
                "singular": kind["kind"].lower(),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == kind["versions"][-1],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for version in kind["versions"]
            ],
        },
    }


def deployment(entry: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Return a Deployment that shows where the operator would run; nothing is pulled in a rehearsal."""
    name = entry["name"]
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "stand-in"}
    container = {
        "name": name,
        "image": "rehearsal.invalid/stand-in:1",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    } | {key: entry[key] for key in ("args", "env") if entry.get(key)}
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"securityContext": security, "containers": [container]},
            },
        },
    }
