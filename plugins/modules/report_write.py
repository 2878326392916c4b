#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report_write
short_description: Write the report of a run as data and as a page (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Puts together what a playbook knows, compares it with the last report, and writes C(report.json) and the page
    C(report.html); a status C(status.json) and C(status.html), a run in check mode C(check.json) and C(check.html).
  - Keeps the last ten reports of runs and promotions under their time, and writes C(index.html), which leads to them.
  - User names and passwords in URLs, private keys and tokens are left out.
  - A file is replaced as a whole. A report that cannot be written is a warning.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
options:
  folder:
    description: Folder of the reports of an environment. It is created when it is missing.
    type: path
    required: true
  facts:
    description: What is known.
    type: dict
    required: true
    suboptions:
      kind:
        description: What the report is about.
        type: str
        choices: [run, promotion, status, check]
        required: true
      environment: {description: Name of the environment., type: str, required: true}
      rehearsal: {description: Whether the cluster is a rehearsal., type: bool, default: false}
      simulated: {description: Whether the endpoints are simulated., type: bool, default: false}
      started: {description: When the run began; empty if that does not matter., type: str, default: ""}
      time: {description: When it ended., type: str, required: true}
      published: {description: When the run had published its commit; empty without a new one., type: str, default: ""}
      commit: {description: Commit that the environment follows., type: str, default: ""}
      repository: {description: "The repository, with C(url), C(branch) and C(revision).", type: dict, default: {}}
      cluster: {description: The cluster as role C(cluster) found it., type: dict, default: {}}
      plan: {description: "What the run was to do, with C(counts) and C(notes).", type: dict, default: {}}
      failure: {description: "What stopped the run, with C(task) and C(message).", type: dict, default: {}}
      components: {description: Components of M(monorepo.gitops.gitops_plan)., type: list, elements: dict, default: []}
      waited:
        description: Applications of M(monorepo.gitops.argocd_app_wait).
        type: list
        elements: dict
        default: []
      found:
        description: Applications of M(monorepo.gitops.argocd_app_info).
        type: list
        elements: dict
        default: []
      promotion:
        description:
          - What waits for promotion, with C(revision), C(branch), C(behind), C(files) and C(difference).
        type: dict
        default: {}
      warnings: {description: Warnings., type: list, elements: str, default: []}
      versions: {description: Versions by name., type: dict, default: {}}
      commands:
        description: Commands that go on, by C(status), C(resume), C(verify) and C(promote).
        type: dict
        default: {}
attributes:
  check_mode:
    support: full
    details: Writes as well, because a report is not part of the cluster's or the repository's state.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each report has its time. It never counts as a change.
notes:
  - The data is described in C(docs/reference/report.md).
seealso:
  - module: monorepo.gitops.argocd_app_wait
  - module: monorepo.gitops.argocd_app_info
"""

EXAMPLES = r"""
- name: Write the report
  monorepo.gitops.report_write:
    folder: reports/dev
    facts:
      kind: run
      environment: dev
      time: "{{ now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ') }}"
      failure: {task: Push, message: no route to host}
"""

RETURN = r"""
files:
  description: Paths of the page and of its data; empty when they could not be written.
  returned: success
  type: list
  elements: str
  sample: [reports/dev/report.html, reports/dev/report.json]
"""
