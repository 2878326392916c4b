# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting single objects and waiting until they are gone.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import held_by
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress, silent

Manifest = dict[str, Any]
POLL_SECONDS = 0.3


def delete(
    api: Api,
    items: Iterable[Manifest],
    timeout: float,
    propagation: str = "Background",
    say: Callable[[str], None] = silent,
) -> None:
    """Delete exactly these objects and wait until they are gone; others of the same name may follow them."""
    deleted = []
    for item in items:  # one that is generated is deleted before the next one is looked at
        body = {"propagationPolicy": propagation, "preconditions": {"uid": item["metadata"]["uid"]}}
        path, kind = api.path(item), "application/json"
        status, answer = api.request("DELETE", path, body=body, content_type=kind) if path else (404, {})
        # A conflict: another one has its name already.
        if status not in (200, 202, 404, 409):
            raise GitopsError(f"{label(item)} cannot be deleted: {answer.get('message', status)}")
        deleted.append(item)
    progress = Progress(say)
    deadline = progress.started + timeout
    for item in deleted:
        while held := still(api, item):
            now = time.monotonic()
            if now > deadline:
                raise GitopsError(f"{label(item)} was not deleted after {timeout:g} s; {held_by(held)}.")
            progress.tell(now, label(item), f"{label(item)} is being deleted; {held_by(held)}")
            time.sleep(POLL_SECONDS)


def still(api: Api, item: Manifest) -> Manifest | None:
    """Return an object while it is there; one with another UID was created in the meantime."""
    path = api.path(item)
    status, found = api.request("GET", path) if path else (404, {})
    if status not in (200, 404):
        raise GitopsError(f"{label(item)} cannot be read: {found.get('message', status)}")
    return found if status == 200 and found["metadata"]["uid"] == item["metadata"]["uid"] else None
