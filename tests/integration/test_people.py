# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may list, see, sync, change and delete what in a real Argo CD, by the groups of an SSO and argocd_roles.

An environment with `admin` switched off, what an Application in it may not do, and a promotion without further rights.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import time

import pytest
import rights
import yaml
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_sync
from cryptography.hazmat.primitives.asymmetric import rsa
from tear_down import torn_down
from unit.running import run_module

from .conftest import ARGO, BASE, Environment, acting, bring_up, service_account, temporary, words
from .identity import Provider
from .test_wait import apply

ROLES = [
    {"role": "viewer", "groups": ["viewers"]},
    {"role": "viewer", "groups": ["others"], "environments": ["prod"]},
    {"role": "operator", "groups": ["cn=operators,ou=people"], "projects": ["services"]},
    {"role": "admin", "groups": ["leads"], "projects": ["services"], "environments": ["test"]},
    {"role": "admin", "groups": ["platform"], "projects": ["*"]},
]
GROUP = {"operators": "cn=operators,ou=people"}
APPLICATIONS, SCRATCH = "/api/v1/applications", "scratch"
OURS = {"infra": "maildev", "services": "api"}


class Server:
    """Argo CD's API server, asked as somebody in some groups."""

    def __init__(self, environment, provider):
        self.environment, self.provider = environment, provider
        self.port = json.loads((environment.folder / "ports.json").read_text())["argocd-server"]
        settings = environment.live("/api/v1/namespaces/argocd/configmaps/argocd-cmd-params-cm")["data"]
        assert settings["server.insecure"] == "true"

    def ask(self, method, path, token="", body=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        found = json.loads(answer.read() or b"{}")
        connection.close()
        return answer.status, found

    def as_member(self, group, method, path, body=None):
        return self.ask(method, path, self.provider.token(GROUP.get(group, group)), body)

    def names(self, group):
        status, found = self.as_member(group, "GET", APPLICATIONS)
        assert status == 200, found
        return {item["metadata"]["name"] for item in found.get("items") or []}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    provider = Provider()
    cm = {"url": "https://argocd.example.com", "oidc.config": provider.settings()}
    settings = {"argocd_roles": ROLES, "argocd_cm": cm, "argocd_admin_enabled": False}
    folder = tmp_path_factory.mktemp("people")
    settings |= {"gitops_components": [*BASE, "api"], "gitops_repo_revision": "live"}
    with torn_down(provider.server.shutdown), temporary(Environment(folder, **settings)) as environment:
        first = bring_up(environment).first
        yield Server(environment, provider) if first.returncode == 0 else first.stdout


@pytest.fixture(autouse=True)
def works(server):
    assert isinstance(server, Server), server[-5000:]


def test_nobody_is_let_in_without_a_valid_token(server):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (
        "",
        server.provider.token("platform", exp=int(time.time()) - 60),
        server.provider.token("platform", aud="another"),
        server.provider.token("platform", key=stranger),
    ):
        status, said = server.ask("GET", APPLICATIONS, token)
        assert (status, "items" in said) == (401, False), said


def test_admin_cannot_log_in_even_with_the_right_password(server):
    environment, secrets = server.environment, "/api/v1/namespaces/argocd/secrets"
    # Argo CD did not even make one.
    assert environment.live(f"{secrets}/argocd-initial-admin-secret") is None
    words = [environment.binary("argocd"), "account", "bcrypt", "--password", "correct horse"]
    hashed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    data = {"admin.password": hashed, "admin.passwordMtime": "2026-01-01T00:00:00Z"}
    assert environment.api().request("PATCH", f"{secrets}/argocd-secret", body={"stringData": data})[0] == 200
    # Argo CD's server learns of the password from a watch; after five wrong ones it says nothing else for a while.
    for _attempt in range(4):
        status, said = server.ask("POST", "/api/v1/session", body={"username": "admin", "password": "correct horse"})
        if "Invalid" not in said["message"]:
            break
        time.sleep(2)
    assert (status, "token" in said, "disabled" in said["message"]) == (401, False, True), said


@pytest.mark.parametrize(
    ("group", "seen"),
    [
        ("nobody", set()),
        ("others", set()),
        ("viewers", {*BASE, "api"}),
        ("operators", {"api"}),
        ("leads", {"api"}),
        ("platform", {*BASE, "api"}),
        # Whatever the policy says, so no provider may deliver such a group.
        ("admin", {*BASE, "api"}),
    ],
)
def test_who_sees_which_applications(server, group, seen):
    assert server.names(group) == seen
    for name in OURS.values():
        assert server.as_member(group, "GET", f"{APPLICATIONS}/{name}")[0] == (200 if name in seen else 403)


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        ("nobody", set()),
        ("viewers", set()),
        ("operators", {"services"}),
        ("leads", {"services"}),
        ("platform", {"infra", "services"}),
    ],
)
def test_who_may_sync(server, group, allowed):
    for project, name in OURS.items():
        status, said = server.as_member(group, "POST", f"{APPLICATIONS}/{name}/sync", {"dryRun": True})
        # Automated sync may be busy with it: then the request was allowed, too.
        busy = "another operation is already in progress" in said.get("message", "")
        assert (status == 200 or busy) is (project in allowed), said
        assert status != 403 or "permission denied" in said["message"]


def body_of(server, project):
    """Return a new Application with what is deployed already, which nothing syncs."""
    spec = server.environment.live(f"{ARGO}/applications/{OURS[project]}")["spec"]
    spec["syncPolicy"] = {}
    return {"metadata": {"name": f"{SCRATCH}-{project}", "namespace": "argocd"}, "spec": spec}


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        ("nobody", set()),
        ("viewers", set()),
        ("operators", set()),
        ("leads", {"services"}),
        ("platform", {"infra", "services"}),
    ],
)
def test_who_may_create_change_and_delete(server, group, allowed):
    for project in OURS:
        body = body_of(server, project)
        path = f"{APPLICATIONS}/{body['metadata']['name']}"
        expected = 200 if project in allowed else 403
        status, said = server.as_member(group, "POST", APPLICATIONS, body)
        assert status == expected, said
        if status != 200:
            # For the rest of the attempts it has to be there.
            status, said = server.as_member("platform", "POST", APPLICATIONS, body)
            assert status == 200, said
        changed = body["spec"] | {"info": [{"name": "changed", "value": "yes"}]}
        assert server.as_member(group, "PUT", f"{path}/spec", changed)[0] == expected
        assert server.as_member(group, "DELETE", f"{path}?cascade=false")[0] == expected
        left = server.environment.live(f"{ARGO}/applications/{body['metadata']['name']}")
        assert (left is None) is (expected == 200)
        if left:
            assert "info" not in left["spec"]
            assert server.as_member("platform", "DELETE", f"{path}?cascade=false")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        # Objects that are not in Git.
        ("POST", f"{APPLICATIONS}/api/sync", {"manifests": ["{}"]}),
        ("POST", "/api/v1/applicationsets?upsert=true", {"metadata": {"name": "services", "namespace": "argocd"}}),
        ("DELETE", "/api/v1/applicationsets/services", None),
        ("DELETE", "/api/v1/projects/services", None),
        ("POST", "/api/v1/repositories", {"repo": "https://example.com/other.git"}),
        ("POST", "/api/v1/projects", {"project": {"metadata": {"name": "own"}, "spec": {"sourceRepos": ["*"]}}}),
    ],
)
def test_an_administrator_of_a_project_is_none_of_argocd(server, method, path, body):
    if body and "metadata" in body:
        body["spec"] = server.environment.live(f"{ARGO}/applicationsets/services")["spec"]
    status, said = server.as_member("leads", method, path, body)
    assert (status, said["message"][:17]) == (403, "permission denied"), said


# --- what an Application may not do ----------------------------------------------------------------------------------

ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "attack"},
    "spec": {"rules": [{"backendRefs": [{"name": "attack", "port": 80}]}]},
}
RBAC = "rbac.authorization.k8s.io"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def binding(kind, role):
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "services"}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    metadata = {"name": "attack"}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "roleRef": reference, "subjects": [subject]}


# What the repository contains, what of the Application differs, and what it is told.
ATTEMPTS = {
    "another-namespace": (
        ROUTE | {"metadata": {"name": "attack", "namespace": "kube-system"}},
        {},
        "namespace kube-system is not permitted in project 'services'",
    ),
    "another-destination": (
        ROUTE,
        {"destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"}},
        "do not match any of the allowed destinations in project 'services'",
    ),
    "another-repository": (ROUTE, {"repository": True}, "is not permitted in project 'services'"),
    "locked-project": (ROUTE, {"project": "default"}, "is not permitted in project 'default'"),
    "cluster-role-binding": (
        binding("ClusterRoleBinding", "cluster-admin"),
        {},
        "is not permitted in project services",
    ),
    "role-binding": (binding("RoleBinding", "cluster-admin"), {}, "is not permitted in project services"),
    "role": (
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "attack"}, "rules": [EVERYTHING]},
        {},
        "is not permitted in project services",
    ),
    "pod": (
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "attack"},
            "spec": {"hostPID": True, "containers": [{"name": "attack", "image": "attack:1"}]},
        },
        {},
        "is not permitted in project services",
    ),
    "project": (
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "attack", "namespace": "argocd"},
            "spec": {"sourceRepos": ["*"]},
        },
        {},
        "is not permitted in project",
    ),
}


@pytest.fixture(scope="module")
def attempts(server, tmp_path_factory):
    """Push what an attacker would to the published repository, and to another one, with an Application for each."""
    folder, environment = tmp_path_factory.mktemp("attempts"), server.environment
    published = f"{environment.folder}/monorepo.git"
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]

    def git(*words):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("clone", "--quiet", published, "clone")
    for name, (item, _differs, _said) in ATTEMPTS.items():
        path = folder / "clone" / "attack" / name
        path.mkdir(parents=True)
        (path / "object.yaml").write_text(yaml.safe_dump(item))
    git("-C", "clone", "add", "--all")
    git("-C", "clone", "commit", "--quiet", "-m", "attack")
    git("-C", "clone", "push", "--quiet", "origin", "HEAD:attack")
    git("clone", "--quiet", "--bare", "clone", "other.git")
    git("-C", "other.git", "branch", "-f", "attack", "HEAD")
    url = environment.live(f"{ARGO}/applications/api")["spec"]["source"]["repoURL"]
    for name, (_item, differs, _said) in ATTEMPTS.items():
        other = differs.get("repository")
        source = {"repoURL": f"file://{folder}/other.git" if other else url, "targetRevision": "attack"}
        spec = {
            "project": "services",
            "source": source | {"path": f"attack/{name}"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "services"},
        }
        changes = {key: value for key, value in differs.items() if key != "repository"}
        apply(environment.api(), "Application", "applications", name, spec | changes)
    yield environment
    for name in ATTEMPTS:
        environment.api().request("DELETE", f"{ARGO}/applications/{name}")
    environment.git("branch", "-D", "attack")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_application_cannot_write_what_its_project_does_not_allow(attempts, name):
    run_module(argocd_app_sync, kubeconfig=attempts.status["kubeconfig"], names=[name], wait_timeout=40)
    status = attempts.live(f"{ARGO}/applications/{name}")["status"]
    assert ATTEMPTS[name][2] in json.dumps(status), status
    assert (status.get("operationState") or {}).get("phase") != "Succeeded"


@pytest.mark.usefixtures("attempts")
def test_nothing_of_it_is_in_the_cluster(server):
    base = f"/apis/{RBAC}/v1"
    for path in (
        "/apis/gateway.networking.k8s.io/v1/namespaces/kube-system/httproutes/attack",
        "/apis/gateway.networking.k8s.io/v1/namespaces/argocd/httproutes/attack",
        "/apis/gateway.networking.k8s.io/v1/namespaces/services/httproutes/attack",
        f"{base}/clusterrolebindings/attack",
        f"{base}/namespaces/services/rolebindings/attack",
        f"{base}/namespaces/services/roles/attack",
        "/api/v1/namespaces/services/pods/attack",
        f"{ARGO}/appprojects/attack",
    ):
        assert server.environment.live(path) is None


def test_a_promotion_needs_the_documented_rights_only(server):
    environment = server.environment
    environment.set(maildev_replicas=2)
    words(environment.site("--tags", "publish"))
    before = environment.git("rev-parse", "live")
    with acting(
        environment, "promote", "gitops_compare", "argocd_appset_refresh", "argocd_app_wait", "argocd_app_info"
    ):
        said = words(environment.playbook("playbooks/promote.yml"))
    assert "cannot" not in said
    assert environment.git("rev-parse", "live") == environment.git("rev-parse", "main") != before


@pytest.mark.parametrize(
    ("verb", "resource"), [("list", "appprojects"), ("patch", "applicationsets"), ("patch", "applications")]
)
def test_without_a_right_a_promotion_names_it(server, verb, resource):
    environment, name = server.environment, f"promote-without-{verb}-{resource}"
    given = rights.lacking(rights.of(*rights.PLAYBOOKS["promote"]), verb, resource)
    service_account(environment, environment.folder / f"{name}.kubeconfig", name, given)
    with acting(environment, name):
        done = environment.playbook("playbooks/promote.yml")
    assert done.returncode != 0
    right = f'cannot {verb} resource "{resource}" in API group "argoproj.io" in the namespace "argocd"'
    assert right in done.stdout.replace('\\"', '"'), done.stdout[-3000:]
