# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The troubles that a pod can have: the objects that provoke each, and the signs by which it shows.

The same objects are created on a real node, where it is recorded what its kubelet and the controllers write, and in a
rehearsal, where Stages made of these recordings write it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recordings import Manifest

# An image of busybox: that of the node of tests/real, or another one for another cluster. A rehearsal needs none.
IMAGE = os.environ.get("GITOPS_REAL_IMAGE") or (
    "busybox:1.36" if "GITOPS_REAL_KUBECONFIG" in os.environ else "gitops-real-node.invalid/busybox:1"
)
# A registry on the node that the tests start, and one that nothing serves.
REGISTRY, NOBODY = "127.0.0.1:5000", "127.0.0.1:1"
LABELS = {"app": "web"}
RUN = ("sleep", "1000")


@dataclass(frozen=True)
class Trouble:
    """What provokes a trouble, and what is there together when it shows (`recordings.signs`)."""

    objects: list[Manifest]
    signs: tuple[str, ...]
    # What writes it in a rehearsal: a Stage, if the pod is told to; else the API server and the controllers, as always.
    by_stage: bool = True
    # Needs the StorageClass or ends the kubelet of the node of tests/real.
    own_node: bool = False
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    delete_when: str = ""  # the sign at which the pod is deleted
    claim_waits: bool = False  # in a rehearsal, where each claim is bound otherwise


def container(*command: str, name: str = "main", **more: Any) -> Manifest:
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": list(command)} | more


def pod(main: Manifest, template: Manifest | None = None, **spec: Any) -> Manifest:
    """Return the template of a pod."""
    metadata = {"labels": LABELS} | (template or {})
    return {"metadata": metadata, "spec": {"containers": [main], "terminationGracePeriodSeconds": 1} | spec}


def deployment(main: Manifest, template: Manifest | None = None, **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": pod(main, template, **spec)},
    }


def crashing(main: Manifest, **spec: Any) -> Manifest:
    """Return a Deployment that is not available in the moment for which its container runs."""
    item = deployment(main, **spec)
    return item | {"spec": item["spec"] | {"minReadySeconds": 5}}


def claim(storage_class: str, size: str = "1Mi") -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }


def storage_class(name: str, mode: str) -> Manifest:
    """Return a StorageClass whose provisioner does not exist."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "nobody.invalid/none",
        "volumeBindingMode": mode,
    }


def stateful_set(main: Manifest, data: Manifest) -> Manifest:
    template = {"metadata": data["metadata"], "spec": data["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web",
            "selector": {"matchLabels": LABELS},
            "template": pod(main),
            "volumeClaimTemplates": [template],
        },
    }


def job(main: Manifest) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
        "spec": {"backoffLimit": 0, "template": pod(main, restartPolicy="Never")},
    }


def core(kind: str, name: str, **content: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}} | content


def variable(kind: str, name: str, key: str) -> Manifest:
    """Return what a container needs for a variable from a Secret or ConfigMap."""
    return {"env": [{"name": "VALUE", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key}}}]}


def mounting(**volume: Any) -> Manifest:
    """Return a Deployment that mounts a volume."""
    main = container(*RUN, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return deployment(main, volumes=[{"name": "data"} | volume])


def probed(kind: str) -> Manifest:
    """Return a Deployment with a probe of a port on which nothing listens."""
    probe = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    return crashing(container(*RUN, **{kind: probe}))


def memory(limit: str) -> Manifest:
    return {"limits": {"memory": limit}}


CLAIMED = {"persistentVolumeClaim": {"claimName": "data"}}
CRASH = ("main waiting CrashLoopBackOff", "main restarts 1", "event Pod BackOff")
CONFIGURATION = ("main waiting CreateContainerConfigError", "event Pod Failed")
MOUNT = ("main waiting ContainerCreating", "event Pod FailedMount")
PULL = ("main waiting ImagePullBackOff", "event Pod BackOff", "event Pod Failed")
UNSCHEDULED = ("pod PodScheduled False Unschedulable", "event Pod FailedScheduling")
REFUSED = ("deployment ReplicaFailure True FailedCreate", "event ReplicaSet FailedCreate")
SECRET = core("Secret", "settings", stringData={"user": "web"})

TROUBLES: dict[str, Trouble] = {
    # --- it does not start --------------------------------------------------------------------------------------------
    "wrong-image": Trouble([deployment(container(*RUN, image=f"{REGISTRY}/missing:1"))], PULL),
    "unreachable-registry": Trouble([deployment(container(*RUN, image=f"{NOBODY}/missing:1"))], PULL),
    "wrong-command": Trouble([deployment(container("missing"))], (*CRASH, "main was terminated StartError")),
    "missing-secret": Trouble([deployment(container(*RUN, **variable("secret", "missing", "user")))], CONFIGURATION),
    "missing-secret-volume": Trouble([mounting(secret={"secretName": "missing"})], MOUNT),
    "missing-config-map": Trouble(
        [deployment(container(*RUN, envFrom=[{"configMapRef": {"name": "missing"}}]))], CONFIGURATION
    ),
    "missing-config-map-volume": Trouble([mounting(configMap={"name": "missing"})], MOUNT),
    "missing-key": Trouble(
        [SECRET, deployment(container(*RUN, **variable("secret", "settings", "password")))], CONFIGURATION
    ),
    "missing-key-volume": Trouble(
        [SECRET, mounting(secret={"secretName": "settings", "items": [{"key": "password", "path": "password"}]})], MOUNT
    ),
    "failing-init-container": Trouble(
        [
            deployment(
                container(*RUN), initContainers=[container("sh", "-c", "echo no schema >&2; exit 4", name="first")]
            )
        ],
        ("first waiting CrashLoopBackOff", "first restarts 1", "main waiting PodInitializing", "event Pod BackOff"),
    ),
    # --- it does not go on running ------------------------------------------------------------------------------------
    "crash": Trouble([crashing(container("sh", "-c", "echo cannot read /etc/web.conf >&2; exit 3"))], CRASH),
    "crash-without-log": Trouble([crashing(container("false"))], CRASH),
    "crash-with-message": Trouble(
        [
            crashing(
                container(
                    "sh",
                    "-c",
                    "echo cannot read /etc/web.conf >&2; exit 3",
                    terminationMessagePolicy="FallbackToLogsOnError",
                )
            )
        ],
        CRASH,
    ),
    "out-of-memory": Trouble(
        # The pod as a whole may use more, because of its init container: the limit that counts is the container's.
        [
            crashing(
                container("tail", "/dev/zero", resources=memory("16Mi")),
                initContainers=[container("true", name="first", resources=memory("64Mi"))],
            )
        ],
        (*CRASH, "main was terminated OOMKilled"),
    ),
    "full-volume": Trouble(
        [
            stateful_set(
                container(
                    "sh",
                    "-c",
                    "cat /dev/zero > /data/file",
                    volumeMounts=[{"name": "data", "mountPath": "/data"}],
                ),
                claim("limited"),
            )
        ],
        (*CRASH, "persistentvolumeclaim Bound"),
        own_node=True,
    ),
    "readiness-probe": Trouble(
        [probed("readinessProbe")], ("main running", "pod Ready False ContainersNotReady", "event Pod Unhealthy")
    ),
    "liveness-probe": Trouble([probed("livenessProbe")], (*CRASH, "event Pod Unhealthy", "event Pod Killing")),
    "evicted": Trouble(
        [
            deployment(
                container(
                    "sh",
                    "-c",
                    "dd if=/dev/zero of=/tmp/file bs=1048576 count=8; sleep 1000",
                    # A simulated node has no such storage to give away.
                    resources={"limits": {"ephemeral-storage": "1Mi"}, "requests": {"ephemeral-storage": "0"}},
                )
            )
        ],
        ("pod Failed Evicted", "event Pod Evicted", "main running"),
    ),
    "failing-hook": Trouble(
        [job(container("sh", "-c", "echo no schema >&2; exit 1"))],
        (
            "job Failed True BackoffLimitExceeded",
            "pod Failed",
            "main terminated Error",
            "event Job BackoffLimitExceeded",
        ),
    ),
    # --- there is no place for it -------------------------------------------------------------------------------------
    "no-room": Trouble(
        [deployment(container(*RUN, resources={"requests": {"memory": "100Ti"}}))], UNSCHEDULED, by_stage=False
    ),
    "unbound-claim": Trouble(
        [storage_class("nobody", "Immediate"), claim("nobody"), mounting(**CLAIMED)],
        (*UNSCHEDULED, "persistentvolumeclaim Pending", "event PersistentVolumeClaim ExternalProvisioning"),
        by_stage=False,
        claim_waits=True,
    ),
    # The scheduler has chosen a node and waits ten minutes for the volume, without a word in the pod.
    "unbound-claim-of-consumer": Trouble(
        [storage_class("nobody-later", "WaitForFirstConsumer"), claim("nobody-later"), mounting(**CLAIMED)],
        ("pod Pending", "persistentvolumeclaim Pending", "event PersistentVolumeClaim ExternalProvisioning"),
        by_stage=False,
        claim_waits=True,
    ),
    "missing-storage-class": Trouble(
        [claim("missing"), mounting(**CLAIMED)],
        (*UNSCHEDULED, "persistentvolumeclaim Pending", "event PersistentVolumeClaim ProvisioningFailed"),
        by_stage=False,
        claim_waits=True,
    ),
    "quota": Trouble(
        [core("ResourceQuota", "none", spec={"hard": {"pods": "0"}}), deployment(container(*RUN))],
        REFUSED,
        by_stage=False,
    ),
    "pod-security": Trouble(
        [deployment(container(*RUN))],
        REFUSED,
        by_stage=False,
        namespace_labels={"pod-security.kubernetes.io/enforce": "restricted"},
    ),
    # --- it does not go -----------------------------------------------------------------------------------------------
    "stuck-finalizer": Trouble(
        [deployment(container(*RUN), {"finalizers": ["example.com/keep"]})],
        ("pod deleting", "main terminated Error", "main running"),
        delete_when="pod Running",
    ),
    "node-gone": Trouble(
        [
            deployment(
                container(*RUN),
                tolerations=[
                    {
                        "key": "node.kubernetes.io/unreachable",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 1,
                    }
                ],
            )
        ],
        ("pod deleting", "pod Ready False", "event Pod TaintManagerEviction"),
        own_node=True,
    ),
}
# Provoked one after the other, and after all others: what it takes away is the node.
LAST = "node-gone"
