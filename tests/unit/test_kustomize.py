# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What built overlays contain."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils.kustomize import build_all, check_one_owner

# Stands in for kustomize: prints the one file of an overlay.
COMMAND = ["sh", "-c", 'cat "$0/objects.yaml"']
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {"group": "example.com", "names": {"kind": "Widget"}, "scope": "Cluster"},
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def item(kind: str, name: str, namespace: str = "", api_version: str = "v1") -> dict:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def built(tree, **overlays: list) -> list[dict]:
    """Build components of layer infra, whose namespace is called as they are."""
    for name, objects in overlays.items():
        folder = tree / "argocd" / "infra" / name / "envs" / "dev"
        folder.mkdir(parents=True)
        (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    components = [{"name": name, "layer": "infra", "namespace": name} for name in overlays]
    return build_all(str(tree), "dev", components, COMMAND)


def identities(summary: dict) -> list[tuple]:
    assert {tuple(entry) for entry in summary["identities"]} <= {("group", "kind", "namespace", "name")}
    return [tuple(entry.values()) for entry in summary["identities"]]


def test_an_object_without_namespace_gets_that_of_the_component(tmp_path):
    objects = [item("Service", "web"), item("RoleBinding", "web", "other", "rbac.authorization.k8s.io/v1")]
    (summary,) = built(tmp_path, shop=objects)
    assert identities(summary) == [
        ("", "Service", "shop", "web"),
        ("rbac.authorization.k8s.io", "RoleBinding", "other", "web"),
    ]


def test_an_object_of_the_cluster_has_no_namespace_even_if_one_is_written(tmp_path):
    (summary,) = built(tmp_path, shop=[item("Namespace", "shop"), item("Namespace", "more", "shop")])
    assert identities(summary) == [("", "Namespace", "", "more"), ("", "Namespace", "", "shop")]


def test_the_scope_of_a_custom_resource_comes_from_the_crd_of_any_component(tmp_path):
    widget = item("Widget", "first", api_version="example.com/v1")
    shop, _operator = built(tmp_path, shop=[widget], operator=[WIDGETS])
    assert identities(shop) == [("example.com", "Widget", "", "first")]


def test_without_its_crd_a_custom_resource_counts_as_namespaced(tmp_path):
    (shop,) = built(tmp_path, shop=[item("Widget", "first", api_version="example.com/v1")])
    assert identities(shop) == [("example.com", "Widget", "shop", "first")]


def test_a_hook_with_a_generated_name_is_left_out(tmp_path):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "setup-"}}
    (shop,) = built(tmp_path, shop=[job])
    assert (identities(shop), shop["objects"]) == ([], 1)


def test_an_object_in_two_components_is_refused_with_both(tmp_path):
    # In one it has the namespace of the component, in the other it names it; another version is the same object.
    shop, other = item("Route", "web", "", "example.com/v1"), item("Route", "web", "shop", "example.com/v1beta1")
    message = (
        "Route shop/web is in two components, infra/shop and infra/other, and two Applications cannot share an object: "
        "take it out of one of them."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        check_one_owner(built(tmp_path, shop=[shop], other=[other]))


def test_an_object_of_the_cluster_is_the_same_whatever_namespace_is_written(tmp_path):
    cluster = [item("Widget", "first", namespace, "example.com/v1") for namespace in ("", "somewhere")]
    message = "Widget first is in two components, infra/shop and infra/other,"
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}"):
        check_one_owner(built(tmp_path, shop=[cluster[0]], other=[cluster[1]], operator=[WIDGETS]))


def test_the_same_name_in_two_namespaces_or_groups_is_not_the_same_object(tmp_path):
    shop = [item("Service", "web"), item("Service", "web", "other"), item("Cluster", "db", "", "a.example.com/v1")]
    check_one_owner(
        built(tmp_path, shop=shop, maildev=[item("Service", "web"), item("Cluster", "db", "shop", "b.example.com/v1")])
    )
