# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every namespace has the level that its pods keep to, and pods have no more than they need."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pod_standards
import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.pod_security import LEVELS, level_of, namespace_labels

from .environments import DEV, PROD, PROD_RELAXED, built

PREFIX = "pod-security.kubernetes.io/"
ENFORCED = ("enforce", "warn", "audit")
ENFORCING = {"dev": DEV, "prod": PROD}


@pytest.fixture(params=ENFORCING)
def enforced(rendered, request):
    """Return the objects of an environment with the labels that refuse pods."""
    return built(rendered, ENFORCING[request.param])


def levels(objects: dict[str, list[dict[str, Any]]], mode: str = "enforce") -> dict[str, str]:
    """Return the level of each Namespace that is rendered."""
    found = [item["metadata"] for items in objects.values() for item in items if item["kind"] == "Namespace"]
    return {entry["name"]: entry.get("labels", {}).get(f"{PREFIX}{mode}", "") for entry in found}


def pods(objects: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield component and workload, namespace, and the specification of its pods."""
    for component, items in objects.items():
        for item in items:
            spec, name = item.get("spec") or {}, f"{component}/{item['metadata']['name']}"
            template = (spec.get("jobTemplate") or {}).get("spec", spec).get("template")
            if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
                yield name, item["metadata"]["namespace"], template["spec"]


# --- what is rendered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [DEV, PROD, PROD_RELAXED], ids=["dev", "prod", "relaxed"])
def test_the_pods_of_every_namespace_keep_to_its_level(rendered, environment):
    objects = built(rendered, environment)
    allowed, found = levels(objects, "warn"), list(pods(objects))
    assert len(found) > 20
    beyond = [
        (name, namespace, pod_standards.level(pod))
        for name, namespace, pod in found
        if LEVELS.index(pod_standards.level(pod)) > LEVELS.index(allowed[namespace])
    ]
    assert beyond == []


def test_every_namespace_is_restricted(enforced):
    found = levels(enforced)
    assert set(found.values()) == {"restricted"}, found
    assert found.keys() >= {"argocd", "cert-manager", "cnpg-system", "kafka", "services"}


def test_what_needs_more_has_another_level_and_no_other_namespace(rendered):
    objects = built(rendered, PROD_RELAXED)
    found = levels(objects, "warn")
    other = {name: level for name, level in found.items() if level != "restricted"}
    assert other == {"argocd": "privileged", "gateway": "baseline", "kafka": "baseline"}
    # It is the mount that needs it, and nothing else of Argo CD.
    needed = {name: pod_standards.level(pod) for name, namespace, pod in pods(objects) if namespace == "argocd"}
    assert {name for name, level in needed.items() if level != "restricted"} == {"argocd/argocd-repo-server"}
    assert needed["argocd/argocd-repo-server"] == "privileged"


def test_with_warn_nothing_is_enforced(rendered):
    objects = built(rendered, PROD_RELAXED)
    assert set(levels(objects).values()) == {""}
    assert levels(objects, "warn") == levels(objects, "audit")


def test_a_removal_takes_no_namespace_along(enforced):
    found = {
        item["metadata"]["name"]: item["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options")
        for name, items in enforced.items()
        for item in items
        if item["kind"] == "Namespace" and name != "argocd"
    }
    assert set(found.values()) == {"Prune=false,Delete=false"}


def test_the_root_file_system_is_read_only_where_that_is_known_to_work(enforced):
    writable = {
        container["name"]
        for _name, _namespace, pod in pods(enforced)
        for container in pod_standards.containers(pod)
        if not container["securityContext"].get("readOnlyRootFilesystem") and "stand-in" not in container["image"]
    }
    assert writable == pod_standards.WRITABLE_ROOT - {"strimzi-cluster-operator"}  # it is a stand-in here


def test_a_pod_without_rights_has_no_token(enforced):
    found = list(pods(enforced))
    own = {name for name, _namespace, pod in found if "serviceAccountName" not in pod}
    tokens = {name for name, _namespace, pod in found if pod.get("automountServiceAccountToken") is not False}
    stand_ins = {name for name, _namespace, pod in found if "stand-in" in pod["containers"][0]["image"]}
    assert own & tokens - stand_ins == set()
    assert own >= {"auth/socat-auth", "minio/minio", "minio/minio-buckets", "temporal/temporal"}


def test_every_container_of_ours_asks_for_what_it_needs_and_has_a_limit(enforced):
    for name, _namespace, pod in pods(enforced):
        for container in pod_standards.containers(pod) if not name.startswith("argocd/") else []:
            resources = container["resources"]
            assert resources["requests"].keys() >= {"cpu", "memory"}, name
            assert "memory" in resources["limits"], name


# --- levels ----------------------------------------------------------------------------------------------------------


def component(name: str, namespace: str, *needed: dict[str, Any], more: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "more_namespaces": [*more], "pod_security": [*needed]}


BASELINE = {"level": "baseline", "why": "it binds a port of the node"}
PRIVILEGED = {"level": "privileged", "why": "it mounts a folder of the node"}


def test_a_shared_namespace_has_the_strictest_level_that_all_allow():
    plain, some, much = component("a", "x"), component("b", "x", BASELINE), component("c", "x", PRIVILEGED)
    assert [level_of("x", entries) for entries in ([plain], [plain, some], [some, much, plain], [])] == [
        "restricted",
        "baseline",
        "privileged",
        "restricted",
    ]
    assert level_of("y", [plain, some, much]) == "restricted"


def test_a_component_may_need_more_in_another_of_its_namespaces():
    operator = component("operator", "x", BASELINE | {"namespace": "y"}, more=("y",))
    assert (level_of("x", [operator]), level_of("y", [operator])) == ("restricted", "baseline")


@pytest.mark.parametrize(("mode", "keys"), [("enforce", ENFORCED), ("warn", ENFORCED[1:]), ("none", ())])
def test_the_labels_say_what_happens(mode, keys):
    found = namespace_labels(["x", "y"], [component("a", "x", BASELINE)], mode)
    assert found == {
        "x": {f"{PREFIX}{key}": "baseline" for key in keys},
        "y": {f"{PREFIX}{key}": "restricted" for key in keys},
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"level": "baseline"}, " needs `level` and `why`, and may have `namespace`."),
        (
            BASELINE | {"level": "restricted"},
            ": `level` must be baseline or privileged; without an entry it is restricted.",
        ),
        (BASELINE | {"namespace": "z"}, ": `namespace` must be one of the component's: x, y."),
    ],
)
def test_what_a_component_needs_wrongly_is_refused(entry, message):
    text = f"pod_security of component 'a': {entry!r}{message}"
    with pytest.raises(GitopsError, match=f"^{re.escape(text)}$"):
        level_of("x", [component("a", "x", entry, more=("y",))])


# --- the judge of these tests ----------------------------------------------------------------------------------------

POD: dict[str, Any] = {
    "securityContext": pod_standards.POD_CONTEXT,
    "containers": [{"name": "main", "securityContext": pod_standards.CONTAINER_CONTEXT}],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}


@pytest.mark.parametrize(
    ("place", "value", "level"),
    [
        ("", None, "restricted"),
        ("containers.0.securityContext.allowPrivilegeEscalation", None, "baseline"),
        ("containers.0.securityContext.capabilities", {}, "baseline"),
        ("containers.0.securityContext.capabilities.add", ["CHOWN"], "baseline"),
        ("containers.0.securityContext.capabilities.add", ["NET_BIND_SERVICE"], "restricted"),
        ("containers.0.securityContext.capabilities.add", ["NET_ADMIN"], "privileged"),
        ("containers.0.securityContext.privileged", True, "privileged"),
        ("containers.0.securityContext.procMount", "Unmasked", "privileged"),
        ("containers.0.securityContext.runAsUser", 0, "baseline"),
        ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}], "privileged"),
        ("initContainers", [{"name": "first"}], "baseline"),
        ("securityContext.runAsNonRoot", False, "baseline"),
        ("securityContext.runAsUser", 0, "baseline"),
        ("securityContext.seccompProfile", None, "baseline"),
        ("securityContext.seccompProfile.type", "Unconfined", "privileged"),
        ("hostNetwork", True, "privileged"),
        ("volumes", [{"name": "old", "nfs": {}}], "baseline"),
        ("volumes", [{"name": "node", "hostPath": {"path": "/"}}], "privileged"),
    ],
)
def test_the_level_of_a_pod(place, value, level):
    pod = copy.deepcopy(POD)
    *path, key = place.split(".")
    target: Any = pod
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target |= {key: value} if key else {}
    assert pod_standards.level(pod) == level
