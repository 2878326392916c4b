# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod is shown, and by which signs it is broken.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]
# Reasons of a waiting container that do not resolve by themselves.
BROKEN = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}


def pod_state(pod: Manifest) -> str:
    """Return phase, ready containers and restarts, as kubectl shows them."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    wanted = len((pod.get("spec") or {}).get("containers") or containers)
    ready, restarts = (sum(int(entry.get(key) or 0) for entry in containers) for key in ("ready", "restartCount"))
    phase = (pod.get("status") or {}).get("phase") or "Unknown"
    return f"{phase} {ready}/{wanted}" + (f", {restarts} restarts" if restarts else "")
