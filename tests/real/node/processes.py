# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a node: their command lines, and how they are started, ended and waited for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import COLLECT_LESS

from . import network
from .namespaces import KUBELET

REAL, SIMULATED = "real", "simulated"
KIND = "node-kind"  # label of a node, and what the policy lets a pod select
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
NODE = ("containerd", "kubelet", "kube-proxy")
ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
SERVER = f"https://{network.CONTROL_PLANE}:6443"


def flags(**values: str | Path) -> list[str]:
    """Return command line flags."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def etcd(folder: Path) -> list[str]:
    """Return the command line of etcd; a node that loses power is not continued."""
    peers = flags(listen_peer_urls=ETCD_PEER, initial_advertise_peer_urls=ETCD_PEER)
    clients = flags(listen_client_urls=ETCD, advertise_client_urls=ETCD)
    data = flags(data_dir=folder / "etcd", initial_cluster=f"default={ETCD_PEER}", log_level="warn")
    return ["etcd", *data, *clients, *peers, "--unsafe-no-fsync"]


def kube_apiserver(folder: Path) -> list[str]:
    """Return the command line of the API server."""
    pki = folder / "pki"
    return [
        "kube-apiserver",
        *flags(etcd_servers=ETCD, bind_address=network.CONTROL_PLANE, advertise_address=network.CONTROL_PLANE),
        *flags(service_cluster_ip_range=network.SERVICES, authorization_mode="Node,RBAC"),
        *flags(allow_privileged="true", enable_admission_plugins="NodeRestriction"),
        *flags(client_ca_file=pki / "ca.crt"),
        *flags(tls_cert_file=pki / "apiserver.crt", tls_private_key_file=pki / "apiserver.key"),
        *flags(kubelet_client_certificate=pki / "admin.crt", kubelet_client_key=pki / "admin.key"),
        *flags(kubelet_certificate_authority=pki / "ca.crt", kubelet_preferred_address_types="InternalIP"),
        *flags(service_account_issuer="https://kubernetes.default.svc", service_account_key_file=pki / "sa.pub"),
        *flags(service_account_signing_key_file=pki / "sa.key"),
        *flags(requestheader_client_ca_file=pki / "ca.crt", requestheader_allowed_names="front-proxy"),
        *flags(requestheader_username_headers="X-Remote-User", requestheader_group_headers="X-Remote-Group"),
        *flags(requestheader_extra_headers_prefix="X-Remote-Extra-"),
        *flags(proxy_client_cert_file=pki / "front-proxy.crt", proxy_client_key_file=pki / "front-proxy.key"),
    ]


def user(folder: Path, name: str) -> list[str]:
    """Return the flags of a component that has a kubeconfig and is the only one of its kind."""
    path = folder / "pki" / f"{name}.kubeconfig"
    who = flags(kubeconfig=path, authentication_kubeconfig=path, authorization_kubeconfig=path)
    return [*who, *flags(leader_elect="false", bind_address="127.0.0.1")]


def kube_controller_manager(folder: Path) -> list[str]:
    """Return the command line of the controller manager."""
    pki = folder / "pki"
    return [
        "kube-controller-manager",
        *user(folder, "controller-manager"),
        *flags(use_service_account_credentials="true", service_account_private_key_file=pki / "sa.key"),
        *flags(root_ca_file=pki / "ca.crt"),
        *flags(cluster_signing_cert_file=pki / "ca.crt", cluster_signing_key_file=pki / "ca.key"),
    ]


def kube_scheduler(folder: Path) -> list[str]:
    """Return the command line of the scheduler."""
    return ["kube-scheduler", *user(folder, "scheduler")]


def kwok(folder: Path) -> list[str]:
    """Return the command line of KWOK, which plays the simulated node."""
    return [
        "kwok",
        *flags(kubeconfig=folder / "pki" / "admin.kubeconfig", manage_all_nodes="false"),
        *flags(manage_nodes_with_label_selector=f"{KIND}={SIMULATED}", enable_crds="Stage"),
        *flags(cidr=network.SIMULATED_PODS, node_ip=network.CONTROL_PLANE, node_port="10247"),
        *flags(server_address=f"{network.CONTROL_PLANE}:10247", node_lease_duration_seconds="40"),
        *flags(tls_cert_file=folder / "pki" / "apiserver.crt", tls_private_key_file=folder / "pki" / "apiserver.key"),
    ]


def containerd(folder: Path) -> list[str]:
    """Return the command line of containerd."""
    return ["containerd", *flags(config=folder / "containerd.toml")]


def kubelet(folder: Path) -> list[str]:
    """Return the command line of the kubelet."""
    return [
        "kubelet",
        *flags(config=folder / "kubelet.yaml", kubeconfig=folder / "pki" / "kubelet.kubeconfig"),
        *flags(hostname_override=REAL, node_ip=network.NODE, node_labels=f"{KIND}={REAL}"),
        *flags(root_dir=KUBELET, cert_dir=KUBELET / "pki"),
    ]


def kube_proxy(folder: Path) -> list[str]:
    """Return the command line of kube-proxy."""
    return ["kube-proxy", *flags(config=folder / "kube-proxy.yaml")]


def volumes(folder: Path) -> list[str]:
    """Return the command line of the provisioner of volumes."""
    return [sys.executable, "-m", "real.node.volumes", str(folder)]


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "etcd": etcd,
    "kube-apiserver": kube_apiserver,
    "kube-controller-manager": kube_controller_manager,
    "kube-scheduler": kube_scheduler,
    "kwok": kwok,
    "containerd": containerd,
    "kubelet": kubelet,
    "kube-proxy": kube_proxy,
    "volumes": volumes,
}


class Processes:
    """The processes of one node, for every process in its namespaces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pids").mkdir(exist_ok=True)

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.folder / "logs" / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return the id of a process that runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "pids" / name).read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return None if state == "Z" else pid
        return None

    def start(self, *names: str) -> None:
        """Start processes that do not run."""
        programs = f"{self.folder / 'bin'}:{self.folder / 'bin-rehearsal'}:{os.environ['PATH']}"
        for name in names:
            if self.pid(name):
                continue
            command = COMMANDS[name](self.folder)
            with self.log(name).open("ab") as log:
                process = subprocess.Popen(
                    network.on_control_plane(command) if name in CONTROL_PLANE else command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=COLLECT_LESS | os.environ | {"PATH": programs},
                    start_new_session=True,  # Ctrl-C is for the tests
                )
            (self.folder / "pids" / name).write_text(str(process.pid))

    def stop(self, *names: str, number: int = signal.SIGTERM, seconds: float = 30) -> None:
        """End processes and wait until they are gone."""
        for name in names:
            pid = self.pid(name)
            if pid:
                os.kill(pid, number)
                eventually(lambda name=name, pid=pid: self.pid(name) != pid, f"the end of {name}", seconds)

    def check(self, *names: str) -> None:
        """Fail when a process has ended, with what it said last."""
        for name in names:
            if not self.pid(name):
                last = " | ".join(self.log(name).read_text(errors="replace").strip().splitlines()[-3:])
                raise NodeError(f"{name} has ended: {last} (in {self.log(name)})")


class NodeError(Exception):
    """The node does not do what it should."""


def eventually(condition: Callable[[], object], what: str, seconds: float = 60, pause: float = 0.1) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NodeError(f"Waited {seconds:g} s in vain for {what}.")
        time.sleep(pause)
