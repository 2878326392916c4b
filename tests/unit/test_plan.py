# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of components, and what is refused."""

from __future__ import annotations

import re

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import (
    check_definition,
    handwritten,
    plan,
    role_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def component(name: str, *needs: str) -> dict:
    return {"name": name, "layer": "infra", "namespace": name, "depends_on": list(needs)}


def test_components_come_after_what_they_depend_on():
    ordered = plan(
        [component("kafka-ui", "kafka"), component("kafka", "strimzi"), component("strimzi"), component("maildev")]
    )
    assert [(entry["name"], entry["stage"]) for entry in ordered] == [
        ("maildev", 0),
        ("strimzi", 0),
        ("kafka", 1),
        ("kafka-ui", 2),
    ]


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ([component("a", "b"), component("b", "a")], "gitops_components: depends_on has a cycle: "),
        (
            [component("kafka", "strimzi")],
            "gitops_components: kafka depends on strimzi, which is not in the list: add it or remove kafka.",
        ),
        (
            [component("a"), component("a")],
            "gitops_components: two components are called 'a'; names must be unique.",
        ),
    ],
)
def test_a_list_that_cannot_converge_is_refused(components, message):
    with pytest.raises(GitopsError, match=re.escape(message)):
        plan(components)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (None, "gitops_components: the role of 'x' defines no component with name, layer and namespace."),
        (
            component("X_1"),
            "gitops_components: name 'X_1' of 'x' is not a DNS label (lower-case letters, digits and '-', at most 63).",
        ),
        (component("a" * 64), f"gitops_components: name '{'a' * 64}' of 'x' is not a DNS label"),
        (component("a") | {"layer": "apps"}, "gitops_components: layer 'apps' of 'x' must be infra or services."),
    ],
)
def test_a_wrong_definition_is_refused(definition, message):
    with pytest.raises(GitopsError, match=re.escape(message)):
        check_definition("x", definition)


def test_a_complete_definition_is_returned_as_it_is():
    definition = component("shop") | {"layer": "services", "endpoints": []}
    assert check_definition("x", definition) is definition


def owned(*components: dict, **options: str) -> dict[str, list[str]]:
    return {entry["name"]: entry["namespaces"] for entry in plan(list(components), **options)}


def test_a_namespace_belongs_to_the_first_component_that_lives_there_and_then_to_the_next():
    api, auth = (component(name, "gateway") | {"namespace": "services"} for name in ("api", "auth"))
    common, gateway = component("common") | {"namespace": "services"}, component("gateway")
    assert owned(auth, api, common, gateway) == {"common": ["services"], "gateway": ["gateway"], "api": [], "auth": []}
    assert owned(auth, api, gateway) == {"gateway": ["gateway"], "api": ["services"], "auth": []}
    assert owned(auth, gateway) == {"gateway": ["gateway"], "auth": ["services"]}


def test_a_namespace_belongs_to_a_component_that_needs_it_before_another_lives_there():
    strimzi = component("strimzi") | {"more_namespaces": ["kafka", "strimzi", "kafka"]}
    assert owned(component("kafka", "strimzi"), strimzi) == {"strimzi": ["kafka", "strimzi"], "kafka": []}


def test_nobody_owns_the_namespace_of_argocd_or_one_that_every_cluster_has():
    more = ["argocd", "kube-system", "kube-public", "kube-node-lease"]
    entry = component("a") | {"namespace": "default", "more_namespaces": more}
    assert owned(entry) == {"a": []}
    assert owned(entry, argocd_namespace="delivery") == {"a": ["argocd"]}
    assert owned(component("delivery"), argocd_namespace="delivery") == {"delivery": []}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["*"], "more_namespaces '*' of 'a' is not a DNS label (lower-case letters, digits and '-', at most 63)."),
        ("kafka", "more_namespaces of 'a' is not a list."),
    ],
)
def test_namespaces_that_cannot_be_are_refused(more, message):
    with pytest.raises(GitopsError, match=f"^gitops_components: {re.escape(message)}$"):
        plan([component("a") | {"more_namespaces": more}])


def test_a_name_is_a_role_of_this_collection_and_a_full_name_is_a_role_of_another():
    assert role_of("cert-manager") == "monorepo.gitops.cert_manager"
    assert role_of("acme.platform.shop") == "acme.platform.shop"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"layer": "infra"},
            "name None of 'None' is not a DNS label (lower-case letters, digits and '-', at most 63).",
        ),
        ({"name": "legacy"}, "layer None of 'legacy' must be infra or services."),
        ({"name": "legacy", "layer": "infra", "kinds": "Job"}, "kinds of 'legacy' is not a list."),
        (
            {"name": "legacy", "layer": "infra", "kinds": ["Job"]},
            "kinds of 'legacy' needs entries such as {group: apps, kind: Deployment}.",
        ),
        (
            {"name": "legacy", "layer": "infra", "role": "x"},
            "the entry of 'legacy' has unknown keys: role; a handwritten component may have name, layer, depends_on, "
            "endpoints and kinds.",
        ),
    ],
)
def test_a_wrong_entry_of_what_people_wrote_is_refused(entry, message):
    with pytest.raises(GitopsError, match=f"^{re.escape('gitops_components: ' + message)}$"):
        handwritten(entry)


def test_what_people_wrote_owns_no_namespace():
    ordered = plan([handwritten({"name": "a", "layer": "services"}), component("b") | {"namespace": "services"}])
    assert [(entry["name"], entry["namespaces"]) for entry in ordered] == [("a", []), ("b", ["services"])]
