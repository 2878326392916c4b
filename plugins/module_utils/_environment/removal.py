# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would delete, and whether the inventory announces it. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed, resource_name
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.sync_options import sync_options
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS, overlay_folder

NAMED = 10  # of more Applications only the number is said
# Kinds whose objects hold data, or whose deletion also deletes objects that do.
DATA = {
    ("", "PersistentVolumeClaim"),
    ("", "Namespace"),
    ("apps", "StatefulSet"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("postgresql.cnpg.io", "Cluster"),
    ("postgresql.cnpg.io", "Database"),
    ("kafka.strimzi.io", "Kafka"),
    ("kafka.strimzi.io", "KafkaNodePool"),
    ("kafka.strimzi.io", "KafkaTopic"),
}

Identity = tuple[str, str, str, str]  # group, kind, namespace, name


@dataclass
class Found:
    """The components of the three sides: the inventory, Git and the cluster."""

    environment: str
    wanted: set[str] = field(default_factory=set)
    rendered: dict[str, str] = field(default_factory=dict)  # in Git with our header: name to layer
    handwritten: dict[str, str] = field(default_factory=dict)  # in Git without it
    past: set[str] = field(default_factory=set)  # in Git's history
    living: dict[str, set[Identity]] = field(default_factory=dict)  # Applications and what they deployed


def name_of(entry: str, layers: dict[str, str]) -> str:
    """Return the component that an entry means: its name, `layer/name`, or the full name of its role.

    `layers` has the layers of the known components; with another layer an entry means another component.
    """
    layer, _sep, name = entry.rpartition("/")
    name = name.rsplit(".", 1)[-1].replace("_", "-")
    if layer and layer != layers.get(name, layer):
        return entry
    return name if layer in ("", *LAYERS) else entry


def announced(entries: list[str], found: Found, known: set[str]) -> tuple[list[str], list[str]]:
    """Return the components to remove, and a note for each entry that has nothing to do.

    `known` are the names of all components of the collections; an unknown name is a mistake.
    """
    names, notes = [], []
    for entry in entries:
        name = name_of(entry, found.handwritten | found.rendered)
        if name in found.wanted:
            notes.append(f"gitops_removals names {entry}, which this environment still has: it stays.")
        elif name in found.handwritten:
            folder = overlay_folder(found.handwritten[name], name, found.environment)
            raise GitopsError(
                f"gitops_removals: {entry} was written by hand ({folder}): delete that folder in Git, then a run "
                "deletes its Application."
            )
        elif name in found.rendered or name in found.living:
            names.append(name)
        elif name in found.past or name in known:
            notes.append(f"{entry} was removed already (gitops_removals).")
        else:
            raise GitopsError(
                f"gitops_removals: {entry!r} is not a component, and neither Git, its history nor the cluster has one "
                "of that name."
            )
    return sorted(set(names)), notes


def unannounced(found: Found, removals: list[str]) -> list[str]:
    """Return the components that the run would delete without an announcement."""
    return sorted(found.rendered.keys() - found.wanted - set(removals))


def forgotten(found: Found, removals: list[str]) -> list[str]:
    """Return a note for each Application whose folder no longer exists in Git."""
    gone = found.living.keys() - found.rendered.keys() - found.handwritten.keys() - found.wanted - set(removals)
    return [
        f"Application {name} exists although Git has no overlay of environment {found.environment} for it: name it in "
        "gitops_removals to delete it, or add it to gitops_components."
        for name in sorted(gone)
    ]


def check_ownership(found: Found, wanted: dict[str, str], others: set[str]) -> None:
    """Refuse to move a component, and to take over an Application of somebody else.

    `wanted` has the layers of the components of the inventory, `others` are the names of foreign Applications.
    """
    taken = sorted((wanted.keys() | found.handwritten.keys()) & others)
    if taken:
        raise GitopsError(
            f"Nothing was written. Argo CD has Applications of the same name that do not belong to the ApplicationSets "
            f"infra and services ({listed(taken)}), and this run would take them over: rename them, or leave these "
            "components out."
        )
    moved = sorted(name for name, layer in wanted.items() if found.rendered.get(name, layer) != layer)
    if moved:
        raise GitopsError(
            f"Nothing was written. In Git {moved[0]} is in the layer {found.rendered[moved[0]]}, but in the inventory "
            f"in {wanted[moved[0]]}: remove it in one run (gitops_removals), and add it in the next."
        )


def check_entries(found: Found, entries: dict[str, str]) -> None:
    """Refuse an entry for a component that people wrote where Git has none; `entries` has the layers by name."""
    for name, layer in sorted(entries.items()):
        folder = overlay_folder(layer, name, found.environment)
        if found.rendered.get(name) == layer:
            raise GitopsError(
                f"Nothing was written. gitops_components has an entry for what people wrote in {folder}, but a run "
                f"rendered that: name the role of {name} instead, or remove the first line of its files to make them "
                "yours."
            )
        if found.handwritten.get(name) != layer:
            raise GitopsError(
                f"Nothing was written. gitops_components has an entry for what people wrote in {folder}, and Git has "
                "no such folder: correct name or layer, push the folder, or remove the entry."
            )


def refusal(names: list[str], found: Found, losses: dict[str, list[str]]) -> str:
    """Return the sentence that stops a run which would delete components; `losses` says what holds their data."""
    texts = [_component(name, found, losses.get(name, [])) for name in names]
    return (
        "Nothing was written. This run would delete components that gitops_components does not have: "
        f"{'; '.join(texts)}. Add them to gitops_components, or name them in gitops_removals to delete them."
    )


def _component(name: str, found: Found, losses: list[str]) -> str:
    layer = found.rendered[name]
    parts = [f"in Git: {overlay_folder(layer, name, found.environment)}"]
    if name in found.living:
        parts.append(f"in the cluster: Application {name} with {len(found.living[name])} objects")
    else:
        parts.append("not in the cluster")
    if losses:
        parts.append(f"holding data: {listed(losses)}")
    return f"{layer}/{name} ({'; '.join(parts)})"


def data_refusal(losses: dict[str, list[str]]) -> str:
    """Return the sentence that stops a run which would delete objects that hold data in components that stay."""
    texts = [f"{name}: {listed(objects)}" for name, objects in sorted(losses.items())]
    return (
        f"Nothing was written. Objects that hold data would be deleted from components that stay ({'; '.join(texts)}). "
        "Keep them in the inventory, or name them in gitops_volume_removals to delete them with their data."
    )


def label(identity: Identity) -> str:
    """Return kind, namespace and name for messages."""
    _group, kind, namespace, name = identity
    return resource_name({"kind": kind, "namespace": namespace, "name": name})


def holds_data(identity: Identity) -> bool:
    """Return whether the deletion of an object loses data."""
    return identity[:2] in DATA


def is_kept(live: dict[str, Any], option: str) -> bool:
    """Return whether an object in the cluster has the sync option Prune=false or Delete=false.

    Argo CD deletes no CustomResourceDefinition together with its Application (shouldBeDeleted in
    controller/appcontroller.go at v3.6.1).
    """
    if option == "Delete" and live.get("kind") == "CustomResourceDefinition":
        return True
    return f"{option}=false" in sync_options(live)


def volume(entry: dict[str, Any]) -> Identity:
    """Return the object that an entry of gitops_volume_removals names, or say what is wrong with it."""
    missing = [key for key in ("component", "api_version", "kind", "name") if not entry.get(key)]
    if missing:
        raise GitopsError(
            f"gitops_volume_removals: an entry has no {', '.join(missing)}; each needs component, api_version, kind, "
            "name, and namespace where the kind has one."
        )
    version = str(entry["api_version"])
    return version.rpartition("/")[0], str(entry["kind"]), str(entry.get("namespace") or ""), str(entry["name"])


def check_volumes(entries: list[dict[str, Any]], found: Found, removals: list[str], after: set[Identity]) -> None:
    """Refuse volumes that are still wanted, and those of unknown components."""
    for entry in entries:
        identity, name = volume(entry), name_of(str(entry["component"]), found.handwritten | found.rendered)
        known = {*found.wanted, *found.rendered, *found.handwritten, *found.past, *found.living, *removals}
        if name not in known:
            raise GitopsError(
                f"gitops_volume_removals: {entry['component']!r} of {label(identity)} is not a component of this "
                "environment."
            )
        if identity in after:
            raise GitopsError(
                f"gitops_volume_removals names {label(identity)}, which component {name} still has: it would be "
                "created again, empty. First take it out of the inventory and publish that."
            )


def named(applications: dict[str, list[str]]) -> list[str]:
    """Return in one line which Applications a run is about, unless it is about very many."""
    texts = [
        f"{key.capitalize()}: {', '.join(names)}." for key, names in applications.items() if 0 < len(names) <= NAMED
    ]
    return [" ".join(texts)] if texts else []


def summary(counts: dict[str, int], check_mode: bool, waits_for: str) -> str:
    """Return in one line what a run does to the environment."""
    verbs = ("would create", "change", "delete", "prune") if check_mode else ("creates", "changes", "deletes", "prunes")
    text = (
        f"This run {verbs[0]} {counts['created']}, {verbs[1]} {counts['changed']} and {verbs[2]} {counts['deleted']} "
        f"Applications, and {verbs[3]} {counts['pruned']} objects"
    )
    return f"{text}, as soon as {waits_for} is promoted." if waits_for else f"{text}."
