# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that each inventory of a run sets by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
name: environments
short_description: The inventories of this run that each set an environment
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - With several C(-i) options Ansible merges the variables of all inventories, and the last one wins. An inventory is
    one environment, so two of them in one run are a mistake; one that only adds variables is not.
options:
  _terms:
    description: Paths of inventories, such as C(ansible_inventory_sources).
    required: true
"""

EXAMPLES = r"""
- name: Check that there is one environment
  ansible.builtin.assert:
    that: query('monorepo.gitops.environments', *ansible_inventory_sources) | length < 2
"""

RETURN = r"""
_list:
  description: Path of the inventory and its environment, for each inventory that sets C(gitops_environment) by itself.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible.vars.plugins import get_vars_from_inventory_sources


class LookupModule(LookupBase):
    """Reads each inventory as if it were the only one."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_options: Any) -> list[str]:
        """Return one text for each inventory that sets an environment."""
        del variables
        sources = list(dict.fromkeys(str(term) for term in terms))
        if len(sources) < 2:
            return []
        found = {source: environment_of(source, self._loader) for source in sources}
        return [f"{source} ({environment})" for source, environment in found.items() if environment]


def environment_of(source: str, loader: DataLoader) -> Any:
    """Return the environment that an inventory sets, before templating."""
    if not Path(source).exists():  # a list of hosts
        return None
    inventory = InventoryManager(loader=loader, sources=[source])
    host = inventory.get_host("localhost")
    entities = [*(host.get_groups() or [inventory.groups["all"]]), host]
    # Ansible's VariableManager would add those of the command line, which belong to no inventory.
    values = [entity.get_vars() for entity in entities]
    values += [get_vars_from_inventory_sources(loader, [source], entities, stage) for stage in ("inventory", "task")]
    return next((found["gitops_environment"] for found in reversed(values) if "gitops_environment" in found), None)
