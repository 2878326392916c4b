# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What built overlays contain, and the module that builds them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import (
    build_all,
    build_others,
    check_host_names,
    check_one_owner,
    component,
    find_command,
    projects,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.secrets import in_objects
from ansible_collections.monorepo.gitops.plugins.modules import gitops_repo_build
from rendering import programs

from .running import run_module

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


def overlay(tree: Path, entry: str, *objects: dict) -> None:
    folder = tree / "argocd" / entry / "envs" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))


def built(tree, **overlays: list) -> list[dict]:
    """Build components of layer infra, whose namespace is called as they are."""
    for name, objects in overlays.items():
        overlay(tree, f"infra/{name}", *objects)
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


# --- running kustomize -----------------------------------------------------------------------------------------------


def program(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_kustomize_comes_before_kubectl_and_one_of_them_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    message = "Neither kustomize nor kubectl is on PATH: install one, or set gitops_kustomize_command."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        find_command()
    kubectl = program(tmp_path / "bin", "kubectl", "exit 0")
    assert find_command() == [kubectl, "kustomize"]
    kustomize = program(tmp_path / "bin", "kustomize", "exit 0")
    assert find_command() == [kustomize, "build"]


def test_an_overlay_is_built_again_only_when_a_file_or_the_command_changed(tmp_path):
    log = tmp_path / "log"
    command = [program(tmp_path / "bin", "kustomize", f'echo built >> {log}; cat "$1/objects.yaml"')]
    folder = tmp_path / "argocd" / "infra" / "shop"
    components = [{"name": "shop", "layer": "infra", "namespace": "shop"}]
    overlay(tmp_path, "infra/shop", item("Service", "web"), WIDGETS, None)
    (folder / "base").mkdir()

    def builds(*wrapper: str) -> int:
        (summary,) = build_all(str(tmp_path), "dev", components, [*wrapper, *command])
        assert summary["objects"] == 2
        assert json.loads(Path(summary["crds"]).read_text())["items"] == [WIDGETS]
        assert summary["crd_names"] == [WIDGETS["metadata"]["name"]]
        assert item("Service", "web") in json.loads(Path(summary["path"]).read_text())["items"]
        return log.read_text().count("built")

    assert (builds(), builds()) == (1, 1)
    (folder / "base" / "more.yaml").write_text("more")
    assert builds() == 2
    assert builds("env") == 3


def test_another_build_of_the_same_may_be_faster(tmp_path, monkeypatch):
    overlay(tmp_path, "infra/shop", item("Service", "web"))
    rename = Path.rename

    def overtaken(staged: Path, cached: Path) -> Path:
        """Do what another run does at the last moment."""
        shutil.copytree(staged, cached)
        (cached / "objects.json").write_text("from the other run")
        return rename(staged, cached)

    monkeypatch.setattr(Path, "rename", overtaken)
    components = [{"name": "shop", "layer": "infra", "namespace": "shop"}]
    (summary,) = build_all(str(tmp_path), "dev", components, COMMAND)
    assert Path(summary["path"]).read_text() == "from the other run"
    assert len(list(Path(summary["path"]).parent.parent.iterdir())) == 1


def test_a_result_that_cannot_be_kept_is_an_error(tmp_path):
    (summary,) = built(tmp_path, shop=[item("Service", "web")])
    kept = Path(summary["path"]).parent
    shutil.rmtree(kept)
    kept.write_text("not a folder")
    with pytest.raises(NotADirectoryError):
        build_all(str(tmp_path), "dev", [{"name": "shop", "layer": "infra", "namespace": "shop"}], COMMAND)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["/nowhere/kustomize"],
            "gitops_kustomize_command: /nowhere/kustomize cannot be run: No such file or directory.",
        ),
        (
            ["sh", "-c", "echo Error: no base >&2; exit 1"],
            "kustomize build of infra/shop/envs/dev failed: no base",
        ),
    ],
)
def test_a_build_that_fails_says_why(tmp_path, command, message):
    (tmp_path / "argocd/infra/shop/envs/dev").mkdir(parents=True)
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        build_all(str(tmp_path), "dev", [{"name": "shop", "layer": "infra", "namespace": "shop"}], command)
    assert list((tmp_path / "cache" / "monorepo.gitops" / "builds").iterdir()) == []


def test_an_overlay_that_is_missing_is_named(tmp_path):
    message = f"{tmp_path}/argocd/infra/shop/envs/dev is missing: render the component first."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        build_all(str(tmp_path), "dev", [{"name": "shop", "layer": "infra", "namespace": "shop"}], COMMAND)


def route(*names: str) -> dict:
    return item("HTTPRoute", "web", api_version="gateway.networking.k8s.io/v1") | {"spec": {"hostnames": list(names)}}


@pytest.mark.parametrize("name", ["Shop.example.com", "shop_1.example.com", "a.*.com", "-a.com", f"{'a.' * 126}aa", ""])
def test_a_host_name_that_cannot_be_is_refused(name):
    with pytest.raises(GitopsError, match=f"^HTTPRoute web: {re.escape(repr(name))} is "):
        check_host_names([route("shop.example.com", name)])
    gateway = item("Gateway", "gate", api_version="gateway.networking.k8s.io/v1")
    with pytest.raises(GitopsError, match=f"^Gateway gate: {re.escape(repr(name))} is "):
        check_host_names([gateway | {"spec": {"listeners": [{"name": "all"}, {"name": "one", "hostname": name}]}}])


def test_host_names_of_other_kinds_are_no_concern():
    check_host_names([route("*.example.com"), item("Pod", "web") | {"spec": {"hostnames": ["A"]}}])
    check_host_names([item("Gateway", "gate", api_version="gateway.networking.k8s.io/v1")])


def test_a_project_allows_what_its_overlays_have_and_no_more(tmp_path):
    summaries = built(
        tmp_path,
        shop=[item("Service", "web"), item("Widget", "first", api_version="example.com/v1")],
        operator=[WIDGETS, item("RoleBinding", "web", "kube-system", "rbac.authorization.k8s.io/v1")],
    )
    assert projects(summaries) == {
        "infra": {
            "cluster_kinds": [
                {"group": "", "kind": "Namespace"},
                {"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"},
                {"group": "example.com", "kind": "Widget"},
            ],
            "namespaced_kinds": [
                {"group": "", "kind": "Service"},
                {"group": "rbac.authorization.k8s.io", "kind": "RoleBinding"},
            ],
            "namespaces": ["kube-system", "operator", "shop"],
        },
        "services": {"cluster_kinds": [{"group": "", "kind": "Namespace"}], "namespaced_kinds": [], "namespaces": []},
    }


def test_what_is_in_a_typed_list_counts(tmp_path):
    roles = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleList", "items": [{"metadata": {"name": "web"}}]}
    route_list = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRouteList"}
    bad = {"metadata": {"name": "web", "namespace": "other"}, "spec": {"hostnames": ["Shop"]}}
    (summary,) = built(tmp_path, shop=[roles])
    assert identities(summary) == [("rbac.authorization.k8s.io", "Role", "shop", "web")]
    assert projects([summary])["infra"]["namespaced_kinds"] == [{"group": "rbac.authorization.k8s.io", "kind": "Role"}]
    with pytest.raises(GitopsError, match=r"^HTTPRoute web: 'Shop' is not a valid host name "):
        built(tmp_path / "more", web=[route_list | {"items": [bad]}])


def test_a_project_allows_kinds_beforehand(tmp_path):
    summaries = built(tmp_path, operator=[WIDGETS])
    said = [("batch", "CronJob", True), ("storage.k8s.io", "StorageClass", False), ("example.com", "Widget", None)]
    kinds = [{"group": group, "kind": kind, "namespaced": inside} for group, kind, inside in said]
    found = projects(summaries, {"services": kinds, "infra": None})
    assert found["services"] == {
        "cluster_kinds": [
            {"group": "", "kind": "Namespace"},
            {"group": "example.com", "kind": "Widget"},
            {"group": "storage.k8s.io", "kind": "StorageClass"},
        ],
        "namespaced_kinds": [{"group": "batch", "kind": "CronJob"}],
        "namespaces": [],
    }
    assert found["infra"] == projects(summaries)["infra"]


def test_a_kind_of_which_nobody_knows_whether_it_has_a_namespace_is_asked_about(tmp_path):
    overlay(tmp_path, "infra/shop", item("Service", "web"))
    kinds = {"services": [{"group": "example.com", "kind": "Widget", "namespaced": None}]}
    assert run(tmp_path, "shop", command=COMMAND, project_kinds=kinds)["msg"] == (
        "Nothing was committed. gitops_project_kinds.services: neither the cluster nor Git has kind Widget.example.com"
        ": correct it, or say whether its objects are in a namespace, with namespaced: true or false."
    )


def test_a_project_allows_the_destination_of_an_application_that_has_no_object_there(tmp_path):
    for entry in ("services/shop", "infra/dns"):
        overlay(tmp_path, entry, item("Service", "web", "elsewhere"))
    components = [component(*entry.split("/")) | {"namespace": "elsewhere"} for entry in ("services/shop", "infra/dns")]
    found = projects(build_all(str(tmp_path), "dev", components, COMMAND))
    assert found["services"]["namespaces"] == ["elsewhere", "services"]
    assert found["infra"]["namespaces"] == ["dns", "elsewhere"]


def test_overlays_of_people_get_the_namespace_of_their_application(tmp_path):
    overlay(tmp_path, "infra/notes", item("Service", "web"))
    overlay(tmp_path, "services/bank", item("Service", "web"))
    summaries, errors = build_others(str(tmp_path), "dev", ["infra/notes", "services/bank", "infra/gone"], COMMAND)
    assert [identities(summary) for summary in summaries] == [
        [("", "Service", "notes", "web")],
        [("", "Service", "services", "web")],
    ]
    assert errors == [f"{tmp_path}/argocd/infra/gone/envs/dev is missing: render the component first."]


# --- the module ------------------------------------------------------------------------------------------------------


def run(tree: Path, *names: str, **more) -> dict:
    components = [{"name": name, "layer": "infra", "namespace": name} for name in names]
    return run_module(gitops_repo_build, tree=str(tree), environment="dev", components=components, **more)


def test_the_module_returns_builds_and_projects_and_changes_nothing(tmp_path):
    overlay(tmp_path, "infra/shop", item("Service", "web"))
    result = run(tmp_path, "shop", command=COMMAND)
    (build,) = result.pop("builds")
    cache = tmp_path / "cache" / "monorepo.gitops" / "builds"
    assert (build["name"], build["objects"], Path(build["path"]).parent.parent) == ("shop", 1, cache)
    assert build.keys() == {"name", "path", "crds", "crd_names", "objects"}
    assert result["projects"]["infra"]["namespaces"] == ["shop"]
    assert result["rights"]["infra"]["namespaces"].keys() == {"shop"}
    assert result.keys() == {"changed", "projects", "rights"}
    assert result["changed"] is False


def test_the_module_finds_a_command(tmp_path, monkeypatch):
    overlay(tmp_path, "infra/shop", item("Service", "web"))
    cat = shutil.which("cat")
    kustomize = program(tmp_path / "bin", "kustomize", f'test "$1" = build && exec {cat} "$2/objects.yaml"')
    monkeypatch.setenv("PATH", str(Path(kustomize).parent))
    assert run(tmp_path, "shop")["builds"][0]["objects"] == 1


def test_the_module_refuses_an_object_in_two_components(tmp_path):
    overlay(tmp_path, "infra/shop", item("Namespace", "shared"))
    overlay(tmp_path, "infra/bank", item("Namespace", "shared"))
    assert run(tmp_path, "shop", "bank", command=COMMAND) == {
        "failed": True,
        "msg": "Namespace shared is in two components, infra/shop and infra/bank, and two Applications cannot share an "
        "object: take it out of one of them.",
    }


# What puts a Secret with a value, or a token, into the objects of an overlay without any file that has a Secret.
TOKEN = "ghp_" + "a1" * 18
SECRET_SOURCES = {
    "literals": ("secretGenerator: [{name: db, literals: [password=hunter2]}]", "Secret db-cf85kd65mm has data"),
    "env file": ("secretGenerator: [{name: db, envs: [db.env]}]", "Secret db-cf85kd65mm has data"),
    "JSON": ("resources: [secret.json]", "Secret db has data"),
    "List": ("resources: [list.yaml]", "Secret db has data"),
    "inline patch": (
        'resources: [empty.yaml]\npatches: [{patch: \'[{"op": "add", "path": "/data", "value": {"a": "Yg=="}}]\', '
        "target: {kind: Secret}}]",
        "Secret db has data",
    ),
    "token in an env file": (
        "configMapGenerator: [{name: db, envs: [token.env], options: {disableNameSuffixHash: true}}]",
        "ConfigMap db contains a GitHub token",
    ),
}
EMPTY = '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}'
SECRET_FILES = {
    "db.env": "password=hunter2\n",
    "token.env": f"token={TOKEN}\n",
    "secret.json": EMPTY + ', "stringData": {"password": "hunter2"}}',
    "list.yaml": "{apiVersion: v1, kind: List, items: [" + EMPTY + ', "stringData": {"password": "hunter2"}}]}',
    "empty.yaml": EMPTY + "}",
}


@pytest.fixture(scope="module")
def kustomize():
    """Return the command of the real kustomize, which is in the cache of this user and not in that of a test."""
    return [str(programs() / "bin/kustomize"), "build"]


def write_overlay(tree: Path, kustomization: str, layer: str = "infra") -> None:
    folder = tree / "argocd" / layer / "a/envs/dev"
    folder.mkdir(parents=True)
    for name, text in SECRET_FILES.items() | {("kustomization.yaml", kustomization)}:
        (folder / name).write_text(text)


@pytest.mark.parametrize("source", SECRET_SOURCES)
def test_a_secret_of_the_built_objects_is_refused_wherever_it_comes_from(tmp_path, kustomize, source):
    kustomization, found = SECRET_SOURCES[source]
    write_overlay(tmp_path, kustomization)
    arguments = {"tree": str(tmp_path), "environment": "dev", "command": kustomize}
    component = {"name": "a", "layer": "infra", "namespace": "a"}
    text = f"infra/a: {found}"
    for _cached in range(2):
        assert run_module(gitops_repo_build, **arguments, components=[component]) == {
            "failed": True,
            "msg": f"Nothing was committed: {text}. Keep secrets out of Git: generate them in the cluster.",
        }
    # What people wrote is in Git already.
    result = run_module(gitops_repo_build, **arguments, components=[], others=["infra/a"])
    assert result["warnings"] == [f"Git has a secret in a handwritten overlay, {text}."]


def test_a_secret_of_an_official_file_is_public_with_its_values_only(tmp_path):
    secret = item("Secret", "image") | {"data": {"IMAGE": "eA=="}}
    (tmp_path / "base").mkdir()
    (tmp_path / "base/upstream.yaml").write_text(yaml.safe_dump_all([item("Service", "x"), secret]))
    folders = [tmp_path / "base", tmp_path / "envs/dev"]
    assert in_objects([secret], folders) == []
    assert in_objects([secret | {"data": {"IMAGE": "eQ=="}}], folders) == ["Secret image has data"]
    assert in_objects([secret], [tmp_path]) == ["Secret image has data"]


def test_an_example_of_a_key_in_a_description_is_not_a_key():
    """Those of External Secrets have one in JSON in YAML, so its line breaks are escaped twice in JSON."""
    key = "-----BEGIN PRIVATE KEY-----"
    assert in_objects([WIDGETS | {"description": f'"key": "{key}\\n<private-key>"'}], []) == []
    found = ["CustomResourceDefinition widgets.example.com contains a private key"]
    assert in_objects([WIDGETS | {"description": f'"key": "{key}\\nMIIE"'}], []) == found


@pytest.mark.parametrize(
    ("kustomization", "message"),
    [
        (
            "secretGenerator: [{name: db, literals: [hunter2]}]",
            "loading KV pairs: literal sources (not shown): invalid literal source (not shown), expected key=value",
        ),
        (
            "patches: [{patch: 'hunter2: [', target: {kind: Secret}}]",
            "trouble configuring builtin PatchTransformer with config: (not shown): unable to parse SM or JSON patch "
            "from (not shown)",
        ),
    ],
)
def test_an_error_of_kustomize_shows_no_value(tmp_path, kustomize, kustomization, message):
    write_overlay(tmp_path, kustomization)
    with pytest.raises(GitopsError, match=rf"^kustomize build of infra/a/envs/dev failed: {re.escape(message)}$"):
        build_all(str(tmp_path), "dev", [{"name": "a", "layer": "infra", "namespace": "a"}], kustomize)


def test_what_people_wrote_is_allowed_and_its_faults_are_warnings(tmp_path):
    overlay(tmp_path, "infra/shop", item("Service", "web"))
    overlay(tmp_path, "services/notes", item("ConfigMap", "notes"), item("Service", "web", "shop"))
    result = run(tmp_path, "shop", command=COMMAND, others=["services/notes", "services/gone"])
    assert result["projects"]["services"]["namespaced_kinds"] == [
        {"group": "", "kind": "ConfigMap"},
        {"group": "", "kind": "Service"},
    ]
    assert [build["name"] for build in result["builds"]] == ["shop"]
    assert result["warnings"] == [
        f"A handwritten overlay was left out: {tmp_path}/argocd/services/gone/envs/dev is missing: render the "
        "component first. If kustomize is not what builds it, name its kinds in gitops_components (docs/safety.md).",
        "Service shop/web is in two components, infra/shop and services/notes, and two Applications cannot share an "
        "object: take it out of one of them.",
    ]


def test_the_kinds_of_what_kustomize_cannot_build_are_those_of_its_entry(tmp_path):
    kinds = [{"group": "apps", "kind": "Deployment"}, {"group": "example.com", "kind": "Zone", "namespaced": False}]
    entry = {"name": "chart", "layer": "infra", "kinds": [*kinds, {"kind": "ConfigMap"}, {"kind": "Namespace"}]}
    absent = {"name": "absent", "layer": "infra", "kinds": kinds}
    result = run(tmp_path, command=COMMAND, others=["infra/chart"], entries=[entry, absent])
    assert "warnings" not in result or result["warnings"] == []
    assert result["projects"]["infra"] == {
        "cluster_kinds": [{"group": "", "kind": "Namespace"}, {"group": "example.com", "kind": "Zone"}],
        "namespaced_kinds": [{"group": "", "kind": "ConfigMap"}, {"group": "apps", "kind": "Deployment"}],
        "namespaces": ["chart"],
    }
    zones = {"apiGroups": ["example.com"], "resources": ["zones"]}
    assert zones | {"verbs": ["create", "delete", "get", "patch", "update"]} in result["rights"]["infra"]["everywhere"]
    made = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "patch", "update"]}
    assert made in result["rights"]["infra"]["everywhere"]
    assert list(result["rights"]["infra"]["namespaces"]) == ["chart"]
    # What kustomize builds counts as well.
    overlay(tmp_path, "infra/chart", item("Service", "web"))
    result = run(tmp_path, command=COMMAND, others=["infra/chart"], entries=[entry])
    assert {"group": "", "kind": "Service"} in result["projects"]["infra"]["namespaced_kinds"]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_a_secret_that_git_had_before_is_a_warning_and_a_new_one_is_refused(tmp_path, kind):
    def value(number):
        return {"data": {"a": f"YWFh{number}" if kind == "Secret" else "ghp_" + f"{number}" * 36}}

    said = "has data" if kind == "Secret" else "contains a GitHub token"
    clone = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    clone.open(create=True)
    overlay(clone.path, "infra/shop", item(kind, "old") | value(1))
    clone.staged()
    clone.commit("before", "Test", "test@localhost")
    overlay(clone.path, "infra/shop", item(kind, "old") | value(1), item("Service", "web"))
    result = run(clone.path, "shop", command=COMMAND)
    assert result["warnings"] == [f"Git had a secret before, infra/shop: {kind} old {said}."]
    overlay(clone.path, "infra/shop", item(kind, "old") | value(2))
    assert run(clone.path, "shop", command=COMMAND)["msg"] == (
        f"Nothing was committed: infra/shop: {kind} old {said}. Keep secrets out of Git: generate them in the cluster."
    )


# What stands around the body of a key; the last one is what Base64 makes of one.
KEYS = {
    "PEM": f"-----BEGIN RSA PRIVATE{' '}KEY-----\n{{}}\n-----END RSA PRIVATE{' '}KEY-----\n",
    "PEM, without its end": f"-----BEGIN PRIVATE{' '}KEY-----\n{{}}",
    "PGP": f"-----BEGIN PGP PRIVATE{' '}KEY BLOCK-----\n{{}}\n-----END PGP PRIVATE{' '}KEY BLOCK-----\n",
    "PuTTY": f"PuTTY-User-Key{'-File-2'}: ssh-rsa\nPrivate-Lines: 1\n{{}}\nPrivate-MAC: 0123\n",
    "Base64": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBL{}",
    "Base64, in lines": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0t\n{}",
}


@pytest.mark.parametrize("form", KEYS)
def test_another_key_in_the_place_of_one_that_git_had_is_refused(tmp_path, form):
    clone = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    clone.open(create=True)
    before, after = (item("ConfigMap", "old") | {"data": {"a": KEYS[form].format(letter * 64)}} for letter in "ab")
    overlay(clone.path, "infra/shop", before)
    clone.staged()
    clone.commit("before", "Test", "test@localhost")
    overlay(clone.path, "infra/shop", before, item("Service", "web"))
    said = "infra/shop: ConfigMap old contains a private key."
    assert run(clone.path, "shop", command=COMMAND)["warnings"] == [f"Git had a secret before, {said}"]
    overlay(clone.path, "infra/shop", after)
    assert run(clone.path, "shop", command=COMMAND)["msg"] == (
        f"Nothing was committed: {said} Keep secrets out of Git: generate them in the cluster."
    )


def test_a_secret_that_another_component_had_before_is_refused(tmp_path):
    clone = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    clone.open(create=True)
    overlay(clone.path, "infra/shop", item("Secret", "old") | {"data": {"a": "YWFh"}})
    overlay(clone.path, "infra/cart", item("Secret", "own") | {"data": {"a": "YmJi"}})
    clone.staged()
    clone.commit("before", "Test", "test@localhost")
    overlay(clone.path, "infra/cart", item("Secret", "own") | {"data": {"a": "YWFh"}})
    assert run(clone.path, "shop", "cart", command=COMMAND)["msg"] == (
        "Nothing was committed: infra/cart: Secret own has data. Keep secrets out of Git: generate them in the cluster."
    )
