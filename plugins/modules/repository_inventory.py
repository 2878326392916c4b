#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: repository_inventory
short_description: Describe a repository by an inventory (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - For C(playbooks/adopt.yml). Reads a commit of a repository that people wrote, and finds the inventory with which
    roles of this collection render the same objects.
  - A role is rendered with a marker as the value of each of its variables. Where the marker shows up in the built
    objects, the tree has the value; it is taken when the role, rendered with it, comes closer to the tree. Values are
    searched with stand-ins in place of official manifests; the result is compared with the real ones.
  - Variables of roles that the inventory of this run may have are not used, but C(gitops_kustomize_command) and
    C(gitops_upstream_mirror).
  - A component stays as people wrote it when no role has its name, when kustomize cannot build it, when its role would
    delete an object, change a field that a living object cannot change, render an object of somebody else, or depends
    on a component that no role renders.
  - Folders C(base) and C(overlays) in another layout are moved in a copy, and the commands that do so are returned.
  - Runs on the controller, and needs git and kustomize, but no cluster.
extends_documentation_fragment:
  - monorepo.gitops.attributes
  - monorepo.gitops.git.kustomize
options:
  url:
    description: URL of the repository, or its folder. What is not committed is not seen.
    type: str
    required: true
  revision:
    description: Commit, branch or tag.
    type: str
    default: HEAD
  environment:
    description: Name of the overlays. Needed where the repository has several.
    type: str
    default: ""
  file:
    description: File that gets the inventory. It must not exist yet.
    type: path
  ssh_command:
    description: Command that replaces C(ssh) for git.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: No file is written.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Only reads the repository; a second run refuses to write the same file.
notes:
  - "Error C(... exists already): O(file) is somebody's. Choose another one."
  - "Error C(... has overlays of ...: choose one): an inventory describes one environment; set O(environment)."
  - "Error C(... there is nothing to describe): the repository has no overlays of kustomize."
"""

EXAMPLES = r"""
- name: Describe a repository
  monorepo.gitops.repository_inventory:
    url: https://git.example.com/platform/monorepo.git
    environment: dev
"""

RETURN = r"""
inventory:
  description: The inventory as YAML.
  returned: success
  type: str
environment:
  description: The environment that it describes.
  returned: success
  type: str
commit:
  description: The commit that was read.
  returned: success
  type: str
components:
  description: Names of the components that roles render.
  returned: success
  type: list
  elements: str
adopt:
  description: Those of them that people wrote so far, for C(gitops_adopt).
  returned: success
  type: list
  elements: str
handwritten:
  description: The components that stay as people wrote them, as C(<layer>/<name>).
  returned: success
  type: list
  elements: str
differences:
  description: Lines that say what the first run would change.
  returned: success
  type: list
  elements: str
moves:
  description: Commands that lead from another layout to that of this collection.
  returned: success
  type: list
  elements: str
left:
  description: Folders of another layout that cannot be moved, and references that no command changes, and why.
  returned: success
  type: list
  elements: str
notes:
  description: What else somebody should know.
  returned: success
  type: list
  elements: str
summary:
  description: One sentence about the whole.
  returned: success
  type: str
file:
  description: The file that was written; otherwise empty.
  returned: success
  type: str
"""
