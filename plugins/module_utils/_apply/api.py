# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of an apply, which waits out an API server that is busy or restarting.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import MERGE, REQUEST_SECONDS, Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

Manifest = dict[str, Any]
BUSY_RETRIES = 4


class PatientApi(Api):
    """Retries while the API server is busy or restarting, and passes on its other errors unchanged."""

    def __init__(self, client: Any, concurrency: int) -> None:
        super().__init__(client)
        settings = self.client.rest_client.pool_manager.connection_pool_kw
        settings["maxsize"] = max(concurrency, settings.get("maxsize") or 1)

    def request(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, content_type: str = MERGE
    ) -> tuple[int, Manifest]:
        """Send one request, with retries where they can help, and return status code and body."""
        for tries_left in reversed(range(BUSY_RETRIES)):
            try:
                response = self._send(method, path, query, body, content_type, timeout=REQUEST_SECONDS)
            except UnavailableError:
                if not tries_left:
                    raise
                time.sleep(1)
                continue
            if response.status not in (429, 503) or not tries_left:
                break
            time.sleep(retry_after(response.headers.get("Retry-After")))
        if response.status == 401:
            raise GitopsError(f"The API server {self.host} does not accept the credentials (401 Unauthorized).")
        try:
            return response.status, json.loads(response.data or b"{}")
        except ValueError:
            return response.status, {"message": response.data.decode(errors="replace").strip()[:500]}


def retry_after(header: str | None) -> float:
    """Return the delay in seconds that a busy API server asks for, at most ten."""
    return min(float(header), 10.0) if header and header.isdigit() else 1.0
