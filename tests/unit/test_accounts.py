# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ServiceAccounts with which Argo CD syncs may do, and whose Applications would have none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.monorepo.gitops.plugins.filter.accounts import impersonation_settings
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import accounts as living
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import accounts
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import CLUSTER_KINDS, written

from .environments import PROD_RELAXED, PROJECT, built, pinned
from .running import run_action
from .test_kustomize import item

RBAC = "rbac.authorization.k8s.io"
KEPT = {"annotations": {"argocd.argoproj.io/sync-options": "ServerSideApply=true, Prune=false,Delete=false"}}
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgetry.example.com"} | KEPT,
    "spec": {"group": "example.com", "names": {"kind": "Widget", "plural": "widgetry"}, "scope": "Namespaced"},
}
READ_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "get"]}
SHOWN = [
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]},
]
CHANGE, ALL = ["get", "patch", "update"], ["create", "delete", "get", "patch", "update"]


def role(name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> dict[str, Any]:
    kind = "Role" if namespace else "ClusterRole"
    return item(kind, name, namespace, f"{RBAC}/v1") | {"rules": list(rules)} | more


def binding(kind: str, name: str, to: str, namespace: str = "") -> dict[str, Any]:
    scope = "Cluster" if kind == "ClusterRoleBinding" else ""
    return item(kind, name, namespace, f"{RBAC}/v1") | {"roleRef": {"kind": f"{scope}Role", "name": to}}


def rights(beforehand: dict[str, Any] | None = None, **layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rights of layers with one component each, `shop` and `services`."""
    summaries = [
        {"layer": layer, "name": "shop", "namespace": {"infra": "shop"}.get(layer, layer), "objects": len(objects)}
        | {"written": [written(entry) for entry in objects], "rights": accounts.facts(objects)}
        for layer, objects in layers.items()
    ]
    wide: list[dict[str, str]] = [{"group": "", "kind": "PersistentVolume"}]
    projects = {
        "infra": {"namespaces": ["shop", "spare"], "cluster_kinds": wide},
        "services": {"namespaces": ["services"], "cluster_kinds": []},
    }
    return accounts.rights(summaries, set(CLUSTER_KINDS), projects, beforehand)


def test_an_account_may_write_kinds_that_are_allowed_beforehand():
    kinds = [{"group": "batch", "kind": "CronJob"}, {"group": "", "kind": "PersistentVolume"}]
    found = rights({"infra": kinds}, infra=[item("ConfigMap", "a")])["infra"]
    for namespace in ("shop", "spare"):
        assert {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ALL} in found["namespaces"][namespace]
    assert {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ALL} in found["everywhere"]


def test_an_account_may_write_the_kinds_of_a_namespace_and_by_name_what_has_none():
    shop = [
        item("Namespace", "shop") | {"metadata": {"name": "shop"} | KEPT},
        item("Service", "web"),
        item("ConfigMap", "web"),
        item("Job", "", api_version="batch/v1"),
        item("Widget", "first", "kube-system", "example.com/v1"),
        item("StorageClass", "fast", api_version="storage.k8s.io/v1"),
        WIDGETS,
    ]
    found = rights(infra=shop, services=[item("Widget", "second", api_version="example.com/v1")])
    assert found["infra"] == {
        "everywhere": [
            {
                "apiGroups": [""],
                "resources": ["namespaces"],
                "verbs": ["get"],
                "resourceNames": ["kube-system", "spare"],
            },
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": CHANGE, "resourceNames": ["shop"]},
            {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["create"]},
            {
                "apiGroups": ["apiextensions.k8s.io"],
                "resources": ["customresourcedefinitions"],
                "verbs": CHANGE,
                "resourceNames": ["widgetry.example.com"],
            },
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["create"]},
            {
                "apiGroups": ["storage.k8s.io"],
                "resources": ["storageclasses"],
                "verbs": ["delete", *CHANGE],
                "resourceNames": ["fast"],
            },
        ],
        "namespaces": {
            "kube-system": [{"apiGroups": ["example.com"], "resources": ["widgetry"], "verbs": ALL}],
            "shop": [
                {"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": ALL},
                *SHOWN[1:],
                *SHOWN[:1],
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ALL},
            ],
            "spare": [],
        },
    }
    assert found["services"] == {
        "everywhere": [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": ["services"]}
        ],
        "namespaces": {
            "services": [
                *SHOWN[1:],
                *SHOWN[:1],
                {"apiGroups": ["example.com"], "resources": ["widgetry"], "verbs": ALL},
            ]
        },
    }


def test_an_account_has_the_rights_that_its_roles_give_and_no_right_to_give_others():
    operator = [
        role("operator", READ_SECRETS, {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}),
        binding("ClusterRoleBinding", "operator", "operator"),
        role(
            "leader", {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}, namespace="b"
        ),
        binding("RoleBinding", "leader", "leader", "b"),
    ]
    found = rights(infra=operator)["infra"]
    assert READ_SECRETS | {"verbs": ["get", "list"]} in found["everywhere"]
    assert {"nonResourceURLs": ["/metrics"], "verbs": ["get"]} in found["everywhere"]
    assert found["namespaces"]["b"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
        {"apiGroups": [RBAC], "resources": ["rolebindings", "roles"], "verbs": ALL},
    ]
    verbs = {
        verb
        for rules in (found["everywhere"], *found["namespaces"].values())
        for rule in rules
        for verb in rule["verbs"]
    }
    assert verbs == {*ALL, "list"}


def test_what_has_no_rules_in_git_is_bound_and_escalated_by_name():
    others = [
        role("all-of-ours", aggregationRule={"clusterRoleSelectors": []}),
        binding("ClusterRoleBinding", "a", "all-of-ours"),
        binding("ClusterRoleBinding", "b", "system:auth-delegator"),
        binding("RoleBinding", "c", "extension-apiserver-authentication-reader", "kube-system"),
    ]
    found = rights(infra=others)["infra"]
    cluster_roles = {"apiGroups": [RBAC], "resources": ["clusterroles"]}
    assert [rule for rule in found["everywhere"] if {"bind", "escalate"} & {*rule["verbs"]}] == [
        cluster_roles | {"verbs": ["bind", "delete", "escalate", *CHANGE], "resourceNames": ["all-of-ours"]},
        cluster_roles | {"verbs": ["bind"], "resourceNames": ["system:auth-delegator"]},
    ]
    assert found["namespaces"]["kube-system"] == [
        {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": ALL},
        {
            "apiGroups": [RBAC],
            "resources": ["roles"],
            "verbs": ["bind"],
            "resourceNames": ["extension-apiserver-authentication-reader"],
        },
    ]


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("Endpoints", "endpoints"),
        ("StorageClass", "storageclasses"),
        ("EndpointSlice", "endpointslices"),
    ],
)
def test_a_kind_of_kubernetes_has_the_name_of_its_resource(kind, resource):
    assert accounts.plural(kind) == resource


# --- wider and narrower ----------------------------------------------------------------------------------------------


def test_equal_rights_have_equal_rules():
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["b", "a"]},
        {"apiGroups": ["", "apps"], "resources": ["pods", "secrets"], "verbs": ["list", "get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch"], "resourceNames": ["a"]},
        {"nonResourceURLs": ["/b", "/a"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["delete"], "resourceNames": ["a"]},
    ]
    expected = [
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch"], "resourceNames": ["a"]},
        {"apiGroups": ["apps"], "resources": ["pods", "secrets"], "verbs": ["get", "list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
        {"nonResourceURLs": ["/a", "/b"], "verbs": ["get"]},
    ]
    assert accounts.simplified(rules) == expected
    assert accounts.simplified(expected[::-1]) == expected


PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
WANTED = {"infra": {"everywhere": [PODS], "namespaces": {"shop": [PODS]}}}
LIVE = {"infra": {"everywhere": [], "namespaces": {"shop": [READ_SECRETS], "old": [PODS]}}}
SURPLUS = [
    {"api_version": f"{RBAC}/v1", "kind": "RoleBinding", "namespace": "old", "name": "argocd-gitops-infra"},
    {"api_version": f"{RBAC}/v1", "kind": "Role", "namespace": "old", "name": "argocd-gitops-infra"},
]


def test_an_account_keeps_its_rights_until_what_has_left_git_is_deleted():
    assert accounts.widened(WANTED, LIVE) == {
        "infra": {
            "everywhere": [PODS],
            "namespaces": {"old": [PODS], "shop": [PODS, READ_SECRETS | {"verbs": ["get", "list"]}]},
        }
    }
    assert accounts.widened(WANTED, {}) == accounts.widened(WANTED, WANTED) == WANTED
    assert accounts.widened({}, LIVE) == {}


def test_what_is_surplus_are_roles_of_namespaces_or_all_of_an_account():
    assert living.surplus(WANTED, LIVE, "argocd") == SURPLUS
    assert living.surplus(WANTED, WANTED, "argocd") == living.surplus({}, {}, "argocd") == []
    name = {"name": "argocd-gitops-infra"}
    gone = living.surplus({}, WANTED, "argocd")
    assert [(entry["kind"], entry.get("namespace"), entry["name"]) for entry in gone] == [
        ("RoleBinding", "shop", *name.values()),
        ("Role", "shop", *name.values()),
        ("ClusterRoleBinding", None, *name.values()),
        ("ClusterRole", None, *name.values()),
        ("ServiceAccount", "argocd", "gitops-infra"),
        ("RoleBinding", "argocd", "argocd-impersonation"),
        ("Role", "argocd", "argocd-impersonation"),
    ]


def test_the_rights_of_another_argo_cd_are_not_ours():
    def labelled(name: str, namespace: str = "") -> dict[str, Any]:
        metadata = {"name": name, "labels": {"monorepo.gitops/account": "infra"}}
        return {"metadata": metadata | ({"namespace": namespace} if namespace else {}), "rules": [PODS]}

    roles = [labelled("argocd-gitops-infra"), labelled("argocd-gitops-infra", "shop"), labelled("cd-gitops-infra")]
    assert living.living(roles, "argocd") == WANTED
    assert living.living([labelled("argocd-gitops-infra") | {"rules": None}], "argocd") == {
        "infra": {"everywhere": [], "namespaces": {}}
    }


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("wanted | monorepo.gitops.widened_rights({})", WANTED),
        ("wanted | monorepo.gitops.surplus_rights(live, 'argocd')", SURPLUS),
        (
            "{} | monorepo.gitops.impersonation_settings(true, true)",
            {"application.sync.impersonation.enabled": "true"},
        ),
        ("{'a': 'b'} | monorepo.gitops.impersonation_settings(false, false)", {"a": "b"}),
    ],
)
def test_a_playbook_finds_the_filters(expression, value):
    templar = Templar(loader=DataLoader(), variables={"wanted": WANTED, "live": LIVE})
    assert templar.template(trust_as_template(f"{{{{ {expression} }}}}")) == value


# --- what Argo CD gets -----------------------------------------------------------------------------------------------


def argocd(objects: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Return the switch, the rules of the controller, whom it may impersonate, and the accounts of the AppProjects."""
    found = {(entry["kind"], entry["metadata"]["name"]): entry for entry in objects}
    switch = found["ConfigMap", "argocd-cm"]["data"].get("application.sync.impersonation.enabled")
    allowed = found.get(("Role", "argocd-impersonation"), {}).get("rules")
    projects = [entry["spec"].get("destinationServiceAccounts") for entry in objects if entry["kind"] == "AppProject"]
    return switch, found["ClusterRole", "argocd-application-controller"]["rules"], allowed, projects


def test_with_the_options_argo_cd_reads_and_impersonates(rendered):
    objects = built(rendered, pinned(rendered))["argocd"]
    rule = {"apiGroups": [""], "resourceNames": ["gitops-infra", "gitops-services"], "resources": ["serviceaccounts"]}
    assert argocd(objects) == (
        "true",
        [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]},
        ],
        [rule | {"verbs": ["impersonate"]}],
        [None, PROJECT["service_accounts"]],
    )
    (binding,) = (entry for entry in objects if entry["kind"] == "RoleBinding" and "impersonation" in str(entry))
    assert [(entry["name"], entry["namespace"]) for entry in binding["subjects"]] == [
        ("argocd-application-controller", "argocd"),
        ("argocd-server", "argocd"),
    ]


def test_without_them_argo_cd_is_as_in_its_official_file(rendered):
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    assert argocd(built(rendered, PROD_RELAXED)["argocd"]) == (None, everything, None, [None])


# --- what stops a run ------------------------------------------------------------------------------------------------

NO_WRITER = (
    "argocd_controller_read_only is true, but without argocd_impersonation the controller itself writes what it "
    "deploys: set argocd_impersonation to true as well."
)


def test_a_controller_that_only_reads_needs_somebody_who_writes():
    with pytest.raises(AnsibleFilterError) as error:
        impersonation_settings({}, impersonation=False, read_only=True)
    assert str(error.value) == NO_WRITER
    variables = {"gitops_environment": "dev", "gitops_components": [], "argocd_controller_read_only": "yes"}
    with pytest.raises(AnsibleActionFail) as stopped:
        run_action("gitops_inputs", variables, components=[])
    assert str(stopped.value) == NO_WRITER


def application(called: str, project: str = "", **destination: str) -> dict[str, Any]:
    return {"metadata": {"name": called}, "spec": {"project": project, "destination": destination}}


ACCOUNT = {"server": "https://kubernetes.default.svc", "namespace": "shop-*", "defaultServiceAccount": "shop:deployer"}
PROJECTS = [
    {"metadata": {"name": "default"}},
    {"metadata": {"name": "shop"}, "spec": {"destinationServiceAccounts": [ACCOUNT]}},
]


def test_the_applications_of_others_need_an_account_for_their_destination():
    server = ACCOUNT["server"]
    applications = [
        application("of-default", server=server, namespace="shop-a"),
        application("of-shop", "shop", server=server, namespace="shop-a"),
        application("by-name", "shop", name="in-cluster", namespace="shop-b"),
        application("elsewhere", "shop", server=server, namespace="bank"),
        application("other-cluster", "shop", name="other", namespace="shop-a"),
        application("lost", "gone", server=server, namespace="shop-a"),
    ]
    assert living.without_account(applications, PROJECTS) == ["elsewhere", "lost", "of-default", "other-cluster"]
    assert living.refusal(["elsewhere"]) == (
        "argocd_impersonation applies to all of Argo CD, and Application elsewhere would fail at once, because no "
        "entry of destinationServiceAccounts in the AppProject is for the destination: add one. Or set "
        'application.sync.impersonation.enforced to "false" in argocd_cm, and Argo CD syncs them with its own rights, '
        "for which argocd_controller_read_only must be false."
    )


def test_our_appprojects_say_whether_there_are_accounts():
    ours = {"metadata": {"name": "infra"}, "spec": {"destinationServiceAccounts": [ACCOUNT]}}
    assert [living.are_used(found) for found in ([], PROJECTS, [ours])] == [False, False, True]
