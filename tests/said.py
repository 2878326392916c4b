# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of the troubles of tests/troubles.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import recordings
from recordings import Manifest


class Said(NamedTuple):
    """What is said of a trouble."""

    rule: str
    text: str
    next_step: str
    final: bool


SAID: dict[str, Said] = {
    "wrong-image": Said(
        "image",
        (
            "Deployment wrong-image/web: Pod web-5cbd78c59b-bbbbb: container main: ImagePullBackOff: image "
            "127.0.0.1:5000/missing:1 cannot be pulled: not found (since 2026-01-01T00:00:00Z)"
        ),
        "correct its name in Git, or push it",
        final=False,
    ),
    "unreachable-registry": Said(
        "image",
        (
            "Deployment unreachable-registry/web: Pod web-6bbc464bf8-bbbbb: container main: ImagePullBackOff:"
            " image 127.0.0.1:1/missing:1 cannot be pulled: failed to do request: Head "
            '"http://127.0.0.1:1/v2/missing/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused '
            "(since 2026-01-01T00:00:00Z)"
        ),
        "check whether its node reaches the registry",
        final=False,
    ),
    "wrong-command": Said(
        "program",
        (
            "Deployment wrong-command/web: Pod web-7b8dcc444f-bbbbb: container main cannot be started: "
            'StartError: exec: "missing": executable file not found in $PATH (since 2026-01-01T00:00:00Z)'
        ),
        "correct command or image in Git",
        final=True,
    ),
    "missing-secret": Said(
        "configuration",
        (
            'Deployment missing-secret/web: Pod web-7567fdb79c-bbbbb: container main: secret "missing" not '
            "found (since 2026-01-01T00:00:00Z)"
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "missing-secret-volume": Said(
        "mount",
        (
            'Deployment missing-secret-volume/web: Pod web-784f65d654-bbbbb: volume "data": secret "missing" '
            "not found (since 2026-01-01T00:00:00Z)"
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "missing-config-map": Said(
        "configuration",
        (
            'Deployment missing-config-map/web: Pod web-6cd5d78b76-bbbbb: container main: configmap "missing"'
            " not found (since 2026-01-01T00:00:00Z)"
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "missing-config-map-volume": Said(
        "mount",
        (
            'Deployment missing-config-map-volume/web: Pod web-5b89c6fb48-bbbbb: volume "data": configmap '
            '"missing" not found (since 2026-01-01T00:00:00Z)'
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "missing-key": Said(
        "configuration",
        (
            "Deployment missing-key/web: Pod web-9d4f7cfbd-bbbbb: container main: couldn't find key password "
            "in Secret missing-key/settings (since 2026-01-01T00:00:00Z)"
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "missing-key-volume": Said(
        "mount",
        (
            'Deployment missing-key-volume/web: Pod web-7655ff577-bbbbb: volume "data": references '
            "non-existent secret key: password (since 2026-01-01T00:00:00Z)"
        ),
        "find out what should create it, or correct its name in Git",
        final=False,
    ),
    "failing-init-container": Said(
        "crash",
        (
            "Deployment failing-init-container/web: Pod web-bfcf7f86c-bbbbb: init container first: "
            "CrashLoopBackOff: it exited with 4, restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n failing-init-container web-bfcf7f86c-bbbbb -c first --previous",
        final=False,
    ),
    "crash": Said(
        "crash",
        (
            "Deployment crash/web: Pod web-84887db558-bbbbb: container main: CrashLoopBackOff: it exited with"
            " 3, restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n crash web-84887db558-bbbbb -c main --previous",
        final=False,
    ),
    "crash-without-log": Said(
        "crash",
        (
            "Deployment crash-without-log/web: Pod web-84cfb9d486-bbbbb: container main: CrashLoopBackOff: it"
            " exited with 1, restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n crash-without-log web-84cfb9d486-bbbbb -c main --previous",
        final=False,
    ),
    "crash-with-message": Said(
        "crash",
        (
            "Deployment crash-with-message/web: Pod web-95cc699b5-bbbbb: container main: CrashLoopBackOff: it"
            " exited with 3, restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n crash-with-message web-95cc699b5-bbbbb -c main --previous",
        final=False,
    ),
    "out-of-memory": Said(
        "memory",
        (
            "Deployment out-of-memory/web: Pod web-5888865f4b-bbbbb: container main was killed because it needs more "
            "memory than its limit of 16Mi (OOMKilled), restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "raise its limit of memory in Git; kubectl logs -n out-of-memory web-5888865f4b-bbbbb -c main --previous",
        final=False,
    ),
    "full-volume": Said(
        "crash",
        (
            "StatefulSet full-volume/web: Pod web-0: container main: CrashLoopBackOff: it exited with 1, "
            "restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n full-volume web-0 -c main --previous",
        final=False,
    ),
    "readiness-probe": Said(
        "readiness",
        (
            "Deployment readiness-probe/web: Pod web-76dbd6dcd4-bbbbb: container main: Readiness probe "
            'failed: Get "http://10.244.0.10:8080/health": dial tcp 10.244.0.10:8080: connect: connection '
            "refused (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n readiness-probe web-76dbd6dcd4-bbbbb -c main",
        final=False,
    ),
    "liveness-probe": Said(
        "probe",
        (
            "Deployment liveness-probe/web: Pod web-5f45d9548b-bbbbb: container main: Liveness probe failed: "
            'Get "http://10.244.0.10:8080/health": dial tcp 10.244.0.10:8080: connect: connection refused, '
            "restarted once (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl logs -n liveness-probe web-5f45d9548b-bbbbb -c main --previous",
        final=False,
    ),
    "evicted": Said(
        "ended",
        (
            "Pod evicted/web-795b699d7d-bbbbb: Evicted: Pod ephemeral local storage usage exceeds the total "
            "limit of containers 1Mi (since 2026-01-01T00:00:00Z)"
        ),
        "kubectl describe pod -n evicted web-795b699d7d-bbbbb",
        final=False,
    ),
    "failing-hook": Said(
        "crash",
        ("Job failing-hook/migrate: Pod migrate-bbbbb: container main exited with 1 (since 2026-01-01T00:00:00Z)"),
        "kubectl logs -n failing-hook migrate-bbbbb -c main",
        final=True,
    ),
    "no-room": Said(
        "unscheduled",
        (
            "Deployment no-room/web: Pod web-6d6776f457-bbbbb: no node can run it: 0/2 nodes are available: 1 "
            "Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector (since "
            "2026-01-01T00:00:00Z)"
        ),
        "kubectl describe pod -n no-room web-6d6776f457-bbbbb",
        final=False,
    ),
    "unbound-claim": Said(
        "volume-missing",
        (
            "Deployment unbound-claim/web: PersistentVolumeClaim data: Waiting for a volume to be created "
            "either by the external provisioner 'nobody.invalid/none' or manually by the system administrator"
            " (since 2026-01-01T00:00:00Z)"
        ),
        "check whether its provisioner runs",
        final=False,
    ),
    "unbound-claim-of-consumer": Said(
        "volume-missing",
        (
            "Deployment unbound-claim-of-consumer/web: PersistentVolumeClaim data: Waiting for a volume to be"
            " created either by the external provisioner 'nobody.invalid/none' or manually by the system "
            "administrator (since 2026-01-01T00:00:00Z)"
        ),
        "check whether its provisioner runs",
        final=False,
    ),
    "missing-storage-class": Said(
        "volume-missing",
        (
            "Deployment missing-storage-class/web: PersistentVolumeClaim data: storageclass.storage.k8s.io "
            '"missing" not found (since 2026-01-01T00:00:00Z)'
        ),
        "correct spec.storageClassName in Git",
        final=False,
    ),
    "quota": Said(
        "quota",
        (
            "Deployment quota/web: ReplicaSet web-bb9cf49f7: its pods are refused: exceeded quota: none, "
            "requested: pods=1, used: pods=0, limited: pods=0 (since 2026-01-01T00:00:00Z)"
        ),
        "raise the ResourceQuota of its namespace, or let the pods ask for less",
        final=True,
    ),
    "pod-security": Said(
        "pod-security",
        (
            "Deployment pod-security/web: ReplicaSet web-bb9cf49f7: its pods are refused: violates "
            'PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main" must set '
            'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" '
            'must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container '
            '"main" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must'
            ' set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost") (since '
            "2026-01-01T00:00:00Z)"
        ),
        "set in Git what it names, or relax the labels of its namespace",
        final=True,
    ),
    "stuck-finalizer": Said(
        "pod-deleting",
        (
            "Pod stuck-finalizer/web-8696d84c7f-bbbbb: it is being deleted and waits for its finalizers: "
            "example.com/keep (since 2026-01-01T00:00:00Z)"
        ),
        "remove the finalizer when what it stands for is done",
        final=False,
    ),
    "node-gone": Said(
        "pod-deleting",
        (
            "Deployment node-gone/web: Pod web-7fd54cfd7-bbbbb: it is being deleted (Taint manager: deleting "
            "due to NoExecute taint) and its node does not answer: Node is not ready (since "
            "2026-01-01T00:00:00Z)"
        ),
        "kubectl describe node real",
        final=False,
    ),
}
# The workload has a new pod by then, and only the old one has the trouble.
OF_THE_POD = ("evicted", "stuck-finalizer")


def top(objects: Iterable[Manifest], name: str) -> Manifest:
    """Return the object of a trouble that one would ask about."""
    kinds = ("Pod",) if name in OF_THE_POD else ("Deployment", "StatefulSet", "Job")
    found = [item for item in objects if item["kind"] in kinds]
    pod = recordings.troubled(found) if name in OF_THE_POD else None
    return pod or found[0]
