# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of a node, and the links within its network namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

NODE = "10.88.0.1"  # a kubelet refuses an address of the loopback device
# etcd and everything else of the control plane are as on a machine of their own: what a NetworkPolicy of the node would
# keep from them must not pass as traffic of the node itself.
CONTROL_PLANE = "10.89.0.2"
GATEWAY = "10.89.0.1"
PODS = "10.244.0.0/24"
SIMULATED_PODS = "10.245.0.1/24"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS = "10.96.0.10"
CONTROL = "control"  # the network namespace of the control plane

COMMANDS = f"""
ip link set lo up
ip link add node type bridge
ip address add {NODE}/32 dev node
ip link set node up
ip route add {SERVICES} dev node
ip netns add {CONTROL}
ip link add {CONTROL} type veth peer name eth0 netns {CONTROL}
ip address add {GATEWAY}/30 dev {CONTROL}
ip link set {CONTROL} up
ip -n {CONTROL} link set lo up
ip -n {CONTROL} address add {CONTROL_PLANE}/30 dev eth0
ip -n {CONTROL} link set eth0 up
ip -n {CONTROL} route add default via {GATEWAY}
"""
SETTINGS = {"ip_forward": 1, "conf/all/rp_filter": 0, "conf/default/rp_filter": 0}


def create() -> None:
    """Make the links, addresses and routes; nothing leads out of the node."""
    for command in COMMANDS.strip().splitlines():
        subprocess.run(command.split(), check=True)
    for name, value in SETTINGS.items():
        Path("/proc/sys/net/ipv4", name).write_text(f"{value}\n")


def on_control_plane(command: list[str]) -> list[str]:
    """Return a command that runs in the network namespace of the control plane."""
    return ["nsenter", f"--net=/run/netns/{CONTROL}", *command]
