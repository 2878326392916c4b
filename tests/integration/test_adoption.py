# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with an Argo CD of another hand, ApplicationSets of the same names, and components that people wrote."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest
import yaml

from .conftest import ARGO, BASE, ROOT, Environment, applications, existing, message, temporary, words

IDENTITY = "/api/v1/namespaces/argocd/configmaps/monorepo-gitops"
CONTROLLER = "/apis/apps/v1/namespaces/argocd/statefulsets/argocd-application-controller"
SETTINGS = "/api/v1/namespaces/argocd/configmaps/argocd-cm"
SECRET = "/api/v1/namespaces/argocd/secrets/argocd-secret"
LEGACY = "/api/v1/namespaces/legacy/configmaps/legacy"
OVERLAY = "argocd/infra/legacy/envs/test"


def applicationset(layer, url):
    """Return the ApplicationSet of a layer as the seed has it: it deletes what a generator does not yield any more."""
    template = {
        "metadata": {"name": "{{ index .path.segments 2 }}"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": "{{ .path.path }}"},
            "destination": {
                "server": "https://kubernetes.default.svc",
                "namespace": "{{ index .path.segments 2 }}" if layer == "infra" else "services",
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true", "ApplyOutOfSyncOnly=true"],
            },
        },
    }
    directories = [{"path": f"argocd/{layer}/*/envs/test"}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": layer, "namespace": "argocd", "labels": {"by": "hand"}},
        "spec": {
            "ignoreApplicationDifferences": [{"jsonPointers": ["/spec/syncPolicy"]}],
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"git": {"repoURL": url, "revision": "HEAD", "directories": directories}}],
            "template": template,
        },
    }


def foreign_application(url):
    """Return an Application that has nothing to do with ours and uses the AppProject `default`."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "elsewhere", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": "elsewhere"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "elsewhere"},
        },
    }


def write_repository(folder):
    """Make a repository as people have it, with one component in it, and return its URL."""
    bare, work = folder / "hand.git", folder / "hand"
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    subprocess.run(["git", "clone", "-q", bare, work], check=True)
    legacy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "legacy"}, "data": {"by": "hand"}}
    for name, content in {
        f"{OVERLAY}/kustomization.yaml": {"resources": ["legacy.yaml"]},
        f"{OVERLAY}/legacy.yaml": legacy,
        "elsewhere/object.yaml": legacy | {"metadata": {"name": "elsewhere"}},
    }.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(yaml.safe_dump(content))
    push(work)
    return f"file://{bare}"


def push(work):
    """Commit and push what somebody wrote into a clone."""
    git = ["git", "-C", work, "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "by hand"], check=True)
    subprocess.run([*git, "push", "-q", "origin", "HEAD:main"], check=True)


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    """Install Argo CD with kubectl, and let the ApplicationSets deploy what is in Git."""
    folder = tmp_path_factory.mktemp("hand")
    environment = Environment(folder, gitops_components=BASE)
    # A run that names the cluster as an existing one brings no Stages.
    stages = [str(path) for role in BASE for path in ROOT.glob(f"roles/{role.replace('-', '_')}/files/stages/*.yaml")]
    settings = json.dumps({"rehearsal_cluster_stages": stages})
    with temporary(environment):
        started = environment.playbook("playbooks/rehearsal.yml", "-e", settings)
        assert started.returncode == 0, started.stdout
        environment.find_cluster()
        environment.url = write_repository(folder)
        kubectl(environment, "create", "namespace", "argocd")
        manifest = environment.binary("../argocd/v3.6.1/install.yaml")
        kubectl(environment, "apply", "--server-side", "--namespace=argocd", f"--filename={manifest}")
        environment.rehearsal("argocd_started")
        objects = [applicationset(layer, environment.url) for layer in ("infra", "services")]
        kubectl(environment, "apply", "--filename=-", stdin=[*objects, foreign_application(environment.url)])
        deadline = time.monotonic() + 240  # its first try may come before the AppProject
        while environment.live(LEGACY) is None:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield environment


def kubectl(environment, *args, stdin=()):
    command = [environment.binary("kubectl"), f"--kubeconfig={environment.status['kubeconfig']}", *args]
    text = yaml.safe_dump_all(stdin) if stdin else None
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def run(environment, *args, **variables):
    settings = existing(environment, gitops_repo_url=environment.url, **variables)
    return environment.playbook("site.yml", *args, *settings)


def git(environment, *args):
    command = ["git", "-C", environment.url.removeprefix("file://"), *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def head(environment):
    return git(environment, "rev-parse", "main")


def test_it_stops_after_the_difference_was_shown(hand):
    before, commit = len(hand.writes()), head(hand)
    stopped = run(hand)
    text = message(stopped, hand)
    assert "Argo CD v3.6.1 in namespace argocd was installed by hand, and has 1 other Application (elsewhere)." in text
    assert "take it over with gitops_adopt: [argocd], or set argocd_managed to false" in text
    assert re.search(r"^\+ +controller.resource.health.persist: .?true", stopped.stdout, re.MULTILINE), stopped.stdout
    assert (len(hand.writes()), head(hand)) == (before, commit)


def test_one_that_helm_manages_is_never_taken_over(hand):
    helm = {"metadata": {"annotations": {"meta.helm.sh/release-name": "argo"}}}
    assert hand.api().request("PATCH", CONTROLLER, body=helm)[0] == 200
    before, commit = len(hand.writes()), head(hand)
    text = message(run(hand, gitops_adopt=["argocd"]), hand)
    assert (
        "was installed by Helm, release argo, and has 1 other Application (elsewhere). It cannot be taken over" in text
    )
    assert (len(hand.writes()), head(hand)) == (before, commit)


def test_one_that_is_not_managed_is_left_as_it_is(hand):
    api, before = hand.api(), applications(hand)
    controller, settings, legacy = hand.live(CONTROLLER), hand.live(SETTINGS), hand.live(LEGACY)
    words(run(hand, argocd_managed=False, argocd_ui_route=False))
    assert hand.live(CONTROLLER)["metadata"]["resourceVersion"] == controller["metadata"]["resourceVersion"]
    assert hand.live(SETTINGS)["metadata"]["resourceVersion"] == settings["metadata"]["resourceVersion"]
    # The component that a person wrote lives on, although the inventory does not have it.
    assert hand.live(LEGACY)["metadata"]["uid"] == legacy["metadata"]["uid"]
    assert before.items() <= applications(hand).items()
    assert hand.live(f"{ARGO}/applications/legacy")["spec"]["project"] == "infra"
    assert hand.live(f"{ARGO}/applicationsets/infra")["spec"]["syncPolicy"] == {"applicationsSync": "create-update"}
    assert hand.live(f"{ARGO}/appprojects/default")["spec"]["sourceRepos"] == ["*"]
    assert hand.live(IDENTITY)["data"]["environment"] == "test"
    assert "changed=0 " in words(run(hand, argocd_managed=False, argocd_ui_route=False))
    helm = {"metadata": {"annotations": {"meta.helm.sh/release-name": None}}}
    assert api.request("PATCH", CONTROLLER, body=helm)[0] == 200


def test_one_by_hand_is_taken_over_and_keeps_what_is_not_ours(hand):
    api, before = hand.api(), applications(hand)
    assert api.request("PATCH", SETTINGS, body={"data": {"kustomize.buildOptions": "--enable-helm"}})[0] == 200
    assert api.request("PATCH", SECRET, body={"stringData": {"webhook.github.secret": "ours"}})[0] == 200
    uid = hand.live(CONTROLLER)["metadata"]["uid"]
    words(run(hand, gitops_adopt=["argocd"]))
    assert hand.live(CONTROLLER)["metadata"]["uid"] == uid
    data = hand.live(SETTINGS)["data"]
    assert (data["kustomize.buildOptions"], data["users.anonymous.enabled"]) == ("--enable-helm", "false")
    assert "webhook.github.secret" in hand.live(SECRET)["data"]
    assert applications(hand) == before
    assert hand.live(f"{ARGO}/appprojects/default")["spec"]["sourceRepos"] == ["*"]
    assert "changed=0 " in words(run(hand))


SERVICES = "/apis/apps/v1/namespaces/services/deployments/socat-auth"
OLD = "/api/v1/namespaces/services/configmaps/old"
MINE = "/api/v1/namespaces/maildev/configmaps/mine"
MAILDEV = "/apis/apps/v1/namespaces/maildev/deployments/maildev"
AUTH, CUSTOM = "argocd/services/auth/envs/test", "argocd/infra/maildev/envs/test/custom"
ENTRY = {
    "name": "legacy",
    "layer": "infra",
    "depends_on": ["maildev"],
    "endpoints": [{"name": "Legacy", "url": "http://legacy.example.com", "protocol": "HTTP", "purpose": "old"}],
}


def auth():
    """Return a Deployment with the name and the selector of role auth, as somebody may have written it."""
    labels = {"app.kubernetes.io/name": "socat-auth"}
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "socat-auth", "image": "alpine/socat:1.8.0.3", "securityContext": rights}
    pod = {"metadata": {"labels": labels}, "spec": {"securityContext": user, "containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "socat-auth"}, "spec": spec}


def people_push(environment, folder):
    """Write a component that has a role, change a rendered file, and add objects to a rendered overlay."""
    subprocess.run(["git", "clone", "-q", environment.url, folder], check=True)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"by": "hand"}}
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "resources": ["mine.yaml"]}
    for name, items in {
        f"{AUTH}/kustomization.yml": [{"resources": ["auth.yaml"]}],
        f"{AUTH}/auth.yaml": [auth(), config | {"metadata": {"name": "old"}}],
        f"{CUSTOM}/kustomization.yaml": [component],
        f"{CUSTOM}/mine.yaml": [config | {"metadata": {"name": "mine", "namespace": "maildev"}}],
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump_all(items))
    overlay = folder / "argocd/infra/maildev/envs/test/kustomization.yaml"
    text = overlay.read_text()
    assert "{name: maildev, count: 1}" in text
    overlay.write_text(text.replace("{name: maildev, count: 1}", "{name: maildev, count: 2}"))
    push(folder)


@pytest.fixture(scope="module")
def adopted(hand, tmp_path_factory):
    """Take over Argo CD, and let people push."""
    words(run(hand, gitops_adopt=["argocd"]))
    people_push(hand, tmp_path_factory.mktemp("people") / "clone")
    return hand


def test_what_people_applied_with_kubectl_is_handed_over_and_leaves_with_the_manifest(adopted):
    for layer in ("infra", "services"):
        metadata = adopted.live(f"{ARGO}/applicationsets/{layer}")["metadata"]
        managers = {entry["manager"] for entry in metadata["managedFields"]}
        assert "kubectl-client-side-apply" not in managers
        assert "kubectl.kubernetes.io/last-applied-configuration" not in metadata["annotations"]
        assert "by" not in metadata.get("labels", {})
    # An Application of somebody else stays as it is.
    elsewhere = adopted.live(f"{ARGO}/applications/elsewhere")["metadata"]
    assert "kubectl-client-side-apply" in {entry["manager"] for entry in elsewhere["managedFields"]}


def test_people_who_changed_a_rendered_file_are_asked_first(adopted):
    before = head(adopted)
    text = message(run(adopted), adopted)
    assert text.startswith(
        "Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite it: "
        "argocd/infra/maildev/envs/test/kustomization.yaml. In the cluster this would "
    )
    assert "change Deployment maildev/maildev (spec.replicas)" in text
    (word,) = re.findall(r'gitops_adopt: \["(maildev:[0-9a-f]{6})"\]', text)
    assert head(adopted) == before
    said = words(run(adopted, gitops_components=[*BASE, ENTRY], gitops_adopt=[word]))
    assert "Overwriting what somebody changed in infra/maildev (gitops_adopt)" in said
    assert adopted.live(MAILDEV)["spec"]["replicas"] == 1
    # What the user adds is read from this run on.
    assert adopted.live(MINE)["data"] == {"by": "hand"}


def test_people_find_what_they_wrote_in_the_report(adopted):
    report = adopted.report()
    found = {entry["name"]: entry for entry in report["applications"]}
    assert {"legacy", "auth", "maildev"} <= found.keys()
    assert [found[name]["state"] for name in ("legacy", "auth")] == ["ready", "ready"]
    assert found["legacy"]["depends_on"] == ["maildev"]
    assert [entry["url"] for entry in report["endpoints"] if entry["application"] == "legacy"] == [
        "http://legacy.example.com"
    ]
    assert adopted.live(OLD)["data"] == {"by": "hand"}


def test_people_see_what_a_role_would_do_to_their_objects_before_it_does(adopted):
    before, uid = head(adopted), adopted.live(SERVICES)["metadata"]["uid"]
    text = message(run(adopted, gitops_components=[*BASE, "auth"]), adopted)
    assert text.startswith(
        "Nothing was written. Git has files of services/auth that no run wrote, and this run would replace them. In "
        "the cluster this would - add "
    )
    assert ", Deployment services/socat-auth (metadata.labels, spec.replicas, " in text.partition("- change ")[2], text
    assert "- delete ConfigMap services/old " in text, text
    assert f"Files that it replaces: {AUTH}/auth.yaml, {AUTH}/kustomization.yml. Name auth in gitops_adopt" in text
    assert (head(adopted), adopted.live(OLD) is None) == (before, False)
    words(run(adopted, gitops_components=[*BASE, "auth"], gitops_adopt=["auth"]))
    assert (adopted.live(SERVICES)["metadata"]["uid"], adopted.live(OLD)) == (uid, None)
    left = git(adopted, "ls-tree", "--name-only", "main", f"{AUTH}/").split()
    assert (f"{AUTH}/auth.yaml" in left, f"{AUTH}/kustomization.yaml" in left) == (False, True)
    assert f"- {AUTH}/auth.yaml: written by hand before (gitops_adopt)\n" in git(adopted, "log", "-1", "--format=%B")


def test_people_keep_what_they_added_when_the_component_goes(adopted):
    rest = [name for name in BASE if name != "maildev"]
    said = words(run(adopted, gitops_components=[*rest, "auth"], gitops_removals=["maildev"]))
    assert f"{CUSTOM} is the user's and stays in Git." in said
    assert "maildev" not in applications(adopted)
    assert git(adopted, "ls-tree", "-r", "--name-only", "main", "argocd/infra/maildev").split() == [
        f"{CUSTOM}/kustomization.yaml",
        f"{CUSTOM}/mine.yaml",
    ]
    assert "changed=0 " in words(run(adopted, gitops_components=[*rest, "auth"]))
    assert "maildev" not in applications(adopted)
