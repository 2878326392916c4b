# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Applications people have paused: the record of it, and whether it still fits. Functions without effects.

A pause is `spec.syncPolicy.automated.enabled: false` and an entry in a ConfigMap: who, since when, and the policy
before.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import owner_of
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    automated_policy,
    is_automated,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

CONFIG_MAP = "gitops-paused"
Record = dict[str, Any]


def config_map_path(namespace: str, name: str = CONFIG_MAP) -> str:
    """Return the path of the ConfigMap, or of all."""
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def paused(api: Api, namespace: str) -> dict[str, Record]:
    """Return the records of paused Applications by name."""
    return read_records(api, namespace)[0]


def read_records(api: Api, namespace: str) -> tuple[dict[str, Record], str]:
    """Return the records by name, and the version of the ConfigMap; it is empty where there is none."""
    status, found = api.request("GET", config_map_path(namespace))
    if status == 404:
        return {}, ""
    if status != 200:
        raise GitopsError(
            f"ConfigMap {CONFIG_MAP}, which says what is paused, cannot be read: {found.get('message', status)}"
        )
    return records_of(found), str(found["metadata"]["resourceVersion"])


def records_of(config_map: dict[str, Any]) -> dict[str, Record]:
    """Return the records of a ConfigMap."""
    return {name: parse(name, text) for name, text in sorted((config_map.get("data") or {}).items())}


def parse(name: str, text: str) -> Record:
    """Return the record of an Application."""
    try:
        found = json.loads(text)
        return {key: found[key] for key in ("uid", "by", "since", "reason", "applicationset", "automated")}
    except (ValueError, TypeError, KeyError) as error:
        raise GitopsError(
            f"ConfigMap {CONFIG_MAP} has no readable record of Application {name}: remove that key, and set the sync "
            "policy of the Application with argocd_app_set."
        ) from error


def unbound(text: str) -> str:
    """Return a record for a backup: it fits the Application that is made of the same backup, which has another UID."""
    try:
        return json.dumps(json.loads(text) | {"uid": ""})
    except (ValueError, TypeError):  # not readable before either
        return text


def new_record(application: Application, by: str, since: str, reason: str) -> Record:
    """Return the record of a pause that begins now."""
    return {
        "uid": application["metadata"].get("uid", ""),
        "by": by,
        "since": since,
        "reason": reason,
        "applicationset": owner_of(application),
        "automated": automated_policy(application),
    }


def misfit(record: Record, application: Application | None) -> str:
    """Return why a record does not describe an Application any more, or nothing."""
    if application is None:
        return "it does not exist any more"
    if record["uid"] and application["metadata"].get("uid", "") != record["uid"]:
        return "it was deleted and recreated"
    return "its automated sync was switched on again" if is_automated(application) else ""


def pause_text(record: Record | None, application: Application | None) -> str:
    """Return since when and by whom an Application is paused; nothing when it is not."""
    if record is None or misfit(record, application):
        return ""
    return f"paused since {record['since']} by {record['by']}" + (f" ({record['reason']})" if record["reason"] else "")


def misfit_text(name: str, record: Record, application: Application | None) -> str:
    """Return what is wrong with a record, for people; nothing when it fits."""
    wrong = misfit(record, application)
    if not wrong:
        return ""
    since = f"since {record['since']} by {record['by']}"
    return f"Application {name} is recorded as paused {since}, but {wrong}: resume it, which removes the record"


def standing(records: Mapping[str, Record], applications: Iterable[Application]) -> tuple[dict[str, str], list[str]]:
    """Return for each paused Application since when and by whom, and what is wrong with the other records.

    `applications` must be all of the namespace.
    """
    found = {item["metadata"]["name"]: item for item in applications}
    texts = {name: pause_text(record, found.get(name)) for name, record in records.items()}
    wrong = [misfit_text(name, record, found.get(name)) for name, record in records.items()]
    return {name: text for name, text in texts.items() if text}, [text for text in wrong if text]


def policy_patch(application: Application, automated: dict[str, Any] | None) -> dict[str, Any]:
    """Return the patch of the specification that gives an Application exactly this policy for automated sync."""
    before = automated_policy(application) or {}
    exact = None if automated is None else {key: None for key in before if key not in automated} | automated
    return {"syncPolicy": {"automated": exact}}


def off(application: Application) -> dict[str, Any]:
    """Return the policy of an Application with automated sync switched off."""
    return (automated_policy(application) or {}) | {"enabled": False}


def with_policy(application: Application, automated: dict[str, Any] | None) -> dict[str, Any]:
    """Return the specification of an Application with another policy for automated sync."""
    spec = application.get("spec") or {}
    return spec | {"syncPolicy": (spec.get("syncPolicy") or {}) | {"automated": automated}}
