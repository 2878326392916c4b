# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD syncs with a ServiceAccount per layer, and its controller only reads: what an Application can do then.

With the official file of cert-manager, which has roles; without it, a stand-in takes its place, which has none, and the
tests of roles are about those of a component that people wrote.
"""

from __future__ import annotations

import base64
import json
import subprocess
from urllib.parse import urlencode

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_sync
from unit.running import run_module

from .conftest import ARGO, MIRROR, Environment, bring_up, message, temporary, words
from .test_people import Server
from .test_wait import apply

RBAC = "/apis/rbac.authorization.k8s.io/v1"
SERVER = "https://kubernetes.default.svc"
ACCOUNTS = ("gitops-infra", "gitops-services")
OFFICIAL = {"gitops_upstream_mirror": MIRROR, "component_stand_in": "never"} if MIRROR else {}
NOTES = {
    "role.yaml": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "notes"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["watch"]}],
    },
    "kustomization.yaml": {"resources": ["role.yaml"]},
}


def push(environment, folder, branch, files):
    """Push files to a branch of the published repository."""

    def git(*words):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, "-C", folder, *words], check=True, capture_output=True)

    git("clone", "--quiet", f"{environment.folder}/monorepo.git", "clone")
    folder = folder / "clone"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump(content))
    git("add", "--all")
    git("commit", "--quiet", "-m", "by hand")
    git("push", "--quiet", "origin", f"HEAD:{branch}")


@pytest.fixture(scope="module")
def impersonating(tmp_path_factory):
    settings = {"argocd_impersonation": True, "argocd_controller_read_only": True} | OFFICIAL
    components = ["gateway", "cert-manager", "api"]
    folder = tmp_path_factory.mktemp("accounts")
    with temporary(Environment(folder, gitops_components=components, **settings)) as environment:
        yield bring_up(environment)


@pytest.fixture(autouse=True)
def works(impersonating):
    assert impersonating.first.returncode == 0, impersonating.first.stdout[-6000:]


def rights_in(environment, namespace):
    """Return the layers that have a Role in a namespace."""
    found = environment.live(f"{RBAC}/namespaces/{namespace}/roles?labelSelector=monorepo.gitops/account")["items"]
    return sorted(item["metadata"]["name"].removeprefix("argocd-gitops-") for item in found)


def may(environment, account, verb, resource, group="", namespace="", name=""):
    """Ask the API server whether a ServiceAccount of Argo CD's namespace may do something."""
    attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace, "name": name}
    user = {"user": f"system:serviceaccount:argocd:{account}", "groups": ["system:authenticated"]}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    review = body | {"spec": user | {"resourceAttributes": attributes}}
    status, found = environment.api().request("POST", path, body=review, content_type="application/json")
    assert status == 201, found
    return found["status"]["allowed"]


def test_a_second_run_changes_nothing(impersonating):
    done = words(impersonating.site())
    assert "changed=0 " in done, done[-2000:]


def test_each_layer_is_synced_by_its_account(impersonating):
    lines = (impersonating.folder / "logs" / "audit.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if "argocd-application-controller" in line]
    for layer, namespace in (("infra", "cert-manager"), ("services", "services")):
        written = {
            entry.get("impersonatedUser", {}).get("username")
            for entry in entries
            if entry.get("objectRef", {}).get("namespace") == namespace
            and entry["user"]["username"].endswith(":argocd-application-controller")
            and entry["verb"] in ("create", "patch", "update", "delete")
        }
        assert written == {f"system:serviceaccount:argocd:gitops-{layer}"}


def test_people_see_objects_through_the_account(impersonating):
    secret = impersonating.live("/api/v1/namespaces/argocd/secrets/argocd-initial-admin-secret")["data"]
    login = {"username": "admin", "password": base64.b64decode(secret["password"]).decode()}
    server = Server(impersonating, None)
    token = server.ask("POST", "/api/v1/session", body=login)[1]["token"]
    resources = impersonating.live(f"{ARGO}/applications/api")["status"]["resources"]
    (route,) = [entry for entry in resources if entry["kind"] == "HTTPRoute"]
    asked = {"namespace": route["namespace"], "resourceName": route["name"], "kind": route["kind"]}
    query = urlencode(asked | {"group": route["group"], "version": route["version"]})
    status, found = server.ask("GET", f"/api/v1/applications/api/resource?{query}", token)
    assert (status, json.loads(found["manifest"])["metadata"]["name"]) == (200, route["name"]), found


def test_an_account_may_write_its_own_namespaces_only(impersonating):
    deployments = {"resource": "deployments", "group": "apps"}
    namespaces = ("cert-manager", "services", "argocd", "kube-system", "default")
    allowed = {
        account: [may(impersonating, account, "create", namespace=name, **deployments) for name in namespaces]
        for account in ACCOUNTS
    }
    assert allowed == {"gitops-infra": [True, *[False] * 4], "gitops-services": [False, True, *[False] * 3]}
    for account in ACCOUNTS:
        for verb, resource, group in (
            ("create", "namespaces", ""),
            ("impersonate", "serviceaccounts", ""),
            ("escalate", "clusterroles", "rbac.authorization.k8s.io"),
            ("bind", "clusterroles", "rbac.authorization.k8s.io"),
            ("patch", "applications", "argoproj.io"),
        ):
            assert not may(impersonating, account, verb, resource, group)


def test_the_controller_reads_everything_and_writes_only_what_is_its_own(impersonating):
    controller = "argocd-application-controller"
    assert may(impersonating, controller, "watch", "deployments", "apps")
    assert may(impersonating, controller, "patch", "applications", "argoproj.io", "argocd")
    for account in ACCOUNTS:
        assert may(impersonating, controller, "impersonate", "serviceaccounts", namespace="argocd", name=account)
        assert may(impersonating, "argocd-server", "impersonate", "serviceaccounts", namespace="argocd", name=account)
    for verb, resource, group, namespace, name in (
        ("create", "deployments", "apps", "services", ""),
        ("delete", "namespaces", "", "", "services"),
        ("patch", "secrets", "", "argocd", "argocd-secret"),
        ("impersonate", "serviceaccounts", "", "kube-system", "namespace-controller"),
        ("impersonate", "serviceaccounts", "", "argocd", "argocd-server"),
        ("impersonate", "users", "", "", "admin"),
        ("impersonate", "groups", "", "", "system:masters"),
    ):
        assert not may(impersonating, controller, verb, resource, group, namespace, name)


# --- attempts --------------------------------------------------------------------------------------------------------


def config_map(namespace):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "attack", "namespace": namespace}}


def role(namespace, kind="Role", name="attack", **rule):
    rules = [{"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["update"]} | rule]
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}


BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "attack", "namespace": "cert-manager"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "cert-manager"}],
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "attack", "namespace": "services"},
    "spec": {"containers": [{"name": "attack", "image": "attack:1"}]},
}
PRIVILEGED = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "kube-system", "labels": {"attack": "yes"}},
}
# Layer, object, and what the API server says.
ATTEMPTS = {
    "another-namespace": ("services", config_map("kube-system"), 'cannot get resource "configmaps"'),
    "namespace-of-the-other-layer": ("services", config_map("cert-manager"), 'cannot get resource "configmaps"'),
    "another-kind": ("services", POD, 'cannot create resource "pods"'),
    "namespace-itself": ("services", PRIVILEGED, 'cannot get resource "namespaces"'),
    "role-of-a-layer-without": ("services", role("services"), 'cannot get resource "roles"'),
    "role": ("infra", role("cert-manager"), "attempting to grant RBAC permissions not currently held"),
    "binding": ("infra", BINDING, "whoever syncs may not write it, or does not have the rights that it grants"),
    "application": (
        "infra",
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "attack", "namespace": "argocd"},
        }
        | {"spec": {"sourceRepos": ["*"]}},
        'cannot get resource "appprojects"',
    ),
}
if MIRROR:
    ATTEMPTS["cluster-role-of-the-layer"] = (
        "infra",
        role("", "ClusterRole", "cert-manager-cluster-view", apiGroups=["*"], resources=["*"], verbs=["*"]),
        "attempting to grant RBAC permissions not currently held",
    )
else:
    del ATTEMPTS["role"], ATTEMPTS["binding"]


@pytest.fixture(scope="module")
def attempts(impersonating, tmp_path_factory):
    """Let Applications try what no AppProject refuses: only the rights of the accounts are left."""
    files = {f"attack/{name}/object.yaml": item for name, (_layer, item, _said) in ATTEMPTS.items()}
    push(impersonating, tmp_path_factory.mktemp("attempts"), "attack", files)
    api, everything = impersonating.api(), [{"group": "*", "kind": "*"}]
    for layer in ("infra", "services"):
        account = {"server": "*", "namespace": "*", "defaultServiceAccount": f"argocd:gitops-{layer}"}
        project = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
        project |= {"clusterResourceWhitelist": everything, "destinationServiceAccounts": [account]}
        apply(api, "AppProject", "appprojects", f"open-{layer}", project)
    url = impersonating.live(f"{ARGO}/applications/api")["spec"]["source"]["repoURL"]
    for name, (layer, _item, _said) in ATTEMPTS.items():
        spec = {
            "project": f"open-{layer}",
            "source": {"repoURL": url, "targetRevision": "attack", "path": f"attack/{name}"},
            "destination": {"server": SERVER, "namespace": "default"},
        }
        apply(api, "Application", "applications", f"attempt-{name}", spec)
    yield impersonating
    for name in ATTEMPTS:
        api.request("DELETE", f"{ARGO}/applications/attempt-{name}")
    impersonating.git("branch", "-D", "attack")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_application_cannot_do_more_than_its_account_whatever_its_project_allows(attempts, name):
    kubeconfig, names = attempts.status["kubeconfig"], [f"attempt-{name}"]
    result = run_module(argocd_app_sync, kubeconfig=kubeconfig, names=names, wait_timeout=40)
    layer, item, said = ATTEMPTS[name]
    text = result["msg"].replace('\\"', '"')
    assert said in text, result
    # Argo CD loses what the API server says of a binding.
    assert f"system:serviceaccount:argocd:gitops-{layer}" in text or name == "binding"
    found = attempts.live(attempts.api().path(item))
    rules = (found or {}).get("rules") or []
    assert (
        found is None
        or (item["kind"] == "Namespace" and "attack" not in found["metadata"]["labels"])
        or (item["kind"] == "ClusterRole" and rules[0]["apiGroups"] != ["*"])
    ), found


# --- wider and narrower ----------------------------------------------------------------------------------------------


def test_a_new_component_widens_the_rights_and_so_does_one_that_people_wrote(impersonating, tmp_path):
    folder = "argocd/infra/notes/envs/test"
    push(impersonating, tmp_path, "main", {f"{folder}/{name}": content for name, content in NOTES.items()})
    impersonating.set(gitops_components=["gateway", "cert-manager", "api", "maildev"])
    words(impersonating.site())
    assert rights_in(impersonating, "maildev") == rights_in(impersonating, "notes") == ["infra"]
    # Who gives this right must have it.
    assert may(impersonating, "gitops-infra", "watch", "configmaps", namespace="notes")
    status = impersonating.live(f"{ARGO}/applications/notes")["status"]
    assert status["sync"]["status"] == "Synced", status


def test_a_removed_component_takes_its_rights_along(impersonating):
    impersonating.set(gitops_components=["gateway", "cert-manager", "api"], gitops_removals=["maildev"])
    words(impersonating.site())
    assert impersonating.live(f"{ARGO}/applications/maildev") is None
    assert impersonating.live("/apis/apps/v1/namespaces/maildev/deployments")["items"] == []
    assert (rights_in(impersonating, "maildev"), rights_in(impersonating, "notes")) == ([], ["infra"])
    assert impersonating.live(f"{RBAC}/namespaces/maildev/rolebindings/argocd-gitops-infra") is None
    projects = impersonating.live(f"{ARGO}/appprojects/infra")["spec"]["destinationServiceAccounts"]
    assert "maildev" not in {entry["namespace"] for entry in projects}


# --- others ----------------------------------------------------------------------------------------------------------


def test_applications_of_others_without_an_account_stop_the_run(impersonating):
    api = impersonating.api()
    spec = {
        "project": "default",
        "source": {"repoURL": "https://example.com/x.git", "path": ".", "targetRevision": "HEAD"},
        "destination": {"server": SERVER, "namespace": "elsewhere"},
    }
    apply(api, "Application", "applications", "elsewhere", spec)
    try:
        done = impersonating.site()
        assert message(done, impersonating).startswith(
            "Nothing was written. argocd_impersonation applies to all of Argo CD, and Application elsewhere would fail"
        )
    finally:
        api.request("DELETE", f"{ARGO}/applications/elsewhere")


def test_without_the_option_the_accounts_go(impersonating):
    impersonating.set(argocd_impersonation=False, argocd_controller_read_only=False)
    words(impersonating.site())
    for kind in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"):
        assert impersonating.live(f"{RBAC}/{kind}?labelSelector=monorepo.gitops/account")["items"] == []
    accounts = "/api/v1/namespaces/argocd/serviceaccounts"
    assert [impersonating.live(f"{accounts}/{name}") for name in ACCOUNTS] == [None, None]
    assert impersonating.live(f"{RBAC}/namespaces/argocd/roles/argocd-impersonation") is None
    for layer in ("infra", "services"):
        assert "destinationServiceAccounts" not in impersonating.live(f"{ARGO}/appprojects/{layer}")["spec"]
    assert may(impersonating, "argocd-application-controller", "create", "deployments", "apps", "services")
    assert "changed=0 " in words(impersonating.site())
