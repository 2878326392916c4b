#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_repo_build
short_description: Build every overlay of an environment and report what it contains (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Runs C(kustomize build) for C(argocd/<layer>/<name>/envs/<environment>) of each component, several at a time. A
    result is kept in the user's cache under a hash of its sources and of the command, so an unchanged component is not
    built again.
  - Reports the kinds, namespaces and CustomResourceDefinitions of the objects; the AppProjects are derived from them.
extends_documentation_fragment:
  - monorepo.gitops.attributes
  - monorepo.gitops.git.kustomize
options:
  tree:
    description: Working tree of the GitOps repository.
    type: path
    required: true
  environment:
    description: Name of the overlays.
    type: str
    required: true
  components:
    description: The components with C(name), C(layer) and C(namespace).
    type: list
    elements: dict
    required: true
  others:
    description:
      - Overlays that people wrote, as C(<layer>/<name>). The AppProjects allow their content. One that does not build
        is left out with a warning, unless O(entries) has its kinds; an object that a component also has is a warning.
    type: list
    elements: str
    default: []
  entries:
    description:
      - What the inventory says of components that people wrote, as returned by M(monorepo.gitops.gitops_plan). The
        AppProjects allow their C(kinds).
    type: list
    elements: dict
    default: []
  project_kinds:
    description:
      - Kinds that the AppProjects allow although no overlay has them yet, as M(monorepo.gitops.gitops_compare) returns
        them.
    type: dict
    default: {}
attributes:
  async:
    support: full
  check_mode:
    support: full
    details: The cache is filled in check mode too; nothing else is written.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Only reads the tree.
notes:
  - "Error C(kustomize build of ... failed): the message of kustomize; nothing was committed."
  - "Error C(... is in two components, ... and ...): the two Applications would keep taking the object from each
    other. Remove it from the templates of one of them, or unset the variable that adds it."
"""

EXAMPLES = r"""
- name: Build all overlays
  monorepo.gitops.gitops_repo_build:
    tree: ~/.cache/monorepo.gitops/clones/monorepo
    environment: dev
    components:
      - {name: maildev, layer: infra, namespace: maildev}
"""

RETURN = r"""
builds:
  description: The results.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the component., type: str}
    path: {description: JSON file with all objects., type: str}
    crds: {description: JSON file with the CustomResourceDefinitions among them., type: str}
    crd_names: {description: Names of these CustomResourceDefinitions., type: list, elements: str}
    objects: {description: Number of objects., type: int}
projects:
  description: For each layer C(cluster_kinds) and C(namespaced_kinds) (C(group) and C(kind)) and C(namespaces).
  returned: success
  type: dict
rights:
  description:
    - For each layer the rules that a ServiceAccount needs to sync it, C(everywhere) and by name in C(namespaces).
  returned: success
  type: dict
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import accounts
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.known_secrets import check_built
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import (
    build_all,
    build_others,
    check_one_owner,
    cluster_kinds,
    described,
    find_command,
    projects,
    secrets_of,
)


def run(module: Any) -> dict[str, Any]:
    """Build and return the result of the module."""
    params = module.params
    command = params["command"] or find_command()
    summaries = build_all(params["tree"], params["environment"], params["components"], command)
    check_one_owner(summaries)
    before = check_built(params["tree"], params["environment"], summaries, command)
    kinds = {f"{entry['layer']}/{entry['name']}": entry["kinds"] for entry in params["entries"]}
    given = {entry: kinds[entry] for entry in params["others"] if kinds.get(entry)}
    unknown = [entry for entry in params["others"] if entry not in given]
    others, errors = build_others(params["tree"], params["environment"], unknown, command)
    known, _errors = build_others(params["tree"], params["environment"], sorted(given), command)
    others += [*known, *(described(entry, found) for entry, found in sorted(given.items()))]
    advice = "If kustomize is not what builds it, name its kinds in gitops_components (docs/safety.md)."
    errors = [f"A handwritten overlay was left out: {text.removesuffix('.')}. {advice}" for text in errors]
    errors += [f"Git has a secret in a handwritten overlay, {text}." for text in secrets_of(others)]
    errors += [f"Git had a secret before, {text}." for text in before]
    try:
        check_one_owner(summaries + others)
    except GitopsError as error:
        errors.append(str(error))
    for text in errors:
        module.warn(text)
    keys = ("name", "path", "crds", "crd_names", "objects")
    builds = [{key: summary[key] for key in keys} for summary in summaries]
    found = summaries + others
    allowed = projects(found, params["project_kinds"])
    rights = accounts.rights(found, cluster_kinds(found), allowed, params["project_kinds"])
    return {"changed": False, "builds": builds, "projects": allowed, "rights": rights}


def main() -> None:
    """Run the module."""
    _run.run_module(
        run,
        argument_spec={
            "tree": {"type": "path", "required": True},
            "environment": {"type": "str", "required": True},
            "components": {"type": "list", "elements": "dict", "required": True},
            "others": {"type": "list", "elements": "str", "default": []},
            "entries": {"type": "list", "elements": "dict", "default": []},
            "project_kinds": {"type": "dict", "default": {}},
            "command": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
