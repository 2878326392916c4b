# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files with which kwokctl and Argo CD's processes start.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import (
    KWOKCTL_PORTS,
    ask_pass_socket,
    ports_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import (
    ARGOCD,
    KUBELET,
    NOTIFICATIONS,
)

# Log write requests without their bodies: the log stays small and contains no Secret.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {
            "level": "None",
            "resources": [
                {"group": "coordination.k8s.io"},
                {"group": "", "resources": ["events"]},
                {"group": "events.k8s.io"},
            ],
        },
        {"level": "Metadata"},
    ],
}


def write_configuration(paths: Paths, launcher: Path, argocd_namespace: str) -> None:
    """Write what kwokctl and Argo CD's processes need into the folder of a new cluster."""
    paths.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    launch = paths.folder / "launch"
    launch.mkdir()
    # kwokctl executes it.
    (launch / "launch.py").write_text(f"#!/usr/bin/env python3\n{launcher.read_text()}")
    (launch / "launch.py").chmod(0o755)
    for component in (*ARGOCD, NOTIFICATIONS):
        (launch / component).symlink_to("launch.py")
    (paths.folder / "audit-policy.yaml").write_text(_yaml.dump(AUDIT_POLICY))
    config = {
        "ports": ports_of(paths.folder),
        "binaries": str(paths.binaries),
        "kubeconfig": str(paths.kubeconfig),
        "ca": str(paths.folder / "pki" / "ca.crt"),
        "namespace": argocd_namespace,
        "ask_pass_socket": str(ask_pass_socket(paths.folder)),
    }
    (paths.folder / "argocd.json").write_text(json.dumps(config))
    (paths.folder / "kwokctl.yaml").write_text(_yaml.dump(kwokctl_configuration(paths), sort_keys=False))


def kwokctl_configuration(paths: Paths) -> dict[str, Any]:
    """Return the configuration of kwokctl."""
    names = ("etcd", "kubeApiserver", "kubeControllerManager", "kubeScheduler", "kubectl")
    programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    ports = ports_of(paths.folder)
    return {
        "kind": "KwokctlConfiguration",
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "options": {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "enableCRDs": ["Stage"],
            "disableQPSLimits": True,
            "kubeAuditPolicy": str(paths.folder / "audit-policy.yaml"),
            "kwokControllerBinary": str(paths.binaries / "kwok"),
        }
        | {name: ports[name] for name in KWOKCTL_PORTS}
        | {f"{name}Binary": str(paths.binaries / program) for name, program in zip(names, programs, strict=True)},
        "components": [
            {
                "name": component,
                "binary": str(paths.folder / "launch" / component),
                "workDir": str(paths.folder),
                "links": ["kube-apiserver"],
                "args": [str(paths.folder)],
            }
            for component in (*ARGOCD, NOTIFICATIONS)
        ]
        + [
            {
                "name": KUBELET,
                "binary": str(paths.binaries / KUBELET),
                "workDir": str(paths.folder),
                "args": [str(paths.folder)],
            }
        ],
        "componentsPatches": patches(paths),
    }


# The API server's own defaults, which disableQPSLimits takes away: whoever asks for too much at once must get the same
# answer as elsewhere.
LIMITS = {
    "enable-priority-and-fairness": "true",
    "max-requests-inflight": "400",
    "max-mutating-requests-inflight": "200",
}


# There is one of each, so nobody has to be elected: that alone is a third of what an idle cluster costs.
ALONE = {"leader-elect": "false"}
# A cluster that lasts only until it is removed need not outlive a power failure: nothing waits for the disk.
NO_SYNC = {"unsafe-no-fsync": "true"}


def patches(paths: Paths) -> list[dict[str, Any]]:
    """Return how the API server finds the kubelet of the simulated nodes, how much it does at once, and what is saved.

    API server and kubelet show each other their certificates.
    """
    pki = paths.folder / "pki"
    server = LIMITS | {
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-client-certificate": pki / "admin.crt",
        "kubelet-client-key": pki / "admin.key",
        # The IP address of a simulated node leads nowhere; its name is localhost.
        "kubelet-preferred-address-types": "Hostname",
    }
    port = ports_of(paths.folder)[KUBELET]
    # KWOK writes the port into the status of the nodes.
    arguments: dict[str, dict[str, Any]] = {
        "etcd": NO_SYNC,
        "kube-apiserver": server,
        "kube-controller-manager": ALONE,
        "kube-scheduler": ALONE,
        "kwok-controller": {"node-port": port},
    }
    return [
        {
            "name": name,
            "extraArgs": [{"key": key, "value": str(value), "override": key in LIMITS} for key, value in given.items()],
        }
        for name, given in arguments.items()
    ]


def add_server(paths: Paths, server: str) -> None:
    """Tell Argo CD's processes the address of the API server, which kwokctl chose."""
    config = json.loads((paths.folder / "argocd.json").read_text()) | {"server": server}
    (paths.folder / "argocd.json").write_text(json.dumps(config))


def build_of(paths: Paths) -> Path:
    """Return the build that a cluster was made with."""
    return Path(json.loads((paths.folder / "argocd.json").read_text())["binaries"]).parent
