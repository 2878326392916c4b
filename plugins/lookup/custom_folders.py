# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays of which only the additions of a user are left."""

from __future__ import annotations

DOCUMENTATION = r"""
name: custom_folders
short_description: Overlays of which only the additions of a user are left
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - The folder C(custom) of an overlay belongs to the user, and stays in Git when its component is removed. The
    ApplicationSets must not take the overlay for a component then.
options:
  _terms:
    description: Working tree of the GitOps repository, with what a run has rendered.
    required: true
  environment:
    description: Environment of the overlays.
    type: str
    required: true
  components:
    description: Names of the components that the environment has.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ query('monorepo.gitops.custom_folders', tree, environment='dev', components=['maildev']) }}"
"""

RETURN = r"""
_list:
  description: Folders of overlays, as they are called in the repository.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import is_ours


class LookupModule(LookupBase):
    """Looks into the working tree."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **options: Any) -> list[str]:
        """Return the folders."""
        self.set_options(var_options=variables, direct=options)
        environment, components = self.get_option("environment"), self.get_option("components")
        found = []
        for term in terms:
            tree = Path(str(term))
            for layer in _paths.LAYERS:
                pattern = _paths.custom_folder(layer, "*", environment)
                overlays = [folder.parent for folder in sorted(tree.glob(pattern)) if folder.is_dir()]
                names = [overlay for overlay in overlays if overlay.parents[1].name not in components]
                found += [str(overlay.relative_to(tree)) for overlay in names if is_left(overlay)]
        return found


def is_left(overlay: Path) -> bool:
    """Return whether an overlay has, besides the additions of the user, at most what a run rendered and will remove."""
    files = [
        path for path in overlay.rglob("*") if path.is_file() and path.relative_to(overlay).parts[0] != _paths.CUSTOM
    ]
    return all(is_ours(path) for path in files)
