# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets whose values External Secrets generates in the cluster. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of

Manifest = dict[str, Any]
GROUP, KIND = "external-secrets.io", "ExternalSecret"


def is_generated(item: Manifest) -> bool:
    """Return whether an ExternalSecret takes values from a generator: each call returns other ones."""
    sources = (item.get("spec") or {}).get("dataFrom") or []
    return any((entry.get("sourceRef") or {}).get("generatorRef") for entry in sources)


def target_of(item: Manifest) -> str:
    """Return the name of the Secret that an ExternalSecret writes."""
    target = (item.get("spec") or {}).get("target") or {}
    return str(target.get("name") or item["metadata"]["name"])


def entry_of(item: Manifest) -> dict[str, str]:
    """Return an ExternalSecret for a result."""
    metadata = item["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": target_of(item),
        "external_secret": metadata["name"],
        "application": application_of(item),
    }


def pick(items: list[Manifest], wanted: str) -> Manifest:
    """Return the ExternalSecret that writes a Secret, which is named as `<namespace>/<name>` or by its name alone."""
    namespace, _sep, name = wanted.rpartition("/")
    found = [
        item
        for item in items
        if name in (target_of(item), item["metadata"]["name"]) and namespace in ("", item["metadata"]["namespace"])
    ]
    if not found:
        raise GitopsError(
            f"No ExternalSecret generates Secret {wanted}; those that can be regenerated are {listed(items)}. If its "
            "ExternalSecret is missing, sync the Application that has it first."
        )
    if len(found) > 1:
        raise GitopsError(f"Several namespaces have a Secret {wanted}: name one of {listed(found)}.")
    return found[0]


def listed(items: list[Manifest]) -> str:
    """Return the names of the Secrets for a message."""
    return ", ".join(sorted(f"{item['metadata']['namespace']}/{target_of(item)}" for item in items)) or "none"


def refuse(item: Manifest, application: Manifest | None) -> None:
    """Stop where nothing would recreate the ExternalSecret after its deletion."""
    metadata, name = item["metadata"], application_of(item)
    what = f"ExternalSecret {metadata['namespace']}/{metadata['name']}"
    if not name:
        raise GitopsError(f"Nothing was done. {what} belongs to no Application, so nothing would recreate it.")
    if application is None:
        raise GitopsError(f"Nothing was done. {what} belongs to Application {name}, which does not exist.")
    if application["metadata"].get("deletionTimestamp"):
        raise GitopsError(f"Nothing was done. Application {name}, which has {what}, is being deleted.")
    key = (KIND, metadata["namespace"], metadata["name"])
    resources = (application.get("status") or {}).get("resources") or []
    found = [entry for entry in resources if (entry["kind"], entry.get("namespace"), entry["name"]) == key]
    if not found or found[0].get("requiresPruning"):
        raise GitopsError(
            f"Nothing was done. Application {name} no longer has {what} in Git, so nothing would recreate it."
        )
