# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that two Applications want: who complains about which, and whether that is final.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    is_deleted,
    operation_state,
    reconciled_after,
    revisions_of,
    sources_of,
    status_of,
    succeeded_here,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Seen

SHARED = "SharedResourceWarning"
SHARED_MESSAGE = re.compile(r"(?P<kind>[^/]+)/(?P<name>.+) is part of applications (?P<one>\S+) and (?P<other>\S+)")


def is_complaining(application: Application) -> bool:
    """Return whether an Application has a warning about a shared object, of which it may not be known what it means."""
    return any(entry.get("type") == SHARED for entry in status_of(application).get("conditions") or [])


def rivals(application: Application, others: Mapping[str, Application]) -> set[str]:
    """Return the names of the Applications that the warnings about shared objects name, of those that exist."""
    found = status_of(application).get("conditions") or []
    texts = [entry.get("message", "") for entry in found if entry.get("type") == SHARED]
    return {name_of(rival(text, application, others)) for text in texts} - {""}


def shared_objects(application: Application) -> list[str]:
    """Return an Application's warnings about shared objects, after it synced them itself."""
    if (status_of(application).get("sync") or {}).get("status") != "Synced" and not succeeded_here(application):
        return []
    found = status_of(application).get("conditions") or []
    return [entry.get("message", "") for entry in found if entry.get("type") == SHARED]


def rival(text: str, application: Application, others: Mapping[str, Application]) -> Application | None:
    """Return the other Application that a SharedResourceWarning names, if it is in the same namespace."""
    found = SHARED_MESSAGE.fullmatch(text)
    namespace, _sep, name = found["other"].rpartition("/") if found else ("", "", "")
    return others.get(name) if namespace in ("", application["metadata"]["namespace"]) else None


def name_of(application: Application | None) -> str:
    """Return the name of an Application, nothing when there is none."""
    return application["metadata"]["name"] if application else ""


def is_moving(application: Application, text: str, seen: Seen) -> bool:
    """Return whether a shared object may only be on its way from one Application to another."""
    pair = [application] + [found for found in [rival(text, application, seen.others)] if found]
    if any(is_busy(one) or name_of(one) in seen.stale for one in pair):
        return True
    return len(pair) > 1 and (is_behind(*pair) or not wants(pair[1], text))


def is_confirmed(application: Application, text: str, seen: Seen) -> bool:
    """Return whether one of two Applications has failed already, because both want the object at the same commit.

    It is not refreshed any more, so its last self-heal may stay the newest thing that its status shows.
    """
    other = rival(text, application, seen.others)
    if other is None or is_behind(application, other):
        return False
    return name_of(application) in seen.shared or name_of(other) in seen.shared


def is_busy(application: Application) -> bool:
    """Return whether an Application is in a transition that its status does not show yet."""
    state = operation_state(application)
    running = application.get("operation") or state.get("phase") in ("Running", "Terminating")
    return bool(running or is_deleted(application)) or not reconciled_after(application, state.get("finishedAt"))


def is_behind(application: Application, other: Application) -> bool:
    """Return whether two Applications that follow the same branch were compared with different commits."""
    branches = [
        [(source.get("repoURL"), source.get("targetRevision")) for source in sources_of(found)]
        for found in (application, other)
    ]
    return branches[0] == branches[1] and revisions_of(application) != revisions_of(other)


def wants(application: Application, text: str) -> bool:
    """Return whether the object of a SharedResourceWarning is in Git for an Application, and not just a leftover."""
    found = SHARED_MESSAGE.fullmatch(text)
    return any(
        found and (entry.get("kind"), entry.get("name")) == (found["kind"], found["name"])
        for entry in status_of(application).get("resources") or []
        if not entry.get("requiresPruning")
    )
