# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who installed an Argo CD, and what its controller does on its own."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import installation


def controller(managers=(), **metadata):
    fields = [{"manager": name, "operation": "Apply"} for name in managers]
    containers = [{"image": "quay.io/argoproj/argocd:v3.5.1@sha256:abc"}]
    return {
        "metadata": {"namespace": "argocd", "name": "controller", "managedFields": fields} | metadata,
        "spec": {"template": {"spec": {"containers": containers}}},
    }


@pytest.mark.parametrize(
    ("item", "manager"),
    [
        (controller(["monorepo.gitops"]), "us"),
        (controller(["kubectl"]), "hand"),
        (controller(["monorepo.gitops"], annotations={"meta.helm.sh/release-name": "argo"}), "Helm"),
        (controller(labels={"app.kubernetes.io/managed-by": "Helm"}), "Helm"),
        (controller(ownerReferences=[{"kind": "ArgoCD", "name": "main"}]), "ArgoCD main"),
        (
            controller(name="x", annotations={"argocd.argoproj.io/tracking-id": "argo:apps/StatefulSet:argocd/x"}),
            "Application argo",
        ),
    ],
)
def test_who_installed_an_argo_cd(item, manager):
    assert installation.describe_argocd(item)["manager"] == manager


def test_an_argo_cd_by_hand_is_taken_over_when_that_is_said():
    found = installation.describe_argocd(controller(["kubectl"]))
    assert installation.foreign_argocd(found, ["a", "b", "c", "d"], "argocd", managed=True, adopted=False) == (
        "Argo CD v3.5.1 in namespace argocd was installed by hand, and has 4 other Applications (a, b, c and 1 more). "
        "The difference to what this inventory would install is shown above: take it over with gitops_adopt: [argocd], "
        "or set argocd_managed to false to leave it as it is."
    )
    assert installation.foreign_argocd(found, [], "argocd", managed=True, adopted=True) == ""
    assert installation.foreign_argocd(found, [], "argocd", managed=False, adopted=False) == ""


def test_an_argo_cd_of_helm_is_never_taken_over():
    found = installation.describe_argocd(controller(annotations={"meta.helm.sh/release-name": "argo"}))
    text = (
        "Argo CD v3.5.1 in namespace argocd was installed by Helm, release argo. It cannot be taken over: set "
        "argocd_managed to false, and the run leaves it as it is and only writes projects, repositories and "
        "ApplicationSets."
    )
    assert installation.foreign_argocd(found, [], "argocd", managed=True, adopted=True) == text
    assert installation.foreign_argocd(found, [], "argocd", managed=False, adopted=False) == ""


def test_an_argo_cd_in_another_namespace_stops():
    found = installation.describe_argocd(controller(namespace="gitops"))
    assert installation.foreign_argocd(found, [], "argocd", managed=True, adopted=True) == (
        "Argo CD v3.5.1 in namespace gitops was installed by hand. This inventory would install another one: set "
        "argocd_namespace to gitops."
    )
    ours = installation.describe_argocd(controller(["monorepo.gitops"], namespace="gitops"))
    text = installation.foreign_argocd(ours, [], "argocd", managed=True, adopted=True)
    assert text.startswith("Argo CD v3.5.1 in namespace gitops was installed by this collection. This inventory would")


def test_our_argo_cd_is_ours_after_a_restore_and_one_of_another_argo_cd_is_not():
    recorded = {"data": {"argocdManaged": "true"}}
    assert installation.manager_of(controller(), (), recorded) == "us"
    assert installation.manager_of(controller(), (), {"data": {"argocdManaged": "false"}}) == "hand"
    labelled = controller(labels={"app.kubernetes.io/instance": "argo"})
    assert installation.manager_of(labelled, {"argo"}, None) == "Application argo"


@pytest.mark.parametrize(
    ("settings", "containers", "policy"),
    [
        ({}, [], ""),
        ({"applicationsetcontroller.enable.policy.override": "false"}, [], "sync"),
        ({"applicationsetcontroller.policy": "sync"}, [], "sync"),
        ({"applicationsetcontroller.policy": "sync", "applicationsetcontroller.enable.policy.override": "1"}, [], ""),
        ({}, [{"env": [{"name": "ARGOCD_APPLICATIONSET_CONTROLLER_POLICY", "value": "sync"}]}], "sync"),
        ({}, [{"env": [{"name": "ARGOCD_APPLICATIONSET_CONTROLLER_POLICY", "valueFrom": {}}]}], ""),
        ({"applicationsetcontroller.policy": "sync"}, [{"args": ["--enable-policy-override=false"]}], "sync"),
        ({"applicationsetcontroller.policy": "create-update"}, [], ""),
        (
            {"applicationsetcontroller.policy": "sync", "applicationsetcontroller.enable.policy.override": "true"},
            [],
            "",
        ),
        # Without a policy in the environment an override is allowed by default.
        ({}, [{"args": ["x", "--policy", "create-delete"]}], ""),
        ({}, [{"args": ["--policy", "create-delete", "--enable-policy-override=false"]}], "create-delete"),
        ({}, [{"command": ["x", "--policy=sync", "--enable-policy-override"]}], ""),
    ],
)
def test_a_policy_that_overrides_ours_is_found(settings, containers, policy):
    assert installation.overriding_policy(settings, containers) == policy
