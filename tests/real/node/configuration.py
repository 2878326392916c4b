# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of containerd, CNI, kubelet and kube-proxy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from . import network

# In the node's own /run: a socket's path has at most 107 characters, wherever the state is.
CONTAINERD = Path("/run/containerd/containerd.sock")
CONTAINERD_CONFIGURATION = """
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Where root lacks CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  # A profile would be loaded into the kernel, for the whole machine.
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""


def cni() -> dict[str, Any]:
    """Return the pod network: point-to-point links, so that traffic between pods passes the node's firewall."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": network.PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "mtu": 1400, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(folder: Path) -> dict[str, Any]:
    """Return the configuration of the kubelet."""
    pki = folder / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Nothing could bring a removed image back.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "clusterDNS": [network.DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "volumePluginDir": str(folder / "volume-plugins"),
        "podLogsDir": str(folder / "logs" / "pods"),
        # As soon as a test expects it.
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "4s",
    }


def kube_proxy(folder: Path, node: str) -> dict[str, Any]:
    """Return the configuration of kube-proxy."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": network.PODS,
        "hostnameOverride": node,
        "clientConnection": {"kubeconfig": str(folder / "pki" / "proxy.kubeconfig")},
        "conntrack": {"maxPerCore": 0},  # a limit of the whole machine
        "oomScoreAdj": 0,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def write(folder: Path, node: str, pause: str) -> None:
    """Write all of them into the folder of a run."""
    text = CONTAINERD_CONFIGURATION.lstrip().format(folder=folder, socket=CONTAINERD, pause=pause)
    (folder / "containerd.toml").write_text(text)
    (folder / "cni").mkdir()
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(cni()))
    (folder / "resolv.conf").touch()
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(kubelet(folder)))
    (folder / "kube-proxy.yaml").write_text(yaml.safe_dump(kube_proxy(folder, node)))
