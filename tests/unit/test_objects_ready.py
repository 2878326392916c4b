# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module objects_ready, against what a real API server said."""

from __future__ import annotations

import pytest
import recordings
from ansible_collections.monorepo.gitops.plugins.module_utils import _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._api import UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import Answer
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress
from ansible_collections.monorepo.gitops.plugins.modules import objects_ready
from said import SAID

from .running import run_module
from .test_diagnosis import Answers

MAILDEV = {"api_version": "apps/v1", "kind": "Deployment", "name": "maildev", "namespace": "maildev"}
IDENTITY = {"kind": "ConfigMap", "name": "monorepo-gitops", "namespace": "argocd", "data": {"environment": "^dev$"}}
PROJECTS = {"api_version": "argoproj.io/v1alpha1", "kind": "AppProject", "namespace": "argocd"}
SHORT, FINE = Answer("Pod", "a", "b", "it is slow", "Wait"), Answer("Pod", "a", "b")


def check(server, *objects, **arguments):
    return run_module(objects_ready, kubeconfig=server.kubeconfig, objects=[*objects], **arguments)


def test_what_is_ready(api_server):
    server = api_server("objects_ready")
    assert check(server, MAILDEV, IDENTITY, PROJECTS) == {
        "changed": False,
        "objects": [
            {"kind": "Deployment", "namespace": "maildev", "name": "maildev"},
            {"kind": "ConfigMap", "namespace": "argocd", "name": "monorepo-gitops"},
            *({"kind": "AppProject", "namespace": "argocd", "name": name} for name in ("default", "infra", "services")),
        ],
    }
    assert server.writes() == []


def test_every_object_that_falls_short_is_named(api_server):
    wrong = IDENTITY | {"data": {"nothing": "."}}
    missing = {"kind": "Secret", "name": "nobody", "namespace": "argocd", "hint": "Make it"}
    result = check(api_server("objects_short"), MAILDEV, wrong, missing)
    assert (result["failed"], result["msg"].splitlines()) == (
        True,
        [
            "ConfigMap argocd/monorepo-gitops: it has no nothing. "
            "kubectl describe configmaps -n argocd monorepo-gitops",
            "Secret argocd/nobody: it does not exist. Make it",
        ],
    )


def test_missing_rights_are_said(api_server):
    result = check(api_server("objects_forbidden"), MAILDEV)
    assert result["msg"] == (
        'Deployment maildev/maildev: it cannot be read: deployments.apps "maildev" is forbidden: User '
        '"system:serviceaccount:default:nobody" cannot get resource "deployments" in API group "apps" in the namespace '
        '"maildev". Does the kubeconfig have the right to get it?'
    )


@pytest.fixture
def answers(monkeypatch):
    """Let the module read what a test says, one round after the other; the last one repeats."""

    def given(*rounds):
        left = list(rounds)

        def ask(*_arguments):
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(objects_ready, "ask", ask)
        monkeypatch.setattr(objects_ready, "POLL_SECONDS", 0.01)

    return given


def at_once(monkeypatch):
    """Return the lines of progress, and what shows each at once."""
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    lines = []
    return lines, Progress(lines.append)


def test_it_waits_until_nothing_falls_short_also_for_an_api_server_that_restarts(answers, monkeypatch):
    lines, progress = at_once(monkeypatch)
    answers([FINE, SHORT], UnavailableError("gone"), [SHORT], [FINE])
    assert objects_ready.patiently(None, [], 60, progress) == [FINE]
    short = "as expected; Pod a/b: it is slow"
    assert lines == [f"   0 s: 1 of 2 {short}", "   0 s: gone", f"   0 s: 0 of 1 {short}"]


def test_without_wait_it_asks_once(answers):
    answers([SHORT], [FINE])
    assert objects_ready.patiently(None, [], 0, Progress()) == [SHORT]
    answers(UnavailableError("gone"), [FINE])
    with pytest.raises(UnavailableError, match="gone"):
        objects_ready.patiently(None, [], 0, Progress())


def test_the_end_of_the_wait(answers):
    answers([SHORT])
    assert objects_ready.patiently(None, [], 0.05, Progress()) == [SHORT]
    answers(UnavailableError("gone"))
    with pytest.raises(UnavailableError, match="gone"):
        objects_ready.patiently(None, [], 0.05, Progress())


def test_what_is_not_ready_says_the_lowest_cause_and_keeps_a_hint(api_server):
    objects = recordings.read("missing-storage-class")
    (namespace,) = {item["metadata"]["namespace"] for item in objects}
    recorded = Answers(objects)
    kinds = {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}

    def answer(method, path):
        return (200, kinds) if path == "/apis/apps/v1" else recorded.request(method, path.partition("?")[0])

    web = {"api_version": "apps/v1", "kind": "Deployment", "name": "web", "namespace": namespace}
    result = check(api_server(answer), web, web | {"hint": "Wait for it"})
    start = f"Deployment {namespace}/web: 0 of 1 pods are available, 1 of the newest revision; "
    said = SAID["missing-storage-class"]
    assert result["msg"].splitlines() == [
        f"{start}{said.text}. {said.next_step}",
        f"{start}{said.text}. Wait for it",
    ]
