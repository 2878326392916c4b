# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an object is not ready, by its status: the rules of each kind.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Manifest = dict[str, Any]
# Why a namespace is still there, in the words of its controller.
REMAINING = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def not_ready(item: Manifest) -> str:
    """Return why an object is not ready, or nothing. An object whose kind has no status is ready."""
    if is_leaving(item):
        return leaving(item)
    group = item["apiVersion"].rpartition("/")[0]
    rule = RULES.get((group, item["kind"]))
    return rule(item) if rule else not_reconciled(item) or untrue(item, "Ready", may_lack=True)


def is_leaving(item: Manifest) -> bool:
    """Return whether an object is being deleted: what is written to it goes with it."""
    return bool((item.get("metadata") or {}).get("deletionTimestamp"))


def leaving(item: Manifest) -> str:
    """Return since when an object is being deleted, and what holds it."""
    return f"it is being deleted (since {item['metadata']['deletionTimestamp']}; {held_by(item)})"


def held_by(item: Manifest) -> str:
    """Return what holds an object that is being deleted."""
    finalizers = ", ".join(item["metadata"].get("finalizers") or []) or "none"
    return "; ".join([f"its finalizers are {finalizers}", *remaining(item)])


def untrue(item: Manifest, name: str, may_lack: bool = False) -> str:
    """Return why a condition is not True, in the words of its controller, or nothing."""
    return untrue_of(conditions_of(item), name, may_lack)


def untrue_of(conditions: list[Manifest], name: str, may_lack: bool = False) -> str:
    """Return why one of these conditions is not True, or nothing."""
    found = [entry for entry in conditions if entry.get("type") == name]
    if not found:
        return "" if may_lack else f"condition {name} is missing: no controller has reported it"
    if found[0].get("status") == "True":
        return ""
    why = found[0].get("message") or found[0].get("reason") or ""
    return f"{name} is {found[0].get('status')}" + (f": {why}" if why else "")


def not_reconciled(item: Manifest) -> str:
    """Return whether the controller has not seen the newest generation yet; some controllers do not say it."""
    observed = (item.get("status") or {}).get("observedGeneration")
    newest = item["metadata"].get("generation", 0)
    return "its controller has not seen the newest generation" if observed is not None and observed < newest else ""


def established(crd: Manifest) -> str:
    """Return why a CRD does not serve its kind yet, or nothing."""
    if is_leaving(crd):
        return leaving(crd)
    conditions = {entry["type"]: entry for entry in conditions_of(crd)}
    if conditions.get("Established", {}).get("status") == "True":
        return ""
    rejected = conditions.get("NamesAccepted", {})
    return rejected.get("message", "") if rejected.get("status") == "False" else "not Established"


def pending_rollout(workload: Manifest) -> str:
    """Return why a Deployment, StatefulSet or DaemonSet is not rolled out, or nothing."""
    if is_leaving(workload):
        return leaving(workload)
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    if status.get("observedGeneration", 0) < workload.get("metadata", {}).get("generation", 1):
        return "its controller has not seen the newest revision"
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted = spec.get("replicas", 1)
        updated, ready = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    # Do not wait for pods that are replaced by hand, or that stay on the old revision on purpose.
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    newest = 0 if strategy.get("type") == "OnDelete" else max(wanted - partition, 0)
    surplus = status.get("replicas", wanted) - wanted
    if updated < newest or ready < wanted or surplus > 0:
        text = f"{ready} of {wanted} pods are available, {updated} of the newest revision"
        return (f"{text}, {surplus} more than wanted" if surplus > 0 else text) + refused_pods(workload)
    return ""


def refused_pods(workload: Manifest) -> str:
    """Return why the API server refuses the pods of a workload, or nothing."""
    failure = true_condition(workload, "ReplicaFailure")
    return f": {failure.get('message', '')}" if failure else ""


def unfinished_job(job: Manifest) -> str:
    """Return why a Job has not succeeded, or nothing."""
    if failed := true_condition(job, "Failed"):
        return f"it failed: {failed.get('message') or failed.get('reason') or 'no reason given'}"
    wanted = (job.get("spec") or {}).get("completions", 1)
    done = (job.get("status") or {}).get("succeeded", 0)
    return "" if done >= wanted else f"{done} of {wanted} pods have succeeded"


def conditions_of(item: Manifest) -> list[Manifest]:
    """Return the conditions of an object."""
    return (item.get("status") or {}).get("conditions") or []


def true_condition(item: Manifest, kind: str) -> dict[str, Any]:
    """Return a condition of an object that is true, or nothing."""
    found = (entry for entry in conditions_of(item) if (entry["type"], entry["status"]) == (kind, "True"))
    return next(found, {})


def in_phase(phase: str) -> Callable[[Manifest], str]:
    """Return a rule for a kind that says its state in one word."""

    def rule(item: Manifest) -> str:
        found = (item.get("status") or {}).get("phase") or "not known"
        return "" if found == phase else f"its phase is {found}, not {phase}"

    return rule


def unattached(route: Manifest) -> str:
    """Return why a route is not served by all of its parents, or nothing."""
    parents = (route.get("status") or {}).get("parents") or []
    if not parents:
        return "no Gateway has accepted it"
    for parent in parents:
        for name in ("Accepted", "ResolvedRefs"):
            if why := untrue_of(parent.get("conditions") or [], name):
                return f"{why} (parent {(parent.get('parentRef') or {}).get('name')})"
    return ""


def untrusted(configuration: Manifest) -> str:
    """Return which webhooks the API server cannot call, because nobody has written their CA certificate yet."""
    lacking = [
        entry["name"]
        for entry in configuration.get("webhooks") or []
        if entry["clientConfig"].get("service") and not entry["clientConfig"].get("caBundle")
    ]
    if not lacking:
        return ""
    return f"no CA certificate in {', '.join(lacking)}, so the API server rejects the requests that they check"


def unhealthy_database(cluster: Manifest) -> str:
    """Return why a cluster of CloudNativePG is not healthy, or nothing."""
    status, wanted = cluster.get("status") or {}, (cluster.get("spec") or {}).get("instances", 1)
    phase, ready = status.get("phase") or "not known", status.get("readyInstances", 0)
    if phase != "Cluster in healthy state" or ready < wanted:
        reason = status.get("phaseReason") or ""
        return f"{ready} of {wanted} instances are ready, its phase is {phase}" + (f" ({reason})" if reason else "")
    return untrue(cluster, "ContinuousArchiving", may_lack=True)


def unapplied(item: Manifest) -> str:
    """Return why CloudNativePG has not applied a Database, or nothing."""
    status = item.get("status") or {}
    return "" if status.get("applied") else f"it is not applied: {status.get('message') or 'no reason given'}"


def lacks_nodes(pool: Manifest) -> str:
    """Return how many nodes of a pool of Strimzi are missing, or nothing."""
    wanted, found = (pool.get("spec") or {}).get("replicas", 0), (pool.get("status") or {}).get("nodeIds") or []
    return "" if len(found) == wanted else f"it has {len(found)} of {wanted} nodes"


def remaining(namespace: Manifest) -> list[str]:
    """Return what a namespace that is being deleted still has, in the words of its controller."""
    conditions = (namespace.get("status") or {}).get("conditions") or []
    found = [entry for entry in conditions if entry.get("type") in REMAINING and entry.get("status") == "True"]
    return [entry["message"] for entry in found if entry.get("message")]


RULES: dict[tuple[str, str], Callable[[Manifest], str]] = {
    **{("apps", kind): pending_rollout for kind in WORKLOADS},
    **{("gateway.networking.k8s.io", kind): unattached for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")},
    **{
        ("admissionregistration.k8s.io", f"{kind}WebhookConfiguration"): untrusted
        for kind in ("Mutating", "Validating")
    },
    ("", "Namespace"): in_phase("Active"),
    ("", "PersistentVolumeClaim"): in_phase("Bound"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): established,
    ("batch", "Job"): unfinished_job,
    ("gateway.networking.k8s.io", "Gateway"): lambda item: untrue(item, "Programmed"),
    ("kafka.strimzi.io", "KafkaNodePool"): lacks_nodes,
    ("postgresql.cnpg.io", "Cluster"): unhealthy_database,
    ("postgresql.cnpg.io", "Database"): unapplied,
}
