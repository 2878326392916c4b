#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_side_apply
short_description: Apply many Kubernetes objects with server-side apply
version_added: "1.0.0"
author:
  - The monorepo.gitops authors
description:
  - Applies the objects of files and definitions, several at a time over one connection pool. Namespaces and
    CustomResourceDefinitions come first.
  - An object that has all values of an unchanged manifest is not written; whether another one differs is decided by a
    dry run of the API server. A hash of the manifest is kept as annotation C(monorepo.gitops/applied-sha256).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  src:
    description: Files with YAML documents, or one JSON document if the name ends in C(.json). Lists are opened up.
    type: list
    elements: path
    default: []
  definition:
    description: Objects.
    type: list
    elements: dict
    default: []
  namespace:
    description: Namespace of namespaced objects that name none. By default C(default).
    type: str
  kinds:
    description: Apply only objects of these kinds. Empty means all.
    type: list
    elements: str
    default: []
  only_missing:
    description: Leave objects alone that exist, whatever they contain.
    type: bool
    default: false
  field_manager:
    description: Name under which the API server keeps who owns which field.
    type: str
    default: monorepo.gitops
  force_conflicts:
    description: Whether to take over fields that another field manager owns.
    type: bool
    default: true
  concurrency:
    description: Number of requests at a time.
    type: int
    default: 8
  wait:
    description:
      - Wait until CustomResourceDefinitions are Established, and Deployments, StatefulSets and DaemonSets run their
        newest revision on all replicas.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Only dry runs are sent.
  diff_mode:
    support: full
    description: Objects that change, before and after; values of Secrets are not shown.
  idempotent:
    support: full
    description: A second run sends no write.
notes:
  - "Error C(... was rejected): the API server's own words; the objects before it have been applied."
  - "Error C(the cluster has no kind ...): the CustomResourceDefinition is missing. In check mode this is a warning."
  - "Error C(Not ready after ...): names each workload and how many of its pods are available."
  - Server-side apply is described in the Kubernetes documentation, Reference, API concepts.
"""

EXAMPLES = r"""
- name: Apply CustomResourceDefinitions that the cluster does not have
  monorepo.gitops.server_side_apply:
    src: [build/objects.yaml]
    kinds: [CustomResourceDefinition]
    only_missing: true
    field_manager: argocd-controller
    wait: true
"""

RETURN = r"""
objects:
  description: What happened to each object.
  returned: success
  type: list
  elements: dict
  contains:
    kind: {description: Kind., type: str}
    namespace: {description: Namespace; empty for cluster-scoped objects., type: str}
    name: {description: Name., type: str}
    action: {description: "V(created), V(configured), V(unchanged) or V(skipped).", type: str}
counts:
  description: Number of objects for each action.
  returned: success
  type: dict
elapsed:
  description: Seconds, waiting included.
  returned: success
  type: float
"""

import time
from collections import Counter
from typing import Any

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import _k8s
from ansible_collections.monorepo.gitops.plugins.module_utils.api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils.apply import (
    Applied,
    Applier,
    Settings,
    load,
    shown,
)


def diff(results: list[Applied]) -> list[dict[str, str]]:
    """Return the changed objects as Ansible diffs."""
    changed = [result for result in results if result.action in ("created", "configured")]
    return [
        {
            "before_header": f"{result.item['kind']} {result.item['metadata']['name']}",
            "after_header": f"{result.item['kind']} {result.item['metadata']['name']}",
            "before": yaml.safe_dump(shown(result.before)) if result.before else "",
            "after": yaml.safe_dump(shown(result.after)),
        }
        for result in changed
    ]


def run(module: Any, client: Any) -> dict[str, Any]:
    """Apply the objects and return the result of the module."""
    params, started = module.params, time.monotonic()
    settings = Settings(
        field_manager=params["field_manager"],
        force=params["force_conflicts"],
        only_missing=params["only_missing"],
        check_mode=module.check_mode,
        concurrency=params["concurrency"],
    )
    applier = Applier(Api(client), settings, params["namespace"])
    items = load(params["src"], params["definition"], params["kinds"])
    results = applier.apply(items)
    for warning in applier.warnings:
        module.warn(warning)
    if params["wait"] and not module.check_mode:
        applier.await_rolled_out([result.item for result in results], params["wait_timeout"])
    counts = Counter(result.action for result in results)
    objects = [
        {
            "kind": result.item["kind"],
            "namespace": result.item["metadata"].get("namespace", ""),
            "name": result.item["metadata"]["name"],
            "action": result.action,
        }
        for result in results
    ]
    return {
        "changed": bool(counts["created"] or counts["configured"]),
        "objects": objects,
        "counts": dict(counts),
        "elapsed": round(time.monotonic() - started, 3),
    } | ({"diff": diff(results)} if module._diff else {})


def main() -> None:
    """Run the module."""
    _k8s.run_module(
        run,
        argument_spec=_k8s.argument_spec(
            src={"type": "list", "elements": "path", "default": []},
            definition={"type": "list", "elements": "dict", "default": []},
            namespace={"type": "str"},
            kinds={"type": "list", "elements": "str", "default": []},
            only_missing={"type": "bool", "default": False},
            field_manager={"type": "str", "default": "monorepo.gitops"},
            force_conflicts={"type": "bool", "default": True},
            concurrency={"type": "int", "default": 8},
            wait={"type": "bool", "default": False},
            wait_timeout={"type": "int", "default": 120},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
