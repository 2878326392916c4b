# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pause and resume Applications: the record is written before the first pause, and removed after the last resume.

So an interrupted task leaves a record that does not fit, never a pause without one. Every write has the version that it
was decided on; after a conflict everything is decided anew.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import (
    CONFIG_MAP,
    Record,
    config_map_path,
    misfit,
    misfit_text,
    off,
    policy_patch,
    read_records,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    is_automated,
    is_deleted,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.writing import without_conflict, write
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


@dataclass
class Plan:
    """What is written: policies for automated sync, and records, where None removes one."""

    policies: dict[str, tuple[Application, dict[str, Any] | None]] = field(default_factory=dict)
    records: dict[str, Record | None] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def plan_pause(
    applications: list[Application], records: dict[str, Record], write_record: Callable[[Application], Record]
) -> Plan:
    """Return how to pause Applications. A pause that fits keeps its record; without automated sync there is none."""
    plan = Plan()
    for item in applications:
        name = item["metadata"]["name"]
        record = records.get(name)
        if is_automated(item) and not is_deleted(item):
            record = plan.records[name] = write_record(item)
            plan.policies[name] = (item, off(item))
        elif record and misfit(record, item):  # recreated without automated sync
            plan.records[name] = record = None
        text = "" if record else "automated sync was off before"
        text = "is being deleted" if is_deleted(item) else text
        plan.results[name] = result(name, record, name in plan.policies, text)
    return plan


def plan_resume(applications: list[Application], records: dict[str, Record], done: set[str]) -> Plan:
    """Return how to resume Applications, and which records only go because they do not fit any more.

    `records` are those of the Applications that are meant, also of such that do not exist any more. Those that are
    `done` were resumed by an earlier attempt, which could not remove their records.
    """
    plan, found = Plan(), {item["metadata"]["name"]: item for item in applications}
    for name in sorted(found.keys() | records.keys()):
        record, item = records.get(name), found.get(name)
        text = "was not paused" if record is None else misfit(record, item)
        text = "" if name in done else text
        if record is not None:
            plan.records[name] = None
            plan.warnings += [f"{misfit_text(name, record, item).partition(': resume')[0]}"] if text else []
        if record is not None and item is not None and not text and name not in done:
            plan.policies[name] = (item, record["automated"])
        plan.results[name] = result(name, None, record is not None, text)
    return plan


def result(name: str, record: Record | None, changed: bool, text: str) -> dict[str, Any]:
    """Return the result about one Application."""
    known = record or {}
    return {
        "name": name,
        "paused": record is not None,
        "changed": changed,
        "message": text,
        **{key: known.get(key, "") for key in ("by", "since", "reason")},
        "automated": known.get("automated"),
    }


class Pauses:
    """The record of pauses and the Applications of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.done: set[str] = set()  # Applications whose policy was written
        self.recorded: set[str] = set()  # Applications whose record was written

    def carry_out(self, decide: Callable[[dict[str, Record]], Plan], records_first: bool, check: bool) -> Plan:
        """Decide and write until nothing changed in between; return the plan, whose results are those of all tries.

        What somebody else has done between two tries is not one of our changes, even if it is what was wanted.
        """
        changed: set[str] = set()

        def attempt() -> Plan | None:
            records, version = read_records(self.api, self.namespace)
            plan = decide(records)
            due = {name for name, entry in plan.results.items() if entry["changed"]}
            written = check or self._write(plan, version, records_first)
            changed.update(due & (self.done | self.recorded))
            return plan if written else None

        plan = without_conflict(attempt, f"ConfigMap {CONFIG_MAP} or an Application")
        for name in changed & plan.results.keys():
            plan.results[name]["changed"] = True
        return plan

    def _write(self, plan: Plan, version: str, records_first: bool) -> bool:
        """Write records and policies; return whether all was still as it was read."""
        if records_first and not self._write_records(plan, version):
            return False
        done = {name: write(self.api, item, policy_patch(item, new)) for name, (item, new) in plan.policies.items()}
        self.done |= {name for name, written in done.items() if written}
        return all(done.values()) and (records_first or self._write_records(plan, version))

    def _write_records(self, plan: Plan, version: str) -> bool:
        if not plan.records:
            return True
        texts = {name: json.dumps(record) if record else None for name, record in plan.records.items()}
        body: dict[str, Any] = {"metadata": {"resourceVersion": version}, "data": texts}
        if version:
            status, found = self.api.request("PATCH", config_map_path(self.namespace), body=body)
        else:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": texts}
            status, found = self.api.request(
                "POST", config_map_path(self.namespace, ""), body=body, content_type="application/json"
            )
        if status in (404, 409):
            return False
        if status not in (200, 201):
            raise GitopsError(
                f"ConfigMap {CONFIG_MAP}, which records what is paused, cannot be written: "
                f"{found.get('message', status)}"
            )
        self.recorded |= plan.records.keys()
        return True
