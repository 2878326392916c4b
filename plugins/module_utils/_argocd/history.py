# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployment of its history an Application returns to. Functions without effects.

The rules are those of `argocd app rollback` and of Argo CD's API server (Rollback in
server/application/application.go at v3.6.1).

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application, listed, status_of
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

Deployment = dict[str, Any]
SHORT = 12
SHORTEST = 7


def history_of(application: Application) -> list[Deployment]:
    """Return the deployments, oldest first."""
    return status_of(application).get("history") or []


def revisions_of_deployment(entry: Deployment) -> list[str]:
    """Return the commits of a deployment, one for each source."""
    return list(entry.get("revisions") or ([entry["revision"]] if entry.get("revision") else []))


def find_deployment(application: Application, number: int | None, revision: str | None) -> Deployment:
    """Return the deployment with an id or of a commit, without either the previous one."""
    history = history_of(application)
    name = application["metadata"]["name"]
    if number is None and revision is None:
        if len(history) < 2:
            raise GitopsError(
                f"Application {name} should have at least two successful deployments for a rollback, but has "
                f"{len(history)}: revert the commit in Git."
            )
        found = history[-2]
    else:
        fitting = [entry for entry in history if fits(entry, number, revision)]
        if not fitting:
            raise GitopsError(f"Application {name} does not have {asked(number, revision)}: {known(history)}.")
        found = fitting[-1]
    if not found.get("source") and not found.get("sources"):
        raise GitopsError(
            f"Application {name} cannot be rolled back to a revision deployed with Argo CD v0.11 or lower: sync to the "
            "revision instead."
        )
    return found


def fits(entry: Deployment, number: int | None, revision: str | None) -> bool:
    """Return whether a deployment is the one that was asked for; a commit may be shortened."""
    if number is not None:
        return bool(entry.get("id", 0) == number)
    wanted = str(revision)
    return len(wanted) >= SHORTEST and any(found.startswith(wanted) for found in revisions_of_deployment(entry))


def asked(number: int | None, revision: str | None) -> str:
    """Return what was asked for, in words."""
    return f"a deployment with id {number}" if number is not None else f"a deployment of revision {revision}"


def known(history: list[Deployment]) -> str:
    """Return what there is, newest first."""
    if not history:
        return "its history is empty"
    texts = [
        f"{entry.get('id', 0)} ({', '.join(found[:SHORT] for found in revisions_of_deployment(entry))})"
        for entry in reversed(history)
    ]
    return f"its history has {listed(texts, 10)}"
