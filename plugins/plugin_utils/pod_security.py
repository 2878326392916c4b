# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Pod Security Standard each namespace has: the strictest that all of its components allow. Pure functions.

A definition names in `pod_security` what its pods cannot keep to: a `level`, why, and the `namespace` if it is not the
component's own.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

LEVELS = ("restricted", "baseline", "privileged")  # the strictest first
MODES = {"none": (), "warn": ("warn", "audit"), "enforce": ("enforce", "warn", "audit")}


def namespace_labels(names: list[str], components: list[dict[str, Any]], mode: str) -> dict[str, dict[str, str]]:
    """Return the labels of these namespaces."""
    levels = {name: level_of(name, components) for name in names}
    return {
        name: {f"pod-security.kubernetes.io/{entry}": level for entry in MODES[mode]} for name, level in levels.items()
    }


def level_of(namespace: str, components: list[dict[str, Any]]) -> str:
    """Return the strictest level that all components of a plan allow in a namespace."""
    needed = [level for component in components for name, level in _exceptions(component) if name == namespace]
    return max(needed, key=LEVELS.index, default=LEVELS[0])


def _exceptions(component: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the namespaces of a component in which its pods need another level than the strictest."""
    own = [component["namespace"], *(component.get("more_namespaces") or [])]
    found = []
    for entry in component.get("pod_security") or []:
        place = f"pod_security of component {component['name']!r}: {entry!r}"
        if not isinstance(entry, dict) or not {"level", "why"} <= entry.keys() <= {"level", "why", "namespace"}:
            raise GitopsError(f"{place} needs `level` and `why`, and may have `namespace`.")
        if entry["level"] not in LEVELS[1:]:
            raise GitopsError(
                f"{place}: `level` must be {' or '.join(LEVELS[1:])}; without an entry it is {LEVELS[0]}."
            )
        namespace = entry.get("namespace", own[0])
        if namespace not in own:
            raise GitopsError(f"{place}: `namespace` must be one of the component's: {', '.join(own)}.")
        found.append((namespace, entry["level"]))
    return found
