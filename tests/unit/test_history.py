# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployment a rollback returns to, and the operation that does it."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.history import find_deployment
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.operations import sync_operation
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.sync import refusal
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Sync
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

A, B = "a" * 40, "b" * 40
SOURCE = {"repoURL": "u", "path": "p"}


def application(*entries, automated=None):
    policy = {"syncOptions": ["CreateNamespace=true"], "retry": {"limit": 5}, "automated": automated}
    return {
        "metadata": {"name": "web", "namespace": "argocd", "resourceVersion": "7"},
        "spec": {"source": SOURCE, "syncPolicy": policy},
        "status": {"history": list(entries)},
    }


def entry(number, revision, **other):
    return {"id": number, "revision": revision, "source": SOURCE} | other


HISTORY = (entry(3, A), entry(4, B), entry(5, A), entry(6, B))


@pytest.mark.parametrize(
    ("number", "revision", "expected"), [(None, None, 5), (3, None, 3), (None, A, 5), (None, A[:7], 5), (None, B, 6)]
)
def test_a_deployment_is_found_by_id_or_commit_and_is_the_one_before_by_default(number, revision, expected):
    assert find_deployment(application(*HISTORY), number, revision)["id"] == expected


KNOWN = "its history has 6 (bbbbbbbbbbbb), 5 (aaaaaaaaaaaa), 4 (bbbbbbbbbbbb), 3 (aaaaaaaaaaaa)."


@pytest.mark.parametrize(
    ("entries", "number", "revision", "expected"),
    [
        (HISTORY, 9, None, f"Application web does not have a deployment with id 9: {KNOWN}"),
        (HISTORY, None, A[:6], f"Application web does not have a deployment of revision aaaaaa: {KNOWN}"),
        ((), 0, None, "Application web does not have a deployment with id 0: its history is empty."),
        (
            HISTORY[:1],
            None,
            None,
            "Application web should have at least two successful deployments for a rollback, but has 1: revert the "
            "commit in Git.",
        ),
        (
            ({"id": 1, "revision": A},),
            1,
            None,
            "Application web cannot be rolled back to a revision deployed with Argo CD v0.11 or lower: sync to the "
            "revision instead.",
        ),
    ],
)
def test_what_is_not_in_the_history_is_refused(entries, number, revision, expected):
    with pytest.raises(GitopsError) as caught:
        find_deployment(application(*entries), number, revision)
    assert str(caught.value) == expected


def test_a_rollback_is_a_sync_with_source_and_revision_of_the_history():
    operation = sync_operation(application(*HISTORY), Sync(prune=False, deployed=HISTORY[0]), "id")["operation"]
    assert operation == {
        "sync": {
            "prune": False,
            "revision": A,
            "source": SOURCE,
            "syncStrategy": {"apply": {}},
            "syncOptions": ["CreateNamespace=true"],
        },
        "initiatedBy": {"username": "ansible"},
        "info": [{"name": "ansible-request-id", "value": "id"}],
    }


def test_a_rollback_of_several_sources_has_all_of_them():
    deployed = {"id": 1, "revisions": [A, B], "sources": [SOURCE, SOURCE]}
    found = sync_operation(application(), Sync(prune=True, dry_run=True, deployed=deployed))["operation"]["sync"]
    assert found["revisions"] == [A, B]
    assert found["sources"] == [SOURCE, SOURCE]
    assert ("source" in found, found["dryRun"], found["prune"]) == (False, True, True)


@pytest.mark.parametrize(("automated", "refused"), [({}, True), ({"enabled": False}, False), (None, False)])
def test_it_is_refused_while_automated_sync_is_on(automated, refused):
    words = "rollback cannot be initiated when auto-sync is enabled; pause it first with argocd_app_pause"
    found = refusal(application(*HISTORY, automated=automated), Sync(deployed=HISTORY[0]))
    assert found == (words if refused else "")
