# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build overlays with kustomize and keep the results by content.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _cache, _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._lists import expanded
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import accounts
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.policy import kinds_summary
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.secrets import in_objects

SCHEMA = "11"  # of what the cache has, and of what counts as a secret
# DNS-1123 subdomain; Gateway API allows a wildcard as the whole first label.
HOST_NAME = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# A transformer's configuration with its patch, the patch, and an entry of a generator.
QUOTED = re.compile(
    r"(?<=config: )`.*?`(?=:|$)|(?<=from )\[.*\]"
    r"|(?<=literal sources )\[.*?\](?=:)|(?<=literal source )\S.*?(?=, expected)",
    re.DOTALL,
)
# Kinds without a namespace that Kubernetes itself has and manifests bring; those of CRDs are read from the CRDs.
CLUSTER_KINDS = {
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
}


def find_command() -> list[str]:
    """Return the command that builds a folder."""
    for program, arguments in (("kustomize", ["build"]), ("kubectl", ["kustomize"])):
        path = shutil.which(program)
        if path:
            return [path, *arguments]
    raise GitopsError("Neither kustomize nor kubectl is on PATH: install one, or set gitops_kustomize_command.")


def component(layer: str, name: str) -> dict[str, str]:
    """Return what is needed to build a component that is not in the inventory."""
    # The destination namespace that the ApplicationSet of its layer sets.
    return {"layer": layer, "name": name, "namespace": name if layer == _paths.INFRA else layer}


def build_others(tree: str, environment: str, entries: list[str], command: list[str]) -> tuple[list[Any], list[str]]:
    """Build overlays that people wrote, `layer/name` each; return the summaries, and why others cannot be built."""
    summaries: list[dict[str, Any]] = []
    errors = []
    for entry in entries:
        try:
            summaries += build_all(tree, environment, [component(*entry.split("/", 1))], command)
        except GitopsError as error:
            errors.append(str(error))
    return summaries, errors


def described(entry: str, kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summary of an overlay of which only the kinds are known, because kustomize cannot build it."""
    found = [{"group": str(given.get("group") or ""), "kind": str(given["kind"])} for given in kinds]
    scopes = [
        known | {"scope": "Cluster"}
        for known, given in zip(found, kinds, strict=True)
        if not given.get("namespaced", True)
    ]
    nothing: dict[str, list[Any]] = {key: [] for key in ("namespaces", "identities", "crd_names", "secrets")}
    # Of objects without a name, so that an account may write all of a kind.
    nothing["written"] = [[known["group"], known["kind"], "", ""] for known in found]
    about = {"kinds": found, "scopes": scopes, "objects": 0, "rights": accounts.facts([])}
    return {**component(*entry.split("/", 1)), **about, **nothing}


def build_all(
    tree: str, environment: str, components: list[dict[str, Any]], command: list[str]
) -> list[dict[str, Any]]:
    """Build the overlays of a tree, as many at a time as there are cores; each with the `identities` of its objects.

    Only `name`, `layer` and `namespace` of a component are used.
    """
    _cache.use(Path(tree))

    def build(component: dict[str, Any]) -> dict[str, Any]:
        folder = Path(tree) / _paths.component_folder(component["layer"], component["name"])
        summary = build_one(folder, environment, command)
        return summary | {key: component[key] for key in ("name", "layer", "namespace")}

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        summaries = list(pool.map(build, components))
    for name in (_paths.BUILDS, _paths.CLONES, _paths.INSTALL):
        _cache.prune(name)
    cluster = cluster_kinds(summaries)
    return [
        summary | {"identities": identities(summary, cluster), "crd_names": crd_names(summary)} for summary in summaries
    ]


def build_one(folder: Path, environment: str, command: list[str]) -> dict[str, Any]:
    """Return the summary of one overlay, from the cache when its sources are unchanged."""
    overlay = folder / _paths.environment_folder(environment)
    if not overlay.is_dir():
        raise GitopsError(f"{overlay} is missing: render the component first.")
    digest = hashlib.sha256(json.dumps([SCHEMA, *command]).encode())
    for path in sorted([*(folder / _paths.BASE).rglob("*"), *overlay.rglob("*")]):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    base = _paths.cache_folder(_paths.BUILDS)
    cached = base / digest.hexdigest()[:32]
    _cache.use(cached)
    if not (cached / "summary.json").exists():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, prefix=".new-") as temporary:
            staged = Path(temporary) / "build"
            staged.mkdir()
            run_build(overlay, command, staged)
            keep(staged, cached)
    summary: dict[str, Any] = json.loads((cached / "summary.json").read_text())
    return summary | {"path": str(cached / "objects.json"), "crds": str(cached / "crds.json")}


def keep(staged: Path, cached: Path) -> None:
    """Put a complete result where the next run looks for it, unless another build of the same was faster."""
    try:
        staged.rename(cached)
    except OSError:
        if not (cached / "summary.json").exists():
            raise


def run_build(overlay: Path, command: list[str], target: Path) -> None:
    """Build one overlay and write its objects, its CRDs and what it contains."""
    try:
        done = subprocess.run([*command, str(overlay)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise GitopsError(f"gitops_kustomize_command: {command[0]} cannot be run: {error.strerror}.") from error
    if done.returncode:
        raise GitopsError(f"kustomize build of {'/'.join(overlay.parts[-4:])} failed: {said(done.stderr)}")
    objects = [item for document in _yaml.load_all(done.stdout) for item in expanded(document) if item]
    check_host_names(objects)
    crds = [item for item in objects if item.get("kind") == "CustomResourceDefinition"]
    # Each later run reads them again, and JSON in a twentieth of the time that YAML takes.
    for name, items in (("objects", objects), ("crds", crds)):
        (target / f"{name}.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    scopes = [
        {"group": c["spec"]["group"], "kind": c["spec"]["names"]["kind"], "scope": c["spec"]["scope"]} for c in crds
    ]
    namespaces = {(item.get("metadata") or {}).get("namespace") for item in objects}
    summary = {
        "objects": len(objects),
        "kinds": kinds_summary(objects),
        "scopes": scopes,
        "namespaces": sorted(namespace for namespace in namespaces if namespace),
        "written": [written(item) for item in objects],
        "rights": accounts.facts(objects),
        "secrets": in_objects(objects, [overlay, overlay.parents[1] / _paths.BASE]),
    }
    (target / "summary.json").write_text(json.dumps(summary))


def said(text: str) -> str:
    """Return the error of kustomize without the patches and literals that it quotes: they may be secrets."""
    return public(QUOTED.sub("(not shown)", text.strip().removeprefix("Error: ")))


def secrets_of(summaries: list[dict[str, Any]]) -> list[str]:
    """Return the secrets that built components contain."""
    return [f"{summary['layer']}/{summary['name']}: {text}" for summary in summaries for text in summary["secrets"]]


def written(item: dict[str, Any]) -> list[str]:
    """Return group, kind, namespace and name as written; kinds without a namespace are sorted out later."""
    metadata = item.get("metadata") or {}
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    return [group, str(item.get("kind", "")), metadata.get("namespace") or "", metadata.get("name") or ""]


def identity(entry: list[str], namespace: str, cluster: set[tuple[str, str]]) -> tuple[str, str, str, str] | None:
    """Return what an object of an overlay is in the cluster, `namespace` of cluster-scoped ones is empty.

    A namespaced object that names no namespace gets the component's, as Argo CD does it. A hook with `generateName` is
    a new object each time.
    """
    group, kind, own, name = entry
    return (group, kind, "" if (group, kind) in cluster else own or namespace, name) if name else None


def crd_names(summary: dict[str, Any]) -> list[str]:
    """Return the names of an overlay's CustomResourceDefinitions."""
    return sorted(name for _group, kind, _namespace, name in summary["written"] if kind == "CustomResourceDefinition")


def cluster_kinds(summaries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return group and kind of what has no namespace: of Kubernetes, and of the CRDs of all overlays."""
    return CLUSTER_KINDS | {
        (scope["group"], scope["kind"])
        for summary in summaries
        for scope in summary["scopes"]
        if scope["scope"] == "Cluster"
    }


def identities(summary: dict[str, Any], cluster: set[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the identities of an overlay's objects in the cluster."""
    found = [identity(entry, summary["namespace"], cluster) for entry in summary["written"]]
    return [
        dict(zip(("group", "kind", "namespace", "name"), entry, strict=True)) for entry in sorted(filter(None, found))
    ]


def check_host_names(objects: list[dict[str, Any]]) -> None:
    """Refuse routes and listeners with a host name that the API server or DNS would reject."""
    for item in objects:
        if not str(item.get("apiVersion", "")).startswith("gateway.networking.k8s.io/"):
            continue
        spec = item.get("spec") or {}
        names = [*(spec.get("hostnames") or []), *(entry.get("hostname", "a") for entry in spec.get("listeners") or [])]
        for name in names:
            if len(str(name)) > 253 or not HOST_NAME.fullmatch(str(name)):
                raise GitopsError(
                    f"{item['kind']} {item['metadata']['name']}: {name!r} is not a valid host name (lower-case "
                    "letters, digits, '-' and '.'; a wildcard only as the first label)."
                )


def check_one_owner(summaries: list[dict[str, Any]]) -> None:
    """Refuse an object that is in two components: both Applications would claim it, in turn."""
    owners: dict[tuple[str, ...], str] = {}
    for summary in summaries:
        component = f"{summary['layer']}/{summary['name']}"
        for entry in summary["identities"]:
            first = owners.setdefault(tuple(entry.values()), component)
            if first != component:
                name = f"{entry['namespace']}/{entry['name']}" if entry["namespace"] else entry["name"]
                raise GitopsError(
                    f"{entry['kind']} {name} is in two components, {first} and {component}, and two Applications "
                    "cannot share an object: take it out of one of them."
                )


def projects(
    summaries: list[dict[str, Any]], beforehand: dict[str, list[dict[str, Any]]] | None = None
) -> dict[str, dict[str, Any]]:
    """Return, for each layer, the kinds and namespaces that its AppProject must allow, and no others.

    `beforehand` are kinds that it allows although no overlay has them yet.
    """
    cluster = cluster_kinds(summaries)
    result: dict[str, dict[str, Any]] = {}
    for layer in _paths.LAYERS:
        own = [summary for summary in summaries if summary["layer"] == layer]
        # Namespace: the Applications create their namespaces.
        kinds = {("", "Namespace")} | {(entry["group"], entry["kind"]) for summary in own for entry in summary["kinds"]}
        names = {name for summary in own for name in (*summary["namespaces"], summary["namespace"])}
        # An Application whose destination its project does not allow is never synced, wherever its objects are.
        names |= {component(layer, summary["name"])["namespace"] for summary in own}
        more = {
            (entry["group"], entry["kind"]): is_namespaced(entry, layer, summaries)
            for entry in (beforehand or {}).get(layer) or []
        }
        result[layer] = {
            "cluster_kinds": as_kinds(kinds & cluster | {kind for kind, inside in more.items() if not inside}),
            "namespaced_kinds": as_kinds(kinds - cluster | {kind for kind, inside in more.items() if inside}),
            "namespaces": sorted(names),
        }
    return result


def is_namespaced(entry: dict[str, Any], layer: str, summaries: list[dict[str, Any]]) -> bool:
    """Return whether a kind that is allowed beforehand has a namespace: it or the cluster says so, or a CRD in Git."""
    if entry["namespaced"] is not None:
        return bool(entry["namespaced"])
    scopes = {(scope["group"], scope["kind"]): scope["scope"] for summary in summaries for scope in summary["scopes"]}
    scope = scopes.get((entry["group"], entry["kind"]))
    if scope is None:
        name = ".".join(filter(None, [entry["kind"], entry["group"]]))
        raise GitopsError(
            f"Nothing was committed. gitops_project_kinds.{layer}: neither the cluster nor Git has kind {name}: "
            "correct it, or say whether its objects are in a namespace, with namespaced: true or false."
        )
    return bool(scope == "Namespaced")


def as_kinds(kinds: set[tuple[str, str]]) -> list[dict[str, str]]:
    """Return sorted group and kind entries."""
    return [{"group": group, "kind": kind} for group, kind in sorted(kinds)]
