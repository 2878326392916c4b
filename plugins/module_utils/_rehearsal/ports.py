# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP ports of a rehearsal cluster on this machine.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import (
    ARGOCD,
    KUBELET,
    NOTIFICATIONS,
)

# By their name in the configuration of kwokctl, which would choose ports that are free at that moment: also those of
# another cluster's process that restarts.
KWOKCTL_PORTS = (
    "etcdPeerPort",
    "etcdPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)
PORTS = (
    *KWOKCTL_PORTS,
    *ARGOCD,
    NOTIFICATIONS,
    KUBELET,
    "argocd-repo-server-metrics",
    "argocd-applicationset-probe",
    "argocd-applicationset-webhook",
    "argocd-server-metrics",
)


def ports_of(folder: Path) -> dict[str, int]:
    """Return the ports of Argo CD's processes, chosen once per cluster.

    The ports of other clusters count as taken even if unused: such a cluster may be stopped or about to start.
    """
    path = folder / "ports.json"
    if not path.exists():
        taken = set().union(*map(chosen_ports, folder.parent.glob("*/ports.json")))
        path.write_text(json.dumps(dict(zip(PORTS, free_ports(len(PORTS), taken), strict=True))))
    ports: dict[str, int] = json.loads(path.read_text())
    return ports


def chosen_ports(path: Path) -> set[int]:
    """Return the ports of a cluster, none while it is being deleted."""
    try:
        return set(json.loads(path.read_text()).values())
    except (OSError, ValueError):
        return set()


def free_ports(count: int, taken: set[int]) -> list[int]:
    """Return free TCP ports below the range from which the system takes ports for outgoing connections."""
    found: list[int] = []
    candidates = sorted({*range(20000, 32000)} - taken)
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise GitopsError(f"Only {len(found)} of {count} TCP ports are free between 20000 and 32000 on 127.0.0.1.")


def ask_pass_socket(folder: Path) -> Path:
    """Return where the repo-server listens: a socket's path has at most 107 characters, wherever the state is."""
    return Path(f"/tmp/argocd-ask-pass-{ports_of(folder)['argocd-repo-server']}.sock")  # noqa: S108
