#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: applicationsets_render
short_description: Render folders of templates into a working tree (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Renders every template below a folder, checks that the result is YAML, writes what differs and removes what an
    earlier run rendered and this one does not. Files of others in the same folder stay.
  - Every rendered file starts with a comment that says so; this is how a later run knows its own files.
  - Templates are Jinja as in M(ansible.builtin.template), including its C(#jinja2:) header with other delimiters. A
    template that renders to nothing makes no file.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
options:
  trees:
    description: The folders.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description: Folder of templates; the suffix C(.j2) is dropped.
        type: path
        required: true
      dest:
        description: Folder that they are rendered to.
        type: path
        required: true
      manifests:
        description:
          - Whether the results are manifests. Other files get no comment, need not be YAML, and are never removed.
        type: bool
        default: true
attributes:
  check_mode:
    support: full
    details: Nothing is written.
  diff_mode:
    support: full
    details: One diff for each file; of files above 100000 characters only the size.
  idempotent:
    support: full
    details: A file that is up to date is not written.
notes:
  - "Errors name the template: a variable that is not defined, or a result that is not YAML."
seealso:
  - module: ansible.builtin.template
  - module: monorepo.gitops.component_render
"""

EXAMPLES = r"""
- name: Render the ApplicationSets
  monorepo.gitops.applicationsets_render:
    trees:
      - src: "{{ role_path }}/templates/appsets"
        dest: "{{ gitops_repo_open.tree }}/argocd/appsets/{{ gitops_environment }}"
"""

RETURN = r"""
files:
  description: Paths of files that were written or removed.
  returned: success
  type: list
  elements: str
"""
