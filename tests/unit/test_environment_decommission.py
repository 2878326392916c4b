# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment has in its cluster, and the order in which it is removed."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.deleting import held_by
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import removal_order as order
from ansible_collections.monorepo.gitops.plugins.modules import environment_decommission

from .running import run_module

ARGO = "/apis/argoproj.io/v1alpha1"
HERE = f"{ARGO}/namespaces/argocd"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COMPONENTS = [
    {"name": "cert-manager", "stage": 0},
    {"name": "gateway", "stage": 0},
    {"name": "minio", "stage": 1},
    {"name": "temporal", "stage": 2},
]


def named(name, namespace="", **more):
    metadata = {"name": name, "uid": f"uid-{name}"} | ({"namespace": namespace} if namespace else {})
    return {"metadata": metadata | more.pop("metadata", {})} | more


def application(name, environment="dev", crds=()):
    resources = [{"kind": "CustomResourceDefinition", "name": crd} for crd in crds]
    source = {"path": f"argocd/infra/{name}/envs/{environment}"}
    return named(name, "argocd", spec={"project": "infra", "source": source}, status={"resources": resources})


def applicationset(name, environment="dev"):
    directories = [{"path": f"argocd/{name}/*/envs/{environment}"}]
    return named(name, "argocd", spec={"generators": [{"git": {"repoURL": "file:///r", "directories": directories}}]})


def tracked(name, owner):
    tracking = f"{owner}:/Namespace:{name}/{name}"
    return named(name, metadata={"annotations": {"argocd.argoproj.io/tracking-id": tracking}})


PART = {"labels": {"app.kubernetes.io/part-of": "argocd"}}


def crd(name, group, **metadata):
    spec = {"group": group, "names": {"plural": name.partition(".")[0]}, "versions": [{"name": "v1", "served": True}]}
    return named(name, metadata=metadata, spec=spec)


KEPT = {
    "annotations": {"argocd.argoproj.io/sync-options": "ServerSideApply=true,Prune=false,Delete=false"},
    "managedFields": [{"manager": "argocd-controller"}],
}


class Cluster:
    """What a cluster has, by path. What is deleted is gone."""

    def __init__(self, **more):
        controller = named("argocd-application-controller", "argocd", spec={"template": {"spec": {}}})
        subject = {"subjects": [{"kind": "ServiceAccount", "namespace": "argocd"}], "roleRef": {"name": "argocd"}}
        self.lists = {
            f"{ARGO}/applications": [application("minio"), application("cert-manager", crds=["issuers.x.io"])],
            f"{HERE}/appprojects": [],
            "/api/v1/namespaces": [tracked("minio", "minio"), tracked("cert-manager", "cert-manager"), named("argocd")],
            "/api/v1/persistentvolumeclaims": [named("data", "minio"), named("other", "shop")],
            "/apis/apps/v1/statefulsets": [controller],
            "/apis/apps/v1/deployments": [],
            f"{RBAC}/clusterrolebindings": [named("argocd", metadata=PART, **subject)],
            f"{RBAC}/clusterroles": [named("argocd", metadata=PART), named("admin")],
            CRDS: [crd("issuers.x.io", "x.io"), crd("applications.argoproj.io", "argoproj.io", **PART)],
        } | more
        self.objects = {
            f"{HERE}/applicationsets/infra": applicationset("infra"),
            "/api/v1/namespaces/argocd/configmaps/monorepo-gitops": named(
                "monorepo-gitops", "argocd", kind="ConfigMap", apiVersion="v1", data={"argocdManaged": "true"}
            ),
        }
        for path, items in self.lists.items():
            for item in items:
                namespace, plural = item["metadata"].get("namespace"), path.rpartition("/")[2]
                base = path.removesuffix(plural).removesuffix("/namespaces/argocd/")
                scope = f"{base.rstrip('/')}/namespaces/{namespace}" if namespace else base.rstrip("/")
                self.objects[f"{scope}/{plural}/{item['metadata']['name']}"] = item
        self.objects["/api/v1/namespaces/argocd"] |= {"apiVersion": "v1", "kind": "Namespace"}

    def __call__(self, method, address):
        path = address.partition("?")[0]
        if method == "DELETE":
            return (200, {}) if self.objects.pop(path, None) else (404, {})
        if method == "PATCH":
            return 200, {}
        if path in self.lists:
            return 200, {"items": self.lists[path]}
        if path in KINDS:
            return 200, {"resources": KINDS[path]}
        return (200, self.objects[path]) if path in self.objects else (404, {})


def kinds(namespaced, **plurals):
    return [{"kind": kind, "name": plural, "namespaced": namespaced} for kind, plural in plurals.items()]


KINDS = {
    "/api/v1": kinds(False, Namespace="namespaces") + kinds(True, ConfigMap="configmaps"),
    ARGO: kinds(True, Application="applications", ApplicationSet="applicationsets", AppProject="appprojects"),
    RBAC: kinds(False, ClusterRole="clusterroles", ClusterRoleBinding="clusterrolebindings"),
    CRDS.rpartition("/")[0]: kinds(False, CustomResourceDefinition="customresourcedefinitions"),
}


def decommission(server, check=False, **arguments):
    given = {"environment": "dev", "components": COMPONENTS} | arguments
    return run_module(environment_decommission, check, kubeconfig=server.kubeconfig, **given)


def test_applications_go_against_the_order_of_dependencies_and_argocd_last(api_server):
    server = api_server(Cluster())
    result = decommission(server)
    assert [request for request in server.asked() if not request.startswith(("GET", "PATCH"))] == [
        f"DELETE {HERE}/applicationsets/infra",
        f"DELETE {HERE}/applications/minio",
        f"DELETE {HERE}/applications/cert-manager",
        "DELETE /api/v1/namespaces/argocd",
        f"DELETE {RBAC}/clusterrolebindings/argocd",
        f"DELETE {RBAC}/clusterroles/argocd",
    ]
    assert [(entry["step"], entry["kind"], entry["name"]) for entry in result["removed"]][:3] == [
        (1, "ApplicationSet", "infra"),
        (2, "Application", "minio"),
        (3, "Application", "cert-manager"),
    ]
    assert result["kept"] == [
        "Namespaces cert-manager, minio stay with 1 volumes and the generated passwords.",
        "2 CustomResourceDefinitions stay.",
        "Git keeps the folders envs/dev.",
    ]


def test_check_mode_deletes_nothing(api_server):
    server = api_server(Cluster())
    assert decommission(server, check=True)["changed"] is True
    assert server.writes() == []


def test_volumes_go_with_the_namespaces_after_the_applications_and_before_their_operators(api_server):
    server = api_server(Cluster())
    result = decommission(server, volumes=True)
    found = [(entry["kind"], entry["name"]) for entry in result["removed"][1:5]]
    assert found == [
        ("Application", "minio"),
        ("Namespace", "minio"),
        ("Application", "cert-manager"),
        ("Namespace", "cert-manager"),
    ]
    assert "DELETE /api/v1/namespaces/minio" in server.asked()


def test_what_an_interrupted_run_has_left_is_found_by_the_annotations(api_server):
    server = api_server(Cluster(**{f"{ARGO}/applications": [], CRDS: [crd("issuers.x.io", "x.io", **KEPT)]}))
    result = decommission(server, volumes=True, crds=True)
    found = [(entry["kind"], entry["name"]) for entry in result["removed"]]
    assert ("Namespace", "minio") in found
    assert ("CustomResourceDefinition", "issuers.x.io") in found


def test_applications_of_somebody_else_stay_and_so_do_argocd_and_what_it_needs(api_server):
    more = [application("minio"), application("shop", "prod"), named("own", "team", spec={"project": "default"})]
    server = api_server(Cluster(**{f"{ARGO}/applications": more}))
    result = decommission(server, volumes=True, crds=True)
    assert result["kept"][0] == "Argo CD stays, because it also has argocd/shop, team/own."
    kinds_of = {(entry["kind"], entry["name"]) for entry in result["removed"]}
    assert ("ConfigMap", "monorepo-gitops") in kinds_of
    assert not {kind for kind, _name in kinds_of} & {"ClusterRole", "CustomResourceDefinition", "AppProject"}
    assert "DELETE /api/v1/namespaces/argocd" not in server.asked()


def test_a_namespace_into_which_somebody_else_deploys_stays_with_its_volumes(api_server):
    spec = {"destination": {"name": "in-cluster", "namespace": "minio"}}
    own = {"resources": [{"kind": "ConfigMap", "namespace": "cert-manager", "name": "own"}]}
    elsewhere = {"destination": {"server": "https://other.example", "namespace": "gateway"}}
    others = [named("own", "team", spec=spec, status=own), named("far", "team", spec=elsewhere)]
    found = [tracked(name, name) for name in ("minio", "cert-manager", "gateway")] + [named("argocd")]
    lists = {f"{ARGO}/applications": [application("minio"), *others], "/api/v1/namespaces": found}
    server = api_server(Cluster(**lists))
    result = decommission(server, volumes=True)
    assert [entry["name"] for entry in result["removed"] if entry["kind"] == "Namespace"] == ["gateway"]
    assert [text for text in result["kept"] if text.startswith("Namespace")] == [
        "Namespace cert-manager stays, because it also has objects of team/own.",
        "Namespace minio stays, because it also has objects of team/own.",
    ]
    assert "DELETE /api/v1/namespaces/minio" not in server.asked()


def test_what_another_argocd_needs_stays(api_server):
    other = named("argocd-application-controller", "second", spec={"template": {"spec": {}}})
    empty = {f"{ARGO}/applications": [], "/apis/apps/v1/statefulsets": [other]}
    cluster = Cluster(**empty)
    del cluster.objects["/api/v1/namespaces/argocd/configmaps/monorepo-gitops"]
    server = api_server(cluster)
    result = decommission(server, crds=True)
    assert not {entry["kind"] for entry in result["removed"]} & {"Namespace", "CustomResourceDefinition"}
    assert "CustomResourceDefinitions of Argo CD stay, because namespace second has another one." in result["kept"]
    assert "DELETE /api/v1/namespaces/argocd" not in server.asked()


def test_the_applicationset_of_another_environment_stays(api_server):
    cluster = Cluster()
    cluster.objects[f"{HERE}/applicationsets/infra"] = applicationset("infra", "prod")
    server = api_server(cluster)
    assert "ApplicationSet" not in {entry["kind"] for entry in decommission(server)["removed"]}


def test_a_custom_resource_definition_that_is_still_used_stays(api_server):
    used = {"/apis/x.io/v1/issuers": [named("team-issuer", "team")]}
    server = api_server(Cluster(**used))
    assert decommission(server, crds=True)["msg"] == (
        "Not everything was removed. These CustomResourceDefinitions still have objects, which would be deleted with "
        "them: issuers.x.io (1). Delete the objects and run again, or leave the CustomResourceDefinitions."
    )
    assert f"DELETE {CRDS}/issuers.x.io" not in server.asked()
    assert f"DELETE {CRDS}/applications.argoproj.io" in server.asked()


def test_a_custom_resource_definition_that_serves_no_version_stays(api_server):
    unserved = crd("issuers.x.io", "x.io")
    unserved["spec"]["versions"][0]["served"] = False
    server = api_server(Cluster(**{CRDS: [unserved]}))
    assert decommission(server, crds=True)["msg"] == (
        "Not everything was removed. These CustomResourceDefinitions still have objects, which would be deleted with "
        "them: issuers.x.io (serves no version, so nobody can see its objects). Delete the objects and run again, or "
        "leave the CustomResourceDefinitions."
    )
    assert f"DELETE {CRDS}/issuers.x.io" not in server.asked()


def test_each_custom_resource_definition_is_looked_at_just_before_its_own_deletion(api_server):
    crds = [crd(f"{name}.x.io", "x.io", **KEPT) for name in ("a", "b")]
    server = api_server(Cluster(**{f"{ARGO}/applications": [], CRDS: crds}))
    decommission(server, crds=True)
    found = [entry for entry in server.asked() if "x.io" in entry and "customresourcedefinitions/" not in entry]
    order_of = [entry for entry in server.asked() if entry in found or entry.startswith(f"DELETE {CRDS}")]
    assert order_of == [
        "GET /apis/x.io/v1/a",
        f"DELETE {CRDS}/a.x.io",
        "GET /apis/x.io/v1/b",
        f"DELETE {CRDS}/b.x.io",
    ]


class Changing(Cluster):
    """A cluster in which something appears when a path is deleted."""

    def __init__(self, after, appears, **more):
        super().__init__(**more)
        self.after, self.appears = after, appears

    def __call__(self, method, address):
        if method == "DELETE" and address.partition("?")[0] == self.after:
            self.lists |= {path: [*self.lists[path], *items] for path, items in self.appears.items()}
        return super().__call__(method, address)


def test_only_what_was_shown_is_deleted(api_server):
    cluster = Cluster()
    server = api_server(cluster)
    shown = decommission(server, check=True, volumes=True, crds=True)["removed"]
    assert decommission(server, check=True, volumes=True, crds=True, shown=shown)["removed"] == shown
    cluster.lists["/api/v1/namespaces"].append(tracked("late", "cert-manager"))
    cluster.lists[CRDS].append(crd("late.x.io", "x.io", **KEPT))
    result = decommission(server, volumes=True, crds=True, shown=shown)
    assert result["argocd_removed"] is True
    assert result["msg"] == (
        "Not everything was removed. This appeared after the removal was shown, and stays: Namespace late, "
        "CustomResourceDefinition late.x.io."
    )
    assert "DELETE /api/v1/namespaces/argocd" in server.asked()
    assert not [entry for entry in server.asked() if entry.startswith("DELETE") and "late" in entry]


def test_an_application_that_appeared_after_that_stays_with_argocd(api_server):
    cluster = Cluster()
    server = api_server(cluster)
    shown = decommission(server, check=True, crds=True)["removed"]
    late = application("late")
    cluster.lists[f"{ARGO}/applications"].append(late)
    assert decommission(server, crds=True, shown=shown)["msg"] == (
        "Not everything was removed. This appeared after the removal was shown, and stays: Application "
        "argocd/late, ConfigMap argocd/monorepo-gitops. This was shown and stays, because something else needs it now: "
        "Namespace argocd, ClusterRoleBinding argocd, ClusterRole argocd, CustomResourceDefinition "
        "applications.argoproj.io."
    )
    assert f"DELETE {HERE}/applications/minio" in server.asked()
    assert not [entry for entry in server.asked() if entry.startswith("DELETE /api/v1/namespaces/argocd")]


def test_one_with_the_name_of_what_was_shown_is_another_one(api_server):
    cluster = Cluster()
    server = api_server(cluster)
    shown = decommission(server, check=True)["removed"]
    cluster.lists[f"{ARGO}/applications"][0]["metadata"]["uid"] = "anew"
    result = decommission(server, shown=shown)
    assert result["msg"].startswith(
        "Not everything was removed. This appeared after the removal was shown, and stays: Application argocd/minio"
    )
    assert f"DELETE {HERE}/applications/minio" not in server.asked()


def test_an_applicationset_of_somebody_else_keeps_argocd(api_server):
    other = named("teams", "argocd", spec={})
    server = api_server(Cluster(**{f"{ARGO}/applicationsets": [applicationset("infra"), other]}))
    result = decommission(server, crds=True)
    assert result["kept"][0] == "Argo CD stays, because it also has ApplicationSet argocd/teams."
    assert "DELETE /api/v1/namespaces/argocd" not in server.asked()
    assert f"DELETE {HERE}/applicationsets/infra" in server.asked()


@pytest.mark.parametrize("late", [named("services", "argocd", spec={}), named("teams", "argocd", spec={})])
def test_an_applicationset_that_appears_keeps_argocd(api_server, late):
    sets = f"{ARGO}/applicationsets"
    cluster = Changing(f"{HERE}/applications/minio", {sets: [late]}, **{sets: [applicationset("infra")]})
    server = api_server(cluster)
    assert decommission(server)["msg"] == (
        f"Not everything was removed. ApplicationSet argocd/{late['metadata']['name']} appeared during the removal, so "
        "this stays: Namespace argocd, ClusterRoleBinding argocd, ClusterRole argocd."
    )
    assert "DELETE /api/v1/namespaces/argocd" not in server.asked()


def test_an_application_that_appears_during_the_removal_keeps_what_it_needs(api_server):
    spec = {"destination": {"name": "in-cluster", "namespace": "cert-manager"}}
    appears = {f"{ARGO}/applications": [named("late", "team", spec=spec)]}
    server = api_server(Changing(f"{HERE}/applications/minio", appears))
    result = decommission(server, volumes=True, crds=True)
    assert result["msg"] == (
        "Not everything was removed. Application team/late appeared during the removal, so this stays: Namespace "
        "cert-manager, Namespace argocd, ClusterRoleBinding argocd, ClusterRole argocd, CustomResourceDefinition "
        "applications.argoproj.io."
    )
    deleted = [entry for entry in server.asked() if entry.startswith("DELETE /api/v1/namespaces")]
    assert deleted == ["DELETE /api/v1/namespaces/minio"]
    assert result["argocd_removed"] is False


def test_an_environment_that_is_gone_is_no_change(api_server):
    cluster = Cluster(**{path: [] for path in Cluster().lists if path != "/api/v1/namespaces"})
    cluster.objects = {}
    result = decommission(api_server(cluster))
    assert (result["changed"], result["removed"]) == (False, [])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"temporal", "minio", "gateway", "cert-manager"}, [["temporal"], ["minio"], ["cert-manager", "gateway"]]),
        ({"gateway", "handwritten"}, [["handwritten"], ["gateway"]]),
        (set(), []),
    ],
)
def test_the_order_of_removal(names, expected):
    assert order.batches(names, COMPONENTS) == expected


@pytest.mark.parametrize(
    ("manager", "managed", "expected"),
    [
        ("us", True, ""),
        ("", True, ""),
        ("Helm", True, "it was installed by Helm"),
        ("us", False, "argocd_managed is false"),
    ],
)
def test_why_argocd_stays(manager, managed, expected):
    assert order.staying([], [], manager, managed) == expected


def test_a_cluster_role_that_another_argocd_uses_stays():
    binding = {"metadata": PART | {"name": "own"}, "roleRef": {"name": "argocd"}, "subjects": [{"namespace": "argocd"}]}
    other = binding | {"metadata": PART | {"name": "other"}, "subjects": [{"namespace": "second"}]}
    role = {"metadata": PART | {"name": "argocd"}}
    assert order.rights_of([binding], [role], "argocd") == [binding, role]
    assert order.rights_of([binding, other], [role], "argocd") == [binding]


def test_a_namespace_says_only_what_is_left_in_it():
    done = {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content was deleted"}
    left = {"type": "NamespaceContentRemaining", "status": "True", "message": "1 x.io has resource instances"}
    item = {"metadata": {"finalizers": []}, "status": {"conditions": [done, left]}}
    assert held_by(item) == "its finalizers are none; 1 x.io has resource instances"
