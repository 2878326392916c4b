#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_inputs
short_description: Check the variables of the inventory before anything else happens (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Holds every variable against the C(meta/argument_specs.yml) of the roles of a run, those of components of other
    collections included, and what these components require. A value that depends on what a later step finds, or whose
    lookup fails, is not checked, nor is a template of an option with C(no_log).
  - A variable that begins with C(gitops_) and that no role declares is misspelt. So is one that begins with the
    name of a role of the run and looks like a variable of such a role. The words in which the two differ are compared;
    one letter may be wrong where a word has at least four letters, two where it has eight, and two that are swapped are
    one. A plural or the singular of a short word is not misspelt. Others are not checked.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  components:
    description: Entries of C(gitops_components); an unknown one is left to M(monorepo.gitops.gitops_plan).
    type: list
    elements: str
    required: true
  arguments:
    description:
      - The arguments of a playbook, in the form of the C(options) of a role's argument specification.
      - They are given with C(-e); a variable of the inventory with such a name is somebody else's. What is given with
        C(-e) and looks like one of them, but is not one of them, is misspelt.
    type: dict
    default: {}
notes:
  - Fails with one line for each variable, with its value (but no mapping, no list, and nothing that is C(no_log)), what
    is expected, and the file and the line where the inventory's own files, or those next to the playbook, show it.
"""

EXAMPLES = r"""
- name: Check the variables of the inventory
  monorepo.gitops.gitops_inputs:
    components: "{{ gitops_components }}"
"""

RETURN = r"""
arguments:
  description: O(arguments) with their values in their types, or with their defaults.
  returned: success
  type: dict
"""
