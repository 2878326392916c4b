# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work with the GitOps repository."""

from __future__ import annotations


class ModuleDocFragment:
    """The branch and how it is reached; CLONE says which repository, and where its clone is."""

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
    description: Folder of the clone. It belongs to this collection and is not for work by hand.
    type: path
    required: true
  isolated:
    description:
      - Whether nothing of the user's Git configuration counts, as in a rehearsal. Otherwise credentials, URL rewriting,
        proxies and signing do. Hooks and templates never do.
    type: bool
    default: false
"""
