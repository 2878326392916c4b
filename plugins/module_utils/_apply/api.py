# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of server-side apply.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import MERGE, Api, reader
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


class ApplyApi(Api):
    """Many requests at a time, and errors in the words of the API server: they say why it rejects an object."""

    def __init__(self, client: Any, concurrency: int) -> None:
        super().__init__(client)
        settings = self.client.rest_client.pool_manager.connection_pool_kw
        settings["maxsize"] = max(concurrency, settings.get("maxsize") or 1)

    def request(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, content_type: str = MERGE
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return status code and body."""
        response = self._exchange(method, path, query, body, content_type)
        if response.status == 401:
            raise GitopsError(f"The API server {self.host} does not accept the credentials (401 Unauthorized).")
        try:
            return response.status, reader()(response.data or b"{}")
        except ValueError:
            return response.status, {"message": response.data.decode(errors="replace").strip()[:500]}
