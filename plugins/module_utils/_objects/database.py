# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a Cluster of CloudNativePG, and the Cluster that begins from one. Pure functions over plain dictionaries.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._times import parse_time, write_time

Manifest = dict[str, Any]
PLUGIN = "barman-cloud.cloudnative-pg.io"
# The name under which the new Cluster knows the backups.
SOURCE = "backup"
PART = "database-restore"
# CloudNativePG's webhook allows no longer ones, because it appends to them.
NAME, LONGEST = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?"), 50
# Barman's own name of a backup in the bucket.
BARMAN_ID = re.compile(r"\d{8}T\d{6}")
ZONED = "write it as 2026-11-27T02:55:00Z for UTC, or with an offset as in 2026-11-27T03:55:00+01:00"
# What belongs to one Cluster only. Without `certificates` the operator makes one that fits the new names; without an
# archiver the copy cannot write into the backups that it came from.
OWN = {"backup", "bootstrap", "certificates", "externalClusters", "instances", "plugins", "replica"}
# What needs several instances.
REPLICATED = {"maxSyncReplicas", "minSyncReplicas", "primaryUpdateStrategy"}


@dataclass(frozen=True)
class Request:
    """What is restored, and into which Cluster."""

    new_cluster: str
    backup: str = ""
    time: str = ""
    server_name: str = ""


def archiver(cluster: Manifest) -> Manifest:
    """Return the parameters with which a Cluster archives by the plugin; empty if it does not."""
    for entry in cluster["spec"].get("plugins") or []:
        if entry["name"] == PLUGIN and entry.get("enabled", True):
            given = entry.get("parameters") or {}
            return {"serverName": cluster["metadata"]["name"]} | given
    return {}


def backups_of(items: list[Manifest], cluster: str) -> list[Manifest]:
    """Return the Backups of a Cluster, the newest first."""
    found = [item for item in items if item["spec"]["cluster"]["name"] == cluster]
    return sorted(found, key=lambda item: str(item["metadata"]["creationTimestamp"]), reverse=True)


def rows(items: list[Manifest], cluster: str, now: datetime) -> list[dict[str, str]]:
    """Return the Backups of a Cluster for a table, the newest first."""
    return [row(item, now) for item in backups_of(items, cluster)]


def row(item: Manifest, now: datetime) -> dict[str, str]:
    """Return a Backup for a table."""
    status = item.get("status") or {}
    begun = str(item["metadata"]["creationTimestamp"])
    return {
        "name": item["metadata"]["name"],
        "begun": begun,
        "age": age(now - parse_time(begun)),
        "phase": status.get("phase") or "not begun",
        "error": status.get("error") or "",
    }


def age(passed: Any) -> str:
    """Return a span of time as kubectl writes it, in its two largest units."""
    minutes = max(int(passed.total_seconds()) // 60, 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days}d{hours}h"
    return f"{hours}h{minutes % 60}m" if hours else f"{minutes}m"


def ended(item: Manifest) -> datetime:
    """Return when a completed Backup was complete."""
    return parse_time(str(item["status"].get("stoppedAt") or item["metadata"]["creationTimestamp"]))


def made_by(item: Manifest, cluster: Manifest) -> bool:
    """Return whether a Backup is of this very Cluster, as the plugin records it, and not of a deleted one."""
    uid = ((item.get("status") or {}).get("pluginMetadata") or {}).get("clusterUID")
    return not uid or uid == cluster["metadata"].get("uid")


def usable(cluster: Manifest, items: list[Manifest]) -> list[Manifest]:
    """Return the Backups from which the folder of a Cluster can be restored, the newest first."""
    found = [item for item in backups_of(items, cluster["metadata"]["name"]) if item.get("status")]
    # One without backupId is a snapshot of a volume, and not in the bucket.
    done = [item for item in found if item["status"].get("phase") == "completed" and item["status"].get("backupId")]
    return [item for item in done if made_by(item, cluster)]


def oldest_state(cluster: Manifest, items: list[Manifest]) -> str:
    """Return the earliest time to which a Cluster can be restored; empty when there is none."""
    ends = [ended(item) for item in usable(cluster, items)]
    return write_time(min(ends)) if ends else ""


def restored(
    request: Request, cluster: Manifest, items: list[Manifest], others: list[Manifest], now: datetime
) -> Manifest:
    """Return the Cluster that begins from the backups of another one; raise where that is not possible."""
    check_name(request.new_cluster, cluster)
    spec = copied(cluster["spec"], recovery(request, cluster, items, now))
    metadata = {
        "name": request.new_cluster,
        "namespace": cluster["metadata"]["namespace"],
        "labels": {"app.kubernetes.io/name": request.new_cluster, "app.kubernetes.io/part-of": PART},
    }
    found = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": metadata, "spec": spec}
    live = next((item for item in others if item["metadata"]["name"] == request.new_cluster), None)
    if live and origin(live) != origin(found):
        raise GitopsError(
            f"new_cluster is {request.new_cluster}, and Cluster {title(live)} already exists with other contents. A "
            "restore never writes over a database: give another name."
        )
    return found


def title(item: Manifest) -> str:
    """Return how messages name an object."""
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def check_name(name: str, cluster: Manifest) -> None:
    """Stop where the new Cluster cannot have its name."""
    if name == cluster["metadata"]["name"]:
        raise GitopsError(
            f"new_cluster is {name}, the database whose backups are restored. A restore never writes over a database: "
            f"give another name, such as {name}-restored."
        )
    if len(name) > LONGEST or not NAME.fullmatch(name):
        raise GitopsError(
            f"new_cluster is {name}: a name has at most {LONGEST} lower-case letters, digits and hyphens, and begins "
            "with a letter."
        )


def recovery(request: Request, cluster: Manifest, items: list[Manifest], now: datetime) -> Manifest:
    """Return the fields with which CloudNativePG restores: `bootstrap` and `externalClusters`."""
    parameters = archiver(cluster)
    if request.server_name:
        parameters |= {"serverName": request.server_name}
    present: Manifest = cluster["spec"].get("bootstrap") or {}
    method: Manifest = next(iter(present.values()), {}) or {}
    # The operator gives the owner of the application's database a new password; its defaults are app and app.
    names = {key: method[key] for key in ("database", "owner", "secret") if method.get(key)}
    stop = target(request, cluster, items, now)
    plugin = {"name": PLUGIN, "enabled": True, "isWALArchiver": False, "parameters": parameters}
    return {
        "bootstrap": {"recovery": {"source": SOURCE} | names | ({"recoveryTarget": stop} if stop else {})},
        "externalClusters": [{"name": SOURCE, "plugin": plugin}],
    }


def target(request: Request, cluster: Manifest, items: list[Manifest], now: datetime) -> Manifest:
    """Return where the recovery ends; empty for the newest state."""
    if request.backup and request.time:
        raise GitopsError("backup and time are both given: a restore ends with a backup or at a time, not both.")
    # What is in a folder that somebody names, only CloudNativePG can say. It may be that of a deleted Cluster.
    named = bool(request.server_name)
    if request.backup:
        # Without targetImmediate the recovery would go on to the newest state.
        return {"backupID": backup_id(request.backup, cluster, items, named), "targetImmediate": True}
    found = usable(cluster, items)
    if not found and not named:
        raise GitopsError(
            f"There is nothing to restore: Cluster {title(cluster)} has no completed backup. If the bucket has those "
            "of an earlier one, name their folder with server_name."
        )
    if not request.time:
        return {}
    when = moment(request.time, now)
    if not named and when < min(ended(item) for item in found):
        first = min(found, key=ended)
        raise GitopsError(
            f"time is {request.time}, before the first backup: {first['metadata']['name']} was complete at "
            f"{write_time(ended(first))}, and no earlier state can be restored."
        )
    return {"targetTime": write_time(when)}


def backup_id(name: str, cluster: Manifest, items: list[Manifest], named: bool) -> str:
    """Return Barman's name of a backup, which is given as the name of its Backup or as Barman's name itself."""
    known = {item["metadata"]["name"]: item for item in backups_of(items, cluster["metadata"]["name"])}
    item = known.get(name)
    if item is None:
        if named and BARMAN_ID.fullmatch(name):
            return name
        names = ", ".join(entry["metadata"]["name"] for entry in usable(cluster, items)) or "none"
        raise GitopsError(f"Cluster {title(cluster)} has no backup {name}; those that can be restored: {names}.")
    status = item.get("status") or {}
    phase = status.get("phase") or "not begun"
    if phase == "failed":
        why = f": {status['error'].rstrip('.')}" if status.get("error") else ""
        raise GitopsError(f"Backup {name} failed{why}. Name one that is completed.")
    if phase != "completed":
        raise GitopsError(f"Backup {name} is {phase}, not completed. Wait until it is, or name another one.")
    if not status.get("backupId"):
        raise GitopsError(f"Backup {name} has no backupId, so it is not in the bucket. Name another one.")
    if not named and not made_by(item, cluster):
        raise GitopsError(
            f"Backup {name} was made by an earlier Cluster {title(cluster)}: name its folder in the bucket with "
            "server_name."
        )
    return str(status["backupId"])


def moment(text: str, now: datetime) -> datetime:
    """Return the time to which the database is restored."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise GitopsError(f"time is {text}, which is not a time: {ZONED}.") from error
    if when.tzinfo is None:
        raise GitopsError(f"time is {text}, which has no time zone: {ZONED}.")
    if when > now:
        raise GitopsError(f"time is {text}, which is in the future: it is {write_time(now)} now.")
    return when


def copied(spec: Manifest, restore: Manifest) -> Manifest:
    """Return the spec of the new Cluster: that of the other one, with a single instance that archives nothing."""
    kept = {key: value for key, value in spec.items() if key not in OWN | REPLICATED}
    plugins = [entry for entry in spec.get("plugins") or [] if entry["name"] != PLUGIN]
    for key, part in (("postgresql", "synchronous"), ("managed", "services")):
        if part in (kept.get(key) or {}):
            kept[key] = {name: value for name, value in kept[key].items() if name != part}
    return kept | ({"plugins": plugins} if plugins else {}) | {"instances": 1} | restore


def origin(cluster: Manifest) -> tuple[Any, Any]:
    """Return from where a Cluster was restored, and to which point; the operator fills in other fields."""
    method: Manifest = (cluster["spec"].get("bootstrap") or {}).get("recovery") or {}
    sources = {entry["name"]: entry for entry in cluster["spec"].get("externalClusters") or []}
    plugin = (sources.get(method.get("source")) or {}).get("plugin") or {}
    return plugin.get("parameters"), method.get("recoveryTarget") or {}


def variables(cluster: Manifest, restored_one: Manifest, now: datetime) -> Manifest:
    """Return the variables of role common with which its database begins from the same state."""
    spec = restored_one["spec"]
    return {
        "common_bootstrap": spec["bootstrap"],
        "common_external_clusters": spec["externalClusters"],
        # CloudNativePG refuses to archive into a folder that is not empty.
        "common_backup_server_name": f"{cluster['metadata']['name']}-{now.strftime('%Y%m%d%H%M%S')}",
    }
