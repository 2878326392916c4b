# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ApplicationSet of an Application would revert, and where to change it instead.

The ApplicationSet controller writes the whole specification again, within a second, except for
`spec.ignoreApplicationDifferences` (applicationset/utils/createOrUpdate.go at v3.6.1).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application, listed
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import OVERLAY

Path = tuple[str, ...]
PLAIN_JQ = re.compile(r"(\.[A-Za-z]\w*)+")
# With these an ApplicationSet never updates an Application that exists.
CREATES_ONLY = ("create-only", "create-delete")


def changed_paths(before: Any, after: Any, path: Path = ()) -> list[Path]:
    """Return the fields that differ between two objects; a list counts as one field."""
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [path]
    return [
        found
        for key in sorted(before.keys() | after.keys())
        for found in changed_paths(before.get(key), after.get(key), (*path, key))
    ]


def owner_of(application: Application) -> str:
    """Return the ApplicationSet that controls an Application, or nothing."""
    for entry in application["metadata"].get("ownerReferences") or []:
        if entry.get("kind") == "ApplicationSet" and entry.get("controller", True):
            return str(entry["name"])
    return ""


def without_applications(names: Iterable[str], applications: Iterable[Application | None]) -> list[str]:
    """Return the ApplicationSets that control none of some Applications."""
    owners = {owner_of(application) for application in applications if application}
    return [name for name in names if name not in owners]


def read_applicationsets(api: Api, namespace: str, applications: list[Application]) -> dict[str, Any]:
    """Return the ApplicationSets that control Applications by name; one that is gone reverts nothing."""
    found = {}
    for name in sorted({owner_of(item) for item in applications} - {""}):
        status, item = api.request("GET", f"{GROUP}/namespaces/{namespace}/applicationsets/{name}")
        if status not in (200, 404):
            raise GitopsError(
                f"ApplicationSet {name}, which may revert a change, cannot be read: {item.get('message', status)}"
            )
        if status == 200:
            found[name] = item
    return found


def ignored_paths(applicationset: dict[str, Any], name: str) -> list[Path]:
    """Return the fields of an Application that its ApplicationSet leaves alone."""
    rules = (applicationset.get("spec") or {}).get("ignoreApplicationDifferences") or []
    mine = [rule for rule in rules if rule.get("name") in (None, "", name)]
    pointers = [pointer.strip("/").split("/") for rule in mine for pointer in rule.get("jsonPointers") or []]
    plain = [text for rule in mine for text in rule.get("jqPathExpressions") or [] if PLAIN_JQ.fullmatch(text)]
    return [tuple(found) for found in [*pointers, *(text.strip(".").split(".") for text in plain)]]


def reverted(application: Application, after: dict[str, Any], applicationset: dict[str, Any] | None) -> list[Path]:
    """Return the fields of a new specification that the ApplicationSet would change back."""
    policy = ((applicationset or {}).get("spec") or {}).get("syncPolicy") or {}
    if applicationset is None or policy.get("applicationsSync") in CREATES_ONLY:
        return []
    kept = ignored_paths(applicationset, application["metadata"]["name"])
    changed = changed_paths(application.get("spec") or {}, after, ("spec",))
    return [path for path in changed if not any(path[: len(ignored)] == ignored for ignored in kept)]


def is_ours(applicationset: dict[str, Any]) -> bool:
    """Return whether an ApplicationSet reads the folders of this collection's layout."""
    generators = (applicationset.get("spec") or {}).get("generators") or []
    folders = [entry for found in generators for entry in (found.get("git") or {}).get("directories") or []]
    return bool(folders) and all(OVERLAY.fullmatch(str(entry.get("path", ""))) for entry in folders)


def place(application: Application, applicationset: dict[str, Any], path: Path) -> str:
    """Return where a field is changed for good."""
    name = applicationset["metadata"]["name"]
    if not is_ours(applicationset):
        return (
            f"change spec.template of ApplicationSet {name}, or add the field to its spec.ignoreApplicationDifferences"
        )
    source = (application.get("spec") or {}).get("source") or {}
    if path[:3] == ("spec", "source", "targetRevision"):
        return "set gitops_repo_revision in the inventory and run site.yml"
    if path[:2] == ("spec", "source"):
        return (
            f"set the variables of the component in the inventory, which render {source.get('path')}, and run site.yml"
        )
    return "run site.yml, which applies the ApplicationSet of this version"


def revert_refusal(application: Application, after: dict[str, Any], applicationsets: dict[str, Any]) -> str:
    """Return why a new specification would not last, and where to change it; nothing when it would."""
    applicationset = applicationsets.get(owner_of(application))
    paths = reverted(application, after, applicationset)
    if not paths or applicationset is None:
        return ""
    name = applicationset["metadata"]["name"]
    fields = listed([".".join(path) for path in paths])
    return f"ApplicationSet {name} would revert {fields}: {place(application, applicationset, paths[0])}"
