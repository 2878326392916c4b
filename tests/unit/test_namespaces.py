# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Namespaces that a component owns, in its overlay."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.namespaces import add_namespaces, brought, with_entry
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER

KUSTOMIZATION = f"{HEADER}resources: [../../base]\n"
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    argocd.argoproj.io/sync-options: Prune=false,Delete=false
    argocd.argoproj.io/compare-options: IgnoreExtraneous
"""
CRD = "kind: CustomResourceDefinition\ndescription: |\n  kind: Namespace\n  of no importance\n"


def added(names: list[str], overlay: dict[str, str] | None = None, **base: str) -> dict[str, str]:
    """Return the overlay of a component in namespace shop."""
    files = {"kustomization.yaml": KUSTOMIZATION} | (overlay or {})
    add_namespaces({key: {} for key in names}, "shop", {f"{name}.yaml": text for name, text in base.items()}, files)
    return files


def test_an_owned_namespace_is_a_file_that_the_overlay_names():
    assert added(["shop"], service="kind: Service\n") == {
        "kustomization.yaml": f"{HEADER}resources: [../../base, namespaces.yaml]\n",
        "namespaces.yaml": HEADER + NAMESPACE,
    }


def test_a_namespace_has_its_labels():
    files = {"kustomization.yaml": KUSTOMIZATION}
    add_namespaces({"shop": {"level": "restricted"}, "bank": {}}, "shop", {}, files)
    bank, shop = yaml.safe_load_all(files["namespaces.yaml"])
    assert "labels" not in bank["metadata"]
    assert shop["metadata"]["labels"] == {"level": "restricted"}


def test_several_namespaces_are_in_order():
    objects = list(yaml.safe_load_all(added(["kafka", "b", "a"])["namespaces.yaml"]))
    assert [item["metadata"]["name"] for item in objects] == ["a", "b", "kafka"]


def test_without_an_owned_namespace_the_overlay_stays_as_it_is():
    assert added([], {"kustomization.yaml": "replicas: []\n"}) == {"kustomization.yaml": "replicas: []\n"}


@pytest.mark.parametrize(
    "text",
    [
        f"{CRD}---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n",
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n",
        '{"items": [{"kind": "Namespace", "metadata": {"name": "shop"}}], "kind": "List"}\n',
    ],
)
def test_a_namespace_that_the_component_brings_is_not_made_again(text):
    assert added(["shop"], upstream=text) == {"kustomization.yaml": KUSTOMIZATION}
    assert "namespaces.yaml" in added(["shop", "other"], upstream=text)


def test_what_only_looks_like_a_namespace_is_not_one():
    patch = "patches:\n  - target: {kind: Namespace}\n"
    assert brought([CRD, patch, "kind: NamespaceList\nmetadata: {name: shop}\n"]) == set()


@pytest.mark.parametrize(
    "text",
    [
        "kind: NamespaceList\nitems: [{metadata: {name: shop}}]\n",
        "kind: List\nitems:\n- {kind: Namespace, metadata: {name: shop}}\n",
    ],
)
def test_a_namespace_in_a_list_is_one(text):
    assert brought([text]) == {"shop"}


def test_the_namespace_is_in_the_first_wave_of_the_component():
    texts = {"early": 'argocd.argoproj.io/sync-wave: "-2"\n', "later": "argocd.argoproj.io/sync-wave: '-1'\n"}
    (item,) = yaml.safe_load_all(added(["shop"], **texts)["namespaces.yaml"])
    assert item["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "-2"
    assert "sync-wave" not in added(["shop"], later='argocd.argoproj.io/sync-wave: "1"\n')["namespaces.yaml"]


@pytest.mark.parametrize("hook", ["argocd.argoproj.io/hook: PreSync", '"helm.sh/hook": "pre-install,pre-upgrade"'])
def test_a_component_with_a_hook_before_the_sync_leaves_its_namespace_to_argocd(hook):
    """Nothing of Git is applied before the hook, and Argo CD creates the namespace of an Application only then."""
    assert added(["shop"], job=f"{hook}\n") == {"kustomization.yaml": KUSTOMIZATION}
    files = added(["kafka", "shop"], job=f"{hook}\n")
    assert [item["metadata"]["name"] for item in yaml.safe_load_all(files["namespaces.yaml"])] == ["kafka"]


def test_other_hooks_change_nothing():
    assert "namespaces.yaml" in added(["shop"], job="argocd.argoproj.io/hook: PostSync\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("resources: []\n", "resources: [x.yaml]\n"),
        ("resources: ['../../base', b.yaml]  # two\n", "resources: ['../../base', b.yaml, x.yaml]  # two\n"),
        ("resources: [\n  ../../base,\n]\nreplicas: []\n", "resources: [\n  ../../base, x.yaml,\n]\nreplicas: []\n"),
        ("resources:\n  - ../../base\n", "resources:\n  - ../../base\n  - x.yaml\n"),
        (
            "resources:\n- ../../base # all\n# patches\npatches:\n  - patch: |-\n      resources: []\n",
            "resources:\n- ../../base # all\n- x.yaml\n# patches\npatches:\n  - patch: |-\n      resources: []\n",
        ),
        (
            "patches:\n  - path: p.yaml\nresources:\n    - a\n    - b\n",
            "patches:\n  - path: p.yaml\nresources:\n    - a\n    - b\n    - x.yaml\n",
        ),
        ("{resources: [../../base]}\n", "{resources: [../../base, x.yaml]}\n"),
    ],
)
def test_an_entry_is_added_and_all_else_stays_as_it_is_written(before, after):
    assert with_entry(before, "resources", "x.yaml", "overlay/kustomization.yaml", "Namespaces") == after
    wanted = yaml.safe_load(before)
    wanted["resources"].append("x.yaml")
    assert yaml.safe_load(after) == wanted


@pytest.mark.parametrize("text", ["replicas: []\n", "resources:\n", "resources: base\n", "# nothing\n", "- a\n"])
def test_a_kustomization_without_resources_is_refused(text):
    message = (
        "overlay/kustomization.yaml has no list `resources`: add it, with ../../base in it, so that the Namespaces of "
        "the component can be added."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        added(["shop"], {"kustomization.yaml": text})


def test_an_overlay_without_a_kustomization_is_refused():
    message = "overlay/kustomization.yaml is missing: the Namespaces of the component are added to its `resources`."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        add_namespaces({"shop": {}}, "shop", {}, {})


def test_a_file_of_the_same_name_is_refused():
    message = "overlay/namespaces.yaml is rendered by the collection: give that template another name."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        added(["shop"], {"namespaces.yaml": "kind: Namespace\nmetadata: {name: other}\n"})
