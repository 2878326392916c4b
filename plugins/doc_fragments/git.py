# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work with the GitOps repository."""

from __future__ import annotations


class ModuleDocFragment:
    """The branch and access to it; CLONE adds the repository and the folder of its clone, KUSTOMIZE what builds it."""

    DOCUMENTATION = r"""
options:
  branch:
    description: Branch that is published to.
    type: str
    default: main
  ssh_command:
    description: Command for SSH, such as C(ssh -i /path/of/key -o IdentitiesOnly=yes).
    type: str
    default: ""
"""

    CLONE = r"""
options:
  url:
    description: URL of the repository as this machine reaches it, such as C(file://), C(https://) or C(ssh://).
    type: str
    required: true
  path:
    description: Folder of the clone. It belongs to this collection and is not meant for manual work.
    type: path
    required: true
  isolated:
    description:
      - Whether to ignore all of the user's Git configuration, as in a rehearsal. Otherwise credentials, URL rewriting,
        proxies and signing apply. Hooks and templates never apply.
    type: bool
    default: false
"""

    KUSTOMIZE = r"""
options:
  command:
    description: Command that builds a folder. By default C(kustomize build) or C(kubectl kustomize) from PATH.
    type: list
    elements: str
    default: []
"""
