# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node needs of the machine; as a program, which needs nothing but Python, it says what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from . import cgroups

# Debian package: (what shows that it is there, why it is needed)
PACKAGES = {
    "conntrack": ("conntrack", "kube-proxy"),
    "containerd": ("containerd", "runs containers"),
    "containernetworking-plugins": ("/usr/lib/cni/ptp", "network of the pods"),
    "debootstrap": ("debootstrap", "images"),
    "ipset": ("ipset", "kube-router, the judge of NetworkPolicies"),
    "iproute2": ("ip", "links and routes"),
    "iptables": ("iptables", "kubelet and kube-router"),
    "nftables": ("nft", "kube-proxy and NetworkPolicies"),
    "npm": ("npm", "images"),
    "runc": ("runc", "runs containers"),
    "util-linux": ("nsenter", "commands in a namespace"),
}


def missing() -> list[str]:
    """Return what this machine lacks, each in a sentence with the remedy."""
    if platform.system() != "Linux":
        return [f"A real node needs Linux, this is {platform.system()}."]
    found = []
    if os.geteuid() != 0:
        found.append("A real node needs root, for namespaces, mounts and cgroups: run it with sudo, or as root.")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = {name: use for name, (proof, use) in PACKAGES.items() if not shutil.which(proof, path=path)}
    if absent:
        reasons = ", ".join(f"{name} ({use})" for name, use in absent.items())
        found.append(f"Packages are missing: {reasons}. Install them: apt-get install {' '.join(absent)}")
    controllers = {name for hierarchy in cgroups.hierarchies() for name in hierarchy.split(",")}
    needed = {"cpu", "cpuacct", "cpuset", "memory", "pids"} - controllers
    if needed:
        found.append(
            f"The cgroup controllers {', '.join(sorted(needed))} are not mounted below {cgroups.MOUNTED}: a node was "
            "only tried with cgroup version 1 (kernel parameter systemd.unified_cgroup_hierarchy=0)."
        )
    if "overlay" not in Path("/proc/filesystems").read_text():
        found.append("The kernel has no overlay file system: modprobe overlay")
    return found


def check() -> None:
    """End the program, with what this machine lacks, if it lacks anything."""
    if found := missing():
        sys.exit("\n".join(found))


if __name__ == "__main__":
    check()
