# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod has that a Pod Security Standard does not allow, after the tables of Kubernetes' documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
DEFAULT_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
SECCOMP = {"RuntimeDefault", "Localhost"}
# Containers that are not known to work with a read-only root file system.
WRITABLE_ROOT = {
    "drizzle-gateway",  # a program of which no source is published
    "strimzi-cluster-operator",  # its official file does not ask for it
    "temporal",  # the entrypoint writes its configuration next to the template
    "temporal-ui",
}

# What a pod and its containers need for level restricted.
POD_CONTEXT = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod's specification."""
    return [
        *pod.get("initContainers", []),
        *pod["containers"],
        *pod.get("ephemeralContainers", []),
    ]


def level(pod: dict[str, Any]) -> str:
    """Return the strictest level that a pod's specification keeps to."""
    if any(beyond_baseline(pod)):
        return "privileged"
    return "baseline" if any(beyond_restricted(pod)) else "restricted"


def beyond_baseline(pod: dict[str, Any]) -> Iterator[str]:
    """Yield what level baseline does not allow."""
    own = pod.get("securityContext") or {}
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    yield from ("hostPath" for volume in pod.get("volumes", []) if "hostPath" in volume)
    # Which kernel settings and SELinux options are harmless nobody here needs to know: none is used.
    yield from (key for key in ("sysctls", "seLinuxOptions", "windowsOptions") if own.get(key))
    yield from _unconfined("pod", own)
    for container in containers(pod):
        name, context = container["name"], container.get("securityContext") or {}
        yield from (f"{name}: {key}" for key in ("privileged", "seLinuxOptions", "windowsOptions") if context.get(key))
        yield from (f"{name}: hostPort" for port in container.get("ports", []) if port.get("hostPort"))
        if context.get("procMount", "Default") != "Default":
            yield f"{name}: procMount"
        if {*(context.get("capabilities") or {}).get("add", [])} - DEFAULT_CAPABILITIES:
            yield f"{name}: capabilities"
        yield from _unconfined(name, context)


def _unconfined(name: str, context: dict[str, Any]) -> Iterator[str]:
    """Yield the profiles that a security context switches off."""
    for key in ("seccompProfile", "appArmorProfile"):
        if (context.get(key) or {}).get("type") == "Unconfined":
            yield f"{name}: {key}"


def beyond_restricted(pod: dict[str, Any]) -> Iterator[str]:
    """Yield what level restricted does not allow in addition."""
    own = pod.get("securityContext") or {}
    yield from (f"volume {volume['name']}" for volume in pod.get("volumes", []) if volume.keys() - {"name", *VOLUMES})
    if own.get("runAsUser") == 0:
        yield "runAsUser"
    for container in containers(pod):
        name, context = container["name"], container.get("securityContext") or {}
        both = own | {key: value for key, value in context.items() if value is not None}
        capabilities = context.get("capabilities") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: allowPrivilegeEscalation"
        if both.get("runAsNonRoot") is not True:
            yield f"{name}: runAsNonRoot"
        if both.get("runAsUser") == 0:
            yield f"{name}: runAsUser"
        if (both.get("seccompProfile") or {}).get("type") not in SECCOMP:
            yield f"{name}: seccompProfile"
        if "ALL" not in capabilities.get("drop", []) or {*capabilities.get("add", [])} - {"NET_BIND_SERVICE"}:
            yield f"{name}: capabilities"
