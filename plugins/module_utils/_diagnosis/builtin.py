# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a workload, a Job, a claim or another object of Kubernetes itself is not ready: a function for each cause.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Found, Manifest, unwrapped
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    conditions_of,
    remaining,
    true_condition,
)

# What the API server says before the reason why it refuses an object.
FORBIDDEN = re.compile(r'^(?:create Pod \S+ in StatefulSet \S+ failed error: )?(?:\w+ "[^"]*" is forbidden: )?')
QUOTA_NUMBERS = re.compile(r"(requested|used|limited): ([^:]*?)(?=, (?:requested|used|limited):|$)")
# A claim that these events are about waits as it should, until a pod needs it and is scheduled.
WAITS_FOR_POD = ("WaitForFirstConsumer", "WaitForPodScheduled")
ENDED_JOB = ("Failed", "FailureTarget")


def describe(item: Manifest) -> str:
    """Return the command that shows an object with its events."""
    metadata = item["metadata"]
    group = item["apiVersion"].rpartition("/")[0]
    # Different operators have kinds of the same name.
    kind = item["kind"].lower() + (f".{group}" if "." in group and not group.endswith(".k8s.io") else "")
    place = f" -n {metadata['namespace']}" if metadata.get("namespace") else ""
    return f"kubectl describe {kind}{place} {metadata['name']}"


def begun(item: Manifest, *names: str) -> str:
    """Return since when a condition is as it is, or the object there."""
    found = [entry for entry in conditions_of(item) if entry.get("type") in names]
    at = found[0].get("lastTransitionTime") if found else ""
    return str(at or item["metadata"].get("creationTimestamp") or "")


# --- pods that the API server refuses ---------------------------------------------------------------------------------


def refusal(item: Manifest, events: list[Manifest]) -> str:
    """Return why the API server refuses what a controller makes for an object, without the name of that, or nothing."""
    text = str(true_condition(item, "ReplicaFailure").get("message") or "")
    if not text and item["kind"] != "ReplicaSet" and item["kind"] != "Deployment" and lacks_pods(item):
        text = next((str(event.get("message")) for event in events if event.get("reason") == "FailedCreate"), "")
    return FORBIDDEN.sub("", unwrapped(text))


def lacks_pods(item: Manifest) -> bool:
    """Return whether an object has fewer pods than it wants: of a StatefulSet or Job only events say why."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if item["kind"] == "DaemonSet":
        return bool(status.get("currentNumberScheduled", 0) < status.get("desiredNumberScheduled", 0))
    if item["kind"] == "Job":
        return not any(status.get(key) for key in ("active", "succeeded", "failed"))
    return bool(status.get("replicas", 0) < spec.get("replicas", 1))


def _refused(
    mark: str, what: str, is_final: Callable[[str], bool], avoid: str = "^$"
) -> Callable[[Manifest, list[Manifest]], Found | None]:
    """Return the cause whose message has a mark."""

    def cause(item: Manifest, events: list[Manifest]) -> Found | None:
        text = refusal(item, events)
        if not text or not re.search(mark, text) or re.search(avoid, text):
            return None
        return Found(f"its pods are refused: {text}", what, begun(item, "ReplicaFailure"), final=is_final(text))

    return cause


def never_fits(text: str) -> bool:
    """Return whether a quota is too small even where nothing else uses it."""
    numbers = dict(QUOTA_NUMBERS.findall(text))
    used = [entry.partition("=")[2] for entry in numbers.get("used", "").split(",")]
    return bool(used) and all(value == "0" for value in used)


quota = _refused(
    r"exceeded quota: ", "raise the ResourceQuota of its namespace, or let the pods ask for less", never_fits
)
security = _refused(
    r"violates PodSecurity", "set in Git what it names, or relax the labels of its namespace", lambda _text: True
)
denial = _refused(
    r"admission webhook .* denied|ValidatingAdmissionPolicy .* denied|denied the request",
    "change what it names in Git, or the policy",
    lambda _text: True,
)
webhook = _refused(
    r"failed calling webhook|failed to call webhook",
    "check whether the pods of the webhook are ready",
    lambda _text: False,
)
account = _refused(
    r"serviceaccount .* not found|error looking up service account",
    "find out what should create the ServiceAccount, or correct its name in Git",
    lambda _text: False,
)
limits = _refused(
    r"(?:minimum|maximum) .* usage per|limits? to request ratio|must specify ",
    "change requests and limits in Git, or the LimitRange or ResourceQuota of its namespace",
    lambda _text: True,
    r"exceeded quota: ",
)
invalid = _refused(r"is invalid: ", "correct what it names in Git", lambda _text: True)
refused = _refused(r".", "correct what it names", lambda _text: False)


# --- workloads and Jobs -----------------------------------------------------------------------------------------------


def paused(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that somebody has paused its rollout."""
    if not (item.get("spec") or {}).get("paused"):
        return None
    metadata = item["metadata"]
    what = f"kubectl rollout resume -n {metadata.get('namespace')} {item['kind'].lower()}/{metadata['name']}"
    return Found("its rollout is paused (spec.paused)", what, begun(item, "Progressing"))


def by_hand(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that its pods are replaced by hand."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    wanted = spec.get("replicas", status.get("desiredNumberScheduled", 1))
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" or updated >= wanted:
        return None
    return Found("its update strategy is OnDelete, so its pods stay", "delete its pods", mild=True)


def suspended(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that somebody has suspended it."""
    if not (item.get("spec") or {}).get("suspend"):
        return None
    return Found("it is suspended (spec.suspend)", "set spec.suspend to false in Git", begun(item, "Suspended"))


def ended_job(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it has finally failed: too many attempts, or its time is up."""
    for name in ENDED_JOB:
        if found := true_condition(item, name):
            why = found.get("message") or found.get("reason") or "no reason given"
            metadata = item["metadata"]
            what = f"kubectl logs -n {metadata.get('namespace')} job/{metadata['name']}"
            # Why it has failed is with its pods, as long as they are there.
            return Found(f"it failed: {why}", what, begun(item, name), final=True, mild=True)
    return None


def overdue(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that its time for the rollout is over."""
    for entry in conditions_of(item):
        if (entry.get("type"), entry.get("reason")) == ("Progressing", "ProgressDeadlineExceeded"):
            return Found(str(entry.get("message")), describe(item), begun(item, "Progressing"), mild=True)
    return None


# --- volumes ----------------------------------------------------------------------------------------------------------


def lost(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that the volume of a claim is gone."""
    if (item.get("status") or {}).get("phase") != "Lost":
        return None
    volume = (item.get("spec") or {}).get("volumeName")
    return Found(
        f"its PersistentVolume {volume} does not exist any more", "restore the data to a new claim", final=True
    )


def unprovisioned(item: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that nobody makes the volume of a claim."""
    if (item.get("status") or {}).get("phase") == "Bound":
        return None
    spoken = [event for event in events if event.get("reason") not in WAITS_FOR_POD]
    for event in sorted(spoken, key=lambda event: event.get("type") != "Warning"):
        # What may be verified if it takes long is not part of the cause.
        text = unwrapped(str(event.get("message") or "")).partition(". If volume creation is delayed")[0]
        if event.get("reason") in ("ProvisioningFailed", "FailedBinding", "ExternalProvisioning", "VolumeMismatch"):
            absent = "not found" in text
            what = "correct spec.storageClassName in Git" if absent else "check whether its provisioner runs"
            if event["reason"] == "FailedBinding":
                what = "name a StorageClass in Git, or create a PersistentVolume"
            return Found(text, what, begun(item))
    if events and not spoken:
        return Found(str(events[0].get("message") or ""), "", begun(item), mild=True)
    return None


def unresized(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that its volume cannot grow."""
    for name in ("ControllerResizeError", "NodeResizeError"):
        if found := true_condition(item, name):
            return Found(f"it cannot grow: {found.get('message')}", describe(item), begun(item, name))
    return None


# --- what leads to pods -----------------------------------------------------------------------------------------------


def no_address(item: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that nobody gives a Service of type LoadBalancer, or an Ingress, an address."""
    balanced = item["kind"] == "Ingress" or (item.get("spec") or {}).get("type") == "LoadBalancer"
    if not balanced or ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return None
    said = next((str(event["message"]) for event in events if event.get("type") == "Warning"), "")
    who = "Ingress controller" if item["kind"] == "Ingress" else "load balancer"
    return Found(
        said or f"no {who} has given it an address", f"check whether the cluster has a {who} for it", begun(item)
    )


def unscalable(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a HorizontalPodAutoscaler cannot do its work."""
    for name in ("AbleToScale", "ScalingActive"):
        for entry in conditions_of(item):
            if (entry.get("type"), entry.get("status"), entry.get("reason")) == (name, "False", "ScalingDisabled"):
                return None  # what it scales has 0 replicas on purpose
            if (entry.get("type"), entry.get("status")) == (name, "False"):
                return Found(str(entry.get("message") or entry.get("reason")), describe(item), begun(item, name))
    return None


# --- what has to go ---------------------------------------------------------------------------------------------------


def deleting(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it is being deleted, and something holds it."""
    metadata = item["metadata"]
    if not metadata.get("deletionTimestamp"):
        return None
    finalizers = metadata.get("finalizers")
    held = [*remaining(item), *([f"finalizers: {', '.join(finalizers)}"] if finalizers else [])]
    why = f"it is being deleted and waits for {'; '.join(held)}" if held else "it is being deleted"
    return Found(why, describe(item), metadata["deletionTimestamp"])
