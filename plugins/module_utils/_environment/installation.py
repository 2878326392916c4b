# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who installed an Argo CD, and with which policy its controller runs. Pure functions over plain objects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import FIELD_MANAGER, NAMED, Object
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of

PREFIX = "ARGOCD_APPLICATIONSET_CONTROLLER"
TRUE = ("1", "t", "T", "TRUE", "true", "True")
# Values of applicationsetcontroller.policy with which the controller deletes no Application.
KEEPING = ("create-only", "create-update")


def applied_by_us(item: Object) -> bool:
    """Return whether our field manager has applied an object."""
    return any(
        entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        for entry in item["metadata"].get("managedFields") or []
    )


def manager_of(controller: Object, applications: Collection[str], recorded: Object | None) -> str:
    """Return who installed an Argo CD, from its application controller: us, a program, or somebody by hand.

    An object that was restored from a backup has lost its field managers; then our ConfigMap decides.
    """
    metadata = controller["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if annotations.get("meta.helm.sh/release-name") or labels.get("app.kubernetes.io/managed-by") == "Helm":
        return "Helm"
    if owners := metadata.get("ownerReferences"):
        return f"{owners[0].get('kind')} {owners[0].get('name')}"
    if application := application_of(controller):
        return f"Application {application}"
    if labels.get("app.kubernetes.io/instance") in applications:  # tracking by label
        return f"Application {labels['app.kubernetes.io/instance']}"
    ours = ((recorded or {}).get("data") or {}).get("argocdManaged") == "true"
    return "us" if ours or applied_by_us(controller) else "hand"


def describe_argocd(
    controller: Object, applications: Collection[str] = (), recorded: Object | None = None
) -> dict[str, str]:
    """Return a description of an Argo CD."""
    metadata = controller["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    containers = ((controller.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or [{}]
    release = annotations.get("meta.helm.sh/release-name") or labels.get("app.kubernetes.io/instance", "")
    manager = manager_of(controller, applications, recorded)
    return {
        "namespace": metadata["namespace"],
        "version": str(containers[0].get("image", "")).partition("@")[0].rpartition(":")[2],
        "manager": manager,
        "release": release if manager == "Helm" else "",
    }


def foreign_argocd(found: dict[str, str], applications: list[str], namespace: str, managed: bool, adopted: bool) -> str:
    """Return why an Argo CD that is not ours stops the run, or nothing."""
    here = found["namespace"] == namespace
    if found["manager"] == "us" and here:
        return ""
    by = (
        "by this collection"
        if found["manager"] == "us"
        else "by hand"
        if found["manager"] == "hand"
        else f"by {found['manager']}"
    )
    release = f", release {found['release']}" if found["release"] else ""
    text = f"Argo CD {found['version']} in namespace {found['namespace']} was installed {by}{release}"
    if applications:
        plural = "s" if len(applications) > 1 else ""
        text += f", and has {len(applications)} other Application{plural} ({listed(applications, NAMED)})"
    if not here:
        return f"{text}. This inventory would install another one: set argocd_namespace to {found['namespace']}."
    if not managed:
        return ""
    if found["manager"] != "hand":
        return (
            f"{text}. It cannot be taken over: set argocd_managed to false, and the run leaves it as it is and "
            "only writes projects, repositories and ApplicationSets."
        )
    if adopted:
        return ""
    return (
        f"{text}. The difference to what this inventory would install is shown above: take it over with "
        "gitops_adopt: [argocd], or set argocd_managed to false to leave it as it is."
    )


def overriding_policy(settings: dict[str, str], containers: list[Object]) -> str:
    """Return the policy with which the controller would ignore applicationsSync and delete Applications, or nothing.

    Evaluated as the controller does (cmd/argocd-applicationset-controller/commands at v3.6.1): a flag wins over the
    environment, which has the ConfigMap's keys; an override is allowed by default where the environment has no policy.
    """
    environment = _literals(containers)
    policy = environment.get(f"{PREFIX}_POLICY", settings.get("applicationsetcontroller.policy", ""))
    override = environment.get(
        f"{PREFIX}_ENABLE_POLICY_OVERRIDE", settings.get("applicationsetcontroller.enable.policy.override", "")
    )
    allowed = override in TRUE if override else not policy
    words = [str(part) for entry in containers for part in (entry.get("command") or []) + (entry.get("args") or [])]
    flags = " ".join(words)
    if given := re.search(r"--policy[= ](\S+)", flags):
        policy = given[1]
    if given := re.search(r"--enable-policy-override(?:=(\S+))?", flags):
        allowed = given[1] is None or given[1] in TRUE
    policy = policy or "sync"
    return "" if policy in KEEPING or allowed else policy


def _literals(containers: list[Object]) -> dict[str, str]:
    """Return the variables that containers set themselves and do not take from the ConfigMap."""
    return {
        entry["name"]: str(entry["value"])
        for container in containers
        for entry in container.get("env") or []
        if entry.get("value") is not None
    }
