# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the specification of Applications: every write has the version that it was decided on.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

PATIENCE = 30.0  # seconds; Argo CD writes the status of a busy Application several times a second
PAUSE = 0.1  # seconds between two attempts
Done = TypeVar("Done")


def without_conflict(attempt: Callable[[], Done | None], what: str) -> Done:
    """Decide and write until nothing changed in between, which an attempt says by its result."""
    end = time.monotonic() + PATIENCE
    while (done := attempt()) is None:
        if time.monotonic() > end:
            raise GitopsError(f"{what} was changed by somebody else at each attempt in {PATIENCE:g} s: try again.")
        time.sleep(PAUSE)
    return done


def write(api: Api, application: Application, spec: dict[str, Any]) -> bool:
    """Write a JSON merge patch of a specification; return False when the Application has changed in the meantime."""
    metadata = application["metadata"]
    path = f"{GROUP}/namespaces/{metadata['namespace']}/applications/{metadata['name']}"
    body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "spec": spec}
    status, found = api.request("PATCH", path, body=body)
    if status not in (200, 404, 409):
        raise GitopsError(f"Application {metadata['name']} cannot be changed: {found.get('message', status)}")
    return status == 200
