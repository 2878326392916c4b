#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: new_component
short_description: Make the role of a component in a collection of one's own (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - For C(playbooks/new_component.yml). Copies C(examples/roles/hello) under the name of the component, and describes
    the collection in a C(galaxy.yml) if it has none.
  - No file that exists is changed. A role with a C(vars/main.yml) is complete, and gets no file that it lacks.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the component; the role has C(_) in place of C(-).
    type: str
    required: true
  collection:
    description: Namespace and name of the collection, such as V(acme.platform).
    type: str
    required: true
  folder:
    description: Folder of collections, which has or gets C(ansible_collections).
    type: path
    default: collections
attributes:
  check_mode:
    support: full
    details: Nothing is written.
  diff_mode:
    support: full
    details: One diff for each file.
  idempotent:
    support: full
    details: A second time changes nothing.
notes:
  - "Errors name the variable of the playbook that has a wrong value."
"""

EXAMPLES = r"""
- name: Make a component
  monorepo.gitops.new_component:
    name: hello
    collection: acme.platform
"""

RETURN = r"""
role:
  description: Full name of the role, as C(gitops_components) needs it.
  returned: success
  type: str
path:
  description: Folder of the role.
  returned: success
  type: str
collections_path:
  description: Folder of collections, if Ansible does not search it yet; otherwise empty.
  returned: success
  type: str
files:
  description: Paths of files that were written.
  returned: success
  type: list
  elements: str
"""
