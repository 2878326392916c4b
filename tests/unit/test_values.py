# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a source that may be secrets are shown nowhere."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import values
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.appset_overview import described
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import details
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_set

from .running import run_module

HIDDEN = values.HIDDEN
SOURCE = {
    "repoURL": "https://charts.example",
    "helm": {
        "releaseName": "shop",
        "parameters": [{"name": "password", "value": "hunter2", "forceString": True}],
        "values": "password: hunter2",
        "valuesObject": {"password": "hunter2"},
        "valueFiles": ["prod.yaml"],
    },
}
APPLICATION = {
    "metadata": {"name": "shop", "namespace": "argocd", "resourceVersion": "1"},
    "spec": {"project": "default", "source": SOURCE},
    "status": {"sourceType": "Helm", "history": [{"id": 1, "source": SOURCE}, {"id": 2, "sources": [SOURCE]}]},
}


@pytest.mark.parametrize(
    ("program", "before", "expected"),
    [
        (
            "helm",
            SOURCE["helm"],
            {
                "releaseName": "shop",
                "parameters": [{"name": "password", "value": HIDDEN, "forceString": True}],
                "values": HIDDEN,
                "valuesObject": HIDDEN,
                "valueFiles": ["prod.yaml"],
            },
        ),
        (
            "plugin",
            {
                "name": "tool",
                "env": [{"name": "TOKEN", "value": "hunter2"}],
                "parameters": [{"name": "a", "string": "x"}, {"name": "b", "array": ["x"]}, {"name": "c", "map": {}}],
            },
            {
                "name": "tool",
                "env": [{"name": "TOKEN", "value": HIDDEN}],
                "parameters": [{"name": name, key: HIDDEN} for name, key in zip("abc", values.FIELDS[3:], strict=True)],
            },
        ),
        ("jsonnet", {"tlas": [{"name": "a", "value": "x"}]}, {"tlas": [{"name": "a", "value": HIDDEN}]}),
        ("kustomize", {"images": ["a:1"], "values": "x"}, {"images": ["a:1"], "values": "x"}),
    ],
)
def test_the_names_of_values_are_shown_and_they_are_not(program, before, expected):
    source = {"repoURL": "https://a", program: before}
    given = deepcopy(source)
    assert values.shown({"spec": {"sources": [source]}}) == {
        "spec": {"sources": [{"repoURL": "https://a", program: expected}]}
    }
    assert source == given
    assert values.has_values(source) == (before != expected)


def test_a_change_of_a_value_is_still_a_difference():
    def helm(**parameters):
        return {"shop": {"helm": {"parameters": [{"name": key, "value": value} for key, value in parameters.items()]}}}

    before, after = values.shown_change(helm(a="1", b="2"), helm(b="3", a="1", c="4"))
    assert before == helm(a=HIDDEN, b=HIDDEN)
    assert after == helm(b=values.OTHER, a=HIDDEN, c=HIDDEN)


def test_no_module_shows_them():
    assert "hunter2" not in json.dumps(details(APPLICATION))
    template = {"spec": {"source": SOURCE}}
    generator = {"plugin": {"values": {"password": "hunter2"}}, "template": template}
    found = described({"metadata": {"name": "a", "namespace": "b"}, "spec": {"template": template}}, [])
    assert "hunter2" not in json.dumps(found)
    spec = {"template": template, "generators": [generator]}
    assert "hunter2" not in json.dumps(described({"metadata": {"name": "a", "namespace": "b"}, "spec": spec}, []))


def test_what_is_set_is_written_and_not_shown(api_server):
    def script(method, path):
        if method == "PATCH":
            return 200, {}
        return (404, {}) if path.endswith("/gitops-paused") else (200, {"items": [deepcopy(APPLICATION)]})

    server, bodies = api_server(script), []
    answer = server.answer
    server.answer = lambda handler, method, path, body: (bodies.append(body), answer(handler, method, path, body))
    wanted = {"password": "hunter3", "token": "hunter4"}
    result = run_module(argocd_app_set, kubeconfig=server.kubeconfig, names=["shop"], helm_parameters=wanted)
    assert "hunter" not in json.dumps(result)
    (change,) = result["applications"]
    assert (change["changed"], change["fields"]) == (True, ["spec.source.helm.parameters"])

    def values_of(spec):
        return {entry["name"]: entry["value"] for entry in spec["source"]["helm"]["parameters"]}

    assert values_of(result["diff"]["before"]["shop"]) == {"password": HIDDEN}
    assert values_of(result["diff"]["after"]["shop"]) == {"password": values.OTHER, "token": HIDDEN}
    assert [values_of(body["spec"]) for body in bodies if body] == [wanted]
