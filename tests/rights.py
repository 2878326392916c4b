# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that modules and playbooks need, as rules of RBAC, from playbooks/vars/rights.yml.

docs/reference/rights.md has the same, and integration tests run modules and playbooks with these rights and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import rights as table

Rule = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
RBAC = "rbac.authorization.k8s.io"
TABLE = yaml.safe_load((ROOT / "playbooks" / "vars" / "rights.yml").read_text())
MODULES, COMMON, PLAYBOOKS = (TABLE[f"rights_{name}"] for name in ("modules", "common", "playbooks"))


@dataclass(frozen=True)
class Rights:
    """Rules for the namespace of Argo CD, and for all namespaces."""

    here: list[Rule] = field(default_factory=list)
    everywhere: list[Rule] = field(default_factory=list)


RIGHTS = {name: Rights(**table.of_modules(MODULES, {}, [name])) for name in MODULES}


def of(*modules: str) -> Rights:
    """Return the rights of a playbook that uses these modules."""
    return Rights(**table.of_modules(MODULES, COMMON, modules))


def lacking(given: Rights, verb: str, resource: str) -> Rights:
    """Return rights without a verb for a resource."""
    return Rights(*(list(_without(rules, verb, resource)) for rules in (given.here, given.everywhere)))


def _without(rules: list[Rule], verb: str, resource: str) -> Iterator[Rule]:
    for rule in rules:
        if verb in rule["verbs"] and resource in rule["resources"]:
            rest = [other for other in rule["resources"] if other != resource]
            parts = [
                rule | {"resources": rest},
                rule | {"resources": [resource], "verbs": [v for v in rule["verbs"] if v != verb]},
            ]
            yield from (part for part in parts if part["resources"] and part["verbs"])
        else:
            yield rule
