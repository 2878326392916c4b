# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gitops_compare, against a real repository and what a real API server said."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone
from ansible_collections.monorepo.gitops.plugins.modules import gitops_compare

from .api_server import HOME, load, unpacked
from .running import run_module

ARGO = "/apis/argoproj.io/v1alpha1"
# As `kustomize build` of an overlay that has all of its objects in one file.
KUSTOMIZE = ["sh", "-c", 'cat "$0/objects.yaml"']
# Of the repository that the recorded cluster followed.
COMMIT = "e1ff93ebe19ee50f59c829185b8687e1cc3fc9e5"
URL = f"file://{HOME}/.local/state/monorepo.gitops/clusters/test-a9cc52/monorepo.git"


def living():
    """Return the recorded Applications by name."""
    steps = unpacked(load("compare")["steps"])
    (answer,) = [step["answer"] for step in steps if step["request"] == f"GET {ARGO}/applications"]
    return {item["metadata"]["name"]: item for item in answer["items"]}


def manifest(entry):
    version = "/".join(filter(None, (entry.get("group"), entry["version"])))
    metadata = {key: entry[key] for key in ("name", "namespace") if entry.get(key)}
    return {"apiVersion": version, "kind": entry["kind"], "metadata": metadata}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a clone of a repository that has the objects of the recorded Applications; no test changes it."""
    folder = tmp_path_factory.mktemp("clone")
    made = Clone(folder / "clone", f"file://{folder}/repo.git", "main")
    made.open(create=True)
    for name, item in living().items():
        folder = made.path / "argocd/infra" / name / "envs/test"
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text(f"{HEADER}\nresources: [objects.yaml]\n")
        objects = map(manifest, item["status"]["resources"])
        (folder / "objects.yaml").write_text(f"{HEADER}\n{yaml.safe_dump_all(objects)}")
    made.staged()
    made.commit("change", "Test", "test@localhost")
    remote.push(made, "Test", "test@localhost")
    made.fetch()
    return made


@pytest.fixture
def compare(api_server, clone, tmp_path, monkeypatch):
    """Return a function that compares; the commit and the URL of the test are in the place of the recorded ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(recording, names=("maildev",), check=False, **arguments):
        server = api_server(recording, {COMMIT: clone.head(), URL: clone.url})
        settings = {
            "tree": str(clone.path),
            "repo_url": clone.url,
            "environment": "test",
            "components": [{"name": name, "layer": "infra", "namespace": name} for name in names],
            "known_components": ["maildev"],
            "collection_version": "1.0.0",
            "kustomize_command": KUSTOMIZE,
        }
        result = run_module(gitops_compare, check, kubeconfig=server.kubeconfig, **settings | arguments)
        assert server.writes() == []
        return result, server

    return run


def test_a_run_that_changes_nothing(compare, clone):
    result, server = compare("compare")
    assert (result["changed"], result["argocd"], result["notes"]) == (False, {}, [])
    assert result["counts"] == {"created": 0, "changed": 0, "deleted": 0, "pruned": 0}
    assert result["summary"].startswith("This run creates 0, changes 0 and deletes 0 Applications")
    assert (result["lock_default_project"], result["recorded"]) == (True, True)
    assert [project["metadata"]["name"] for project in result["projects"]] == ["default", "infra", "services"]
    assert result["projects"][1]["spec"]["sourceRepos"] == [clone.url]
    assert "applications.argoproj.io" in result["served"]
    assert result["identity"]["data"] == {
        "argocdManaged": "true",
        "collectionVersion": "1.0.0",
        "environment": "test",
        "repository": clone.url,
        "revision": "HEAD",
    }
    assert sorted(server.asked()) == sorted(
        [
            "GET /apis/apps/v1/statefulsets",
            "GET /apis/apps/v1/deployments",
            f"GET {ARGO}/namespaces/argocd/applicationsets/infra",
            f"GET {ARGO}/namespaces/argocd/applicationsets/services",
            f"GET {ARGO}/applications",
            "GET /api/v1/namespaces/argocd/configmaps/monorepo-gitops",
            "GET /api/v1/namespaces/kube-system",
            "GET /api/v1/namespaces/argocd/configmaps/argocd-cmd-params-cm",
            "GET /apis/apps/v1/namespaces/argocd/deployments",
            f"GET {ARGO}/namespaces/argocd/appprojects",
            "GET /apis#APIGroupDiscoveryList",
        ]
    )


def test_kinds_that_are_allowed_beforehand_are_handed_on_with_what_is_known(compare):
    kinds = {"services": [{"group": "batch", "kind": "CronJob"}, {"kind": "Pod", "namespaced": "yes"}]}
    result, _server = compare("compare", project_kinds=kinds)
    assert result["project_kinds"] == {
        "infra": [],
        "services": [
            {"group": "batch", "kind": "CronJob", "namespaced": None},
            {"group": "", "kind": "Pod", "namespaced": True},
        ],
    }


def test_a_removal_reads_what_holds_data(compare):
    result, server = compare("compare_removal", names=[], removals=["maildev"])
    assert (result["removals"], result["delete"]) == (["infra/maildev"], ["maildev"])
    assert result["notes"] == ["Deleted: maildev.", "Removing maildev keeps Namespace maildev."]
    assert "GET /api/v1/namespaces/maildev" in server.asked()


def test_a_removal_that_nobody_announced_stops_the_run(compare):
    result, _server = compare("compare_removal", names=[])
    assert result["msg"].startswith("Nothing was written. ")
    assert "infra/maildev" in result["msg"]


def test_another_environment_stops_the_run(compare):
    result, _server = compare("compare", environment="prod")
    assert "This cluster serves environment test of " in result["msg"]
    assert "continue with -e gitops_takeover=prod-" in result["msg"]


def test_a_new_cluster_has_nothing(compare):
    result, _server = compare("compare_without_argocd", throwaway=True)
    assert (result["argocd"], result["counts"]["created"], result["projects"]) == ({}, 1, [])
    assert "applications.argoproj.io" not in result["served"]


def test_an_argo_cd_that_nobody_else_manages_must_be_there(compare):
    result, _server = compare("compare_without_argocd", argocd_managed=False)
    assert result["msg"] == "Nothing was written. argocd_managed is false, but namespace argocd has no Argo CD."


def test_an_argo_cd_by_hand_is_asked_about(compare):
    result, _server = compare("compare_by_hand")
    assert result["argocd"]["question"].startswith("Argo CD v3.6.1 in namespace argocd was installed by hand. ")
    assert (result["argocd"]["manager"], result["argocd"]["show_difference"]) == ("hand", True)


def test_an_app_project_of_somebody_else_is_not_replaced(compare):
    result, _server = compare("compare_foreign_project")
    assert result["msg"] == (
        "Nothing was written. Somebody else created the AppProject infra, and this run would replace it: rename it, or "
        "take it over with gitops_adopt: [argocd]."
    )
    result, _server = compare("compare_foreign_project", adopt=["argocd"])
    assert (result["argocd"]["question"], result["argocd"]["manager"]) == ("", "hand")


def test_an_argo_cd_of_helm_is_never_taken_over(compare):
    result, _server = compare("compare_helm", adopt=["argocd"])
    assert "was installed by Helm, release cd. It cannot be taken over: set argocd_managed to false" in result["msg"]


def test_missing_rights_are_said_in_the_words_of_the_api_server(compare):
    result, _server = compare("compare_forbidden")
    assert result["msg"].endswith('cannot list resource "statefulsets" in API group "apps" at the cluster scope')
