# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace that several components share: who owns it, and what becomes of it when the owner goes."""

from __future__ import annotations

import re

import pytest
import yaml

from .conftest import Environment, bring_up, temporary

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
TRACKING = "argocd.argoproj.io/tracking-id"
EARLY = {"argocd.argoproj.io/sync-wave": "-3"}
HOOK = {"argocd.argoproj.io/hook": "PreSync"}


def write(environment: Environment, name: str, namespace: str, layer: str = "services", **configs: dict) -> str:
    """Write a component that is a few ConfigMaps, each with annotations, and return its role."""
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": config, "namespace": namespace, "annotations": annotations},
        }
        for config, annotations in configs.items()
    ]
    definition = {"name": name, "layer": layer, "namespace": namespace, "depends_on": []}
    templates = {
        "base/kustomization.yaml.j2": "resources: [configs.yaml]",
        "base/configs.yaml.j2": yaml.safe_dump_all(objects),
        "overlay/kustomization.yaml.j2": "resources:\n  - ../../base",
    }
    return environment.write_component(definition, templates)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Bring up two components in namespace services, and some that are alone in theirs."""
    environment = Environment(tmp_path_factory.mktemp("namespaces"))
    environment.roles = [
        write(environment, "alpha", "services", alpha={}),
        write(environment, "beta", "services", beta={}),
        write(environment, "alone", "alone", "infra", alone={}),
        write(environment, "early", "early", "infra", first=EARLY, second={}),
        write(environment, "hooked", "hooked", "infra", before=HOOK, after={}),
    ]
    environment.set(gitops_components=environment.roles)
    with temporary(environment):
        bring_up(environment)
        assert environment.first.returncode == 0, environment.first.stdout[-5000:]
        yield environment


def without(environment: Environment, *names: str) -> list[str]:
    return [role for role in environment.roles if role.rpartition(".")[2] not in names]


def run(environment: Environment, components: list[str], **variables) -> str:
    environment.set(**{"gitops_components": components, "gitops_removals": []} | variables)
    done = environment.site()
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def namespace(environment: Environment, name: str) -> dict:
    """Return the metadata of a Namespace that nobody is deleting."""
    found = environment.live(f"/api/v1/namespaces/{name}")["metadata"]
    assert "deletionTimestamp" not in found
    return found


def owner(environment: Environment, name: str) -> str:
    """Return the Application that a Namespace belongs to."""
    return namespace(environment, name).get("annotations", {}).get(TRACKING, "").partition(":")[0]


def levels(environment: Environment, name: str) -> dict[str, str]:
    """Return what a Namespace asks of its pods."""
    found = namespace(environment, name)["labels"]
    return {key: value for key, value in found.items() if key.startswith("pod-security.kubernetes.io/")}


def denied(environment: Environment, name: str) -> dict[str, tuple[str, str]]:
    """Return UID and owner of what refuses all connections in a namespace that no policy allows."""
    items = environment.live(f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies")["items"]
    assert {item["metadata"]["name"] for item in items} == {"default-deny-ingress", "default-deny-egress"}
    assert all(item["spec"]["podSelector"] == {} for item in items)
    return {
        item["metadata"]["name"]: (item["metadata"]["uid"], item["metadata"]["annotations"][TRACKING].partition(":")[0])
        for item in items
    }


def config(environment: Environment, name: str, where: str = "services") -> str | None:
    """Return the UID of a ConfigMap."""
    found = environment.live(f"/api/v1/namespaces/{where}/configmaps/{name}")
    return found and found["metadata"]["uid"]


def conditions(environment: Environment) -> list[str]:
    """Return what the Applications complain about."""
    items = environment.live(APPLICATIONS)["items"]
    return [entry["type"] for item in items for entry in item["status"].get("conditions") or []]


def in_git(environment: Environment) -> set[str]:
    """Return the components with Namespaces in Git."""
    files = environment.git("ls-tree", "-r", "--name-only", "main").splitlines()
    return {name.split("/")[2] for name in files if name.endswith("/envs/test/namespaces.yaml")}


def test_the_first_component_of_a_namespace_owns_it(shared):
    # A component with a PreSync hook leaves its namespace to Argo CD.
    assert in_git(shared) == {"alpha", "alone", "early"}
    names = ("services", "alone", "early", "hooked", "argocd", "kube-system", "default")
    assert [owner(shared, name) for name in names] == ["alpha", "alone", "early", "", "", "", ""]
    annotations = namespace(shared, "services")["annotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
    assert config(shared, "before", "hooked")
    assert conditions(shared) == []


def test_the_next_component_gets_the_namespace_when_its_owner_leaves_and_back(shared):
    uids = {name: namespace(shared, name)["uid"] for name in ("services", "alone")}
    beta, head = config(shared, "beta"), shared.git("rev-parse", "main")
    before = denied(shared, "services")
    assert {owned_by for _uid, owned_by in before.values()} == {"alpha"}
    alone = denied(shared, "alone")
    labels = {name: levels(shared, name) for name in uids}
    assert labels["services"]["pod-security.kubernetes.io/enforce"] == "restricted"
    rest = without(shared, "alpha", "alone")

    run(shared, rest, gitops_removals=["alpha", "alone"])
    assert shared.git("rev-list", "--count", f"{head}..main") == "1"
    assert in_git(shared) == {"beta", "early"}
    assert owner(shared, "services") == "beta"
    # Default deny and labels stay, too, also where nobody is left.
    assert {name: levels(shared, name) for name in uids} == labels
    assert denied(shared, "services") == {name: (uid, "beta") for name, (uid, _owner) in before.items()}
    assert denied(shared, "alone") == alone
    assert {name: namespace(shared, name)["uid"] for name in uids} == uids
    assert shared.live(f"{APPLICATIONS}/alpha") is None
    assert (config(shared, "alpha"), config(shared, "alone", "alone"), config(shared, "beta")) == (None, None, beta)
    assert conditions(shared) == []
    assert re.search(r"changed=0 ", run(shared, rest))
    assert owner(shared, "services") == "beta"

    run(shared, shared.roles)
    assert in_git(shared) == {"alpha", "alone", "early"}
    assert (owner(shared, "services"), owner(shared, "alone")) == ("alpha", "alone")
    assert {owned_by for _uid, owned_by in denied(shared, "services").values()} == {"alpha"}
    assert {name: namespace(shared, name)["uid"] for name in uids} == uids
    assert config(shared, "beta") == beta
    assert conditions(shared) == []
    assert re.search(r"changed=0 ", run(shared, shared.roles))


def test_a_namespace_that_is_there_already_is_adopted(shared):
    body = {"metadata": {"name": "found", "labels": {"by": "hand"}}}
    assert shared.api().request("POST", "/api/v1/namespaces", None, body, "application/json")[0] == 201
    before = namespace(shared, "found")
    run(shared, [*shared.roles, write(shared, "found", "found", "infra", found={})])
    assert (owner(shared, "found"), namespace(shared, "found")["uid"]) == ("found", before["uid"])
    assert namespace(shared, "found")["labels"]["by"] == "hand"


def test_without_a_plan_no_namespace_is_rendered(shared, tmp_path):
    tasks = [{"name": "Render alone", "ansible.builtin.include_role": {"name": "acme.platform.alone"}}]
    play = {"name": "Render", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = shared.playbook(str(tmp_path / "play.yml"), "-e", f"component_tree={tmp_path / 'tree'}")
    assert done.returncode == 0, done.stdout[-3000:]
    files = {path.name for path in (tmp_path / "tree/argocd/infra/alone/envs/test").iterdir()}
    assert files == {"kustomization.yaml"}


def test_an_object_in_two_components_stops_the_run_before_it_is_published(shared):
    head = shared.git("rev-parse", "main")
    shared.set(gitops_components=[*shared.components(), write(shared, "twin", "services", beta={})])
    done = shared.site()
    assert done.returncode != 0
    message = (
        "ConfigMap services/beta is in two components, services/beta and services/twin, and two Applications cannot "
        "share an object: take it out of one of them."
    )
    assert shared.report()["failure"]["message"] == message
    assert shared.git("rev-parse", "main") == head
