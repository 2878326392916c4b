# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply of many objects over one client.

An object is read before it is written. A hash of the manifest is kept as an annotation: if the hash matches and the
live object already contains every value of the manifest, no request is sent. Otherwise a dry run of the API server
decides whether there is a difference.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY, JSON_PATCH, Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply import handover
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.diff import LAST_APPLIED, comparable, contains
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import (
    label,
    phases,
    with_hash,
    with_namespace,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import Applied, report
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.waiting import Waiter, await_gone
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import path_text
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import is_leaving, leaving
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import silent

Manifest = dict[str, Any]
ERRORS_SHOWN = 5
RACE_RETRIES = 5


@dataclass
class Settings:
    """How to apply."""

    field_manager: str
    force: bool
    only_missing: bool
    check_mode: bool
    concurrency: int
    handover: bool = False  # whether to take over what kubectl holds
    timeout: float = 120.0  # for a CRD that is being deleted


class Applier:
    """Applies objects in an order in which each finds what it needs."""

    def __init__(
        self, api: Api, settings: Settings, namespace: str | None, say: Callable[[str], None] = silent
    ) -> None:
        self.api, self.settings, self.namespace = api, settings, namespace or "default"
        self.say = say
        self.results: list[Applied] = []
        self.warnings: list[str] = []

    def apply(self, items: list[Manifest]) -> list[Applied]:
        """Apply all objects and return the results; a rejected object does not hold back the others."""
        namespaces, others, custom = phases(items)
        self._check_kinds([*namespaces, *others])
        with ThreadPoolExecutor(max_workers=self.settings.concurrency) as pool:
            self._phase(pool, namespaces)
            self._phase(pool, others)
            if custom and not self.settings.check_mode:
                Waiter(self.api, self.results, self.say).await_served(custom)
            self._phase(pool, custom)
        return self.results

    def _check_kinds(self, items: list[Manifest]) -> None:
        """Find kinds that the cluster does not serve before anything is written, with one discovery per API version."""
        unknown = {f"{item['kind']} of {item['apiVersion']}": item for item in items if not self.api.resource(item)}
        if not unknown:
            return
        message = f"The cluster does not know {', '.join(unknown)}: the CustomResourceDefinition is missing"
        if not self.settings.check_mode:
            names = ", ".join(label(item) for item in unknown.values())
            raise GitopsError(f"{message}, so {names} cannot be applied. Nothing was written.")
        self.warnings.append(f"{message}. Its objects count as new and were not checked.")

    def _phase(self, pool: ThreadPoolExecutor, items: list[Manifest]) -> None:
        errors = []
        for outcome in pool.map(self._try, items):
            if isinstance(outcome, GitopsError):
                errors.append(str(outcome))
            else:
                self.results.append(outcome)
        if errors:
            more = f"; and {len(errors) - ERRORS_SHOWN} more" if len(errors) > ERRORS_SHOWN else ""
            texts = list(dict.fromkeys(errors))[:ERRORS_SHOWN]
            raise GitopsError("; ".join(texts) + more, **report(self.results))

    def _try(self, item: Manifest) -> Applied | GitopsError:
        try:
            return self._one(item)
        except GitopsError as error:
            return error

    def _one(self, item: Manifest) -> Applied:
        resource = self.api.resource(item)
        if resource is None:  # only in check mode
            return Applied(item, "created", {}, item)
        if resource[1]:
            item = with_namespace(item, self.namespace)
        path = self.api.path(item) or ""
        live = self._read(item, path)
        if live is not None and is_leaving(live):
            live = self._without_leaving(item, path, live)
        if live is None:
            return self._create(item, path)
        if self.settings.only_missing:
            return Applied(item, "skipped", live, live)
        return self._update(item, path, live)

    def _without_leaving(self, item: Manifest, path: str, live: Manifest) -> Manifest | None:
        """Return what is there once a CRD that is being deleted is gone; of another object say that it will be gone."""
        if item["kind"] != "CustomResourceDefinition":
            self.warnings.append(f"{label(item)}: {leaving(live)}. What is written to it goes with it.")
            return live
        if self.settings.check_mode:
            return None
        return await_gone(lambda: self._read(item, path), live, self.settings.timeout, self.say)

    def _read(self, item: Manifest, path: str) -> Manifest | None:
        status, live = self.api.request("GET", path)
        if status not in (200, 404):
            raise GitopsError(f"{label(item)} cannot be read: {live.get('message') or status}")
        return live if status == 200 else None

    def _create(self, item: Manifest, path: str) -> Applied:
        wanted = item if self.settings.only_missing else with_hash(item)
        status, result = self._patch(path, wanted, self.settings.check_mode)
        if status == 404 and self.settings.check_mode:  # this run would create its namespace, too
            return Applied(item, "created", {}, item)
        self._check(item, status, result)
        return Applied(item, "created", {}, result)

    def _update(self, item: Manifest, path: str, live: Manifest) -> Applied:
        wanted = with_hash(item)
        if self.settings.handover and handover.is_held(live):
            return self._take_over(wanted, path, live)
        if item["kind"] != "Secret" and contains(live, wanted):
            return Applied(item, "unchanged", live, live)
        for _attempt in range(RACE_RETRIES):
            status, result = self._patch(path, wanted, dry_run=True)
            self._check(item, status, result)
            if comparable(result) == comparable(live):
                return Applied(item, "unchanged", live, live)
            if result["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion"):
                break
            # Somebody else wrote between the two requests; that difference is not part of this run.
            live = self._read(item, path) or live
        if not self.settings.check_mode:
            status, result = self._patch(path, wanted, dry_run=False)
            self._check(item, status, result)
        return Applied(item, "configured", live, result)

    def _take_over(self, wanted: Manifest, path: str, live: Manifest) -> Applied:
        """Apply an object of which kubectl holds fields, and name those that leave it."""
        paths = handover.going(live, wanted, self.settings.field_manager)
        leaving = [text for found in paths if LAST_APPLIED not in (text := path_text(found))]
        if leaving:
            verb = "Would remove" if self.settings.check_mode else "Removed"
            self.warnings.append(
                f"{verb} from {label(wanted)} what was applied with kubectl and is not in the manifest: "
                f"{', '.join(leaving)}."
            )
        if not self.settings.check_mode:
            self._hand_over(wanted, path, live)
        status, result = self._patch(path, wanted, self.settings.check_mode)
        self._check(wanted, status, result)
        if self.settings.check_mode:  # a dry run does not know of the handover
            result = handover.without(result, paths)
        return Applied(wanted, "configured", live, result)

    def _hand_over(self, item: Manifest, path: str, live: Manifest) -> None:
        for _attempt in range(RACE_RETRIES):
            fields = {
                "/metadata/managedFields": handover.managers(live, self.settings.field_manager),
                "/metadata/resourceVersion": live["metadata"]["resourceVersion"],
            }
            operations = [{"op": "replace", "path": name, "value": value} for name, value in fields.items()]
            status, result = self.api.request("PATCH", path, body=operations, content_type=JSON_PATCH)
            if status != 409:
                break
            live = self._read(item, path) or live  # somebody else wrote in the meantime
        self._check(item, status, result)

    def _patch(self, path: str, item: Manifest, dry_run: bool) -> tuple[int, Manifest]:
        query = {"fieldManager": self.settings.field_manager, "force": str(self.settings.force).lower()}
        return self.api.request("PATCH", path, query | ({"dryRun": "All"} if dry_run else {}), item, APPLY)

    def _check(self, item: Manifest, status: int, result: Manifest) -> None:
        if status in (200, 201):
            return
        message = str(result.get("message") or status)
        if item["kind"] == "Secret":
            message = f"{result.get('reason') or status} (the rest may quote its values and is not shown)"
        raise GitopsError(f"{label(item)} was rejected: {message}")
